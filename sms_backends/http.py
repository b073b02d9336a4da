"""
The only place that opens an HTTP connection.

What matters here is to know, whenever something goes wrong, whether the provider may have taken the request. The line
is drawn by the connection itself (`_Connection.send`), not guessed from the class of an exception: as long as no byte
was handed to the operating system, nothing was taken (`TemporaryError`); from the first byte on, whatever is not a
complete answer leaves the outcome unknown (`OutcomeUnknownError`, `ProtocolError`). Hence nothing is ever sent a second
time from here and no redirect is followed.

The environment has no say: no proxies (`HTTPS_PROXY`), no `.netrc`, no `REQUESTS_CA_BUNDLE`, no cookies. Who may see
texts and passwords on their way is decided by the settings alone.
"""

from __future__ import annotations

import io
import json
import logging
import re
import socket
import threading
import time
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any
from urllib.parse import urlencode

import requests
import urllib3
from requests.adapters import HTTPAdapter
from requests.structures import CaseInsensitiveDict
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool
from urllib3.exceptions import NameResolutionError, NewConnectionError

from .exceptions import OutcomeUnknownError, ProtocolError, TemporaryError, ThrottledError

logger = logging.getLogger(__name__)

#: A pooled connection that was idle for longer is replaced before use: the server may be about to close it, and a
#: request that meets the closing is one whose outcome nobody knows.
MAX_IDLE_SECONDS = 4.0
#: An answer longer than this is not ours to understand.
MAX_ANSWER_BYTES = 4 * 1024 * 1024
_CHUNK_BYTES = 64 * 1024
_HEADERS = {
    "User-Agent": requests.utils.default_user_agent(),
    "Accept": "*/*",
    "Accept-Encoding": "identity",
    "Connection": "keep-alive",
}
#: Answers that say nothing about whether the request was taken; 3xx, 5xx and 1xx are added by range.
_TELLS_NOTHING = frozenset({408, 425})


@dataclass(frozen=True, slots=True)
class Answer:
    """A complete answer: `status` is 2xx, or a 4xx that the adapter may know the meaning of."""

    status: int
    headers: Mapping[str, str]
    content: bytes

    @property
    def text(self) -> str:
        return self.content.decode("utf-8", errors="replace")

    def json(self) -> Any:
        """The decoded JSON body. Raises ProtocolError when it is none."""
        try:
            return json.loads(self.content.decode("utf-8-sig"))
        except ValueError as error:
            text = self.text[:2000]
            raise ProtocolError("The answer is not JSON.", provider_text=text[:500], raw=text) from error


