"""The delivery log: read-only, browsed by key, searched by number; and the page that answers for one message."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.contrib import admin
from django.core.exceptions import PermissionDenied
from django.db.models import Q, QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404
from django.urls import URLPattern, path, reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _t
from django.utils.translation import gettext_lazy as _

from campaigns.models import Attempt, Campaign, EventKind, MessageEvent, MessageStatus, SentMessage
from campaigns.reports import reason_label
from sms_backends import gateways

from .base import ReadOnlyAdmin, number_query
from .display import moment, object_link, pretty_json, status_pill
from .keyset import KeysetChangeList
from .unknown import decide

CAMPAIGNS_OFFERED = 10


class CampaignFilter(admin.SimpleListFilter):
    """The latest campaigns, and whichever is chosen. All others are reached from their own pages."""

    title = _("campaign")
    parameter_name = "campaign__id__exact"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        chosen = self.value()
        newest = Campaign.objects.order_by("-pk").values_list("pk", flat=True)[:CAMPAIGNS_OFFERED]
        wanted = set(newest) | ({int(chosen)} if chosen and chosen.isdecimal() else set())
        named = Campaign.objects.filter(pk__in=wanted).order_by("-pk").values_list("pk", "name")
        return [(str(pk), name) for pk, name in named]

    def has_output(self) -> bool:
        return bool(self.lookup_choices) or self.value() is not None

    def queryset(self, request: HttpRequest, queryset: QuerySet[SentMessage]) -> QuerySet[SentMessage]:
        value = self.value()
        if value is None:
            return queryset
        return queryset.filter(campaign=int(value)) if value.isdecimal() else queryset.none()


class GatewayFilter(admin.SimpleListFilter):
    """By configured gateway: reading the distinct values off the log would read all of it."""

    title = _("gateway")
    parameter_name = "gateway__exact"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [(alias, alias) for alias in gateways]

    def has_output(self) -> bool:
        return len(self.lookup_choices) > 1 or self.value() is not None

    def queryset(self, request: HttpRequest, queryset: QuerySet[SentMessage]) -> QuerySet[SentMessage]:
        return queryset.filter(gateway=self.value()) if self.value() else queryset


class ReasonFilter(admin.SimpleListFilter):
    """Reached by the links of a campaign's page; shown only while it is set."""

    title = _("reason")
    parameter_name = "reason__exact"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        value = self.value()
        return [(value, reason_label(value))] if value else []

    def has_output(self) -> bool:
        return self.value() is not None

    def queryset(self, request: HttpRequest, queryset: QuerySet[SentMessage]) -> QuerySet[SentMessage]:
        return queryset.filter(reason=self.value()) if self.value() else queryset


@dataclass(frozen=True)
class Step:
    """A line of a message's timeline."""

    at: datetime
    title: str
    details: str = ""
    raw: str = ""
    tone: str = "quiet"


