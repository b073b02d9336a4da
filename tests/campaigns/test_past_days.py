"""After an upgrade the figures by day are counted in the background, and are exact whatever happens meanwhile."""

from __future__ import annotations

import threading
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from types import SimpleNamespace
from typing import Any, cast

import pytest
from django.apps import AppConfig
from django.core.management import CommandError, call_command
from django.db import connection, transaction
from django.utils import timezone

from campaigns import day_figures, figure_triggers, kept_figures, past_days, receivers, tasks
from campaigns.models import WHOLE_DAY, DayFigure, DayRecount, Figure, SentMessage
from campaigns.sending import sweeper
from tests.campaigns.building import launched, make_campaign, make_message, number, there
from tests.campaigns.crowd import Crowd
from tests.campaigns.screens import sign_in_superuser, text_of

NOON = datetime(2026, 3, 5, 12, 34, tzinfo=UTC)


def sent_message(n: int, **fields: Any) -> SentMessage:
    values = {"status": "sent", "sent_at": NOON, "status_at": NOON, "day": NOON.date(), "region": "RU"}
    return make_message(number(n), **{**values, **fields})


def upgraded() -> None:
    """As after the upgrade of an installation that kept no figures by day."""
    kept_figures.fold()
    kept_figures.stop_keeping()
    DayFigure.objects.all().delete()
    Figure.objects.update(hour=None)
    assert kept_figures.ensure()


def by_state() -> dict[str, int]:
    kept_figures.fold()
    found: dict[str, int] = {}
    for status, messages in DayFigure.objects.values_list("status", "messages"):
        found[status] = found.get(status, 0) + messages
    return {status: n for status, n in found.items() if n}


def left_to() -> int:
    return there(DayRecount.objects.first()).left_to


@pytest.fixture
def small(monkeypatch) -> None:
    """Portions of two messages."""
    monkeypatch.setattr(past_days, "PORTION", 2)


