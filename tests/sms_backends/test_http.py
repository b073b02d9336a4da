"""
What `http.py` knows after each way in which an exchange can end, shown with real sockets on loopback.

A test of a deadline has a server that would give a good answer, only later: without the deadline the call succeeds.
"""

from __future__ import annotations

import itertools
import logging
import socket
import struct
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from sms_backends import OutcomeUnknownError, ProtocolError, TemporaryError, ThrottledError, http
from sms_backends.http import HttpClient, checked_before_writing, mask_numbers

from .raw_server import OK, Server

FORM = {"login": "me", "psw": "hunter2", "phones": "+79991234567", "mes": "Secret words", "fmt": "3"}


def hang_up(connection: socket.socket, request: bytes) -> None:
    connection.shutdown(socket.SHUT_RDWR)


def reset(connection: socket.socket, request: bytes) -> None:
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    connection.close()


@pytest.fixture
def server() -> Iterator[Server]:
    server = Server()
    yield server
    server.stop()


@pytest.fixture
def client(server: Server) -> Iterator[HttpClient]:
    client = HttpClient(server.url, timeout=5)
    yield client
    client.close()


def test_a_complete_answer_is_handed_back(server: Server, client: HttpClient) -> None:
    answer = client.post_form("/sys/send.php", {"mes": "Привет & =", "empty": ""})
    assert answer.status == 200
    assert answer.json() == {"id": 42}
    (request,) = server.requests
    assert request.startswith(b"POST /sys/send.php HTTP/1.1\r\n")
    assert request.endswith(b"mes=%D0%9F%D1%80%D0%B8%D0%B2%D0%B5%D1%82+%26+%3D&empty=")


# --- provably not taken ------------------------------------------------------------------------------------------


def test_a_refused_connection_is_provably_not_taken() -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        url = f"http://127.0.0.1:{free.getsockname()[1]}"
    with pytest.raises(TemporaryError) as caught:
        HttpClient(url).post_form("/", FORM)
    assert caught.value.outcome_known
    assert not caught.value.permanent


def test_a_name_that_is_not_found_is_provably_not_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*args: Any, **kwargs: Any) -> None:
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", fail)
    with pytest.raises(TemporaryError, match="gaierror"):
        HttpClient("https://smsc.example").post_form("/", FORM)


def test_a_failed_tls_handshake_is_provably_not_taken(server: Server) -> None:
    seen: list[bytes] = []

    def answer_plainly(connection: socket.socket) -> bytes:
        seen.append(connection.recv(65536))
        connection.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n")
        return b""

    server._read = answer_plainly  # type: ignore[method-assign]
    with pytest.raises(TemporaryError, match="SSLError"):
        HttpClient(server.url.replace("http:", "https:"), timeout=5).post_form("/", FORM)
    assert len(seen) == 1
    assert b"hunter2" not in seen[0]


def test_a_connection_that_is_not_made_in_time_is_provably_not_taken() -> None:
    with socket.socket() as full:
        full.bind(("127.0.0.1", 0))
        full.listen(0)
        # With its queue full, Linux lets further connections wait.
        waiting = [socket.socket() for _ in range(3)]
        for connection in waiting:
            connection.setblocking(False)
            connection.connect_ex(full.getsockname())
        with pytest.raises(TemporaryError, match="TimeoutError"):
            HttpClient(f"http://127.0.0.1:{full.getsockname()[1]}", timeout=0.3).post_form("/", FORM)
        for connection in waiting:
            connection.close()


