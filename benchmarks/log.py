"""
The delivery log at the sizes it is made for: each filter at the first page, in the middle and at the end.

    python benchmarks/log.py [--rows 10000000] [--sqlite-rows 1000000] [--runs 5] [--only postgresql] [--stock all]

Ours and the stock admin on the same rows (a plain ModelAdmin, fifty rows a page, the same columns, a filter by each of
the same things), in one process, whole pages rendered. Queries are those about the log; sessions and users are in the
time, not in the number. Then what an export writes in a second. With BENCH_KEEP=1 and BENCH_DATABASE_URL rows that are
there already are measured again.
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")
os.environ.setdefault("SMS_BACKEND", "sms_backends.providers.dummy.SmsBackend")

from benchmarks import _log_rows as log_rows
from benchmarks import _measuring as measuring

#: A page that takes longer is not asked for again.
PATIENCE_SECONDS = 20.0


def prepare(rows: int) -> None:
    """The rows, and their figures."""
    from django.core.management import call_command

    from campaigns import kept_figures, past_days

    call_command("migrate", verbosity=0)
    log_rows.make_log(rows)
    kept_figures.ensure()
    while past_days.count_portion():
        pass


# --- what is asked for -----------------------------------------------------------------------------------------

#: In words -> parameters of the log's address. The second campaign is the largest but one, in the midst of the others.
FILTERS: dict[str, dict[str, str]] = {
    "nothing": {},
    "campaign (4 of 10)": {"campaign__id__exact": "1"},
    "campaign (1 of 1,000)": {"campaign__id__exact": "12"},
    "status: delivered": {"status__exact": "delivered"},
    "status: unknown": {"status__exact": "unknown"},
    "group: not reached": {"status__exact": "not_reached"},
    "group: waiting": {"status__exact": "waiting"},
    "reason: opted out": {"reason__exact": "opted_out"},
    "reason: rare": {"reason__exact": "spam_filtered"},
    "gateway: most": {"gateway__exact": "default"},
    "gateway: rare": {"gateway__exact": "old"},
    "dates: a month": {"from": "2026-01-15", "to": "2026-02-14"},
    "dates: nothing there": {"from": "2026-01-05", "to": "2026-01-06"},
    "number": {"q": "+79000000777"},
    "campaign + status": {"campaign__id__exact": "1", "status__exact": "failed"},
    "campaign + group": {"campaign__id__exact": "1", "status__exact": "not_reached"},
    "campaign + reason": {"campaign__id__exact": "1", "reason__exact": "worker_lost"},
    "campaign + rare reason": {"campaign__id__exact": "1", "reason__exact": "spam_filtered"},
    "campaign + gateway": {"campaign__id__exact": "1", "gateway__exact": "backup"},
    "campaign + rare gateway": {"campaign__id__exact": "1", "gateway__exact": "old"},
    "campaign + dates": {"campaign__id__exact": "1", "from": "2025-12-01", "to": "2025-12-02"},
    "campaign + number": {"campaign__id__exact": "1", "q": "+79000000777"},
    "other: gateway + reason": {"gateway__exact": "old", "reason__exact": "opted_out"},
    "other: masked number": {"q": "+7•••••••••67"},
    "other: last five digits": {"campaign__id__exact": "1", "q": "…12345", "status__exact": "delivered"},
}
#: What takes the stock admin minutes is compared for some.
COMPARED = {
    "nothing", "campaign (4 of 10)", "status: unknown", "reason: rare", "gateway: rare", "dates: a month", "number",
    "campaign + status",
}  # fmt: skip
DEPTHS = ("first", "middle", "last")


class Reader:
    """Somebody who looks at the log through one of the two admins."""

    def __init__(self) -> None:
        from campaigns.models import User

        self.user, _made = User.objects.get_or_create(
            username="benchmark", defaults={"is_staff": True, "is_superuser": True, "is_active": True}
        )

    def pages(self, parameters: dict[str, str]) -> dict[str, dict[str, str]]:
        """Parameters of the pages at each depth; a depth that there is not is left out."""
        raise NotImplementedError

    def look(self, parameters: dict[str, str]) -> None:
        raise NotImplementedError


class OurReader(Reader):
    def __init__(self) -> None:
        super().__init__()
        from django.test import Client

        self.client = Client()
        self.client.force_login(self.user)

    def pages(self, parameters: dict[str, str]) -> dict[str, dict[str, str]]:
        from campaigns import log
        from campaigns.models import SentMessage
        from campaigns.time_limits import TookTooLong

        filters = log.read(parameters)
        found = {"first": parameters}
        try:
            newest = log.page(filters, SentMessage.objects.all(), 1).rows
            oldest = log.page(filters, SentMessage.objects.all(), 51, after=log.Key(_epoch(), 0)).rows
        except TookTooLong:
            return found
        if len(oldest) < 51:
            return found
        middle = oldest[-1].created_at + (newest[0].created_at - oldest[-1].created_at) / 2
        return found | {
            "middle": {**parameters, "before": str(log.Key(middle, newest[0].pk // 2))},
            "last": {**parameters, "before": str(log.Key.of(oldest[0]))},
        }

    def look(self, parameters: dict[str, str]) -> None:
        response = self.client.get("/admin/campaigns/sentmessage/", parameters)
        assert response.status_code == 200, response.status_code


class StockReader(Reader):
    def __init__(self) -> None:
        super().__init__()
        from django.contrib import admin

        from campaigns.models import SentMessage

        class Stock(admin.ModelAdmin):  # type: ignore[type-arg]
            list_display = ("created_at", "phone_number", "campaign", "status", "reason", "segment_count", "gateway")
            list_filter = ("campaign", "status", "reason", "gateway", "created_at")
            search_fields = ("phone_number",)
            date_hierarchy = "created_at"
            list_per_page = 50

        self.model = SentMessage
        self.admin = Stock(SentMessage, admin.site)

    def _translated(self, parameters: dict[str, str]) -> dict[str, str] | None:
        """The same in the stock admin's words; None where it has none."""
        from campaigns import log

        filters = log.read(parameters)
        found = {name: value for name, value in parameters.items() if name not in {"from", "to", "status__exact"}}
        if filters.status in log.STATUS_GROUPS and filters.status not in {"unknown"}:
            found["status__in"] = ",".join(sorted(filters.statuses))
        elif filters.status:
            found["status__exact"] = filters.status
        if filters.since and filters.until:
            found |= {"created_at__gte": filters.since.isoformat(), "created_at__lt": filters.until.isoformat()}
        return found

    def pages(self, parameters: dict[str, str]) -> dict[str, dict[str, str]]:
        from campaigns import log

        found = self._translated(parameters)
        if found is None or any(c in parameters.get("q", "") for c in "•…"):
            return {}
        rows = self.model.objects.filter(log.read(parameters).condition()).count()
        pages = max(1, -(-rows // 50))
        places = {"first": 1, "middle": (pages + 1) // 2, "last": pages}
        return {depth: {**found, "p": str(places[depth])} for depth in DEPTHS if depth == "first" or pages > 2}

    def look(self, parameters: dict[str, str]) -> None:
        from django.test import RequestFactory

        request = RequestFactory().get("/admin/campaigns/sentmessage/", parameters)
        request.user = self.user
        response: Any = self.admin.changelist_view(request)
        assert response.status_code == 200, (response.status_code, parameters)
        response.render()


def _epoch() -> Any:
    from datetime import UTC, datetime

    return datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True)
class Timed:
    """Milliseconds for a page: by the clock, and of the processor, in this process and in PostgreSQL's for it."""

    by_the_clock: float
    of_the_processor: float
    queries: int


def timed(look: Callable[[dict[str, str]], None], parameters: dict[str, str], runs: int) -> Timed:
    """The median by the clock and the mean of the processor; how many queries were about the log."""
    from django.db import connection
    from django.test.utils import CaptureQueriesContext

    with CaptureQueriesContext(connection) as captured:
        began, used = time.perf_counter(), _processor_seconds()
        look(parameters)
        taken, used = [time.perf_counter() - began], _processor_seconds() - used
    queries = sum("campaigns_sentmessage" in query["sql"] for query in captured.captured_queries)
    if taken[0] < PATIENCE_SECONDS / runs:
        taken, used = [], _processor_seconds()
        for _run in range(runs):
            began = time.perf_counter()
            look(parameters)
            taken.append(time.perf_counter() - began)
        used = (_processor_seconds() - used) / runs
    return Timed(1000 * statistics.median(taken), 1000 * used, queries)


def _processor_seconds() -> float:
    """Of this process, and of the server's for it where it runs on this machine, without its helpers."""
    from django.db import connection

    used = time.process_time()
    if connection.vendor == "postgresql" and connection.connection is not None:
        status = Path(f"/proc/{connection.connection.info.backend_pid}/stat")
        if status.exists():
            fields = status.read_text().rpartition(")")[2].split()
            used += (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
    return used


# --- the figures -----------------------------------------------------------------------------------------------


def measure(rows: int, runs: int, compared: str) -> None:
    chosen = {"all": set(FILTERS), "some": COMPARED, "none": set()}[compared]
    ours, stock = OurReader(), StockReader()
    ours.look({})  # templates are read once
    heads = ("page", "queries", "clock ms", "cpu ms", "stock clock", "stock cpu", "ratio")
    print(f"{'':<26}" + "".join(f"{head:>12}" for head in heads), flush=True)
    for name, parameters in FILTERS.items():
        mine = ours.pages(parameters)
        theirs = stock.pages(parameters) if name in chosen else {}
        for depth in DEPTHS:
            if depth not in mine:
                continue
            own = timed(ours.look, mine[depth], runs)
            cells = [depth, str(own.queries), f"{own.by_the_clock:.0f}", f"{own.of_the_processor:.0f}"]
            if depth in theirs:
                other = timed(stock.look, theirs[depth], 1 if rows > 1_000_000 else min(runs, 3))
                ratio = other.by_the_clock / own.by_the_clock
                cells += [f"{other.by_the_clock:,.0f}", f"{other.of_the_processor:,.0f}", f"{ratio:.0f}"]
            print(f"{name:<26}" + "".join(f"{cell:>12}" for cell in cells), flush=True)


def export(kind: str) -> None:
    """A campaign of a hundredth of the log, in one go, in a process of its own."""
    from campaigns import bulk
    from campaigns.models import BulkAction, SentMessage

    began = time.time()
    last = SentMessage.objects.order_by("-pk").values_list("pk", flat=True)[0]
    selection = {"filters": {"campaign__id__exact": ["5"]}, "up_to": last}
    action = bulk.start("export", "sentmessage", selection, total=0, parameters={"format": kind})
    bulk.run(action.pk)
    done = BulkAction.objects.get(pk=action.pk)
    assert done.status == "done", done.problem
    bulk.OPERATIONS["export"].discard(done)
    measuring.report(done.done_count, began)


def sizes() -> None:
    from django.db import connection

    if connection.vendor != "postgresql":
        return
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT indexrelname, pg_size_pretty(pg_relation_size(indexrelid)) FROM pg_stat_user_indexes "
            "WHERE relname = 'campaigns_sentmessage' ORDER BY pg_relation_size(indexrelid) DESC"
        )
        print("\n" + "\n".join(f"{name:<40}{size}" for name, size in cursor.fetchall()), flush=True)


STEPS = ("prepare", "measure", "export-csv", "export-xlsx", "sizes")


def run_step(step: str, arguments: argparse.Namespace) -> None:
    import django
    from django.conf import settings

    django.setup()
    settings.DEBUG = False
    settings.ALLOWED_HOSTS = ["*"]
    if step == "prepare":
        prepare(arguments.rows)
    elif step == "measure":
        measure(arguments.rows, arguments.runs, arguments.stock)
    elif step == "sizes":
        sizes()
    else:
        export(step.removeprefix("export-"))


def bench(url: str, title: str, rows: int, arguments: argparse.Namespace) -> None:
    """One database."""
    print(f"\n{title}, {rows:,} rows", flush=True)
    options = ["--rows", str(rows), "--runs", str(arguments.runs), "--stock", arguments.stock]
    began = time.time()
    if not os.environ.get("BENCH_KEEP"):
        _run(url, "prepare", options)
        print(f"made in {time.time() - began:,.0f} s", flush=True)
    for step in ("measure", "sizes"):
        _run(url, step, options)
    for kind in ("csv", "xlsx"):
        done = measuring.run_step(__file__, url, f"export-{kind}", *options)
        print(f"export as {kind}: {done.rows:,} rows, {done.rate:,.0f} rows/s, {done.peak_mb:.0f} MB", flush=True)


def _run(url: str, step: str, options: list[str]) -> None:
    environment = {
        **os.environ, "DATABASE_URL": url, "PYTHONPATH": str(measuring.BASE_DIR), "DJANGO_DEBUG": "1"
    }  # fmt: skip
    subprocess.run([sys.executable, __file__, "--step", step, *options], env=environment, check=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("--rows", type=int, default=10_000_000)
    parser.add_argument("--sqlite-rows", type=int, default=1_000_000)
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--only", choices=["postgresql", "sqlite"])
    parser.add_argument("--stock", choices=["all", "some", "none"], default="some", help="what to compare with")
    parser.add_argument("--step", choices=STEPS, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.step:
        run_step(arguments.step, arguments)
        return
    if arguments.only != "sqlite":
        with measuring.postgresql_database() as url:
            if url is None:
                print("PostgreSQL is not installed here: its figures are skipped.")
            else:
                bench(url, "PostgreSQL", arguments.rows, arguments)
    if arguments.only != "postgresql":
        with measuring.sqlite_database() as url:
            bench(url, "SQLite", arguments.sqlite_rows, arguments)


if __name__ == "__main__":
    main()