class HttpClient:
    """
    Requests to one provider: pooled connections, one deadline for a whole exchange, errors that tell what is known.

    `timeout` is in seconds, for connecting, writing and reading together; only a name server may add to it, and then
    nothing is written. At most `max_connections` requests are open at once; others wait for their turn within their
    own deadline. With `debug`, each exchange is logged: only the fields named in `shown_fields` in the clear,
    everything else by its length; `secrets` and phone numbers are masked in the answers.
    """

    def __init__(
        self,
        base_url: str,
        *,
        timeout: float = 15.0,
        max_connections: int = 10,
        debug: bool = False,
        shown_fields: Collection[str] = (),
        secrets: Collection[str] = (),
        max_answer_bytes: int = MAX_ANSWER_BYTES,
    ) -> None:
        self.base_url = base_url.rstrip("/")
        self.timeout = timeout
        self._turns = threading.BoundedSemaphore(max_connections)
        self._debug = debug
        self._shown_fields = frozenset(shown_fields)
        self._secrets = [secret for secret in secrets if secret]
        self._max_answer_bytes = max_answer_bytes
        # An adapter without a session around it: no cookies, redirects, proxies or environment, and less work.
        self._adapter = _Adapter(pool_connections=1, pool_maxsize=max_connections, max_retries=0)
        self._authorities: str | bool = True  # those that the certificates of this machine name

    def post_form(self, path: str, form: Mapping[str, str], *, timeout: float | None = None) -> Answer:
        """POST an `application/x-www-form-urlencoded` body in UTF-8. Raises as `request()`."""
        body = urlencode(form).encode("ascii")
        headers = {"Content-Type": "application/x-www-form-urlencoded"}
        return self._exchanged("POST", path, timeout, form, {"data": body, "headers": headers})

    def request(self, method: str, path: str, *, timeout: float | None = None, **kwargs: Any) -> Answer:
        """
        One exchange; `kwargs` are those of `requests.Request` (data, json, params, headers, auth).

        Raises `TemporaryError` when nothing was written, `ThrottledError` for 429, `OutcomeUnknownError` when the
        request was begun and no complete answer came, or one that says nothing about it (1xx, 3xx, 408, 425, 5xx).
        """
        fields = {**(kwargs.get("params") or {}), **(kwargs.get("data") or {}), **(kwargs.get("json") or {})}
        return self._exchanged(method, path, timeout, fields, kwargs)

    def _exchanged(
        self, method: str, path: str, timeout: float | None, fields: Mapping[str, Any], kwargs: Mapping[str, Any]
    ) -> Answer:
        """`fields` are what is logged of the request."""
        request = requests.Request(method, f"{self.base_url}{path}", **kwargs)
        request.headers = {**_HEADERS, **(request.headers or {})}
        prepared = request.prepare()
        exchange = _Exchange(time.monotonic() + (self.timeout if timeout is None else timeout))
        with self._turn(exchange), exchange.current():
            answer = self._answer(prepared, exchange)
        if self._debug:
            self._log(method, path, fields, f"{answer.status} {self._masked(answer.text[:2000])}")
        _raise_for_status(answer)
        return answer

    def close(self) -> None:
        """Close the pooled connections."""
        self._adapter.close()

    @contextmanager
    def _turn(self, exchange: _Exchange) -> Iterator[None]:
        if not self._turns.acquire(timeout=max(exchange.deadline - time.monotonic(), 0)):
            raise TemporaryError("No connection became free in time; nothing was sent.")
        try:
            yield
        finally:
            self._turns.release()

    def _answer(self, prepared: requests.PreparedRequest, exchange: _Exchange) -> Answer:
        try:
            response = self._adapter.send(prepared, stream=True, timeout=exchange.remaining(), verify=self._authorities)
            try:
                return Answer(response.status_code, response.headers, self._content(response))
            finally:
                # Gives an exhausted connection back to the pool and closes one that still has something to say.
                response.close()
        except (requests.RequestException, urllib3.exceptions.HTTPError, OSError, ValueError) as error:
            host = urllib3.util.parse_url(self.base_url).netloc
            self._log(str(prepared.method), prepared.path_url.partition("?")[0], {}, type(error).__name__)
            if not exchange.begun:
                raise TemporaryError(f"No connection to {host} ({_cause(error)}); nothing was sent.") from error
            raise OutcomeUnknownError(f"No complete answer from {host} ({_cause(error)}).") from error

    def _content(self, response: requests.Response) -> bytes:
        content = bytearray()
        for chunk in response.iter_content(_CHUNK_BYTES):
            content += chunk
            if len(content) > self._max_answer_bytes:
                raise ProtocolError(f"The answer is longer than {self._max_answer_bytes} bytes.")
        return bytes(content)

    # --- logging -------------------------------------------------------------------------------------------

    def _log(self, method: str, path: str, fields: Mapping[str, Any], result: str) -> None:
        if not self._debug:
            return
        shown = " ".join(
            f"{name}={value}" if name in self._shown_fields else f"{name}=<{len(str(value))} characters>"
            for name, value in fields.items()
        )
        logger.info("%s %s%s %s -> %s", method, self.base_url, path, shown, result)

    def _masked(self, text: str) -> str:
        for secret in self._secrets:
            text = text.replace(secret, "***")
        return mask_numbers(text)


