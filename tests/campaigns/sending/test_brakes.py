"""A campaign stops by itself when too much goes wrong, says the figures, and does not stop twice for the same ones."""

from __future__ import annotations

import pytest

from campaigns import lifecycle, optouts, tasks
from campaigns.brakes import Share, judge
from campaigns.models import Campaign, CampaignStatus, MessageStatus, OptOut, OptOutSource
from campaigns.sending import braking, dispatch
from campaigns.sending.braking import Watch, apply_brakes, apply_brakes_to_all
from campaigns.sending.claim import claim_campaign
from campaigns.sending.sweeper import sweep
from sms_backends import ContentRejectedError, DeliveryStatus, RecipientRejectedError
from tests.campaigns import providers
from tests.campaigns.building import (
    assert_adds_up,
    launched,
    make_campaign,
    make_group,
    make_message,
    make_user,
    message_to,
    number,
    report,
    statuses,
)

pytestmark = pytest.mark.django_db

BARRED = RecipientRejectedError("barred")


@pytest.fixture(autouse=True)
def in_tens(adapter, monkeypatch):
    """A worker takes ten at a time, and looks at the brakes before each ten."""
    adapter(providers.Reporting)
    providers.take_at_most(10, providers.Reporting, monkeypatch)
    monkeypatch.setattr(braking, "LOOK_SECONDS", 0.0)
    monkeypatch.setattr(tasks, "TASK_SECONDS", 60.0)


def work(campaign: Campaign) -> Campaign:
    tasks.send_campaign(campaign.pk)
    campaign.refresh_from_db()
    return campaign


def refuse(provider, *people: int) -> None:
    provider.refusals |= {number(n): BARRED for n in people}


def some_wait(campaign: Campaign) -> Campaign:
    """There still is somebody who could be spared."""
    make_message(number(99), campaign=campaign)
    Campaign.objects.filter(pk=campaign.pk).update(audience=campaign.audience + 1)
    campaign.refresh_from_db()
    return campaign


def all_sent(contacts: int, **fields) -> Campaign:
    """So many are sent, one waits. The brakes come after that."""
    campaign = some_wait(launched(contacts))
    make = {"status": MessageStatus.QUEUED, "not_before": "2099-01-01T00:00:00Z"}
    campaign.messages.filter(phone_number=number(99)).update(**make)
    work(campaign)
    Campaign.objects.filter(pk=campaign.pk).update(**fields)
    campaign.refresh_from_db()
    return campaign


@pytest.mark.parametrize(
    ("bad", "sample", "limit", "passes"),
    [(10, 100, 10, False), (11, 100, 10, True), (1, 3, 33, True), (33, 100, 33, False), (1, 10**9, 0, True)],
)
def test_a_limit_is_passed_by_more_than_it_and_by_nothing_less(bad, sample, limit, passes):
    assert Share(bad, sample).passes(limit) == passes


@pytest.mark.parametrize(("bad", "sample", "words"), [(12, 50, "24"), (1, 3, "33.4"), (1001, 10_000, "10.1")])
def test_a_share_that_passed_a_limit_never_reads_as_if_it_had_not(bad, sample, words):
    assert Share(bad, sample).percent == words


def test_too_many_refusals_pause_the_campaign_in_the_middle_of_its_run(provider):
    refuse(provider, 2, 4, 12, 14, 16)
    campaign = work(launched(40, brake_refused=20))
    assert campaign.status == CampaignStatus.PAUSED
    assert campaign.pause_reason == "5 of 20 were refused (25 %); the limit is 20 %."
    assert campaign.paused_by_engine
    assert statuses(campaign) == {"sent": 15, "rejected": 5, "queued": 20}
    assert_adds_up(campaign)


def test_a_few_say_nothing(provider):
    refuse(provider, *range(1, 20))
    campaign = launched(20, brake_refused=5)
    with pytest.MonkeyPatch.context() as patch:
        providers.take_at_most(19, providers.Reporting, patch)
        assert work(campaign).status == CampaignStatus.COMPLETED
    assert statuses(campaign) == {"rejected": 19, "sent": 1}


def test_without_a_limit_nothing_stops_it(provider):
    refuse(provider, *range(1, 41))
    assert work(launched(40)).status == CampaignStatus.COMPLETED


