"""
Delivery receipts through the web server, beside a bare Django view behind the same server.

    python benchmarks/receipts.py [--rows 2000] [--runs 3]

Real gunicorn, the same command for both; signed receipts of SMSC.ru over loopback, one a request, from a process of its
own that has `CONNECTIONS` of them open. Product and floor take turns on the same rows. On PostgreSQL
(BENCH_DATABASE_URL, or a private server where it is installed) and on SQLite. README.md says what was measured where.
"""

from __future__ import annotations

import argparse
import hashlib
import os
import re
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from urllib.parse import urlencode

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")

from benchmarks import _measuring as measuring
from tests.processes import free_port

SECRET = "benchmark"
CONNECTIONS = 8
#: So many recipients had one request, and with it one id, when they were sent to.
REQUEST = 500
#: What else stands in the log: an index that is all in one page would flatter both.
LOG = 50_000
#: Receipts before the first that counts.
WARM_UP = 200
SERVER = ("--worker-class=gthread", "--workers=2", "--threads=8", "--no-control-socket", "--log-level=warning")
#: What is served, and by which settings.
PRODUCT = ("config.wsgi:application", "config.settings")
BARE = ("benchmarks._bare_receipts:application", "benchmarks._bare_receipts")
ENVIRONMENT = {
    "DJANGO_SECRET_KEY": "benchmark-" * 6,
    "SMS_BACKEND": "smsc",
    "SMSC_LOGIN": "login",
    "SMSC_PASSWORD": "right",
    "SMSC_CALLBACK_SECRET": SECRET,
}


def number_of(n: int) -> str:
    return f"79{n:09d}"


def id_of(n: int) -> str:
    return f"reference-{n // REQUEST:08d}"


# --- steps, each in a process of its own ----------------------------------------------------------------------


def prepare(_rows: int, _port: int) -> None:
    """A log of messages that were sent, with their attempts."""
    from django.core.management import call_command
    from django.db import connection, transaction
    from django.utils import timezone

    from campaigns.models import Attempt, SentMessage
    from campaigns.sending.bulk_insert import bulk_insert

    call_command("migrate", verbosity=0)
    now = timezone.now()
    with transaction.atomic():
        bulk_insert(
            SentMessage,
            ("id", "phone_number", "canonical_number", "reference", "provider_message_id"),
            [(n + 1, f"+{number_of(n)}", f"+{number_of(n)}", id_of(n), id_of(n)) for n in range(LOG + WARM_UP)],
            body="Hello, your order is ready. We are open until eight.",
            status="sent",
            attempt_count=1,
            sent_at=now,
            status_at=now,
            next_poll_at=now,
        )
        bulk_insert(
            Attempt,
            ("message", "reference", "provider_message_id"),
            [(n + 1, id_of(n), id_of(n)) for n in range(LOG + WARM_UP)],
            number=1,
            claim_token="token",
            gateway="default",
            outcome="accepted",
            started_at=now,
            finished_at=now,
        )
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE")


def reset(_rows: int, _port: int) -> None:
    """As if no receipt had come yet."""
    from django.db import connection
    from django.utils import timezone

    from campaigns.models import MessageEvent, SentMessage, UnmatchedReceipt

    MessageEvent.objects.all().delete()
    UnmatchedReceipt.objects.all().delete()
    SentMessage.objects.filter(status="delivered").update(status="sent", next_poll_at=timezone.now())
    if connection.vendor == "postgresql":
        with connection.cursor() as cursor:
            cursor.execute("VACUUM ANALYZE")
            cursor.execute("CHECKPOINT")


def count(_rows: int, _port: int) -> int:
    """How many messages were delivered, each with its event."""
    from campaigns.models import MessageEvent, SentMessage

    return min(SentMessage.objects.filter(status="delivered").count(), MessageEvent.objects.count())


def warm(_rows: int, port: int) -> int:
    """What is done once, such as importing and connecting, is no part of what a receipt costs."""
    return offered([request_of(LOG + n) for n in range(WARM_UP)], port)