def mask_numbers(text: str) -> str:
    """Hide all but the last two digits of whatever may be a phone number."""
    return re.sub(r"(?<![\w.])\+?\d{5,13}(\d\d)(?![\w])", r"***\1", text)


def _raise_for_status(answer: Answer) -> None:
    status = answer.status
    if status == 429:
        raise ThrottledError(
            "HTTP 429: too many requests.",
            provider_code="429",
            retry_after=_retry_after(answer.headers.get("Retry-After")),
            raw=answer.text[:2000],
        )
    if status < 200 or 300 <= status < 400 or status >= 500 or status in _TELLS_NOTHING:
        raise OutcomeUnknownError(
            f"HTTP {status} says nothing about the request.", provider_code=str(status), raw=answer.text[:2000]
        )


def _retry_after(value: str | None) -> float | None:
    """Seconds in a Retry-After header, a number or a date (RFC 9110, 10.2.3)."""
    if not value:
        return None
    if value.strip().isdecimal():
        return float(value)
    try:
        at = parsedate_to_datetime(value)
    except ValueError:
        return None
    return max((at.replace(tzinfo=at.tzinfo or UTC) - datetime.now(UTC)).total_seconds(), 0.0)


def _cause(error: BaseException) -> str:
    """The innermost cause by its class: messages of exceptions hold addresses and may hold parameters."""
    while error.__cause__ or error.__context__:
        error = error.__cause__ or error.__context__  # type: ignore[assignment]
    return type(error).__name__


# --- connections that keep a deadline and know when they were written to --------------------------------------


@dataclass(slots=True)
class _Exchange:
    """One request and its answer: until when, and whether a byte of it was handed to the operating system."""

    deadline: float
    begun: bool = field(default=False)

    def remaining(self) -> float:
        """Seconds left. Raises TimeoutError when there are none."""
        seconds = self.deadline - time.monotonic()
        if seconds <= 0:
            raise TimeoutError("The deadline of the exchange has passed.")
        return seconds

    @contextmanager
    def current(self) -> Iterator[None]:
        token = _current.set(self)
        try:
            yield
        finally:
            _current.reset(token)


#: The exchange of this thread: urllib3 hands nothing of ours down to its connections.
_current: ContextVar[_Exchange] = ContextVar("sms_backends.http.exchange")
_last_check: ContextVar[Callable[[], object] | None] = ContextVar("sms_backends.http.last_check", default=None)


@contextmanager
def checked_before_writing(check: Callable[[], object]) -> Iterator[None]:
    """
    Have `check` called when the first byte of a request of this thread is about to be written, after connecting.

    The SmsError that it may raise is that of the request, of which nothing was sent then. This is for senders whose
    right to send ends while they stand still: between looking and writing a process can be stopped for any time.
    """
    token = _last_check.set(check)
    try:
        yield
    finally:
        _last_check.reset(token)


class _DeadlineSocket:
    """
    A connected socket of which each single operation may take only what is left of the exchange.

    The time-outs of `socket` and urllib3 are for each operation: a server that drips one byte a second would hold us
    for ever.
    """

    def __init__(self, sock: socket.socket) -> None:
        self._sock = sock

    def sendall(self, data: Any) -> None:
        view = memoryview(data).cast("B")
        while view:
            self._sock.settimeout(_current.get().remaining())
            view = view[self._sock.send(view) :]

    def recv_into(self, buffer: Any, nbytes: int = 0, flags: int = 0) -> int:
        self._sock.settimeout(_current.get().remaining())
        return self._sock.recv_into(buffer, nbytes, flags)

    def makefile(self, mode: str) -> io.BufferedReader:
        assert mode == "rb"  # all that http.client asks for
        self._sock._io_refs += 1  # type: ignore[attr-defined]  # as socket.makefile() does: close() waits for the file
        return io.BufferedReader(socket.SocketIO(self, "r"))  # type: ignore[arg-type]

    def __getattr__(self, name: str) -> Any:
        return getattr(self._sock, name)


