"""A campaign changes state only as the table says, once, and with a line that tells who did it."""

from __future__ import annotations

import threading
from datetime import timedelta

import pytest
from django.db import connection, transaction
from django.utils import timezone

from campaigns import copying, lifecycle
from campaigns.models import AuditEvent, Campaign, CampaignStatus, MessageStatus, SentMessage
from campaigns.sending.claim import claim_campaign
from campaigns.sending.freeze import freeze
from campaigns.sending.requeue import requeue
from tests.campaigns.building import (
    assert_adds_up,
    frozen,
    launched,
    make_campaign,
    make_contact,
    make_group,
    make_message,
    make_user,
    message_to,
    number,
    send,
    statuses,
)

pytestmark = pytest.mark.django_db

ACTIONS = {
    "launch": lambda campaign: lifecycle.launch(campaign, actor=None),
    "schedule": lambda campaign: lifecycle.schedule(campaign, in_an_hour(), actor=None),
    "unschedule": lambda campaign: lifecycle.unschedule(campaign, actor=None),
    "pause": lambda campaign: lifecycle.pause(campaign, actor=None),
    "resume": lambda campaign: lifecycle.resume(campaign, actor=None),
    "cancel": lambda campaign: lifecycle.cancel(campaign, actor=None),
}


def in_an_hour():
    return timezone.now() + timedelta(hours=1)


def draft(contacts: int = 1, **fields) -> Campaign:
    return make_campaign(make_group(contacts=contacts), **fields)


def scheduled(contacts: int = 1, **fields) -> Campaign:
    campaign = draft(contacts, **fields)
    lifecycle.schedule(campaign, in_an_hour(), actor=None)
    return campaign


def due(campaign: Campaign) -> Campaign:
    Campaign.objects.filter(pk=campaign.pk).update(scheduled_at=timezone.now() - timedelta(seconds=1))
    campaign.refresh_from_db()
    return campaign


# --- launching ------------------------------------------------------------------------------------------------


def test_launching_copies_what_is_sent_and_says_who_did_it():
    user = make_user()
    group, other = make_group("A", contacts=1), make_group("B")
    campaign = make_campaign(group, exclude=other, body="Hi", sender_id="SHOP")
    assert lifecycle.launch(campaign, actor=user) is True
    assert campaign.status == CampaignStatus.FREEZING
    assert campaign.launched_by == user
    assert campaign.launch == {
        "body": "Hi",
        "kind": "service",
        "gateway": "default",
        "sender_id": "SHOP",
        "include_groups": [group.pk],
        "exclude_groups": [other.pk],
        "texts": {},
        "smart_groups": {"by_group": {}, "as_of": campaign.launch["smart_groups"]["as_of"]},
        "last_contact_id": group.contacts.get().pk,
    }
    assert AuditEvent.objects.get(action="launch").actor == user


def test_a_double_click_starts_it_once():
    campaign = draft()
    same = Campaign.objects.get(pk=campaign.pk)
    assert lifecycle.launch(campaign, actor=None) is True
    token = campaign.launch_token
    assert lifecycle.launch(same, actor=None) is False
    assert lifecycle.launch(campaign, actor=None) is False
    campaign.refresh_from_db()
    assert campaign.launch_token == token
    assert AuditEvent.objects.filter(action="launch").count() == 1


