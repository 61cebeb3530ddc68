"""What each fault of a mail server is taken for, and that no mail and no server stops the others."""

import contextlib
import imaplib
import socket
from urllib.parse import quote

import pytest

from conference_orchestrator.notify import bounded_imap, imap
from conference_orchestrator.notify.imap import folder_from, open_mailbox
from conference_orchestrator.notify.mailbox import Mail, MailboxRefused, MailboxUnavailable, MailKey
from conference_orchestrator.settings import SettingsError
from tests.notify.post.imap_server import SECRET, SILENCE, USER, Endless, Trickle

MAILS = {1: b"Subject: one\r\n\r\n", 2: b"Subject: two\r\n\r\n", 3: b"Subject: three\r\n\r\n"}
ACCOUNT = f"{quote(USER, safe='')}:{quote(SECRET, safe='')}"


def box(server, *, tls="none", timeout=10.0, account=ACCOUNT, folder=""):
    return open_mailbox(f"imap://{account}@127.0.0.1:{server.port}/{folder}?tls={tls}", timeout=timeout)


def numbers(mails):
    return [mail.key.number for mail in mails]


FAULTS = [
    ("greeting", None, MailboxUnavailable),
    ("greeting", b"* BYE too busy\r\n", MailboxUnavailable),
    ("greeting", b"what?\r\n", MailboxUnavailable),
    ("greeting", b"* OK \xff\xfe\r\n", None),
    ("capability", b"* CAPABILITY IMAP4rev1 \xff\r\n{tag} OK\r\n", MailboxUnavailable),
    ("capability", b"{tag} OK but I tell you nothing\r\n", MailboxUnavailable),
    ("capability", b"* CAPABILITY {3}\r\nabc\r\n{tag} OK\r\n", MailboxUnavailable),
    ("login", None, MailboxUnavailable),
    ("login", b"{tag} NO [AUTHENTICATIONFAILED] no\r\n", MailboxRefused),
    ("login", b"{tag} NO [UNAVAILABLE] the directory is down\r\n", MailboxUnavailable),
    ("login", b"{tag} BAD no\r\n", MailboxRefused),
    ("login", b"* BYE idle\r\n", MailboxUnavailable),
    ("select", None, MailboxUnavailable),
    ("select", b"{tag} NO [NONEXISTENT] no such folder\r\n", MailboxRefused),
    ("select", b"* OK [UIDVALIDITY 1] ok\r\n* 3 EXISTS\r\n{tag} OK [READ-ONLY] selected\r\n", MailboxRefused),
    ("select", b"* 3 EXISTS\r\n{tag} OK [READ-WRITE] selected\r\n", MailboxRefused),
    ("select", b"* OK [UIDVALIDITY soon] ok\r\n{tag} OK selected\r\n", MailboxUnavailable),
    ("select", b"* UIDVALIDITY {3}\r\nabc\r\n{tag} OK selected\r\n", MailboxRefused),
    ("search", None, MailboxUnavailable),
    ("search", b"* SEARCH 1 2", MailboxUnavailable),
    ("search", b"* SEARCH one two\r\n{tag} OK done\r\n", MailboxUnavailable),
    ("search", b"* SEARCH {3}\r\n1 2 3\r\n{tag} OK done\r\n", MailboxUnavailable),
    ("search", b"{tag} NO not now\r\n", MailboxRefused),
    ("search", b"{tag} BAD what?\r\n", MailboxUnavailable),
    ("search", b"* BYE shutting down\r\n", MailboxUnavailable),
]


@pytest.mark.parametrize(("step", "fault", "outcome"), FAULTS)
def test_a_fault_is_taken_for_what_it_is_and_the_next_time_finds_its_way(imap_server, step, fault, outcome):
    server = imap_server(MAILS, faults={step: [fault]})
    with box(server) as mailbox:
        if outcome is not None:
            with pytest.raises(outcome) as raised:
                list(mailbox.new(10))
            assert type(raised.value) is outcome
        assert numbers(mailbox.new(10)) == [1, 2, 3]


@pytest.mark.parametrize("step", ["greeting", "capability", "login", "select", "search"])
def test_silence_is_left_after_the_time_out(imap_server, step):
    server = imap_server(MAILS, faults={step: [SILENCE]})
    with box(server, timeout=0.2) as mailbox, pytest.raises(MailboxUnavailable, match="timed out"):
        list(mailbox.new(10))


