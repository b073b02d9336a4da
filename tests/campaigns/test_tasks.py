"""Tasks are only wake-ups: they do their part, queue themselves again while there is work, and never raise."""

from __future__ import annotations

import pytest

from campaigns import importing, lifecycle, receivers, tasks, wakeups
from campaigns.models import CampaignStatus, MessageStatus, Purpose
from campaigns.reports import workers_alive
from campaigns.sending import freeze as freezing
from campaigns.single import queue_single
from tests.campaigns.building import assert_adds_up, make_campaign, make_group, number

pytestmark = pytest.mark.django_db


@pytest.fixture
def run(woken, django_capture_on_commit_callbacks):
    """Run a task as a worker does, and say which tasks it woke."""

    def run_task(task, *args) -> list[tuple[object, ...]]:
        woken.clear()
        with django_capture_on_commit_callbacks(execute=True):
            task(*args)
        return woken

    return run_task


def test_a_campaign_goes_from_launch_to_completion_by_its_tasks_alone(run, provider, monkeypatch):
    monkeypatch.setattr(freezing, "CHUNK", 2)
    campaign = make_campaign(make_group(contacts=5))
    assert run(lambda: lifecycle.launch(campaign, actor=None)) == [("freeze_campaign", campaign.pk)]
    assert set(run(tasks.freeze_campaign, campaign.pk)) == {("send_campaign", campaign.pk)}
    assert run(tasks.send_campaign, campaign.pk) == []
    campaign.refresh_from_db()
    assert campaign.status == CampaignStatus.COMPLETED
    assert set(provider.copies().values()) == {1}
    assert_adds_up(campaign)


@pytest.mark.parametrize("name", ["freeze_campaign", "send_campaign"])
def test_a_task_whose_time_is_up_queues_itself_again(run, monkeypatch, name):
    monkeypatch.setattr(tasks, "TASK_SECONDS", -1.0)
    campaign = make_campaign(make_group(contacts=1))
    lifecycle.launch(campaign, actor=None)
    assert run(getattr(tasks, name), campaign.pk) == [(name, campaign.pk)]


def test_single_messages_are_sent_by_their_own_task(run, provider, monkeypatch):
    message, _created = queue_single(number(1), "Hi", purpose=Purpose.QUICK)
    with monkeypatch.context() as short:
        short.setattr(tasks, "TASK_SECONDS", -1.0)
        assert run(tasks.send_urgent) == [("send_urgent",)]
    assert run(tasks.send_urgent) == []
    message.refresh_from_db()
    assert message.status == MessageStatus.SENT


@pytest.mark.parametrize(("task", "step"), [("check_import", "check"), ("commit_import", "commit")])
def test_imports_go_on_until_they_are_done(run, monkeypatch, task, step):
    answers = iter([True, False])
    monkeypatch.setattr(importing, step, lambda pk, seconds: next(answers))
    assert run(getattr(tasks, task), 7) == [(task, 7)]
    assert run(getattr(tasks, task), 7) == []


@pytest.mark.parametrize("name", ["freeze_campaign", "send_campaign"])
def test_a_task_for_what_is_not_there_does_not_raise(run, name):
    assert run(getattr(tasks, name), 999) == []


def test_every_task_is_a_sign_of_life(run):
    assert not workers_alive()
    run(tasks.sweep)
    assert workers_alive()


def test_a_starting_worker_is_a_sign_of_life():
    receivers.beat_when_a_worker_starts()
    assert workers_alive()


def test_a_queue_that_cannot_be_reached_keeps_nothing_from_being_saved(monkeypatch, django_capture_on_commit_callbacks):
    def unreachable(*args, **kwargs):
        raise ConnectionError("no broker")

    monkeypatch.setattr(wakeups, "async_task", unreachable)
    with django_capture_on_commit_callbacks(execute=True):
        message, _created = queue_single(number(1), "Hi", purpose=Purpose.QUICK)
    assert message.pk


def test_a_wake_up_names_the_task_by_its_path(monkeypatch, django_capture_on_commit_callbacks):
    queued: list[tuple[object, ...]] = []
    monkeypatch.setattr(wakeups, "_brokers", {})
    monkeypatch.setattr(wakeups, "get_broker", lambda: "broker")
    monkeypatch.setattr(wakeups, "async_task", lambda *args, broker: queued.append((*args, broker)))
    with django_capture_on_commit_callbacks(execute=True):
        wakeups.wake("send_campaign", 5)
        wakeups.wake("sweep")
    assert queued == [("campaigns.tasks.send_campaign", 5, "broker"), ("campaigns.tasks.sweep", "broker")]


def test_the_sweeper_is_scheduled_each_minute():
    from django_q.models import Schedule

    schedule = Schedule.objects.get(name="sweep")
    assert (schedule.func, schedule.minutes, schedule.repeats) == ("campaigns.tasks.sweep", 1, -1)
