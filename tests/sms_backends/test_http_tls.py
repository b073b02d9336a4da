"""`http.py` over TLS: verified, pooled, and within the deadline as over plain connections."""

from __future__ import annotations

import shutil
import socket
import ssl
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from sms_backends import OutcomeUnknownError, TemporaryError
from sms_backends.http import HttpClient

from .raw_server import Server

pytestmark = pytest.mark.skipif(shutil.which("openssl") is None, reason="needs openssl to make a certificate")
FORM = {"psw": "hunter2", "mes": "Hello"}


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """A certificate for 127.0.0.1, signed by itself, and its key."""
    folder = tmp_path_factory.mktemp("tls")
    certificate, key = folder / "certificate.pem", folder / "key.pem"
    command = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=127.0.0.1"]
    files = ["-addext", "subjectAltName=IP:127.0.0.1", "-keyout", str(key), "-out", str(certificate)]
    subprocess.run([*command, *files], check=True, capture_output=True)
    return certificate, key


@pytest.fixture
def server(certificate: tuple[Path, Path]) -> Iterator[Server]:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*certificate)
    server = Server(context)
    yield server
    server.stop()


@pytest.fixture
def client(server: Server, certificate: tuple[Path, Path]) -> Iterator[HttpClient]:
    """A client that trusts the server's certificate."""
    client = HttpClient(server.url, timeout=5)
    client._authorities = str(certificate[0])
    yield client
    client.close()


def test_requests_share_a_connection(server: Server, client: HttpClient) -> None:
    for form in (FORM, {"mes": "x" * 1_000_000}, FORM):
        assert client.post_form("/", form).json() == {"id": 42}
    assert (server.connections, len(server.requests)) == (1, 3)


def test_a_certificate_that_nobody_vouches_for_is_provably_not_taken(server: Server) -> None:
    with pytest.raises(TemporaryError, match="SSLCertVerificationError"):
        HttpClient(server.url, timeout=5).post_form("/", FORM)
    assert server.requests == []


def test_a_handshake_that_is_never_answered_is_provably_not_taken() -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        client = HttpClient(f"https://127.0.0.1:{silent.getsockname()[1]}", timeout=0.2)
        with pytest.raises(TemporaryError, match="TimeoutError"):
            client.post_form("/", FORM)


def test_a_dripping_answer_cannot_exceed_the_deadline(server: Server, client: HttpClient) -> None:
    server.drip(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n" + b"x" * 100)
    with pytest.raises(OutcomeUnknownError, match="TimeoutError"):
        client.post_form("/", FORM, timeout=0.5)