def test_nobody_listening_is_unavailable():
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    with open_mailbox(f"imap://u:s@127.0.0.1:{port}?tls=none") as mailbox, pytest.raises(MailboxUnavailable):
        list(mailbox.new(10))


HALF = b"* 2 FETCH (UID 2 BODY[]<0> {1000}\r\nSubject: tw"
# Whatever the server does at one mail, it does each time that mail is fetched.
POISON = {
    "hangs up": None,
    "hangs up in the middle": HALF,
    "says goodbye": b"* BYE bug 4711\r\n",
    "says no": b"{tag} NO cannot open message\r\n",
    "says bad": b"{tag} BAD internal error\r\n",
    "announces a terabyte": b"* 2 FETCH (UID 2 BODY[]<0> {1000000000000}\r\nSubj",
    "announces a number that is none": b"* 2 FETCH (UID 2 BODY[]<0> {" + b"9" * 5000 + b"}\r\n",
    "speaks without end": Endless(b"* 5 EXISTS" + b" " * 1000 + b"\r\n"),
    "speaks a line without end": Endless(b"x" * 100),
    "speaks nonsense": b"\x00\xff\r\n",
    "answers without the mail": b'* 2 FETCH (UID 2 BODY[]<0> "")\r\n{tag} OK done\r\n',
}


@pytest.mark.parametrize("poison", POISON)
def test_a_mail_that_cannot_be_fetched_does_not_stop_those_behind_it(imap_server, poison):
    server = imap_server(MAILS, poisoned={2: POISON[poison]})
    with box(server) as mailbox:
        found = list(mailbox.new(10))
    assert [(mail.key.number, mail.data, mail.whole) for mail in found] == [
        (1, MAILS[1], True),
        (3, MAILS[3], True),
        (2, b"", False),
    ]


def test_silence_at_a_mail_does_not_stop_those_behind_it(imap_server):
    server = imap_server(MAILS, poisoned={2: SILENCE})
    with box(server, timeout=0.6) as mailbox:
        assert [(mail.key.number, mail.whole) for mail in mailbox.new(10)] == [(1, True), (3, True), (2, False)]


def test_plain_imaplib_never_reaches_the_mails_behind_it(imap_server):
    server = imap_server(MAILS, poisoned={2: HALF})
    plain = imaplib.IMAP4("127.0.0.1", server.port, timeout=10)
    with contextlib.ExitStack() as opened:
        opened.callback(plain.shutdown)
        plain.login('"' + USER.replace('"', '\\"') + '"', SECRET)
        plain.select('"INBOX"')
        assert plain.uid("FETCH", "1", imap._WANTED)[0] == "OK"
        for number in "23":
            with pytest.raises(imaplib.IMAP4.abort):
                plain.uid("FETCH", number, imap._WANTED)


def test_a_connection_that_breaks_once_costs_no_mail(imap_server):
    server = imap_server(MAILS, faults={"fetch": [HALF]})
    with box(server) as mailbox:
        assert [mail.data for mail in mailbox.new(10)] == list(MAILS.values())
    assert server.connections == 2


def test_a_server_that_goes_away_in_between_ends_the_reading(imap_server):
    server = imap_server(MAILS)
    with box(server) as mailbox:
        mails = mailbox.new(10)
        assert next(mails).key.number == 1
        server._faults |= {"fetch": [None], "greeting": [None]}
        with pytest.raises(MailboxUnavailable):
            next(mails)
        assert numbers(mailbox.new(10)) == [1, 2, 3], "nothing was marked"


def test_a_mail_that_is_gone_meanwhile_is_left_out(imap_server):
    server = imap_server(MAILS)
    with box(server) as mailbox:
        mails = mailbox.new(10)
        assert next(mails).key.number == 1
        del server.mails[2]
        assert numbers(mails) == [3]


def test_a_folder_renumbered_between_two_mails_ends_the_reading(imap_server):
    server = imap_server(MAILS)
    with box(server) as mailbox:
        mails = mailbox.new(10)
        first = next(mails)
        server.validity += 1
        server._faults["fetch"] = [None]
        with pytest.raises(MailboxUnavailable, match="renumbered"):
            next(mails)
        mailbox.done(first.key)
    assert server.seen == set()


