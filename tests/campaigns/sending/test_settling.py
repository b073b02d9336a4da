"""Messages of unknown outcome are looked up, and sent again only when they were provably not taken."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta

import pytest
from django.db.models import F
from django.utils import timezone

from campaigns import lifecycle, receipts
from campaigns.models import Attempt, Campaign, CampaignStatus, EventKind, GatewayState, MessageStatus, SentMessage
from campaigns.sending import settling
from campaigns.sending.dispatch import send_waiting
from campaigns.sending.record import RETRY_SECONDS
from campaigns.sending.recovery import expire_leases, leave_unknown
from campaigns.sending.settling import settle_unknown
from sms_backends import (
    Capabilities,
    DeliveryReceipt,
    DeliveryStatus,
    LookupResult,
    LookupStatus,
    OutcomeUnknownError,
    RepeatedRequestError,
    SendResult,
)
from tests.campaigns import providers
from tests.campaigns.building import (
    assert_adds_up,
    handed_over,
    launched,
    message_to,
    number,
    send,
    statuses,
    the_lease_runs_out,
)

pytestmark = pytest.mark.django_db

SETTLE, GAP = 120, 60
CONTROL = number(9)


class Archive:
    """What the provider can find, and how it answers when it is asked."""

    def __init__(self) -> None:
        self.reset()

    def reset(self) -> None:
        self.known: set[tuple[str, str]] = set()
        self.asked: list[tuple[str, str]] = []
        self.states: dict[str, DeliveryStatus] = {}
        self.account = "account-1"
        self.is_blind = False
        self.fails = False
        #: The answer names this number, whichever was asked about.
        self.answers_for = ""

    def answer(self, reference: str, phone_number: str) -> LookupResult:
        self.asked.append((reference, phone_number))
        if (reference, phone_number) not in self.known or self.is_blind:
            return LookupResult(reference, self.answers_for or phone_number, LookupStatus.NOT_FOUND)
        state = self.states.get(phone_number, DeliveryStatus.ACCEPTED)
        receipt = DeliveryReceipt(f"id-{reference}", phone_number, state, reference=reference)
        return LookupResult(reference, phone_number, LookupStatus.TAKEN, receipt)


archive = Archive()


class Searchable(providers.SameText):
    """Can be asked what it took."""

    capabilities = Capabilities(
        bulk_same_text=True,
        max_recipients=100,
        lookup_by_reference=True,
        settle_seconds=SETTLE,
        lookup_valid_for=timedelta(hours=6),
    )

    def account_fingerprint(self) -> str:
        return archive.account

    def send_sms(self, phone_numbers, message, *, reference=None, sender_id=None) -> list[SendResult] | None:
        before = len(providers.provider.taken)
        try:
            return super().send_sms(phone_numbers, message, reference=reference, sender_id=sender_id)
        finally:
            archive.known |= {(str(reference), to) for to, _text in providers.provider.taken[before:]}

    def lookup(self, queries: Sequence[tuple[str, str]]) -> list[LookupResult]:
        if archive.fails:
            return [LookupResult(*query, LookupStatus.UNANSWERED) for query in queries]
        return [archive.answer(*query) for query in queries]


@pytest.fixture
def searchable(adapter, provider):
    """The gateway `default` can be asked what it took."""
    archive.reset()
    adapter(Searchable)
    return provider


def in_doubt(provider, contacts: int = 1, *, taken: bool) -> Campaign:
    """A campaign whose one request ended without a clear answer."""
    campaign = launched(contacts=contacts)
    provider.fail_next(OutcomeUnknownError("Time-out"), taken=taken)
    send(campaign)
    GatewayState.objects.all().delete()
    assert statuses(campaign) == {"unknown": contacts}
    return campaign


def with_control(campaign: Campaign) -> Attempt:
    """Another message of the same account, which was certainly taken."""
    message = SentMessage.objects.create(
        phone_number=CONTROL, canonical_number=CONTROL, body="x", status=MessageStatus.SENT, reference="control"
    )
    archive.known.add(("control", CONTROL))
    return Attempt.objects.create(
        message=message,
        number=1,
        reference="control",
        gateway="default",
        account="account-1",
        outcome="accepted",
        started_at=timezone.now(),
    )


def pass_time(seconds: float) -> None:
    """As far as unknown messages are concerned."""
    passed = timedelta(seconds=seconds)
    SentMessage.objects.filter(status=MessageStatus.UNKNOWN).update(
        status_at=F("status_at") - passed,
        next_lookup_at=F("next_lookup_at") - passed,
        not_found_at=F("not_found_at") - passed,
    )
    Attempt.objects.exclude(reference="control").update(started_at=F("started_at") - passed)


def test_what_was_taken_is_sent_as_soon_as_the_provider_says_so(searchable):
    campaign = in_doubt(searchable, contacts=3, taken=True)
    pass_time(10)
    assert settle_unknown() == 3
    assert statuses(campaign) == {"sent": 3}
    message = message_to(number(1))
    assert message.provider_message_id == f"id-{message.reference}"
    assert (message.next_lookup_at, message.reason) == (None, "")
    assert message.attempts.get().outcome == "accepted"
    assert max(searchable.copies().values()) == 1
    assert_adds_up(campaign)


def test_what_the_provider_says_of_it_already_counts(searchable):
    campaign = in_doubt(searchable, contacts=3, taken=True)
    archive.states = {number(1): DeliveryStatus.DELIVERED, number(2): DeliveryStatus.UNMAPPED}
    pass_time(10)
    assert settle_unknown() == 3
    assert statuses(campaign) == {"delivered": 1, "sent": 2}


def test_what_was_twice_not_found_is_sent_again_under_a_new_reference(searchable):
    campaign = in_doubt(searchable, contacts=2, taken=False)
    with_control(campaign)
    first = message_to(number(1)).reference
    pass_time(SETTLE + 1)
    assert settle_unknown() == 0, "once is not enough"
    assert statuses(campaign) == {"unknown": 2}
    pass_time(GAP + 1)
    assert settle_unknown() == 2
    assert statuses(campaign) == {"queued": 2}
    send(campaign)
    assert statuses(campaign) == {"sent": 2}
    assert message_to(number(1)).reference != first
    assert set(searchable.copies().values()) == {1}
    assert campaign.status == CampaignStatus.COMPLETED
    assert_adds_up(campaign)


def test_what_ends_in_doubt_each_time_it_is_offered_is_given_up_at_last(searchable):
    campaign = in_doubt(searchable, taken=False)
    with_control(campaign)
    for offered in range(1, len(RETRY_SECONDS) + 2):
        assert message_to(number(1)).attempt_count == offered
        pass_time(SETTLE + 1)
        settle_unknown()
        pass_time(GAP + 1)
        assert settle_unknown() == 1
        if offered <= len(RETRY_SECONDS):
            searchable.fail_next(OutcomeUnknownError("Time-out"), taken=False)
            send(campaign)
            GatewayState.objects.all().delete()
    message = message_to(number(1))
    assert (message.status, message.reason) == ("failed", "retries_used")
    assert searchable.copies() == {}
    assert_adds_up(campaign)


def test_an_answer_within_the_settle_time_does_not_count(searchable):
    campaign = in_doubt(searchable, taken=False)
    with_control(campaign)
    pass_time(10)
    settle_unknown()
    pass_time(GAP)
    settle_unknown()
    assert archive.asked
    assert message_to(number(1)).not_found_at is None
    pass_time(SETTLE)
    settle_unknown()
    assert message_to(number(1)).not_found_at is not None
    assert statuses(campaign) == {"unknown": 1}


def test_two_answers_close_to_each_other_count_as_one(searchable):
    campaign = in_doubt(searchable, taken=False)
    with_control(campaign)
    pass_time(SETTLE + 1)
    settle_unknown()
    SentMessage.objects.filter(campaign=campaign).update(next_lookup_at=timezone.now())  # a second sweeper
    assert settle_unknown() == 0
    assert statuses(campaign) == {"unknown": 1}


def test_what_appears_after_a_negative_answer_is_not_sent_again(searchable):
    campaign = in_doubt(searchable, taken=False)
    with_control(campaign)
    pass_time(SETTLE + 1)
    settle_unknown()
    archive.known.add((message_to(number(1)).reference, number(1)))
    pass_time(GAP + 1)
    assert settle_unknown() == 1
    assert statuses(campaign) == {"sent": 1}


def asked_for_long_enough(campaign: Campaign) -> dict[str, int]:
    pass_time(SETTLE + 1)
    for _round in range(4):
        settle_unknown()
        pass_time(GAP + 1)
    return statuses(campaign)


def test_not_found_proves_nothing_in_a_query_that_finds_nothing(searchable):
    campaign = in_doubt(searchable, taken=True)
    with_control(campaign)
    archive.is_blind = True
    assert asked_for_long_enough(campaign) == {"unknown": 1}
    assert ("control", CONTROL) in archive.asked


def test_not_found_proves_nothing_without_another_message_to_find(searchable):
    campaign = in_doubt(searchable, taken=False)
    assert asked_for_long_enough(campaign) == {"unknown": 1}


def test_an_answer_about_another_number_proves_nothing(searchable):
    campaign = in_doubt(searchable, taken=False)
    with_control(campaign)
    archive.answers_for = number(8)
    assert asked_for_long_enough(campaign) == {"unknown": 1}


def test_both_waits_can_be_set(searchable, settings):
    settings.SMS_SETTLE_SECONDS, settings.SMS_LOOKUP_GAP_SECONDS = 2, 3
    campaign = in_doubt(searchable, taken=False)
    with_control(campaign)
    pass_time(2.5)
    settle_unknown()
    pass_time(3.5)
    settle_unknown()
    assert statuses(campaign) == {"queued": 1}


def test_a_provider_that_cannot_answer_proves_nothing_and_is_asked_ever_more_rarely(searchable):
    campaign = in_doubt(searchable, taken=False)
    with_control(campaign)
    archive.fails = True
    waits = []
    pass_time(SETTLE + 1)
    for _round in range(len(settling.LOOKUP_SECONDS)):
        settle_unknown()
        message = message_to(number(1))
        assert message.next_lookup_at
        waits.append(round((message.next_lookup_at - timezone.now()).total_seconds()))
        SentMessage.objects.filter(pk=message.pk).update(next_lookup_at=timezone.now())
    assert waits == pytest.approx(settling.LOOKUP_SECONDS, abs=3)
    assert statuses(campaign) == {"unknown": 1}


def test_messages_of_another_account_are_left_to_the_operator(searchable):
    campaign = in_doubt(searchable, taken=True)
    archive.account = "account-2"
    pass_time(SETTLE + 1)
    assert settle_unknown() == 0
    assert archive.asked == []
    assert message_to(number(1)).next_lookup_at is None
    assert lifecycle.complete_if_done(campaign.pk)


def test_what_the_provider_may_have_forgotten_is_left_to_the_operator(searchable):
    campaign = in_doubt(searchable, taken=False)
    with_control(campaign)
    pass_time(6 * 3600 + 1)
    assert settle_unknown() == 0
    assert statuses(campaign) == {"unknown": 1}
    assert message_to(number(1)).next_lookup_at is None
    assert message_to(number(1)).events.get(kind=EventKind.LOOKUP).payload == {"ended": "too long ago"}


def test_every_reference_that_a_message_had_is_asked_about(searchable):
    campaign = in_doubt(searchable, taken=False)
    with_control(campaign)
    first = message_to(number(1)).reference
    pass_time(SETTLE + 1)
    settle_unknown()
    pass_time(GAP + 1)
    settle_unknown()
    searchable.fail_next(OutcomeUnknownError("Time-out"), taken=False)
    assert not send_waiting(campaign.pk, seconds=60)
    GatewayState.objects.all().delete()
    second = message_to(number(1)).reference
    # The very first request comes to light now.
    archive.known.add((first, number(1)))
    archive.asked.clear()
    pass_time(SETTLE + 1)
    assert settle_unknown() == 1
    assert {reference for reference, to in archive.asked if to == number(1)} == {first, second}
    assert statuses(campaign) == {"sent": 1}


def test_a_campaign_is_not_completed_while_one_of_its_messages_is_looked_up(searchable):
    campaign = in_doubt(searchable, taken=True)
    assert campaign.status == CampaignStatus.SENDING
    pass_time(10)
    settle_unknown()
    assert lifecycle.complete_if_done(campaign.pk)


def test_what_an_operator_has_left_is_not_asked_about_any_more(searchable):
    campaign = in_doubt(searchable, taken=True)
    leave_unknown([message_to(number(1)).pk], actor=None)
    pass_time(SETTLE + 1)
    assert settle_unknown() == 0
    assert archive.asked == []
    assert lifecycle.complete_if_done(campaign.pk)


def test_what_was_not_taken_in_a_cancelled_campaign_is_cancelled(searchable):
    campaign = in_doubt(searchable, taken=False)
    with_control(campaign)
    lifecycle.cancel(campaign, actor=None)
    pass_time(SETTLE + 1)
    settle_unknown()
    pass_time(GAP + 1)
    settle_unknown()
    assert statuses(campaign) == {"cancelled": 1}


def test_the_messages_of_a_killed_worker_are_looked_up(searchable):
    campaign = launched(contacts=2)
    handed_over(campaign)
    the_lease_runs_out()
    assert expire_leases() == (0, 2)
    with_control(campaign)
    pass_time(SETTLE + 1)
    settle_unknown()
    pass_time(GAP + 1)
    assert settle_unknown() == 2
    assert statuses(campaign) == {"queued": 2}


def test_a_paused_gateway_is_not_asked_but_waited_for(searchable):
    campaign = in_doubt(searchable, taken=True)
    GatewayState.objects.create(alias="default", paused_at=timezone.now())
    pass_time(10)
    assert settle_unknown() == 0
    assert archive.asked == []
    GatewayState.objects.update(paused_at=None)
    pass_time(3600)
    assert settle_unknown() == 1
    assert statuses(campaign) == {"sent": 1}


def test_a_receipt_ends_the_questions(searchable):
    in_doubt(searchable, taken=True)
    message = message_to(number(1))
    receipts.apply("default", DeliveryReceipt(message.reference, number(1), DeliveryStatus.DELIVERED))
    pass_time(10)
    assert settle_unknown() == 0
    assert archive.asked == []
    assert message_to(number(1)).next_lookup_at is None


# --- a refusal that may mean "you have sent this before" ------------------------------------------------------


def test_a_possible_repetition_waits_a_minute_after_the_first_attempt(searchable):
    campaign = launched(contacts=1)
    searchable.fail_next(RepeatedRequestError("9", retry_after=5))
    send(campaign)
    message = message_to(number(1))
    assert message.status == MessageStatus.QUEUED
    assert message.not_before
    assert message.not_before >= timezone.now() + timedelta(seconds=55)


def test_a_possible_repetition_is_unknown_after_a_later_attempt_and_looked_up(searchable):
    campaign = launched(contacts=1)
    searchable.fail_next(RepeatedRequestError("9"), RepeatedRequestError("9"))
    send(campaign)
    GatewayState.objects.all().delete()
    SentMessage.objects.update(not_before=None)
    first = message_to(number(1)).reference
    send(campaign)
    assert statuses(campaign) == {"unknown": 1}
    archive.known.add((first, number(1)))
    pass_time(10)
    assert settle_unknown() == 1
    assert statuses(campaign) == {"sent": 1}
