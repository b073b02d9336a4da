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
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")
os.environ.setdefault("SMS_BACKEND", "sms_backends.providers.dummy.SmsBackend")

from benchmarks import _measuring as measuring

#: How the rows are spread over campaigns, in thousandths; the first has four of ten.
SHARES = (400, 200, 100, 100, 50, 50, 30, 30, 20, 15, 4, 1)
#: Below a ten-thousandth: state. What is left was delivered.
STATUSES = (
    (300, "sent"), (700, "undelivered"), (750, "expired"), (850, "rejected"), (900, "failed"), (1150, "suppressed"),
    (1165, "cancelled"), (1175, "unknown"), (1185, "queued"),
)  # fmt: skip
REASONS = {
    "undelivered": "unreachable_temporary",
    "expired": "expired",
    "rejected": "unknown_subscriber",
    "failed": "too_late",
    "suppressed": "opted_out",
    "unknown": "worker_lost",
}
#: The rarest reason and gateway: one row of so many.
RARE = 500_000
#: A page that takes longer is not asked for again.
PATIENCE_SECONDS = 20.0


# --- making the rows -------------------------------------------------------------------------------------------


def prepare(rows: int) -> None:
    """Campaigns and so many messages, in sets, without indexes and triggers until all are there."""
    from django.core.management import call_command
    from django.db import connection

    from campaigns import kept_figures
    from campaigns.models import Campaign

    call_command("migrate", verbosity=0)
    kept_figures.stop_keeping()
    Campaign.objects.bulk_create(
        Campaign(pk=n, name=f"Campaign {n}", body="Hello", status="completed") for n in range(1, len(SHARES) + 1)
    )
    with connection.cursor() as cursor:
        if connection.vendor == "postgresql":
            cursor.execute("SET session_replication_role = replica")
            cursor.execute("SET synchronous_commit = off")
            cursor.execute("SET maintenance_work_mem = '1GB'")
        contacts = rows // 10
        cursor.execute(_contacts(connection.vendor, contacts))
        again = list(_drop_indexes(cursor, connection.vendor))
        for campaign, share in enumerate(SHARES, 1):
            cursor.execute(_messages(connection.vendor, campaign, rows * share // 1000, contacts))
        for statement in again:
            cursor.execute(statement)
        if connection.vendor == "postgresql":
            for table in ("sentmessage", "contact"):
                name = f"campaigns_{table}"
                cursor.execute(f"SELECT setval(pg_get_serial_sequence('{name}', 'id'), (SELECT MAX(id) FROM {name}))")
            cursor.execute("SET session_replication_role = DEFAULT")
            cursor.execute("VACUUM ANALYZE")
        else:
            cursor.execute("ANALYZE")
    kept_figures.ensure()


def _drop_indexes(cursor: Any, vendor: str) -> Iterator[str]:
    """Drops those that can be made again, and gives the statements that do it."""
    if vendor == "postgresql":
        cursor.execute(
            "SELECT indexname, indexdef FROM pg_indexes WHERE tablename = 'campaigns_sentmessage' AND indexname NOT IN "
            "(SELECT conname FROM pg_constraint)"
        )
    else:
        cursor.execute(
            "SELECT name, sql FROM sqlite_master WHERE type = 'index' AND tbl_name = 'campaigns_sentmessage' "
            "AND sql IS NOT NULL"
        )
    for name, statement in cursor.fetchall():
        cursor.execute(f'DROP INDEX "{name}"')
        yield statement


def _series(vendor: str, rows: int) -> str:
    if vendor == "postgresql":
        return f"SELECT n::bigint AS n FROM generate_series(1, {rows}) AS n"
    numbered = f"WITH RECURSIVE c(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM c WHERE n < {rows}) SELECT n FROM c"
    return f"SELECT n FROM ({numbered})"


def _padded(vendor: str, width: int) -> str:
    return f"lpad(n::text, {width}, '0')" if vendor == "postgresql" else f"printf('%0{width}d', n)"


def _insert(vendor: str, model: Any, values: dict[str, str], rows: int) -> str:
    """INSERT ... SELECT of rows numbered n; fields that are not named get the model's default."""
    from django.db import connection

    for field in model._meta.concrete_fields:
        if not field.primary_key and field.column not in values:
            values[field.column] = _literal(field.get_db_prep_save(field.get_default(), connection), vendor)
    columns = ", ".join(f'"{name}"' for name in values)
    chosen = f"SELECT {', '.join(values.values())} FROM ({_series(vendor, rows)}) AS s"
    return f"INSERT INTO {model._meta.db_table} ({columns}) {chosen}"


def _literal(value: Any, vendor: str) -> str:
    if value is None:
        return "NULL"
    if isinstance(value, bool):
        return str(value).upper() if vendor == "postgresql" else str(int(value))
    if isinstance(value, (int, float)):
        return str(value)
    text = str(getattr(value, "adapted", getattr(value, "obj", value)))
    return "'" + text.replace("'", "''") + "'"


def _contacts(vendor: str, rows: int) -> str:
    from campaigns.models import Contact

    given = {
        "phone_number": f"'+79' || {_padded(vendor, 9)}",
        "first_name": "'Name ' || (n % 997)",
        "region": "'RU'",
        "attributes": """'{"city": "Kazan"}'""",
        "created_at": "CURRENT_TIMESTAMP",
        "updated_at": "CURRENT_TIMESTAMP",
    }
    return _insert(vendor, Contact, given, rows)


def _messages(vendor: str, campaign: int, rows: int, contacts: int) -> str:
    """A campaign of every month, frozen at twenty thousand rows a second."""
    from campaigns.models import SentMessage

    chance = "((n * 7919 + 13) % 10007)"
    status = " ".join(f"WHEN {chance} < {below} THEN '{name}'" for below, name in STATUSES)
    state = f"CASE {status} ELSE 'delivered' END"
    reason = " ".join(f"WHEN '{name}' THEN '{why}'" for name, why in REASONS.items())
    if vendor == "postgresql":
        at = f"timestamptz '2025-12-01 08:00+00' + interval '30 days' * {campaign - 1} + interval '0.1 s' * (n / 2000)"
    else:
        month = f"'2025-12-01 08:00:00', '+{30 * (campaign - 1)} days'"
        at = f"strftime('%Y-%m-%d %H:%M:%S', {month}, (n / 20000) || ' seconds')"
    backup = "WHEN (n * 4099 + 7) % 10009 < 400 THEN 'backup'"
    given = {
        "campaign_id": str(campaign),
        "contact_id": f"CASE WHEN n <= {contacts} THEN n END",
        "purpose": "'campaign'",
        "phone_number": f"'+79' || {_padded(vendor, 9)}",
        "canonical_number": f"'+79' || {_padded(vendor, 9)}",
        "body": "'Hello Anna, your order is ready. We are open until eight.'",
        "encoding": "'GSM-7'",
        "segment_count": "1",
        "region": "'RU'",
        "time_zone": "'Europe/Moscow'",
        "status": state,
        "reason": f"CASE WHEN n % {RARE} = 7 THEN 'spam_filtered' ELSE CASE {state} {reason} ELSE '' END END",
        "gateway": f"CASE WHEN n % {RARE} = 9 THEN 'old' {backup} ELSE 'default' END",
        "reference": f"'r{campaign}-' || n",
        "provider_message_id": f"'{campaign}' || {_padded(vendor, 9)}",
        "created_at": at,
        "status_at": at,
    }
    return _insert(vendor, SentMessage, given, rows)


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
