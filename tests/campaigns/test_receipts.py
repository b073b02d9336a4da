"""Receipts come early, late, twice and out of order; none is lost and none leads back."""

from __future__ import annotations

import threading
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.db import connection
from django.utils import timezone

from campaigns import receipt_payload, receipts
from campaigns.lone_receipt import apply_lone
from campaigns.models import (
    EventKind,
    GatewayState,
    MessageEvent,
    MessageStatus,
    SentMessage,
    SuppressionReason,
    UnmatchedReceipt,
)
from campaigns.sending.dispatch import send_claim
from campaigns.sending.recovery import expire_leases, resend_unknown
from sms_backends import DeliveryReceipt, DeliveryStatus, Reason
from sms_backends.signals import receipts_received
from tests.campaigns.building import (
    an_hour_passes,
    assert_adds_up,
    handed_over,
    launched,
    make_attempt,
    make_message,
    message_to,
    number,
    send,
    statuses,
    the_lease_runs_out,
)

pytestmark = pytest.mark.django_db

D = DeliveryStatus
ORDER = ["accepted", "undelivered", "delivered"]


def receipt(status: str = D.DELIVERED, to: str = number(1), **fields) -> DeliveryReceipt:
    return DeliveryReceipt(
        **{"provider_message_id": "id-1", "phone_number": to, "status": DeliveryStatus(status), **fields}
    )


def sent(**fields) -> SentMessage:
    """A message that the provider took as `id-1`."""
    message = make_message(
        **{
            "status": MessageStatus.SENT,
            "reference": "ref-1",
            "provider_message_id": "id-1",
            "attempt_count": 1,
            "next_poll_at": timezone.now(),
            **fields,
        }
    )
    make_attempt(message, provider_message_id=message.provider_message_id, outcome="accepted")
    return message


def status_of(message: SentMessage) -> str:
    message.refresh_from_db()
    return message.status


@pytest.mark.parametrize(
    ("said", "becomes"),
    [
        (D.ACCEPTED, "sent"),
        (D.DELIVERED, "delivered"),
        (D.UNDELIVERED, "undelivered"),
        (D.EXPIRED, "expired"),
        (D.REJECTED, "rejected"),
        (D.UNMAPPED, "sent"),
    ],
)
def test_a_receipt_moves_the_message_and_is_kept(said, becomes):
    message = sent()
    assert receipts.receive("default", [receipt(said, provider_status="X", raw={"a": 1})]) == 1
    assert status_of(message) == becomes
    event = message.events.get()
    assert event.kind == EventKind.RECEIPT
    assert event.payload["provider_status"] == "X"
    assert event.payload["raw"] == {"a": 1}


@pytest.mark.parametrize("said", [D.DELIVERED, D.UNDELIVERED, D.EXPIRED, D.REJECTED])
def test_a_receipt_alone_comes_to_the_same_as_one_among_others(said):
    news: dict[str, Any] = {
        "reason": Reason.NO_SERVICE,
        "provider_text": "Absent",
        "at": datetime(2026, 1, 2, tzinfo=UTC),
    }
    alone = sent(sent_at=None)
    others = [sent(phone_number=number(n), sent_at=None) for n in (2, 3)]
    assert apply_lone("default", receipt(said, **news))
    assert receipts.receive("default", [receipt(said, number(n), **news) for n in (2, 3)]) == 2
    own = {"id", "phone_number", "canonical_number", "status_at", "created_at", "next_poll_at"}
    rows = [
        {name: value for name, value in row.items() if name not in own}
        for row in SentMessage.objects.filter(pk__in=[alone.pk, *(other.pk for other in others)]).values()
    ]
    assert rows[0] == rows[1] == rows[2]
    assert not SentMessage.objects.exclude(next_poll_at=None).exists()
    kept = MessageEvent.objects.values_list("kind", "at", "fingerprint", "payload__reason", "payload__at")
    assert len(kept) == 3
    assert len(set(kept)) == 1


def test_of_two_messages_with_the_same_id_and_number_the_last_is_meant():
    first, last = sent(), sent()
    receipts.receive("default", [receipt()])
    receipts.receive("default", [receipt(D.UNMAPPED), receipt(D.UNMAPPED, provider_status="X")])
    assert (status_of(first), status_of(last)) == ("sent", "delivered")
    assert first.events.count() == 0
    assert last.events.count() == 3


