"""
A provider that takes one message a request and answers after a while, on loopback, in a process of its own.

It does as little as a server can, so that what is measured is the client. `python _slow_provider.py PORT SECONDS`.
"""

from __future__ import annotations

import asyncio
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import ClassVar

ANSWER = b'{"id": "1", "status": "ok"}'
RESPONSE = (
    b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: " + str(len(ANSWER)).encode() + b"\r\n\r\n"
) + ANSWER


class Connection(asyncio.Protocol):
    """Keep-alive HTTP/1.1, without pipelining."""

    def __init__(self, seconds: float) -> None:
        self.seconds, self.received = seconds, b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = transport

    def data_received(self, data: bytes) -> None:
        self.received += data
        head, end, body = self.received.partition(b"\r\n\r\n")
        length = int(head.lower().partition(b"content-length:")[2].split(b"\r\n", 1)[0] or 0)
        if end and len(body) >= length:
            self.received = b""
            asyncio.get_running_loop().call_later(self.seconds, self.answer)

    def answer(self) -> None:
        if not self.transport.is_closing():
            self.transport.write(RESPONSE)  # type: ignore[attr-defined]


async def serve(seconds: float) -> None:
    server = await asyncio.get_running_loop().create_server(lambda: Connection(seconds), "127.0.0.1", 0)
    print(f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}", flush=True)
    await server.serve_forever()


@contextmanager
def slow_provider(seconds: float) -> Iterator[str]:
    """Its address."""
    command = [sys.executable, str(Path(__file__).resolve()), str(seconds)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    try:
        yield process.stdout.readline().strip()
    finally:
        process.terminate()
        process.wait()


if __name__ == "__main__":
    asyncio.run(serve(float(sys.argv[1])))
else:
    from sms_backends import BaseSmsBackend, Capabilities, Outcome, SendResult
    from sms_backends.base import Option
    from sms_backends.http import HttpClient

    CONNECTIONS = 16

    class SmsBackend(BaseSmsBackend):
        """The adapter to it: through the same HTTP client as every other."""

        provider_name = "Slow"
        capabilities = Capabilities(client_reference=True, max_connections=CONNECTIONS, sender_id=True)
        known_options: ClassVar[Mapping[str, Option]] = {"URL": Option(help="where it listens")}

        def __init__(self, **options: object) -> None:
            super().__init__(**options)  # type: ignore[arg-type]
            self._client = HttpClient(self.options["URL"], max_connections=CONNECTIONS)

        def send_sms(
            self, phone_numbers: Sequence[str], message: str, *, reference: str | None = None
        ) -> list[SendResult]:
            form = {"to": phone_numbers[0], "text": message, "reference": reference or ""}
            answer = self._client.post_form("/send", form).json()
            return [SendResult(phone_numbers[0], Outcome.ACCEPTED, provider_message_id=answer["id"], raw=answer)]
