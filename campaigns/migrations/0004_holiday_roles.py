"""Everybody who plans campaigns sees the holidays, and operators list them."""

from __future__ import annotations

from typing import Any

from django.contrib.auth.management import create_permissions
from django.db import migrations

VERBS = {"Viewer": ["view"], "Approver": ["view"], "Operator": ["view", "add", "change", "delete"]}


def give_permissions(apps: Any, schema_editor: Any) -> None:
    """To the roles that are still there; permissions are made after migrations otherwise, which would be too late."""
    for app_config in apps.get_app_configs():
        app_config.models_module = True
        create_permissions(app_config, apps=apps, verbosity=0, using=schema_editor.connection.alias)
        app_config.models_module = None
    permission_model = apps.get_model("auth", "Permission")
    for role in apps.get_model("auth", "Group").objects.filter(name__in=VERBS):
        wanted = [f"{verb}_holiday" for verb in VERBS[role.name]]
        role.permissions.add(*permission_model.objects.filter(content_type__app_label="campaigns", codename__in=wanted))


class Migration(migrations.Migration):
    dependencies = [("campaigns", "0003_pace_lookups_and_resending"), ("campaigns", "0002_roles")]
    operations = [migrations.RunPython(give_permissions, migrations.RunPython.noop)]
