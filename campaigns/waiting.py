"""What waiting messages wait for, in words: the same rules by which `sending.claim` lets them go or not."""

from __future__ import annotations

from datetime import datetime
from typing import NamedTuple

from django.utils import timezone
from django.utils.translation import gettext as _

from .models import Campaign, CampaignStatus, FailureReason, GatewayState, SentMessage
from .reports import reason_label, workers_alive
from .windows import Window, window_of


class Wait(NamedTuple):
    """Something that is waited for, and until when, where that is known. `words`: the provider's own."""

    text: str
    until: datetime | None = None
    words: str = ""


def gateway_waits(alias: str) -> list[Wait]:
    """Why nothing goes through this gateway now; empty when it does. One query."""
    state = GatewayState.objects.filter(alias=alias).first()
    if state is None:
        return []
    because = f" ({reason_label(state.pause_reason)})" if state.pause_reason in FailureReason.values else ""
    names = {"alias": alias, "because": because}
    if state.is_paused:
        text = _("The gateway “%(alias)s” is paused%(because)s. Mend what is wrong, then resume it under Providers.")
        return [Wait(text % names, None, state.provider_text)]
    now = timezone.now()
    if state.spent_until is not None and state.spent_until > now:
        return [Wait(_("The spend limit for today of the gateway “%(alias)s” is reached.") % names, state.spent_until)]
    if state.held_until is not None and state.held_until > now:
        text = _("The gateway “%(alias)s” asks to wait%(because)s; it is tried again by itself.") % names
        return [Wait(text, state.held_until, state.provider_text)]
    return []


def campaign_waits(campaign: Campaign) -> list[Wait]:
    """Why nothing at all of a campaign that is being sent goes now; empty when something may."""
    if campaign.status != CampaignStatus.SENDING:
        return []
    found = gateway_waits(campaign.launch["gateway"])
    window = window_of(campaign)
    if window is not None and (opens := _opens(window, campaign)) is not None:
        found.append(Wait(_("It is outside the sending hours wherever the recipients live."), opens))
    if not workers_alive():
        found.append(Wait(_("No worker is running. Start one; nothing is lost.")))
    return found


def _opens(window: Window, campaign: Campaign) -> datetime | None:
    """When the first of its recipients may be written to again; None when somebody may be now."""
    now = timezone.now()
    zones = campaign.time_zones or [""]
    if any(window.is_open(now, zone) for zone in zones):
        return None
    openings = [opening for zone in zones if (opening := window.next_opening(now, zone)) is not None]
    return min(openings, default=None)


def message_waits(message: SentMessage, campaign: Campaign) -> list[Wait]:
    """What one queued message of a campaign waits for, what decides first named first. Never empty."""
    now = timezone.now()
    if campaign.status == CampaignStatus.FREEZING:
        return [Wait(_("The campaign is still being prepared; sending begins when that is done."))]
    if campaign.status == CampaignStatus.PAUSED:
        return [Wait(_("The campaign is paused."), None, campaign.pause_reason)]
    found = gateway_waits(message.gateway)
    window = window_of(campaign)
    if window is not None and not window.is_open(now, message.time_zone, message.region):
        opens = window.next_opening(now, message.time_zone, message.region)
        zone = message.time_zone or timezone.get_default_timezone_name()
        found.append(
            Wait(_("It is outside the sending hours in the recipient's time zone, %(zone)s.") % {"zone": zone}, opens)
        )
    if message.not_before is not None and message.not_before > now:
        found.append(Wait(_("It was not taken and is tried again."), message.not_before, message.reason_display))
    if campaign.canary_last_id is not None and message.pk > campaign.canary_last_id:
        found.append(Wait(_("All others wait until it is known how the first portion went.")))
    if not workers_alive():
        found.append(Wait(_("No worker is running. Start one; nothing is lost.")))
    return found or [_turn(campaign)]


def _turn(campaign: Campaign) -> Wait:
    """Nothing stands in its way but those before it."""
    rates = [campaign.max_per_second]
    rates += GatewayState.objects.filter(alias=campaign.launch["gateway"]).values_list("max_per_second", flat=True)
    if limits := [rate for rate in rates if rate]:
        return Wait(_("Its turn comes: no more than %(rate)s go each second.") % {"rate": min(limits)})
    return Wait(_("Its turn comes: others are before it."))
