"""The delivery log, read-only, and the page that answers for one message."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.contrib.admin.helpers import ACTION_CHECKBOX_NAME
from django.core.exceptions import PermissionDenied
from django.db.models import QuerySet
from django.forms import Media
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import get_object_or_404
from django.urls import URLPattern, path, reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _t
from django.utils.translation import gettext_lazy as _

from campaigns.models import MessageStatus, SentMessage
from campaigns.reports import reason_label
from sms_backends import gateways

from .base import ReadOnlyAdmin
from .bulk import BulkActionsMixin
from .display import moment, number, object_link, status_pill
from .log_export import export_page, export_url
from .log_filters import campaign_widget
from .log_list import LogChangeList
from .message_page import message_page
from .unknown import decide
from .why_not import why_not_page


@admin.register(SentMessage)
class SentMessageAdmin(BulkActionsMixin, ReadOnlyAdmin):
    """What was sent to whom, and what became of it."""

    actions: Any = ()

    list_display = ("created", "to_whom", "about", "state", "why", "segment_count", "gateway")
    list_display_links = ("created", "to_whom")
    list_select_related = ("campaign", "contact")
    search_fields = ("phone_number",)  # that there is a search; LogChangeList knows better
    search_help_text = _(
        "A phone number in any spelling, its first digits, a masked one as it is shown (+7•••67), our reference, or "
        "the provider's id."
    )
    sortable_by = ()
    empty_text = _("Nothing has been sent yet. Every message will be here, with what the provider said to it.")
    change_form_template = "admin/campaigns/sentmessage/page.html"

    # --- the list ------------------------------------------------------------------------------------------

    def get_list_display(self, request: HttpRequest) -> tuple[str, ...]:
        """The gateway is worth a column only where there are several."""
        return self.list_display if len(list(gateways)) > 1 else self.list_display[:-1]

    def get_changelist(self, request: HttpRequest, **kwargs: Any) -> type[LogChangeList]:
        return LogChangeList

    @property
    def media(self) -> Media:
        own = Media(css={"all": ["sms/log.css"]}, js=["sms/log.js"])
        return super().media + campaign_widget().media + own

    def has_export_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm("campaigns.export_sentmessage")

    def changelist_view(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponse:
        context = {"may_export": self.has_export_permission(request)}
        return super().changelist_view(request, {**context, **(extra_context or {})})

    def start_bulk(self, request: HttpRequest, queryset: QuerySet[Any], key: str) -> HttpResponse | None:
        """The page of the export knows the filters by itself, and does not count what takes long to be counted."""
        if key != "export":
            return super().start_bulk(request, queryset, key)
        return HttpResponseRedirect(export_url(request))

    def get_queryset(self, request: HttpRequest) -> QuerySet[SentMessage]:
        messages = super().get_queryset(request)
        resolved = request.resolver_match
        if resolved and resolved.url_name == "campaigns_sentmessage_changelist":
            return messages.defer(
                "provider_response", "body", "campaign__body", "campaign__launch", "contact__attributes"
            )
        return messages

    def action_checkbox(self, message: SentMessage) -> SafeString:
        """As Django's, but written in one go: its template for each row takes a fifth of the page's time."""
        return format_html(
            '<input type="checkbox" name="{}" value="{}" class="action-select" aria-label="{}">',
            ACTION_CHECKBOX_NAME,
            message.pk,
            _t("Tick this message"),
        )

    @admin.display(description=_("created"))
    def created(self, message: SentMessage) -> str | SafeString:
        return moment(message.created_at)

    @admin.display(description=_("to"))
    def to_whom(self, message: SentMessage) -> str | SafeString:
        name = message.contact.full_name if message.contact else ""
        if not name:
            return number(message.phone_number)
        return format_html('{} <span class="quiet">{}</span>', number(message.phone_number), name)

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
        view = self.admin_site.admin_view
        return [
            path("why-not/", view(self.why_not_view), name="campaigns_sentmessage_why_not"),
            path("export/", view(self.export_view), name="campaigns_sentmessage_export"),
            path("<int:pk>/unknown/", view(self.unknown_view), name="campaigns_sentmessage_unknown"),
            *super().get_urls(),
        ]

    def why_not_view(self, request: HttpRequest) -> HttpResponse:
        """Why a number got nothing from a campaign."""
        if not self.has_view_permission(request):
            raise PermissionDenied
        return why_not_page(self, request)

    def export_view(self, request: HttpRequest) -> HttpResponse:
        """Choose what of the messages goes into a file, and begin to write it."""
        if not (self.has_view_permission(request) and self.has_export_permission(request)):
            raise PermissionDenied
        return export_page(self, request)

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
                **message_page(request, message),
                "may_decide": message.status == MessageStatus.UNKNOWN and self.has_control_permission(request),
                "unknown_url": reverse("admin:campaigns_sentmessage_unknown", args=[message.pk]),
            }
        return super().change_view(request, object_id, form_url, {**page, **(extra_context or {})})
