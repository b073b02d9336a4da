"""Contacts to measure with, made inside the database by SQL that PostgreSQL and SQLite both understand."""

from __future__ import annotations

from typing import Any

#: Spread over the numbers of a Russian mobile operator, in no order; and one after the other.
SCATTERED = "'+7' || (9000000000 + (n * 7919) % 1000000000)"
IN_ORDER = "'+7' || (9000000000 + n)"
ATTRIBUTES = (
    """'{"city": "City ' || (n % 100) || '", "street": "Street ' || (n % 100000) || '", "age": ' || (n % 100) || '}'"""
)


def make_contacts(
    contacts: int,
    *,
    number: str = IN_ORDER,
    first_name: str = "'First ' || (n % 1000)",
    time_zone: str = "'Europe/Moscow'",
    consent: str = "unknown",
) -> None:
    """Insert so many. `number`, `first_name` and `time_zone` are SQL; in it `n` counts from one."""
    is_postgresql = _vendor() == "postgresql"
    numbers = (
        f"SELECT generate_series(1, {contacts}::bigint) AS n"
        if is_postgresql
        else f"WITH RECURSIVE s(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM s WHERE n < {contacts}) SELECT n FROM s"
    )
    cast = "::jsonb" if is_postgresql else ""
    _run(
        "INSERT INTO campaigns_contact (phone_number, first_name, last_name, email, language, region, time_zone, "
        "attributes, consent, consent_source, consent_evidence, created_at, updated_at) "
        f"SELECT {number}, {first_name}, 'Name ' || n, '', 'ru', 'RU', {time_zone}, ({ATTRIBUTES}){cast}, "
        f"'{consent}', '', '', {_now()}, {_now()} FROM ({numbers}) AS numbers"
    )


def put_into(group: int, which: str = "1 = 1") -> None:
    """Put the contacts for which this SQL is true into a group."""
    _run(
        "INSERT INTO campaigns_contact_groups (contact_id, contactgroup_id) "
        f"SELECT id, {group} FROM campaigns_contact WHERE {which}"
    )


def opt_out(which: str) -> None:
    """The contacts for which this SQL is true have opted out."""
    _run(
        "INSERT INTO campaigns_optout (phone_number, canonical_number, opted_out_at, source, note) "
        f"SELECT phone_number, phone_number, {_now()}, 'operator', '' FROM campaigns_contact WHERE {which}"
    )


def settle() -> None:
    """The database knows how many rows there are, as it does some time after they came."""
    _run("VACUUM ANALYZE" if _vendor() == "postgresql" else "ANALYZE")


def _now() -> str:
    return "now()" if _vendor() == "postgresql" else "strftime('%Y-%m-%d %H:%M:%f', 'now')"


def _vendor() -> str:
    from django.db import connection

    return connection.vendor


def _run(statement: str) -> Any:
    from django.db import connection

    with connection.cursor() as cursor:
        cursor.execute(statement)
