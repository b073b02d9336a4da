"""A first portion goes out alone, everybody else waits until it is known how that went, and nobody waits for ever."""

from __future__ import annotations

import threading
from dataclasses import replace
from datetime import UTC, datetime, time, timedelta

import pytest
from django.db import connection
from django.utils import timezone

from campaigns import copying, gateway_control, lifecycle, optouts, tasks
from campaigns.brakes import CanaryProgress, canary_progress
from campaigns.models import (
    Attempt,
    AuditEvent,
    Campaign,
    CampaignStatus,
    MessageStatus,
    OptOutSource,
    SentMessage,
)
from campaigns.resending import make_child
from campaigns.sending import braking
from campaigns.sending.braking import apply_brakes
from campaigns.sending.claim import claim_campaign
from campaigns.sending.dispatch import send_waiting
from campaigns.sending.recovery import resend_unknown
from campaigns.sending.sweeper import sweep
from sms_backends import DeliveryStatus, OutcomeUnknownError, RecipientRejectedError
from tests.campaigns import providers
from tests.campaigns.building import (
    an_hour_passes,
    assert_adds_up,
    frozen,
    launched,
    make_user,
    message_to,
    number,
    report,
    seconds_until,
    send,
    statuses,
)

pytestmark = pytest.mark.django_db


class Searchable(providers.SameText):
    """Can be asked about lost requests, but reports nothing."""

    capabilities = replace(providers.SameText.capabilities, lookup_by_reference=True)

    def account_fingerprint(self) -> str:
        return "account-1"


@pytest.fixture(autouse=True)
def reporting(adapter):
    adapter(providers.Reporting)


@pytest.fixture
def swept(woken, django_capture_on_commit_callbacks):
    """Sweep, and say which tasks were woken by it."""

    def run() -> list[tuple[object, ...]]:
        woken.clear()
        with django_capture_on_commit_callbacks(execute=True):
            sweep()
        return woken

    return run


def careful(contacts: int = 5, **fields) -> Campaign:
    """A campaign whose first three people get it alone."""
    return launched(contacts, **{"canary_size": 3, "brake_refused": 10, **fields})


def work(campaign: Campaign) -> Campaign:
    """A sending task from its beginning to its end, at a gateway that is open again."""
    gateway_control.resume_gateway("default", actor=None)
    tasks.send_campaign(campaign.pk)
    campaign.refresh_from_db()
    return campaign


def portion_of(campaign: Campaign) -> CanaryProgress:
    """Where the first portion stands, which all others wait for."""
    found = canary_progress(campaign)
    assert found is not None
    return found


def the_deadline_passes(campaign: Campaign) -> None:
    earlier = timezone.now() - timedelta(minutes=campaign.canary_wait_minutes)
    Attempt.objects.filter(message__campaign=campaign).update(started_at=earlier)


def test_only_the_first_portion_goes_out_however_often_a_worker_comes(provider):
    campaign = careful()
    for _time in range(3):
        assert work(campaign).status == CampaignStatus.SENDING
    assert provider.copies() == {number(1): 1, number(2): 1, number(3): 1}
    assert statuses(campaign) == {"sent": 3, "queued": 2}
    assert_adds_up(campaign)


def test_workers_at_the_same_time_take_no_more_than_the_first_portion():
    campaign = careful()
    assert [len(claim_campaign(campaign.pk, limit=2).messages) for _worker in range(3)] == [2, 1, 0]


