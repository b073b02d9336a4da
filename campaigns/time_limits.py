"""A query that somebody waits for is ended by the database after a time, instead of holding both up."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from django.db import OperationalError, connection, transaction

#: Steps of SQLite's virtual machine between two looks at the clock.
_SQLITE_STEPS = 20_000
#: https://www.postgresql.org/docs/current/errcodes-appendix.html: query_canceled
_POSTGRESQL_CANCELLED = "57014"


class TookTooLong(Exception):
    """The database was stopped; nothing was read."""


@contextmanager
def time_limit(seconds: float) -> Iterator[None]:
    """
    Whatever is asked within is ended after `seconds`, each statement for itself; TookTooLong is raised then.

    Only for reading. All of it sees one moment, unless a transaction is open already.
    """
    limit = _on_postgresql if connection.vendor == "postgresql" else _on_sqlite
    with limit(seconds):
        yield


@contextmanager
def _on_postgresql(seconds: float) -> Iterator[None]:
    was_inside = connection.in_atomic_block
    # What is stopped after a second must not be compiled for as long.
    limited = {"statement_timeout": f"{int(seconds * 1000)}ms", "jit": "off"}
    try:
        with transaction.atomic():
            if not was_inside:
                with connection.cursor() as cursor:
                    cursor.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")
            before = _set(limited)
            yield
            if was_inside:  # else the settings end with the transaction
                _set(before)
    except OperationalError as error:
        if getattr(error.__cause__, "sqlstate", None) == _POSTGRESQL_CANCELLED:
            raise TookTooLong from error
        raise


def _set(values: dict[str, str]) -> dict[str, str]:
    """For the rest of the transaction; what was set before."""
    before = ", ".join(f"current_setting('{name}')" for name in values)
    now = ", ".join(f"set_config('{name}', %s, true)" for name in values)
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT {before}, {now}", list(values.values()))
        return dict(zip(values, cursor.fetchone(), strict=False))


@contextmanager
def _on_sqlite(seconds: float) -> Iterator[None]:
    connection.ensure_connection()
    database: Any = connection.connection
    deadline = time.monotonic() + seconds
    database.set_progress_handler(lambda: time.monotonic() > deadline, _SQLITE_STEPS)
    try:
        with _one_moment_on_sqlite():
            yield
    except OperationalError as error:
        if "interrupted" in str(error):
            raise TookTooLong from error
        raise
    finally:
        database.set_progress_handler(None, 0)


@contextmanager
def _one_moment_on_sqlite() -> Iterator[None]:
    """A transaction that only reads: Django's own would keep everybody else from writing."""
    if connection.in_atomic_block:
        yield
        return
    with connection.cursor() as cursor:
        cursor.execute("BEGIN DEFERRED")
        try:
            yield
        finally:
            cursor.execute("ROLLBACK")
