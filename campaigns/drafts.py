"""What people have typed and not saved yet: kept every few seconds, given back, and shown to whoever else types."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta

from django.db import IntegrityError, transaction
from django.db.models import F, QuerySet
from django.utils import timezone

from .models import Campaign, CampaignDraft, User

#: Whose page has not been heard of for so long has closed it.
PRESENT = timedelta(seconds=45)
#: Characters of a whole form; far more than any campaign needs.
LARGEST = 200_000


class TooLarge(Exception):
    """What was typed is larger than anything that could be sent."""


class Overtaken(Exception):
    """The same person's draft was kept from another window meanwhile; `draft` is what stands there now."""

    def __init__(self, draft: CampaignDraft | None) -> None:
        super().__init__()
        self.draft = draft


def draft_of(user: User, campaign: Campaign | None) -> CampaignDraft | None:
    """What this person typed into this campaign (None: a new one) and did not save."""
    return CampaignDraft.objects.filter(user=user, campaign=campaign).first()


def keep(
    user: User, campaign: Campaign | None, fields: Mapping[str, list[str]], *, version: int, base: str
) -> CampaignDraft:
    """
    Keep what was typed over the campaign's version `base`. `version` is that of the draft last seen; 0: there was none.

    Raises Overtaken when another window was faster, and TooLarge.
    """
    if sum(len(text) for texts in fields.values() for text in texts) > LARGEST:
        raise TooLarge
    now = timezone.now()
    values = {"fields": dict(fields), "base": base, "saved_at": now, "seen_at": now}
    mine = CampaignDraft.objects.filter(user=user, campaign=campaign)
    if not version:
        try:
            with transaction.atomic():
                return CampaignDraft.objects.create(user=user, campaign=campaign, started_at=now, **values)
        except IntegrityError:
            raise Overtaken(mine.first()) from None
    if not mine.filter(version=version).update(version=F("version") + 1, **values):
        raise Overtaken(mine.first())
    return mine.get()


def seen(user: User, campaign: Campaign | None) -> None:
    """Their page is still open."""
    CampaignDraft.objects.filter(user=user, campaign=campaign).update(seen_at=timezone.now())


def forget(user: User, campaign: Campaign | None) -> None:
    """It is saved, or not wanted any more."""
    CampaignDraft.objects.filter(user=user, campaign=campaign).delete()


def others_writing(campaign: Campaign, user: User) -> QuerySet[CampaignDraft]:
    """Who else has typed something into this campaign that is not saved; `is_present` of those whose page is open."""
    return CampaignDraft.objects.filter(campaign=campaign).exclude(user=user).select_related("user").order_by("pk")


def is_present(draft: CampaignDraft) -> bool:
    """Whether the page is still open in which it is typed."""
    return timezone.now() - draft.seen_at < PRESENT
