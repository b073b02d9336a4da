"""Requests under way: no more than there may be, none begun after trouble, and nothing lost however a run ends."""

from __future__ import annotations

import threading
import time

import pytest
from django.db import OperationalError, connection
from django.test.utils import CaptureQueriesContext

from campaigns import lifecycle
from campaigns.models import Attempt, Campaign, CampaignStatus, GatewayState, Purpose, SentMessage
from campaigns.sending import pipeline
from campaigns.sending.bulk_insert import bulk_insert
from campaigns.sending.claim import claim_campaign
from campaigns.sending.dispatch import send_waiting
from campaigns.sending.recovery import expire_leases
from campaigns.single import queue_single
from sms_backends import Capabilities, OutcomeUnknownError, RecipientRejectedError, ThrottledError
from tests.campaigns import providers
from tests.campaigns.building import (
    assert_adds_up,
    launched,
    message_to,
    number,
    send,
    statuses,
    the_lease_runs_out,
)

pytestmark = pytest.mark.django_db

TOGETHER = 30.0


@pytest.fixture
def two_at_once(adapter, monkeypatch):
    """Two connections, one message a request; short requests, so that a second one per connection is ready."""
    adapter(providers.OneByOne)
    monkeypatch.setattr(pipeline, "GATHER_SECONDS", 0.0)


def test_no_message_is_claimed_that_can_go_at_once(provider):
    campaign = launched(contacts=3)
    with CaptureQueriesContext(connection) as queries:
        send(campaign)
    assert not [query for query in queries if "'claimed'" in query["sql"] and query["sql"].startswith("UPDATE")]
    assert statuses(campaign) == {"sent": 3}
    assert_adds_up(campaign)


def _kind(sql: str) -> str:
    """i: an intent; a: an answer; |: the end of a transaction."""
    if sql.startswith("RELEASE SAVEPOINT"):
        return "|"
    if "UPDATE" in sql and SentMessage._meta.db_table in sql:
        return "i" if '"attempt_count" = (' in sql else "a" if "sent_at" in sql else ""
    return ""


def test_the_answer_to_a_request_and_the_intent_of_the_next_are_one_commit(provider, monkeypatch):
    monkeypatch.setattr(providers.SameText, "capabilities", Capabilities(bulk_same_text=True, max_recipients=2))
    campaign = launched(contacts=4)
    during: list[list[str]] = []
    provider.during = lambda request: during.append(
        list(SentMessage.objects.order_by("pk").values_list("status", flat=True))
    )
    with CaptureQueriesContext(connection) as queries:
        send(campaign)
    assert during == [["sending", "sending", "queued", "queued"], ["sent", "sent", "sending", "sending"]]
    steps = "".join(_kind(query["sql"]) for query in queries)
    assert "|i|ai|a|" in steps
    assert_adds_up(campaign)


def count_in_doubt(monkeypatch) -> list[int]:
    """How many messages were `sending` each time that requests had been started."""
    counted: list[int] = []
    start = pipeline.Pipeline._start

    def start_and_count(self, intents):
        start(self, intents)
        counted.append(SentMessage.objects.filter(status="sending").count())

    monkeypatch.setattr(pipeline.Pipeline, "_start", start_and_count)
    return counted


def test_connections_do_not_wait_for_the_database_and_no_more_than_two_requests_each_are_in_doubt(
    two_at_once, provider, monkeypatch
):
    campaign = launched(contacts=12)
    in_doubt = count_in_doubt(monkeypatch)
    provider.during = lambda request: time.sleep(0.02)
    send(campaign)
    assert statuses(campaign) == {"sent": 12}
    assert max(in_doubt) in {3, 4}
    assert set(provider.copies().values()) == {1}
    assert_adds_up(campaign)


def test_behind_slow_requests_none_waits_until_it_is_too_old_to_be_sent(two_at_once, provider, monkeypatch):
    monkeypatch.setattr(pipeline, "SHORT_SECONDS", 0.0)
    campaign = launched(contacts=8)
    in_doubt = count_in_doubt(monkeypatch)
    send(campaign)
    assert statuses(campaign) == {"sent": 8}
    assert max(in_doubt) == 2


@pytest.mark.parametrize("trouble", [ThrottledError("Too fast", retry_after=30), OutcomeUnknownError("HTTP 500")])
def test_after_trouble_nothing_that_was_ready_is_begun_and_it_waits_again(two_at_once, provider, trouble):
    campaign = launched(contacts=10)
    gate = threading.Event()

    def during(request):
        if len(provider.requests) == 4:
            provider.fail_next(trouble)
        if len(provider.requests) > 4:
            gate.wait(0.2)

    provider.during = during
    send(campaign)
    assert len(provider.requests) <= 5, "the one that failed, and at most one that was open beside it"
    found = statuses(campaign)
    assert found["queued"] >= 5
    assert found["queued"] + found["sent"] + found["unknown"] == 10
    assert not Attempt.objects.filter(outcome="").exists(), "what was not begun is said to be so"
    GatewayState.objects.update(held_until=None, failure_count=0)
    provider.during = None
    send(campaign)
    assert statuses(campaign)["queued"] == 0
    assert set(provider.copies().values()) == {1}
    assert_adds_up(campaign)


