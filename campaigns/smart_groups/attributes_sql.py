"""A contact's attribute as PostgreSQL and SQLite read it. Names are compared in their usual spellings."""

from __future__ import annotations

import json
from typing import Any

from django.db.models import F, Field, FloatField, Func, TextField

#: What is a number when it is stored as text, and what is a date.
_NUMBER = r"^\s*[-+]?[0-9]{1,15}([.][0-9]{1,15})?\s*$"
_DATE = r"^[0-9]{4}-[0-9]{2}-[0-9]{2}"


def spellings(name: str) -> list[str]:
    """The spellings of a name that are looked for: as it is written, and small, first or all letters capital."""
    return list(dict.fromkeys([name, name.casefold(), name.capitalize(), name.upper()]))


class AttributeText(Func):
    """
    The attribute as text, NULL where there is none or it is empty; a boolean as `true` or `false`.

    Not Django's KeyTextTransform: it takes an attribute called "2024" for a place in a list.
    """

    arity = 1
    output_field: Field[Any, Any]

    def __init__(self, name: str) -> None:
        super().__init__(F("attributes"), output_field=TextField())
        self.name = name

    def _constructor_args(self) -> Any:
        return (self.name,), {}

    def as_postgresql(self, compiler: Any, connection: Any, **context: Any) -> tuple[str, list[Any]]:
        column, parameters = compiler.compile(self.source_expressions[0])
        names = spellings(self.name)
        values = ", ".join([f"NULLIF({column} ->> %s::text, '')"] * len(names))
        return f"COALESCE({values})" if len(names) > 1 else values, [*parameters, *names]

    def as_sqlite(self, compiler: Any, connection: Any, **context: Any) -> tuple[str, list[Any]]:
        column, parameters = compiler.compile(self.source_expressions[0])
        value = (
            f"CASE JSON_TYPE({column}, %s) WHEN 'true' THEN 'true' WHEN 'false' THEN 'false' "
            f"ELSE NULLIF(CAST(JSON_EXTRACT({column}, %s) AS TEXT), '') END"
        )
        # SQLite compares names as the JSON has them, with its escapes: Django writes ж as \u0436.
        written = (json.dumps(name, ensure_ascii=ascii) for name in spellings(self.name) for ascii in (True, False))
        paths = [f"$.{name}" for name in dict.fromkeys(written)]
        values = [parameter for path in paths for parameter in (*parameters, path, *parameters, path)]
        return (f"COALESCE({', '.join([value] * len(paths))})" if len(paths) > 1 else value), values


class AttributeNumber(Func):
    """The attribute as a number, NULL where it is none."""

    def __init__(self, name: str) -> None:
        super().__init__(AttributeText(name), output_field=FloatField())

    def as_postgresql(self, compiler: Any, connection: Any, **context: Any) -> tuple[str, list[Any]]:
        text, parameters = compiler.compile(self.source_expressions[0])
        return f"CASE WHEN {text} ~ '{_NUMBER}' THEN ({text})::double precision END", [*parameters, *parameters]

    def as_sqlite(self, compiler: Any, connection: Any, **context: Any) -> tuple[str, list[Any]]:
        text, parameters = compiler.compile(self.source_expressions[0])
        return f"CASE WHEN {text} REGEXP '{_NUMBER}' THEN CAST({text} AS REAL) END", [*parameters, *parameters]


class AttributeDate(Func):
    """The attribute as an ISO date in text, which sorts as dates do; NULL where it is none."""

    def __init__(self, name: str) -> None:
        super().__init__(AttributeText(name), output_field=TextField())

    def as_postgresql(self, compiler: Any, connection: Any, **context: Any) -> tuple[str, list[Any]]:
        text, parameters = compiler.compile(self.source_expressions[0])
        return f"CASE WHEN {text} ~ '{_DATE}' THEN left({text}, 10) END", [*parameters, *parameters]

    def as_sqlite(self, compiler: Any, connection: Any, **context: Any) -> tuple[str, list[Any]]:
        text, parameters = compiler.compile(self.source_expressions[0])
        return f"CASE WHEN {text} REGEXP '{_DATE}' THEN substr({text}, 1, 10) END", [*parameters, *parameters]
