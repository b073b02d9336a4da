"""
Sending through a provider over HTTP, on PostgreSQL, each figure beside its floor in the same run.

    python benchmarks/over_http.py [--rows 10000] [--runs 3]

One message per request, 20 ms of latency, 16 connections: beside a bare pool of 16 threads with `requests`, without a
database. Different texts in bulk, 500 a request, through the SMSC.ru adapter to the tests' fake of it: beside claim,
intent and record by hand (`_floors.py`), without any request.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")

from benchmarks import _measuring as measuring
from benchmarks._floors import floor
from tests.fake_smsc import FakeSmscProcess

CAMPAIGN, CONNECTIONS, LATENCY_SECONDS, BULK = 1, 16, 0.02, 500
SENDING = str(Path(__file__).resolve().parent / "sending.py")


def threads(rows: int) -> int:
    """The floor of one per message: nothing but requests."""
    import requests

    session = requests.Session()
    session.mount("http://", requests.adapters.HTTPAdapter(pool_maxsize=CONNECTIONS))
    url = json.loads(os.environ["SMS_OPTIONS"])["URL"] + "/send"

    def send(n: int) -> None:
        form = {
            "to": f"+79{n:09d}",
            "text": "Hello, your order is ready. We are open until eight.",
            "reference": str(n),
        }
        session.post(url, data=form, timeout=15).json()

    with ThreadPoolExecutor(max_workers=CONNECTIONS) as pool:
        return sum(1 for _answer in pool.map(send, range(rows)))


def dispatch(rows: int) -> int:
    """Through the engine, until nothing waits."""
    from campaigns.models import SentMessage
    from campaigns.sending.dispatch import send_waiting

    before = SentMessage.objects.filter(status="sent").count()
    while send_waiting(CAMPAIGN, seconds=8):
        pass
    return SentMessage.objects.filter(status="sent").count() - before


def by_hand(_rows: int) -> int:
    return floor(os.environ["DATABASE_URL"]).dispatch(CAMPAIGN, BULK)


STEPS: dict[str, Callable[[int], int]] = {"threads": threads, "dispatch": dispatch, "by_hand": by_hand}


def run_one(step: str, rows: int) -> None:
    if step == "dispatch":
        import django
        from django.conf import settings

        django.setup()
        settings.DEBUG = False
    began = time.time()
    measuring.report(STEPS[step](rows), began)


class Bench:
    def __init__(self, url: str, rows: int, runs: int) -> None:
        self.url, self.rows, self.runs = url, rows, runs
        self.prepare("prepare")

    def prepare(self, step: str) -> None:
        measuring.run_step(SENDING, self.url, step, "--rows", self.rows)

    def step(self, name: str, backend: str, options: dict[str, object]) -> measuring.Measured:
        os.environ["SMS_BACKEND"], os.environ["SMS_OPTIONS"] = backend, json.dumps(options)
        try:
            measured = measuring.run_step(__file__, self.url, name, "--rows", self.rows)
        finally:
            del os.environ["SMS_BACKEND"], os.environ["SMS_OPTIONS"]
        if measured.rows != self.rows:
            raise RuntimeError(f"{measured.rows} rows instead of {self.rows}")
        return measured

    def ready(self) -> None:
        self.prepare("empty")
        self.prepare("frozen")

    def figure(self, name: str, floor_step: str, backend: str, options: Callable[[], dict[str, object]]) -> None:
        floors, ours = [], []
        for _run in range(self.runs):
            self.ready()
            floors.append(self.step(floor_step, backend, options()))
            self.ready()
            ours.append(self.step("dispatch", backend, options()))
        measuring.print_figure(name, ours, floors)


def one_per_message(bench: Bench) -> None:
    from benchmarks._slow_provider import slow_provider

    with slow_provider(LATENCY_SECONDS) as url:
        bench.figure(
            f"one per message, {CONNECTIONS} connections",
            "threads",
            "benchmarks._slow_provider.SmsBackend",
            lambda: {"URL": url},
        )


def bulk(bench: Bench) -> None:
    with FakeSmscProcess(balance="100000000") as smsc:
        options = {"SMSC_BASE_URL": smsc.base_url, "SMSC_LOGIN": "login", "SMSC_PASSWORD": "password"}
        bench.figure(
            f"bulk of {BULK}, different texts", "by_hand", "smsc", lambda: {**options, "SMSC_MAX_RECIPIENTS": BULK}
        )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=10_000)
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--only", choices=["one", "bulk"])
    parser.add_argument("--step", choices=STEPS, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.step:
        run_one(options.step, options.rows)
        return
    with measuring.postgresql_database() as url:
        if url is None:
            print("PostgreSQL: skipped, it is not installed here and BENCH_DATABASE_URL names none.")
            return
        measuring.print_heading(f"PostgreSQL, {options.rows:,} messages, {options.runs} runs")
        bench = Bench(url, options.rows, options.runs)
        if options.only != "bulk":
            one_per_message(bench)
        if options.only != "one":
            bulk(bench)


if __name__ == "__main__":
    main()