def test_a_mail_is_marked_only_when_it_is_done(imap_server):
    server = imap_server(MAILS)
    with box(server) as mailbox:
        mails = mailbox.new(10)
        first = next(mails)
        assert server.seen == set()
        mailbox.done(first.key)
        assert server.seen == {1}
        assert numbers(mails) == [2, 3]
    assert server.seen == {1}


def test_fetching_without_peeking_would_lose_what_was_not_done(imap_server, monkeypatch):
    monkeypatch.setattr(imap, "_WANTED", imap._WANTED.replace(".PEEK", ""))
    server = imap_server(MAILS)
    with box(server) as mailbox:
        next(mailbox.new(10))
    assert server.seen == {1}


@pytest.mark.parametrize("fault", [None, b"{tag} NO not allowed\r\n", b"* BYE\r\n"])
def test_what_could_not_be_marked_is_said_and_comes_again(imap_server, fault):
    server = imap_server(MAILS, faults={"store": [fault]})
    with box(server) as mailbox:
        with pytest.raises((MailboxUnavailable, MailboxRefused)):
            mailbox.done(MailKey(server.validity, 1))
        assert numbers(mailbox.new(1)) == [1]


def large_answer(size):
    return b"* 2 FETCH (UID 2 BODY[]<0> {%d}\r\n%s)\r\n{tag} OK done\r\n" % (size, b"x" * size)


def test_more_than_was_asked_for_is_not_taken(imap_server):
    server = imap_server(MAILS, poisoned={2: large_answer(2 * bounded_imap.MOST_BYTES)})
    with box(server) as mailbox:
        assert list(mailbox.new(10))[2] == Mail(key=MailKey(server.validity, 2), data=b"", whole=False)


def test_without_the_bound_all_of_it_would_be_taken(imap_server, monkeypatch):
    server = imap_server(MAILS, poisoned={2: large_answer(2 * bounded_imap.MOST_BYTES)})
    monkeypatch.setattr(bounded_imap, "MOST_BYTES", 1 << 40)
    with box(server) as mailbox:
        assert list(mailbox.new(10))[1].data != b""


SLOWLY = Trickle(b"* SEARCH 1 2 3" + b" " * 60 + b"\r\n{tag} OK done\r\n")


def test_an_answer_that_drips_is_left(imap_server, monkeypatch):
    monkeypatch.setattr(bounded_imap, "_PATIENCE", 1)
    server = imap_server(MAILS, faults={"search": [SLOWLY]})
    with box(server, timeout=1) as mailbox, pytest.raises(MailboxUnavailable, match="takes too long"):
        list(mailbox.new(10))


def test_no_time_out_of_a_single_silence_would_end_it(imap_server, monkeypatch):
    monkeypatch.setattr(bounded_imap, "_PATIENCE", 10**6)
    server = imap_server(MAILS, faults={"search": [SLOWLY]})
    with box(server, timeout=1) as mailbox:
        assert len(list(mailbox.new(10))) == 3


@pytest.fixture(params=["starttls", "imaps"])
def secured(request, imap_server, loopback_certificate):
    """A server that speaks TLS in one of the two ways, and its address."""
    server = imap_server(MAILS, certificate=loopback_certificate, starttls=request.param == "starttls")
    scheme = "imaps" if request.param == "imaps" else "imap"
    return server, f"{scheme}://{ACCOUNT}@127.0.0.1:{server.port}"


def test_a_server_with_a_good_certificate_is_read(secured, loopback_certificate, monkeypatch):
    monkeypatch.setenv("SSL_CERT_FILE", str(loopback_certificate))
    server, url = secured
    with open_mailbox(url, timeout=10) as mailbox:
        assert numbers(mailbox.new(10)) == [1, 2, 3]
    assert server.commands[-1].endswith("LOGOUT")


def test_a_server_whose_certificate_nobody_vouches_for_learns_no_secret(secured):
    server, url = secured
    with open_mailbox(url, timeout=10) as mailbox, pytest.raises(MailboxUnavailable, match="CERTIFICATE_VERIFY_FAILED"):
        list(mailbox.new(10))
    assert not any("LOGIN" in command for command in server.commands)


