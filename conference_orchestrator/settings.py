"""Every setting, typed, read once from the environment (`CO_...`) at the start.

`NAME_FILE` reads a value from a file, an empty value counts as unset, and a `CO_` name that nobody knows stops the
start: a misspelt setting must not be ignored in silence. `CO_TEST_...` belongs to the test suite.
"""

from __future__ import annotations

import contextlib
import dataclasses
import os
import re
import secrets
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields
from email.utils import parseaddr
from pathlib import Path
from typing import Any
from urllib.parse import SplitResult, urlsplit

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.hazmat.primitives.serialization import load_pem_private_key

# RFC 8301, 3.2: mail signed with a shorter key counts as unsigned.
_SHORTEST_DKIM_KEY = 1024


class SettingsError(Exception):
    """A setting is wrong or missing; the text names it and says what to do."""


@dataclass(frozen=True)
class Host:
    """A host account named in `CO_WEBEX_HOSTS`: its e-mail and how many meetings it may host at a time."""

    email: str
    capacity: int = 1


def _url(name: str, value: str, schemes: tuple[str, ...]) -> SplitResult:
    try:
        parts = urlsplit(value)
        complete = parts.scheme in schemes and parts.hostname and parts.port != 0
    except ValueError:  # A port that is no number, or brackets that do not close.
        complete = False
    if not complete:
        raise SettingsError(f"{name} must be an address that begins with {' or '.join(f'{s}://' for s in schemes)}.")
    return parts


def _address(*schemes: str) -> Callable[[str, str], str]:
    def read(name: str, value: str) -> str:
        _url(name, value, schemes)
        return value

    return read


def _public_url(name: str, value: str) -> str:
    parts = _url(name, value, ("http", "https"))
    if parts.query or parts.fragment:
        raise SettingsError(f"{name} must not have a query or a fragment.")
    return value.rstrip("/")


def _mailbox(name: str, value: str) -> str:
    if not value.isprintable() or "@" not in parseaddr(value)[1]:
        raise SettingsError(f"{name}: {value!r} is not Helpdesk <helpdesk@example.org> or helpdesk@example.org.")
    return value


def _database_url(name: str, value: str) -> str:
    if value.startswith("sqlite:///") and value != "sqlite:///":
        path = value.removeprefix("sqlite:///")
        # A relative path would end in Flask's instance folder; ours is relative to where the service is started.
        return value if path == ":memory:" else f"sqlite:///{Path(path).absolute()}"
    if value.startswith("postgresql+psycopg://"):
        return value
    raise SettingsError(f"{name} must be sqlite:///FILE or begin with postgresql+psycopg://.")


def _one_of(*allowed: str) -> Callable[[str, str], str]:
    def read(name: str, value: str) -> str:
        if value not in allowed:
            raise SettingsError(f"{name} must be one of {', '.join(allowed)}, not {value!r}.")
        return value

    return read


def _hosts(name: str, value: str) -> tuple[Host, ...]:
    found: list[Host] = []
    for part in filter(None, (part.strip() for part in value.split(","))):
        email, _, capacity = (piece.strip() for piece in part.partition("="))
        if "@" not in email or (capacity and not (capacity.isdecimal() and int(capacity) > 0)):
            raise SettingsError(f"{name}: {part!r} is not host@example.org or host@example.org=2.")
        if email.lower() in (host.email for host in found):
            raise SettingsError(f"{name} names {email} twice.")
        found.append(Host(email.lower(), int(capacity or 1)))
    return tuple(found)


def _dns_name(name: str, value: str) -> str:
    if not re.fullmatch(r"[A-Za-z0-9_-]+(\.[A-Za-z0-9_-]+)*", value):
        raise SettingsError(f"{name}: {value!r} is no name as the DNS holds it, like network.example.")
    return value.lower()


def _dkim_key(name: str, value: str) -> str:
    try:
        key = load_pem_private_key(value.encode(), password=None)
    except (ValueError, TypeError, UnsupportedAlgorithm) as error:
        raise SettingsError(f"{name} is no private key in PEM; make one with `openssl genrsa 2048`.") from error
    if not isinstance(key, RSAPrivateKey) or key.key_size < _SHORTEST_DKIM_KEY:
        raise SettingsError(
            f"{name} must be an RSA key of {_SHORTEST_DKIM_KEY} bits or more; mail cannot be signed with another kind."
        )
    return value


def _text(_name: str, value: str) -> str:
    return value


def _setting(default: Any, read: Callable[[str, str], Any] = _text, *, secret: bool = False) -> Any:
    # Secrets stay out of repr(): settings may end up in a log or a traceback.
    return field(default=default, repr=not secret, metadata={"read": read, "secret": secret})


