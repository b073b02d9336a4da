"""The worker cluster gives up as a whole rather than freeze."""

from __future__ import annotations

import multiprocessing
from collections.abc import Callable
from datetime import timedelta
from types import SimpleNamespace
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.db import OperationalError
from django.utils import timezone
from django_q.cluster import Sentinel

from campaigns import workers
from campaigns.models import Heartbeat
from campaigns.reports import BEAT_LIMIT, WORKER_BEAT

LONG_AGO = timedelta(hours=1)
SECOND = timedelta(seconds=1)


class GroupWasKilled(Exception):
    """In place of the end of this very process."""


@pytest.fixture
def sentinel(monkeypatch: pytest.MonkeyPatch) -> workers.FailFastSentinel:
    """The guard of a cluster that does not run; it notes what it replaces."""

    def kill(why: str) -> None:
        raise GroupWasKilled(why)

    monkeypatch.setattr(workers, "_kill_group", kill)
    guard = workers.FailFastSentinel.__new__(workers.FailFastSentinel)
    guard.replaced = []
    monkeypatch.setattr(Sentinel, "reincarnate", lambda self, p: self.replaced.append(p))
    return guard


def process(timer: float | None) -> Any:
    return SimpleNamespace() if timer is None else SimpleNamespace(timer=multiprocessing.Value("f", timer))


def test_a_recycled_worker_is_replaced(sentinel: workers.FailFastSentinel) -> None:
    recycled = process(-2)
    sentinel.reincarnate(recycled)
    assert sentinel.replaced == [recycled]


@pytest.mark.parametrize("timer", [-1, 0, 57.5, None], ids=["idle", "timed out", "busy", "pusher or monitor"])
def test_any_other_death_ends_the_cluster(sentinel: workers.FailFastSentinel, timer: float | None) -> None:
    with pytest.raises(GroupWasKilled):
        sentinel.reincarnate(process(timer))


@pytest.mark.django_db(transaction=True)  # the guard closes old connections, as a task does
class TestSilence:
    """The queue stands still although every process looks well."""

    @pytest.fixture
    def pass_time(self, monkeypatch: pytest.MonkeyPatch) -> Callable[[timedelta], None]:
        """Lets the guard's own clock go on."""
        passed = [0.0]
        monkeypatch.setattr("campaigns.workers.time.monotonic", lambda: passed[0])

        def go_on(duration: timedelta) -> None:
            passed[0] += duration.total_seconds()

        return go_on

    def beat(self, ago: timedelta = timedelta(0)) -> None:
        Heartbeat.objects.update_or_create(name=WORKER_BEAT, defaults={"at": timezone.now() - ago})

    def test_without_a_beat_for_too_long_the_cluster_is_frozen(self, pass_time: Callable[[timedelta], None]) -> None:
        self.beat()
        silence = workers.Silence()
        assert not silence.is_too_long()
        pass_time(BEAT_LIMIT + SECOND)
        assert silence.is_too_long()

    def test_a_beat_ends_the_silence(self, pass_time: Callable[[timedelta], None]) -> None:
        self.beat()
        silence = workers.Silence()
        pass_time(BEAT_LIMIT - SECOND)
        self.beat()
        assert not silence.is_too_long()
        pass_time(2 * SECOND)
        assert not silence.is_too_long()

    def test_a_cluster_that_has_just_started_has_time(self, pass_time: Callable[[timedelta], None]) -> None:
        self.beat(LONG_AGO)
        silence = workers.Silence()
        assert not silence.is_too_long()
        pass_time(BEAT_LIMIT + SECOND)
        assert silence.is_too_long()

    @pytest.mark.parametrize("step", [LONG_AGO, -LONG_AGO], ids=["forward", "back"])
    def test_a_clock_that_was_set_is_no_silence_and_hides_none(
        self, pass_time: Callable[[timedelta], None], step: timedelta
    ) -> None:
        silence = workers.Silence()
        self.beat(step)  # the last one by the old clock, as it looks by the new one
        assert not silence.is_too_long()
        pass_time(BEAT_LIMIT + SECOND)
        assert silence.is_too_long()

    def test_a_database_that_does_not_answer_proves_nothing(
        self, monkeypatch: pytest.MonkeyPatch, pass_time: Callable[[timedelta], None]
    ) -> None:
        def refuse() -> None:
            raise OperationalError("connection refused")

        silence = workers.Silence()
        pass_time(2 * BEAT_LIMIT)
        with monkeypatch.context() as away:
            away.setattr(workers, "last_beat", refuse)
            assert not silence.is_too_long()
        assert not silence.is_too_long(), "whoever could not beat has time again"

    def test_the_check_for_containers_fails_without_a_beat(self) -> None:
        with pytest.raises(CommandError):
            call_command("qcluster", "--check")
        Heartbeat.objects.update_or_create(name=WORKER_BEAT, defaults={"at": timezone.now()})
        call_command("qcluster", "--check")
