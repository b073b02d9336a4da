"""A forecast is counted in parts, survives its workers, and says when it does not hold any more."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.utils import timezone

from campaigns import lifecycle, optouts, tasks
from campaigns.forecasting import counting, running
from campaigns.forecasting.foreseen import foresee, read
from campaigns.models import (
    Campaign,
    Forecast,
    ForecastKind,
    ForecastPart,
    ForecastStatus,
    OptOutSource,
    SentMessage,
)
from campaigns.sending import sweeper
from tests.campaigns.building import frozen, make_campaign, make_group, number, send, there

pytestmark = pytest.mark.django_db


@pytest.fixture
def campaign(monkeypatch) -> Campaign:
    """Of ten people, to be counted in the background in five parts."""
    monkeypatch.setattr(running, "AT_ONCE", 1)
    monkeypatch.setattr(running, "PART", 2)
    return make_campaign(make_group(contacts=10))


def counted_in_turns(forecast: Forecast) -> None:
    """Two workers, one part each at a time."""
    while running.work(forecast.pk, seconds=0):
        pass
    forecast.refresh_from_db()


def test_a_large_audience_is_counted_by_two_workers_in_the_background(
    campaign, woken, django_capture_on_commit_callbacks
):
    with django_capture_on_commit_callbacks(execute=True):
        forecast = running.holding(campaign)
    assert forecast.status == ForecastStatus.COUNTING
    assert woken == [("count_forecast", forecast.pk)] * 2
    assert forecast.parts.count() == 5
    tasks.count_forecast(forecast.pk)
    forecast.refresh_from_db()
    assert forecast.status == ForecastStatus.DONE
    assert there(read(forecast, campaign)).recipients == 10
    assert not ForecastPart.objects.exists()


def test_a_small_audience_is_counted_at_once(campaign, woken, monkeypatch):
    monkeypatch.setattr(running, "AT_ONCE", 10)
    assert running.holding(campaign).status == ForecastStatus.DONE
    assert woken == []


def test_progress_is_known_while_it_is_counted(campaign, woken):
    forecast = running.holding(campaign)
    seen = []
    while running.work(forecast.pk, seconds=0):
        seen.append(running.done_count(forecast))
    assert seen == [2, 4, 6, 8, 10]


def test_the_forecast_is_kept_while_nothing_changes(campaign, woken):
    first = running.holding(campaign)
    counted_in_turns(first)
    assert running.holding(campaign).token == first.token


def test_a_task_that_stops_wakes_itself_again(campaign, woken, monkeypatch, django_capture_on_commit_callbacks):
    monkeypatch.setattr(tasks, "TASK_SECONDS", 0)
    forecast = running.holding(campaign)
    with django_capture_on_commit_callbacks(execute=True):
        tasks.count_forecast(forecast.pk)
    assert woken == [("count_forecast", forecast.pk)]


def test_two_workers_never_count_the_same_part(campaign, woken):
    forecast = running.holding(campaign)
    taken = {there(running._take(forecast)).pk for _worker in range(5)}
    assert len(taken) == 5
    assert running._take(forecast) is None


def test_a_part_whose_worker_died_is_counted_again_and_once(campaign, woken, django_capture_on_commit_callbacks):
    forecast = running.holding(campaign)
    lost = there(running._take(forecast))
    ForecastPart.objects.filter(pk=lost.pk).update(done_count=1)
    counted_in_turns(forecast)
    assert forecast.status == ForecastStatus.COUNTING  # the lease of the lost part still runs
    assert running.stalled() == []
    ForecastPart.objects.filter(pk=lost.pk).update(leased_until=timezone.now() - timedelta(seconds=1))
    Forecast.objects.update(started_at=timezone.now() - timedelta(minutes=5))
    with django_capture_on_commit_callbacks(execute=True):
        sweeper.wake_forecasts()
    assert woken == [("count_forecast", forecast.pk)]
    counted_in_turns(forecast)
    assert there(read(forecast, campaign)).recipients == 10


def test_a_worker_that_wakes_up_after_its_forecast_was_begun_anew_changes_nothing(campaign, woken, monkeypatch):
    forecast = running.holding(campaign)
    real = counting._Counted.add

    def begun_anew_meanwhile(counted, rows):
        real(counted, rows)
        monkeypatch.setattr(counting._Counted, "add", real)
        running.begin(campaign)

    monkeypatch.setattr(counting._Counted, "add", begun_anew_meanwhile)
    assert not running.work(forecast.pk, seconds=None)
    fresh = there(running.latest(campaign))
    assert (fresh.status, running.done_count(fresh)) == (ForecastStatus.COUNTING, 0)
    counted_in_turns(fresh)
    assert there(read(fresh, campaign)).recipients == 10


def test_what_cannot_be_counted_says_why_and_is_tried_again_when_somebody_looks(campaign, woken, monkeypatch):
    def broken(*_arguments):
        raise ValueError("no ink")

    monkeypatch.setattr(running, "count_part", broken)
    forecast = running.holding(campaign)
    running.work(forecast.pk, seconds=None)
    forecast.refresh_from_db()
    assert (forecast.status, forecast.problem) == (ForecastStatus.FAILED, "no ink")
    assert read(forecast, campaign) is None
    monkeypatch.undo()
    assert running.holding(campaign).status == ForecastStatus.DONE


def test_thrown_away_while_it_is_counted_it_stops(campaign, woken, monkeypatch):
    forecast = running.begin(campaign, ForecastKind.REHEARSAL)
    part = there(running._take(forecast))
    assert running.throw_away(campaign, ForecastKind.REHEARSAL)
    assert not running._count(part, counting.Judge(running.question_about(campaign, ForecastKind.REHEARSAL)))
    assert not running.work(forecast.pk, seconds=None)
    assert not running.throw_away(campaign, ForecastKind.REHEARSAL)


def test_an_audience_of_nobody_is_counted(woken):
    forecast = running.holding(make_campaign(make_group()))
    assert (forecast.status, forecast.people) == (ForecastStatus.DONE, 0)


def test_people_texted_within_the_hours_that_are_set_are_counted_exactly(campaign, woken, settings):
    assert foresee(campaign).tally.recent == 0
    other = make_campaign(campaign.include_groups.get(), name="Earlier")
    optouts.record_opt_out(number(1), source=OptOutSource.OPERATOR)
    lifecycle.launch(other, actor=None)
    send(frozen(other))
    SentMessage.objects.filter(phone_number=number(2)).update(sent_at=timezone.now() - timedelta(hours=25))
    found = foresee(campaign)
    assert found.tally.recent == 8
    assert "8 people were sent another campaign within 24 hours" in " ".join(found.warnings)
    settings.SMS_RECENT_HOURS = 26
    assert foresee(campaign).tally.recent == 9
    settings.SMS_RECENT_HOURS = 0
    assert foresee(campaign).tally.recent == 0
