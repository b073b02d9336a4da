"""A draft campaign for the contacts that were chosen in a list, however many they are."""

from __future__ import annotations

from typing import Any

from django.db import transaction
from django.db.models import Q
from django.utils import timezone
from django.utils.formats import date_format, get_format
from django.utils.translation import gettext as _t
from django.utils.translation import gettext_lazy as _

from campaigns import audit
from campaigns.memberships import add_members
from campaigns.models import BulkAction, Campaign, ContactGroup

from .operations import Operation, register


def _now() -> str:
    """In the operator's language and zone, without naming the zone."""
    return date_format(timezone.localtime(), str(get_format("SHORT_DATETIME_FORMAT")).removesuffix(" T"))


class SendTo(Operation):
    """
    Put them into a group of their own, then make a draft campaign for it.

    The campaign is made last: there is none that could be sent to a half of them. `progress` holds the ids of both.
    """

    key = "send_to"
    label = _("Send to the selected")
    permissions = {"contact": "campaigns.add_campaign"}
    chunk = 5000
    is_offered = False

    def begin(self, action: BulkAction) -> None:
        name = _t("Selected contacts, %(when)s") % {"when": _now()}
        number = ContactGroup.objects.filter(name__startswith=name).count()
        group = ContactGroup.objects.create(name=f"{name} ({number + 1})" if number else name)
        action.progress = {"group": group.pk, "name": name}

    def apply(self, action: BulkAction, ids: list[int]) -> int:
        if not ContactGroup.objects.filter(pk=action.progress["group"]).exists():
            raise LookupError(_t("The group is not there any more."))
        return add_members(action.progress["group"], ids)

    def finish(self, action: BulkAction) -> dict[str, Any]:
        with transaction.atomic():
            group = ContactGroup.objects.select_for_update().filter(pk=action.progress["group"]).first()
            if group is None:
                raise LookupError(_t("The group is not there any more."))
            campaign = Campaign.objects.filter(include_groups=group).order_by("pk").first()
            if campaign is None:  # else a run that died just after this one's work
                campaign = self._draft(action, group)
        return {"progress": {**action.progress, "campaign": campaign.pk}}

    @staticmethod
    def _draft(action: BulkAction, group: ContactGroup) -> Campaign:
        name = action.progress["name"]
        campaign = Campaign.objects.create(name=name, body="", created_by=action.created_by)
        campaign.include_groups.add(group)
        details = {"selected": action.changed_count}
        audit.record("create", actor=action.created_by, campaign=campaign, subject=name, details=details)
        return campaign

    def discard(self, action: BulkAction) -> None:
        """Nobody asked for a group of some of them; but one that a campaign uses stays."""
        group = ContactGroup.objects.filter(pk=action.progress.get("group")).first()
        if group and not Campaign.objects.filter(Q(include_groups=group) | Q(exclude_groups=group)).exists():
            group.delete()

    def in_words(self, action: BulkAction) -> str:
        return _t("Make a draft campaign for the selected contacts")


register(SendTo())
