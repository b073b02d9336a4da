"""Approvers approve campaigns that others wrote."""

from __future__ import annotations

from django.db import migrations

from ._roles import give_permissions


class Migration(migrations.Migration):
    dependencies = [("campaigns", "0024_forecasts_and_approvals")]
    operations = [
        migrations.RunPython(give_permissions({"Approver": ["approve_campaign"]}), migrations.RunPython.noop)
    ]
