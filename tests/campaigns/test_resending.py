"""Sending again to those who were not reached: nobody who was reached is in it, and nobody is in it twice."""

from __future__ import annotations

import pytest
from django.utils import timezone

from campaigns import archiving, lifecycle, optouts, receipts, resendable
from campaigns.lifecycle import LifecycleError
from campaigns.models import (
    AuditEvent,
    Campaign,
    CampaignStatus,
    Contact,
    GatewayState,
    MessageStatus,
    OptOutSource,
    SentMessage,
)
from campaigns.resending import make_child
from campaigns.sending import freeze as freezing
from campaigns.sending.freeze import freeze, freeze_chunk
from campaigns.sending.record import record_results
from campaigns.sending.recovery import expire_leases, leave_unknown, resend_unknown
from sms_backends import (
    DeliveryReceipt,
    DeliveryStatus,
    Outcome,
    OutcomeUnknownError,
    RecipientRejectedError,
    SendResult,
    TemporaryError,
)
from tests.campaigns.building import (
    an_hour_passes,
    assert_adds_up,
    frozen,
    handed_over,
    launched,
    make_user,
    message_to,
    number,
    send,
    statuses,
    the_lease_runs_out,
)

pytestmark = pytest.mark.django_db

ALL = resendable.RESENDABLE


def ended(provider, contacts: int = 5, **became: MessageStatus) -> Campaign:
    """A completed campaign to n1, n2, ... of whom each stands where `became` says, or was sent to."""
    campaign = send(launched(contacts=contacts))
    for name, status in became.items():
        SentMessage.objects.filter(phone_number=number(int(name[1:]))).update(status=MessageStatus.SENT)
        with_status(int(name[1:]), status)
    an_hour_passes()
    provider.reset()
    return campaign


def with_status(n: int, status: MessageStatus) -> None:
    """As if it had come about by the permitted steps, which the guard of the database cannot know."""
    message = message_to(number(n))
    pk, message.pk = message.pk, None
    fields = {field.attname: getattr(message, field.attname) for field in message._meta.concrete_fields}
    attempts = list(message_to(number(n)).attempts.all())
    SentMessage.objects.filter(pk=pk).delete()
    SentMessage.objects.create(**{**fields, "id": pk, "status": status})
    for attempt in attempts:
        attempt.save(force_insert=True)


def child_of(campaign: Campaign, statuses=ALL) -> Campaign:
    return frozen(make_child(campaign, statuses, actor=None))


def receipt(n: int, status: DeliveryStatus, campaign: Campaign) -> None:
    message = message_to(number(n), campaign)
    assert receipts.apply("default", DeliveryReceipt(message.reference, number(n), status))


def test_those_who_were_not_reached_get_the_same_text_and_nobody_else(provider):
    campaign = ended(
        provider,
        n1=MessageStatus.FAILED,
        n2=MessageStatus.UNDELIVERED,
        n3=MessageStatus.UNKNOWN,
        n4=MessageStatus.DELIVERED,
    )
    assert resendable.resendable_counts(campaign) == dict.fromkeys(ALL, 1)
    child = send(child_of(campaign))
    assert provider.taken == [(number(n), "Hello") for n in (1, 2, 3)]
    assert child.parent == campaign
    assert child.status == CampaignStatus.COMPLETED
    assert statuses(child) == {"sent": 3}
    assert_adds_up(child)
    assert_adds_up(campaign)


def test_only_the_chosen_are_sent_to(provider):
    campaign = ended(provider, n1=MessageStatus.FAILED, n2=MessageStatus.UNDELIVERED)
    send(child_of(campaign, [MessageStatus.UNDELIVERED]))
    assert provider.copies() == {number(2): 1}
    assert resendable.resendable_counts(campaign) == {MessageStatus.FAILED: 1}


def test_a_sent_message_whose_receipt_never_came_is_no_reason_to_send_again(provider):
    campaign = ended(provider)
    SentMessage.objects.update(receipt_overdue=True)
    with pytest.raises(LifecycleError):
        make_child(campaign, [*ALL, MessageStatus.SENT], actor=None)


def test_it_says_who_did_it_and_a_second_click_starts_nothing(provider):
    campaign, user = ended(provider, n1=MessageStatus.FAILED), make_user()
    child = make_child(campaign, ALL, actor=user)
    with pytest.raises(LifecycleError):
        make_child(campaign, ALL, actor=user)
    send(frozen(child))
    with pytest.raises(LifecycleError):
        make_child(campaign, ALL, actor=user)
    assert provider.copies() == {number(1): 1}
    assert AuditEvent.objects.get(action="resend").actor == user
    assert campaign.children.get() == child


def test_a_running_campaign_is_not_sent_again(provider):
    campaign = launched(contacts=1)
    with pytest.raises(LifecycleError):
        make_child(campaign, ALL, actor=None)


def test_an_interrupted_preparation_goes_on_and_takes_nobody_twice(provider, monkeypatch):
    failed = MessageStatus.FAILED
    campaign = ended(provider, n1=failed, n2=failed, n3=failed, n4=failed, n5=failed)
    monkeypatch.setattr(freezing, "CHUNK", 2)
    child = make_child(campaign, ALL, actor=None)
    assert freeze_chunk(child.pk, child.launch_token)
    assert freeze_chunk(child.pk, child.launch_token)
    assert not freeze(child.pk, seconds=60)
    child.refresh_from_db()
    assert child.audience == 5
    send(child)
    assert set(provider.copies().values()) == {1}
    assert len(provider.taken) == 5
    assert_adds_up(child)