def load(rows: int, port: int) -> int:
    return offered([request_of(n * (LOG // rows)) for n in range(rows)], port)


def offered(requests: list[bytes], port: int) -> int:
    """Offer each once, over `CONNECTIONS` connections at the same time. Returns how many got 200."""
    answers: list[int] = []

    def offer(mine: list[bytes]) -> None:
        answers.append(sum(map(Connection(port).ask, mine)))

    threads = [threading.Thread(target=offer, args=(requests[n::CONNECTIONS],)) for n in range(CONNECTIONS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return sum(answers)


def request_of(n: int) -> bytes:
    fields = {"id": id_of(n), "phone": number_of(n), "status": "1", "time": "", "ts": "1780000000", "err": "0"}
    signed = ":".join([fields["id"], fields["phone"], fields["status"], SECRET])
    body = urlencode({**fields, "md5": hashlib.md5(signed.encode()).hexdigest()}).encode()
    head = (
        "POST /sms/default/receipts/ HTTP/1.1\r\nHost: 127.0.0.1\r\n"
        f"Content-Type: application/x-www-form-urlencoded\r\nContent-Length: {len(body)}\r\n\r\n"
    )
    return head.encode() + body


class Connection:
    """One that is kept open. A client library would cost more than the server, on the same two cores."""

    def __init__(self, port: int) -> None:
        self._socket = socket.create_connection(("127.0.0.1", port))

    def ask(self, request: bytes) -> bool:
        """Whether the answer was 200."""
        self._socket.sendall(request)
        answer = b""
        while b"\r\n\r\n" not in answer:
            answer += self._more()
        head, _gap, body = answer.partition(b"\r\n\r\n")
        length = re.search(rb"(?i)content-length: (\d+)", head)
        if length is None:
            raise RuntimeError("The server does not say where its answer ends.")
        while len(body) < int(length[1]):
            body += self._more()
        return answer.startswith(b"HTTP/1.1 200")

    def _more(self) -> bytes:
        received = self._socket.recv(65536)
        if not received:
            raise RuntimeError("The server closed the connection.")
        return received


STEPS = {"prepare": prepare, "reset": reset, "count": count, "warm": warm, "load": load}


def run_one(step: str, rows: int, port: int) -> None:
    if step not in {"warm", "load"}:
        import django
        from django.conf import settings

        django.setup()
        settings.DEBUG = False
    began = time.time()
    measuring.report(STEPS[step](rows, port) or 0, began)


# --- the figures ----------------------------------------------------------------------------------------------


@contextmanager
def gunicorn(served: tuple[str, str], url: str, port: int, data_dir: str) -> Iterator[subprocess.Popen[bytes]]:
    application, settings = served
    environment = {**os.environ, **ENVIRONMENT, "DATABASE_URL": url, "PYTHONPATH": str(measuring.BASE_DIR)}
    environment |= {"DJANGO_SETTINGS_MODULE": settings, "SMS_DATA_DIR": data_dir, "DJANGO_DEBUG": "0"}
    command = [sys.executable, "-m", "gunicorn", application, f"--bind=127.0.0.1:{port}", *SERVER]
    process = subprocess.Popen(command, env=environment, cwd=measuring.BASE_DIR)
    try:
        until = time.monotonic() + 60
        while not answers(port):
            if process.poll() is not None or time.monotonic() > until:
                raise RuntimeError(f"{application} does not start.")
            time.sleep(0.1)
        yield process
    finally:
        process.terminate()
        process.wait(30)


def answers(port: int) -> bool:
    try:
        socket.create_connection(("127.0.0.1", port), timeout=1).close()
    except OSError:
        return False
    return True


def peak_mb(process: subprocess.Popen[bytes]) -> float:
    """Of the fattest of its processes; 0 where there is no /proc."""
    found = []
    for status in Path("/proc").glob("[0-9]*/status"):
        try:
            text = status.read_text()
        except OSError:
            continue
        if f"\nPPid:\t{process.pid}\n" in text and (peak := re.search(r"VmHWM:\s+(\d+)", text)):
            found.append(int(peak[1]) / 1024)
    return max(found, default=0.0)


class Bench:
    """One database, so many receipts, so many runs."""

    def __init__(self, url: str, rows: int, runs: int, data_dir: str) -> None:
        self.url, self.rows, self.runs, self.data_dir = url, rows, runs, data_dir
        self.step("prepare")

    def step(self, name: str, port: int = 0) -> measuring.Measured:
        return measuring.run_step(__file__, self.url, name, "--rows", self.rows, "--port", port)

    def turn(self, served: tuple[str, str]) -> measuring.Measured:
        self.step("reset")
        port = free_port()
        with gunicorn(served, self.url, port, self.data_dir) as process:
            warmed = self.step("warm", port).rows
            measured = self.step("load", port)
            measured = replace(measured, peak_mb=peak_mb(process))
        stored = self.step("count").rows - warmed
        if not measured.rows == stored == self.rows:
            raise RuntimeError(f"{served[0]}: {measured.rows} answered, {stored} stored of {self.rows}")
        return measured

    def figure(self) -> None:
        floors, ours = [], []
        for _run in range(self.runs):
            floors.append(self.turn(BARE))
            ours.append(self.turn(PRODUCT))
        measuring.print_figure(f"receipts, {CONNECTIONS} connections", ours, floors)


def measure(name: str, url: str, rows: int, runs: int) -> None:
    measuring.print_heading(f"{name}, {rows:,} receipts, {runs} runs")
    with tempfile.TemporaryDirectory() as data_dir:
        Bench(url, rows, runs, data_dir).figure()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=2_000)
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--step", choices=STEPS, help=argparse.SUPPRESS)
    parser.add_argument("--port", type=int, default=0, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.step:
        run_one(options.step, options.rows, options.port)
        return
    with measuring.postgresql_database() as url:
        if url is None:
            print("PostgreSQL: skipped, it is not installed here and BENCH_DATABASE_URL names none.")
        else:
            measure("PostgreSQL", url, options.rows, options.runs)
    with measuring.sqlite_database() as url:
        measure("SQLite", url, options.rows, options.runs)


if __name__ == "__main__":
    main()
