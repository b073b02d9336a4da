"""
Freezing and dispatching a campaign, each beside the same statements by hand, in the same run.

    python benchmarks/sending.py [--rows 20000] [--runs 3] [--full] [--only freeze|dispatch|figures|workers]
    python benchmarks/sending.py --growth [--rows 100000] [--runs 1]

On PostgreSQL (BENCH_DATABASE_URL, or a private server where it is installed) and on SQLite. Every step runs in its own
process on an emptied log; ours and its floor take turns. `--full`: a million on PostgreSQL and 50,000 on SQLite.
README.md says what was measured where.
"""

from __future__ import annotations

import argparse
import os
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")
os.environ.setdefault("SMS_BACKEND", "sms_backends.providers.dummy.SmsBackend")

from benchmarks import _measuring as measuring
from benchmarks._floors import floor

BODY = "Hello {{ first_name }}, your order is ready. We are open until eight."
CAMPAIGN, GROUP, OTHER_GROUP = 1, 1, 2
CHUNK = 2000


# --- steps, each in a process of its own ----------------------------------------------------------------------


def prepare(rows: int, _size: int) -> None:
    """Tables, contacts, groups and a campaign that is about to be frozen."""
    from django.core.management import call_command
    from django.db import connection

    from campaigns.models import Contact, ContactGroup

    call_command("migrate", verbosity=0)
    ContactGroup.objects.bulk_create([ContactGroup(pk=GROUP, name="All"), ContactGroup(pk=OTHER_GROUP, name="Others")])
    membership = Contact.groups.through
    for start in range(0, rows, CHUNK):
        contacts = [
            Contact(
                pk=n + 1,
                phone_number=f"+79{n:09d}",
                first_name=f"Name {n % 997}",
                region="RU",
                time_zone="Europe/Moscow",
                attributes={"city": "Moscow"},
            )
            for n in range(start, min(start + CHUNK, rows))
        ]
        Contact.objects.bulk_create(contacts)
        membership.objects.bulk_create(membership(contact_id=one.pk, contactgroup_id=GROUP) for one in contacts)
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE")


def empty_log() -> None:
    """Throw the log away and put the campaign before its freeze. The database keeps the figures again."""
    from django.db import connection

    from campaigns import kept_figures
    from campaigns.models import Attempt, Campaign, CampaignStatus, Contact, Figure, MessageEvent, SentMessage

    for model in (Attempt, MessageEvent, SentMessage, Figure):
        with connection.cursor() as cursor:
            table = connection.ops.quote_name(model._meta.db_table)
            cascade = f"TRUNCATE {table} CASCADE" if connection.vendor == "postgresql" else f"DELETE FROM {table}"
            cursor.execute(cascade)
    Campaign.objects.filter(pk=CAMPAIGN).delete()
    last = Contact.objects.order_by("-pk")[0].pk
    Campaign.objects.create(
        pk=CAMPAIGN,
        name="Benchmark",
        body=BODY,
        status=CampaignStatus.FREEZING,
        launch_token="benchmark",
        launch={
            "body": BODY,
            "kind": "service",
            "gateway": "default",
            "sender_id": "",
            "include_groups": [GROUP],
            "exclude_groups": [],
            "last_contact_id": last,
        },
    )
    kept_figures.ensure()
    if connection.vendor == "postgresql":
        with connection.cursor() as cursor:
            cursor.execute("CHECKPOINT")


def without_figures() -> None:
    """The floor keeps none: what they cost is in our figure."""
    from campaigns import kept_figures

    kept_figures.stop_keeping()


def freeze(rows: int, _size: int) -> int:
    from campaigns.models import SentMessage
    from campaigns.sending import freeze as freezing

    freezing.CHUNK = CHUNK  # the same for both
    freezing.freeze(CAMPAIGN, seconds=86_400)
    return SentMessage.objects.count()


def freeze_floor(_rows: int, _size: int) -> int:
    return floor(os.environ["DATABASE_URL"]).freeze(CAMPAIGN, GROUP, CHUNK)


def dispatch(rows: int, size: int) -> int:
    from campaigns.models import SentMessage
    from campaigns.sending.dispatch import send_waiting
    from sms_backends.providers.dummy import SmsBackend

    SmsBackend.capabilities = replace(SmsBackend.capabilities, max_recipients=size)
    before = SentMessage.objects.filter(status="sent").count()
    send_waiting(CAMPAIGN, seconds=86_400)
    return SentMessage.objects.filter(status="sent").count() - before


def dispatch_floor(_rows: int, size: int) -> int:
    return floor(os.environ["DATABASE_URL"]).dispatch(CAMPAIGN, size)


def frozen(rows: int, _size: int) -> None:
    """What the dispatch starts from."""
    freeze(rows, 0)
    from django.db import connection

    with connection.cursor() as cursor:
        cursor.execute("ANALYZE")


STEPS: dict[str, Callable[[int, int], int | None]] = {
    "prepare": prepare,
    "empty": lambda _rows, _size: empty_log(),
    "frozen": frozen,
    "without_figures": lambda _rows, _size: without_figures(),
    "freeze": freeze,
    "freeze_floor": freeze_floor,
    "dispatch": dispatch,
    "dispatch_floor": dispatch_floor,
}


def run_one(step: str, rows: int, size: int, start_at: float) -> None:
    """`start_at`: when workers that run together begin, so that none has a start."""
    if not step.endswith("_floor"):
        import django
        from django.conf import settings

        django.setup()
        settings.DEBUG = False  # it keeps the default keys usable here, and would write down every statement
    time.sleep(max(0.0, start_at - time.time()))
    began = time.time()
    measuring.report(STEPS[step](rows, size) or 0, began)


# --- the figures ----------------------------------------------------------------------------------------------


