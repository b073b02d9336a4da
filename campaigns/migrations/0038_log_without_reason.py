"""Indexes for what the delivery log has without a reason among what went wrong: hardly any, and looked for."""

from __future__ import annotations

import importlib

from django.db import migrations, models

_log_indexes = importlib.import_module("campaigns.migrations.0027_log_indexes")
_WITHOUT_REASON = models.Q(
    reason="", status__in=["expired", "failed", "rejected", "suppressed", "undelivered", "unknown"]
)


class Migration(migrations.Migration):
    atomic = False

    dependencies = [("campaigns", "0037_waiting_by_zone")]

    operations = [
        _log_indexes.AddIndex(
            model_name="sentmessage",
            index=models.Index(
                fields=["campaign", "status", "gateway", "created_at", "id", "reason"],
                name="message_log_campaign_no_reason",
                condition=_WITHOUT_REASON,
            ),
        ),
        _log_indexes.AddIndex(
            model_name="sentmessage",
            index=models.Index(
                fields=["status", "gateway", "created_at", "id", "reason"],
                name="message_log_no_reason",
                condition=_WITHOUT_REASON,
            ),
        ),
    ]
