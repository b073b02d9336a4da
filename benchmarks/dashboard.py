"""
The dashboard at the size it is made for, beside the same figures counted as a stock admin page would count them.

    python benchmarks/dashboard.py [--rows 10000000] [--changed 1000000] [--runs 7]

PostgreSQL only. The messages are written in sets, sixty days of them through three gateways to twelve countries, and
the figures by the product's own code: the recount of an upgrade over all of them, then the triggers and the folding
while some of them are delivered, in requests of 500. At the end they are compared with a count of the whole log.
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")
os.environ.setdefault("SMS_BACKEND", "sms_backends.providers.dummy.SmsBackend")

from benchmarks import _log_rows as log_rows
from benchmarks import _measuring as measuring

CAMPAIGNS = 240
DAYS = 60
REQUEST = 500
COUNTRIES = "{RU,KZ,DE,GB,FR,ES,IT,PL,US,UA,UZ,TR}"
GATEWAYS = "{default,backup,third}"
#: Of a thousand: state. What is left was delivered.
STATES = ((0, 60, "sent"), (60, 85, "undelivered"), (85, 95, "expired"), (95, 110, "rejected"), (110, 115, "failed"))
REASONS = {
    "undelivered": "{unreachable_temporary,no_service,unknown_subscriber}",
    "expired": "{expired}",
    "rejected": "{invalid_number,barred,spam_filtered}",
    "failed": "{too_late,retries_used}",
}


# --- making the rows -------------------------------------------------------------------------------------------


def write_log(rows: int) -> None:
    """So many messages."""
    from campaigns.models import Campaign

    Campaign.objects.bulk_create(
        Campaign(pk=n, name=f"Campaign {n}", body="Hello", status="completed") for n in range(1, CAMPAIGNS + 1)
    )
    Campaign.objects.update(launched_at="2026-01-01T00:00Z")
    with log_rows.unhindered() as cursor:
        cursor.execute(_insert(rows))


def _insert(rows: int) -> str:
    """Each campaign within one day; everything else spread by a multiplier that meets every value."""
    from campaigns.models import SentMessage

    state = " ".join(f"WHEN state BETWEEN {low} AND {high - 1} THEN '{name}'" for low, high, name in STATES)
    reason = " ".join(
        f"WHEN state BETWEEN {low} AND {high - 1} THEN ('{REASONS[name]}'::text[])"
        f"[1 + n % {REASONS[name].count(',') + 1}]"
        for low, high, name in STATES
        if name in REASONS
    )
    taken = "state NOT BETWEEN 95 AND 114"
    said = f"{taken} AND gateway = 'default'"
    values = {
        "campaign_id": "campaign",
        "phone_number": "'+7' || lpad(n::text, 10, '0')",
        "canonical_number": "'+7' || lpad(n::text, 10, '0')",
        "body": "'Hello'",
        "segment_count": "1 + n % 2",
        "region": "region",
        "gateway": "gateway",
        "status": f"CASE {state} ELSE 'delivered' END",
        "reason": f"CASE {reason} ELSE '' END",
        "day": "at::date",
        "created_at": "at",
        "sent_at": f"CASE WHEN {taken} THEN at END",
        "status_at": "at + (CASE WHEN n % 40 = 0 THEN 5000 ELSE 2 + n % 90 END) * interval '1 second'",
        "price": "0.025",
        "cost": f"CASE WHEN {said} THEN 0.03 END",
        "currency": f"CASE WHEN {said} THEN 'EUR' ELSE '' END",
    }
    made = (
        f"SELECT n, campaign, (n * 7919) % 1000 AS state, ('{COUNTRIES}'::text[])[1 + n * 31 % 12] AS region, "
        f"('{GATEWAYS}'::text[])[1 + campaign % 3] AS gateway, "
        f"date_trunc('day', now()) - ((campaign - 1) / {CAMPAIGNS // DAYS}) * interval '1 day' "
        "+ (8 * 3600 + n % 36000) * interval '1 second' AS at "
        f"FROM (SELECT n::bigint AS n, (1 + (n - 1) * {CAMPAIGNS} / {rows})::int AS campaign "
        f"FROM generate_series(1::bigint, {rows}) AS n) AS numbered"
    )
    return log_rows.insert(SentMessage, values, made)


def deliver(rows: int) -> int:
    """As receipts do it, in sets: some of what is `sent` is delivered; folded every few seconds' worth of it."""
    from django.utils import timezone

    from campaigns import day_figures, kept_figures
    from campaigns.models import SentMessage

    ids = list(SentMessage.objects.filter(status="sent").order_by("-pk").values_list("pk", flat=True)[:rows])
    for start in range(0, len(ids), REQUEST):
        some = SentMessage.objects.filter(pk__in=ids[start : start + REQUEST])
        some.update(status="delivered", status_at=timezone.now())
        if start // REQUEST % 20 == 0:
            kept_figures.fold()
    kept_figures.fold()
    day_figures.close_days()
    return len(ids)


