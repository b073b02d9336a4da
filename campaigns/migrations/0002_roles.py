"""The roles that an installation begins with. They can be changed in the admin afterwards."""

from __future__ import annotations

from typing import Any

from django.contrib.auth.management import create_permissions
from django.db import migrations

VIEWED = (
    "campaign",
    "contact",
    "contactgroup",
    "contactimport",
    "gatewaystate",
    "inboundmessage",
    "optout",
    "sentmessage",
)
VIEWER = {f"view_{model}" for model in VIEWED}
OPERATOR = VIEWER | {
    *(f"{verb}_{model}" for verb in ("add", "change", "delete") for model in ("campaign", "contact", "contactgroup")),
    "add_contactimport",
    "add_optout",
    "delete_optout",
    "import_contact",
    "export_contact",
    "launch_campaign",
    "control_campaign",
    "send_quick",
}
APPROVER = VIEWER | {"launch_campaign", "control_campaign", "resume_gateway", "view_auditevent"}
ROLES = {"Viewer": VIEWER, "Operator": OPERATOR, "Approver": APPROVER}


def create_roles(apps: Any, schema_editor: Any) -> None:
    """Permissions are made after migrations otherwise, which would be too late for giving them to roles."""
    for app_config in apps.get_app_configs():
        app_config.models_module = True
        create_permissions(app_config, apps=apps, verbosity=0, using=schema_editor.connection.alias)
        app_config.models_module = None
    group_model = apps.get_model("auth", "Group")
    permission_model = apps.get_model("auth", "Permission")
    for name, codenames in ROLES.items():
        role, _created = group_model.objects.get_or_create(name=name)
        wanted = permission_model.objects.filter(content_type__app_label="campaigns", codename__in=codenames)
        role.permissions.add(*wanted)


class Migration(migrations.Migration):
    dependencies = [("campaigns", "0001_initial"), ("auth", "0012_alter_user_first_name_max_length")]
    operations = [migrations.RunPython(create_roles, migrations.RunPython.noop)]
