"""
Statements that Django compiles once and the engine runs thousands of times with other values.

Building the query of an intent costs Django more time than the database needs for sixteen rows of it. A statement is
built from a queryset as usual, with a `Mark` wherever the value differs from call to call.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any, cast

from django.db import connection
from django.db.models import BooleanField, Expression, F, Field, Func, Model, QuerySet, TextField, Value
from django.db.models.functions import Cast, Concat
from django.db.models.sql import UpdateQuery


@dataclass(frozen=True, slots=True)
class _Marked:
    """Stands among the parameters of a compiled statement for a value that is given when it is run."""

    name: str


class Mark(Expression):
    """A value that is given later, by this name, as text or number that every database casts to the column's type."""

    def __init__(self, name: str, output_field: Field[Any, Any] | None = None) -> None:
        super().__init__(output_field=output_field or TextField())
        self.name = name

    def as_sql(self, compiler: Any, connection: Any) -> tuple[str, list[Any]]:
        return "%s", [_Marked(self.name)]


class Among(Func):
    """A condition: the field (the primary key) is one of those in `Mark(name)`, which `listed()` makes fit for it."""

    conditional = True

    def __init__(self, name: str, field: str = "pk") -> None:
        super().__init__(F(field), Mark(name), output_field=BooleanField())

    def as_sqlite(self, compiler: Any, connection: Any, **extra: Any) -> Any:
        return super().as_sql(
            compiler,
            connection,
            template="(%(expressions)s)))",
            arg_joiner=" IN (SELECT value FROM json_each(",
            **extra,
        )

    def as_postgresql(self, compiler: Any, connection: Any, **extra: Any) -> Any:
        return super().as_sql(compiler, connection, template="(%(expressions)s))", arg_joiner=" = ANY(", **extra)


def listed(values: Iterable[int] | Iterable[str]) -> Any:
    """These numbers or texts as the value of an `Among`, however many they are."""
    return list(values) if connection.vendor == "postgresql" else json.dumps(list(values))


def text_of_key(name: str) -> Func:
    """For each row of an update the text that `Mark(name)`, a JSON object, holds under its primary key."""
    key = Cast(F("pk"), TextField())
    if connection.vendor == "postgresql":
        return Func(Mark(name), key, template="(%(expressions)s)", arg_joiner="::jsonb ->> ", output_field=TextField())
    path = Concat(Value('$."'), key, Value('"'), output_field=TextField())
    return Func(Mark(name), path, function="json_extract", output_field=TextField())


@dataclass(frozen=True, slots=True)
class Statement:
    """What Django made of a query. `run()` gives rows as the database driver reads them: ask for text and numbers."""

    text: str
    parameters: tuple[Any, ...]

    @classmethod
    def select(cls, rows: QuerySet[Any, Any]) -> Statement:
        """Of a `values_list()`. One that locks must be compiled, as it is run, inside a transaction."""
        return cls(*rows.query.get_compiler(connection=connection).as_sql())

    @classmethod
    def update(cls, rows: QuerySet[Model, Any], names: Iterable[str], **values: Any) -> Statement:
        """An update of rows of one table, not sliced, that returns the fields `names` of each, in no order."""
        query = cast(UpdateQuery, rows.order_by().query.chain(UpdateQuery))
        query.add_update_values(values)
        text, parameters = query.get_compiler(connection=connection).as_sql()
        fields = [rows.model._meta.get_field(name) for name in names]
        columns = ", ".join(connection.ops.quote_name(field.column) for field in fields)  # type: ignore[union-attr, arg-type]
        return cls(f"{text} RETURNING {columns}", tuple(parameters))

    def run(self, limit: int | None = None, **marked: Any) -> list[tuple[Any, ...]]:
        """
        All rows are read before this returns: on SQLite a RETURNING that is not read to its end is not committed.

        `limit` is for a select that was compiled without one.
        """
        parameters = [marked[one.name] if isinstance(one, _Marked) else one for one in self.parameters]
        with connection.cursor() as cursor:
            cursor.execute(self.text if limit is None else f"{self.text} LIMIT {limit:d}", parameters)
            return list(cursor.fetchall())


_known: dict[tuple[Any, ...], Statement] = {}


def compiled(build: Callable[..., Statement], *arguments: Any) -> Statement:
    """What `build(*arguments)` gives, built once in this process for each database and arguments."""
    key = (connection.vendor, build, *arguments)
    if key not in _known:
        _known[key] = build(*arguments)
    return _known[key]