# --- the figures -----------------------------------------------------------------------------------------------


def timed(work: Callable[[], Any]) -> tuple[float, Any]:
    began = time.perf_counter()
    answer = work()
    return time.perf_counter() - began, answer


def median_ms(work: Callable[[], Any], runs: int) -> float:
    work()
    return 1000 * statistics.median(timed(work)[0] for _run in range(runs))


def count_as_usual(days: int) -> None:
    """What a page without kept figures would ask of the log for the same tables and tiles."""
    from datetime import timedelta

    from django.db.models import Avg, Count, F, Sum

    from campaigns.models import OptOut, SentMessage
    from campaigns.spent import today

    rows = SentMessage.objects.filter(day__gt=today() - timedelta(days=days)).order_by()
    list(rows.values("day", "status").annotate(n=Count("pk")))
    for key in ("gateway", "region"):
        list(rows.values(key, "status").annotate(n=Count("pk"), took=Avg(F("status_at") - F("sent_at"))))
    list(rows.values("status", "reason").annotate(n=Count("pk")))
    list(rows.values("currency").annotate(cost=Sum("cost"), expected=Sum("price"), segments=Sum("segment_count")))
    OptOut.objects.count()


def measure(runs: int) -> None:
    from django.db import connection
    from django.test import Client
    from django.test.utils import CaptureQueriesContext

    from campaigns.dashboard import PERIODS
    from campaigns.models import User

    client = Client()
    client.force_login(User.objects.create_superuser("bench", password="bench"))
    print(f"\n{'period':<12}{'page ms':>10}{'fragment':>10}{'queries':>9}{'counted':>12}{'ratio':>9}")
    for period, days in PERIODS.items():
        connection.ensure_connection()
        with CaptureQueriesContext(connection) as asked:
            assert client.get("/admin/", {"period": period}).status_code == 200
        queries = len(asked)  # the next request forgets them

        def page(path: str = "/admin/", period: str = period) -> None:
            assert client.get(path, {"period": period}).status_code == 200

        shown, fragment = median_ms(page, runs), median_ms(lambda: page("/admin/dashboard/"), runs)
        counted = 1000 * statistics.median(timed(lambda days=days: count_as_usual(days))[0] for _run in range(3))
        print(
            f"{period:<12}{shown:>10.1f}{fragment:>10.1f}{queries:>9}{counted:>12,.0f}{counted / shown:>8.0f}x",
            flush=True,
        )


def portions_ms() -> list[float]:
    """How long whoever changes messages waits for each portion of the past."""
    from campaigns import past_days

    found, is_more = [], True
    while is_more:
        seconds, is_more = timed(past_days.count_portion)
        found.append(1000 * seconds)
    return found


def run(rows: int, changed: int, runs: int) -> None:
    import django
    from django.conf import settings
    from django.core.management import call_command
    from django.db import connection

    django.setup()
    settings.DEBUG = False
    settings.ALLOWED_HOSTS = ["*"]
    from campaigns import kept_figures
    from campaigns.models import DayFigure, Figure

    call_command("migrate", verbosity=0)
    print(f"PostgreSQL, {rows:,} messages written in {timed(lambda: write_log(rows))[0]:.0f} s", flush=True)
    seconds, _made = timed(kept_figures.ensure)
    print(f"recount inside an upgrade, where the triggers were gone: {seconds:.1f} s", flush=True)
    portions = portions_ms()
    print(
        f"days in the background: {sum(portions) / 1000:.1f} s in {len(portions)} portions, of which the longest took "
        f"{max(portions):.0f} ms; {Figure.objects.count():,} + {DayFigure.objects.count():,} rows",
        flush=True,
    )
    seconds, delivered = timed(lambda: deliver(changed))
    print(f"{delivered:,} of them delivered, triggers and folding included: {delivered / seconds:,.0f} a second")
    print(f"one more folding: {1000 * timed(kept_figures.fold)[0]:.1f} ms", flush=True)
    with connection.cursor() as cursor:
        cursor.execute("VACUUM ANALYZE")  # as the server does by itself
    measure(runs)
    seconds, found = timed(kept_figures.differences)
    print(f"\ncompared with a count of the whole log in {seconds:.1f} s: {len(found)} differences")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=10_000_000)
    parser.add_argument("--changed", type=int, default=1_000_000)
    parser.add_argument("--runs", type=int, default=7)
    parser.add_argument("--inside", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.inside:
        run(options.rows, options.changed, options.runs)
        return
    with measuring.postgresql_database() as url:
        if url is None:
            print("PostgreSQL: skipped, it is not installed here and BENCH_DATABASE_URL names none.")
            return
        # In a process that has known no other database.
        environment = {**os.environ, "DATABASE_URL": url, "DJANGO_DEBUG": "1"}
        subprocess.run([sys.executable, *sys.argv, "--inside"], env=environment, check=True)


if __name__ == "__main__":
    main()