@dataclass(frozen=True, kw_only=True)
class Settings:
    """The service's settings; docs/settings.md tells their meaning. Values are checked, `report` masks secrets."""

    database_url: str = _setting("sqlite:///var/conference.db", _database_url, secret=True)
    secret_key: str = _setting("", secret=True)
    public_url: str = _setting("http://127.0.0.1:8000", _public_url)
    smtp_url: str = _setting("", _address("smtp", "smtps"), secret=True)
    mail_from: str = _setting("Helpdesk <helpdesk@localhost>", _mailbox)
    mail_reply_to: str = _setting("", _mailbox)
    dkim_domain: str = _setting("", _dns_name)
    dkim_selector: str = _setting("", _dns_name)
    dkim_key: str = _setting("", _dkim_key, secret=True)
    captcha: str = _setting("on", _one_of("on", "off"))
    imap_url: str = _setting("", _address("imap", "imaps"), secret=True)
    imap_authserv: str = _setting("")
    provider: str = _setting("mock")
    webex_url: str = _setting("https://webexapis.com/v1/", _public_url)
    webex_token: str = _setting("", secret=True)
    webex_client_id: str = _setting("")
    webex_client_secret: str = _setting("", secret=True)
    webex_refresh_token: str = _setting("", secret=True)
    webex_hosts: tuple[Host, ...] = _setting((), _hosts)
    webex_webhook_secret: str = _setting("", secret=True)
    jitsi_url: str = _setting("", _public_url)
    jitsi_app_id: str = _setting("")
    jitsi_secret: str = _setting("", secret=True)
    bigbluebutton_url: str = _setting("", _public_url)
    bigbluebutton_secret: str = _setting("", secret=True)
    engine: str = _setting("embedded", _one_of("embedded", "procrastinate"))
    oidc_issuer: str = _setting("", _address("https", "http"))
    oidc_client_id: str = _setting("")
    oidc_client_secret: str = _setting("", secret=True)
    log_level: str = _setting("info", _one_of("debug", "info", "warning", "error"))
    log_format: str = _setting("", _one_of("text", "json"))

    @property
    def reply_to(self) -> str:
        """Where answers to invitations return: `CO_MAIL_REPLY_TO`, else the sender."""
        return self.mail_reply_to or self.mail_from


def load(environ: Mapping[str, str], *, var: Path = Path("var")) -> Settings:
    """The settings that `environ` gives. A missing secret key is made once and kept under `var`.

    Raises SettingsError for an unknown name, a wrong value, or an https installation without its own secret key.
    """
    known = {f"CO_{f.name.upper()}": f for f in fields(Settings)}
    for name in environ:
        if name.startswith("CO_") and not name.startswith("CO_TEST_") and name.removesuffix("_FILE") not in known:
            raise SettingsError(
                f"{name} is not a setting of this service; `conference-orchestrator settings` lists them."
            )
    values: dict[str, Any] = {}
    for name, setting in known.items():
        if raw := _raw(environ, name) or setting.default:
            values[setting.name] = setting.metadata["read"](name, raw)
    settings = Settings(**values)
    missing = [name for name in ("dkim_domain", "dkim_selector", "dkim_key") if not getattr(settings, name)]
    if len(missing) in {1, 2}:
        raise SettingsError(
            f"CO_{missing[0].upper()} is missing: CO_DKIM_DOMAIN, CO_DKIM_SELECTOR and CO_DKIM_KEY are set together."
        )
    return settings if settings.secret_key else _with_own_key(settings, var)


def _raw(environ: Mapping[str, str], name: str) -> str:
    if value := environ.get(name, "").strip():
        return value
    if path := environ.get(f"{name}_FILE", "").strip():
        try:
            return Path(path).read_text(encoding="utf-8").strip()
        except (OSError, UnicodeDecodeError) as error:
            raise SettingsError(f"{name}_FILE: {path} cannot be read ({error}).") from error
    return ""


def _with_own_key(settings: Settings, var: Path) -> Settings:
    if settings.public_url.startswith("https://"):
        raise SettingsError(
            "CO_SECRET_KEY is required when CO_PUBLIC_URL is https; make one with `openssl rand -hex 32`."
        )
    try:
        key = _kept_key(var)
    except (OSError, UnicodeDecodeError) as error:
        raise SettingsError(f"No secret key can be kept in {var} ({error}); set CO_SECRET_KEY.") from error
    if not key:
        raise SettingsError(f"{var / 'secret_key'} is empty; remove it, or set CO_SECRET_KEY.")
    return dataclasses.replace(settings, secret_key=key)


def _kept_key(var: Path) -> str:
    path, draft = var / "secret_key", var / f"secret_key.{secrets.token_hex(8)}"
    var.mkdir(parents=True, exist_ok=True)
    if not path.exists():
        draft.touch(mode=0o600)
        draft.write_text(secrets.token_hex(32), encoding="utf-8")
        # A link appears whole or not at all: of two processes that start together one makes the key, both read it.
        with contextlib.suppress(FileExistsError):
            os.link(draft, path)
        draft.unlink()
    return path.read_text(encoding="utf-8").strip()


def report(settings: Settings, environ: Mapping[str, str]) -> list[tuple[str, str, str]]:
    """Name, value (secrets masked) and origin of every setting, for `conference-orchestrator settings`."""
    rows = []
    for f in fields(Settings):
        name = f"CO_{f.name.upper()}"
        value = getattr(settings, f.name)
        shown = "********" if f.metadata["secret"] and value else _shown(value)
        rows.append((name, shown, _origin(environ, name)))
    return rows


def _origin(environ: Mapping[str, str], name: str) -> str:
    if environ.get(name, "").strip():
        return "environment"
    return "file" if _raw(environ, name) else "default"


def _shown(value: object) -> str:
    if isinstance(value, tuple):
        return ",".join(f"{h.email}={h.capacity}" for h in value)
    return str(value)