def test_a_campaign_with_nobody_left_to_spare_is_completed_and_not_paused(provider):
    refuse(provider, *range(11, 21))
    campaign = work(launched(20, brake_refused=20))
    assert campaign.status == CampaignStatus.COMPLETED
    assert_adds_up(campaign)


def test_a_personalised_text_that_the_provider_forbids_counts_as_refused(adapter, provider, monkeypatch):
    adapter(providers.Personalised)
    providers.take_at_most(10, providers.Personalised, monkeypatch)
    provider.refusals = {number(n): ContentRejectedError("forbidden word") for n in range(1, 6)}
    group = make_group(contacts=30, first_name="Anna")
    campaign = make_campaign(group, body="Hello {{ first_name }}", brake_refused=20)
    lifecycle.launch(campaign, actor=None)
    tasks.freeze_campaign(campaign.pk)
    assert work(campaign).status == CampaignStatus.PAUSED
    assert "5 of 20 were refused (25 %)" in campaign.pause_reason


def test_receipts_pause_it_while_nobody_sends(woken):
    campaign = all_sent(20, brake_undelivered=10)
    report(DeliveryStatus.DELIVERED, *range(1, 18))
    report(DeliveryStatus.UNDELIVERED, 18)
    report(DeliveryStatus.EXPIRED, 19)
    sweep()
    campaign.refresh_from_db()
    assert campaign.status == CampaignStatus.SENDING, "19 receipts say nothing yet"
    report(DeliveryStatus.UNDELIVERED, 20)
    sweep()
    campaign.refresh_from_db()
    assert campaign.status == CampaignStatus.PAUSED
    assert campaign.pause_reason == "3 of 20 were not delivered (15 %); the limit is 10 %."


def test_a_receipt_that_makes_a_refusal_of_what_was_taken_counts_as_one():
    campaign = all_sent(20, brake_refused=4)
    report(DeliveryStatus.REJECTED, 1)
    apply_brakes(campaign.pk)
    campaign.refresh_from_db()
    assert campaign.pause_reason == "1 of 20 was refused (5 %); the limit is 4 %."


def test_those_who_opt_out_after_getting_it_pause_it_and_no_others_do():
    campaign = all_sent(22, brake_opt_outs=5)
    earlier = optouts.record_opt_out(number(21), source=OptOutSource.KEYWORD)
    OptOut.objects.filter(pk=earlier.pk).update(opted_out_at="2001-01-01T00:00:00Z")
    optouts.record_opt_out(number(99), source=OptOutSource.KEYWORD)  # was not sent it
    optouts.record_opt_out(number(500), source=OptOutSource.KEYWORD)  # is not in it
    optouts.record_opt_out(number(1), source=OptOutSource.KEYWORD)
    make_message(number(98), campaign=campaign)
    apply_brakes(campaign.pk)
    campaign.refresh_from_db()
    assert campaign.status == CampaignStatus.SENDING
    optouts.record_opt_out(number(2), source=OptOutSource.OPERATOR)
    apply_brakes(campaign.pk)
    campaign.refresh_from_db()
    assert campaign.pause_reason == "2 of 22 have opted out (9.1 %); the limit is 5 %."


def test_all_limits_that_were_passed_are_named():
    campaign = all_sent(20, brake_undelivered=10, brake_refused=9, brake_opt_outs=50)
    report(DeliveryStatus.REJECTED, 1, 2)
    report(DeliveryStatus.UNDELIVERED, *range(3, 21))
    make_message(number(50), campaign=campaign, status=MessageStatus.UNDELIVERED)
    make_message(number(51), campaign=campaign, status=MessageStatus.DELIVERED)
    apply_brakes(campaign.pk)
    campaign.refresh_from_db()
    assert campaign.pause_reason == (
        "2 of 22 were refused (9.1 %); the limit is 9 %. 19 of 20 were not delivered (95 %); the limit is 10 %."
    )


def test_a_resumed_campaign_is_not_stopped_for_what_its_operator_has_seen(provider):
    refuse(provider, *range(1, 11))
    campaign = work(launched(60, brake_refused=20))
    assert "10 of 20 were refused" in campaign.pause_reason
    report(DeliveryStatus.REJECTED, 20)  # seen as well: it came before the campaign was resumed
    lifecycle.resume(campaign, actor=make_user())
    assert work(campaign).status == CampaignStatus.COMPLETED
    assert statuses(campaign) == {"rejected": 11, "sent": 49}


