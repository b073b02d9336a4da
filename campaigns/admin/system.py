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

from campaigns import masking
from campaigns.models import Heartbeat, InboundMessage

from .base import NumberSearchMixin, ReadOnlyAdmin
from .display import object_link, pretty_json

assert django_q_admin.Schedule is Schedule

ACTION_WORDS = {
    "create": _("wrote"),
    "change": _("changed"),
    "delete": _("deleted"),
    "duplicate": _("copied"),
    "template_written": _("wrote a template"),
    "template_changed": _("changed a template"),
    "template_deleted": _("deleted a template"),
    "launch": _("sent"),
    "schedule": _("scheduled"),
    "unschedule": _("took off the schedule"),
    "pause": _("paused"),
    "resume": _("resumed"),
    "cancel": _("cancelled"),
    "completed": _("completed"),
    "approval_asked": _("asked for approval"),
    "approval_given": _("approved"),
    "approval_declined": _("declined"),
    "approval_withdrawn": _("does not ask for approval any more"),
    "rehearsal_begun": _("rehearsed"),
    "rehearsal_discarded": _("threw a rehearsal away"),
    "canary_over": _("finished the first portion"),
    "opt_out": _("opted out"),
    "opt_in": _("lifted the opt-out"),
    "erasure": _("was asked to erase a person"),
    "erased": _("erased a person"),
    "export_person": _("exported everything about a person"),
    "conversation_assigned": _("said who takes a conversation"),
    "conversation_answered": _("marked a conversation as answered"),
    "conversation_reopened": _("put a conversation back to be answered"),
    "conversation_reviewed": _("decided whether an answer is an opt-out"),
    "keyword_saved": _("saved a keyword"),
    "keyword_removed": _("removed a keyword"),
    "automatic_reply_saved": _("saved an automatic answer"),
    "automatic_reply_removed": _("removed an automatic answer"),
    "send_automatic": _("answered automatically"),
    "send_confirm": _("confirmed an opt-out"),
    "add_to_group": _("added to a group"),
    "remove_from_group": _("took out of a group"),
    "set_attribute": _("set a field of contacts"),
    "apply_definition": _("brought a field into its kind"),
    "delete_contacts": _("deleted contacts"),
    "export": _("exported"),
    "erase": _("erased people"),
    "forget_reading": _("forgot how a file was read"),
    "consent": _("recorded consent of contacts"),
    "send_to": _("made a draft campaign for selected contacts"),
    "download_export": _("downloaded an export"),
    "export_report": _("downloaded the report"),
    "reopened": _("took up again, since something waits"),
    "cancel_bulk_action": _("stopped a bulk action"),
    "create_contact": _("added the contact"),
    "change_contact": _("changed the contact"),
    "change_number": _("changed the number"),
    "merge_contacts": _("merged two contacts"),
    "create_smart_group": _("made a smart group"),
    "change_smart_group": _("changed a smart group"),
    "delete_smart_group": _("deleted a smart group"),
    "create_attribute": _("defined a field"),
    "change_attribute": _("changed the definition of a field"),
    "delete_attribute": _("deleted the definition of a field"),
    "gateway_paused": _("paused a gateway"),
    "gateway_resumed": _("resumed a gateway"),
    "gateway_rate": _("set the pace of a gateway"),
    "gateway_limit": _("set the spend limit for the day of a gateway"),
    "gateway_spent": _("stopped at the spend limit for the day of a gateway"),
    "gateway_prices": _("changed the prices of a gateway"),
    "spend_limit": _("set the spend limit"),
    "copy_suspected": _("suspected a copy of the database"),
    "copy_released": _("released the database for sending"),
    "holiday_listed": _("listed a holiday"),
    "holiday_removed": _("removed a holiday"),
    "resend_unknown": _("sent unknown messages again"),
    "leave_unknown": _("left unknown messages as they are"),
    "send_quick": _("sent a single message"),
    "send_test": _("sent a test"),
    "send_reply": _("sent a reply"),
    "resend": _("sent again to those who were not reached"),
    "archive": _("archived"),
    "restore": _("restored"),
    "import": _("imported contacts"),
    "upload_import": _("uploaded a contact file"),
    "cancel_import": _("cancelled an import"),
    "undo_import": _("undid an import"),
    "download_bad_rows": _("downloaded the bad rows of an import"),
    "delete_contact": _("deleted the contact"),
    "archive_contact": _("archived the contact"),
    "restore_contact": _("brought the contact back from the archive"),
    "restore_contacts": _("brought contacts back from the archive"),
    "create_group": _("made a group"),
    "change_group": _("changed a group"),
    "delete_group": _("deleted a group"),
    "archive_group": _("archived a group"),
    "restore_group": _("restored a group"),
    "create_user": _("added a user"),
    "change_user": _("changed a user"),
    "delete_user": _("deleted a user"),
    "change_password": _("changed the password"),
    "create_role": _("made a group of permissions"),
    "change_role": _("changed a group of permissions"),
    "delete_role": _("deleted a group of permissions"),
    "login": _("signed in"),
    "logout": _("signed out"),
    "login_failed": _("failed to sign in"),
}


def action_words(action: str) -> str:
    """An entry of the audit trail in words."""
    return str(ACTION_WORDS.get(action, action.replace("_", " ")))


@admin.register(InboundMessage)
class InboundMessageAdmin(NumberSearchMixin, ReadOnlyAdmin):
    """What people wrote to us."""

    masked = {"phone_number": masking.number, "text": masking.text}
    list_display = ("received_at", "phone_number", "sender", "text", "gateway")
    list_filter = ("received_at",)
    list_select_related = ("contact",)
    search_fields = ("text",)
    search_help_text = _("A phone number in any spelling, its first digits, or a word of the text.")
    fields = (
        "received_at",
        "phone_number",
        "sender",
        "to",
        "text",
        "meaning",
        "conversation",
        "campaign",
        "gateway",
        "provider_message_id",
        "as_it_came",
    )
    readonly_fields = ("sender", "as_it_came")
    empty_text = _("Nobody has written to you yet. Replies come here when the provider passes them on.")

    @admin.display(description=_("contact"))
    def sender(self, message: InboundMessage) -> str | SafeString:
        return object_link(message.contact, message.contact.full_name) if message.contact else ""

    @admin.display(description=_("as it came"))
    def as_it_came(self, message: InboundMessage) -> str:
        return masking.raw(pretty_json(message.raw))


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
    masked = {"result": masking.in_text}
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
