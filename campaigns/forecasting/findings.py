"""What an operator should know before pressing Send, and what to do about it: one finding each."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal

from django.conf import settings
from django.db.models import Sum
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from campaigns.composing import Template, TemplateError
from campaigns.keyword_packs import PACKS
from campaigns.keywords import normalised
from campaigns.languages import language_name
from campaigns.models import (
    Campaign,
    CampaignKind,
    FailureReason,
    Figure,
    GatewayState,
    SuppressionReason,
)
from campaigns.preflight import no_consent_warning
from campaigns.prices import PriceTable, money, price_table
from campaigns.reports import workers_alive
from campaigns.spent import spent_on, today
from campaigns.unsubscribing import UNSUBSCRIBE_LINK
from campaigns.windows import window_of

from .tally import Tally
from .words import count, people

#: The same text to the same groups within this time is worth a question.
SAME_TEXT = timedelta(hours=48)
#: A provider that refused a sender within this time will do so again.
REFUSED_SENDER = timedelta(days=30)
LOOKED_AT = 200


@dataclass(frozen=True, slots=True)
class Finding:
    """What is the matter, and what to do. `url` is where; empty where nothing can be done from a page of ours."""

    what: str
    todo: str = ""
    url: str = ""

    def __str__(self) -> str:
        return f"{self.what} {self.todo}".strip()


# --- what the figures say ------------------------------------------------------------------------------------


def findings_of(campaign: Campaign, tally: Tally, prices: PriceTable) -> list[Finding]:
    """What follows from the figures of a forecast."""
    found = [*_nobody(tally), *_consent(tally), *_missing(campaign, tally)]
    if tally.usual_zone and window_of(campaign):
        found.append(_usual_zone(tally.usual_zone))
    if tally.recent:
        found.append(_recent(tally.recent))
    return [*found, *_limits(campaign, tally, prices), *_unsaved(campaign)]


def _nobody(tally: Tally) -> Iterable[Finding]:
    if tally.people and not tally.recipients:
        yield Finding(
            _("Nobody would get this message: everybody is left out."),
            _("Look at the reasons below; each leads to the people."),
        )


def _consent(tally: Tally) -> Iterable[Finding]:
    if refused := tally.left_out[SuppressionReason.NO_CONSENT]:
        yield Finding(no_consent_warning(refused))
    if held := tally.left_out[SuppressionReason.UNDER_REVIEW]:
        sentence = ngettext(
            "%(people)s person wrote what may be an opt-out and is left out. See the Inbox, “to be reviewed”.",
            "%(people)s people wrote what may be an opt-out and are left out. See the Inbox, “to be reviewed”.",
            held,
        )
        url = f"{reverse('admin:campaigns_conversation_changelist')}?state=review"
        yield Finding(sentence % {"people": count(held)}, url=url)


def _missing(campaign: Campaign, tally: Tally) -> Iterable[Finding]:
    if missing := tally.left_out[SuppressionReason.MISSING_VALUE]:
        sentence = ngettext(
            "%(people)s person is left out, for want of a value for a placeholder.",
            "%(people)s people are left out, for want of a value for a placeholder.",
            missing,
        )
        yield Finding(
            sentence % {"people": count(missing)},
            _('Write what they get instead, as in {{ first_name|default:"friend" }}, or fill in the contacts.'),
            campaign.get_absolute_url(),
        )


def _usual_zone(number: int) -> Finding:
    sentence = ngettext(
        "The number of %(people)s person does not tell where they live: the sending hours are those of the usual time "
        "zone of their country.",
        "The numbers of %(people)s people do not tell where they live: their sending hours are those of the usual time "
        "zone of their country.",
        number,
    )
    return Finding(
        sentence % {"people": count(number)}, _("If you know better, import their time zones, or narrow the hours.")
    )


def _recent(number: int) -> Finding:
    hours = ngettext("%(hours)s hour", "%(hours)s hours", settings.SMS_RECENT_HOURS)
    sentence = ngettext(
        "%(people)s person was sent another campaign within %(hours)s.",
        "%(people)s people were sent another campaign within %(hours)s.",
        number,
    )
    return Finding(
        sentence % {"people": count(number), "hours": hours % {"hours": count(settings.SMS_RECENT_HOURS)}},
        _("Leave them out by a smart group (“was not sent anything in the last days”), or send tomorrow."),
        reverse("admin:campaigns_smartgroup_changelist"),
    )


def _limits(campaign: Campaign, tally: Tally, prices: PriceTable) -> Iterable[Finding]:
    """That a spend limit will stop it before everybody has the message."""
    if not prices:
        return
    at_most = tally.cost + prices.at_most(None, tally.unpriced_segments)
    expected = {"cost": money(at_most, prices.currency)}
    if campaign.spend_limit is not None and at_most > campaign.spend_limit:
        limit = money(campaign.spend_limit, prices.currency)
        yield Finding(
            _("It may cost %(cost)s, more than its spend limit of %(limit)s. It pauses when the limit is reached.")
            % {**expected, "limit": limit},
            _("Raise the limit, or choose fewer people."),
            campaign.get_absolute_url(),
        )
    daily = GatewayState.objects.filter(alias=campaign.gateway).values_list("daily_spend_limit", flat=True).first()
    if daily is None:
        return
    left = max(daily - spent_on(today(), campaign.gateway, prices).total, Decimal(0))
    if at_most > left:
        yield Finding(
            _(
                "It may cost %(cost)s, and through the gateway “%(gateway)s” no more than %(limit)s may be spent each "
                "day; %(left)s are left today. What does not fit waits for the next days."
            )
            % {
                **expected,
                "gateway": campaign.gateway,
                "limit": money(daily, prices.currency),
                "left": money(left, prices.currency),
            },
            _("Raise the limit for the day, or let it wait."),
            reverse("admin:campaigns_gatewaystate_changelist"),
        )


def _unsaved(campaign: Campaign) -> Iterable[Finding]:
    """That somebody has typed what would not be sent."""
    for draft in campaign.drafts.select_related("user").order_by("pk"):
        name = draft.user.get_short_name() or draft.user.get_username()
        yield Finding(
            _("%(name)s has changes of this campaign that are not saved. What is saved is sent.") % {"name": name},
            _("Ask whether they belong to it."),
            campaign.get_absolute_url(),
        )


# --- what stands around it -----------------------------------------------------------------------------------


def situation(campaign: Campaign, at_most: Decimal, prices: PriceTable) -> list[Finding]:
    """What else is worth knowing now: the text, the provider, the workers, the money."""
    return [
        *_opt_out_hint(campaign),
        *_sender(campaign),
        *_same_text(campaign),
        *_workers(),
        *_gateway(campaign.gateway),
        *_unpriced(campaign, prices),
        *_balance(campaign.gateway, at_most, prices),
    ]


def _opt_out_hint(campaign: Campaign) -> Iterable[Finding]:
    if campaign.kind != CampaignKind.MARKETING:
        return
    for language, text in {"": campaign.body, **campaign.texts}.items():
        if not has_opt_out_hint(text):
            yield Finding(
                _("The text in %(language)s does not say how to opt out.") % {"language": language_name(language)}
                if language
                else _("The text does not say how to opt out."),
                _("Advertising must. Add “Reply STOP to opt out”, or {{ unsubscribe_link }}."),
                campaign.get_absolute_url(),
            )


def has_opt_out_hint(text: str) -> bool:
    """Whether a text names a word that stops further messages, in any of our languages, or has the link."""
    try:
        if UNSUBSCRIBE_LINK in Template(text).names:
            return True
    except TemplateError:
        return False
    said = f" {normalised(text)} "
    return any(f" {word} " in said for pack in PACKS for word in pack.stop if word not in _COMMON_WORDS)


#: These stop messages when they are all that somebody writes, and say nothing in a longer text.
_COMMON_WORDS = frozenset({"end", "remove", "cancel", "quit", "fin", "no", "нет", "конец"})


def _sender(campaign: Campaign) -> Iterable[Finding]:
    refused = Figure.objects.filter(
        gateway=campaign.gateway,
        reason=FailureReason.SENDER,
        day__gte=timezone.localdate() - REFUSED_SENDER,
        campaign__sender_id=campaign.sender_id,
    ).aggregate(n=Sum("messages"))["n"]
    if refused:
        yield Finding(
            _("The provider refused this sender lately: %(count)s messages were rejected for it.")
            % {"count": count(refused)},
            _("Register it with the provider, or choose another."),
            campaign.get_absolute_url(),
        )


def _same_text(campaign: Campaign) -> Iterable[Finding]:
    since = timezone.now() - SAME_TEXT
    lately = Campaign.objects.filter(launched_at__gte=since).exclude(pk=campaign.pk).order_by("-launched_at")
    groups = set(campaign.include_groups.values_list("pk", flat=True))
    for other in lately[:LOOKED_AT]:
        said = other.launch.get("body"), other.launch.get("texts") or {}
        if said == (campaign.body, campaign.texts) and groups & set(other.launch.get("include_groups", ())):
            yield Finding(
                _("The same text was sent to one of these groups %(ago)s, as “%(name)s”.")
                % {"ago": _ago(timezone.now() - other.launched_at), "name": other.name},  # type: ignore[operator]
                _("If that was this campaign, do not send it twice."),
                other.get_absolute_url(),
            )
            return


def _ago(since: timedelta) -> str:
    hours = int(since.total_seconds() // 3600)
    if not hours:
        return _("less than an hour ago")
    return ngettext("%(hours)s hour ago", "%(hours)s hours ago", hours) % {"hours": hours}


def _workers() -> Iterable[Finding]:
    if not workers_alive():
        yield Finding(
            _("No worker is running: nothing is sent before one is started."),
            _("Start it (make run, or the worker's container)."),
            reverse("admin:campaigns_heartbeat_changelist"),
        )


def _gateway(alias: str) -> Iterable[Finding]:
    state = GatewayState.objects.filter(alias=alias).first()
    if state is None:
        return
    url = reverse("admin:campaigns_gatewaystate_changelist")
    words = {"gateway": alias}
    if state.is_paused:
        paused = _("The gateway “%(gateway)s” is paused: nothing goes out.") % words
        yield Finding(
            f"{paused} {state.provider_text}".strip(),
            _("See to the reason, then resume it."),
            url,
        )
    elif state.held_until is not None and state.held_until > timezone.now():
        yield Finding(
            _("The provider behind “%(gateway)s” could not be reached lately.") % words,
            _("It is tried again by itself. Wait until it answers, if you are in no hurry."),
            url,
        )
    if state.spent_until is not None and state.spent_until > timezone.now():
        yield Finding(
            _("The spend limit for today of “%(gateway)s” is reached: nothing goes out before tomorrow.") % words,
            _("Raise the limit for the day, or let it wait."),
            url,
        )


def _unpriced(campaign: Campaign, prices: PriceTable) -> Iterable[Finding]:
    if not prices:
        yield Finding(
            _("Nobody knows what the gateway “%(gateway)s” charges, so the cost is not known.")
            % {"gateway": campaign.gateway},
            _("Enter its prices."),
            reverse("admin:campaigns_pricelist_changelist"),
        )


def _balance(alias: str, at_most: Decimal, prices: PriceTable) -> Iterable[Finding]:
    state = GatewayState.objects.filter(alias=alias, balance__isnull=False).first()
    if state is None or not prices or state.balance is None:
        return
    is_same = not state.currency or state.currency == prices.currency
    if is_same and state.balance < at_most:
        yield Finding(
            _("There is not enough money on the account: %(balance)s, and it may cost %(cost)s.")
            % {"balance": money(state.balance, prices.currency), "cost": money(at_most, prices.currency)},
            _("Top it up at the provider. When the money is gone, the gateway pauses and nothing is lost."),
            reverse("admin:campaigns_gatewaystate_changelist"),
        )


def left_today(alias: str) -> tuple[Decimal, Decimal] | None:
    """What may still be spent through a gateway today, and its limit for the day; None without one."""
    limit = GatewayState.objects.filter(alias=alias).values_list("daily_spend_limit", flat=True).first()
    if limit is None:
        return None
    return max(limit - spent_on(today(), alias, price_table(alias)).total, Decimal(0)), limit


def unpriced_people(number: int) -> str:
    """How many cost an unknown amount, in words."""
    return _("%(people)s without a price") % {"people": people(number)}
