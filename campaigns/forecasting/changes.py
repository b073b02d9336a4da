"""
What audiences depend on, counted change by change: whether a forecast still holds is then seen without its people.

Triggers count who is put into a group or taken out, whose data that a message is made of are changed, opt-outs, and
holds of answers that wait for review, in the transaction that changes them: whoever changes them, and by whatever
means, cannot forget it. The sums only grow, so that a change taken back counts too.

They are taken away before a migration of our tables and made after it, like those of the figures. What happened
meanwhile nobody knows: every forecast is then outdated.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable

from django.db import connection, transaction
from django.db.models import Q, Sum

from campaigns.models import AudienceChange, AudienceFact, Contact, Conversation, OptOut

CHANGES = AudienceChange._meta.db_table
MEMBERS = Contact.groups.through._meta.db_table
CONTACTS = Contact._meta.db_table
OPT_OUTS = OptOut._meta.db_table
CONVERSATIONS = Conversation._meta.db_table
#: Of a contact: all that decides whether it gets a message, which, and what it costs.
COLUMNS = (
    *("phone_number", "first_name", "last_name", "email", "language", "region", "time_zone"),
    *("attributes", "consent", "consent_kind", "archived_at"),
)
_PREFIX = "audience_changes_"
#: Goes up whenever a trigger changes.
_NAME = f"{_PREFIX}2"
#: Fewer rows than this are summed up as they are.
FOLD_ABOVE = 100


def changes_of(groups: Collection[int]) -> dict[AudienceFact, int]:
    """How often each fact of these groups was changed, ever. One query, by index."""
    general = (AudienceFact.FEWER, AudienceFact.OPT_OUTS, AudienceFact.HOLDS, AudienceFact.EVERYTHING)
    of_groups = Q(fact__in=(AudienceFact.MEMBERS, AudienceFact.CONTACTS), group_id__in=list(groups))
    found = AudienceChange.objects.filter(of_groups | Q(fact__in=general)).order_by()
    sums = dict(found.values_list("fact").annotate(n=Sum("changes")))
    return {fact: int(sums.get(fact, 0)) for fact in AudienceFact}


def fold() -> int:
    """Sum up what PostgreSQL appended; how many rows it was. A second one at the same time does no harm."""
    if connection.vendor != "postgresql" or AudienceChange.objects.order_by()[: FOLD_ABOVE + 1].count() <= FOLD_ABOVE:
        return 0
    with connection.cursor() as cursor:
        cursor.execute(
            f"WITH appended AS (DELETE FROM {CHANGES} RETURNING fact, group_id, changes), "  # noqa: S608
            f"folded AS (INSERT INTO {CHANGES} (fact, group_id, changes) "
            "SELECT fact, group_id, SUM(changes) FROM appended GROUP BY fact, group_id) "
            "SELECT COUNT(*) FROM appended"
        )
        return int(cursor.fetchone()[0])


def ensure() -> None:
    """The triggers are there."""
    statements = _statements()
    if set(statements) == set(_found()):
        return
    drop()
    with transaction.atomic(), connection.cursor() as cursor:
        if connection.vendor == "postgresql":
            cursor.execute(_FUNCTION)
            # Rows come and go with every change, and every look reads past those that are gone but not yet cleared.
            cursor.execute(
                f"ALTER TABLE {CHANGES} SET (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 1000)"
            )
        for statement in statements.values():
            cursor.execute(statement)
        AudienceChange.objects.create(fact=AudienceFact.EVERYTHING, changes=1)


def drop() -> None:
    """They are not there."""
    with transaction.atomic(), connection.cursor() as cursor:
        for name, table in _found().items():
            cursor.execute(f"DROP TRIGGER {name}" + (f" ON {table}" if connection.vendor == "postgresql" else ""))


def _found() -> dict[str, str]:
    """The triggers that are there, of whatever version, and their tables. Those switched off count as gone."""
    with connection.cursor() as cursor:
        if connection.vendor == "postgresql":
            cursor.execute(
                "SELECT tgname, tgrelid::regclass::text FROM pg_trigger WHERE NOT tgisinternal "
                "AND tgenabled IN ('O', 'A') AND starts_with(tgname, %s)",
                [_PREFIX],
            )
        else:
            cursor.execute(
                "SELECT name, tbl_name FROM sqlite_master WHERE type = 'trigger' AND name GLOB %s", [f"{_PREFIX}*"]
            )
        return dict(cursor.fetchall())


def _statements() -> dict[str, str]:
    """What makes each trigger, by its name."""
    return _postgresql() if connection.vendor == "postgresql" else _sqlite()


# --- PostgreSQL: once per statement, with all rows it changed --------------------------------------------------------


def _append(fact: AudienceFact, source: str, group: str = "0") -> str:
    return (
        f"INSERT INTO {CHANGES} (fact, group_id, changes) SELECT '{fact}', {group}, COUNT(*) "  # noqa: S608
        f"FROM {source} GROUP BY 2 HAVING COUNT(*) > 0;"
    )


def _listed(row: str) -> str:
    return ", ".join(f"{row}.{name}" for name in COLUMNS)


#: Whoever is free again because they opted out gets nothing either.
_GETS_NOTHING = f"EXISTS (SELECT 1 FROM {OPT_OUTS} AS one WHERE one.canonical_number = {{0}}.canonical_number)"  # noqa: S608
_EITHER = "(SELECT * FROM added UNION ALL SELECT * FROM removed) AS either"
_CHANGED_CONTACTS = (
    f"added JOIN removed USING (id) JOIN {MEMBERS} AS member ON member.contact_id = added.id "
    f"WHERE ({_listed('added')}) IS DISTINCT FROM ({_listed('removed')})"
)
#: What a change of each table appends.
_OF_AN_INSERT = {
    MEMBERS: _append(AudienceFact.MEMBERS, "added", "contactgroup_id"),
    OPT_OUTS: _append(AudienceFact.FEWER, "added"),
    CONVERSATIONS: _append(AudienceFact.FEWER, "added WHERE held_since IS NOT NULL"),
}
_OF_A_DELETE = {
    MEMBERS: _append(AudienceFact.MEMBERS, "removed", "contactgroup_id"),
    OPT_OUTS: _append(AudienceFact.OPT_OUTS, "removed"),
    CONVERSATIONS: _append(AudienceFact.HOLDS, "removed WHERE held_since IS NOT NULL"),
}
_OF_AN_UPDATE = {
    MEMBERS: _append(AudienceFact.MEMBERS, _EITHER, "contactgroup_id"),
    OPT_OUTS: _append(
        AudienceFact.OPT_OUTS,
        "added JOIN removed USING (id) WHERE added.canonical_number <> removed.canonical_number",
    ),
    CONVERSATIONS: _append(
        AudienceFact.FEWER,
        "added JOIN removed USING (id) WHERE added.held_since IS NOT NULL AND removed.held_since IS NULL",
    )
    + _append(
        AudienceFact.HOLDS,
        "added JOIN removed USING (id) WHERE (added.held_since IS NULL AND removed.held_since IS NOT NULL "
        f"AND NOT {_GETS_NOTHING.format('removed')}) "
        "OR added.canonical_number <> removed.canonical_number",
    ),
    CONTACTS: _append(AudienceFact.CONTACTS, _CHANGED_CONTACTS, "member.contactgroup_id"),
}


def _function() -> str:
    """One for all tables and events."""
    steps = [
        *(f"WHEN 'INSERT {table}' THEN {append}" for table, append in _OF_AN_INSERT.items()),
        *(f"WHEN 'DELETE {table}' THEN {append}" for table, append in _OF_A_DELETE.items()),
        *(f"WHEN 'UPDATE {table}' THEN {append}" for table, append in _OF_AN_UPDATE.items()),
    ]
    return (
        f"CREATE OR REPLACE FUNCTION {_NAME}() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN "
        f"CASE TG_OP || ' ' || TG_TABLE_NAME {' '.join(steps)} END CASE; RETURN NULL; END $$"
    )


_FUNCTION = _function()
_REFERENCED = {
    "insert": "REFERENCING NEW TABLE AS added",
    "update": "REFERENCING NEW TABLE AS added OLD TABLE AS removed",
    "delete": "REFERENCING OLD TABLE AS removed",
}


def _postgresql() -> dict[str, str]:
    return {
        f"{_NAME}_{short}_{event}": f"CREATE TRIGGER {_NAME}_{short}_{event} AFTER {event.upper()} ON {table} "
        f"{_REFERENCED[event]} FOR EACH STATEMENT EXECUTE FUNCTION {_NAME}()"
        for short, table, events in (
            ("members", MEMBERS, ("insert", "update", "delete")),
            ("contacts", CONTACTS, ("update",)),
            ("opt_outs", OPT_OUTS, ("insert", "update", "delete")),
            ("holds", CONVERSATIONS, ("insert", "update", "delete")),
        )
        for event in events
    }


# --- SQLite: for each row --------------------------------------------------------------------------------------------


def _add(fact: AudienceFact, group: str = "0") -> str:
    return (
        f"UPDATE {CHANGES} SET changes = changes + 1 WHERE fact = '{fact}' AND group_id = {group}; "  # noqa: S608
        f"INSERT INTO {CHANGES} (fact, group_id, changes) SELECT '{fact}', {group}, 1 WHERE changes() = 0; "
    )


def _add_to_groups_of(contact: str) -> str:
    groups = f"SELECT contactgroup_id FROM {MEMBERS} WHERE contact_id = {contact}"  # noqa: S608
    known = f"SELECT group_id FROM {CHANGES} WHERE fact = '{AudienceFact.CONTACTS}'"  # noqa: S608
    return (
        f"INSERT INTO {CHANGES} (fact, group_id, changes) "  # noqa: S608
        f"SELECT '{AudienceFact.CONTACTS}', contactgroup_id, 0 FROM ({groups}) WHERE contactgroup_id NOT IN ({known}); "
        f"UPDATE {CHANGES} SET changes = changes + 1 "
        f"WHERE fact = '{AudienceFact.CONTACTS}' AND group_id IN ({groups}); "
    )


def _differ(columns: Iterable[str]) -> str:
    return " OR ".join(f"OLD.{name} IS NOT NEW.{name}" for name in columns)


def _sqlite() -> dict[str, str]:
    held = "{0}.held_since IS NOT NULL"
    is_held_now = "OLD.held_since IS NULL AND NEW.held_since IS NOT NULL"
    is_freed = (
        f"(OLD.held_since IS NOT NULL AND NEW.held_since IS NULL AND NOT {_GETS_NOTHING.format('OLD')}) "
        "OR OLD.canonical_number <> NEW.canonical_number"
    )
    members = {row: _add(AudienceFact.MEMBERS, f"{row}.contactgroup_id") for row in ("OLD", "NEW")}
    fewer, opt_out, hold = _add(AudienceFact.FEWER), _add(AudienceFact.OPT_OUTS), _add(AudienceFact.HOLDS)
    made = (
        ("members_insert", "INSERT", MEMBERS, "", members["NEW"]),
        ("members_update", "UPDATE", MEMBERS, "", members["OLD"] + members["NEW"]),
        ("members_delete", "DELETE", MEMBERS, "", members["OLD"]),
        (
            "contacts_update",
            f"UPDATE OF {', '.join(COLUMNS)}",
            CONTACTS,
            _differ(COLUMNS),
            _add_to_groups_of("NEW.id"),
        ),
        ("opt_outs_insert", "INSERT", OPT_OUTS, "", fewer),
        ("opt_outs_update", "UPDATE OF canonical_number", OPT_OUTS, _differ(["canonical_number"]), opt_out),
        ("opt_outs_delete", "DELETE", OPT_OUTS, "", opt_out),
        ("holds_insert", "INSERT", CONVERSATIONS, held.format("NEW"), fewer),
        ("holds_update", "UPDATE OF held_since", CONVERSATIONS, is_held_now, fewer),
        ("holds_freed", "UPDATE OF held_since, canonical_number", CONVERSATIONS, is_freed, hold),
        ("holds_delete", "DELETE", CONVERSATIONS, held.format("OLD"), hold),
    )
    return {
        f"{_NAME}_{name}": f"CREATE TRIGGER {_NAME}_{name} AFTER {event} ON {table} FOR EACH ROW "
        f"{f'WHEN {condition}' if condition else ''} BEGIN {body} END"
        for name, event, table, condition, body in made
    }