def test_a_resumed_campaign_is_stopped_for_what_comes_since(provider):
    refuse(provider, *range(1, 11), *range(31, 36))
    campaign = work(launched(60, brake_refused=20))
    lifecycle.resume(campaign, actor=make_user())
    assert work(campaign).status == CampaignStatus.PAUSED
    assert campaign.pause_reason == "Since it was resumed: 5 of 20 were refused (25 %); the limit is 20 %."
    assert statuses(campaign)["queued"] == 20


def test_resuming_after_one_brake_forgets_nothing_of_the_others(provider):
    refuse(provider, *range(1, 11))
    campaign = work(launched(60, brake_refused=20, brake_undelivered=20))
    report(DeliveryStatus.UNDELIVERED, *range(11, 21))
    lifecycle.resume(campaign, actor=make_user())
    report(DeliveryStatus.UNDELIVERED, 1)  # refused before: changes nothing
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(braking, "LOOK_SECONDS", 3600.0)
        work_some = claim_campaign(campaign.pk, limit=10)
        dispatch.send_claim(work_some)
    report(DeliveryStatus.UNDELIVERED, *range(21, 31))
    apply_brakes(campaign.pk)
    campaign.refresh_from_db()
    assert campaign.pause_reason == "20 of 20 were not delivered (100 %); the limit is 20 %."


def test_a_pause_by_hand_forgets_nothing(provider):
    refuse(provider, *range(1, 6))
    campaign = launched(40, brake_refused=10)
    dispatch.send_claim(claim_campaign(campaign.pk, limit=15))
    lifecycle.pause(campaign, actor=None)
    lifecycle.resume(campaign, actor=None)
    assert work(campaign).pause_reason == "5 of 25 were refused (20 %); the limit is 10 %."


def test_nothing_is_paused_for_figures_upon_which_it_was_resumed_in_this_moment(provider, monkeypatch):
    refuse(provider, *range(1, 11))
    campaign = launched(40, brake_refused=20)
    dispatch.send_claim(claim_campaign(campaign.pk, limit=20))
    looks: list[object] = []

    def resumed_after_the_first_look(seen):
        verdict = judge(seen)
        if not looks:
            Campaign.objects.filter(pk=campaign.pk).update(brake_base={"brake_refused": [10, 20]})
        looks.append(verdict)
        return verdict

    monkeypatch.setattr(braking, "judge", resumed_after_the_first_look)
    apply_brakes(campaign.pk)
    campaign.refresh_from_db()
    assert looks[0] is not None
    assert campaign.status == CampaignStatus.SENDING


def test_a_campaign_that_is_not_being_sent_is_left_alone(provider):
    refuse(provider, *range(1, 11))
    campaign = launched(40, brake_refused=20)
    dispatch.send_claim(claim_campaign(campaign.pk, limit=20))
    lifecycle.pause(campaign, actor=None, reason="Lunch")
    apply_brakes_to_all()
    apply_brakes(campaign.pk)
    campaign.refresh_from_db()
    assert campaign.pause_reason == "Lunch"


def test_a_worker_does_not_look_at_every_step(monkeypatch):
    looks: list[int] = []
    monkeypatch.setattr(braking, "apply_brakes", looks.append)
    monkeypatch.setattr(braking, "LOOK_SECONDS", 3600.0)
    watch = Watch(7)
    for _step in range(3):
        watch.look()
    Watch(None).look()
    assert looks == [7]


def test_a_pause_reaches_what_was_claimed_but_not_offered(provider):
    refuse(provider, *range(1, 11))
    campaign = launched(40, brake_refused=20)
    dispatch.send_claim(claim_campaign(campaign.pk, limit=20))
    claim = claim_campaign(campaign.pk, limit=10)
    apply_brakes(campaign.pk)
    dispatch.send_claim(claim)
    assert statuses(campaign) == {"sent": 10, "rejected": 10, "queued": 20}
    assert message_to(number(30)).attempt_count == 0
