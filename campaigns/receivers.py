"""What this app does on signals: receipts and incoming messages, schedules after migrations, signs of life."""

from __future__ import annotations

import logging
from typing import Any

from django.apps import AppConfig
from django.apps import apps as all_apps
from django.apps.registry import Apps
from django.contrib.auth.signals import user_logged_in, user_logged_out, user_login_failed
from django.db import DEFAULT_DB_ALIAS, connection
from django.db import Error as DatabaseError
from django.db.models.signals import post_migrate, pre_migrate
from django.dispatch import receiver
from django.http import HttpRequest
from django_q.signals import post_spawn

from sms_backends import DeliveryReceipt, IncomingSms
from sms_backends.signals import incoming_received, receipts_received

from . import audit, audit_triggers, kept_figures, replies, tasks
from . import receipts as receipt_service
from .forecasting import changes
from .models import User

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


@receiver(user_logged_in, dispatch_uid="campaigns.logged_in")
def note_login(*, user: User, request: HttpRequest, **kwargs: Any) -> None:
    """Who signed in by the page, and not by code that has no visitor."""
    if "REQUEST_METHOD" not in request.META:
        return
    audit.record("login", actor=user, subject=user.get_username())


@receiver(user_logged_out, dispatch_uid="campaigns.logged_out")
def note_logout(*, user: User | None, **kwargs: Any) -> None:
    if user is not None:
        audit.record("logout", actor=user, subject=user.get_username())


@receiver(user_login_failed, dispatch_uid="campaigns.login_failed")
def note_failed_login(*, credentials: dict[str, Any], **kwargs: Any) -> None:
    """Only for users that there are: what else stands in the field may be a password, or anything at any length."""
    name = str(credentials.get("username") or "")[:150]
    user = User.objects.filter(username=name).first()
    if user is not None:
        audit.record("login_failed", subject=user.get_username())


@receiver(post_migrate, dispatch_uid="campaigns.schedules")
def ensure_schedules(*, app_config: AppConfig, using: str, apps: Apps = all_apps, **kwargs: Any) -> None:
    """The sweeper runs each minute. Made here and not by hand, so that it cannot be missing."""
    if app_config.name != "django_q" or not _is_there("django_q", "Schedule", apps):
        return
    from django_q.models import Schedule

    Schedule.objects.using(using).update_or_create(
        name="sweep",
        defaults={"func": "campaigns.tasks.sweep", "schedule_type": Schedule.MINUTES, "minutes": 1, "repeats": -1},
    )


@receiver(pre_migrate, dispatch_uid="campaigns.figures")
def stop_keeping_figures(*, app_config: AppConfig, plan: list[Any], using: str, **kwargs: Any) -> None:
    """
    Migrations of the tables find no triggers on them where they must not; afterwards everything is counted anew.

    PostgreSQL minds none of them on the way forward, and goes on keeping.
    """
    ours = [is_backwards for migration, is_backwards in plan if migration.app_label == "campaigns"]
    is_in_the_way = any(ours) or (bool(ours) and connection.vendor != "postgresql")
    if app_config.name == "campaigns" and using == DEFAULT_DB_ALIAS and is_in_the_way:
        kept_figures.stop_keeping()


@receiver(pre_migrate, dispatch_uid="campaigns.audit")
def stop_guarding_the_trail(*, app_config: AppConfig, plan: list[Any], using: str, **kwargs: Any) -> None:
    """SQLite cannot rebuild a table and keep its triggers."""
    is_ours = app_config.name == "campaigns" and using == DEFAULT_DB_ALIAS
    if is_ours and any(migration.app_label == "campaigns" for migration, _is_backwards in plan):
        audit_triggers.drop()


@receiver(pre_migrate, dispatch_uid="campaigns.audience_changes")
def stop_counting_changes(*, app_config: AppConfig, plan: list[Any], using: str, **kwargs: Any) -> None:
    """SQLite cannot rebuild a table and keep its triggers; afterwards every forecast is outdated."""
    is_ours = app_config.name == "campaigns" and using == DEFAULT_DB_ALIAS
    if is_ours and any(migration.app_label == "campaigns" for migration, _is_backwards in plan):
        changes.drop()


@receiver(post_migrate, dispatch_uid="campaigns.audience_changes")
def ensure_changes_are_counted(*, app_config: AppConfig, using: str, apps: Apps = all_apps, **kwargs: Any) -> None:
    """What outdates a forecast is counted whenever there is where to count it."""
    is_ours = app_config.name == "campaigns" and using == DEFAULT_DB_ALIAS
    if is_ours and _is_there("campaigns", "AudienceChange", apps):
        changes.ensure()


@receiver(post_migrate, dispatch_uid="campaigns.audit")
def ensure_the_trail_is_guarded(*, app_config: AppConfig, using: str, apps: Apps = all_apps, **kwargs: Any) -> None:
    """Nobody changes the audit trail, whenever there is one that has all its columns."""
    is_ours = app_config.name == "campaigns" and using == DEFAULT_DB_ALIAS
    if is_ours and _is_there("campaigns", "AuditEvent", apps):
        columns = {field.name for field in apps.get_model("campaigns", "AuditEvent")._meta.get_fields()}
        if "actor_name" in columns:
            audit_triggers.ensure()


@receiver(post_migrate, dispatch_uid="campaigns.figures")
def ensure_kept_figures(*, app_config: AppConfig, using: str, apps: Apps = all_apps, **kwargs: Any) -> None:
    """The triggers that keep the figures are there whenever the tables are."""
    is_ours = app_config.name == "campaigns" and using == DEFAULT_DB_ALIAS
    if is_ours and _is_there("campaigns", "DayRecount", apps):
        kept_figures.ensure()


def _is_there(app_label: str, model: str, apps: Apps) -> bool:
    """Whether it has its table after a `migrate`, which may have ended before that (`apps`) or gone back behind it."""
    try:
        apps.get_model(app_label, model)
    except LookupError:
        return False
    return True
