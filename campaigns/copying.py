"""A campaign as the beginning of the next one."""

from __future__ import annotations

from django.db import transaction
from django.utils.translation import gettext as _

from . import audit, brakes
from .models import Campaign, User


def duplicate(campaign: Campaign, *, actor: User | None) -> Campaign:
    """A new draft with the same text, groups, gateway, window and brakes."""
    with transaction.atomic():
        copy = Campaign.objects.create(
            name=(_("Copy of %(name)s") % {"name": campaign.name})[:150],
            body=campaign.body,
            texts=campaign.texts,
            template=campaign.template,
            kind=campaign.kind,
            gateway=campaign.gateway,
            sender_id=campaign.sender_id,
            window_start=campaign.window_start,
            window_end=campaign.window_end,
            window_days=campaign.window_days,
            skip_holidays=campaign.skip_holidays,
            late_start=campaign.late_start,
            max_per_second=campaign.max_per_second,
            rate_unit=campaign.rate_unit,
            spend_limit=campaign.spend_limit,
            created_by=actor,
            **{name: getattr(campaign, name) for name in (*brakes.CANARY, *brakes.BRAKES)},
        )
        copy.include_groups.set(campaign.include_groups.all())
        copy.exclude_groups.set(campaign.exclude_groups.all())
        audit.record("duplicate", actor=actor, campaign=copy, subject=copy.name, details={"of": campaign.pk})
    return copy
