"""Making contacts out of stored rows inside the database, without bringing a value out of it."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from django.db import connection, models

from campaigns.models import Contact, ContactImport, ContactImportRow, RowKind
from campaigns.resources import ContactResource

from .rules import CONSENT_FIELDS, consent_values


def insert_new_contacts(
    contact_import: ContactImport, after: int, up_to: int, now: datetime, *, kind: str | None = RowKind.NEW
) -> int:
    """
    Make contacts of the rows of this kind (None: of any) with these numbers; how many were made.

    Numbers that are contacts already are passed over. Who is made has `now` as both times: nobody has touched them yet.
    """
    quote = connection.ops.quote_name
    # In the order of the numbers, as every import does it: else two at once could wait for each other.
    columns, values, parameters = [], [], []
    for field in Contact._meta.concrete_fields:
        if not field.primary_key:
            value, own = _value(field, contact_import, now)
            columns.append(quote(field.column))
            values.append(value)
            parameters += own
    rows, row_parameters = _rows(contact_import, after, up_to, kind)
    with connection.cursor() as cursor:
        cursor.execute(
            f"INSERT INTO {Contact._meta.db_table} ({', '.join(columns)}) "  # noqa: S608
            f"SELECT {', '.join(values)} FROM {ContactImportRow._meta.db_table} r WHERE {rows} ORDER BY r.phone_number "
            "ON CONFLICT (phone_number) DO NOTHING",
            [*parameters, *row_parameters],
        )
        return int(cursor.rowcount)


def join_new_contacts(
    contact_import: ContactImport,
    after: int,
    up_to: int,
    now: datetime,
    group_ids: list[int],
    *,
    kind: str | None = RowKind.NEW,
) -> None:
    """Put those who were made at `now` of these rows into the groups."""
    rows, row_parameters = _rows(contact_import, after, up_to, kind)
    created_at = _stored(Contact._meta.get_field("created_at"), now)
    with connection.cursor() as cursor:
        for group_id in group_ids:
            cursor.execute(
                f"INSERT INTO {Contact.groups.through._meta.db_table} (contact_id, contactgroup_id) "  # noqa: S608
                f"SELECT c.id, %s FROM {ContactImportRow._meta.db_table} r "
                f"JOIN {Contact._meta.db_table} c ON c.phone_number = r.phone_number "
                f"WHERE {rows} AND c.created_at = %s ON CONFLICT DO NOTHING",
                [group_id, *row_parameters, created_at],
            )


def _rows(contact_import: ContactImport, after: int, up_to: int, kind: str | None) -> tuple[str, list[Any]]:
    # Of people who were erased since, their rows have lost the number.
    condition = "r.contact_import_id = %s AND r.number > %s AND r.number <= %s AND r.phone_number <> ''"
    parameters: list[Any] = [contact_import.pk, after, up_to]
    if kind is None:
        return condition, parameters
    return f"{condition} AND r.kind = %s", [*parameters, str(kind)]


def _value(field: models.Field[Any, Any], contact_import: ContactImport, now: datetime) -> tuple[str, list[Any]]:
    """The SQL for a field of a new contact, and its parameters."""
    if field.name == "phone_number":
        return "r.phone_number", []
    if field.name == "region":
        return "r.region", []
    if field.name == "time_zone":
        return f"COALESCE({_text('time_zone')}, r.time_zone)", []
    if field.name == "attributes":
        return f"COALESCE({_object('attributes')}, '{{}}')", []
    if field.name in ContactResource.VALUE_FIELDS:
        return f"COALESCE({_text(field.name)}, '')", []
    if field.name in ("created_at", "updated_at"):
        return "%s", [_stored(field, now)]
    default = _cast(field), [_stored(field, field.get_default())]
    consent = consent_values(contact_import)
    if field.name in CONSENT_FIELDS and consent:
        given = _stored(field, field.to_python(consent[field.name]))
        return f"CASE WHEN r.opted_out THEN {_cast(field)} ELSE {_cast(field)} END", [*default[1], given]
    return default


def _stored(field: Any, value: Any) -> Any:
    return field.get_db_prep_save(value, connection)


def _cast(field: models.Field[Any, Any]) -> str:
    """A parameter of a SELECT has no type by itself."""
    return f"%s::{field.db_type(connection)}" if connection.vendor == "postgresql" else "%s"


def _text(name: str) -> str:
    if connection.vendor == "postgresql":
        return f"r.\"values\" ->> '{name}'"
    return f"json_extract(r.\"values\", '$.{name}')"


def _object(name: str) -> str:
    if connection.vendor == "postgresql":
        return f"r.\"values\" -> '{name}'"
    return f"json_extract(r.\"values\", '$.{name}')"
