"""What the app does on signals of others."""

from __future__ import annotations

import pytest
from django.db import OperationalError
from django_q.models import Schedule
from django_q.signals import post_spawn

from campaigns import tasks
from campaigns.models import Heartbeat

pytestmark = pytest.mark.django_db


def test_a_worker_that_starts_gives_a_sign_of_life():
    post_spawn.send(sender="django_q", proc_name="worker")
    assert Heartbeat.objects.filter(name="worker").exists()


def test_a_worker_starts_even_while_the_database_is_away(monkeypatch, caplog):
    def fail() -> None:
        raise OperationalError("connection refused")

    monkeypatch.setattr(tasks, "beat", fail)
    post_spawn.send(sender="django_q", proc_name="worker")
    assert "could not be told" in caplog.text


def test_the_sweeper_is_scheduled_each_minute_by_migrations():
    schedule = Schedule.objects.get(name="sweep")
    assert (schedule.func, schedule.minutes, schedule.repeats) == ("campaigns.tasks.sweep", 1, -1)