class _ConnectionMixin:
    """What plain and TLS connections have in common."""

    host: str
    port: int
    sock: Any
    _used_at = 0.0

    def _new_conn(self) -> socket.socket:
        """Connect within the deadline, all addresses of the host together."""
        try:
            addresses = socket.getaddrinfo(self.host, self.port, type=socket.SOCK_STREAM)
        except socket.gaierror as error:
            raise NameResolutionError(self.host, self, error) from error  # type: ignore[arg-type]
        failure: OSError = OSError("The name has no address.")
        for family, kind, protocol, _, address in addresses:
            sock = socket.socket(family, kind, protocol)
            try:
                sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                sock.settimeout(_current.get().remaining())
                sock.connect(address)
                sock.settimeout(_current.get().remaining())  # for the TLS handshake
                return sock
            except OSError as error:
                sock.close()
                failure = error
        raise NewConnectionError(self, f"Failed to connect: {failure}") from failure  # type: ignore[arg-type]

    def connect(self) -> None:
        super().connect()  # type: ignore[misc]
        self.sock = _DeadlineSocket(self.sock)
        self._used_at = time.monotonic()

    @property
    def is_connected(self) -> bool:
        idle = time.monotonic() - self._used_at
        return idle < MAX_IDLE_SECONDS and super().is_connected  # type: ignore[misc]

    def send(self, data: Any) -> None:
        if self.sock is None:
            self.connect()
        if not _current.get().begun:
            if (check := _last_check.get()) is not None:
                check()
            _current.get().begun = True
        super().send(data)  # type: ignore[misc]

    def getresponse(self) -> Any:
        response = super().getresponse()  # type: ignore[misc]
        if response._original_response.msg.defects:
            # urllib3 only warns, and an answer whose head was cut would pass for one with an empty body.
            raise urllib3.exceptions.ProtocolError("The head of the answer is damaged.")
        self._used_at = time.monotonic()
        return response


class _Connection(_ConnectionMixin, HTTPConnection):
    pass


class _TlsConnection(_ConnectionMixin, HTTPSConnection):
    pass


class _ConnectionPool(HTTPConnectionPool):
    ConnectionCls = _Connection


class _TlsConnectionPool(HTTPSConnectionPool):
    ConnectionCls = _TlsConnection


class _Adapter(HTTPAdapter):
    """
    To one host and through no proxy: what requests works out for each request anew is the same every time.

    With many short requests in threads that share an interpreter lock, that would be a third of all the work.
    """

    _pool: Any = None

    def init_poolmanager(self, *args: Any, **kwargs: Any) -> None:
        super().init_poolmanager(*args, **kwargs)
        self.poolmanager.pool_classes_by_scheme = {"http": _ConnectionPool, "https": _TlsConnectionPool}

    def get_connection_with_tls_context(
        self, request: requests.PreparedRequest, verify: Any, proxies: Any = None, cert: Any = None
    ) -> Any:
        if self._pool is None:
            pool = super().get_connection_with_tls_context(request, verify, proxies, cert)
            super().cert_verify(pool, request.url, verify, cert)  # type: ignore[no-untyped-call]
            self._pool = pool
        return self._pool

    def cert_verify(self, *args: Any, **kwargs: Any) -> None:
        """Done when the pool was made."""

    def request_url(self, request: requests.PreparedRequest, proxies: Any) -> str:
        return request.path_url

    def build_response(self, req: requests.PreparedRequest, resp: Any) -> requests.Response:
        """No cookies, no encoding: bytes."""
        response = requests.Response()
        response.status_code, response.headers, response.raw = resp.status, CaseInsensitiveDict(resp.headers), resp
        response.request = req
        return response

    def close(self) -> None:
        super().close()
        self._pool = None
