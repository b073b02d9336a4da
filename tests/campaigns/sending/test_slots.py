"""That no more requests are open at an account than it takes, all workers together."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.utils import timezone

from campaigns.models import Purpose, RequestSlot
from campaigns.sending import slots
from campaigns.sending.dispatch import send_waiting
from campaigns.sending.polling import poll_receipts
from campaigns.sending.slots import cut_slot_leases, request_slots
from campaigns.single import queue_single
from sms_backends import BaseSmsBackend, Capabilities, get_sms_backend
from tests.campaigns import providers
from tests.campaigns.building import assert_adds_up, launched, make_message, number, send, statuses

pytestmark = pytest.mark.django_db


class Account(providers.OneByOne):
    """Two gateways of it share one account."""

    capabilities = Capabilities(max_connections=4)

    def account_fingerprint(self) -> str:
        return "shared"


@pytest.fixture(autouse=True)
def no_patience(monkeypatch):
    """Whoever finds no free slot is told so at once."""
    monkeypatch.setattr(slots, "PATIENCE_SECONDS", 0)
    monkeypatch.setattr(slots, "LOOK_SECONDS", 0)


def backend(alias: str = "default", max_connections: int = 4, **capabilities) -> BaseSmsBackend:
    made = Account(alias=alias)
    made.capabilities = Capabilities(max_connections=max_connections, **capabilities)  # type: ignore[misc]
    return made


def open_slots() -> int:
    return RequestSlot.objects.filter(leased_until__isnull=False).count()


def test_a_slot_is_held_during_the_request_and_free_after_it():
    with request_slots(backend(), 2) as granted:
        assert granted == 2
        assert open_slots() == 2
    assert open_slots() == 0


def test_a_slot_is_free_again_after_an_error():
    with pytest.raises(ZeroDivisionError), request_slots(backend()):
        _ = 1 / 0
    assert open_slots() == 0


def test_who_asks_for_more_than_is_free_gets_what_there_is():
    with request_slots(backend(), 2), request_slots(backend(), 5) as second:
        assert second == 1, "of four, two are taken and one is kept for urgent messages"
        with request_slots(backend()) as third:
            assert third == 0
        with request_slots(backend(), urgent=True) as urgent:
            assert urgent == 1


@pytest.mark.parametrize(("max_connections", "for_bulk"), [(1, 1), (2, 2), (3, 2), (10, 9)])
def test_one_slot_is_kept_for_urgent_messages_where_there_are_more_than_two(max_connections, for_bulk):
    with request_slots(backend(max_connections=max_connections), 20) as granted:
        assert granted == for_bulk


def test_gateways_of_one_account_share_its_slots_and_others_do_not():
    other = providers.OneByOne(alias="other")
    with request_slots(backend("default"), 3), request_slots(backend("alias")) as same, request_slots(other) as free:
        assert (same, free) == (0, 1)


def test_a_slot_of_a_dead_worker_comes_back_when_its_lease_ends():
    with request_slots(backend(), 3):
        RequestSlot.objects.filter(leased_until__isnull=False).update(
            leased_until=timezone.now() - timedelta(seconds=1), token="dead"
        )
        with request_slots(backend(), 3) as granted:
            assert granted == 3


def test_a_worker_whose_lease_ended_frees_nobody_elses_slot():
    late = request_slots(backend(), 3)
    late.__enter__()
    RequestSlot.objects.filter(leased_until__isnull=False).update(leased_until=timezone.now() - timedelta(seconds=1))
    with request_slots(backend(), 3):
        late.__exit__(None, None, None)
        assert open_slots() == 3


def test_a_smaller_number_of_connections_counts_at_once():
    with request_slots(backend(max_connections=10), 9):
        pass
    with request_slots(backend(max_connections=2), 9) as granted:
        assert granted == 2


def test_the_one_that_goes_alone_has_nobody_beside_it():
    with request_slots(backend(), 3, alone=True) as first, request_slots(backend(), 3, alone=True) as second:
        assert (first, second) == (1, 0)


def test_adapters_that_only_pretend_need_no_slots():
    with request_slots(backend(pretends=True), 7) as granted:
        assert granted == 7
    assert not RequestSlot.objects.exists()


def test_after_the_clock_was_set_back_the_sweeper_frees_slots_leased_for_too_long():
    with request_slots(backend(), 2):
        RequestSlot.objects.filter(number=1).update(leased_until=timezone.now() + timedelta(hours=1))
        assert cut_slot_leases() == 1
        assert open_slots() == 1


# --- sending --------------------------------------------------------------------------------------------------


def test_a_wave_is_no_larger_than_there_are_free_slots(adapter, provider):
    adapter(Account)
    open_then: list[int] = []
    campaign = launched(contacts=4)
    with request_slots(get_sms_backend(), 2):
        provider.during = lambda request: open_then.append(open_slots())
        send(campaign)
    assert open_then == [3, 3, 3, 3], "two of somebody else's, one of ours, and one is kept"


def test_without_a_free_slot_messages_wait_and_go_out_later(adapter, provider):
    adapter(Account)
    campaign = launched(contacts=3)
    with request_slots(get_sms_backend(), 4, urgent=True):
        send_waiting(campaign.pk, seconds=0.01)
        assert provider.requests == []
        assert statuses(campaign) == {"queued": 3}
    send(campaign)
    assert statuses(campaign) == {"sent": 3}
    assert_adds_up(campaign)


def test_a_single_message_goes_out_while_bulk_has_all_other_slots(adapter, provider):
    adapter(Account)
    queue_single(number(9), "Hi", purpose=Purpose.QUICK)
    with request_slots(get_sms_backend(), 4):
        assert not send_waiting(None, seconds=60)
    assert [request.numbers for request in provider.requests] == [[number(9)]]


def test_questions_about_receipts_need_a_slot_too(adapter, provider, monkeypatch):
    monkeypatch.setattr(Account, "capabilities", Capabilities(max_connections=4, receipts_poll=True))
    adapter(Account)
    make_message(status="sent", provider_message_id="id-1", next_poll_at=timezone.now())
    with request_slots(get_sms_backend(), 4, urgent=True):
        poll_receipts()
        assert provider.asked == []
    poll_receipts()
    assert provider.asked == [("id-1", number(1))]
