"""
The triggers that keep anybody from changing the audit trail, by whatever means: SQL for either database.

Let through are the deletion of a user or campaign that an entry names, and forgetting a person
(`campaigns.forgetting`): an entry about them, and the former number in an entry about whoever had it before.
They are taken away before a migration of our tables and made after it, like those of the figures.
"""

from __future__ import annotations

from django.db import connection

from .models import AuditEvent

TABLE = AuditEvent._meta.db_table
REFUSAL = "the audit trail is only added to"
_NAME = "audit_guard"
_KEPT = ("id", "at", "actor_name", "action", "count")
_MAY_GO = ("actor_id", "campaign_id")


def ensure() -> None:
    """The triggers are there."""
    drop()
    statements = _postgresql() if connection.vendor == "postgresql" else _sqlite()
    with connection.cursor() as cursor:
        for statement in statements:
            cursor.execute(statement)


def drop() -> None:
    """They are not there, nor is anything missing if the table is not there either."""
    on = f" ON {TABLE}" if connection.vendor == "postgresql" else ""
    if TABLE not in connection.introspection.table_names():
        return
    with connection.cursor() as cursor:
        for event in ("update", "delete"):
            cursor.execute(f"DROP TRIGGER IF EXISTS {_NAME}_{event}{on}")


def _let_through(same: str, nothing: str, renamed: str) -> str:
    kept = [f"NEW.{name} {same} OLD.{name}" for name in _KEPT]
    gone = [f"(NEW.{name} {same} OLD.{name} OR NEW.{name} IS NULL)" for name in _MAY_GO]
    told = f"(NEW.subject {same} OLD.subject AND NEW.details {same} OLD.details)"
    forgotten = f"(NEW.subject LIKE '#%' AND NEW.details = {nothing})"
    return " AND ".join([*kept, *gone, f"({told} OR {forgotten} OR (NEW.subject {same} OLD.subject AND {renamed}))"])


def _sqlite() -> list[str]:
    refuse = f"BEGIN SELECT RAISE(ABORT, '{REFUSAL}'); END"
    rest = "json_remove({}.details, '$.former_number')"
    renamed = f"json_extract(NEW.details, '$.former_number') LIKE '#%' AND {rest.format('NEW')} IS {rest.format('OLD')}"
    condition = _let_through("IS", "'{}'", renamed)
    return [
        f"CREATE TRIGGER {_NAME}_update BEFORE UPDATE ON {TABLE} WHEN NOT ({condition}) {refuse}",
        f"CREATE TRIGGER {_NAME}_delete BEFORE DELETE ON {TABLE} {refuse}",
    ]


def _postgresql() -> list[str]:
    renamed = (
        "NEW.details ->> 'former_number' LIKE '#%' AND NEW.details - 'former_number' = OLD.details - 'former_number'"
    )
    condition = _let_through("IS NOT DISTINCT FROM", "'{}'::jsonb", renamed)
    each = f"FOR EACH ROW{{}} EXECUTE FUNCTION {_NAME}()"
    return [
        f"CREATE OR REPLACE FUNCTION {_NAME}() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN "
        f"RAISE EXCEPTION '{REFUSAL}' USING ERRCODE = 'check_violation'; END $$",
        f"CREATE TRIGGER {_NAME}_update BEFORE UPDATE ON {TABLE} {each.format(f' WHEN (NOT ({condition}))')}",
        f"CREATE TRIGGER {_NAME}_delete BEFORE DELETE ON {TABLE} {each.format('')}",
    ]
