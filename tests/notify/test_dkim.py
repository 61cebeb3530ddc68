"""Signed mail is checked by a verifier against the key that the DNS would hold; nothing in it can be changed."""

import base64
import mailbox
import re
from functools import cache

import dkim
import pytest
from cryptography.hazmat.primitives.asymmetric import ed25519, rsa
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
)

from conference_orchestrator.notify.dkim import SIGNED, sign
from conference_orchestrator.notify.senders import open_sender
from conference_orchestrator.settings import Settings, SettingsError, load, report
from tests.smtp_faults import SmtpFaults

MAIL = (
    b"From: Helpdesk <helpdesk@network.example>\r\nReply-To: answers@network.example\r\n"
    b"To: ines@hospital.example\r\nSubject: Invitation: Brain Tumour,\r\n 24 November\r\n"
    b"Date: Mon, 23 Nov 2026 09:00:00 +0000\r\nMessage-ID: <1@network.example>\r\n"
    b"References: <0@network.example>\r\nMIME-Version: 1.0\r\nContent-Type: text/plain; charset=utf-8\r\n"
    b"Auto-Submitted: auto-generated\r\nX-Conference-Kind: reminder\r\n"
    b"List-Unsubscribe: <https://conference.example/u/x>\r\nList-Unsubscribe-Post: List-Unsubscribe=One-Click\r\n"
    b"\r\n.first\r\n\r\nlast\r\n"
)


@cache
def key():
    return rsa.generate_private_key(public_exponent=65537, key_size=2048)


def pem(private=None, form=PrivateFormat.PKCS8, secured=None):
    how = BestAvailableEncryption(secured) if secured else NoEncryption()
    return (private or key()).private_bytes(Encoding.PEM, form, how).decode()


def settings(**more):
    return Settings(dkim_domain="network.example", dkim_selector="mail2026", dkim_key=pem(), **more)


def is_genuine(mail):
    """What a receiver finds that asks the DNS for the public key."""

    def dns(name, timeout=5):
        assert name == b"mail2026._domainkey.network.example."
        public = key().public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
        return b"v=DKIM1; k=rsa; p=" + base64.b64encode(public)

    return dkim.verify(mail, dnsfunc=dns)


def signed_headers(mail):
    (named,) = re.findall(rb"\sh=([^;]*);", mail.partition(b"\r\n\r\n")[0])
    return [name.strip().decode() for name in named.split(b":")]


def test_a_signed_mail_is_the_same_mail_below_a_signature_that_holds():
    signed = sign(MAIL, settings())
    assert signed.startswith(b"DKIM-Signature: v=1; a=rsa-sha256; c=relaxed/relaxed; d=network.example;")
    assert signed.endswith(MAIL)
    assert is_genuine(signed)


def test_every_header_that_says_something_is_signed_and_the_sender_once_more():
    assert signed_headers(sign(MAIL, settings())) == ["from", *SIGNED]


def test_a_header_that_a_mail_does_not_have_is_left_open():
    short = re.sub(rb"References.*\r\n|List-.*\r\n", b"", MAIL)
    signed = sign(short, settings())
    assert {"references", "list-unsubscribe", "list-unsubscribe-post"}.isdisjoint(signed_headers(signed))
    assert is_genuine(signed)


@pytest.mark.parametrize("name", ["From", "Subject", "Content-Type", "List-Unsubscribe-Post", "Reply-To"])
def test_one_changed_letter_in_a_header_breaks_it(name):
    signed = sign(MAIL, settings())
    changed = re.sub(rb"(?m)^(%s: .*?)[a-z](?=[\r,;>-])" % name.encode(), rb"\1Q", signed, count=1)
    assert changed != signed
    assert not is_genuine(changed)


def test_one_changed_letter_in_the_text_breaks_it():
    assert not is_genuine(sign(MAIL, settings()).replace(b"first", b"farst"))


def test_a_second_sender_breaks_it():
    signed = sign(MAIL, settings())
    assert not is_genuine(signed.replace(b"From:", b"From: evil@evil.example\r\nFrom:"))
    assert not is_genuine(signed.replace(b"Reply-To:", b"From: evil@evil.example\r\nReply-To:", 1))


