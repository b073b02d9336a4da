"""
Indexes for conditions, searching by name, and the history of a contact.

They are built beside the running work (CONCURRENTLY), and are no part of the models: SQLite knows none of these kinds.
"""

from __future__ import annotations

from typing import Any

from django.db import migrations

INDEXES = {
    "contact_attributes": "campaigns_contact USING gin (attributes jsonb_path_ops)",
    "contact_first_name": "campaigns_contact (upper(first_name::text) text_pattern_ops)",
    "contact_last_name": "campaigns_contact (upper(last_name::text) text_pattern_ops)",
    "contact_email": "campaigns_contact (upper(email::text) text_pattern_ops)",
    "group_members": "campaigns_contact_groups (contactgroup_id, contact_id)",
    "audit_subject": "campaigns_auditevent (subject, id)",
}
#: What SQLite can do of it.
ON_SQLITE = ("group_members", "audit_subject")


def make(apps: Any, schema_editor: Any) -> None:
    connection = schema_editor.connection
    for name, columns in INDEXES.items():
        if connection.vendor == "postgresql":
            _drop_unfinished(connection, name)
            schema_editor.execute(f"CREATE INDEX CONCURRENTLY IF NOT EXISTS {name} ON {columns}")
        elif name in ON_SQLITE:
            schema_editor.execute(f"CREATE INDEX IF NOT EXISTS {name} ON {columns}")


def drop(apps: Any, schema_editor: Any) -> None:
    for name in INDEXES:
        schema_editor.execute(f"DROP INDEX IF EXISTS {name}")


def _drop_unfinished(connection: Any, name: str) -> None:
    """An interrupted CREATE INDEX CONCURRENTLY leaves an index that is kept up to date and never used."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT 1 FROM pg_index WHERE indexrelid = to_regclass(%s) AND NOT indisvalid", [name])
        if cursor.fetchone():
            cursor.execute(f"DROP INDEX {name}")


class Migration(migrations.Migration):
    atomic = False
    dependencies = [("campaigns", "0012_groups_and_attributes")]
    operations = [migrations.RunPython(make, drop)]
