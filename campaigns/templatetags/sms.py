"""Template tags of the product: what is wrong right now, and how states, times and numbers look."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any

from django import template
from django.db.models import Q
from django.urls import reverse
from django.utils import timezone
from django.utils.formats import date_format
from django.utils.html import escape
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _

from campaigns import identity, masking, prices
from campaigns.admin import display
from campaigns.admin.next_steps import NextStep
from campaigns.admin.next_steps import next_step as next_step_of
from campaigns.admin.system import action_words as words_of_action
from campaigns.models import FailureReason, GatewayState
from campaigns.reports import reason_label, simulator_active, workers_alive

register = template.Library()


@register.filter
def consent_source(source: str) -> str:
    """Where a change of consent came from."""
    return display.source_words(source)


@dataclass(frozen=True)
class Notice:
    """Something that every page has to say."""

    tone: str
    text: str
    words: str = ""
    url: str = ""
    link: str = ""


@register.inclusion_tag("admin/campaigns/notices.html", takes_context=True)
def notices(context: dict[str, Any]) -> dict[str, Any]:
    """What stands between pressing Send and a text on a phone. Only the first of them is for people not signed in."""
    found = []
    if simulator_active():
        found.append(
            Notice("pretend", _("Trial mode: nothing is really sent. No provider is set up on this installation."))
        )
    user = getattr(context.get("request"), "user", None)
    if user is not None and user.is_authenticated and user.is_staff:
        found += _gateway_notices()
        if not workers_alive():
            found.append(Notice("bad", _("No worker is running: messages are kept and wait until one is started.")))
    return {"notices": found}


def _gateway_notices() -> list[Notice]:
    url = reverse("admin:campaigns_gatewaystate_changelist")
    stopped = Q(paused_at__isnull=False) | Q(spent_until__gt=timezone.now())
    states = list(GatewayState.objects.filter(stopped))
    if any(state.is_paused for state in states) and identity.suspected():
        # Instead of the gateways: under suspicion all of them are paused, and for this one reason.
        return [Notice("bad", identity.warning(), "", url, _("Providers"))]
    return [
        Notice("unsure", _paused(state), masking.in_text(state.provider_text), url, _("Providers"))
        if state.is_paused
        else Notice("unsure", _spent(state), "", url, _("Providers"))
        for state in states
    ]


def _paused(state: GatewayState) -> str:
    """That it is paused, and for what reason unless an operator did it."""
    if state.pause_reason not in FailureReason.values:
        return _("The gateway “%(alias)s” is paused; its messages wait.") % {"alias": state.alias}
    return _("The gateway “%(alias)s” is paused (%(reason)s); its messages wait.") % {
        "alias": state.alias,
        "reason": reason_label(state.pause_reason),
    }


def _spent(state: GatewayState) -> str:
    """That the limit for the day is reached, and until when that lasts."""
    assert state.spent_until is not None
    return _(
        "The spend limit for today of the gateway “%(alias)s” is reached; its messages, single ones too, wait until "
        "%(until)s."
    ) % {"alias": state.alias, "until": date_format(timezone.localtime(state.spent_until), "SHORT_DATETIME_FORMAT")}


@register.filter
def grouped(value: int) -> str:
    """A number with its digits grouped."""
    return display.count(value)


@register.filter
def money(amount: Decimal, currency: str = "") -> str:
    """An amount of money with its digits grouped."""
    return prices.money(amount, currency)


@register.filter
def lookup(mapping: Mapping[str, Any], key: str) -> Any:
    """What stands in a mapping under a key that is only known in the template; empty when there is nothing."""
    return mapping.get(key, "")


@register.filter(is_safe=True)
def search_named(form: str) -> str:
    """Django's search form, with the one name in the reader's language that Django writes in English."""
    return form.replace('alt="Search"', f'alt="{escape(_("Search"))}"')


@register.filter
def masked_number(value: Any) -> str:
    """A phone number as whoever reads the page may see it."""
    return masking.number(value)


@register.filter
def masked_text(value: Any) -> str:
    """What was written to or by a person, for whoever may see it."""
    return masking.text(value)


@register.filter
def masked_words(value: Any) -> str:
    """A sentence in which there may be phone numbers."""
    return masking.in_text(value)


@register.filter
def with_links(text: str) -> SafeString:
    """A text with its addresses as phones show them: underlined, to be tapped."""
    return display.with_links(text)


@register.filter
def moment(value: datetime | None) -> str | SafeString:
    """A time in the reader's zone, named."""
    return display.moment(value)


@register.filter
def exact_moment(value: datetime | None) -> str | SafeString:
    """A time in the reader's zone to the second."""
    return display.exact_moment(value)


@register.filter
def status_pill(thing: Any) -> SafeString:
    """The state of a campaign or message."""
    return display.status_pill(thing)


@register.filter
def action_words(action: str) -> str:
    """An entry of the audit trail in words."""
    return words_of_action(action)


@register.simple_tag(takes_context=True)
def next_step(context: dict[str, Any]) -> NextStep | None:
    """Where an empty list leads to."""
    return next_step_of(context["request"], context["cl"].opts, context.get("has_add_permission", False))


@register.simple_tag
def current_zone() -> str:
    """The zone in which times are shown."""
    return timezone.get_current_timezone_name()
