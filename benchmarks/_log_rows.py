"""
Rows of the delivery log to measure with, made inside the database: by the million in a minute or two.

`unhindered()` and `insert()` serve any shape of log; `make_log()` is the one of `log.py`.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

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


@contextmanager
def unhindered() -> Iterator[Any]:
    """
    A cursor to fill the log with: no triggers and, until all is there, no indexes; the database knows what there is.

    The figures are counted by `kept_figures.ensure()` and `past_days`, by whoever needs them.
    """
    from django.db import connection

    from campaigns import kept_figures

    kept_figures.stop_keeping()
    is_postgresql = connection.vendor == "postgresql"
    with connection.cursor() as cursor:
        if is_postgresql:
            cursor.execute("SET session_replication_role = replica")
            cursor.execute("SET synchronous_commit = off")
            cursor.execute("SET maintenance_work_mem = '1GB'")
        again = list(_drop_indexes(cursor, connection.vendor))
        yield cursor
        for statement in again:
            cursor.execute(statement)
        if is_postgresql:
            for table in ("campaigns_sentmessage", "campaigns_contact"):
                newest = f"SELECT COALESCE(MAX(id), 1) FROM {table}"
                cursor.execute(f"SELECT setval(pg_get_serial_sequence('{table}', 'id'), ({newest}))")
            cursor.execute("SET session_replication_role = DEFAULT")
        cursor.execute("VACUUM ANALYZE" if is_postgresql else "ANALYZE")


def insert(model: Any, values: dict[str, str], source: str) -> str:
    """INSERT ... SELECT these values of each row of `source`; fields that are not named get the model's default."""
    from django.db import connection

    given = dict(values)
    for field in model._meta.concrete_fields:
        if not field.primary_key and field.column not in given:
            default = field.get_db_prep_save(field.get_default(), connection)
            given[field.column] = _literal(default, connection.vendor)
    columns = ", ".join(f'"{name}"' for name in given)
    return f"INSERT INTO {model._meta.db_table} ({columns}) SELECT {', '.join(given.values())} FROM ({source}) AS made"


def make_log(rows: int) -> None:
    """Campaigns of very different sizes, and so many messages."""
    from django.db import connection

    from campaigns.models import Campaign

    Campaign.objects.bulk_create(
        Campaign(pk=n, name=f"Campaign {n}", body="Hello", status="completed") for n in range(1, len(SHARES) + 1)
    )
    contacts = rows // 10
    with unhindered() as cursor:
        cursor.execute(_contacts(connection.vendor, contacts))
        for campaign, share in enumerate(SHARES, 1):
            cursor.execute(_messages(connection.vendor, campaign, rows * share // 1000, contacts))


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
    return insert(Contact, given, _series(vendor, rows))


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
    return insert(SentMessage, given, _series(vendor, rows))
