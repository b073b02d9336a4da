"""Plain functions that build what the engine's tests need, and the one check that each of them ends with."""

from __future__ import annotations

from collections import Counter
from datetime import datetime, timedelta
from typing import Any, TypeVar

from django.db.models import QuerySet
from django.utils import timezone

from campaigns import audit_triggers, kept_figures, lifecycle, receipts
from campaigns.models import (
    Attempt,
    AuditEvent,
    Campaign,
    CampaignStatus,
    Contact,
    ContactGroup,
    GatewayPrice,
    GatewayState,
    MessageStatus,
    SentMessage,
    User,
)
from campaigns.reports import campaign_figures
from campaigns.sending.claim import Claim, claim_campaign
from campaigns.sending.dispatch import send_waiting
from campaigns.sending.freeze import freeze
from campaigns.sending.handover import Intent, write_intent
from campaigns.sending.leases import LEASE
from sms_backends import DeliveryReceipt, DeliveryStatus, get_sms_backend
from sms_backends.phone_numbers import canonical


def number(n: int) -> str:
    """The n-th of a row of valid Russian mobile numbers."""
    return f"+7999{n:07d}"


def make_group(name: str = "Everybody", contacts: int = 0, **fields: Any) -> ContactGroup:
    """A group with so many contacts, whose numbers are `number(1)` and on."""
    group = ContactGroup.objects.create(name=name)
    for n in range(1, contacts + 1):
        make_contact(number(n), group, **fields)
    return group


def make_contact(phone_number: str, *groups: ContactGroup, **fields: Any) -> Contact:
    contact = Contact.objects.create(phone_number=phone_number, **fields)
    contact.groups.set(groups)
    return contact


def make_campaign(*groups: ContactGroup, exclude: ContactGroup | None = None, **fields: Any) -> Campaign:
    campaign = Campaign.objects.create(**{"name": "Sale", "body": "Hello", **fields})
    campaign.include_groups.set(groups)
    campaign.exclude_groups.set([exclude] if exclude else [])
    return campaign


def set_prices(alias: str = "default", *, currency: str = "RUB", **prices: str) -> None:
    """What a segment costs from now on, for example `set_prices(p7="2.5", p="9")`: numbers in +7, and all others."""
    GatewayState.objects.update_or_create(alias=alias, defaults={"price_currency": currency})
    GatewayPrice.objects.filter(gateway__alias=alias).delete()
    for prefix, price in prices.items():
        GatewayPrice.objects.create(gateway_id=alias, prefix=prefix.removeprefix("p"), per_segment=price)


T = TypeVar("T")


def there(value: T | None) -> T:
    """What must be there."""
    assert value is not None
    return value


def make_user(username: str = "olga") -> User:
    return User.objects.create(username=username, is_staff=True, is_superuser=True)


def launched(contacts: int = 1, **fields: Any) -> Campaign:
    """A campaign to so many people whose rows are written and wait."""
    campaign = make_campaign(make_group(contacts=contacts), **fields)
    lifecycle.launch(campaign, actor=None)
    return frozen(campaign)


def frozen(campaign: Campaign) -> Campaign:
    assert not freeze(campaign.pk, seconds=60)
    campaign.refresh_from_db()
    return campaign


def send(campaign: Campaign) -> Campaign:
    """Send all that may go now, as a worker does."""
    assert not send_waiting(campaign.pk, seconds=60)
    lifecycle.complete_if_done(campaign.pk)
    campaign.refresh_from_db()
    return campaign


def report(status: DeliveryStatus, *people: int) -> None:
    """The provider says what became of the messages to `number(n)`."""
    for n in people:
        reference = message_to(number(n)).reference
        receipts.receive("default", [DeliveryReceipt(f"id-{reference}", number(n), status)])


def handed_over(campaign: Campaign) -> tuple[Claim, Intent]:
    """All waiting rows claimed, and an intent written for them: the worker stands before its request."""
    claim = claim_campaign(campaign.pk)
    return claim, write_intent(claim, claim.messages, get_sms_backend(campaign.gateway))


def message_to(phone_number: str, campaign: Campaign | None = None) -> SentMessage:
    found = SentMessage.objects.filter(phone_number=phone_number)
    return found.get(campaign=campaign) if campaign else found.get()


def make_message(phone_number: str = number(1), **fields: Any) -> SentMessage:
    """A row of the log as it might stand there, without its history."""
    return SentMessage.objects.create(
        **{"phone_number": phone_number, "canonical_number": canonical(phone_number), "body": "Hello", **fields}
    )


def make_attempt(message: SentMessage, **fields: Any) -> Attempt:
    defaults = {
        "number": 1,
        "reference": "ref-1",
        "claim_token": "t",
        "gateway": "default",
        "started_at": timezone.now(),
    }
    return Attempt.objects.create(message=message, **{**defaults, **fields})


def statuses(campaign: Campaign) -> Counter[str]:
    return Counter(SentMessage.objects.filter(campaign=campaign).values_list("status", flat=True))


def seconds_until(at: datetime | None) -> float:
    """How far ahead a time lies that must be there."""
    assert at is not None
    return (at - timezone.now()).total_seconds()


def the_lease_runs_out(*rows: SentMessage) -> None:
    """Time passes: the lease of these rows, or of all, is over."""
    found = SentMessage.objects.filter(pk__in=[row.pk for row in rows]) if rows else SentMessage.objects.all()
    found.filter(lease_expires_at__isnull=False).update(lease_expires_at=timezone.now() - LEASE)


def an_hour_passes() -> None:
    """As far as waiting messages and unknown ones are concerned."""
    hour = timedelta(hours=1)
    for message in SentMessage.objects.all():
        SentMessage.objects.filter(pk=message.pk).update(
            not_before=message.not_before and message.not_before - hour,
            status_at=message.status_at and message.status_at - hour,
        )


def assert_adds_up(campaign: Campaign) -> None:
    """Audience = the sum of all states, and a campaign is only completed when nothing is left to be done.

    What the database keeps of the whole log, segments and prices included, is what counting gives.
    """
    campaign = Campaign.objects.get(pk=campaign.pk)
    figures = campaign_figures(campaign)
    rows = statuses(campaign)
    assert figures.adds_up
    assert campaign.audience == sum(rows.values()) == sum(figures.messages.values())
    assert {status: n for status, n in figures.messages.items() if n} == dict(rows)
    assert sum(figures.suppressed.values()) == rows[MessageStatus.SUPPRESSED]
    assert kept_figures.differences() == []
    if campaign.status == CampaignStatus.COMPLETED:
        assert figures.pending == 0


def rewrite_trail(events: QuerySet[AuditEvent], **values: Any) -> None:
    """Entries as they might stand there, for tests: nothing else can change them."""
    audit_triggers.drop()
    QuerySet.update(events, **values)
    audit_triggers.ensure()
