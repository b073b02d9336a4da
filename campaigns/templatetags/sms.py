"""Template tags of the product: what is wrong right now, and how states, times and numbers look."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django import template
from django.urls import reverse
from django.utils import timezone
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _

from campaigns.admin import display
from campaigns.admin.system import action_words as words_of_action
from campaigns.models import FailureReason, GatewayState
from campaigns.reports import reason_label, simulator_active, workers_alive

register = template.Library()


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
    return [
        Notice(
            "unsure",
            _paused(state),
            state.provider_text,
            url,
            _("Providers"),
        )
        for state in GatewayState.objects.filter(paused_at__isnull=False)
    ]


def _paused(state: GatewayState) -> str:
    """That it is paused, and for what reason unless an operator did it."""
    if state.pause_reason not in FailureReason.values:
        return _("The gateway “%(alias)s” is paused; its messages wait.") % {"alias": state.alias}
    return _("The gateway “%(alias)s” is paused (%(reason)s); its messages wait.") % {
        "alias": state.alias,
        "reason": reason_label(state.pause_reason),
    }


@register.filter
def grouped(value: int) -> str:
    """A number with its digits grouped."""
    return display.count(value)


@register.filter
def moment(value: datetime | None) -> str | SafeString:
    """A time in the reader's zone, named."""
    return display.moment(value)


@register.filter
def status_pill(thing: Any) -> SafeString:
    """The state of a campaign or message."""
    return display.status_pill(thing)


@register.filter
def action_words(action: str) -> str:
    """An entry of the audit trail in words."""
    return words_of_action(action)


@register.simple_tag
def current_zone() -> str:
    """The zone in which times are shown."""
    return timezone.get_current_timezone_name()
