"""The configured gateways: whether they work, what their providers said, and pausing and resuming them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from django.contrib import admin, messages
from django.core.exceptions import ImproperlyConfigured, PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseNotAllowed, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse
from django.utils import timezone
from django.utils.translation import gettext as _t
from django.utils.translation import gettext_lazy as _

from campaigns.forms import RateForm
from campaigns.gateway_control import pause_gateway, resume_gateway, set_rate
from campaigns.models import GatewayState, UnmatchedReceipt
from campaigns.reports import GatewayCard, gateway_cards
from sms_backends import Capabilities, SmsError, gateways, get_sms_backend

from .base import NumberSearchMixin, ReadOnlyAdmin, acting_user
from .display import pretty_json

#: What operators need to know of a provider, in the order shown.
CAPABILITY_WORDS = (
    ("receipts_push", _("reports deliveries")),
    ("receipts_poll", _("can be asked for deliveries")),
    ("incoming_push", _("passes on replies")),
    ("sender_id", _("shows a sender of your choice")),
    ("lookup_by_reference", _("can be asked about a lost request")),
    ("balance", _("tells the balance")),
    ("price", _("tells the price beforehand")),
)


@dataclass(frozen=True)
class Provider:
    """A gateway as its card shows it."""

    card: GatewayCard
    capabilities: list[Any]
    knows_balance: bool
    rate_form: RateForm
    urls: dict[str, str]


def capabilities_of(alias: str) -> Capabilities:
    """What the gateway's provider can do; nothing when it is not set up right."""
    try:
        return get_sms_backend(alias).capabilities
    except ImproperlyConfigured:
        return Capabilities()


def _provider(card: GatewayCard) -> Provider:
    capabilities = capabilities_of(card.alias)
    return Provider(
        card=card,
        capabilities=[words for name, words in CAPABILITY_WORDS if getattr(capabilities, name)],
        knows_balance=capabilities.balance and not card.problem,
        rate_form=_rate_form(card),
        urls={
            action: reverse(f"admin:campaigns_gatewaystate_{action}", args=[card.alias])
            for action in ("pause", "resume", "balance", "rate")
        },
    )


def _rate_form(card: GatewayCard) -> RateForm:
    state = card.state or GatewayState(alias=card.alias)
    initial = {"max_per_second": state.max_per_second, "rate_unit": state.rate_unit}
    return RateForm(initial=initial, auto_id=f"{card.alias}-%s")


@admin.register(GatewayState)
class GatewayStateAdmin(ReadOnlyAdmin):
    """One card for each configured gateway, whether anything was sent through it yet or not."""

    fields = (
        "alias",
        "paused_at",
        "pause_reason",
        "provider_text",
        "held_until",
        "failure_count",
        "max_per_second",
        "rate_unit",
        "balance",
        "currency",
        "balance_at",
    )

    def changelist_view(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponse:
        if not self.has_view_permission(request):
            raise PermissionDenied
        context = self.admin_context(
            request,
            title=_t("Providers"),
            providers=[_provider(card) for card in gateway_cards()],
            may_control=self.has_control_permission(request),
            **(extra_context or {}),
        )
        return TemplateResponse(request, "admin/campaigns/gatewaystate/cards.html", context)

    def has_control_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm("campaigns.resume_gateway")

    def get_urls(self) -> list[URLPattern]:
        views = {
            "pause": self.pause_view,
            "resume": self.resume_view,
            "balance": self.balance_view,
            "rate": self.rate_view,
        }
        own = [
            path(f"<str:alias>/{action}/", self.admin_site.admin_view(view), name=f"campaigns_gatewaystate_{action}")
            for action, view in views.items()
        ]
        return own + super().get_urls()

    def _refusal(self, request: HttpRequest, alias: str) -> HttpResponse | None:
        """Why this may not be done. Raises PermissionDenied and Http404."""
        if not self.has_control_permission(request):
            raise PermissionDenied
        if alias not in gateways:
            raise Http404
        return None if request.method == "POST" else HttpResponseNotAllowed(["POST"])

    def _back(self) -> HttpResponse:
        return HttpResponseRedirect(reverse("admin:campaigns_gatewaystate_changelist"))

    def pause_view(self, request: HttpRequest, alias: str) -> HttpResponse:
        if refusal := self._refusal(request, alias):
            return refusal
        actor = acting_user(request)
        text = _t("Paused by %(user)s.") % {"user": actor}
        pause_gateway(alias, reason="operator", text=text, actor=actor)
        self.message_user(request, _t("The gateway “%(alias)s” is paused.") % {"alias": alias}, messages.SUCCESS)
        return self._back()

    def resume_view(self, request: HttpRequest, alias: str) -> HttpResponse:
        if refusal := self._refusal(request, alias):
            return refusal
        resume_gateway(alias, actor=acting_user(request))
        self.message_user(request, _t("The gateway “%(alias)s” goes on.") % {"alias": alias}, messages.SUCCESS)
        return self._back()

    def rate_view(self, request: HttpRequest, alias: str) -> HttpResponse:
        """How fast messages may go."""
        if refusal := self._refusal(request, alias):
            return refusal
        form = RateForm(request.POST)
        if not form.is_valid():
            words = " ".join(str(error) for errors in form.errors.values() for error in errors)
            self.message_user(request, words, messages.ERROR)
            return self._back()
        rate, unit = form.cleaned_data["max_per_second"], form.cleaned_data["rate_unit"]
        set_rate(alias, per_second=rate, unit=unit, actor=acting_user(request))
        self.message_user(request, _t("The pace of “%(alias)s” is set.") % {"alias": alias}, messages.SUCCESS)
        return self._back()

    def balance_view(self, request: HttpRequest, alias: str) -> HttpResponse:
        """Ask the provider how much money is left."""
        if refusal := self._refusal(request, alias):
            return refusal
        try:
            balance = get_sms_backend(alias).get_balance()
        except (SmsError, ImproperlyConfigured) as error:
            sentence = _t("The provider did not tell the balance: %(error)s") % {"error": error}
            self.message_user(request, sentence, messages.ERROR)
            return self._back()
        GatewayState.objects.update_or_create(
            alias=alias,
            defaults={"balance": balance.amount, "currency": balance.currency, "balance_at": timezone.now()},
        )
        self.message_user(request, _t("The balance of “%(alias)s” is up to date.") % {"alias": alias}, messages.SUCCESS)
        return self._back()


@admin.register(UnmatchedReceipt)
class UnmatchedReceiptAdmin(NumberSearchMixin, ReadOnlyAdmin):
    """Receipts that fit no message."""

    list_display = ("provider_message_id", "phone_number", "gateway", "received_at", "try_count", "next_try_at")
    list_filter = ("received_at",)
    search_fields = ("=provider_message_id",)
    search_help_text = _("A phone number or the provider's message id.")
    fields = ("gateway", "provider_message_id", "phone_number", "received_at", "try_count", "next_try_at", "receipt")
    readonly_fields = ("receipt",)
    empty_text = _("Every delivery receipt found its message. Early ones wait here and are tried again by themselves.")

    @admin.display(description=_("receipt"))
    def receipt(self, unmatched: UnmatchedReceipt) -> str:
        return pretty_json(unmatched.payload)