@pytest.mark.django_db
@pytest.mark.usefixtures("small")
class TestCounting:
    def test_an_upgrade_counts_no_day_itself(self):
        messages = [sent_message(n) for n in range(5)]
        upgraded()
        assert by_state() == {}
        assert left_to() == messages[-1].pk
        assert kept_figures.differences() == []  # of what is counted, all is right

    def test_portions_are_counted_from_the_newest_on(self):
        messages = [sent_message(n, sent_at=NOON + timedelta(hours=n)) for n in range(5)]
        upgraded()
        seen = []
        while past_days.count_portion():
            seen.append((left_to(), by_state()["sent"]))
        assert seen == [(messages[2].pk, 2), (messages[0].pk, 4)]
        assert by_state() == {"sent": 5}
        assert (left_to(), past_days.count_portion()) == (0, False)
        assert kept_figures.differences() == []

    def test_what_is_counted_is_all_that_is_kept_of_a_message(self):
        sent_message(1, segment_count=2, cost=Decimal("1.5"), currency="EUR")
        sent_message(2, segment_count=3, price=Decimal("2.25"), status="delivered")
        sent_message(3, status="queued", sent_at=None, day=None)
        upgraded()
        while past_days.count_portion():
            pass
        rows = DayFigure.objects.all()
        found = {row.status: (row.hour, row.segments, row.cost, row.expected_cost, row.delay) for row in rows}
        assert found == {
            "sent": (WHOLE_DAY, 2, Decimal("1.5"), 0, -1),
            "delivered": (WHOLE_DAY, 3, 0, Decimal("2.25"), 0),
        }

    def test_days_that_are_not_over_keep_their_hours(self):
        now = timezone.now()
        sent_message(1, sent_at=now, status_at=now, day=None)
        upgraded()
        past_days.count_portion()
        assert DayFigure.objects.get().hour == now.replace(minute=0, second=0, microsecond=0)

    def test_new_messages_are_kept_meanwhile(self):
        sent_message(1)
        upgraded()
        sent_message(2, status="delivered")
        assert by_state() == {"delivered": 1}
        past_days.count_portion()
        assert by_state() == {"delivered": 1, "sent": 1}

    def test_whatever_changes_before_its_portion_or_after_it_counts_once(self):
        waiting = sent_message(0, status="queued", sent_at=None, day=None)
        messages = [waiting, *(sent_message(n) for n in range(1, 5))]
        upgraded()
        past_days.count_portion()  # the last two
        became = ["cancelled", "delivered", "delivered", "delivered", "undelivered"]
        for message, status in zip(messages, became, strict=True):
            message.status = status
            message.save()
        assert by_state() == {"delivered": 1, "undelivered": 1}
        assert kept_figures.differences() == []
        while past_days.count_portion():
            pass
        assert by_state() == {"cancelled": 1, "delivered": 3, "undelivered": 1}
        assert kept_figures.differences() == []

    def test_a_message_deleted_before_its_portion_or_after_it_is_in_no_figure(self):
        messages = [sent_message(n) for n in range(4)]
        upgraded()
        past_days.count_portion()
        messages[0].delete()
        messages[3].delete()
        while past_days.count_portion():
            pass
        assert by_state() == {"sent": 2}

    def test_a_portion_that_broke_off_is_counted_once(self, monkeypatch):
        for n in range(4):
            sent_message(n)
        upgraded()
        real = day_figures.add_part

        def killed(*bounds: int) -> None:
            real(*bounds)
            raise KeyboardInterrupt

        monkeypatch.setattr(day_figures, "add_part", killed)
        before = left_to()
        with pytest.raises(KeyboardInterrupt), transaction.atomic():
            past_days.count_portion()
        assert (left_to(), by_state()) == (before, {})
        monkeypatch.setattr(day_figures, "add_part", real)
        while past_days.count_portion():
            pass
        assert by_state() == {"sent": 4}

    def test_mending_meanwhile_mends_what_is_counted(self):
        for n in range(4):
            sent_message(n)
        upgraded()
        past_days.count_portion()
        kept_figures.fold()
        DayFigure.objects.update(messages=7)
        with pytest.raises(CommandError):
            call_command("check_figures")
        call_command("check_figures", repair=True)
        assert by_state() == {"sent": 2}
        while past_days.count_portion():
            pass
        assert by_state() == {"sent": 4}
        call_command("check_figures")

    def test_a_second_upgrade_in_the_middle_begins_anew(self):
        for n in range(4):
            sent_message(n)
        upgraded()
        past_days.count_portion()
        upgraded()
        while past_days.count_portion():
            pass
        assert by_state() == {"sent": 4}

    def test_an_empty_log_needs_no_counting(self):
        upgraded()
        assert not DayRecount.objects.exists()
        assert not past_days.count_portion()
        sent_message(1)
        assert by_state() == {"sent": 1}

    def test_triggers_that_kept_the_same_are_replaced_and_nothing_is_counted(self, monkeypatch):
        sent_message(1)
        kept_figures.fold()
        earlier = f"{figure_triggers._PREFIX}{figure_triggers._SAME_SINCE}"
        kept_figures.stop_keeping()
        monkeypatch.setattr(figure_triggers, "_NAME", earlier)
        kept_figures._make(list)
        monkeypatch.undo()
        assert not kept_figures.are_kept()
        assert kept_figures.ensure()
        assert kept_figures.are_kept()
        assert not DayRecount.objects.exists()
        assert by_state() == {"sent": 1}
        there(SentMessage.objects.first()).delete()
        assert by_state() == {}


# --- in the background -----------------------------------------------------------------------------------------------


@pytest.mark.django_db
@pytest.mark.usefixtures("small")
class TestWorking:
    def test_the_sweeper_wakes_it_until_all_is_counted(self, woken, django_capture_on_commit_callbacks):
        for n in range(3):
            sent_message(n)
        upgraded()
        with django_capture_on_commit_callbacks(execute=True):
            sweeper.wake_past_days()
        assert woken == [("count_past_days",)]
        tasks.count_past_days()
        assert by_state() == {"sent": 3}
        sweeper.wake_past_days()
        assert woken == [("count_past_days",)]

    def test_a_task_stops_in_time_and_wakes_itself(self, woken, monkeypatch, django_capture_on_commit_callbacks):
        monkeypatch.setattr(tasks, "TASK_SECONDS", -1)
        for n in range(5):
            sent_message(n)
        upgraded()
        with django_capture_on_commit_callbacks(execute=True):
            tasks.count_past_days()
        assert (woken, by_state()) == ([("count_past_days",)], {"sent": 2})

    def test_while_somebody_counts_nobody_else_does_unless_they_died(self, woken):
        for n in range(5):
            sent_message(n)
        upgraded()
        DayRecount.objects.update(leased_until=timezone.now() + past_days.LEASE)
        assert not past_days.is_waiting()
        assert not past_days.count(seconds=5)
        assert by_state() == {}
        DayRecount.objects.update(leased_until=timezone.now() - timedelta(seconds=1))
        assert past_days.is_waiting()
        assert not past_days.count(seconds=5)
        assert by_state() == {"sent": 5}

    def test_the_dashboard_says_what_is_not_counted_yet(self, client, woken):
        launched(contacts=1)
        messages = [sent_message(n) for n in range(4)]
        SentMessage.objects.filter(pk=messages[1].pk).update(created_at=datetime(2026, 2, 3, 9, 15, tzinfo=UTC))
        upgraded()
        sign_in_superuser(client)
        past_days.count_portion()
        page = text_of(client.get("/admin/"))
        percent = 100 * 2 // messages[-1].pk
        assert "2026" in page.partition("Messages from before")[2].partition("are still being counted")[0]
        assert f"{percent} % of all are done" in page
        while past_days.count_portion():
            pass
        assert "still being counted" not in text_of(client.get("/admin/"))