@pytest.mark.postgresql
@pytest.mark.django_db(transaction=True)
def test_two_operators_at_once_start_it_once(woken):
    campaign = draft()
    barrier = threading.Barrier(4)
    started: list[bool] = []

    def press() -> None:
        mine = Campaign.objects.get(pk=campaign.pk)
        barrier.wait()
        started.append(lifecycle.launch(mine, actor=None))
        connection.close()

    threads = [threading.Thread(target=press) for _n in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(started) == [False, False, False, True]
    assert woken == [("freeze_campaign", campaign.pk)]


def test_launching_wakes_the_freeze_once_the_launch_is_committed(woken, django_capture_on_commit_callbacks):
    campaign = draft()
    with django_capture_on_commit_callbacks(execute=True):
        lifecycle.launch(campaign, actor=None)
        assert woken == []
    assert woken == [("freeze_campaign", campaign.pk)]


@pytest.mark.parametrize(
    ("fields", "problem"),
    [
        ({"body": " "}, "empty"),
        ({"body": "Hi {{ first_nmae }}"}, "first_nmae"),
        ({"body": "Hi {{ first_name"}, "not closed"),
        ({"gateway": "gone"}, "gone"),
    ],
)
def test_what_cannot_be_sent_is_refused_in_words(fields, problem):
    campaign = draft(**fields)
    with pytest.raises(lifecycle.LaunchRefused) as refused:
        lifecycle.launch(campaign, actor=None)
    assert len(refused.value.problems) == 1
    assert problem in refused.value.problems[0]
    campaign.refresh_from_db()
    assert campaign.status == CampaignStatus.DRAFT


def test_a_campaign_to_nobody_is_refused():
    with pytest.raises(lifecycle.LaunchRefused, match="nobody"):
        lifecycle.launch(draft(contacts=0), actor=None)
    with pytest.raises(lifecycle.LaunchRefused, match="No group"):
        lifecycle.launch(make_campaign(), actor=None)


def test_a_change_between_the_checks_and_the_launch_is_refused(monkeypatch):
    campaign = draft()

    def edited_meanwhile(*args):
        Campaign.objects.get(pk=campaign.pk).save()
        return []

    monkeypatch.setattr(lifecycle, "launch_problems", edited_meanwhile)
    with pytest.raises(lifecycle.LifecycleError, match="changed by somebody else"):
        lifecycle.launch(campaign, actor=None)


def test_a_cancelled_campaign_is_not_said_to_have_been_started():
    campaign = scheduled()
    lifecycle.cancel(campaign, actor=None)
    with pytest.raises(lifecycle.LifecycleError, match="cancelled"):
        lifecycle.launch(campaign, actor=None)


# --- schedules ------------------------------------------------------------------------------------------------


def test_a_time_that_has_passed_is_refused():
    with pytest.raises(lifecycle.LifecycleError, match="has passed"):
        lifecycle.schedule(draft(), timezone.now(), actor=None)


def test_scheduling_is_checked_like_launching():
    with pytest.raises(lifecycle.LaunchRefused):
        lifecycle.schedule(draft(body="{{ nobody_has_this }}"), in_an_hour(), actor=None)


def test_a_scheduled_campaign_can_be_changed_made_a_draft_and_launched_at_once():
    campaign = scheduled()
    assert campaign.status == CampaignStatus.SCHEDULED
    later = timezone.now() + timedelta(days=1)
    lifecycle.schedule(campaign, later, actor=None)
    assert campaign.scheduled_at == later
    lifecycle.unschedule(campaign, actor=None)
    assert Campaign.objects.filter(status=CampaignStatus.DRAFT, scheduled_at=None).exists()
    lifecycle.schedule(campaign, later, actor=None)
    assert lifecycle.launch(campaign, actor=None) is True


def test_a_due_campaign_is_started():
    campaign = due(scheduled())
    lifecycle.start_due(campaign)
    campaign.refresh_from_db()
    assert campaign.status == CampaignStatus.FREEZING
    assert AuditEvent.objects.filter(action="launch", campaign=campaign).count() == 1


def test_a_due_campaign_that_cannot_be_sent_is_paused_with_the_reason_and_starts_when_resumed():
    campaign = due(scheduled())
    contact = make_contact(number(5))
    campaign.include_groups.get().contacts.set([])
    lifecycle.start_due(campaign)
    campaign.refresh_from_db()
    assert (campaign.status, campaign.paused_by_engine) == (CampaignStatus.PAUSED, True)
    assert "nobody" in campaign.pause_reason
    with pytest.raises(lifecycle.LaunchRefused):
        lifecycle.resume(campaign, actor=None)
    campaign.include_groups.get().contacts.set([contact])
    lifecycle.resume(campaign, actor=None)
    assert (campaign.status, campaign.pause_reason) == (CampaignStatus.FREEZING, "")
    assert_adds_up(frozen(campaign))


@pytest.mark.parametrize("change_of_mind", ["unschedule", "schedule", "cancel"])
def test_an_operator_who_changes_his_mind_while_the_sweeper_looks_wins(change_of_mind):
    """The sweeper read the list of due campaigns; before it came to this one, somebody acted."""
    seen_as_due = due(scheduled())
    ACTIONS[change_of_mind](Campaign.objects.get(pk=seen_as_due.pk))
    lifecycle.start_due(seen_as_due)
    assert Campaign.objects.get().status not in {CampaignStatus.FREEZING, CampaignStatus.PAUSED}


def test_a_due_campaign_that_was_edited_during_its_checks_waits_for_the_next_look():
    seen_as_due = due(scheduled())
    Campaign.objects.get().save()
    lifecycle.start_due(seen_as_due)
    assert Campaign.objects.get().status == CampaignStatus.SCHEDULED
    lifecycle.start_due(Campaign.objects.get())
    assert Campaign.objects.get().status == CampaignStatus.FREEZING


# --- pausing, resuming, cancelling ----------------------------------------------------------------------------


def test_pausing_says_why_and_resuming_forgets_it(woken, django_capture_on_commit_callbacks):
    campaign = launched(contacts=1)
    lifecycle.pause(campaign, actor=make_user(), reason="A mistake in the text")
    assert (campaign.status, campaign.pause_reason) == (CampaignStatus.PAUSED, "A mistake in the text")
    assert not campaign.paused_by_engine
    with django_capture_on_commit_callbacks(execute=True):
        lifecycle.resume(campaign, actor=None)
    assert (campaign.status, campaign.pause_reason) == (CampaignStatus.SENDING, "")
    assert woken == [("send_campaign", campaign.pk)] * lifecycle.SENDERS
    assert_adds_up(campaign)


def test_cancelling_cancels_what_waits_and_keeps_what_was_sent(provider):
    campaign = launched(contacts=3)
    claim_campaign(campaign.pk, limit=1)
    make_message(number(9), campaign=campaign, status=MessageStatus.SENT)
    Campaign.objects.update(audience=4)
    lifecycle.cancel(campaign, actor=None)
    assert campaign.status == CampaignStatus.CANCELLED
    assert campaign.ended_at
    assert statuses(campaign) == {"cancelled": 3, "sent": 1}
    send(campaign)
    assert provider.requests == []
    assert_adds_up(campaign)


def test_cancelling_works_in_chunks(monkeypatch):
    monkeypatch.setattr(lifecycle, "CANCEL_CHUNK", 2)
    campaign = launched(contacts=5)
    lifecycle.cancel(campaign, actor=None)
    assert statuses(campaign) == {"cancelled": 5}
    assert_adds_up(campaign)


def in_state(state: str) -> Campaign:
    """A campaign that came into this state in the ordinary way."""
    campaign = draft()
    if state == "scheduled":
        lifecycle.schedule(campaign, in_an_hour(), actor=None)
    elif state != "draft":
        lifecycle.launch(campaign, actor=None)
        if state != "freezing":
            frozen(campaign)
    if state == "paused":
        lifecycle.pause(campaign, actor=None)
    elif state == "completed":
        lifecycle.cancel_waiting(campaign)
        lifecycle.complete_if_done(campaign.pk)
    elif state == "cancelled":
        lifecycle.cancel(campaign, actor=None)
    campaign.refresh_from_db()
    assert campaign.status == state
    return campaign


@pytest.mark.parametrize("action", ACTIONS)
@pytest.mark.parametrize("state", CampaignStatus.values)
def test_exactly_the_actions_that_are_offered_are_possible(state, action):
    campaign = in_state(state)
    if action in lifecycle.allowed_actions(campaign):
        ACTIONS[action](campaign)
        assert Campaign.objects.get().status != state or action == "schedule"
        return
    if action == "launch" and state != "cancelled":
        assert ACTIONS[action](campaign) is False
    else:
        with pytest.raises(lifecycle.LifecycleError):
            ACTIONS[action](campaign)
    assert Campaign.objects.get().status == state


def test_every_campaign_can_be_copied_and_tested():
    campaign = launched(contacts=1)
    assert {"duplicate", "test"} <= lifecycle.allowed_actions(campaign)


# --- completing -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("status", ["queued", "claimed", "sending"])
def test_a_campaign_with_work_left_is_not_completed(status):
    campaign = launched(contacts=1)
    make_message(number(2), campaign=campaign, status=status)
    SentMessage.objects.filter(phone_number=number(1)).update(status=MessageStatus.CANCELLED)
    assert lifecycle.complete_if_done(campaign.pk) is False


def test_only_a_sending_campaign_is_completed_and_only_once():
    campaign = launched(contacts=1)
    lifecycle.cancel_waiting(campaign)
    lifecycle.pause(campaign, actor=None)
    assert lifecycle.complete_if_done(campaign.pk) is False
    lifecycle.resume(campaign, actor=None)
    assert [lifecycle.complete_if_done(campaign.pk), lifecycle.complete_if_done(campaign.pk)] == [True, False]
    assert AuditEvent.objects.filter(action="completed").count() == 1
    campaign.refresh_from_db()
    assert campaign.ended_at
    assert_adds_up(campaign)


@pytest.mark.postgresql
@pytest.mark.django_db(transaction=True)
def test_a_message_put_back_while_the_campaign_is_being_completed_is_seen(woken):
    """An operator's resend holds the campaign's lock; whoever completes it waits, and then looks again."""
    campaign = launched(contacts=1)
    SentMessage.objects.update(status=MessageStatus.CLAIMED)
    SentMessage.objects.update(status=MessageStatus.SENDING)
    SentMessage.objects.update(status=MessageStatus.UNKNOWN)
    completed: list[bool] = []

    def complete() -> None:
        completed.append(lifecycle.complete_if_done(campaign.pk))
        connection.close()

    with transaction.atomic():
        message = SentMessage.objects.select_for_update().get()
        requeue([message])
        message.save()
        rival = threading.Thread(target=complete)
        rival.start()
        rival.join(timeout=0.5)
        assert rival.is_alive(), "it waits for the lock"
    rival.join()
    assert completed == [False]
    assert_adds_up(campaign)


def test_a_completed_campaign_with_waiting_messages_runs_again():
    campaign = launched(contacts=1)
    assert lifecycle.reopen_if_waiting(campaign) is False, "it runs already"
    Campaign.objects.update(status=CampaignStatus.COMPLETED)
    assert lifecycle.reopen_if_waiting(campaign) is True
    campaign.refresh_from_db()
    assert (campaign.status, campaign.ended_at) == (CampaignStatus.SENDING, None)


# --- copies ---------------------------------------------------------------------------------------------------


def test_a_copy_is_a_new_draft_with_the_same_content(provider):
    group, other = make_group("A", contacts=1, consent="given"), make_group("B")
    campaign = make_campaign(group, exclude=other, sender_id="SHOP", kind="marketing", name="x" * 150)
    lifecycle.launch(campaign, actor=None)
    send(frozen(campaign))
    copy = copying.duplicate(campaign, actor=make_user())
    assert copy.status == CampaignStatus.DRAFT
    assert (copy.body, copy.sender_id, copy.kind, copy.gateway) == ("Hello", "SHOP", "marketing", "default")
    assert list(copy.include_groups.all()) == [group]
    assert list(copy.exclude_groups.all()) == [other]
    assert (copy.launch, copy.launch_token, copy.audience, copy.launched_at) == ({}, "", 0, None)
    assert len(copy.name) <= 150
    lifecycle.launch(copy, actor=None)
    freeze(copy.pk, seconds=60)
    assert message_to(number(1), copy).status == MessageStatus.QUEUED
    assert_adds_up(copy)


# --- putting back into the queue ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("state", "message_status", "campaign_status"),
    [
        ("sending", "queued", "sending"),
        ("paused", "queued", "paused"),
        ("completed", "queued", "sending"),
        ("cancelled", "cancelled", "cancelled"),
    ],
)
def test_what_is_put_back_follows_its_campaign(state, message_status, campaign_status):
    campaign = in_state(state)
    message = make_message(number(7), campaign=campaign, status=MessageStatus.SENDING, claim_token="t")
    requeue([message])
    campaign.refresh_from_db()
    assert (message.status, message.claim_token, campaign.status) == (message_status, "", campaign_status)


def test_a_single_message_is_put_back_without_a_campaign():
    message = make_message(number(7), status=MessageStatus.SENDING)
    requeue([message])
    assert message.status == MessageStatus.QUEUED