@admin.register(SentMessage)
class SentMessageAdmin(ReadOnlyAdmin):
    """What was sent to whom, and what became of it."""

    list_display = ("created", "to_whom", "about", "state", "why", "segment_count", "gateway")
    list_display_links = ("created", "to_whom")
    list_filter = (CampaignFilter, "status", "purpose", GatewayFilter, "created_at", ReasonFilter)
    list_select_related = ("campaign", "contact")
    search_fields = ("phone_number",)  # makes the search box appear; get_search_results() knows better
    search_help_text = _("A phone number in any spelling, its first digits, our reference, or the provider's id.")
    sortable_by = ()
    empty_text = _("Nothing has been sent yet. Every message will be here, with what the provider said to it.")
    change_form_template = "admin/campaigns/sentmessage/page.html"

    # --- the list ------------------------------------------------------------------------------------------

    def get_list_display(self, request: HttpRequest) -> tuple[str, ...]:
        """The gateway is worth a column only where there are several."""
        return self.list_display if len(list(gateways)) > 1 else self.list_display[:-1]

    def get_changelist(self, request: HttpRequest, **kwargs: Any) -> type[KeysetChangeList]:
        return KeysetChangeList

    def get_queryset(self, request: HttpRequest) -> QuerySet[SentMessage]:
        messages = super().get_queryset(request)
        resolved = request.resolver_match
        if resolved and resolved.url_name == "campaigns_sentmessage_changelist":
            return messages.defer(
                "provider_response", "body", "campaign__body", "campaign__launch", "contact__attributes"
            )
        return messages

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[SentMessage], search_term: str
    ) -> tuple[QuerySet[SentMessage], bool]:
        """By indexes only: the log has a hundred million rows."""
        term = search_term.strip()
        if not term:
            return queryset, False
        by_number = number_query(term)
        by_name = Q(pk__in=Attempt.objects.filter(reference=term).values("message")) | Q(
            gateway__in=list(gateways), provider_message_id=term
        )
        return queryset.filter(by_number | by_name if by_number is not None else by_name), False

    @admin.display(description=_("created"))
    def created(self, message: SentMessage) -> str | SafeString:
        return moment(message.created_at)

    @admin.display(description=_("to"))
    def to_whom(self, message: SentMessage) -> str | SafeString:
        name = message.contact.full_name if message.contact else ""
        if not name:
            return message.phone_number
        return format_html('{} <span class="quiet">{}</span>', message.phone_number, name)

    @admin.display(description=_("campaign"))
    def about(self, message: SentMessage) -> str | SafeString:
        return object_link(message.campaign) if message.campaign else message.get_purpose_display()

    @admin.display(description=_("status"))
    def state(self, message: SentMessage) -> SafeString:
        return status_pill(message)

    @admin.display(description=_("reason"))
    def why(self, message: SentMessage) -> str:
        return reason_label(message.reason) if message.reason else ""

    # --- the page of a message -----------------------------------------------------------------------------

    def has_control_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm("campaigns.control_campaign")

    def get_urls(self) -> list[URLPattern]:
        view = self.admin_site.admin_view(self.unknown_view)
        return [path("<int:pk>/unknown/", view, name="campaigns_sentmessage_unknown"), *super().get_urls()]

    def unknown_view(self, request: HttpRequest, pk: int) -> HttpResponse:
        """The operator's word on a message of which nobody knows whether the provider took it."""
        if not (self.has_view_permission(request) and self.has_control_permission(request)):
            raise PermissionDenied
        message = get_object_or_404(SentMessage, pk=pk)
        rows = SentMessage.objects.filter(pk=pk, status=MessageStatus.UNKNOWN)
        return decide(self, request, rows, original=message, back_url=message.get_absolute_url())

    def change_view(
        self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        message = self.get_object(request, object_id)
        page: dict[str, Any] = {}
        if message is not None:
            page = {
                "message": message,
                "facts": list(facts(message)),
                "timeline": timeline(message),
                "may_decide": message.status == MessageStatus.UNKNOWN and self.has_control_permission(request),
                "unknown_url": reverse("admin:campaigns_sentmessage_unknown", args=[message.pk]),
            }
        return super().change_view(request, object_id, form_url, {**page, **(extra_context or {})})


def facts(message: SentMessage) -> Iterable[tuple[str, Any]]:
    """What is to be said about a message besides its text, as pairs of words and values; empty ones left out."""
    asked_by = message.created_by or (message.campaign.launched_by if message.campaign else None)
    cost = f"{message.cost.normalize():f} {message.currency}".strip() if message.cost is not None else ""
    pairs = [
        (_t("Status"), status_pill(message)),
        (_t("Reason"), message.reason_display),
        (_t("Number"), message.phone_number),
        (_t("Contact"), object_link(message.contact) if message.contact else ""),
        (_t("Country"), message.region),
        (_t("Campaign"), object_link(message.campaign) if message.campaign else ""),
        (_t("Purpose"), message.get_purpose_display()),
        (_t("Asked for by"), asked_by),
        (_t("Gateway"), message.gateway),
        (_t("Sender"), message.sender_id),
        (_t("Segments"), _segments(message)),
        (_t("Cost"), cost),
        (_t("Our reference"), message.reference),
        (_t("Provider's message id"), message.provider_message_id),
        (_t("Not before"), moment(message.not_before) if message.not_before else ""),
        (_t("Receipt"), _t("overdue: the provider never said what became of it") if message.receipt_overdue else ""),
        (_t("Sent twice"), _t("yes, at least two attempts were taken") if message.sent_twice else ""),
    ]
    return ((name, value) for name, value in pairs if value)


def _segments(message: SentMessage) -> str:
    return f"{message.segment_count} ({message.encoding})" if message.segment_count else ""


def timeline(message: SentMessage) -> list[Step]:
    """
    Everything that is known to have happened to a message, oldest first.

    Providers tell the time in whole seconds, so steps of one second stand in the order in which they can follow.
    """
    steps = [Step(message.created_at, _t("Created"))]
    for attempt in message.attempts.all():
        steps += _attempt_steps(attempt)
    steps += [_event_step(event) for event in message.events.all()]
    if message.status == MessageStatus.SUPPRESSED:
        steps.append(Step(message.status_at or message.created_at, _t("Not sent on purpose"), message.reason_display))
    steps.sort(key=lambda step: step.at.replace(microsecond=0))
    return steps


OUTCOMES = {
    "accepted": (_("The provider took it"), "good"),
    "rejected": (_("The provider did not take it"), "bad"),
    "unknown": (_("Nobody knows whether the provider took it"), "unsure"),
}


def _attempt_steps(attempt: Attempt) -> list[Step]:
    offered = _t("Attempt %(number)s: handed over to %(gateway)s") % {
        "number": attempt.number,
        "gateway": attempt.gateway,
    }
    steps = [Step(attempt.started_at, offered, _t("Reference %(reference)s") % {"reference": attempt.reference})]
    if attempt.finished_at is None:
        return steps
    title, tone = OUTCOMES.get(attempt.outcome, (attempt.outcome, "quiet"))
    said = " ".join(word for word in (attempt.error_code, attempt.error_text) if word)
    if attempt.provider_message_id:
        said = f"{said} {_t('Id: %(id)s') % {'id': attempt.provider_message_id}}".strip()
    raw = "" if attempt.raw is None else pretty_json(attempt.raw)
    return [*steps, Step(attempt.finished_at, str(title), said, raw, tone)]


def _event_step(event: MessageEvent) -> Step:
    payload = event.payload if isinstance(event.payload, dict) else {"": event.payload}
    words = [payload.get(key) for key in ("status", "provider_status", "provider_text", "by")]
    reason = str(payload.get("reason") or "")
    details = " · ".join(str(word) for word in [*words, reason and reason_label(reason)] if word)
    tone = {"delivered": "good", "undelivered": "bad", "expired": "bad", "rejected": "bad"}.get(
        str(payload.get("status")), "unsure" if event.kind == EventKind.UNKNOWN else "quiet"
    )
    raw = pretty_json(payload.get("raw") or event.payload)
    return Step(event.at, str(event.get_kind_display()), details, raw, tone)
