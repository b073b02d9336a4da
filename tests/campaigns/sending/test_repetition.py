"""A request of unknown outcome is offered again as it was, to a provider that takes it once; or not at all."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from datetime import timedelta
from decimal import Decimal

import pytest
from django.db import OperationalError, connection, transaction
from django.db.models import F, Q
from django.utils import timezone

from campaigns import gateway_control, lifecycle, optouts, receipts, replies
from campaigns.models import (
    Attempt,
    Campaign,
    CampaignStatus,
    Contact,
    EventKind,
    GatewayState,
    MessageStatus,
    OptOutSource,
    Purpose,
    RequestSlot,
    SentMessage,
)
from campaigns.prices import price_table
from campaigns.resending import make_child
from campaigns.sending import handover, pacing, repetition
from campaigns.sending.dispatch import send_waiting
from campaigns.sending.record import record_results
from campaigns.sending.recovery import expire_leases, leave_unknown, resend_unknown
from campaigns.sending.repetition import REPEAT_SECONDS
from campaigns.sending.settling import settle_unknown
from campaigns.single import queue_single
from campaigns.spent import spent_by_campaign, spent_on, today
from sms_backends import (
    ContentRejectedError,
    DeliveryReceipt,
    DeliveryStatus,
    DuplicateReferenceError,
    IncomingSms,
    InsufficientFundsError,
    LookupResult,
    LookupStatus,
    Outcome,
    OutcomeUnknownError,
    RecipientRejectedError,
    SendResult,
    TemporaryError,
)
from tests.campaigns import providers
from tests.campaigns.building import (
    assert_adds_up,
    frozen,
    handed_over,
    launched,
    message_to,
    number,
    send,
    set_prices,
    statuses,
    the_lease_runs_out,
)

pytestmark = pytest.mark.django_db

TIME_OUT = OutcomeUnknownError("Time-out")
HOURS = 3600.0


@pytest.fixture
def once(adapter, provider, monkeypatch):
    """The gateway `default` takes a request once, however often it comes."""
    monkeypatch.setattr(providers.Once, "account", "account-1")
    adapter(providers.Once)
    return provider


def in_doubt(provider, contacts: int = 2, *, taken: bool = True, **fields) -> Campaign:
    """A campaign whose one request ended without a clear answer."""
    campaign = launched(contacts=contacts, **fields)
    provider.fail_next(TIME_OUT, taken=taken)
    send(campaign)
    assert statuses(campaign) == {"unknown": contacts}
    return campaign


def pass_time(seconds: float) -> None:
    """As far as unknown messages and a held gateway are concerned."""
    passed = timedelta(seconds=seconds)
    unknown = SentMessage.objects.filter(status=MessageStatus.UNKNOWN)
    unknown.update(status_at=F("status_at") - passed, next_lookup_at=F("next_lookup_at") - passed)
    unknown.update(not_found_at=F("not_found_at") - passed)
    Attempt.objects.update(started_at=F("started_at") - passed, finished_at=F("finished_at") - passed)
    GatewayState.objects.update(held_until=F("held_until") - passed)


def settled(seconds: float = 35) -> int:
    """How many messages settle when so much time has passed."""
    pass_time(seconds)
    return settle_unknown()


def assert_left_to_the_operator(campaign: Campaign, provider, why: str, *, requests: int = 1) -> None:
    """Nothing was offered again, nothing will be, and the log says why."""
    assert len(provider.requests) == requests
    left = SentMessage.objects.filter(campaign=campaign, status=MessageStatus.UNKNOWN)
    assert left.exists()
    assert not left.filter(next_lookup_at__isnull=False).exists()
    for message in left.exclude(events__kind=EventKind.LEFT):
        assert message.events.filter(kind=EventKind.UNKNOWN).latest("id").payload == {"ended": why}
    assert settled(HOURS / 2) == 0
    assert len(provider.requests) == requests
    assert_adds_up(campaign)


# --- it settles what nobody knows ---------------------------------------------------------------------------------


@pytest.mark.parametrize("says_duplicate", [False, True], ids=["the same answer again", "duplicate"])
def test_what_was_taken_before_the_time_out_is_offered_once_more_and_not_taken_twice(once, says_duplicate):
    once.says_duplicate = says_duplicate
    campaign = in_doubt(once, taken=True)
    assert campaign.status == CampaignStatus.SENDING, "not completed while it may settle by itself"
    assert settled() == 2
    first, second = once.requests
    assert first == second
    assert set(once.copies().values()) == {1}
    assert statuses(campaign) == {"sent": 2}
    message = message_to(number(1))
    assert [attempt.outcome for attempt in message.attempts.order_by("number")] == ["unknown", "accepted"]
    assert len(set(message.attempts.values_list("reference", flat=True))) == 1
    assert (message.next_lookup_at, message.reason, message.claim_token) == (None, "", "")
    assert not message.sent_twice
    assert settled(HOURS) == 0
    assert len(once.requests) == 2
    assert lifecycle.complete_if_done(campaign.pk)
    assert_adds_up(campaign)


def test_what_was_not_taken_before_the_time_out_is_taken_once(once):
    campaign = in_doubt(once, taken=False)
    assert settled() == 2
    assert set(once.copies().values()) == {1}
    assert statuses(campaign) == {"sent": 2}
    assert_adds_up(campaign)


def test_what_a_killed_worker_may_have_sent_is_offered_again(once):
    campaign = launched(contacts=2)
    handed_over(campaign)
    the_lease_runs_out()
    assert expire_leases() == (0, 2)
    assert settled() == 2
    assert statuses(campaign) == {"sent": 2}
    assert set(once.copies().values()) == {1}
    assert_adds_up(campaign)


def test_a_worker_killed_in_the_repetition_leaves_it_unknown_and_it_is_offered_once_more(once):
    campaign = in_doubt(once, taken=True)
    once.during = lambda request: (_ for _ in ()).throw(SystemExit)
    pass_time(35)
    with pytest.raises(SystemExit):
        settle_unknown()
    once.during = None
    assert statuses(campaign) == {"sending": 2}
    the_lease_runs_out()
    assert expire_leases() == (0, 2)
    assert settled(REPEAT_SECONDS[1]) == 2
    assert statuses(campaign) == {"sent": 2}
    assert set(once.copies().values()) == {1}
    assert_adds_up(campaign)


def test_a_single_message_is_offered_again_too(once):
    once.fail_next(TIME_OUT, taken=True)
    queue_single(number(1), "Hi", purpose=Purpose.QUICK)
    send_waiting(None, seconds=5)
    assert settled() == 1
    assert message_to(number(1)).status == MessageStatus.SENT
    assert once.copies() == {number(1): 1}


def test_what_ends_in_doubt_each_time_is_offered_ever_more_rarely_and_at_last_left(once):
    campaign = in_doubt(once, taken=True)
    for offered, wait in enumerate(REPEAT_SECONDS, start=1):
        assert settled(wait - 10) == 0
        assert len(once.requests) == offered, "not yet"
        once.fail_next(TIME_OUT)
        assert settled(70) == 0
        assert len(once.requests) == offered + 1
    settled(HOURS)
    assert set(once.copies().values()) == {1}
    assert_left_to_the_operator(campaign, once, "all tries used", requests=len(REPEAT_SECONDS) + 1)


def test_a_gateway_that_fails_at_one_repetition_is_not_offered_the_next(once, monkeypatch):
    providers.take_at_most(1, providers.Once, monkeypatch)
    campaign = launched(contacts=2)
    once.fail_next(TIME_OUT, TIME_OUT)
    send(campaign)
    GatewayState.objects.all().delete()
    send(campaign)
    assert statuses(campaign) == {"unknown": 2}
    once.fail_next(TIME_OUT)
    assert settled() == 0
    assert len(once.requests) == 3
    assert gateway_control.closed_gateways() == {"default"}


def test_a_success_opens_the_gateway_that_was_on_trial(once):
    in_doubt(once)
    assert GatewayState.objects.get().failure_count == 1
    settled()
    assert GatewayState.objects.get().failure_count == 0


# --- what a repetition proves, and what it does not ----------------------------------------------------------------


@pytest.mark.parametrize(
    "refusal",
    [RecipientRejectedError("No such number"), TemporaryError("Refused"), ContentRejectedError("Forbidden")],
    ids=lambda error: type(error).__name__,
)
def test_a_refusal_of_the_repetition_says_nothing_of_the_first_time(once, refusal):
    campaign = in_doubt(once, taken=True)
    once.fail_next(refusal)
    assert settled() == 0
    assert statuses(campaign) == {"unknown": 2}
    assert message_to(number(1)).attempts.get(number=2).outcome == "rejected"
    assert_adds_up(campaign)
    assert settled(REPEAT_SECONDS[1] + 5) == 2
    assert statuses(campaign) == {"sent": 2}
    assert set(once.copies().values()) == {1}


def test_trouble_with_the_account_pauses_the_gateway_as_always(once):
    campaign = in_doubt(once)
    once.fail_next(InsufficientFundsError("No money"))
    settled()
    assert statuses(campaign) == {"unknown": 2}
    assert GatewayState.objects.get().pause_reason == "no_funds"


def test_duplicate_at_a_first_hand_over_is_no_proof(once):
    campaign = launched(contacts=2)
    once.fail_next(DuplicateReferenceError("409"))
    send(campaign)
    assert statuses(campaign) == {"unknown": 2}


def late_answer(campaign: Campaign, intent, outcome: Outcome) -> None:
    error = TemporaryError("Refused") if outcome is Outcome.REJECTED else None
    results = [
        SendResult(message.phone_number, outcome, provider_message_id="late", error=error)
        for message in intent.messages
    ]
    record_results(intent, results, poll_after=None)


def lost(campaign: Campaign):
    """The intent of a worker that everybody takes for dead."""
    _claim, intent = handed_over(campaign)
    the_lease_runs_out()
    expire_leases()
    return intent


def test_the_first_answer_that_comes_after_the_repetition_is_no_second_text(once):
    campaign = launched(contacts=2)
    intent = lost(campaign)
    settled()
    late_answer(campaign, intent, Outcome.ACCEPTED)
    message = message_to(number(1))
    assert (message.status, message.sent_twice) == (MessageStatus.SENT, False)
    assert [one.outcome for one in message.attempts.order_by("number")] == ["accepted", "accepted"]
    assert_adds_up(campaign)


@pytest.mark.parametrize("outcome", [Outcome.ACCEPTED, Outcome.REJECTED])
def test_the_first_answer_may_come_while_it_is_offered_again(once, outcome):
    campaign = launched(contacts=2)
    intent = lost(campaign)
    once.during = lambda request: late_answer(campaign, intent, outcome)
    settled()
    assert statuses(campaign) == {"sent": 2}
    message = message_to(number(1))
    assert [one.outcome for one in message.attempts.order_by("number")] == [outcome, "accepted"]
    assert message.events.filter(kind=EventKind.LATE_RESULT).count() == 1
    assert not message.sent_twice
    assert_adds_up(campaign)


def test_when_the_first_time_was_refused_after_all_a_refusal_of_the_repetition_counts(once):
    campaign = launched(contacts=1)
    intent = lost(campaign)
    once.during = lambda request: late_answer(campaign, intent, Outcome.REJECTED)
    once.fail_next(RecipientRejectedError("No such number"))
    settled()
    assert statuses(campaign) == {"rejected": 1}
    assert_adds_up(campaign)


def test_a_receipt_of_either_time_is_about_the_same_text(once):
    campaign = in_doubt(once, contacts=1)
    settled()
    message = message_to(number(1))
    receipt = DeliveryReceipt(message.reference, number(1), DeliveryStatus.UNDELIVERED)
    assert receipts.apply("default", receipt)
    message.refresh_from_db()
    assert (message.status, message.sent_twice) == (MessageStatus.UNDELIVERED, False)
    assert_adds_up(campaign)


# --- what is not the same request any more, or must not go ---------------------------------------------------------


def opt_out(campaign: Campaign) -> None:
    optouts.record_opt_out(number(1), source=OptOutSource.KEYWORD)


def report_delivered(campaign: Campaign) -> None:
    receipt = DeliveryReceipt(message_to(number(1)).reference, number(1), DeliveryStatus.DELIVERED)
    assert receipts.apply("default", receipt)


def leave(campaign: Campaign) -> None:
    leave_unknown([message_to(number(1)).pk], actor=None)


def resend(campaign: Campaign) -> None:
    SentMessage.objects.update(status_at=F("status_at") - timedelta(minutes=5))
    assert resend_unknown([message_to(number(1)).pk], actor=None) == 1


def cancel(campaign: Campaign) -> None:
    lifecycle.cancel(campaign, actor=None)


def end(campaign: Campaign) -> None:
    Campaign.objects.update(ends_at=timezone.now() - timedelta(seconds=1))


def withdraw_consent(campaign: Campaign) -> None:
    Campaign.objects.update(kind="marketing")
    Contact.objects.update(consent="given")
    Contact.objects.filter(phone_number=number(1)).update(consent="withdrawn")


def wait_for_review(campaign: Campaign) -> None:
    Campaign.objects.update(kind="marketing")
    Contact.objects.update(consent="given")
    replies.receive("default", [IncomingSms(number(1), "please don't text me", "1")])


def supersede(campaign: Campaign) -> None:
    row = SentMessage.objects.create(phone_number=number(1), body="x", status=MessageStatus.CANCELLED)
    SentMessage.objects.filter(campaign=campaign, phone_number=number(1)).update(superseded_by=row)


@pytest.mark.parametrize(
    ("change", "why"),
    [
        (opt_out, "one of its people must not be written to any more"),
        (withdraw_consent, "one of its people must not be written to any more"),
        (wait_for_review, "one of its people must not be written to any more"),
        (report_delivered, "one of its messages is settled"),
        (leave, "an operator has decided upon one of its messages"),
        (resend, "one of its messages is settled"),
        (cancel, "the campaign has ended"),
        (end, "the campaign has ended"),
        (supersede, "an operator has decided upon one of its messages"),
    ],
    ids=lambda value: getattr(value, "__name__", ""),
)
def test_what_is_not_wanted_as_a_whole_is_not_offered_again(once, change: Callable[[Campaign], None], why):
    campaign = in_doubt(once)
    change(campaign)
    assert settled() == 0
    assert_left_to_the_operator(campaign, once, why)


def test_the_confirmation_of_an_opt_out_is_offered_again(once):
    replies.receive("default", [IncomingSms(number(1), "STOP", "1")])
    once.fail_next(TIME_OUT)
    send_waiting(None, seconds=60)
    assert message_to(number(1)).status == MessageStatus.UNKNOWN
    assert settled() == 1
    assert message_to(number(1)).status == MessageStatus.SENT
    assert len({request.reference for request in once.requests}) == 1


@pytest.mark.parametrize("change", [withdraw_consent, wait_for_review])
def test_consent_that_is_gone_in_the_last_moment_keeps_all_of_them_from_going(once, monkeypatch, change):
    campaign = in_doubt(once)
    monkeypatch.setattr(repetition._Request, "_not_wanted", lambda request: None)
    change(campaign)
    assert settled() == 0
    assert len(once.requests) == 1


def test_what_was_refused_for_one_of_a_request_settles_it_and_the_others_are_left(once):
    """The answer to the first time named one of two."""
    campaign = launched(contacts=2)
    once.refusals = {number(1): RecipientRejectedError("No such number"), number(2): TIME_OUT}
    send(campaign)
    assert statuses(campaign) == {"rejected": 1, "unknown": 1}
    assert settled() == 0
    assert_left_to_the_operator(campaign, once, "one of its messages is settled")


def test_after_its_lifetime_a_reference_is_not_used_again(once):
    campaign = in_doubt(once)
    lifecycle.pause(campaign, actor=None)
    assert settled(6 * HOURS - 130) == 0, "its campaign is paused"
    assert message_to(number(1)).next_lookup_at is not None
    lifecycle.resume(campaign, actor=None)
    # There is no more time for a whole request, though the lifetime is not quite over.
    assert settled(65) == 0
    assert_left_to_the_operator(campaign, once, "too long ago")


def test_a_first_time_in_the_future_is_taken_for_too_long_ago(once):
    """The clock was set back: nobody knows how old the reference is."""
    campaign = in_doubt(once)
    pass_time(35)
    Attempt.objects.update(started_at=timezone.now() + timedelta(minutes=5))
    settle_unknown()
    assert_left_to_the_operator(campaign, once, "too long ago")


def test_another_account_is_offered_nothing(once, monkeypatch):
    campaign = in_doubt(once)
    monkeypatch.setattr(providers.Once, "account", "account-2")
    assert settled() == 0
    assert_left_to_the_operator(campaign, once, "another account")


def test_without_a_fingerprint_nobody_can_tell_the_accounts_apart(once, monkeypatch):
    monkeypatch.setattr(providers.Once, "account", "")
    campaign = in_doubt(once)
    assert message_to(number(1)).next_lookup_at is None
    assert campaign.status == CampaignStatus.COMPLETED


def test_a_number_that_may_not_be_written_to_any_more_would_be_left_out_of_the_request(once, settings):
    campaign = in_doubt(once)
    settings.SMS_ONLY_TO = [number(2)]
    assert settled() == 0
    assert_left_to_the_operator(campaign, once, "one of its people must not be written to any more")


def test_an_adapter_that_takes_fewer_recipients_now_would_make_two_requests_of_it(once, monkeypatch):
    campaign = in_doubt(once)
    providers.take_at_most(1, providers.Once, monkeypatch)
    assert settled() == 0
    assert_left_to_the_operator(campaign, once, "it would not be the same request")


def test_who_was_reached_by_the_first_campaign_meanwhile_is_not_written_to_by_its_child(once):
    parent = launched(contacts=1)
    once.refusals = {number(1): RecipientRejectedError("Not now", permanent=False)}
    send(parent)
    SentMessage.objects.update(status=MessageStatus.FAILED)
    once.refusals.clear()
    lifecycle.complete_if_done(parent.pk)
    child = frozen(make_child(Campaign.objects.get(pk=parent.pk), [MessageStatus.FAILED], actor=None))
    once.fail_next(TIME_OUT, taken=True)
    send(child)
    assert statuses(child) == {"unknown": 1}
    SentMessage.objects.filter(campaign=parent).update(status=MessageStatus.DELIVERED)
    assert settled() == 0
    assert_left_to_the_operator(child, once, "one of its people must not be written to any more", requests=2)


# --- what stands in the way for now --------------------------------------------------------------------------------


def pause_campaign(monkeypatch) -> Callable[[], object]:
    campaign = Campaign.objects.get()
    lifecycle.pause(campaign, actor=None)
    return lambda: lifecycle.resume(campaign, actor=None)


def pause_gateway(monkeypatch) -> Callable[[], object]:
    gateway_control.pause_gateway("default", reason="", text="A pause.")
    return lambda: gateway_control.resume_gateway("default", actor=None)


def hold_gateway(monkeypatch) -> Callable[[], object]:
    GatewayState.objects.update(held_until=timezone.now() + timedelta(hours=1))
    return lambda: GatewayState.objects.update(held_until=None)


def close_window(monkeypatch) -> Callable[[], object]:
    monkeypatch.setattr(repetition, "closed_to", lambda *args: Q(phone_number=number(2)))
    return lambda: monkeypatch.setattr(repetition, "closed_to", lambda *args: None)


def use_up_the_rate(monkeypatch) -> Callable[[], object]:
    gateway_control.set_rate("default", per_second=2, unit="messages", actor=None)
    GatewayState.objects.update(next_slot_at=timezone.now() + timedelta(minutes=1))
    return lambda: GatewayState.objects.update(next_slot_at=None)


def take_all_slots(monkeypatch) -> Callable[[], object]:
    monkeypatch.setattr("campaigns.sending.slots.PATIENCE_SECONDS", 0.0)
    RequestSlot.objects.update(leased_until=timezone.now() + timedelta(minutes=1))
    return lambda: RequestSlot.objects.update(leased_until=None)


def suspect_a_copy(monkeypatch) -> Callable[[], object]:
    monkeypatch.setattr(repetition, "may_send", lambda: False)
    return lambda: monkeypatch.setattr(repetition, "may_send", lambda: True)


def stop_it_in_the_last_moment(monkeypatch) -> Callable[[], object]:
    """After everything was looked at, and before the gate."""
    campaign = Campaign.objects.get()
    looked_at = repetition._Request.obstacle

    def pause_after_looking(request: repetition._Request):
        obstacle = looked_at(request)
        Campaign.objects.filter(pk=campaign.pk).update(status=CampaignStatus.PAUSED)
        return obstacle

    monkeypatch.setattr(repetition._Request, "obstacle", pause_after_looking)

    def go_on() -> None:
        monkeypatch.setattr(repetition._Request, "obstacle", looked_at)
        Campaign.objects.filter(pk=campaign.pk).update(status=CampaignStatus.SENDING)

    return go_on


@pytest.mark.parametrize(
    "obstruct",
    [
        pause_campaign,
        pause_gateway,
        hold_gateway,
        close_window,
        use_up_the_rate,
        take_all_slots,
        suspect_a_copy,
        stop_it_in_the_last_moment,
    ],
)
def test_what_may_not_go_now_waits_as_it_is_and_goes_later(once, monkeypatch, obstruct):
    campaign = in_doubt(once)
    pass_time(35)
    clear = obstruct(monkeypatch)
    assert settle_unknown() == 0
    assert len(once.requests) == 1
    assert statuses(campaign) == {"unknown": 2}
    message = message_to(number(1))
    assert message.next_lookup_at is not None
    assert (message.attempts.count(), message.attempt_count) == (1, 1)
    assert_adds_up(campaign)
    clear()
    pass_time(120)
    assert settle_unknown() == 2
    assert statuses(campaign) == {"sent": 2}


def test_one_who_opts_out_in_the_last_moment_keeps_all_of_them_from_going(once, monkeypatch):
    campaign = in_doubt(once)
    monkeypatch.setattr(repetition._Request, "_not_wanted", lambda request: None)
    optouts.record_opt_out(number(1), source=OptOutSource.KEYWORD)
    assert settled() == 0
    assert len(once.requests) == 1
    assert statuses(campaign) == {"unknown": 2}
    assert not Attempt.objects.filter(number=2).exists()


def test_an_operator_who_leaves_one_in_the_last_moment_keeps_all_of_them_from_going(once, monkeypatch):
    """After everything was looked at, while it waits for its turn."""
    campaign = in_doubt(once)
    reserve = pacing.reserve

    def leave_one(*args, **keywords):
        leave(campaign)
        return reserve(*args, **keywords)

    monkeypatch.setattr(repetition, "reserve", leave_one)
    assert settled() == 0
    assert_left_to_the_operator(campaign, once, "an operator has decided upon one of its messages")


@pytest.mark.postgresql
@pytest.mark.django_db(transaction=True)
def test_nobody_decides_while_it_is_looked_at_for_the_last_time(once, monkeypatch):
    in_doubt(once)
    look = repetition._Request.obstacle
    refused: list[str] = []

    def decide() -> None:
        try:
            with transaction.atomic():
                list(SentMessage.objects.select_for_update(nowait=True))
        except OperationalError as error:
            refused.append(str(error))
        finally:
            connection.close()

    def look_while_somebody_decides(request: repetition._Request):
        if connection.in_atomic_block:
            other = threading.Thread(target=decide)
            other.start()
            other.join()
        return look(request)

    monkeypatch.setattr(repetition._Request, "obstacle", look_while_somebody_decides)
    assert settled() == 2
    assert len(refused) == 1


def test_a_closed_gateway_is_not_even_given_time(once):
    in_doubt(once)
    gateway_control.set_rate("default", per_second=2, unit="messages", actor=None)
    gateway_control.pause_gateway("default", reason="", text="A pause.")
    settled()
    assert GatewayState.objects.get().next_slot_at is None


def test_a_request_that_does_not_begin_in_time_is_not_made(once, monkeypatch):
    campaign = in_doubt(once)
    monkeypatch.setattr(handover.Intent, "is_fresh", lambda intent: False)
    assert settled() == 0
    assert len(once.requests) == 1
    assert statuses(campaign) == {"unknown": 2}
    assert_adds_up(campaign)


# --- money ---------------------------------------------------------------------------------------------------------


def test_its_money_is_kept_and_not_reserved_again(once):
    set_prices(p7="2.5")
    campaign = in_doubt(once, spend_limit=Decimal("5"))
    days = [message_to(number(1)).day]
    prices = price_table("default")
    spent = [(spent_by_campaign(campaign, prices).total, spent_on(today(), "default", prices).total)]
    once.during = lambda request: spent.append(
        (spent_by_campaign(campaign, prices).total, spent_on(today(), "default", prices).total)
    )
    assert settled() == 2, "the limit is reached by these very messages"
    spent.append((spent_by_campaign(campaign, prices).total, spent_on(today(), "default", prices).total))
    assert spent == [(Decimal(5), Decimal(5))] * 3
    assert [*days, message_to(number(1)).day] == [today()] * 2
    assert_adds_up(campaign)


# --- two sweepers at once -------------------------------------------------------------------------------------------


def test_a_second_sweeper_leaves_what_is_under_way_alone(once):
    campaign = in_doubt(once)
    once.during = lambda request: settle_unknown()
    assert settled() == 2
    assert len(once.requests) == 2
    assert not SentMessage.objects.filter(events__kind=EventKind.UNKNOWN).exists()
    assert_adds_up(campaign)


@pytest.mark.postgresql
@pytest.mark.django_db(transaction=True)
def test_two_sweepers_at_once_offer_it_again_once(once):
    campaign = in_doubt(once)
    pass_time(35)
    start = threading.Barrier(2)
    errors: list[BaseException] = []

    def sweep() -> None:
        try:
            start.wait()
            settle_unknown()
        except BaseException as error:
            errors.append(error)
        finally:
            connection.close()

    sweepers = [threading.Thread(target=sweep) for _sweeper in range(2)]
    for sweeper in sweepers:
        sweeper.start()
    for sweeper in sweepers:
        sweeper.join()
    assert errors == []
    assert len(once.requests) == 2
    assert statuses(campaign) == {"sent": 2}
    assert Attempt.objects.count() == 4
    assert_adds_up(campaign)


# --- providers that can be asked as well ----------------------------------------------------------------------------


class Both(providers.Once):
    """Takes a request once, and can be asked what it took."""

    is_silent = False
    asked: list[tuple[str, str]] = []
    capabilities = providers.replace(
        providers.Once.capabilities, lookup_by_reference=True, settle_seconds=120, max_connections=2
    )

    def lookup(self, queries: Sequence[tuple[str, str]]) -> list[LookupResult]:
        self.asked += queries
        known = {(ref, to) for ref, request in providers.provider.ledger.items() for to in request.numbers}

        def status(query: tuple[str, str]) -> LookupStatus:
            if self.is_silent:
                return LookupStatus.UNANSWERED
            return LookupStatus.TAKEN if query in known else LookupStatus.NOT_FOUND

        return [LookupResult(*query, status(query)) for query in queries]


@pytest.fixture
def both(once, adapter, monkeypatch):
    monkeypatch.setattr(Both, "asked", [])
    adapter(Both)
    return once


def test_a_question_comes_first_and_what_it_settles_is_not_offered_again(both):
    campaign = in_doubt(both, taken=True)
    assert settled() == 2
    assert len(both.requests) == 1
    assert statuses(campaign) == {"sent": 2}


@pytest.mark.parametrize("is_silent", [True, False], ids=["no answer", "not found"])
def test_what_a_question_does_not_settle_is_offered_again_before_a_negative_answer_would_count(
    both, monkeypatch, is_silent
):
    monkeypatch.setattr(Both, "is_silent", is_silent)
    campaign = in_doubt(both, taken=False)
    assert settled() == 2
    assert Both.asked
    first, second = both.requests
    assert first == second
    assert statuses(campaign) == {"sent": 2}
    assert_adds_up(campaign)


def test_what_cannot_be_offered_again_is_asked_about_as_always(both):
    campaign = in_doubt(both, taken=False)
    opt_out(campaign)
    assert settled() == 0
    assert len(both.requests) == 1
    assert message_to(number(2)).next_lookup_at is not None
    both.ledger[message_to(number(2)).reference] = both.requests[0]  # taken late
    assert settled(60) == 2
    assert statuses(campaign) == {"sent": 2}


def test_a_question_that_another_gateway_of_the_account_can_ask_is_asked_though_the_first_is_gone(both):
    campaign = in_doubt(both, taken=False)
    SentMessage.objects.update(gateway="gone")
    Attempt.objects.update(gateway="gone")
    assert settled() == 0
    assert Both.asked
    assert statuses(campaign) == {"unknown": 2}


def test_a_gateway_that_is_not_set_up_right_is_waited_for(once, settings):
    campaign = in_doubt(once)
    good, settings.SMS_SETTINGS = settings.SMS_SETTINGS, {"BACKEND": "no.such.Backend"}
    assert settled() == 0
    assert message_to(number(1)).next_lookup_at is not None
    settings.SMS_SETTINGS = good
    assert settled(HOURS) == 2
    assert statuses(campaign) == {"sent": 2}


def test_a_negative_answer_that_was_asked_for_before_the_repetition_does_not_count_after_it(both, monkeypatch):
    """The repetition is younger than the question, and may still be taken."""
    campaign = in_doubt(both, contacts=1, taken=False)
    GatewayState.objects.all().delete()  # on trial it would have one slot, which the question has
    ask = Both.lookup
    requests: list[int] = []

    def repeated_meanwhile(self, queries):
        answers = ask(self, queries)
        reference = message_to(number(1)).reference
        both.fail_next(TIME_OUT)
        monkeypatch.setattr(Both, "lookup", ask)
        repetition.repeat([reference], self, float("inf"), leave=False)
        requests.append(len(both.requests))
        taken = LookupResult("control", number(9), LookupStatus.TAKEN)
        return [*answers, taken]

    monkeypatch.setattr(Both, "lookup", repeated_meanwhile)
    settled(130)
    assert requests == [2]
    message = message_to(number(1))
    assert (message.status, message.attempt_count) == (MessageStatus.UNKNOWN, 2)
    assert message.not_found_at is None
    assert campaign.status == CampaignStatus.SENDING


def test_each_reference_is_asked_about_once_however_often_it_was_offered(both, monkeypatch):
    monkeypatch.setattr(Both, "is_silent", True)
    in_doubt(both, contacts=1)
    both.fail_next(TIME_OUT)
    settled()
    Both.asked.clear()
    settled(60)
    assert len(Both.asked) == len(set(Both.asked)) == 1
