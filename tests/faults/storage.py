"""The database of an installation as the tests see it: beside the product, with SQL of their own."""

from __future__ import annotations

import contextlib
import sqlite3
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

import psycopg


@dataclass(frozen=True)
class Storage:
    """Where an installation keeps its data and its queue, and how to lose the queue."""

    database_url: str
    redis_url: str
    _empty_redis: Callable[[], None] | None = None
    #: What can happen to its servers, each back again after the call. SQLite has none.
    outages: Mapping[str, Callable[[], None]] = field(default_factory=dict)

    @property
    def variables(self) -> dict[str, str]:
        return {"DATABASE_URL": self.database_url, "REDIS_URL": self.redis_url}

    def rows(self, query: str) -> list[tuple[Any, ...]]:
        with self._cursor() as cursor:
            return list(cursor.execute(query).fetchall())

    def value(self, query: str) -> Any:
        """The first column of the first row; None when there is no row."""
        rows = self.rows(query)
        return rows[0][0] if rows else None

    def execute(self, statement: str) -> int:
        """Changes what no command of the product would, and returns how many rows that were."""
        with self._cursor() as cursor:
            return int(cursor.execute(statement).rowcount)

    def empty_queue(self) -> None:
        """Lose every task that waits."""
        if self._empty_redis:
            self._empty_redis()
        else:
            self.execute("DELETE FROM django_q_ormq")

    def is_locked(self) -> bool:
        """Whether somebody is inside a transaction, on SQLite one that writes."""
        if urlsplit(self.database_url).scheme != "sqlite":
            others = "datname = current_database() AND pid <> pg_backend_pid() AND backend_type = 'client backend'"
            return bool(self.value(f"SELECT count(*) FROM pg_stat_activity WHERE {others} AND state <> 'idle'"))
        with contextlib.closing(sqlite3.connect(urlsplit(self.database_url).path, timeout=0)) as connection:
            try:
                connection.execute("BEGIN IMMEDIATE")
            except sqlite3.OperationalError:
                return True
            return False

    @contextlib.contextmanager
    def write_lock(self) -> Iterator[None]:
        """Nobody else writes to the messages meanwhile; on SQLite, to anything."""
        with self._cursor() as cursor:
            if urlsplit(self.database_url).scheme == "sqlite":
                cursor.execute("BEGIN IMMEDIATE")
            else:
                cursor.execute("LOCK TABLE campaigns_sentmessage IN EXCLUSIVE MODE")
            yield

    @contextlib.contextmanager
    def _cursor(self) -> Iterator[Any]:
        url = urlsplit(self.database_url)
        connection: Any
        if url.scheme == "sqlite":
            connection = sqlite3.connect(url.path, timeout=30)
        else:
            connection = psycopg.connect(self.database_url)
        with contextlib.closing(connection), connection:
            yield connection.cursor()
