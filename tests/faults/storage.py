"""The database of an installation as the tests see it: beside the product, with SQL of their own."""

from __future__ import annotations

import contextlib
import sqlite3
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

import psycopg


@dataclass(frozen=True)
class Storage:
    """Where an installation keeps its data and its queue, and how to lose the queue."""

    database_url: str
    redis_url: str
    _empty_redis: Callable[[], None] | None = None

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
