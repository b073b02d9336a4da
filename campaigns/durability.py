"""Keeps an installation from sending on a database that may forget, after a power cut, what it has said is stored."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from django.core.checks import CheckMessage, Error
from django.core.exceptions import ImproperlyConfigured
from django.db import connection, connections

#: As this connection sees them, whoever set them: the server, the database, the role or the connection itself.
_POSTGRESQL = {
    "fsync": "Set fsync = on in postgresql.conf and reload the server.",
    "synchronous_commit": (
        "Set synchronous_commit = on in postgresql.conf, and take it off the role, the database (ALTER ROLE or ALTER "
        "DATABASE ... RESET synchronous_commit) and DATABASE_URL."
    ),
}
_SQLITE_FULL = 2
WHY = "An intent that a power cut takes back would be a text sent twice."


def durability_problems(alias: str = "default") -> list[tuple[str, str]]:
    """What is switched off that must not be, each with what to change. Asks the database."""
    database = connections[alias]
    with database.cursor() as cursor:
        if database.vendor == "postgresql":
            cursor.execute("SELECT name, setting FROM pg_settings WHERE name = ANY(%s)", [list(_POSTGRESQL)])
            off = sorted(name for name, setting in cursor.fetchall() if setting == "off")
            return [(f"PostgreSQL runs with {name} = off.", _POSTGRESQL[name]) for name in off]
        if database.vendor == "sqlite":
            cursor.execute("PRAGMA synchronous")
            level = cursor.fetchone()[0]
            if level < _SQLITE_FULL:
                advice = "Take `PRAGMA synchronous` out of the database's options, or set it to FULL (2) or EXTRA (3)."
                return [(f"SQLite runs with PRAGMA synchronous = {level}.", advice)]
    return []


def commit_without_waiting() -> None:
    """
    Let the transaction that is open end before it is on the disk: after a power cut it may never have been.

    Only for what is then done again from where it was, and never for anything about sending.
    """
    if connection.vendor == "postgresql":
        with connection.cursor() as cursor:
            cursor.execute("SET LOCAL synchronous_commit TO off")


def refuse_undurable_database() -> None:
    """Raises ImproperlyConfigured when the database may forget. Called by whatever starts sending."""
    problems = durability_problems()
    if problems:
        raise ImproperlyConfigured(" ".join([*(part for problem in problems for part in problem), WHY]))


def check_durability(databases: Sequence[str] | None = None, **kwargs: Any) -> list[CheckMessage]:
    """The same as a system check of databases: with `migrate`, and with `check --database default`."""
    if "default" not in (databases or ()):
        return []
    return [Error(f"{problem} {WHY}", hint=advice, id="campaigns.E003") for problem, advice in durability_problems()]