def test_a_pause_lets_nothing_more_out_than_what_is_under_way(two_at_once, provider, monkeypatch):
    campaign = launched(contacts=20)
    committed = pipeline.Pipeline._commit

    def pause_in_the_middle(self, verdicts, feed, room):
        if len(provider.requests) >= 4 and Campaign.objects.get().status == CampaignStatus.SENDING:
            lifecycle.pause(Campaign.objects.get(), actor=None)
        return committed(self, verdicts, feed, room)

    monkeypatch.setattr(pipeline.Pipeline, "_commit", pause_in_the_middle)
    send(campaign)
    assert 4 <= statuses(campaign)["sent"] <= 8
    assert statuses(campaign)["sent"] + statuses(campaign)["queued"] == 20
    assert_adds_up(campaign)


def test_single_messages_leave_while_a_long_request_of_a_campaign_is_open(adapter, provider, monkeypatch):
    adapter(providers.OneByOne)
    monkeypatch.setattr(providers.OneByOne, "capabilities", Capabilities(max_connections=3))
    monkeypatch.setattr(pipeline, "ATTEND_SECONDS", 0.02)
    campaign = launched(contacts=2)
    urgent_has_gone = threading.Event()
    waited: list[bool] = []

    def during(request):
        if request.numbers == [number(99)]:
            urgent_has_gone.set()
        else:
            waited.append(urgent_has_gone.wait(TOGETHER))

    provider.during = during
    attend = pipeline.Pipeline._wait

    def queue_an_urgent_one(self):
        if not SentMessage.objects.filter(purpose=Purpose.QUICK).exists():
            queue_single(number(99), "Hi", purpose=Purpose.QUICK)
        attend(self)

    monkeypatch.setattr(pipeline.Pipeline, "_wait", queue_an_urgent_one)
    send_waiting(campaign.pk, seconds=5)
    assert waited == [True, True]
    assert message_to(number(99)).status == "sent"
    assert_adds_up(campaign)


def test_an_answer_is_written_down_even_when_the_next_intent_cannot_be(provider, monkeypatch):
    monkeypatch.setattr(providers.SameText, "capabilities", Capabilities(bulk_same_text=True, max_recipients=2))
    campaign = launched(contacts=4)

    def fail_after_the_first(*args, **kwargs):
        if provider.requests:
            raise OperationalError("disk full")
        bulk_insert(*args, **kwargs)

    monkeypatch.setattr("campaigns.sending.handover.bulk_insert", fail_after_the_first)
    with pytest.raises(OperationalError):
        send_waiting(campaign.pk, seconds=5)
    assert statuses(campaign) == {"sent": 2, "queued": 2}
    assert provider.copies() == {number(1): 1, number(2): 1}
    assert_adds_up(campaign)


def test_what_is_under_way_when_a_run_breaks_off_is_still_written_down(two_at_once, provider, monkeypatch):
    campaign = launched(contacts=2)
    both_are_open = threading.Barrier(2, timeout=TOGETHER)
    provider.during = lambda request: both_are_open.wait()

    def broken(self):
        raise KeyboardInterrupt

    monkeypatch.setattr(pipeline.Pipeline, "_wait", broken)
    with pytest.raises(KeyboardInterrupt):
        send_waiting(campaign.pk, seconds=5)
    assert statuses(campaign) == {"sent": 2}
    assert_adds_up(campaign)


def test_refused_recipients_do_not_stop_the_others(two_at_once, provider):
    provider.refusals = {number(n): RecipientRejectedError("No such number") for n in (2, 5)}
    campaign = send(launched(contacts=9))
    assert statuses(campaign) == {"sent": 7, "rejected": 2}
    assert campaign.status == CampaignStatus.COMPLETED
    assert_adds_up(campaign)


def test_a_worker_that_dies_between_commit_and_request_leaves_doubt_and_no_second_text(provider, monkeypatch):
    campaign = launched(contacts=3)

    def dies(self, intents):
        raise SystemExit

    monkeypatch.setattr(pipeline.Pipeline, "_start", dies)
    with pytest.raises(SystemExit):
        send_waiting(campaign.pk, seconds=5)
    monkeypatch.undo()
    assert statuses(campaign) == {"sending": 3}
    the_lease_runs_out()
    expire_leases()
    send(campaign)
    assert statuses(campaign) == {"unknown": 3}
    assert claim_campaign(campaign.pk).messages == []
