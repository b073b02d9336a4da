"""What the engine writes about itself: incoming messages, the audit trail, signs of life, the task queue."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.safestring import SafeString
from django.utils.translation import gettext_lazy as _

# Importing registers django-q2's own pages, so that ours can replace them.
from django_q import admin as django_q_admin
from django_q.conf import Conf
from django_q.models import Failure, OrmQ, Schedule, Success

from campaigns.models import AuditEvent, Heartbeat, InboundMessage

from .base import NumberSearchMixin, ReadOnlyAdmin
from .display import object_link, pretty_json

assert django_q_admin.Schedule is Schedule

ACTION_WORDS = {
    "create": _("wrote"),
    "change": _("changed"),
    "delete": _("deleted"),
    "duplicate": _("copied"),
    "launch": _("sent"),
    "schedule": _("scheduled"),
    "unschedule": _("took off the schedule"),
    "pause": _("paused"),
    "resume": _("resumed"),
    "cancel": _("cancelled"),
    "completed": _("completed"),
    "opt_out": _("opted out"),
    "opt_in": _("lifted the opt-out"),
    "add_to_group": _("added to a group"),
    "delete_contacts": _("deleted contacts"),
    "gateway_paused": _("paused a gateway"),
    "gateway_resumed": _("resumed a gateway"),
    "gateway_rate": _("set the pace of a gateway"),
    "holiday_listed": _("listed a holiday"),
    "holiday_removed": _("removed a holiday"),
    "resend_unknown": _("sent unknown messages again"),
    "leave_unknown": _("left unknown messages as they are"),
    "send_quick": _("sent a single message"),
    "send_test": _("sent a test"),
    "send_reply": _("sent a reply"),
}


def action_words(action: str) -> str:
    """An entry of the audit trail in words."""
    return str(ACTION_WORDS.get(action, action.replace("_", " ")))


@admin.register(InboundMessage)
class InboundMessageAdmin(NumberSearchMixin, ReadOnlyAdmin):
    """What people wrote to us."""

    list_display = ("received_at", "phone_number", "sender", "text", "gateway")
    list_filter = ("received_at",)
    list_select_related = ("contact",)
    search_fields = ("text",)
    search_help_text = _("A phone number in any spelling, its first digits, or a word of the text.")
    fields = ("received_at", "phone_number", "sender", "to", "text", "gateway", "provider_message_id", "as_it_came")
    readonly_fields = ("sender", "as_it_came")
    empty_text = _("Nobody has written to you yet. Replies come here when the provider passes them on.")

    @admin.display(description=_("contact"))
    def sender(self, message: InboundMessage) -> str | SafeString:
        return object_link(message.contact, message.contact.full_name) if message.contact else ""

    @admin.display(description=_("as it came"))
    def as_it_came(self, message: InboundMessage) -> str:
        return pretty_json(message.raw)


@admin.register(AuditEvent)
class AuditEventAdmin(ReadOnlyAdmin):
    """Who did what. Nobody can change it here."""

    list_display = ("at", "who", "what", "subject", "about")
    list_filter = ("at", ("actor", admin.RelatedOnlyFieldListFilter))
    list_select_related = ("actor", "campaign")
    search_fields = ("subject", "action")
    search_help_text = _("A part of a campaign's name or of a phone number in the international form (+7…).")
    fields = ("at", "who", "what", "subject", "about", "more")
    readonly_fields = ("who", "what", "about", "more")
    empty_text = _("Nothing has been done yet.")

    @admin.display(description=_("who"))
    def who(self, event: AuditEvent) -> str:
        return str(event.actor or _("by itself"))

    @admin.display(description=_("what"))
    def what(self, event: AuditEvent) -> str:
        return action_words(event.action)

    @admin.display(description=_("campaign"))
    def about(self, event: AuditEvent) -> str | SafeString:
        return object_link(event.campaign) if event.campaign else ""

    @admin.display(description=_("details"))
    def more(self, event: AuditEvent) -> str:
        return pretty_json(event.details) if event.details else ""


@admin.register(Heartbeat)
class HeartbeatAdmin(ReadOnlyAdmin):
    """Whether the engine is alive."""

    list_display = ("name", "at")
    search_fields = ("name",)
    ordering = ("name",)
    empty_text = _("No worker has ever run. Start one with “manage.py qcluster”, or everything with “make run”.")


for model in (Schedule, Success, Failure, OrmQ):
    if admin.site.is_registered(model):
        admin.site.unregister(model)


class TaskAdmin(ReadOnlyAdmin):
    """Tasks that were worked off. They are only wake-ups: what was sent stands in the delivery log."""

    list_display = ("name", "func", "started", "seconds")
    list_filter = ("started",)
    search_fields = ("name", "func")
    search_help_text = _("A part of the task's name or of the function's.")
    fields = ("name", "func", "args", "kwargs", "started", "stopped", "result")

    @admin.display(description=_("seconds"))
    def seconds(self, task: Any) -> str:
        return f"{(task.stopped - task.started) / timedelta(seconds=1):.1f}"


@admin.register(Success)
class SuccessAdmin(TaskAdmin):
    """Stays empty on purpose."""

    empty_text = _(
        "Nothing is missing here: the results of successful tasks are not kept. "
        "What was sent is in the delivery log; failed tasks have a list of their own."
    )

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        return super().get_queryset(request).filter(success=True)


@admin.register(Failure)
class FailureAdmin(TaskAdmin):
    """Tasks that raised an error or took too long. The sweeper does their work again by itself."""

    empty_text = _("No task has failed.")

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        return super().get_queryset(request).filter(success=False)


@admin.register(Schedule)
class ScheduleAdmin(ReadOnlyAdmin):
    """What wakes the engine by the clock."""

    list_display = ("name", "func", "schedule_type", "next_run")
    search_fields = ("name", "func")
    fields = ("name", "func", "schedule_type", "minutes", "next_run", "repeats")
    empty_text = _("Nothing is scheduled: the worker has never run. Starting it makes the schedules.")


if Conf.ORM or Conf.TESTING:

    @admin.register(OrmQ)
    class QueueAdmin(ReadOnlyAdmin):
        """Wake-ups that no worker has taken yet, when the queue is kept in the database."""

        list_display = ("id", "task_name", "task_func", "lock")
        fields = ("key", "task_name", "task_func", "lock")
        readonly_fields = ("task_name", "task_func")
        empty_text = _("The queue is empty: the workers have nothing to do.")

        @admin.display(description=_("name"))
        def task_name(self, queued: OrmQ) -> str:
            return str(queued.name())

        @admin.display(description=_("function"))
        def task_func(self, queued: OrmQ) -> str:
            return str(queued.func())
