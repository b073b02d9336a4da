"""The configured gateways: whether they work, what their providers said, and pausing and resuming them."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from django.contrib import admin, messages
from django.core.exceptions import ImproperlyConfigured, PermissionDenied
from django.forms import Form
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseNotAllowed, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse
from django.utils.translation import gettext as _t
from django.utils.translation import gettext_lazy as _

from campaigns import identity, masking
from campaigns.balances import ask_balance
from campaigns.gateway_control import pause_gateway, resume_gateway, set_daily_limit, set_rate
from campaigns.gateway_forms import LimitForm, RateForm
from campaigns.models import CANCELLABLE, GatewayState, SentMessage, UnmatchedReceipt
from campaigns.prices import PriceTable, money, no_prices_for_the_day, price_table
from campaigns.reports import GatewayCard, gateway_cards
from campaigns.spent import spent_on, today
from sms_backends import Capabilities, SmsError, gateways, get_sms_backend

from .base import NumberSearchMixin, ReadOnlyAdmin, acting_user
from .display import count, pretty_json

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
    limit_form: LimitForm
    #: What was spent today, and of how much; empty when nobody knows what it costs.
    spent_today: str
    #: Why the limit for the day cannot be kept; empty when it can.
    limit_problem: str
    urls: dict[str, str]


def capabilities_of(alias: str) -> Capabilities:
    """What the gateway's provider can do; nothing when it is not set up right."""
    try:
        return get_sms_backend(alias).capabilities
    except ImproperlyConfigured:
        return Capabilities()


def _provider(card: GatewayCard) -> Provider:
    capabilities, prices = capabilities_of(card.alias), price_table(card.alias)
    limit = card.state.daily_spend_limit if card.state else None
    return Provider(
        card=card,
        capabilities=[words for name, words in CAPABILITY_WORDS if getattr(capabilities, name)],
        knows_balance=capabilities.balance and not card.problem,
        rate_form=_rate_form(card),
        limit_form=_limit_form(card.alias, limit, prices.currency),
        spent_today=_spent_today(card.alias, prices, limit) if prices else "",
        limit_problem=no_prices_for_the_day(card.alias) if limit is not None and not prices else "",
        urls={
            action: reverse(f"admin:campaigns_gatewaystate_{action}", args=[card.alias])
            for action in ("pause", "resume", "balance", "rate", "limit")
        },
    )


def _spent_today(alias: str, prices: PriceTable, limit: Decimal | None) -> str:
    spent = money(spent_on(today(), alias, prices).total, prices.currency)
    if limit is None:
        return spent
    return _t("%(spent)s of %(limit)s") % {"spent": spent, "limit": money(limit, prices.currency)}


def _limit_form(alias: str, limit: Decimal | None, currency: str) -> LimitForm:
    label = _t("At most each day (%(currency)s)") % {"currency": currency} if currency else _t("At most each day")
    return LimitForm(initial={"limit": limit}, auto_id=f"{alias}-%s", label=label)


def _rate_form(card: GatewayCard) -> RateForm:
    state = card.state or GatewayState(alias=card.alias)
    initial = {"max_per_second": state.max_per_second, "rate_unit": state.rate_unit}
    return RateForm(initial=initial, auto_id=f"{card.alias}-%s")


