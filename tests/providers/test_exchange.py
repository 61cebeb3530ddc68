from __future__ import annotations

import logging
import socket
import time
from datetime import UTC, datetime
from threading import Event, Thread

import pytest

from conference_orchestrator.providers.exchange import Answer, NoAnswer, NotSent, Timeouts, exchange

NOW = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)
HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"
HASTY = Timeouts(connect=5, read=0.3)


@pytest.fixture
def server():
    """Starts a server that answers each connection as the function given says; returns its address."""
    stop, opened = Event(), []

    def start(answer):
        listener = socket.create_server(("127.0.0.1", 0))

        def serve():
            while not stop.is_set():
                try:
                    connection, _ = listener.accept()
                except OSError:
                    return
                with connection:
                    seen = connection.recv(65536)
                    try:
                        answer(connection, seen, stop)
                    except OSError:
                        continue

        thread = Thread(target=serve, daemon=True)
        thread.start()
        opened.append((listener, thread))
        return f"http://127.0.0.1:{listener.getsockname()[1]}/v1/meetings"

    yield start
    stop.set()
    for listener, thread in opened:
        listener.shutdown(socket.SHUT_RDWR)
        listener.close()
        thread.join(timeout=5)
        assert not thread.is_alive()


def ask(url, timeouts=HASTY, token="the-token", **said):
    return exchange("GET", url, token=token, timeouts=timeouts, **said)


def drip(text):
    """Sends the text, then one byte every 50 ms for ever: each of them well within the time-out."""

    def answer(connection, _seen, stop):
        connection.sendall(text)
        while not stop.wait(0.05):
            connection.sendall(b"x")

    return answer


def test_the_answer_is_told_as_it_came(server):
    def answer(connection, _seen, _stop):
        connection.sendall(b"HTTP/1.1 418 Teapot\r\nX-Kind: tea\r\nContent-Length: 5\r\n\r\nhello")

    told = ask(server(answer))
    assert (told.status, told.headers["x-kind"], told.body) == (418, "tea", b"hello")


def test_a_chunked_answer_is_put_together(server):
    def answer(connection, _seen, _stop):
        connection.sendall(HEAD + b"Transfer-Encoding: chunked\r\n\r\n2\r\n{\x22\r\n5\r\na\x22:1}\r\n0\r\n\r\n")

    assert ask(server(answer)).body == b'{"a":1}'


@pytest.fixture
def netrc(tmp_path, monkeypatch):
    """A file with a password for the server, which must not go there."""
    file = tmp_path / "netrc"
    file.write_text("machine 127.0.0.1 login somebody password else\n")
    monkeypatch.setenv("NETRC", str(file))


@pytest.fixture
def heard(server):
    """What the server hears of one request, made with these arguments."""

    def ask_and_hear(**said):
        requests = []

        def answer(connection, seen, _stop):
            requests.append(seen)
            connection.sendall(HEAD + b"Content-Length: 2\r\n\r\n{}")

        ask(server(answer), **said)
        return requests[0]

    return ask_and_hear


@pytest.mark.usefixtures("netrc")
def test_the_request_carries_the_token_whatever_netrc_says(heard):
    assert b"Authorization: Bearer the-token\r\n" in heard()


@pytest.mark.usefixtures("netrc")
def test_without_a_token_nothing_proves_who_asks(heard):
    assert b"Authorization" not in heard(token=None)


def test_the_form_of_the_answer_is_asked_for(heard):
    assert b"Accept: application/json\r\n" in heard()
    assert b"Accept: */*\r\n" in heard(accept="*/*")


def test_neither_address_nor_query_is_logged(heard, caplog):
    caplog.set_level(logging.DEBUG)
    heard(query={"hostEmail": "round@hosts.example", "checksum": "of-a-secret"})
    assert "hosts.example" not in caplog.text
    assert "of-a-secret" not in caplog.text


def test_a_server_that_says_nothing_is_left_after_the_read_time_out(server):
    begun = time.monotonic()
    with pytest.raises(NoAnswer):
        ask(server(lambda _connection, _seen, stop: stop.wait(30)))
    assert time.monotonic() - begun < 20


@pytest.mark.parametrize(
    "begin",
    [b"HTTP/1.1 200 ", HEAD + b"X-Long: ", HEAD + b"Content-Length: 99999\r\n\r\n", HEAD + b"\r\n"],
    ids=["status line", "header", "body of known length", "body without end"],
)
def test_a_server_that_sends_a_byte_now_and_then_is_left_too(server, begin):
    begun = time.monotonic()
    with pytest.raises(NoAnswer):
        ask(server(drip(begin)))
    assert time.monotonic() - begun < 20


