"""A trigger in the test database that refuses every change of a message's state which `TRANSITIONS` does not list."""

from __future__ import annotations

from django.db.backends.base.base import BaseDatabaseWrapper

from campaigns.models import TRANSITIONS, SentMessage

REFUSAL = "this change of a message's state is not in TRANSITIONS"


def install(connection: BaseDatabaseWrapper) -> None:
    """Guard the table of messages; an update that breaks the rule raises IntegrityError."""
    table = SentMessage._meta.db_table
    statements = _postgresql(table) if connection.vendor == "postgresql" else _sqlite(table)
    with connection.cursor() as cursor:
        for statement in statements:
            cursor.execute(statement)


def _allowed() -> str:
    cases = ["OLD.status = NEW.status"]
    for source, targets in TRANSITIONS.items():
        if targets:
            listed = ", ".join(f"'{target.value}'" for target in sorted(targets))
            cases.append(f"(OLD.status = '{source.value}' AND NEW.status IN ({listed}))")
    return " OR ".join(cases)


def _sqlite(table: str) -> list[str]:
    refusal = REFUSAL.replace("'", "''")
    return [
        f"CREATE TRIGGER transition_guard BEFORE UPDATE OF status ON {table} WHEN NOT ({_allowed()}) "
        f"BEGIN SELECT RAISE(ABORT, '{refusal}'); END"
    ]


def _postgresql(table: str) -> list[str]:
    refusal = REFUSAL.replace("'", "''")
    return [
        "CREATE FUNCTION refuse_transition() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN "
        f"RAISE EXCEPTION '{refusal}: % -> %', OLD.status, NEW.status USING ERRCODE = 'check_violation'; END $$",
        f"CREATE TRIGGER transition_guard BEFORE UPDATE OF status ON {table} FOR EACH ROW WHEN (NOT ({_allowed()})) "
        "EXECUTE FUNCTION refuse_transition()",
    ]