def test_a_deadline_that_passes_before_writing_is_provably_not_taken(
    server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    resolve = socket.getaddrinfo

    def resolve_slowly(*args: Any, **kwargs: Any) -> Any:
        time.sleep(0.2)
        return resolve(*args, **kwargs)

    monkeypatch.setattr(socket, "getaddrinfo", resolve_slowly)
    with pytest.raises(TemporaryError):
        HttpClient(server.url, timeout=0.1).post_form("/", FORM)
    assert server.requests == []


@pytest.mark.parametrize("requests_before", [0, 1])
def test_what_the_sender_finds_out_at_the_last_moment_keeps_the_request_from_being_written(
    server: Server, client: HttpClient, requests_before: int
) -> None:
    for _ in range(requests_before):
        client.post_form("/", FORM)

    def refuse() -> None:
        assert len(server.requests) == requests_before
        raise ThrottledError("Too late.")

    with checked_before_writing(refuse), pytest.raises(ThrottledError, match="Too late"):
        client.post_form("/", FORM)
    assert len(server.requests) == requests_before
    client.post_form("/", FORM)
    assert len(server.requests) == requests_before + 1


def test_waiting_for_a_free_connection_ends_with_the_deadline_and_nothing_is_sent(server: Server) -> None:
    server.keep_silent()
    client = HttpClient(server.url, timeout=1, max_connections=1)
    with ThreadPoolExecutor(1) as pool:
        first = pool.submit(client.post_form, "/first", FORM)
        while not server.requests:
            time.sleep(0.01)
        with pytest.raises(TemporaryError, match="No connection became free"):
            client.post_form("/second", FORM, timeout=0.1)
        assert isinstance(first.exception(), OutcomeUnknownError)
    assert len(server.requests) == 1


@pytest.mark.parametrize(
    ("header", "expected"),
    [("Retry-After: 7\r\n", 7.0), ("", None), ("Retry-After: soon\r\n", None)],
)
def test_429_is_throttled_with_the_time_to_wait(
    server: Server, client: HttpClient, header: str, expected: float | None
) -> None:
    server.answer("429 Too Many Requests", header)
    with pytest.raises(ThrottledError) as caught:
        client.post_form("/", FORM)
    assert caught.value.retry_after == expected
    assert caught.value.outcome_known


def test_429_may_give_the_time_to_wait_as_a_date(server: Server, client: HttpClient) -> None:
    server.answer("429 Too Many Requests", "Retry-After: Wed, 21 Oct 2015 07:28:00 GMT\r\n")
    with pytest.raises(ThrottledError) as caught:
        client.post_form("/", FORM)
    assert caught.value.retry_after == 0


# --- begun, and no clear end -------------------------------------------------------------------------------------


@pytest.mark.parametrize("script", [hang_up, reset], ids=["closed", "reset"])
def test_a_connection_lost_after_the_request_is_unknown_and_not_tried_again(
    server: Server, client: HttpClient, script: Callable[[socket.socket, bytes], None]
) -> None:
    server.script = script
    with pytest.raises(OutcomeUnknownError) as caught:
        client.post_form("/", FORM)
    assert not caught.value.outcome_known
    assert len(server.requests) == 1


@pytest.mark.parametrize("script", [hang_up, reset], ids=["closed", "reset"])
def test_a_reused_connection_lost_after_the_request_is_unknown_and_not_tried_again(
    server: Server, client: HttpClient, script: Callable[[socket.socket, bytes], None]
) -> None:
    client.post_form("/", FORM)
    server.script = script
    with pytest.raises(OutcomeUnknownError):
        client.post_form("/", FORM)
    assert len(server.requests) == 2
    assert server.connections == 1


def test_no_answer_in_time_is_unknown(server: Server) -> None:
    server.keep_silent()
    with pytest.raises(OutcomeUnknownError, match="TimeoutError"):
        HttpClient(server.url, timeout=0.2).post_form("/", FORM)
    assert len(server.requests) == 1


@pytest.mark.parametrize(
    "answer",
    [
        OK.replace(b"\r\n\r\n", b"\r\nX-Long: " + b"x" * 200 + b"\r\n\r\n"),
        b"HTTP/1.1 200 OK\r\nContent-Length: 200\r\n\r\n" + b"x" * 200,
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + b"1\r\nx\r\n" * 50 + b"0\r\n\r\n",
    ],
    ids=["head", "body", "chunks"],
)
def test_a_dripping_answer_cannot_exceed_the_deadline(server: Server, answer: bytes) -> None:
    server.drip(answer)
    with pytest.raises(OutcomeUnknownError, match="TimeoutError"):
        HttpClient(server.url, timeout=0.5).post_form("/", FORM)


def test_a_server_that_does_not_read_cannot_exceed_the_deadline(server: Server) -> None:
    def read_a_little(connection: socket.socket) -> bytes:
        for _ in itertools.count():
            if server.stopped.wait(0.1):
                return b""
            connection.recv(1000)
        return b""

    server._read = read_a_little  # type: ignore[method-assign]
    with pytest.raises(OutcomeUnknownError, match="TimeoutError"):
        HttpClient(server.url, timeout=0.5).post_form("/", {"mes": "x" * 20_000_000})


@pytest.mark.parametrize(
    "answer",
    [
        b'HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{"id": 42}',
        b'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\na\r\n{"id": 42}\r\n',
        b"HTTP/1.1 200 OK\r\nContent-Le",
        b"no HTTP at all\r\n\r\n",
    ],
    ids=["length", "chunks", "head", "foreign"],
)
def test_a_cut_or_foreign_answer_is_unknown(server: Server, client: HttpClient, answer: bytes) -> None:
    def script(connection: socket.socket, request: bytes) -> None:
        connection.sendall(answer)
        connection.shutdown(socket.SHUT_RDWR)

    server.script = script
    with pytest.raises(OutcomeUnknownError):
        client.post_form("/", FORM)


@pytest.mark.parametrize("status", ["408 Request Timeout", "425 Too Early", "500 Error", "502 Bad Gateway", "503 Busy"])
def test_statuses_that_say_nothing_are_unknown(server: Server, client: HttpClient, status: str) -> None:
    server.answer(status)
    with pytest.raises(OutcomeUnknownError) as caught:
        client.post_form("/", FORM)
    assert caught.value.provider_code == status[:3]
    assert len(server.requests) == 1


@pytest.mark.parametrize("status", ["301 Moved", "302 Found", "303 See Other", "307 Temporary", "308 Permanent"])
def test_redirects_are_unknown_and_never_followed(server: Server, client: HttpClient, status: str) -> None:
    server.answer(status, f"Location: {server.url}/elsewhere\r\n")
    with pytest.raises(OutcomeUnknownError):
        client.post_form("/", FORM)
    assert len(server.requests) == 1


def test_an_answer_that_is_no_json_is_a_protocol_error(server: Server, client: HttpClient) -> None:
    server.answer("200 OK", body=b"<html>Wartung</html>")
    answer = client.post_form("/", FORM)
    with pytest.raises(ProtocolError) as caught:
        answer.json()
    assert caught.value.raw == "<html>Wartung</html>"


def test_an_endless_answer_is_a_protocol_error(server: Server) -> None:
    def script(connection: socket.socket, request: bytes) -> None:
        connection.sendall(b"HTTP/1.1 200 OK\r\n\r\n")
        while True:
            connection.sendall(b"x" * 65536)

    server.script = script
    with pytest.raises(ProtocolError, match="longer than 100000 bytes"):
        HttpClient(server.url, timeout=5, max_answer_bytes=100_000).post_form("/", FORM)


def test_other_refusals_are_for_the_adapter_to_read(server: Server, client: HttpClient) -> None:
    server.answer("422 Unprocessable", body=b'{"message": "no such number"}')
    answer = client.post_form("/", FORM)
    assert (answer.status, answer.json()) == (422, {"message": "no such number"})


# --- connections and surroundings --------------------------------------------------------------------------------


def test_connections_are_reused(server: Server, client: HttpClient) -> None:
    for _ in range(5):
        client.post_form("/", FORM)
    assert (server.connections, len(server.requests)) == (1, 5)


def test_a_connection_that_the_server_closed_meanwhile_is_replaced(server: Server, client: HttpClient) -> None:
    closed = threading.Event()

    def answer_and_close(connection: socket.socket, request: bytes) -> None:
        connection.sendall(OK)
        connection.shutdown(socket.SHUT_RDWR)
        closed.set()

    server.script = answer_and_close
    for _ in range(3):
        closed.clear()
        assert client.post_form("/", FORM).status == 200
        closed.wait(5)
    assert len(server.requests) == 3


def test_a_connection_that_was_idle_for_long_is_replaced(
    server: Server, client: HttpClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(http, "MAX_IDLE_SECONDS", 0)
    for _ in range(3):
        client.post_form("/", FORM)
    assert server.connections == 3


def test_no_more_connections_are_open_than_allowed(server: Server) -> None:
    at_once, most = threading.Semaphore(3), []

    def script(connection: socket.socket, request: bytes) -> None:
        most.append(at_once.acquire(blocking=False))
        time.sleep(0.02)
        at_once.release()
        connection.sendall(OK)

    server.script = script
    client = HttpClient(server.url, timeout=20, max_connections=3)
    with ThreadPoolExecutor(12) as pool:
        answers = list(pool.map(lambda _: client.post_form("/", FORM).status, range(30)))
    assert answers == [200] * 30
    assert most == [True] * 30
    assert server.connections <= 3


def test_the_environment_has_no_say(
    server: Server, client: HttpClient, monkeypatch: pytest.MonkeyPatch, tmp_path: Any
) -> None:
    netrc = tmp_path / "netrc"
    netrc.write_text("machine 127.0.0.1 login someone password else\n")
    monkeypatch.setenv("NETRC", str(netrc))
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    monkeypatch.setenv("NO_PROXY", "")
    monkeypatch.setenv("no_proxy", "")
    assert client.post_form("/", FORM).status == 200
    assert b"Authorization" not in server.requests[0]


def test_cookies_are_not_kept(server: Server, client: HttpClient) -> None:
    server.answer("200 OK", "Set-Cookie: session=1; Path=/\r\n")
    client.post_form("/", FORM)
    client.post_form("/", FORM)
    assert b"Cookie" not in server.requests[1]


# --- what may be read ----------------------------------------------------------------------------------------------


def test_debug_logs_an_exchange_without_secrets_numbers_or_texts(
    server: Server, caplog: pytest.LogCaptureFixture
) -> None:
    server.answer("200 OK", body=b'{"id": 42, "phone": "79991234567", "login": "hunter2"}')
    client = HttpClient(server.url, debug=True, shown_fields={"fmt"}, secrets=["hunter2"])
    with caplog.at_level(logging.INFO, logger="sms_backends.http"):
        client.post_form("/sys/send.php", FORM)
    assert "/sys/send.php" in caplog.text
    assert "fmt=3" in caplog.text
    assert '"id": 42' in caplog.text
    for hidden in ("hunter2", "Secret words", "9991234567", "login=me"):
        assert hidden not in caplog.text


def test_nothing_is_logged_without_debug(client: HttpClient, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.DEBUG, logger="sms_backends"):
        client.post_form("/", FORM)
    assert [record for record in caplog.records if record.name.startswith("sms_backends")] == []


def test_errors_do_not_repeat_what_was_sent(server: Server, client: HttpClient) -> None:
    server.script = reset
    with pytest.raises(OutcomeUnknownError) as caught:
        client.request("GET", "/", params=FORM)
    assert "hunter2" not in str(caught.value)


@pytest.mark.parametrize(
    ("text", "masked"),
    [
        ("+79991234567", "***67"),
        ('{"phone":"79991234567","cost":"2.50"}', '{"phone":"***67","cost":"2.50"}'),
        ("HTTP 200", "HTTP 200"),
    ],
)
def test_phone_numbers_are_masked(text: str, masked: str) -> None:
    assert mask_numbers(text) == masked
