"""The figures by day, which the dashboard reads: kept with those of the campaigns, and as right at every moment."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.core.management import call_command
from django.db import connection, transaction
from django.utils import timezone

from campaigns import day_figures, figure_triggers, kept_figures, past_days
from campaigns.models import NO_DELAY, WHOLE_DAY, DayFigure, SentMessage
from campaigns.sending.openings import fail_too_late, round_end
from campaigns.sending.sweeper import sweep
from campaigns.spent import today
from sms_backends import DeliveryStatus, Reason, RecipientRejectedError
from tests.campaigns.building import (
    handed_over,
    launched,
    make_campaign,
    make_message,
    number,
    report,
    send,
)
from tests.campaigns.crowd import Crowd

NOON = datetime(2026, 3, 5, 12, 34, tzinfo=UTC)


def rows(**filters: Any) -> list[DayFigure]:
    """What is kept, everything folded; rows of which nothing is left are as good as none."""
    kept_figures.fold()
    return list(DayFigure.objects.filter(**filters).exclude(messages=0).order_by("status", "reason", "hour", "delay"))


def by_state(**filters: Any) -> dict[str, int]:
    found: dict[str, int] = {}
    for row in rows(**filters):
        found[row.status] = found.get(row.status, 0) + row.messages
    return {status: n for status, n in found.items() if n}


def sent_message(n: int = 1, **fields: Any) -> SentMessage:
    """Taken on a day long ago."""
    values = {"status": "sent", "sent_at": NOON, "status_at": NOON, "day": NOON.date(), "region": "RU"}
    return make_message(number(n), **{**values, **fields})


# --- what the engine does ------------------------------------------------------------------------------------------


@pytest.mark.django_db
class TestWhateverTheEngineDoes:
    @pytest.fixture(autouse=True)
    def _provider(self, provider, woken):
        self.provider = provider

    def test_what_waits_or_is_being_handed_over_is_in_no_day_yet(self):
        handed_over(launched(contacts=2))
        assert rows() == []

    def test_what_was_taken_refused_and_delivered_counts_on_the_day_of_its_hand_over(self):
        self.provider.refusals[number(1)] = RecipientRejectedError("No", reason=Reason.BARRED)
        send(launched(contacts=3))
        assert by_state(day=today()) == {"rejected": 1, "sent": 2}
        assert [row.reason for row in rows(status="rejected")] == ["barred"]
        report(DeliveryStatus.DELIVERED, 2)
        assert by_state() == by_state(day=today()) == {"delivered": 1, "rejected": 1, "sent": 1}

    def test_what_was_given_up_in_time_has_a_day_too(self):
        launched(contacts=2)
        fail_too_late(SentMessage.objects.all(), round_end())
        assert by_state(day=today()) == {"failed": 2}
        assert set(SentMessage.objects.values_list("day", flat=True)) == {today()}


# --- days, hours, delays, money ------------------------------------------------------------------------------------


@pytest.mark.django_db
class TestOneMessage:
    def test_a_late_receipt_changes_the_day_of_sending(self):
        message = sent_message()
        kept_figures.fold()
        day_figures.close_days()
        message.status, message.status_at = "delivered", NOON + timedelta(days=2)
        message.save()
        assert by_state(day=NOON.date()) == {"delivered": 1}
        assert by_state() == {"delivered": 1}

    def test_its_hour_is_that_in_which_it_was_taken(self):
        sent_message(status="delivered", status_at=NOON + timedelta(hours=3))
        assert [row.hour for row in rows()] == [NOON.replace(minute=0)]

    def test_what_was_never_taken_has_the_hour_of_its_end(self):
        sent_message(status="failed", sent_at=None, day=None, status_at=NOON)
        assert [(row.day, row.hour) for row in rows()] == [(NOON.date(), NOON.replace(minute=0))]

    @pytest.mark.parametrize(
        ("seconds", "delay"), [(-3, 0), (0, 0), (4, 0), (7, 1), (59, 4), (61, 5), (3599, 8), (86401, 11)]
    )
    def test_how_long_delivery_took_is_kept_in_steps(self, seconds, delay):
        sent_message(status="delivered", status_at=NOON + timedelta(seconds=seconds))
        assert [row.delay for row in rows()] == [delay]

    def test_what_was_not_delivered_has_no_delay(self):
        sent_message(status="undelivered", status_at=NOON + timedelta(seconds=7))
        sent_message(2, status="delivered", sent_at=None)
        assert {row.delay for row in rows()} == {NO_DELAY}

    def test_money_that_was_said_is_told_from_money_that_is_expected(self):
        sent_message(1, segment_count=2, cost=Decimal("1.5"), currency="EUR", price=Decimal(9))
        sent_message(2, segment_count=3, price=Decimal("2.25"))
        sent_message(3, segment_count=4)
        found = {row.currency: (row.segments, row.cost, row.expected_cost, row.uncosted_segments) for row in rows()}
        assert found == {"EUR": (2, Decimal("1.5"), 0, 0), "": (7, 0, Decimal("2.25"), 4)}

    def test_a_deleted_message_is_taken_off(self):
        sent_message()
        kept_figures.fold()
        SentMessage.objects.all().delete()
        assert rows() == []


# --- closing -------------------------------------------------------------------------------------------------------


@pytest.mark.django_db
class TestClosingDays:
    def test_the_hours_of_a_day_that_is_over_become_one_row(self):
        sent_message(1, price=Decimal("0.1"))
        sent_message(2, sent_at=NOON + timedelta(hours=1), price=Decimal("0.2"))
        assert len(rows()) == 2
        assert day_figures.close_days()
        (row,) = rows()
        assert (row.hour, row.messages, row.expected_cost) == (WHOLE_DAY, 2, Decimal("0.3"))
        sent_message(3, sent_at=NOON + timedelta(hours=2))
        kept_figures.fold()
        day_figures.close_days()
        assert [(row.hour, row.messages) for row in rows()] == [(WHOLE_DAY, 3)]

    def test_today_and_yesterday_keep_their_hours(self):
        now = timezone.now()
        sent_message(1, sent_at=now, day=today())
        sent_message(2, sent_at=now - timedelta(days=1), day=today() - timedelta(days=1))
        kept_figures.fold()
        day_figures.close_days()
        assert WHOLE_DAY not in {row.hour for row in rows()}

    def test_the_sweeper_folds_and_closes(self, woken, provider):
        sent_message()
        sweep()
        assert [row.hour for row in DayFigure.objects.all()] == [WHOLE_DAY]

    def test_a_crash_in_the_middle_changes_nothing(self):
        sent_message()
        kept_figures.fold()
        with transaction.atomic():
            day_figures.close_days()
            transaction.set_rollback(True)
        assert [row.hour for row in rows()] == [NOON.replace(minute=0)]


# --- differences ---------------------------------------------------------------------------------------------------


@pytest.mark.django_db
class TestChecking:
    def test_a_wrong_figure_is_found_named_and_mended(self):
        sent_message(segment_count=2)
        kept_figures.fold()
        DayFigure.objects.update(messages=7)
        (found,) = kept_figures.differences()
        assert str(found) == (
            "2026-03-05, sent, default, RU: kept are 7 messages, 2 segments, cost 0.00000, expected 0.00000; "
            "counted were 1 messages, 2 segments, cost 0.00000, expected 0.00000."
        )
        assert kept_figures.repair() == [found]
        assert by_state() == {"sent": 1}

    def test_what_happened_while_nothing_was_kept_is_counted_when_the_triggers_come_back(self):
        kept_figures.stop_keeping()
        sent_message()
        assert kept_figures.ensure()
        assert not past_days.count_portion()
        assert by_state() == {"sent": 1}


@pytest.mark.postgresql
@pytest.mark.django_db
def test_an_emptied_log_has_no_days():
    sent_message()
    kept_figures.fold()
    with connection.cursor() as cursor:
        cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")
        cursor.execute(f"TRUNCATE {figure_triggers.LOG} CASCADE")
    assert not DayFigure.objects.exists()


@pytest.mark.postgresql
@pytest.mark.django_db(transaction=True)
def test_days_are_right_at_every_moment_while_workers_write_and_others_fold_close_and_mend():
    campaign = make_campaign()
    for n in range(120):
        sent_message(n, campaign=campaign, sent_at=NOON + timedelta(hours=n % 5), segment_count=n % 3)
    ids = list(SentMessage.objects.values_list("pk", flat=True))
    changes: list[int] = []
    looks: list[int] = []

    def change(half: int) -> None:
        some = SentMessage.objects.filter(pk__in=ids[half::2])
        changes.append(some.update(sent_at=NOON + timedelta(hours=len(changes) % 3), reason=f"r{half}"))
        some.update(day=date(2026, 3, 5 + half), cost=len(changes) % 7, currency="EUR")

    def look() -> None:
        assert kept_figures.differences() == []
        with connection.cursor() as cursor:
            first, last = date(2026, 3, 1), date(2026, 3, 31)
            parameters = day_figures.day_parameters(first, last)
            cursor.execute(f"SELECT SUM(messages) FROM ({day_figures.rows_between()}) AS found", parameters)
            looks.append(cursor.fetchone()[0])

    crowd = Crowd()
    for step in (lambda: change(0), lambda: change(1), look, kept_figures.repair):
        crowd.repeat(step)
    for _twice in range(2):
        crowd.repeat(kept_figures.fold)
        crowd.repeat(day_figures.close_days)
    crowd.work_until(lambda: len(looks) > 20 and len(changes) > 20, seconds=60)
    assert crowd.errors == []
    assert set(looks) == {120}
    assert by_state() == {"sent": 120}


@pytest.mark.django_db(transaction=True)
def test_nothing_is_left_of_the_figures_when_the_database_is_emptied():
    make_message(status="sent", sent_at=timezone.now())
    call_command("flush", interactive=False, verbosity=0)
    assert not DayFigure.objects.exists()
