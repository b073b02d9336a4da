"""
A TCP proxy before PostgreSQL that cuts a connection around a COMMIT: before the server has it, or before its answer.

It reads as much of the protocol as it takes to tell transactions apart
(https://www.postgresql.org/docs/current/protocol-message-formats.html): simple queries, which is how Django asks.
"""

from __future__ import annotations

import contextlib
import socket
import struct
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Literal

_SSL_REQUEST, _GSS_REQUEST = 80877103, 80877104


@dataclass(slots=True)
class Cut:
    """
    The connection is cut once, at the first COMMIT of a transaction in whose statements all of these `words` occur:
    `before` the server gets it, or `after` that, so that it is carried out and nobody is told.
    """

    words: tuple[str, ...]
    when: Literal["before", "after"]
    is_done: bool = False


@dataclass(slots=True)
class _Session:
    client: socket.socket
    server: socket.socket
    statements: list[str] = field(default_factory=list)
    swallow: bool = False

    def end(self) -> None:
        for end in (self.client, self.server):
            with contextlib.suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)


class PostgresProxy:
    """Listens on `port` while it is entered."""

    def __init__(self, target_port: int, cuts: list[Cut]) -> None:
        self.cuts = cuts
        self._target_port = target_port
        self._lock = threading.Lock()
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = self._listener.getsockname()[1]

    def __enter__(self) -> PostgresProxy:
        threading.Thread(target=self._accept, daemon=True).start()
        return self

    def __exit__(self, *exc_info: object) -> None:
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                client, _address = self._listener.accept()
                server = socket.create_connection(("127.0.0.1", self._target_port))
                for end in (client, server):
                    end.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                session = _Session(client, server)
                for pump in (self._forward_questions, self._forward_answers):
                    threading.Thread(target=self._pump, args=(pump, session), daemon=True).start()

    def _pump(self, pump: object, session: _Session) -> None:
        with contextlib.suppress(OSError):
            pump(session)  # type: ignore[operator]
        session.end()

    def _forward_questions(self, session: _Session) -> None:
        for message in _messages(session.client):
            if message[:1] == b"Q":
                statement = message[5:-1].decode()
                session.statements.append(statement)
                cut = self._cut_at(session) if statement == "COMMIT" else None
                if cut is not None and cut.when == "before":
                    return
                session.swallow = cut is not None
            session.server.sendall(message)

    def _cut_at(self, session: _Session) -> Cut | None:
        said, session.statements = "\n".join(session.statements), []
        with self._lock:
            for cut in self.cuts:
                if not cut.is_done and all(word in said for word in cut.words):
                    cut.is_done = True
                    return cut
        return None

    def _forward_answers(self, session: _Session) -> None:
        while data := session.server.recv(65536):
            if session.swallow:
                return  # the answer to the COMMIT: it is durable
            session.client.sendall(data)


def _messages(client: socket.socket) -> Iterator[bytes]:
    """Whole messages, as they are to be sent on. Those of the start-up have no type, and a length of their own."""
    is_started = False
    while True:
        head = _exactly(client, 5 if is_started else 4)
        (length,) = struct.unpack("!i", head[-4:])
        rest = _exactly(client, length - 4)
        if not is_started:
            is_started = struct.unpack("!i", rest[:4])[0] not in {_SSL_REQUEST, _GSS_REQUEST}
        yield head + rest


def _exactly(client: socket.socket, count: int) -> bytes:
    data = b""
    while len(data) < count:
        more = client.recv(count - len(data))
        if not more:
            raise ConnectionError("The client is gone.")
        data += more
    return data
