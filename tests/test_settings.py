"""The settings: read once, typed, and nothing misspelt or half right gets past the start."""

from __future__ import annotations

import re
import stat
from concurrent.futures import ThreadPoolExecutor
from dataclasses import fields
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from conference_orchestrator.settings import Host, Settings, SettingsError, load, report

ROOT = Path(__file__).parents[1]
NAMES = [f"CO_{field.name.upper()}" for field in fields(Settings)]


@pytest.fixture
def read(tmp_path):
    """Reads settings as the service does; its own key comes to lie in `tmp_path`."""

    def read(**environ: str) -> Settings:
        return load(environ, var=tmp_path)

    return read


def test_nothing_needs_to_be_set(read):
    settings = read()
    assert settings.provider == "mock"
    assert settings.public_url == "http://127.0.0.1:8000"
    assert settings.smtp_url == ""
    assert settings.reply_to == settings.mail_from == "Helpdesk <helpdesk@localhost>"


def test_every_default_is_a_value_that_may_be_set(read):
    for field in fields(Settings):
        if field.default:
            assert read(**{f"CO_{field.name.upper()}": field.default}) == read()


@pytest.mark.parametrize("name", ["CO_SMPT_URL", "CO_SMPT_URL_FILE", "CO_", "CO_SECRET_KEY_FILE_FILE"])
def test_a_name_that_nobody_knows_stops_the_start(read, name):
    with pytest.raises(SettingsError, match=rf"^{name} is not a setting"):
        read(**{name: "x"})


def test_names_of_others_and_of_the_test_suite_are_left_alone(read):
    assert read(HOME="/", CORRECT="1", CO_TEST_REQUIRE="postgres") == read()


@pytest.mark.parametrize("empty", ["", "  ", "\n"])
def test_an_empty_value_counts_as_unset(read, empty):
    assert read(CO_CAPTCHA=empty, CO_SMTP_URL_FILE=empty, CO_DATABASE_URL=empty) == read()


def test_a_secret_can_be_read_from_a_file(read, tmp_path):
    secret = tmp_path / "token"
    secret.write_text("a-bearer-token\n")
    assert read(CO_WEBEX_TOKEN_FILE=str(secret)).webex_token == "a-bearer-token"


def test_a_value_goes_before_its_file(read, tmp_path):
    assert read(CO_WEBEX_TOKEN="value", CO_WEBEX_TOKEN_FILE=str(tmp_path / "absent")).webex_token == "value"


def test_a_file_that_cannot_be_read_stops_the_start(read, tmp_path):
    with pytest.raises(SettingsError, match=r"^CO_WEBEX_TOKEN_FILE: .*absent cannot be read"):
        read(CO_WEBEX_TOKEN_FILE=str(tmp_path / "absent"))


def test_a_wrong_value_in_a_file_is_refused_like_any_other(read, tmp_path):
    wrong = tmp_path / "captcha"
    wrong.write_text("maybe")
    with pytest.raises(SettingsError, match=r"^CO_CAPTCHA must be one of on, off"):
        read(CO_CAPTCHA_FILE=str(wrong))


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("CO_DATABASE_URL", "mysql://127.0.0.1/conference"),
        ("CO_DATABASE_URL", "postgresql://127.0.0.1/conference"),
        ("CO_DATABASE_URL", "sqlite:///"),
        ("CO_PUBLIC_URL", "conference.example"),
        ("CO_PUBLIC_URL", "ftp://conference.example"),
        ("CO_PUBLIC_URL", "http://"),
        ("CO_PUBLIC_URL", "http://[::1"),
        ("CO_PUBLIC_URL", "http://conference.example:port"),
        ("CO_PUBLIC_URL", "http://conference.example/?a=b"),
        ("CO_PUBLIC_URL", "http://conference.example/#top"),
        ("CO_SMTP_URL", "mail.example:25"),
        ("CO_SMTP_URL", "smtp://mail.example:0"),
        ("CO_IMAP_URL", "http://mail.example"),
        ("CO_MAIL_FROM", "Helpdesk"),
        ("CO_MAIL_FROM", "Helpdesk <helpdesk@localhost>\nBcc: all@network.example"),
        ("CO_MAIL_REPLY_TO", "answers"),
        ("CO_CAPTCHA", "yes"),
        ("CO_ENGINE", "celery"),
        ("CO_WEBEX_URL", "webexapis.com"),
        ("CO_WEBEX_HOSTS", "room.one"),
        ("CO_WEBEX_HOSTS", "one@hosts.example=0"),
        ("CO_WEBEX_HOSTS", "one@hosts.example=two"),
        ("CO_WEBEX_HOSTS", "one@hosts.example=²"),
        ("CO_WEBEX_HOSTS", "one@hosts.example,One@hosts.example=2"),
        ("CO_OIDC_ISSUER", "login.example"),
        ("CO_LOG_LEVEL", "chatty"),
        ("CO_LOG_FORMAT", "xml"),
    ],
)
def test_a_wrong_value_stops_the_start_and_names_its_setting(read, name, value):
    with pytest.raises(SettingsError, match=rf"^{name}\b"):
        read(**{name: value})


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("CO_DATABASE_URL", "postgresql+psycopg://conference:secret@db.example/conference"),
        ("CO_SMTP_URL", "smtp://user:secret@mail.example:587?tls=starttls"),
        ("CO_SMTP_URL", "smtp://127.0.0.1:2525?tls=none"),
        ("CO_SMTP_URL", "smtps://mail.example:465"),
        ("CO_IMAP_URL", "imaps://user:secret@mail.example/INBOX"),
        ("CO_MAIL_FROM", '"Helpdesk, Brain Tumour" <helpdesk@network.example>'),
        ("CO_OIDC_ISSUER", "https://login.example/realm/"),
    ],
)
def test_a_right_value_is_taken_as_it_is(read, name, value):
    assert getattr(read(**{name: value}), name.removeprefix("CO_").lower()) == value


