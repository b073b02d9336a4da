"""Operators make smart groups and fields and see what was done in bulk; everybody sees what the groups are."""

from __future__ import annotations

from django.db import migrations

from ._roles import give_permissions

VIEWED = ["view_smartgroup", "view_attribute", "view_bulkaction"]
GIVEN = {
    "Viewer": VIEWED,
    "Approver": VIEWED,
    "Operator": [
        *VIEWED,
        *(f"{verb}_{model}" for verb in ("add", "change", "delete") for model in ("smartgroup", "attribute")),
        "export_sentmessage",
    ],
}


class Migration(migrations.Migration):
    dependencies = [("campaigns", "0013_contact_indexes"), ("campaigns", "0002_roles")]
    operations = [migrations.RunPython(give_permissions(GIVEN), migrations.RunPython.noop)]
