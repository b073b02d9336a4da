"""The page of a campaign while it runs and after: pace, waits, what is wrong and what to do, who did what."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, time, timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.utils import timezone

from campaigns import lifecycle, pace
from campaigns.admin import progress
from campaigns.admin.trail import trail
from campaigns.advice import FAILURES, SUPPRESSIONS, what_to_do
from campaigns.forecasting import running
from campaigns.models import (
    Campaign,
    CampaignMinute,
    CampaignStatus,
    FailureReason,
    Forecast,
    GatewayState,
    Heartbeat,
    MessageStatus,
    SentMessage,
    SuppressionReason,
)
from campaigns.problems import problems_of
from campaigns.reports import WORKER_BEAT, campaign_figures
from campaigns.sending.doubt import Settling, being_settled
from campaigns.tasks import send_campaign
from campaigns.waiting import campaign_waits
from sms_backends import Reason, RecipientRejectedError
from tests.campaigns import providers
from tests.campaigns.building import (
    launched,
    make_campaign,
    make_contact,
    make_group,
    make_message,
    make_user,
    number,
    send,
    set_prices,
    there,
)
from tests.campaigns.screens import campaign_url, log_url, said, sign_in, sign_in_superuser, text_of

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("woken")]


class Asked(providers.Once):
    """Can be asked whether it took a reference."""

    capabilities = replace(providers.SameText.capabilities, client_reference=True, lookup_by_reference=True)


@pytest.fixture(autouse=True)
def a_worker_runs() -> None:
    Heartbeat.objects.create(name=WORKER_BEAT, at=timezone.now())


# --- what to do ---


@pytest.mark.parametrize("reason", [*FailureReason.values, *map(str, Reason)])
def test_every_reason_of_a_failure_says_what_to_do(reason):
    assert reason in FAILURES
    assert what_to_do(MessageStatus.REJECTED, reason)


@pytest.mark.parametrize("reason", SuppressionReason.values)
def test_every_reason_for_leaving_somebody_out_says_what_to_do(reason):
    assert reason in SUPPRESSIONS
    assert what_to_do(MessageStatus.SUPPRESSED, reason)


def test_an_unknown_reason_falls_back_to_its_state():
    assert what_to_do(MessageStatus.UNDELIVERED, "never heard of")
    assert what_to_do(MessageStatus.DELIVERED, "") == ""


def test_problems_are_grouped_by_reason_with_the_providers_words_and_a_link(client, provider):
    for n, words in ((1, "absent subscriber"), (2, "absent subscriber"), (3, "line barred")):
        provider.refusals[number(n)] = RecipientRejectedError(words, reason=Reason.BARRED)
    campaign = send(launched(contacts=4))
    make_message(number(9), campaign=campaign, status=MessageStatus.SUPPRESSED, reason="no_consent", excluded=True)
    found = problems_of(campaign, campaign_figures(campaign))
    assert [(one.reason, one.count, one.words, one.is_left_out) for one in found] == [
        ("barred", 3, ["absent subscriber", "line barred"], False),
        ("no_consent", 1, [], True),
    ]
    sign_in_superuser(client)
    response = client.get(campaign_url(campaign))
    page = text_of(response)
    assert "rejected: subscriber barred 3 In the provider’s words: absent subscriber , line barred" in page
    assert str(FAILURES["barred"]) in page
    url = log_url(campaign__id__exact=campaign.pk, status__exact="rejected", reason__exact="barred")
    assert url.replace("&", "&amp;") in response.content.decode()


def test_where_nothing_is_wrong_no_row_is_read(provider, django_assert_num_queries):
    campaign = send(launched(contacts=2))
    figures = campaign_figures(campaign)
    with django_assert_num_queries(0):
        assert problems_of(campaign, figures) == []


def test_the_providers_words_take_a_query_for_each_state_and_no_more(django_assert_num_queries):
    campaign = launched()
    for n, status in enumerate(["rejected", "undelivered", "expired", "failed", "unknown"]):
        make_message(number(20 + n), campaign=campaign, status=status, reason="barred", reason_text=f"word {n}")
    figures = campaign_figures(campaign)
    with django_assert_num_queries(5):
        assert sum(len(one.words) for one in problems_of(campaign, figures)) == 5


# --- pace ---


def test_the_pace_comes_from_what_was_handed_over_within_the_last_minute_or_two():
    campaign = launched(contacts=2)
    ago = timezone.now() - timedelta(seconds=60)
    CampaignMinute.objects.create(campaign=campaign, minute=ago, at=ago, handed_over=0)
    for n in range(30):
        make_message(number(100 + n), campaign=campaign, status=MessageStatus.SENT)
    found = pace.pace_of(campaign, campaign_figures(campaign))
    assert found is not None
    assert found.per_second == pytest.approx(0.5, abs=0.05)
    assert found.done_at is not None
    assert (found.done_at - timezone.now()).total_seconds() == pytest.approx(4, abs=2)


def test_a_campaign_that_has_just_begun_is_measured_from_its_beginning():
    campaign = launched(contacts=1)
    figures = campaign_figures(campaign)
    assert pace.pace_of(campaign, figures) is None
    campaign.frozen_at = timezone.now() - timedelta(seconds=30)
    found = pace.pace_of(campaign, figures)
    assert found == pace.Pace(0.0, None)


def test_what_was_handed_over_long_ago_says_nothing_of_the_pace():
    campaign = launched(contacts=1)
    Campaign.objects.filter(pk=campaign.pk).update(frozen_at=timezone.now() - timedelta(hours=1))
    campaign.refresh_from_db()
    ago = timezone.now() - timedelta(minutes=3)
    CampaignMinute.objects.create(campaign=campaign, minute=ago, at=ago, handed_over=0)
    assert pace.pace_of(campaign, campaign_figures(campaign)) is None
    campaign.status = CampaignStatus.PAUSED
    assert pace.pace_of(campaign, campaign_figures(campaign)) is None


#: A Monday, ten in the evening less an hour in Moscow, seven in the evening in Berlin.
EVENING = datetime(2026, 6, 1, 17, 0, tzinfo=UTC)
HOURS: dict[str, Any] = {"window_start": time(9), "window_end": time(21)}


def at_the_hour(monkeypatch, now: datetime) -> None:
    monkeypatch.setattr(timezone, "now", lambda: now)


def going(monkeypatch, *, sent: int, waiting: int, now: datetime = EVENING, **fields: Any) -> Campaign:
    """A campaign to people in Moscow with hours, which handed over so many within the last minute."""
    at_the_hour(monkeypatch, now - timedelta(minutes=1))
    campaign = launched(contacts=waiting, **{**HOURS, **fields})
    campaign.messages.update(time_zone="Europe/Moscow", region="RU")
    pace.note(campaign.pk)
    at_the_hour(monkeypatch, now)
    for n in range(sent):
        make_message(number(1000 + n), campaign=campaign, status=MessageStatus.SENT)
    return campaign


def test_the_night_is_foreseen(monkeypatch):
    campaign = going(monkeypatch, sent=6, waiting=400)  # 0.1 a second; 360 until nine
    found = there(pace.pace_of(campaign, campaign_figures(campaign)))
    assert found.per_second == pytest.approx(0.1)
    assert found.stops_at == EVENING + timedelta(hours=1)
    morning = datetime(2026, 6, 2, 6, 0, tzinfo=UTC)
    assert found.goes_on_at == morning
    assert there(found.done_at) - morning == pytest.approx(timedelta(seconds=400), abs=timedelta(seconds=2))


def test_what_is_over_before_the_night_does_not_wait(monkeypatch):
    campaign = going(monkeypatch, sent=6, waiting=10)
    found = there(pace.pace_of(campaign, campaign_figures(campaign)))
    assert (found.stops_at, found.goes_on_at) == (None, None)
    assert there(found.done_at) - EVENING == pytest.approx(timedelta(seconds=100), abs=timedelta(seconds=2))


def test_at_night_the_pace_that_is_set_tells_when_it_is_over(monkeypatch):
    night = datetime(2026, 6, 1, 22, 0, tzinfo=UTC)
    morning = datetime(2026, 6, 2, 6, 0, tzinfo=UTC)
    campaign = going(monkeypatch, sent=0, waiting=20, now=night, max_per_second=2)
    found = there(pace.pace_of(campaign, campaign_figures(campaign)))
    assert (found.per_second, found.stops_at, found.goes_on_at) == (0.0, night, morning)
    assert found.done_at == morning + timedelta(seconds=10)
    campaign.max_per_second = None
    found = there(pace.pace_of(campaign, campaign_figures(campaign)))
    assert (found.done_at, found.goes_on_at) == (None, morning)


def test_a_campaign_that_stands_still_by_day_foresees_nothing(monkeypatch):
    campaign = going(monkeypatch, sent=0, waiting=20, max_per_second=2)
    assert pace.pace_of(campaign, campaign_figures(campaign)) == pace.Pace(0.0, None)


def test_who_waits_where_is_noted_once_a_minute(monkeypatch):
    campaign = going(monkeypatch, sent=0, waiting=3)
    noted = CampaignMinute.objects.filter(campaign=campaign)
    assert [row.waiting for row in noted.all()] == [{"Europe/Moscow|RU": 3}]
    SentMessage.objects.filter(phone_number=number(1)).update(time_zone="Europe/Berlin", region="DE")
    at_the_hour(monkeypatch, EVENING - timedelta(minutes=1))
    pace.note(campaign.pk)
    assert [row.waiting for row in noted.all()] == [{"Europe/Moscow|RU": 3}]
    at_the_hour(monkeypatch, EVENING)
    pace.note(campaign.pk)
    assert noted.get(minute=EVENING).waiting == {"Europe/Moscow|RU": 2, "Europe/Berlin|DE": 1}
    Campaign.objects.update(window_start=None, window_end=None)
    at_the_hour(monkeypatch, EVENING + timedelta(minutes=1))
    pace.note(campaign.pk)
    assert there(noted.order_by("minute").last()).waiting is None


def test_before_anything_was_noted_the_page_before_sending_tells_who_lives_where():
    group = make_group()
    make_contact("+78432000000", group)
    make_contact("+4915123456789", group)
    campaign = make_campaign(group, **HOURS)
    running.begin(campaign, at_once=True)
    assert pace._left_by_zone(campaign, 10) == {("Europe/Moscow", "RU"): 5.0, ("Europe/Berlin", "DE"): 5.0}
    Forecast.objects.all().delete()
    campaign.time_zones = ["Europe/Moscow", "Asia/Omsk"]
    assert pace._left_by_zone(campaign, 10) == {("Europe/Moscow", ""): 5.0, ("Asia/Omsk", ""): 5.0}


def test_the_page_says_when_it_finishes_and_how_long_it_waits(client, monkeypatch):
    campaign = going(monkeypatch, sent=6, waiting=400)
    words = progress._finish(pace.pace_of(campaign, campaign_figures(campaign)))
    assert words == "It finishes Tue 06:06 and waits for the sending hours from Mon 18:00 until Tue 06:00."
    sign_in_superuser(client)
    assert words in progress.progress_of(campaign).said
    assert progress._finish(pace.Pace(0.0, None, EVENING, EVENING + timedelta(hours=12))) == (
        "It waits for the sending hours from Mon 17:00 until Tue 05:00."
    )
    assert progress._finish(pace.Pace(1.0, EVENING)) == ""


def test_whoever_sends_notes_how_far_it_has_come(provider):
    campaign = launched(contacts=3)
    send_campaign(campaign.pk)
    send_campaign(campaign.pk)
    assert {row.handed_over for row in CampaignMinute.objects.filter(campaign=campaign)} == {3}


def test_the_page_says_pace_and_time_left(client):
    campaign = launched(contacts=2)
    ago = timezone.now() - timedelta(seconds=20)
    CampaignMinute.objects.create(campaign=campaign, minute=ago, at=ago, handed_over=0)
    for n in range(100):
        make_message(number(100 + n), campaign=campaign, status=MessageStatus.SENT)
    sign_in(client, "view_campaign")
    answer = client.get(campaign_url(campaign, "progress")).json()
    assert "5 per second" in answer["html"]
    assert "left, if it stays so" in answer["html"]
    assert answer["said"] == "sending: 100 of 2 done, 2 to go. About 0 s left."
    assert "do not add up" in answer["html"]  # the rows were written past the freeze


# --- waits ---


def test_why_nothing_goes_stands_on_the_page(client):
    campaign = launched(contacts=1)
    sign_in_superuser(client)
    assert campaign_waits(campaign) == []
    GatewayState.objects.create(
        alias="default", paused_at=timezone.now(), pause_reason="no_funds", provider_text="balance is 0.00"
    )
    page = text_of(client.get(campaign_url(campaign)))
    assert "is paused (no money on the account). Mend what is wrong, then resume it under Providers." in page
    assert "“balance is 0.00”" in page


def test_nights_are_only_told_while_nobody_may_be_written_to():
    now = timezone.now()
    closed = ((now + timedelta(hours=5)).time(), (now + timedelta(hours=6)).time())
    campaign = launched(contacts=1, window_start=closed[0], window_end=closed[1])
    campaign.time_zones = ["UTC"]
    waits = campaign_waits(campaign)
    assert len(waits) == 1
    assert waits[0].until is not None
    campaign.time_zones = ["UTC", "Asia/Karachi"]  # there it is five hours later
    assert campaign_waits(campaign) == []


def test_a_window_that_never_opens_is_no_promise():
    campaign = launched(contacts=1, window_days=[8])
    assert campaign_waits(campaign) == []


# --- unknown ---


def test_whoever_is_asked_and_whoever_is_offered_again_is_told_apart(adapter):
    campaign = launched()
    for n in (1, 2, 3):
        at = None if n == 3 else timezone.now()
        make_message(number(50 + n), campaign=campaign, status=MessageStatus.UNKNOWN, next_lookup_at=at)
    for backend, expected in (
        (Asked, Settling(2, 0)),
        (providers.Once, Settling(0, 2)),
        (providers.SameText, Settling(0, 0)),
    ):
        adapter(backend)
        assert being_settled(campaign.messages.all()) == expected


def test_a_gateway_that_is_not_set_up_settles_nothing(settings):
    campaign = launched()
    make_message(
        number(50), campaign=campaign, status=MessageStatus.UNKNOWN, next_lookup_at=timezone.now(), gateway="?"
    )
    assert being_settled(campaign.messages.all()) == Settling(0, 0)


def test_the_page_says_offered_again_and_not_asked_where_the_provider_takes_a_repetition_once(client, adapter):
    campaign = launched()
    make_message(number(50), campaign=campaign, status=MessageStatus.UNKNOWN, next_lookup_at=timezone.now())
    adapter(providers.Once)
    sign_in_superuser(client)
    page = text_of(client.get(campaign_url(campaign)))
    assert "1 of them is offered to the provider again as it was, under the same reference" in page
    assert "being asked about" not in page


# --- who did what ---


def test_the_timeline_tells_who_did_what_in_words():
    olga = make_user()
    set_prices(p7="2")
    campaign = launched(contacts=1)
    lifecycle.set_spend_limit(campaign, Decimal("50.00"), actor=olga)
    lifecycle.pause(campaign, actor=None, reason="refused too often", by_engine=True)
    lifecycle.resume(campaign, actor=olga)
    told = [(line.who, line.what, line.details) for line in trail(campaign)]
    assert told[:3] == [
        ("olga", "resumed", ""),
        ("", "paused", "refused too often"),
        ("olga", "set the spend limit", "from no limit to 50 RUB"),
    ]


def test_the_timeline_takes_one_query(django_assert_num_queries):
    campaign = launched(contacts=1)
    lifecycle.pause(campaign, actor=make_user())
    with django_assert_num_queries(1):
        assert len(trail(campaign)) == 2


# --- double clicks ---


@pytest.mark.parametrize(
    ("action", "data", "status"),
    [("pause", {}, "paused"), ("cancel", {"confirm": "yes"}, "cancelled")],
)
def test_a_double_click_is_no_error(client, action, data, status):
    sign_in_superuser(client)
    campaign = launched(contacts=1)
    client.post(campaign_url(campaign, action), data)
    response = client.post(campaign_url(campaign, action), data)
    assert f"“Sale” is {status} already." in said(response)
    assert campaign.audit_events.filter(action=action).count() == 1


def test_a_double_click_on_resume_is_no_error(client):
    sign_in_superuser(client)
    campaign = launched(contacts=1)
    lifecycle.pause(campaign, actor=None)
    client.post(campaign_url(campaign, "resume"))
    assert "“Sale” is sending already." in said(client.post(campaign_url(campaign, "resume")))


def test_pausing_what_is_over_is_an_error(client, provider):
    sign_in_superuser(client)
    campaign = send(launched(contacts=1))
    assert "only a running campaign can be paused" in said(client.post(campaign_url(campaign, "pause")))