def test_a_relative_sqlite_path_is_made_absolute_from_where_the_service_starts(read, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert read().database_url == f"sqlite:///{tmp_path}/var/conference.db"
    assert read(CO_DATABASE_URL="sqlite:///:memory:").database_url == "sqlite:///:memory:"


def test_links_get_one_slash_between_base_and_path(read):
    assert read(CO_PUBLIC_URL="http://conference.example/orchestrator/").public_url.endswith("/orchestrator")


def test_hosts_come_with_their_capacity(read):
    hosts = read(CO_WEBEX_HOSTS="One@hosts.example, two@hosts.example = 3,,").webex_hosts
    assert hosts == (Host("one@hosts.example", 1), Host("two@hosts.example", 3))


def test_answers_return_to_their_own_mailbox_when_there_is_one(read):
    assert read(CO_MAIL_REPLY_TO="answers@network.example").reply_to == "answers@network.example"


def test_https_needs_a_key_from_outside(read):
    with pytest.raises(SettingsError, match="CO_SECRET_KEY is required when CO_PUBLIC_URL is https"):
        read(CO_PUBLIC_URL="https://conference.example")
    assert read(CO_PUBLIC_URL="https://conference.example", CO_SECRET_KEY="k" * 32).secret_key == "k" * 32


def test_the_key_made_at_the_first_start_is_kept_and_is_the_owners_alone(read, tmp_path):
    key = read().secret_key
    assert len(key) == 64
    assert read().secret_key == key
    assert stat.S_IMODE((tmp_path / "secret_key").stat().st_mode) == 0o600
    assert [path.name for path in tmp_path.iterdir()] == ["secret_key"]


def test_processes_that_start_together_agree_on_one_key(read):
    with ThreadPoolExecutor(20) as starting:
        assert len({settings.secret_key for settings in starting.map(lambda _: read(), range(40))}) == 1


def test_an_empty_key_is_never_used(read, tmp_path):
    (tmp_path / "secret_key").touch()
    with pytest.raises(SettingsError, match="secret_key is empty"):
        read()


def test_a_place_that_cannot_keep_the_key_is_told_in_one_line(tmp_path):
    (tmp_path / "var").touch()
    with pytest.raises(SettingsError, match=r"^No secret key can be kept in .*set CO_SECRET_KEY\.$"):
        load({}, var=tmp_path / "var")


def rsa_key() -> str:
    key = rsa.generate_private_key(public_exponent=65537, key_size=1024)
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()


def test_secrets_are_masked_wherever_settings_are_shown(read):
    secret = {field.name for field in fields(Settings) if field.metadata["secret"]}
    environ = {
        "CO_SECRET_KEY": "hush-key",
        "CO_DATABASE_URL": "postgresql+psycopg://conference:hush-db@db.example/conference",
        "CO_SMTP_URL": "smtp://user:hush-smtp@mail.example",
        "CO_IMAP_URL": "imaps://user:hush-imap@mail.example",
        "CO_WEBEX_TOKEN": "hush-token",
        "CO_WEBEX_CLIENT_SECRET": "hush-client",
        "CO_WEBEX_REFRESH_TOKEN": "hush-refresh",
        "CO_WEBEX_WEBHOOK_SECRET": "hush-hook",
        "CO_JITSI_SECRET": "hush-jitsi",
        "CO_BIGBLUEBUTTON_SECRET": "hush-bbb",
        "CO_OIDC_CLIENT_SECRET": "hush-oidc",
        "CO_DKIM_KEY": rsa_key(),
    }
    assert {f"CO_{name.upper()}" for name in secret} == set(environ)
    settings = read(**environ, CO_DKIM_DOMAIN="network.example", CO_DKIM_SELECTOR="mail")
    shown = {name: value for name, value, _ in report(settings, environ)}
    assert {shown[name] for name in environ} == {"********"}
    assert "hush" not in repr(settings)
    assert "PRIVATE KEY" not in repr(settings)


def test_the_report_tells_every_setting_and_where_it_came_from(read, tmp_path):
    (tmp_path / "token").write_text("a-bearer-token")
    environ = {
        "CO_PROVIDER": "webex",
        "CO_WEBEX_TOKEN_FILE": str(tmp_path / "token"),
        "CO_WEBEX_HOSTS": "one@hosts.example=2",
        "CO_CAPTCHA": "",
    }
    rows = {name: (value, origin) for name, value, origin in report(read(**environ), environ)}
    assert list(rows) == NAMES
    assert rows["CO_PROVIDER"] == ("webex", "environment")
    assert rows["CO_WEBEX_TOKEN"] == ("********", "file")
    assert rows["CO_WEBEX_HOSTS"] == ("one@hosts.example=2", "environment")
    assert rows["CO_CAPTCHA"] == ("on", "default")


def test_the_manual_has_a_row_for_every_setting_and_for_nothing_else():
    rows = re.findall(r"^\| `(CO_\w+)` \|", (ROOT / "docs" / "settings.md").read_text(encoding="utf-8"), re.MULTILINE)
    assert rows == NAMES
