"""What is known already of the numbers in a chunk of a file."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any

from django.db import connection
from django.db.models import CharField, ExpressionWrapper, F, Model, QuerySet

from campaigns.models import Contact, FormerNumber

from .rules import WRITTEN_FIELDS

#: Values in one statement: SQLite takes no more than 32,766.
_MANY = 5000


def current_contacts(phone_numbers: Iterable[str], *, lock: bool = False) -> dict[str, dict[str, Any]]:
    """
    What the contacts with these numbers have now, by number, with their ids as `pk`.

    With `lock` nobody else changes them before the end of the transaction.
    """
    # As plain text: PhoneNumberField would parse each number on its way in and out.
    contacts: QuerySet[Any, Any] = Contact.objects.annotate(
        number=ExpressionWrapper(F("phone_number"), output_field=CharField())
    )
    if lock:
        contacts = contacts.select_for_update().order_by(
            "pk"
        )  # always in one order, or two imports wait for each other
    # All numbers as one parameter: Django looks at each of many, which takes longer than the database needs for it.
    wanted = list(phone_numbers)
    if connection.vendor == "postgresql":
        contacts = contacts.extra(where=["phone_number = ANY(%s::varchar[])"], params=[wanted])
    else:
        contacts = contacts.extra(
            where=["phone_number IN (SELECT value FROM json_each(%s))"], params=[json.dumps(wanted)]
        )
    found = contacts.values("pk", "number", "created_at", *WRITTEN_FIELDS)
    return {contact["number"]: contact for contact in found}


def numbers_of_today(former_numbers: Iterable[str]) -> dict[str, str]:
    """
    Of those of the numbers that somebody had before, the number that this person has now.

    Of several who had it, whoever had it last.
    """
    table, contacts = FormerNumber._meta.db_table, Contact._meta.db_table
    statement = (
        f"SELECT f.phone_number, c.phone_number FROM {table} f JOIN {contacts} c ON c.id = f.contact_id "  # noqa: S608
        "WHERE f.phone_number {} ORDER BY f.id"
    )
    wanted = list(former_numbers)
    with connection.cursor() as cursor:
        if connection.vendor == "postgresql":
            cursor.execute(statement.format("= ANY(%s::varchar[])"), [wanted])
        else:
            cursor.execute(statement.format("IN (SELECT value FROM json_each(%s))"), [json.dumps(wanted)])
        return dict(cursor.fetchall())


def known_numbers(
    model: type[Model], numbers: Iterable[str], *, column: str = "phone_number", condition: str = "", values: str = ""
) -> dict[str, Any]:
    """
    Those of the numbers that `column` of the model's table has, with what is in its column `values` (else None).

    `condition` is more SQL, without values from outside. By hand, for this is asked for every row of every file.
    """
    wanted = list(numbers)
    selected = f"{column}, {values or 'NULL'}"
    statement = f"SELECT {selected} FROM {model._meta.db_table} WHERE {condition or '1 = 1'} AND {column} "  # noqa: S608
    found: dict[str, Any] = {}
    with connection.cursor() as cursor:
        if connection.vendor == "postgresql":
            cursor.execute(f"{statement} = ANY(%s::varchar[])", [wanted])
            return dict(cursor.fetchall())
        for some in _portions(wanted):
            cursor.execute(f"{statement} IN ({', '.join(['%s'] * len(some))})", some)
            found.update(cursor.fetchall())
    return found


def _portions(values: Iterable[str]) -> list[list[str]]:
    values = list(values)
    return [values[start : start + _MANY] for start in range(0, len(values), _MANY)]