class Bench:
    """One database, so many rows, so many runs."""

    def __init__(self, url: str, rows: int, runs: int) -> None:
        self.url, self.rows, self.runs = url, rows, runs
        self.step("prepare")

    def step(self, name: str, size: int = 0) -> measuring.Measured:
        return measuring.run_step(__file__, self.url, name, "--rows", self.rows, "--size", size)

    def workers(self, count: int, size: int) -> measuring.Measured:
        arguments = ("--rows", self.rows, "--size", size, "--start-at", time.time() + 3)
        started = [measuring.start_step(__file__, self.url, "dispatch", *arguments) for _n in range(count)]
        whole = measuring.together([measuring.finish_step(one) for one in started])
        # Each says how much of the log was sent when it ended; the last to end has seen all.
        return replace(whole, rows=self.rows if whole.rows >= self.rows else whole.rows)

    def freezing(self) -> None:
        floors, ours = [], []
        for _run in range(self.runs):
            self.step("empty")
            self.step("without_figures")
            floors.append(self.checked(self.step("freeze_floor")))
            self.step("empty")
            ours.append(self.checked(self.step("freeze")))
        measuring.print_figure("freeze with a placeholder", ours, floors)

    def dispatching(self, size: int) -> list[measuring.Measured]:
        floors, ours = [], []
        for _run in range(self.runs):
            self.ready()
            self.step("without_figures")
            floors.append(self.checked(self.step("dispatch_floor", size)))
            self.ready()
            ours.append(self.checked(self.step("dispatch", size)))
        measuring.print_figure(f"claim, intent, record, {size} a request", ours, floors)
        return ours

    def keeping_figures(self, size: int) -> None:
        """What the triggers cost: the same beside itself without them."""
        kept, not_kept = [], []
        for _run in range(self.runs):
            self.ready()
            self.step("without_figures")
            not_kept.append(self.checked(self.step("dispatch", size)))
            self.ready()
            kept.append(self.checked(self.step("dispatch", size)))
        measuring.print_figure(f"figures kept beside not kept, {size}", kept, not_kept)

    def two_workers(self, size: int) -> None:
        one, two = [], []
        for _run in range(self.runs):
            self.ready()
            one.append(self.checked(self.workers(1, size)))
            self.ready()
            two.append(self.checked(self.workers(2, size)))
        measuring.print_figure(f"two workers beside one, {size} a request", two, one)

    def ready(self) -> None:
        self.step("empty")
        self.step("frozen")

    def checked(self, measured: measuring.Measured) -> measuring.Measured:
        if measured.rows != self.rows:
            raise RuntimeError(f"{measured.rows} rows instead of {self.rows}")
        return measured


FIGURES: dict[str, Callable[[Bench], object]] = {
    "freeze": Bench.freezing,
    "dispatch": lambda bench: [bench.dispatching(size) for size in (500, 100)],
    "figures": lambda bench: bench.keeping_figures(500),
    "workers": lambda bench: bench.two_workers(500),
}


def measure(name: str, url: str, rows: int, runs: int, only: str | None) -> None:
    measuring.print_heading(f"{name}, {rows:,} messages, {runs} runs")
    bench = Bench(url, rows, runs)
    for figure, take in FIGURES.items():
        if only in {None, figure} and (figure != "workers" or name == "PostgreSQL"):
            take(bench)


def growth(server_url: Callable[[str], str], rows: int, runs: int) -> None:
    """How much slower each is with ten times as many rows: ours beside the floor, all four by turns."""
    small, large = (Bench(server_url(name), size, runs) for name, size in (("small", rows), ("large", rows * 10)))
    measuring.print_heading(f"PostgreSQL, from {rows:,} to {rows * 10:,}, {runs} runs")
    for name, before, ours, floor_step in (
        ("freeze", "empty", "freeze", "freeze_floor"),
        ("claim, intent, record, 500 a request", "ready", "dispatch", "dispatch_floor"),
    ):
        rates: dict[tuple[str, Bench], list[measuring.Measured]] = {}
        for _run in range(runs):
            for step in (floor_step, ours):
                for bench in (small, large):
                    bench.ready() if before == "ready" else bench.step("empty")
                    if step == floor_step:
                        bench.step("without_figures")
                    rates.setdefault((step, bench), []).append(bench.checked(bench.step(step, 500)))
        measuring.print_figure(f"{name}: large beside small, ours", rates[ours, large], rates[ours, small])
        measuring.print_figure(f"{name}: large beside small, floor", rates[floor_step, large], rates[floor_step, small])
        measuring.print_figure(f"{name}, {rows * 10:,}", rates[ours, large], rates[floor_step, large])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=20_000)
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--full", action="store_true")
    parser.add_argument("--growth", action="store_true")
    parser.add_argument("--only", choices=FIGURES)
    parser.add_argument("--without-sqlite", action="store_true")
    parser.add_argument("--step", choices=STEPS, help=argparse.SUPPRESS)
    parser.add_argument("--size", type=int, default=500, help=argparse.SUPPRESS)
    parser.add_argument("--start-at", type=float, default=0.0, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.step:
        run_one(options.step, options.rows, options.size, options.start_at)
        return
    if options.growth:
        with measuring.postgresql_databases() as new_database:
            growth(new_database, options.rows, options.runs)
        return
    with measuring.postgresql_database() as url:
        if url is None:
            print("PostgreSQL: skipped, it is not installed here and BENCH_DATABASE_URL names none.")
        else:
            rows = 1_000_000 if options.full else options.rows
            measure("PostgreSQL", url, rows, options.runs, options.only)
    if options.without_sqlite:
        return
    with measuring.sqlite_database() as url:
        measure("SQLite", url, 50_000 if options.full else options.rows, options.runs, options.only)


if __name__ == "__main__":
    main()