@admin.register(GatewayState)
class GatewayStateAdmin(ReadOnlyAdmin):
    """One card for each configured gateway, whether anything was sent through it yet or not."""

    masked = {"provider_text": masking.in_text}

    fields = (
        "alias",
        "paused_at",
        "pause_reason",
        "provider_text",
        "held_until",
        "failure_count",
        "max_per_second",
        "rate_unit",
        "daily_spend_limit",
        "spent_until",
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
            may_manage=self.has_manage_permission(request),
            prices_url=reverse("admin:campaigns_pricelist_changelist")
            if request.user.has_perm("campaigns.view_gatewayprice")
            else "",
            suspected=identity.suspected(),
            **(extra_context or {}),
        )
        return TemplateResponse(request, "admin/campaigns/gatewaystate/cards.html", context)

    def has_control_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm("campaigns.resume_gateway")

    def has_manage_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm("campaigns.manage_gateway")

    def get_urls(self) -> list[URLPattern]:
        views = {
            "pause": self.pause_view,
            "resume": self.resume_view,
            "balance": self.balance_view,
            "rate": self.rate_view,
            "limit": self.limit_view,
        }
        own = [
            path(f"<str:alias>/{action}/", self.admin_site.admin_view(view), name=f"campaigns_gatewaystate_{action}")
            for action, view in views.items()
        ]
        own.append(
            path("release/", self.admin_site.admin_view(self.release_view), name="campaigns_gatewaystate_release")
        )
        return own + super().get_urls()

    def _refusal(self, request: HttpRequest, alias: str, *, may: bool | None = None) -> HttpResponse | None:
        """Why this may not be done. Raises PermissionDenied and Http404."""
        if not (self.has_control_permission(request) if may is None else may):
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
        if identity.suspected():
            self.message_user(request, _t("Nothing was resumed: release the database first."), messages.ERROR)
            return self._back()
        resume_gateway(alias, actor=acting_user(request))
        self.message_user(request, _t("The gateway “%(alias)s” goes on.") % {"alias": alias}, messages.SUCCESS)
        return self._back()

    def release_view(self, request: HttpRequest) -> HttpResponse:
        """The operator's word that this database is the one to send from."""
        if not self.has_control_permission(request):
            raise PermissionDenied
        installation = identity.suspected()
        if installation is None:
            self.message_user(request, _t("There is nothing to release."), messages.INFO)
            return self._back()
        if request.method == "POST" and request.POST.get("confirm") == "yes":
            identity.release(actor=acting_user(request))
            self.message_user(request, _t("The database is released; what waits is sent."), messages.SUCCESS)
            return self._back()
        waiting = SentMessage.objects.filter(status__in=CANCELLABLE).count()
        words = _t(
            "%(why)s %(count)s messages wait in it. Those that went out after the backup was taken, or from the "
            "original after it was copied, are sent again when you release it. Look up at the provider what was sent, "
            "and cancel the campaigns that must not go on; then release it. Release it at once only if you know that "
            "nothing was sent meanwhile, as after a planned move."
        )
        return TemplateResponse(
            request,
            "admin/campaigns/ask.html",
            self.admin_context(
                request,
                title=_t("Release this database for sending"),
                explanation=words % {"why": installation.get_suspicion_display(), "count": count(waiting)},
                button=_t("Release and send"),
                is_destructive=True,
                back_url=reverse("admin:campaigns_gatewaystate_changelist"),
            ),
        )

    def rate_view(self, request: HttpRequest, alias: str) -> HttpResponse:
        """How fast messages may go."""
        if refusal := self._refusal(request, alias, may=self.has_manage_permission(request)):
            return refusal
        form = RateForm(request.POST)
        if not form.is_valid():
            return self._refuse(request, form)
        rate, unit = form.cleaned_data["max_per_second"], form.cleaned_data["rate_unit"]
        set_rate(alias, per_second=rate, unit=unit, actor=acting_user(request))
        self.message_user(request, _t("The pace of “%(alias)s” is set.") % {"alias": alias}, messages.SUCCESS)
        return self._back()

    def limit_view(self, request: HttpRequest, alias: str) -> HttpResponse:
        """How much may be spent each day."""
        if refusal := self._refusal(request, alias, may=self.has_manage_permission(request)):
            return refusal
        form = LimitForm(request.POST)
        if not form.is_valid():
            return self._refuse(request, form)
        limit = form.cleaned_data["limit"]
        if limit is not None and not price_table(alias):
            self.message_user(request, no_prices_for_the_day(alias), messages.ERROR)
            return self._back()
        set_daily_limit(alias, limit, actor=acting_user(request))
        sentence = _t("The spend limit for each day of “%(alias)s” is set.") % {"alias": alias}
        self.message_user(request, sentence, messages.SUCCESS)
        return self._back()

    def _refuse(self, request: HttpRequest, form: Form) -> HttpResponse:
        words = " ".join(str(error) for errors in form.errors.values() for error in errors)
        self.message_user(request, words, messages.ERROR)
        return self._back()

    def balance_view(self, request: HttpRequest, alias: str) -> HttpResponse:
        """Ask the provider how much money is left."""
        if refusal := self._refusal(request, alias):
            return refusal
        try:
            ask_balance(alias)
        except (SmsError, ImproperlyConfigured) as error:
            sentence = _t("The provider did not tell the balance: %(error)s") % {"error": error}
            self.message_user(request, sentence, messages.ERROR)
            return self._back()
        self.message_user(request, _t("The balance of “%(alias)s” is up to date.") % {"alias": alias}, messages.SUCCESS)
        return self._back()


@admin.register(UnmatchedReceipt)
class UnmatchedReceiptAdmin(NumberSearchMixin, ReadOnlyAdmin):
    """Receipts that fit no message."""

    masked = {"phone_number": masking.number}
    list_display = ("provider_message_id", "phone_number", "gateway", "received_at", "try_count", "next_try_at")
    list_filter = ("received_at",)
    search_fields = ("=provider_message_id",)
    search_help_text = _("A phone number or the provider's message id.")
    fields = ("gateway", "provider_message_id", "phone_number", "received_at", "try_count", "next_try_at", "receipt")
    readonly_fields = ("receipt",)
    empty_text = _("Every delivery receipt found its message. Early ones wait here and are tried again by themselves.")

    @admin.display(description=_("receipt"))
    def receipt(self, unmatched: UnmatchedReceipt) -> str:
        return masking.raw(pretty_json(unmatched.payload))