def test_a_dripping_answer_that_ends_in_time_is_taken(server):
    def answer(connection, _seen, stop):
        connection.sendall(HEAD + b"Content-Length: 3\r\n\r\n")
        for _ in range(3):
            stop.wait(0.01)
            connection.sendall(b"x")

    assert ask(server(answer), Timeouts(connect=5, read=10)).body == b"xxx"


def test_an_answer_without_an_end_is_left_after_a_megabyte(server):
    sent = []

    def answer(connection, _seen, stop):
        connection.sendall(HEAD + b"\r\n")
        while not stop.is_set():
            connection.sendall(b"x" * 65536)
            sent.append(65536)

    with pytest.raises(NoAnswer, match="longer than"):
        ask(server(answer), Timeouts(connect=5, read=30))
    assert sum(sent) < 50_000_000, "it went on reading"


def test_an_answer_of_a_megabyte_is_taken(server):
    def answer(connection, _seen, _stop):
        connection.sendall(HEAD + b"Content-Length: 1000000\r\n\r\n" + b"x" * 1_000_000)

    assert len(ask(server(answer), Timeouts(connect=5, read=30)).body) == 1_000_000


@pytest.mark.parametrize(
    "answer",
    [b"", b"nonsense\r\n\r\n", HEAD + b"Content-Length: 9\r\n\r\n{}", HEAD + b"Transfer-Encoding: chunked\r\n\r\nzz"],
    ids=["nothing", "no HTTP", "shorter than told", "broken chunk"],
)
def test_half_an_answer_is_none(server, answer):
    with pytest.raises(NoAnswer):
        ask(server(lambda connection, _seen, _stop: connection.sendall(answer)))


def test_the_body_of_a_redirect_is_bounded_as_well(server):
    begun = time.monotonic()
    with pytest.raises(NoAnswer):
        ask(server(drip(b"HTTP/1.1 302 Found\r\nLocation: http://127.0.0.1:1/\r\nContent-Length: 99999\r\n\r\n")))
    assert time.monotonic() - begun < 20


def test_a_redirect_to_nonsense_is_an_answer_like_another(server):
    def answer(connection, _seen, _stop):
        connection.sendall(b"HTTP/1.1 302 Found\r\nLocation: http://[\r\nContent-Length: 0\r\n\r\n")

    assert ask(server(answer)).status == 302


def test_neither_token_nor_query_is_in_the_text_of_a_failure(server):
    failures = []
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        with pytest.raises(NotSent) as told:
            ask(f"http://127.0.0.1:{unused.getsockname()[1]}/", query={"hostEmail": "round@hosts.example"})
        failures.append(str(told.getrepr(chain=True)))
    with pytest.raises(NoAnswer) as told:
        ask(server(lambda *_: None), query={"hostEmail": "round@hosts.example"})
    failures.append(str(told.value))
    assert told.value.__suppress_context__
    assert not [text for text in failures if "the-token" in text.replace('token="the-token"', "")]
    assert "hosts.example" not in str(told.value)


@pytest.mark.parametrize(
    ("said", "seconds"),
    [
        ("7", 7.0),
        (" 7 ", 7.0),
        ("0", 1.0),
        ("86400", 3600.0),
        ("Mon, 23 Nov 2026 12:00:30 GMT", 30.0),
        ("Mon, 23 Nov 2026 11:00:00 GMT", 1.0),
        ("Tue, 24 Nov 2026 12:00:00 GMT", 3600.0),
        ("Monday, 23-Nov-26 12:00:30 GMT", 30.0),
        ("soon", None),
        ("", None),
        ("-5", None),
        ("1e3", None),
        ("nan", None),
        ("\u0667", None),
        ("9" * 400, None),
        ("Mon, 99 Nov 2026 12:00:30 GMT", None),
        (f"Mon, 23 Nov {'9' * 40} 12:00:30 GMT", None),
        (f"Mon, 23 Nov 2026 12:00:30 +{'9' * 40}", None),
    ],
)
def test_the_wait_asked_for_is_read_in_both_forms_and_bounded(said, seconds):
    assert Answer(429, {"Retry-After": said}, b"").retry_after(now=NOW) == seconds


def test_without_the_header_no_wait_is_asked_for():
    assert Answer(429, {}, b"").retry_after() is None