def test_whoever_opted_out_or_is_no_contact_any_more_is_left_out(provider):
    campaign = ended(provider, n1=MessageStatus.FAILED, n2=MessageStatus.FAILED, n3=MessageStatus.FAILED)
    optouts.record_opt_out(number(1), source=OptOutSource.OPERATOR)
    Contact.objects.filter(phone_number=number(2)).delete()
    child = child_of(campaign)
    assert statuses(child) == {"queued": 1, "suppressed": 1}, "left out before anything is sent"
    send(child)
    assert provider.copies() == {number(3): 1}
    assert_adds_up(child)


def test_nobody_in_the_archive_is_sent_to_again(provider):
    campaign = ended(provider, contacts=2, n1=MessageStatus.FAILED, n2=MessageStatus.FAILED)
    archiving.archive(Contact.objects.get(phone_number=number(2)), actor=None)
    assert resendable.resendable_counts(campaign) == {MessageStatus.FAILED: 1}
    child = child_of(campaign)
    assert list(child.messages.values_list("phone_number", flat=True)) == [number(1)]


@pytest.mark.parametrize(
    ("before", "word"),
    [
        (MessageStatus.UNKNOWN, DeliveryStatus.ACCEPTED),
        (MessageStatus.UNKNOWN, DeliveryStatus.DELIVERED),
        (MessageStatus.UNDELIVERED, DeliveryStatus.DELIVERED),
        (MessageStatus.FAILED, DeliveryStatus.DELIVERED),
    ],
)
def test_whoever_is_reached_meanwhile_is_not_sent_to(provider, before, word):
    campaign = ended(provider, n1=before, n2=MessageStatus.FAILED)
    child = child_of(campaign)
    receipt(1, word, campaign)
    send(child)
    assert provider.copies() == {number(2): 1}
    left_out = message_to(number(1), child)
    assert (left_out.status, left_out.reason) == (MessageStatus.SUPPRESSED, "reached_meanwhile")
    assert_adds_up(child)


def test_whoever_is_found_not_to_be_reached_is_sent_to(provider):
    campaign = ended(provider, n1=MessageStatus.UNKNOWN)
    child = child_of(campaign)
    receipt(1, DeliveryStatus.UNDELIVERED, campaign)
    send(child)
    assert provider.copies() == {number(1): 1}


def test_a_grandchild_looks_back_at_the_first_message_too(provider):
    campaign = ended(provider, n1=MessageStatus.UNKNOWN)
    child = child_of(campaign)
    provider.refusals[number(1)] = RecipientRejectedError("not now", permanent=False)
    SentMessage.objects.filter(campaign=child).update(retry_count=99)
    send(child)
    assert statuses(child) == {"failed": 1}
    provider.reset()
    grandchild = child_of(child)
    receipt(1, DeliveryStatus.DELIVERED, campaign)
    send(grandchild)
    assert provider.taken == []
    assert statuses(grandchild) == {"suppressed": 1}


def test_children_of_children_come_to_an_end(provider):
    campaign = ended(provider, n1=MessageStatus.FAILED)
    for _generation in range(resendable.GENERATIONS):
        campaign = child_of(campaign)
        provider.refusals[number(1)] = RecipientRejectedError("not now", permanent=False)
        SentMessage.objects.filter(campaign=campaign).update(retry_count=99)
        send(campaign)
    with pytest.raises(LifecycleError):
        make_child(campaign, ALL, actor=None)


def test_unknown_messages_that_may_still_settle_or_were_left_are_not_sent_again(provider):
    campaign = ended(provider, n1=MessageStatus.UNKNOWN, n2=MessageStatus.UNKNOWN, n3=MessageStatus.UNKNOWN)
    SentMessage.objects.filter(phone_number=number(1)).update(status_at=timezone.now())
    SentMessage.objects.filter(phone_number=number(2)).update(next_lookup_at=timezone.now())
    leave_unknown([message_to(number(3)).pk], actor=None)
    assert resendable.resendable_counts(campaign) == {}


def test_a_superseded_message_is_neither_resent_nor_left(provider):
    campaign = ended(provider, n1=MessageStatus.UNKNOWN)
    child_of(campaign)
    first = message_to(number(1), campaign)
    assert resend_unknown([first.pk], actor=None) == 0
    assert leave_unknown([first.pk], actor=None) == 0


def test_a_late_refusal_does_not_put_a_superseded_message_back_into_the_queue(provider):
    campaign = launched(contacts=1)
    _claim, intent = handed_over(campaign)
    the_lease_runs_out()
    assert expire_leases() == (0, 1)
    an_hour_passes()
    assert lifecycle.complete_if_done(campaign.pk)
    child = send(child_of(Campaign.objects.get(pk=campaign.pk)))
    down = TemporaryError("Connection refused")
    record_results(intent, [SendResult(number(1), Outcome.REJECTED, error=down)], poll_after=None)
    message = message_to(number(1), campaign)
    assert (message.status, message.reason) == (MessageStatus.FAILED, "superseded")
    assert provider.copies() == {number(1): 1}
    assert statuses(child) == {"sent": 1}


def test_what_is_unknown_again_in_the_child_is_no_reason_to_touch_the_parent(provider):
    campaign = ended(provider, n1=MessageStatus.UNKNOWN)
    child = child_of(campaign)
    provider.fail_next(OutcomeUnknownError("Time-out"), taken=True)
    send(child)
    GatewayState.objects.all().delete()
    assert statuses(child) == {"unknown": 1}
    assert statuses(campaign) == {"unknown": 1, "sent": 4}
