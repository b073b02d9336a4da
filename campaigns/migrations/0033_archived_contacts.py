"""
The archive of contacts.

On PostgreSQL its indexes are built beside the running work (CONCURRENTLY). An interrupted build leaves an index that is
kept up to date and never used; it is dropped before the next try.
"""

from __future__ import annotations

from typing import Any

from django.db import migrations, models


class AddIndex(migrations.AddIndex):
    def database_forwards(self, app_label: str, schema_editor: Any, from_state: Any, to_state: Any) -> None:
        if schema_editor.connection.vendor != "postgresql":
            super().database_forwards(app_label, schema_editor, from_state, to_state)
            return
        schema_editor.execute(f'DROP INDEX CONCURRENTLY IF EXISTS "{self.index.name}"')
        model = to_state.apps.get_model(app_label, self.model_name)
        schema_editor.add_index(model, self.index, concurrently=True)


class AddField(migrations.AddField):
    """As the indexes, it can be done again: outside of a transaction nothing takes it back when one of them fails."""

    def database_forwards(self, app_label: str, schema_editor: Any, from_state: Any, to_state: Any) -> None:
        table = to_state.apps.get_model(app_label, self.model_name)._meta.db_table
        with schema_editor.connection.cursor() as cursor:
            there = schema_editor.connection.introspection.get_table_description(cursor, table)
        if self.name not in {column.name for column in there}:
            super().database_forwards(app_label, schema_editor, from_state, to_state)


class Migration(migrations.Migration):
    atomic = False

    dependencies = [("campaigns", "0029_dashboard_figures")]

    operations = [
        AddField(
            model_name="contact",
            name="archived_at",
            field=models.DateTimeField(blank=True, editable=False, null=True, verbose_name="archived"),
        ),
        AddIndex(
            model_name="contact",
            index=models.Index(
                fields=["id"], name="contact_in_use", condition=models.Q(archived_at__isnull=True)
            ),
        ),
        AddIndex(
            model_name="contact",
            index=models.Index(
                fields=["id"], name="contact_archived", condition=models.Q(archived_at__isnull=False)
            ),
        ),
    ]