# --- upgrading -------------------------------------------------------------------------------------------------------


def test_on_the_way_forward_postgresql_goes_on_keeping(monkeypatch):
    ours, app = SimpleNamespace(app_label="campaigns"), cast(AppConfig, SimpleNamespace(name="campaigns"))
    stopped = []
    monkeypatch.setattr(kept_figures, "stop_keeping", lambda: stopped.append(monkeypatch))
    monkeypatch.setattr(receivers, "connection", SimpleNamespace(vendor="postgresql"))

    def migrate(*, is_backwards: bool) -> int:
        receivers.stop_keeping_figures(app_config=app, plan=[(ours, is_backwards)], using="default")
        return len(stopped)

    assert migrate(is_backwards=False) == 0
    assert migrate(is_backwards=True) == 1


@pytest.mark.django_db(transaction=True)
def test_an_upgrade_by_migrate_counts_in_the_background():
    for n in range(3):
        sent_message(n)
    call_command("migrate", "campaigns", "0034", verbosity=0)
    call_command("migrate", verbosity=0)
    assert by_state() == {}
    past_days.count(seconds=5)
    assert by_state() == {"sent": 3}
    assert kept_figures.differences() == []


# --- many at once ----------------------------------------------------------------------------------------------------


@pytest.mark.postgresql
@pytest.mark.django_db(transaction=True)
def test_whoever_changes_the_log_for_long_is_not_waited_for(monkeypatch):
    monkeypatch.setattr(past_days, "PATIENCE_MS", 50)
    message = sent_message(1)
    upgraded()
    changed, over = threading.Event(), threading.Event()

    def change_slowly() -> None:
        with transaction.atomic():
            SentMessage.objects.filter(pk=message.pk).update(status="delivered")
            changed.set()
            over.wait(20)
        connection.close()

    slow = threading.Thread(target=change_slowly)
    slow.start()
    assert changed.wait(20)
    assert past_days.count_portion()
    assert left_to() == message.pk
    over.set()
    slow.join()
    past_days.count_portion()
    assert by_state() == {"delivered": 1}


@pytest.mark.postgresql
@pytest.mark.django_db(transaction=True)
def test_it_is_exact_while_workers_write_and_others_fold_close_and_mend(monkeypatch):
    monkeypatch.setattr(past_days, "PORTION", 3)
    campaign = make_campaign()
    for n in range(240):
        sent_message(n, campaign=campaign, sent_at=NOON + timedelta(hours=n % 5), segment_count=n % 3)
    ids = list(SentMessage.objects.values_list("pk", flat=True))
    upgraded()
    changes: list[int] = []
    looks: list[int] = []

    def change(half: int) -> None:
        with transaction.atomic():
            some = SentMessage.objects.filter(pk__in=ids[half::2])
            changes.append(some.update(sent_at=NOON + timedelta(hours=len(changes) % 3), reason=f"r{half}"))
            some.update(day=date(2026, 3, 5 + half), cost=len(changes) % 7, currency="EUR")

    def look() -> None:
        assert kept_figures.differences() == []
        looks.append(left_to())

    crowd = Crowd()
    for step in (lambda: change(0), lambda: change(1), look, kept_figures.repair, kept_figures.fold):
        crowd.repeat(step)
    for _twice in range(2):
        crowd.repeat(past_days.count_portion)
        crowd.repeat(day_figures.close_days)
    crowd.work_until(lambda: bool(looks) and looks[-1] == 0 and len(looks) > 10, seconds=90)
    assert crowd.errors == []
    assert looks[-1] == 0
    assert len(set(looks)) > 2  # it was looked at in the middle, too
    assert by_state() == {"sent": 240}
