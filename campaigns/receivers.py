"""What this app does on signals: receipts and incoming messages, schedules after migrations, signs of life."""

from __future__ import annotations

import logging
from typing import Any

from django.apps import AppConfig
from django.db import Error as DatabaseError
from django.db.models.signals import post_migrate
from django.dispatch import receiver
from django_q.signals import post_spawn

from sms_backends import DeliveryReceipt, IncomingSms
from sms_backends.signals import incoming_received, receipts_received

from . import receipts as receipt_service
from . import replies, tasks

logger = logging.getLogger(__name__)


@receiver(receipts_received, dispatch_uid="campaigns.receipts")
def store_receipts(*, gateway: str, receipts: list[DeliveryReceipt], **kwargs: Any) -> None:
    receipt_service.receive(gateway, receipts)


@receiver(incoming_received, dispatch_uid="campaigns.incoming")
def store_incoming(*, gateway: str, messages: list[IncomingSms], **kwargs: Any) -> None:
    replies.receive(gateway, messages)


@receiver(post_spawn, dispatch_uid="campaigns.beat")
def beat_when_a_worker_starts(**kwargs: Any) -> None:
    """Without the database there is no sign of life, but that is no reason for a worker to die."""
    try:
        tasks.beat()
    except DatabaseError:
        logger.warning("The database could not be told that a worker has started.", exc_info=True)


@receiver(post_migrate, dispatch_uid="campaigns.schedules")
def ensure_schedules(*, app_config: AppConfig, using: str, **kwargs: Any) -> None:
    """The sweeper runs each minute. Made here and not by hand, so that it cannot be missing."""
    if app_config.name != "django_q":
        return
    from django_q.models import Schedule

    Schedule.objects.using(using).update_or_create(
        name="sweep",
        defaults={"func": "campaigns.tasks.sweep", "schedule_type": Schedule.MINUTES, "minutes": 1, "repeats": -1},
    )
