"""Finding what a command's argument names."""

from __future__ import annotations

from django.core.management import CommandError

from campaigns.models import Campaign


def find_campaign(name_or_id: str) -> Campaign:
    """The campaign with this id or exactly this name. Raises CommandError when there is none, or several."""
    named = list(Campaign.objects.filter(name=name_or_id).order_by("pk"))
    if name_or_id.isascii() and name_or_id.isdigit():
        named += Campaign.objects.filter(pk=int(name_or_id)).exclude(pk__in=[campaign.pk for campaign in named])
    if not named:
        raise CommandError(f"There is no campaign “{name_or_id}”.")
    if len(named) > 1:
        ids = ", ".join(str(campaign.pk) for campaign in named)
        raise CommandError(f"“{name_or_id}” fits several campaigns; give one of these ids: {ids}.")
    return named[0]
