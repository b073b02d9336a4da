"""
Writing many new rows without a model instance for each.

Django's `bulk_create()` spends more time on its instances and parameters than the database on the rows.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime
from decimal import Decimal
from itertools import islice
from typing import Any

from django.db import connection, models

#: What the text format of COPY needs escaped. https://www.postgresql.org/docs/current/sql-copy.html
_ESCAPES = str.maketrans({"\\": r"\\", "\t": r"\t", "\n": r"\n", "\r": r"\r"})
#: Rows that are handed to the server at a time.
PORTION = 100


def bulk_insert(
    model: type[models.Model], names: Sequence[str], rows: Iterable[Sequence[str | int | Decimal | None]], **same: Any
) -> None:
    """
    Insert rows: each holds the values of the fields called `names` (text, numbers, booleans or None).

    `same` are the values that all rows have alike, of any type but JSON; fields named in neither get the model's
    default. Signals and `save()` are not called, keys are not returned. Raises IntegrityError like any INSERT; call it
    inside a transaction.
    """
    own = [model._meta.get_field(name) for name in names]
    alike = [field for field in model._meta.concrete_fields if not field.primary_key and field not in own]
    values = [
        field.get_db_prep_save(same.get(field.name, same.get(field.attname, field.get_default())), connection)
        for field in alike
    ]
    table = connection.ops.quote_name(model._meta.db_table)
    columns = ", ".join(connection.ops.quote_name(field.column) for field in [*alike, *own])  # type: ignore[union-attr, arg-type]
    if connection.vendor == "postgresql":
        _copy(f"COPY {table} ({columns}) FROM STDIN", values, rows)
        return
    marks = ", ".join(["%s"] * (len(alike) + len(own)))
    with connection.cursor() as cursor:
        cursor.executemany(
            f"INSERT INTO {table} ({columns}) VALUES ({marks})",  # noqa: S608
            [(*values, *row) for row in rows],
        )


def _copy(statement: str, alike: Sequence[Any], rows: Iterable[Sequence[Any]]) -> None:
    start = "".join(f"{_copied(value)}\t" for value in alike)
    waiting = iter(rows)
    with (
        connection.wrap_database_errors,
        connection.cursor() as cursor,
        cursor.copy(statement) as copy,
    ):
        # Portion by portion: the server stores one while the next is written out.
        while portion := list(islice(waiting, PORTION)):
            copy.write("".join([f"{start}{_line(row)}\n" for row in portion]))


def _line(row: Sequence[Any]) -> str:
    """A row in the text format of COPY. Hardly any value needs an escape, so all are looked through at once."""
    line = "\t".join([value if value.__class__ is str else _text(value) for value in row])
    if line.count("\\") != row.count(None) or line.count("\t") >= len(row) or "\n" in line or "\r" in line:
        return "\t".join(map(_copied, row))
    return line


def _copied(value: Any) -> str:
    """A value in the text format of COPY."""
    return _text(value) if value is None else _text(value).translate(_ESCAPES)


def _text(value: Any) -> str:
    if value is None:
        return r"\N"
    return value.isoformat() if isinstance(value, datetime) else str(value)