@pytest.mark.postgresql
@pytest.mark.django_db(transaction=True)
def test_workers_side_by_side_cannot_overrun_the_first_portion(provider, woken):
    campaign = careful(40, canary_size=10)

    def run() -> None:
        for _turn in range(5):
            send_waiting(campaign.pk, seconds=1)
        connection.close()

    workers = [threading.Thread(target=run) for _worker in range(4)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert provider.copies() == {number(n): 1 for n in range(1, 11)}
    assert_adds_up(campaign)


def test_people_left_out_do_not_count_as_the_first_portion(provider):
    optouts.record_opt_out(number(2), source=OptOutSource.OPERATOR)
    campaign = work(careful())
    assert set(provider.copies()) == {number(1), number(3), number(4)}
    assert statuses(campaign) == {"sent": 3, "queued": 1, "suppressed": 1}


def test_all_others_follow_when_every_receipt_is_there(provider):
    campaign = work(careful())
    report(DeliveryStatus.DELIVERED, 1, 2)
    assert statuses(work(campaign)) == {"delivered": 2, "sent": 1, "queued": 2}
    report(DeliveryStatus.UNDELIVERED, 3)
    work(campaign)
    assert work(campaign).status == CampaignStatus.COMPLETED
    assert set(provider.copies().values()) == {1}
    assert AuditEvent.objects.get(action="canary_over").details == {
        "reason": "2 delivered, 1 not delivered, 0 refused, 0 not known yet."
    }
    assert_adds_up(campaign)


def test_the_sweeper_lets_all_others_follow_and_wakes_nobody_before(swept):
    campaign = work(careful())
    assert swept() == []
    report(DeliveryStatus.DELIVERED, 1, 2, 3)
    assert swept() == [("send_campaign", campaign.pk)] * lifecycle.SENDERS
    assert statuses(send(campaign)) == {"delivered": 3, "sent": 2}


def test_a_gateway_that_reports_nothing_is_not_waited_for(adapter):
    adapter(providers.SameText)
    campaign = work(careful())
    assert statuses(work(campaign)) == {"sent": 5}
    assert campaign.status == CampaignStatus.COMPLETED


def test_where_nothing_is_waited_for_the_others_follow_at_once(adapter, woken, django_capture_on_commit_callbacks):
    adapter(providers.SameText)
    campaign = careful()
    woken.clear()
    with django_capture_on_commit_callbacks(execute=True):
        tasks.send_campaign(campaign.pk)
    assert woken == [("send_campaign", campaign.pk)] * lifecycle.SENDERS, "not only a minute later, by the sweeper"


def test_receipts_are_waited_for_until_the_deadline_and_no_longer():
    campaign = work(careful(canary_wait_minutes=45))
    assert seconds_until(portion_of(campaign).until) > 44 * 60
    Attempt.objects.update(started_at=timezone.now() - timedelta(minutes=44))
    assert statuses(work(campaign))["queued"] == 2
    the_deadline_passes(campaign)
    work(campaign)
    assert statuses(work(campaign)) == {"sent": 5}


def test_the_deadline_counts_from_the_last_that_was_handed_over(provider):
    provider.refusals = {number(2): RecipientRejectedError("Phone is off", permanent=False)}
    campaign = work(careful())
    the_deadline_passes(campaign)
    provider.refusals = {}
    assert statuses(work(campaign)) == {"sent": 2, "queued": 3}, "one of the first portion is tried again later"
    an_hour_passes()
    assert statuses(work(campaign)) == {"sent": 3, "queued": 2}


def test_a_receipt_that_is_overdue_is_not_waited_for():
    campaign = work(careful())
    SentMessage.objects.filter(status=MessageStatus.SENT).update(receipt_overdue=True)
    work(campaign)
    assert statuses(work(campaign)) == {"sent": 5}


@pytest.mark.parametrize("backend_class", [Searchable, providers.Reporting])
def test_an_unknown_message_that_may_settle_is_waited_for_until_the_deadline(adapter, provider, backend_class):
    adapter(backend_class)
    provider.fail_next(OutcomeUnknownError("no answer"))
    campaign = work(careful())
    assert statuses(work(campaign)) == {"unknown": 3, "queued": 2}
    the_deadline_passes(campaign)
    work(campaign)
    assert statuses(work(campaign)) == {"unknown": 3, "sent": 2}


def test_an_unknown_message_of_which_nothing_will_be_heard_is_not_waited_for(adapter, provider):
    adapter(providers.SameText)
    provider.fail_next(OutcomeUnknownError("no answer"))
    campaign = work(careful())
    assert statuses(work(campaign)) == {"unknown": 3, "sent": 2}


def test_a_portion_in_which_too_many_are_refused_pauses_the_campaign_with_the_figures(provider):
    provider.refusals = {number(n): RecipientRejectedError("barred") for n in range(1, 13)}
    campaign = careful(52, canary_size=50)
    assert work(campaign).status == CampaignStatus.PAUSED
    assert campaign.pause_reason.startswith("The first 50 are out. 12 of 50 were refused (24 %); the limit is 10 %.")
    assert campaign.paused_by_engine
    assert statuses(campaign)["queued"] == 2
    pause = AuditEvent.objects.get(action="pause")
    assert (pause.actor, pause.details["reason"]) == (None, campaign.pause_reason)
    lifecycle.resume(campaign, actor=None)
    assert work(campaign).status == CampaignStatus.COMPLETED, "no receipt was there yet, but the operator has judged"


def test_a_brake_in_the_middle_of_the_first_portion_leaves_the_others_waiting_when_it_is_resumed(provider, monkeypatch):
    providers.take_at_most(10, providers.Reporting, monkeypatch)
    monkeypatch.setattr(braking, "LOOK_SECONDS", 0.0)
    provider.refusals = {number(n): RecipientRejectedError("barred") for n in range(1, 13)}
    campaign = work(careful(40, canary_size=30))
    assert campaign.pause_reason == "12 of 20 were refused (60 %); the limit is 10 %."
    lifecycle.resume(campaign, actor=None)
    assert statuses(work(campaign)) == {"rejected": 12, "sent": 18, "queued": 10}
    report(DeliveryStatus.DELIVERED, *range(13, 31))
    work(campaign)
    assert work(campaign).status == CampaignStatus.COMPLETED
    assert_adds_up(campaign)


def test_a_portion_is_judged_however_small_it_is(adapter, provider):
    adapter(providers.SameText)
    provider.refusals = {number(1): RecipientRejectedError("barred")}
    campaign = work(careful())
    assert campaign.status == CampaignStatus.PAUSED
    assert "1 of 3 was refused (33.4 %)" in campaign.pause_reason


def test_resuming_after_the_first_portion_goes_on_with_all(adapter, provider):
    adapter(providers.SameText)
    provider.refusals = {number(n): RecipientRejectedError("barred") for n in (1, 2)}
    campaign = work(careful(30))
    assert campaign.status == CampaignStatus.PAUSED
    lifecycle.resume(campaign, actor=make_user())
    assert work(campaign).status == CampaignStatus.COMPLETED
    assert statuses(campaign) == {"sent": 28, "rejected": 2}
    assert_adds_up(campaign)


def test_an_operator_who_wants_to_be_asked_is_asked_even_if_all_went_well():
    campaign = work(careful(canary_then="ask", brake_refused=None))
    report(DeliveryStatus.DELIVERED, 1, 2, 3)
    assert work(campaign).status == CampaignStatus.PAUSED
    assert campaign.pause_reason.startswith("The first 3 are out. 3 delivered, 0 not delivered")
    lifecycle.resume(campaign, actor=None)
    assert statuses(work(campaign)) == {"delivered": 3, "sent": 2}


def test_what_comes_after_the_deadline_stops_nobody_any_more():
    campaign = work(careful(brake_undelivered=10))
    the_deadline_passes(campaign)
    work(campaign)
    report(DeliveryStatus.UNDELIVERED, 1, 2, 3)
    assert work(campaign).status == CampaignStatus.COMPLETED


@pytest.mark.parametrize("size", [5, 6])
def test_a_portion_that_is_everybody_is_no_portion(size):
    campaign = careful(5, canary_size=size, canary_then="ask")
    assert campaign.canary_last_id is None
    assert work(campaign).status == CampaignStatus.COMPLETED
    assert statuses(campaign) == {"sent": 5}


def test_a_campaign_completes_when_nobody_is_left_behind_the_first_portion():
    campaign = work(careful(canary_then="ask"))
    for n in (4, 5):
        optouts.record_opt_out(number(n), source=OptOutSource.KEYWORD)
    assert work(campaign).status == CampaignStatus.COMPLETED
    assert campaign.canary_last_id is None
    assert_adds_up(campaign)


def test_it_goes_on_when_nobody_of_the_first_portion_is_left_to_be_written_to():
    campaign = careful()
    for n in (1, 2, 3):
        optouts.record_opt_out(number(n), source=OptOutSource.KEYWORD)
    work(campaign)
    assert statuses(work(campaign)) == {"suppressed": 3, "sent": 2}


def test_a_message_that_is_sent_again_after_the_end_does_not_wait_for_the_first_portion(adapter, provider):
    campaign = work(careful(4))
    provider.fail_next(OutcomeUnknownError("no answer"))
    the_deadline_passes(campaign)
    work(campaign)
    assert work(campaign).status == CampaignStatus.COMPLETED
    an_hour_passes()
    resend_unknown([message_to(number(4)).pk], actor=make_user())
    assert statuses(work(campaign)) == {"sent": 4}
    assert campaign.status == CampaignStatus.COMPLETED


def test_a_pause_by_hand_during_the_wait_leaves_the_others_waiting_when_it_is_resumed():
    campaign = work(careful())
    lifecycle.pause(campaign, actor=None)
    report(DeliveryStatus.DELIVERED, 1, 2)
    apply_brakes(campaign.pk)
    lifecycle.resume(campaign, actor=None)
    assert statuses(work(campaign))["queued"] == 2
    report(DeliveryStatus.DELIVERED, 3)
    work(campaign)
    assert statuses(work(campaign)) == {"delivered": 3, "sent": 2}


def test_a_paused_campaign_does_not_go_on_when_its_first_portion_is_over(swept):
    campaign = work(careful())
    lifecycle.pause(campaign, actor=None)
    report(DeliveryStatus.DELIVERED, 1, 2, 3)
    assert swept() == []
    campaign.refresh_from_db()
    assert campaign.status == CampaignStatus.PAUSED
    assert statuses(campaign)["queued"] == 2


def test_a_cancellation_during_the_wait_cancels_all_others():
    campaign = work(careful())
    lifecycle.cancel(campaign, actor=None)
    assert statuses(work(campaign)) == {"sent": 3, "cancelled": 2}
    assert_adds_up(campaign)


def test_an_end_that_comes_during_the_wait_gives_the_others_up(swept):
    campaign = work(careful(ends_at=timezone.now() + timedelta(hours=1)))
    Campaign.objects.update(ends_at=timezone.now())
    swept()
    campaign.refresh_from_db()
    assert statuses(campaign) == {"sent": 3, "failed": 2}
    assert campaign.status == CampaignStatus.COMPLETED


def test_a_first_portion_outside_its_hours_lets_nobody_else_go_before(monkeypatch, swept):
    night = datetime(2099, 6, 1, 3, 0, tzinfo=UTC)
    monkeypatch.setattr(timezone, "now", lambda: night)
    campaign = careful(window_start=time(9), window_end=time(21))
    SentMessage.objects.update(time_zone="Asia/Vladivostok")  # one in the afternoon
    SentMessage.objects.filter(phone_number__in=[number(2), number(3)]).update(time_zone="Europe/Moscow")
    Campaign.objects.update(time_zones=["Asia/Vladivostok", "Europe/Moscow"])
    work(campaign)
    report(DeliveryStatus.DELIVERED, 1)
    assert swept() == []
    assert statuses(work(campaign)) == {"delivered": 1, "queued": 4}
    assert portion_of(campaign).to_go == 2
    morning = night + timedelta(hours=4)
    monkeypatch.setattr(timezone, "now", lambda: morning)
    SentMessage.objects.update(not_before=None)  # by the database's clock it is not morning yet
    assert statuses(work(campaign)) == {"delivered": 1, "sent": 2, "queued": 2}


def test_a_copy_starts_as_carefully_and_a_campaign_that_is_sent_again_keeps_its_brakes_only(provider):
    provider.fail_next(OutcomeUnknownError("no answer"))
    settings = {"canary_size": 2, "canary_wait_minutes": 5, "canary_then": "ask", "brake_opt_outs": 3}
    campaign = careful(2, **settings, brake_undelivered=7)
    copy = copying.duplicate(campaign, actor=None)
    names = [*settings, "brake_refused", "brake_undelivered"]
    assert [getattr(copy, name) for name in names] == [2, 5, "ask", 3, 10, 7]
    work(campaign)
    an_hour_passes()
    child = frozen(make_child(campaign, [MessageStatus.UNKNOWN], actor=make_user()))
    assert (child.brake_refused, child.brake_undelivered, child.brake_opt_outs) == (10, 7, 3)
    assert (child.canary_size, child.canary_last_id) == (None, None)