def test_many_receipts_cost_no_more_statements_than_two(django_assert_num_queries):
    for n in range(1, 61):
        sent(phone_number=number(n), provider_message_id=f"id-{n % 7}")
    for some in (range(1, 3), range(3, 61)):
        said = [receipt(to=number(n), provider_message_id=f"id-{n % 7}") for n in some]
        with django_assert_num_queries(6):  # begin, find, lock, keep, move, end
            assert receipts.receive("default", said) == len(said)
    assert set(SentMessage.objects.values_list("status", flat=True)) == {"delivered"}


def test_several_receipts_of_one_message_in_one_request_leave_the_highest():
    message = sent()
    assert receipts.receive("default", [receipt(D.UNDELIVERED), receipt(D.DELIVERED), receipt(D.ACCEPTED)]) == 3
    assert status_of(message) == "delivered"
    assert message.events.count() == 3


def test_one_receipt_that_cannot_be_stored_does_not_cost_the_others():
    first, last = sent(), sent(phone_number=number(3), provider_message_id="id-3")
    broken = receipt(to=None)  # type: ignore[arg-type]
    with pytest.raises(TypeError):
        receipts.receive("default", [receipt(), broken, receipt(to=number(3), provider_message_id="id-3")])
    assert (status_of(first), status_of(last)) == ("delivered", "delivered")


def test_a_kept_receipt_that_cannot_be_applied_gives_way_to_the_others():
    receipts.receive("default", [receipt(to=number(1)), receipt(to=number(2))])
    UnmatchedReceipt.objects.filter(phone_number=number(1)).update(payload={})
    sent(phone_number=number(2))
    later = timezone.now() + timedelta(minutes=1)
    assert receipts.match_due_receipts(later) == 1
    left = UnmatchedReceipt.objects.get()
    assert (left.phone_number, left.try_count) == (number(1), 1)