def test_a_certificate_for_another_name_is_not_taken(secured, loopback_certificate, monkeypatch):
    monkeypatch.setenv("SSL_CERT_FILE", str(loopback_certificate))
    url = secured[1].replace("127.0.0.1", "localhost")
    with open_mailbox(url, timeout=10) as mailbox, pytest.raises(MailboxUnavailable, match="CERTIFICATE_VERIFY_FAILED"):
        list(mailbox.new(10))


def test_a_server_without_starttls_learns_no_secret(imap_server):
    server = imap_server(MAILS)
    with box(server, tls="starttls") as mailbox, pytest.raises(MailboxUnavailable, match="TLS"):
        list(mailbox.new(10))
    assert not any("LOGIN" in command for command in server.commands)


INJECTED = {"starttls": [b"{tag} OK begin\r\n* BYE added on the way\r\n"]}


def test_what_was_added_to_the_answer_before_tls_is_not_believed(imap_server, loopback_certificate, monkeypatch):
    monkeypatch.setenv("SSL_CERT_FILE", str(loopback_certificate))
    server = imap_server(MAILS, certificate=loopback_certificate, starttls=True, faults=INJECTED)
    with box(server, tls="starttls") as mailbox:
        assert numbers(mailbox.new(10)) == [1, 2, 3]


def test_without_distrust_it_would_be_believed(imap_server, loopback_certificate, monkeypatch):
    monkeypatch.setenv("SSL_CERT_FILE", str(loopback_certificate))
    monkeypatch.setattr(bounded_imap.BoundedImap, "_distrust_what_came_before_tls", lambda _self: None)
    server = imap_server(MAILS, certificate=loopback_certificate, starttls=True, faults=INJECTED)
    with box(server, tls="starttls") as mailbox, pytest.raises(MailboxUnavailable, match="added on the way"):
        list(mailbox.new(10))


def test_a_wrong_secret_is_refused_and_shown_nowhere(imap_server):
    server = imap_server(MAILS)
    mailbox = box(server, account="desk:hunter2")
    with mailbox, pytest.raises(MailboxRefused, match="wrong user or secret") as raised:
        list(mailbox.new(10))
    assert "hunter2" not in f"{raised.value!r} {mailbox!r} {folder_from('imaps://desk:hunter2@mail.example')!r}"


def test_another_folder_is_read_when_it_is_named(imap_server):
    server = imap_server(MAILS)
    server.folder = "INBOX/Answers of today"
    with box(server, folder="INBOX/Answers%20of%20today") as mailbox:
        assert numbers(mailbox.new(10)) == [1, 2, 3]


@pytest.mark.parametrize(
    ("url", "host", "port", "tls", "name"),
    [
        ("imaps://desk:secret@mail.example/INBOX", "mail.example", 993, "implicit", "INBOX"),
        ("imaps://desk:secret@mail.example:1993", "mail.example", 1993, "implicit", "INBOX"),
        ("imap://desk:secret@mail.example", "mail.example", 143, "starttls", "INBOX"),
        ("imap://desk:secret@mail.example/Post?tls=starttls", "mail.example", 143, "starttls", "Post"),
        ("imap://desk:secret@[::1]:1143/?tls=none", "::1", 1143, "none", "INBOX"),
    ],
)
def test_the_address_of_a_mailbox_says_how_to_reach_it(url, host, port, tls, name):
    folder = folder_from(url)
    assert (folder.host, folder.port, folder.tls, folder.name) == (host, port, tls, name)
    assert (folder.user, folder.secret) == ("desk", "secret")


@pytest.mark.parametrize(
    "url",
    [
        "http://desk:secret@mail.example",
        "imaps://mail.example",
        "imaps://desk:secret@",
        "imap://desk:secret@mail.example?tls=maybe",
        "imaps://desk:secret%0D%0AA1%20DELETE%20INBOX@mail.example",
        "imaps://desk:secret@mail.example/Entw%C3%BCrfe",
        "mail.example",
    ],
)
def test_an_address_that_names_no_mailbox_stops_the_start(url):
    with pytest.raises(SettingsError, match="CO_IMAP_URL"):
        folder_from(url)
