"""
Indexes of the delivery log: newest first by any one filter, and by a campaign with any one.

On PostgreSQL they are built and dropped beside the running work (CONCURRENTLY). An interrupted build leaves an index
that is kept up to date and never used; it is dropped before the next try.
"""

from __future__ import annotations

from typing import Any

from django.db import migrations, models

_WITH_REASON = models.Q(reason__gt="")


class AddIndex(migrations.AddIndex):
    def database_forwards(self, app_label: str, schema_editor: Any, from_state: Any, to_state: Any) -> None:
        if schema_editor.connection.vendor != "postgresql":
            super().database_forwards(app_label, schema_editor, from_state, to_state)
            return
        schema_editor.execute(f'DROP INDEX CONCURRENTLY IF EXISTS "{self.index.name}"')
        model = to_state.apps.get_model(app_label, self.model_name)
        schema_editor.add_index(model, self.index, concurrently=True)


class RemoveIndex(migrations.RemoveIndex):
    def database_forwards(self, app_label: str, schema_editor: Any, from_state: Any, to_state: Any) -> None:
        if schema_editor.connection.vendor != "postgresql":
            super().database_forwards(app_label, schema_editor, from_state, to_state)
            return
        schema_editor.execute(f'DROP INDEX CONCURRENTLY IF EXISTS "{self.name}"')


class Migration(migrations.Migration):
    atomic = False

    dependencies = [("campaigns", "0026_pace_and_reports")]

    operations = [
        AddIndex(
            model_name="sentmessage",
            index=models.Index(
                fields=["campaign", "gateway", "status", "created_at", "id"], name="message_log_campaign"
            ),
        ),
        AddIndex(
            model_name="sentmessage",
            index=models.Index(fields=["status", "gateway", "created_at", "id"], name="message_log"),
        ),
        AddIndex(
            model_name="sentmessage",
            index=models.Index(
                fields=["campaign", "reason", "status", "created_at", "id"],
                name="message_log_campaign_reason",
                condition=_WITH_REASON,
            ),
        ),
        AddIndex(
            model_name="sentmessage",
            index=models.Index(
                fields=["reason", "status", "created_at", "id"],
                name="message_log_reason",
                condition=_WITH_REASON,
            ),
        ),
        RemoveIndex(model_name="sentmessage", name="message_campaign"),
        RemoveIndex(model_name="sentmessage", name="message_status"),
    ]
