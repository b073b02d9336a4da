"""Everybody who plans campaigns sees the holidays, and operators list them."""

from __future__ import annotations

from django.db import migrations

from ._roles import give_permissions

VERBS = {"Viewer": ["view"], "Approver": ["view"], "Operator": ["view", "add", "change", "delete"]}
GIVEN = {role: [f"{verb}_holiday" for verb in verbs] for role, verbs in VERBS.items()}


class Migration(migrations.Migration):
    dependencies = [("campaigns", "0003_pace_lookups_and_resending"), ("campaigns", "0002_roles")]
    operations = [migrations.RunPython(give_permissions(GIVEN), migrations.RunPython.noop)]