def test_white_space_that_a_relay_changes_does_not_break_it():
    assert is_genuine(sign(MAIL, settings()).replace(b"Tumour,\r\n 24", b"Tumour, 24") + b"\r\n\r\n")


@pytest.mark.parametrize("form", [PrivateFormat.PKCS8, PrivateFormat.TraditionalOpenSSL])
def test_a_key_from_a_file_of_either_form_signs(form, tmp_path):
    (tmp_path / "key.pem").write_text(pem(form=form).replace("\n", "\r\n"))
    names = {"CO_DKIM_DOMAIN": "Network.example", "CO_DKIM_SELECTOR": "mail2026"}
    read = load(names | {"CO_DKIM_KEY_FILE": str(tmp_path / "key.pem")}, var=tmp_path)
    assert is_genuine(sign(MAIL, read))


def test_mail_that_leaves_over_smtp_is_signed_as_it_arrives(tmp_path):
    untidy = MAIL.replace(b"\r\n", b"\n").removesuffix(b"\n")
    with SmtpFaults() as server, open_sender(settings(smtp_url=server.url), maildir=tmp_path) as sender:
        sender.send("helpdesk@network.example", "ines@hospital.example", untidy)
        assert server.taken[0].data.endswith(MAIL)
        assert is_genuine(server.taken[0].data)


def test_without_a_key_it_leaves_as_it_is(tmp_path):
    with SmtpFaults() as server, open_sender(Settings(smtp_url=server.url), maildir=tmp_path) as sender:
        sender.send("helpdesk@network.example", "ines@hospital.example", MAIL)
        assert server.taken[0].data == MAIL


def test_mail_that_is_written_to_files_is_not_signed(tmp_path):
    with open_sender(settings(), maildir=tmp_path) as sender:
        sender.send("helpdesk@network.example", "ines@hospital.example", MAIL)
    (read,) = mailbox.Maildir(tmp_path)
    assert "DKIM-Signature" not in read


COMPLETE = {"CO_DKIM_DOMAIN": "network.example", "CO_DKIM_SELECTOR": "mail2026", "CO_DKIM_KEY": "set in the test"}


@pytest.mark.parametrize("missing", COMPLETE)
def test_a_part_of_the_settings_stops_the_start(missing, tmp_path):
    given = COMPLETE | {"CO_DKIM_KEY": pem()}
    with pytest.raises(SettingsError, match=f"^{missing} is missing: .* are set together"):
        load({name: value for name, value in given.items() if name != missing}, var=tmp_path)


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (lambda: pem(ed25519.Ed25519PrivateKey.generate()), "must be an RSA key"),
        (lambda: "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----", "no private key in PEM"),
        (lambda: "hunter2", "no private key in PEM"),
        (lambda: pem(secured=b"hunter2"), "no private key in PEM"),
    ],
    ids=["ed25519", "half", "word", "sealed"],
)
def test_a_key_that_cannot_sign_stops_the_start_and_is_not_shown(make, said, tmp_path):
    given = make()
    with pytest.raises(SettingsError, match=f"^CO_DKIM_KEY .*{said}") as raised:
        load(COMPLETE | {"CO_DKIM_KEY": given}, var=tmp_path)
    assert given not in str(raised.value)


@pytest.mark.parametrize("name", ["CO_DKIM_DOMAIN", "CO_DKIM_SELECTOR"])
@pytest.mark.parametrize("value", ["network example", "x; s=other", ".example", "köln.example"])
def test_a_name_that_the_dns_cannot_hold_stops_the_start(name, value, tmp_path):
    with pytest.raises(SettingsError, match=f"^{name}: "):
        load(COMPLETE | {name: value, "CO_DKIM_KEY": pem()}, var=tmp_path)


def test_the_key_is_shown_nowhere(tmp_path):
    given = COMPLETE | {"CO_DKIM_KEY": pem()}
    read = load(given, var=tmp_path)
    assert "PRIVATE KEY" not in f"{read!r} {report(read, given)}"
