"""
Freeze: one row for everybody in the audience, with the final text, before anything is sent.

Each chunk is one transaction that locks the campaign, checks that this launch still is the one, writes its rows, moves
the cursor and adds the contacts read to `audience`. An interrupted freeze goes on from the cursor; nothing can be
claimed before the last chunk has committed.
"""

from __future__ import annotations

import logging
import time
from contextlib import suppress

from django.db import IntegrityError, InterfaceError, OperationalError, transaction
from django.utils import timezone
from django.utils.translation import gettext as _

from campaigns import lifecycle
from campaigns.audience import Planned, audience, plan
from campaigns.languages import launched_wording
from campaigns.models import Campaign, CampaignStatus, MessageStatus, Purpose, SentMessage, SuppressionReason
from campaigns.prices import PriceTable, price_table
from campaigns.resending import copy_chunk
from campaigns.smart_groups import SmartConditions

from .bulk_insert import bulk_insert

logger = logging.getLogger(__name__)

CHUNK = 2000
#: How often a chunk is written anew when contacts are deleted under it.
TRIES = 3

#: What differs from row to row, as `_write_in_one_go()` lists it.
_OWN_FIELDS = (
    "contact",
    "phone_number",
    "canonical_number",
    "body",
    "encoding",
    "segment_count",
    "region",
    "time_zone",
    "status",
    "reason",
    "reason_text",
    "excluded",
    "price",
)


def freeze(campaign_id: int, *, seconds: float) -> bool:
    """
    Write rows for at most about `seconds`. True when there is more to do, False when it is finished or stopped.

    What cannot be prepared at all is paused with the reason, so that nobody waits for it in vain.
    """
    deadline = time.monotonic() + seconds
    token = Campaign.objects.values_list("launch_token", flat=True).get(pk=campaign_id)
    try:
        while _chunk_or_again(campaign_id, token):
            if time.monotonic() > deadline:
                return True
    except (OperationalError, InterfaceError):
        raise  # the database is away or busy: the sweeper has it tried again
    except Exception as error:
        logger.exception("Campaign %s could not be prepared.", campaign_id)
        _give_up(campaign_id, error)
    return False


def _chunk_or_again(campaign_id: int, token: str) -> bool:
    """A contact that was deleted between reading and writing is not there when the chunk is read again."""
    for _try in range(TRIES - 1):
        with suppress(IntegrityError):
            return freeze_chunk(campaign_id, token)
    return freeze_chunk(campaign_id, token)


def _give_up(campaign_id: int, error: Exception) -> None:
    reason = _("The messages could not be prepared: %(error)s") % {"error": error}
    try:
        lifecycle.pause(Campaign.objects.get(pk=campaign_id), actor=None, reason=reason, by_engine=True)
    except lifecycle.LifecycleError:
        logger.info("Campaign %s has been stopped by somebody else already.", campaign_id)


def freeze_chunk(campaign_id: int, token: str) -> bool:
    """Write one chunk. False when there was nothing more to write, or this launch is not being prepared any more."""
    with transaction.atomic():
        campaign = Campaign.objects.select_for_update().get(pk=campaign_id)
        if campaign.status != CampaignStatus.FREEZING or campaign.launch_token != token:
            return False
        if campaign.parent is not None:
            is_more = copy_chunk(campaign, limit=CHUNK)
            if not is_more:
                _finish(campaign)
            return is_more
        launch = campaign.launch
        contacts = audience(
            launch["include_groups"],
            launch["exclude_groups"],
            after=campaign.freeze_cursor,
            up_to=launch["last_contact_id"],
            smart=SmartConditions.read(launch.get("smart_groups")),
        )
        planned = plan(contacts, launched_wording(launch), kind=launch["kind"], limit=CHUNK)
        if not planned:
            _finish(campaign)
            return False
        _write(campaign, planned)
        campaign.freeze_cursor = planned[-1].contact_id
        campaign.audience += len(planned)
        campaign.time_zones = sorted({*campaign.time_zones, *(one.time_zone for one in planned)})
        campaign.save(update_fields=["freeze_cursor", "audience", "time_zones", "updated_at"])
        return True


def _write(campaign: Campaign, planned: list[Planned]) -> None:
    """The rows of a chunk, in one go; where a row or a number is there already, one after the other."""
    prices = price_table(campaign.launch["gateway"])
    try:
        with transaction.atomic():
            _write_in_one_go(campaign, planned, prices)
    except IntegrityError:
        _write_beside_others(campaign, planned, prices)


def _write_in_one_go(campaign: Campaign, planned: list[Planned], prices: PriceTable) -> None:
    rows = [
        (
            one.contact_id,
            one.phone_number,
            one.canonical_number,
            one.body,
            one.encoding,
            one.segment_count,
            one.region,
            one.time_zone,
            str(MessageStatus.SUPPRESSED if one.reason else MessageStatus.QUEUED),
            str(one.reason),
            one.reason_text,
            bool(one.reason),
            None if one.reason else prices.price(one.phone_number, one.segment_count),
        )
        for one in planned
    ]
    bulk_insert(
        SentMessage,
        _OWN_FIELDS,
        rows,
        campaign_id=campaign.pk,
        purpose=Purpose.CAMPAIGN,
        gateway=campaign.launch["gateway"],
        sender_id=campaign.launch["sender_id"],
        created_by_id=campaign.launched_by_id,
        status_at=timezone.now(),
    )


def _write_beside_others(campaign: Campaign, planned: list[Planned], prices: PriceTable) -> None:
    """Whoever's number is in the campaign already gets a suppressed row that says so."""
    rows = [_row(campaign, one, prices=prices) for one in planned]
    SentMessage.objects.bulk_create(rows, ignore_conflicts=True, batch_size=500)
    ids = [one.contact_id for one in planned]
    written = set(
        SentMessage.objects.filter(campaign=campaign, contact__gte=ids[0], contact__lte=ids[-1]).values_list(
            "contact_id", flat=True
        )
    )
    doubles = [one for one in planned if one.contact_id not in written]
    SentMessage.objects.bulk_create(
        [_row(campaign, one, prices=prices, reason=SuppressionReason.DUPLICATE) for one in doubles]
    )


def _row(campaign: Campaign, one: Planned, *, prices: PriceTable, reason: str = "") -> SentMessage:
    reason = reason or one.reason
    now = timezone.now()
    return SentMessage(
        campaign=campaign,
        contact_id=one.contact_id,
        purpose=Purpose.CAMPAIGN,
        phone_number=one.phone_number,
        canonical_number=one.canonical_number,
        body=one.body,
        encoding=one.encoding,
        segment_count=one.segment_count,
        region=one.region,
        time_zone=one.time_zone,
        status=MessageStatus.SUPPRESSED if reason else MessageStatus.QUEUED,
        reason=reason,
        reason_text=one.reason_text,
        excluded=bool(reason),
        price=None if reason else prices.price(one.phone_number, one.segment_count),
        gateway=campaign.launch["gateway"],
        sender_id=campaign.launch["sender_id"],
        created_by_id=campaign.launched_by_id,
        created_at=now,
        status_at=now,
    )


def _finish(campaign: Campaign) -> None:
    written = SentMessage.objects.filter(campaign=campaign).count()
    if written != campaign.audience:
        # Never seen; if it ever is, nobody is written to before a person has looked.
        raise RuntimeError(f"Campaign {campaign.pk}: {campaign.audience} people were read but {written} rows written.")
    lifecycle.finish_freezing(campaign)
