"""A server on loopback that works on the bare socket, so that it can break off wherever a test wants it to."""

from __future__ import annotations

import socket
import ssl
import threading
from collections.abc import Callable

OK = b'HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n{"id": 42}'


class Server:
    """Runs `script(connection, request)` for each request it has read; a connection ends when the script closes it."""

    def __init__(self, tls: ssl.SSLContext | None = None) -> None:
        self._tls = tls
        self.script: Callable[[socket.socket, bytes], None] = lambda connection, request: connection.sendall(OK)
        self.requests: list[bytes] = []
        self.connections = 0
        self.stopped = threading.Event()
        self._socket = socket.create_server(("127.0.0.1", 0))
        self.url = f"{'https' if tls else 'http'}://127.0.0.1:{self._socket.getsockname()[1]}"
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self) -> None:
        while True:
            try:
                connection, _ = self._socket.accept()
            except OSError:
                return
            self.connections += 1
            threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _serve(self, connection: socket.socket) -> None:
        with connection:
            try:
                if self._tls:
                    connection = self._tls.wrap_socket(connection, server_side=True)
                while request := self._read(connection):
                    self.requests.append(request)
                    self.script(connection, request)
            except OSError:
                pass

    @staticmethod
    def _read(connection: socket.socket) -> bytes:
        data = b""
        while b"\r\n\r\n" not in data:
            if not (chunk := connection.recv(65536)):
                return b""
            data += chunk
        head, _, body = data.partition(b"\r\n\r\n")
        lengths = [line for line in head.split(b"\r\n") if line.lower().startswith(b"content-length:")]
        length = int(lengths[0].split(b":")[1]) if lengths else 0
        while len(body) < length:
            body += connection.recv(65536)
        return head + b"\r\n\r\n" + body

    def stop(self) -> None:
        self.stopped.set()
        self._socket.close()

    def answer(self, status: str, headers: str = "", body: bytes = b"{}") -> None:
        head = f"HTTP/1.1 {status}\r\nContent-Length: {len(body)}\r\n{headers}\r\n".encode()
        self.script = lambda connection, request: connection.sendall(head + body)

    def keep_silent(self) -> None:
        def script(connection: socket.socket, request: bytes) -> None:
            self.stopped.wait(30)

        self.script = script

    def drip(self, data: bytes, seconds: float = 0.02) -> None:
        def script(connection: socket.socket, request: bytes) -> None:
            for byte in data:
                connection.sendall(bytes([byte]))
                self.stopped.wait(seconds)

        self.script = script
