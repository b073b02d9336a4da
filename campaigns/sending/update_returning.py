"""UPDATE ... RETURNING, which Django has no name for: the rows changed and what they hold, in one statement."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, cast

from django.db import connection
from django.db.models import Model, QuerySet
from django.db.models.sql import UpdateQuery


def update_returning(rows: QuerySet[Model, Any], names: Sequence[str], **values: Any) -> list[tuple[Any, ...]]:
    """
    Update these rows (of one table, not sliced) as `update()` does, and return the fields `names` of each, in no order.

    Values come as the database driver reads them: ask for text and numbers only. All rows are read before this returns:
    on SQLite a RETURNING that is not read to its end is not committed.
    """
    query = cast(UpdateQuery, rows.order_by().query.chain(UpdateQuery))
    query.add_update_values(values)
    statement, parameters = query.get_compiler(connection=connection).as_sql()
    if not statement:
        return []
    fields = [rows.model._meta.get_field(name) for name in names]
    columns = ", ".join(connection.ops.quote_name(field.column) for field in fields)  # type: ignore[union-attr, arg-type]
    with connection.cursor() as cursor:
        cursor.execute(f"{statement} RETURNING {columns}", parameters)
        return list(cursor.fetchall())