@pytest.mark.postgresql
@pytest.mark.django_db(transaction=True)
def test_the_same_receipts_at_once_in_different_order_are_kept_once():
    for n in range(1, 41):
        sent(phone_number=number(n), provider_message_id=f"id-{n}")
    said = [receipt(to=number(n), provider_message_id=f"id-{n}") for n in range(1, 41)]
    together = threading.Barrier(6)
    errors: list[BaseException] = []

    def push(order: int) -> None:
        try:
            together.wait()
            if order == 0:
                for one in said:
                    receipts.receive("default", [one])
            else:
                receipts.receive("default", said[:: 1 if order % 2 else -1])
        except BaseException as error:
            errors.append(error)
        finally:
            connection.close()

    threads = [threading.Thread(target=push, args=(order,)) for order in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert errors == []
    assert SentMessage.objects.filter(status="delivered").count() == 40
    assert MessageEvent.objects.count() == 40
    assert not UnmatchedReceipt.objects.exists()


def test_bad_news_says_why():
    message = sent()
    receipts.receive("default", [receipt(D.UNDELIVERED, reason=Reason.NO_SERVICE, provider_text="Absent")])
    message.refresh_from_db()
    assert (message.reason, message.reason_text) == ("no_service", "Absent")
    receipts.receive("default", [receipt(D.DELIVERED)])
    message.refresh_from_db()
    assert (message.status, message.reason, message.reason_text) == ("delivered", "", "")


@pytest.mark.parametrize("first", ORDER)
@pytest.mark.parametrize("second", ORDER)
def test_whatever_the_order_the_highest_rank_stays(first, second):
    message = sent()
    receipts.receive("default", [receipt(first)])
    receipts.receive("default", [receipt(second)])
    highest = max(first, second, key=ORDER.index)
    assert status_of(message) == {"accepted": "sent"}.get(highest, highest)
    assert message.events.count() == len({first, second})


def test_the_same_receipt_twice_is_one_event_and_changes_nothing():
    message = sent()
    receipts.receive("default", [receipt(), receipt()])
    before = SentMessage.objects.values().get()
    assert receipts.receive("default", [receipt()]) == 1
    assert SentMessage.objects.values().get() == before
    assert message.events.count() == 1


def test_one_id_for_many_numbers_is_told_apart_by_the_number(provider):
    campaign = send(launched(contacts=3))
    shared = message_to(number(2)).provider_message_id
    receipts.receive("default", [receipt(to="79990000002", provider_message_id=shared)])
    assert statuses(campaign) == {"sent": 2, "delivered": 1}
    assert message_to(number(2)).status == MessageStatus.DELIVERED
    assert_adds_up(campaign)


def test_a_number_in_another_history_of_its_own_is_found():
    message = sent(phone_number="+525512345678")
    receipts.receive("default", [receipt(to="5215512345678")])
    assert status_of(message) == "delivered"


def test_our_reference_finds_the_message_as_well():
    message = sent(provider_message_id="")
    message.attempts.update(provider_message_id="")
    receipts.receive("default", [receipt(provider_message_id="other", reference="ref-1")])
    message.refresh_from_db()
    assert (message.status, message.provider_message_id) == ("delivered", "other")


def test_another_gateways_receipt_is_not_ours():
    message = sent()
    assert receipts.receive("backup", [receipt()]) == 0
    assert receipts.receive("default", [receipt(provider_message_id="", reference=None)]) == 0
    assert status_of(message) == "sent"


def test_a_very_long_id_still_finds_its_message():
    message = sent()
    message.attempts.update(provider_message_id="x" * 100)
    receipts.receive("default", [receipt(provider_message_id="x" * 300)])
    assert status_of(message) == "delivered"


# --- early ----------------------------------------------------------------------------------------------------


def test_a_receipt_during_the_request_is_matched_when_the_answer_is_recorded(provider):
    campaign = launched(contacts=2)

    def provider_is_quick(request):
        early = receipt(to=number(1), provider_message_id=f"id-{request.reference}")
        assert receipts.receive("default", [early]) == 0

    provider.during = provider_is_quick
    send(campaign)
    assert statuses(campaign) == {"sent": 1, "delivered": 1}
    assert not UnmatchedReceipt.objects.exists()
    assert_adds_up(campaign)


def test_a_receipt_by_reference_before_the_answer_is_not_overwritten_by_it(provider):
    campaign = launched(contacts=1)
    provider.during = lambda request: receipts.receive(
        "default", [receipt(D.UNDELIVERED, provider_message_id="", reference=request.reference)]
    )
    send(campaign)
    message = message_to(number(1))
    assert message.status == MessageStatus.UNDELIVERED
    assert message.provider_message_id
    assert_adds_up(campaign)


def test_a_receipt_settles_an_unknown_message(provider):
    campaign = launched(contacts=1)
    claim, intent = handed_over(campaign)
    the_lease_runs_out()
    expire_leases()
    receipts.receive("default", [receipt(D.ACCEPTED, reference=intent.reference)])
    assert message_to(number(1)).status == MessageStatus.SENT
    send_claim(claim)
    assert provider.requests == []
    assert_adds_up(campaign)


@pytest.mark.parametrize("said", [D.ACCEPTED, D.DELIVERED, D.UNDELIVERED])
def test_a_receipt_stops_a_resend_that_still_waits(provider, said):
    campaign = launched(contacts=1)
    _claim, intent = handed_over(campaign)
    the_lease_runs_out()
    expire_leases()
    an_hour_passes()
    resend_unknown([message_to(number(1)).pk], actor=None)
    receipts.receive("default", [receipt(said, reference=intent.reference)])
    send(campaign)
    assert provider.requests == []
    assert_adds_up(campaign)


def test_a_receipt_of_the_first_attempt_after_a_resend_says_that_it_was_sent_twice(provider):
    campaign = launched(contacts=1)
    _claim, first = handed_over(campaign)
    the_lease_runs_out()
    expire_leases()
    an_hour_passes()
    resend_unknown([message_to(number(1)).pk], actor=None)
    send(campaign)
    assert not message_to(number(1)).sent_twice
    receipts.receive("default", [receipt(D.UNDELIVERED, reference=first.reference)])
    message = message_to(number(1))
    assert (message.status, message.sent_twice) == (MessageStatus.SENT, True), "the second is still on its way"
    assert message.events.filter(kind=EventKind.SENT_TWICE).count() == 1
    assert_adds_up(campaign)


def test_a_rejection_of_the_first_attempt_says_nothing_of_the_second(provider):
    campaign = launched(contacts=1)
    _claim, first = handed_over(campaign)
    the_lease_runs_out()
    expire_leases()
    an_hour_passes()
    resend_unknown([message_to(number(1)).pk], actor=None)
    send(campaign)
    receipts.receive("default", [receipt(D.REJECTED, reference=first.reference)])
    message = message_to(number(1))
    assert (message.status, message.sent_twice) == (MessageStatus.SENT, False)


def test_a_message_suppressed_at_its_resend_may_have_been_taken_the_first_time():
    message = sent(status=MessageStatus.SUPPRESSED, reason=SuppressionReason.OPTED_OUT)
    receipts.receive("default", [receipt(D.DELIVERED)])
    message.refresh_from_db()
    assert (message.status, message.reason) == ("delivered", "")


def test_a_receipt_that_fits_nothing_is_kept_and_tried_again_ever_later():
    receipts.receive("default", [receipt()])
    kept = UnmatchedReceipt.objects.get()
    waits = []
    for _try in range(len(receipts.RETRY_SECONDS)):
        assert kept.next_try_at is not None
        waits.append((kept.next_try_at - timezone.now()).total_seconds())
        assert receipts.match_due_receipts(kept.next_try_at) == 0
        kept.refresh_from_db()
    assert kept.next_try_at is None, "only kept from now on"
    assert waits == sorted(waits)


def test_a_kept_receipt_finds_its_message_later_as_it_came():
    at = datetime(2026, 1, 2, 3, 4, tzinfo=UTC)
    receipts.receive("default", [receipt(D.UNDELIVERED, reason=Reason.BARRED, at=at)])
    message = sent()
    assert receipts.match_due_receipts(timezone.now() + timedelta(minutes=1)) == 1
    message.refresh_from_db()
    assert (message.status, message.reason) == ("undelivered", "barred")
    assert message.events.get().at == at
    assert not UnmatchedReceipt.objects.exists()


def test_a_kept_receipt_of_another_number_stays_when_its_neighbours_are_matched():
    receipts.receive("default", [receipt(to=number(1)), receipt(to=number(2))])
    sent()
    assert receipts.match_early_receipts("default", ["id-1"]) == 1
    assert UnmatchedReceipt.objects.get().phone_number == number(2)


# --- of every shape -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("match", [True, False])
@pytest.mark.parametrize(
    "fields",
    [
        {"raw": {"price": Decimal("1.5"), "at": datetime(2026, 1, 1, tzinfo=UTC), "b": b"\xff"}},
        {"provider_text": "nul \0", "raw": "nul \0"},
        {"provider_status": "\ud800"},
    ],
)
def test_no_receipt_is_too_odd_to_be_kept(fields, match):
    if match:
        sent()
    assert receipts.receive("default", [receipt(D.REJECTED, **fields)]) == match
    assert MessageEvent.objects.count() + UnmatchedReceipt.objects.count() == 1


def test_an_odd_id_is_kept_too():
    receipts.receive("default", [receipt(provider_message_id="\0" * 300, to="1" * 50)])
    assert UnmatchedReceipt.objects.count() == 1


def test_bad_news_of_the_account_pauses_the_gateway_once():
    sent()
    news = receipt(D.REJECTED, reason=Reason.NO_FUNDS, account_level=True, provider_text="No money")
    receipts.receive("default", [news])
    state = GatewayState.objects.get(alias="default")
    assert (state.is_paused, state.pause_reason, state.provider_text) == (True, "no_funds", "No money")
    GatewayState.objects.all().delete()
    receipts.receive("default", [news])
    assert not GatewayState.objects.exists(), "the same receipt again is no news"


def test_the_signal_of_the_webhooks_is_listened_to():
    message = sent()
    receipts_received.send(object, gateway="default", receipts=[receipt()])
    assert status_of(message) == "delivered"


def test_no_receipt_ever_writes_a_state_of_ours():
    assert set(receipt_payload.MEANING.values()) == {
        MessageStatus.SENT,
        MessageStatus.DELIVERED,
        MessageStatus.UNDELIVERED,
        MessageStatus.EXPIRED,
        MessageStatus.REJECTED,
    }
