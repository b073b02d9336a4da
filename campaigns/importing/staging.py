"""Storing judged rows, as fast as the database takes them."""

from __future__ import annotations

import itertools
import json
import re
from collections.abc import Iterable
from typing import NamedTuple

from django.db import connection

from campaigns.models import ContactImportRow

#: Letters as they are: half as long for the database to read as their escapes.
as_json = json.JSONEncoder(ensure_ascii=False, check_circular=False).encode

#: Between cells and instead of NULL: characters that no file has, since they are taken out of every cell.
_SEPARATOR, _NULL = "\x1f", "\x1e"
_ROWS_AT_ONCE = 200
_SPECIAL = re.compile(r"[\\\n\r]")


class Judged(NamedTuple):
    """A row as it is stored: the fields of ContactImportRow by the same names, JSON as text."""

    number: int
    kind: str
    phone_number: str = ""
    region: str = ""
    time_zone: str = ""
    values: str = "{}"
    cells: str = "[]"
    column: str = ""
    reason: str = ""
    remark: str = ""
    file_number: str = ""
    opted_out: bool = False
    before: str = "{}"
    written: str | None = None


def store(contact_import_id: int, rows: Iterable[Judged]) -> None:
    """Call it inside a transaction. `rows` are taken as the database takes them, and must not ask it anything."""
    table = ContactImportRow._meta.db_table
    columns = ", ".join(connection.ops.quote_name(name) for name in ("contact_import_id", *Judged._fields))
    if connection.vendor == "postgresql":
        statement = f"COPY {table} ({columns}) FROM STDIN WITH (DELIMITER E'\\x1f', NULL E'\\x1e')"
        with connection.wrap_database_errors, connection.cursor() as cursor, cursor.copy(statement) as copy:
            lines = (_line(contact_import_id, row) for row in rows)
            while some := "".join(itertools.islice(lines, _ROWS_AT_ONCE)):
                copy.write(some)
        return
    marks = ", ".join(["%s"] * (1 + len(Judged._fields)))
    with connection.cursor() as cursor:
        cursor.executemany(
            f"INSERT INTO {table} ({columns}) VALUES ({marks})",  # noqa: S608
            [(contact_import_id, *row) for row in rows],
        )


def _line(contact_import_id: int, row: Judged) -> str:
    """A row in the text format of COPY. https://www.postgresql.org/docs/current/sql-copy.html"""
    number, *texts, opted_out, before, written = row
    cells = (str(contact_import_id), str(number), *texts, "t" if opted_out else "f", before, written or _NULL)
    line = _SEPARATOR.join(cells)
    if _SPECIAL.search(line):
        line = line.replace("\\", r"\\").replace("\n", r"\n").replace("\r", r"\r")
    return line + "\n"
