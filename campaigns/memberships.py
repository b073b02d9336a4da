"""Putting many contacts into a group inside the database."""

from __future__ import annotations

import json

from django.db import connection

from .models import Contact


def add_members(group_id: int, contact_ids: list[int]) -> int:
    """
    Put these contacts into a group; how many were not in it before.

    Whom somebody else puts into it at this moment is waited for, and not counted.
    """
    table = Contact.groups.through._meta.db_table
    ids = "unnest(%s::bigint[])" if connection.vendor == "postgresql" else "value FROM json_each(%s) WHERE true"
    listed = contact_ids if connection.vendor == "postgresql" else json.dumps(contact_ids)
    with connection.cursor() as cursor:
        cursor.execute(
            f"INSERT INTO {table} (contactgroup_id, contact_id) SELECT %s, {ids} ON CONFLICT DO NOTHING",
            [group_id, listed],
        )
        return int(cursor.rowcount)
