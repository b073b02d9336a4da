"""
The database keeps the figures itself, whatever changes the log and however.

That they are right after everything the engine does is asked at the end of each of its tests (`figures_are_kept`).
"""

from __future__ import annotations

import copy
import io
import json
import threading
from collections.abc import Iterator
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from django.contrib.contenttypes.models import ContentType
from django.core.management import CommandError, call_command
from django.db import connection, connections, transaction
from django.db.utils import ConnectionHandler

from campaigns import figure_triggers, kept_figures, lifecycle, optouts, receipts, resending
from campaigns.models import Campaign, Figure, MessageStatus, OptOutSource, Purpose, SentMessage
from campaigns.reports import campaign_figures
from campaigns.resendable import RESENDABLE
from campaigns.sending.bulk_insert import bulk_insert
from campaigns.sending.bulk_update import update_rows
from campaigns.sending.dispatch import send_waiting
from campaigns.sending.recovery import expire_leases, leave_unknown
from campaigns.single import queue_single
from sms_backends import (
    DeliveryReceipt,
    DeliveryStatus,
    OutcomeUnknownError,
    Reason,
    RecipientRejectedError,
)
from tests.campaigns.building import (
    an_hour_passes,
    assert_adds_up,
    frozen,
    handed_over,
    launched,
    make_campaign,
    make_contact,
    make_group,
    make_message,
    number,
    send,
    the_lease_runs_out,
)
from tests.campaigns.crowd import Crowd


def kept(**filters: Any) -> dict[str, tuple[Any, ...]]:
    """Messages, segments and price by state, as they are kept."""
    found: dict[str, tuple[Any, ...]] = {}
    for row in Figure.objects.filter(**filters):
        n, segments, price = found.get(row.status, (0, 0, Decimal()))
        found[row.status] = (n + row.messages, segments + row.segments, price + row.price)
    return {status: sums for status, sums in found.items() if any(sums)}


def numbers_of(sums: dict[str, tuple[Any, ...]]) -> dict[str, int]:
    return {status: n for status, (n, _segments, _price) in sums.items()}


def lose_triggers() -> None:
    """As a migration of the table does it on SQLite."""
    kept_figures.stop_keeping()


def run(*arguments: str) -> str:
    out = io.StringIO()
    call_command("check_figures", *arguments, stdout=out, stderr=io.StringIO())
    return out.getvalue()


# --- what the engine does ----------------------------------------------------------------------------------------


@pytest.mark.django_db
class TestWhateverTheEngineDoes:
    @pytest.fixture(autouse=True)
    def _provider(self, provider, woken):
        self.provider = provider

    def test_a_freeze_with_doubles_and_people_left_out_is_kept(self):
        group = make_group(contacts=3)
        make_contact("+5215512345678", group)
        make_contact("+525512345678", group)  # the same number, as it was written before 2019
        optouts.record_opt_out(number(1), source=OptOutSource.OPERATOR)
        campaign = make_campaign(group)
        lifecycle.launch(campaign, actor=None)
        frozen(campaign)
        assert numbers_of(kept(campaign=campaign)) == {"queued": 3, "suppressed": 2}
        assert {figure.reason for figure in Figure.objects.filter(status="suppressed")} == {"opted_out", "duplicate"}

    def test_claim_and_intent_are_kept_with_their_day(self):
        campaign = launched(contacts=3)
        handed_over(campaign)
        assert numbers_of(kept()) == {"sending": 3}
        assert kept(day=None) == {}

    def test_answers_of_every_kind_are_kept(self):
        self.provider.refusals[number(1)] = RecipientRejectedError("No", reason=Reason.BARRED)
        campaign = send(launched(contacts=3))
        assert numbers_of(kept(campaign=campaign)) == {"rejected": 1, "sent": 2}
        assert numbers_of(kept(reason="barred")) == {"rejected": 1}
        assert_adds_up(campaign)

    def test_doubt_and_the_operators_word_are_kept(self):
        campaign = launched(contacts=2)
        self.provider.fail_next(OutcomeUnknownError("Time-out"))
        send(campaign)
        assert numbers_of(kept()) == {"unknown": 2}
        an_hour_passes()
        leave_unknown(SentMessage.objects.values_list("pk", flat=True), actor=None)
        assert numbers_of(kept()) == {"unknown": 2}

    def test_the_messages_of_a_dead_worker_are_kept(self):
        handed_over(launched(contacts=2))
        the_lease_runs_out()
        expire_leases()
        assert numbers_of(kept()) == {"unknown": 2}

    def test_receipts_are_kept(self):
        campaign = send(launched(contacts=2))
        sent = SentMessage.objects.order_by("pk")[0]
        for status in (DeliveryStatus.UNDELIVERED, DeliveryStatus.DELIVERED, DeliveryStatus.DELIVERED):
            receipts.receive("default", [DeliveryReceipt(sent.provider_message_id, sent.phone_number, status)])
        assert numbers_of(kept(campaign=campaign)) == {"delivered": 1, "sent": 1}

    def test_cancelling_and_opting_out_are_kept(self):
        campaign = launched(contacts=3)
        optouts.record_opt_out(number(1), source=OptOutSource.KEYWORD)
        lifecycle.cancel(campaign, actor=None)
        assert numbers_of(kept(campaign=campaign)) == {"cancelled": 2, "suppressed": 1}

    def test_a_child_is_kept_beside_its_parent(self):
        campaign = launched(contacts=2)
        handed_over(campaign)
        the_lease_runs_out()
        expire_leases()
        send(campaign)
        an_hour_passes()
        child = resending.make_child(campaign, RESENDABLE, actor=None)
        send(frozen(child))
        assert numbers_of(kept(campaign=campaign)) == {"unknown": 2}
        assert numbers_of(kept(campaign=child)) == {"sent": 2}

    def test_single_messages_are_kept_without_a_campaign(self):
        queue_single(number(1), "Hello", purpose=Purpose.QUICK)
        assert not send_waiting(None, seconds=60)
        assert numbers_of(kept(campaign=None)) == {"sent": 1}

    def test_a_page_reads_what_was_folded_and_what_was_not(self):
        campaign = launched(contacts=3)
        kept_figures.fold()
        send(campaign)
        assert campaign_figures(campaign).messages["sent"] == 3


# --- whatever is written, by whatever statement ------------------------------------------------------------------


@pytest.mark.django_db
class TestWhateverTheStatement:
    def test_segments_and_price_are_kept_too(self):
        message = make_message(segment_count=3, price=Decimal("0.00001"))
        make_message(number(2), segment_count=2, price=Decimal("123456.78901"))
        assert kept() == {"queued": (2, 5, Decimal("123456.78902"))}
        SentMessage.objects.filter(pk=message.pk).update(segment_count=1, price=None)
        assert kept() == {"queued": (2, 3, Decimal("123456.78901"))}

    def test_money_does_not_drift(self):
        for n in range(30):
            make_message(number(n), price=Decimal("0.1"))
        for _again in range(5):
            SentMessage.objects.update(price=Decimal("0.7"))
            SentMessage.objects.update(price=Decimal("0.1"))
        with connection.cursor() as cursor:  # as it is stored: Django would round it
            cursor.execute(f"SELECT SUM(price) FROM {figure_triggers.FIGURES} WHERE price <> 0")
            assert cursor.fetchone()[0] == 3

    def test_every_part_of_the_key_may_change(self):
        make_message(region="RU")
        changes = {"gateway": "backup", "region": "DE", "day": date(2026, 11, 26), "reason": "x", "status": "claimed"}
        for name, value in changes.items():
            SentMessage.objects.update(**{name: value})
            assert kept_figures.differences() == []
            assert kept(**{name: value}), name

    def test_a_row_that_is_there_already_is_not_counted_again(self):
        campaign = make_campaign()
        contact = make_contact(number(1))
        row = {"campaign": campaign, "contact": contact, "phone_number": number(1), "canonical_number": number(1)}
        for _again in range(2):
            SentMessage.objects.bulk_create([SentMessage(body="Hello", **row)], ignore_conflicts=True)
        assert numbers_of(kept()) == {"queued": 1}

    def test_an_upsert_is_a_change_where_the_row_is_there(self):
        message = make_message()
        SentMessage.objects.bulk_create(
            [
                SentMessage(pk=message.pk, phone_number=number(1), body="Hello", segment_count=4, reason="late"),
                SentMessage(pk=message.pk + 1, phone_number=number(2), body="Hello", segment_count=1),
            ],
            update_conflicts=True,
            unique_fields=["pk"],
            update_fields=["segment_count", "reason"],
        )
        assert kept(reason="late") == {"queued": (1, 4, 0)}
        assert kept(reason="") == {"queued": (1, 1, 0)}

    def test_rows_written_and_changed_in_sets_are_kept(self):
        values = [(number(n), number(n), "Hello", n) for n in range(1, 4)]
        bulk_insert(SentMessage, ("phone_number", "canonical_number", "body", "segment_count"), values)
        assert kept() == {"queued": (3, 6, 0)}
        ids = SentMessage.objects.order_by("pk").values_list("pk", flat=True)
        update_rows(SentMessage, ["segment_count"], [(10 * n, pk) for n, pk in enumerate(ids, 1)], status="claimed")
        assert kept() == {"claimed": (3, 60, 0)}

    def test_what_is_taken_back_was_not_counted(self):
        make_message()
        with transaction.atomic():
            SentMessage.objects.update(status=MessageStatus.CANCELLED)
            transaction.set_rollback(True)
        assert numbers_of(kept()) == {"queued": 1}

    def test_what_is_deleted_is_not_counted_any_more(self):
        make_message()
        make_message(number(2), segment_count=2)
        SentMessage.objects.filter(phone_number=number(2)).delete()
        assert kept() == {"queued": (1, 0, 0)}

    def test_an_update_of_nothing_that_is_counted_writes_no_figures(self):
        make_message()
        before = list(Figure.objects.values_list("pk", "messages"))
        SentMessage.objects.update(poll_count=3)
        SentMessage.objects.update(status="queued")
        assert list(Figure.objects.values_list("pk", "messages")) == before


@pytest.mark.postgresql
@pytest.mark.django_db
def test_an_emptied_log_has_no_figures():
    make_message()
    with connection.cursor() as cursor:
        cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")
        cursor.execute(f"TRUNCATE {figure_triggers.LOG} CASCADE")
    assert not Figure.objects.exists()


# --- folding -----------------------------------------------------------------------------------------------------


@pytest.mark.postgresql
@pytest.mark.django_db
class TestFolding:
    def test_one_row_is_left_for_each_key_and_none_for_what_is_nobodys(self, provider):
        campaign = launched(contacts=3)
        kept_figures.fold()
        send(campaign)
        assert kept_figures.fold() > 0
        assert [(f.status, f.messages, f.is_folded) for f in Figure.objects.all()] == [("sent", 3, True)]
        assert kept_figures.fold() == 0

    def test_two_rows_of_one_key_become_one(self):
        make_message()
        kept_figures.fold()
        figure = Figure.objects.get()
        Figure.objects.filter(pk=figure.pk).update(messages=5)
        Figure.objects.create(status="queued", gateway="default", messages=-5, is_folded=True)
        make_message(number(2))
        make_message(number(3))
        Figure.objects.filter(messages=1).update(messages=1)
        kept_figures.fold()
        assert [f.messages for f in Figure.objects.all()] == [2]
        kept_figures.repair()


@pytest.mark.postgresql
@pytest.mark.django_db(transaction=True)
def test_figures_are_right_at_every_moment_while_workers_write_and_others_fold_and_mend():
    campaign = make_campaign()
    Campaign.objects.filter(pk=campaign.pk).update(audience=200)
    for n in range(200):
        make_message(number(n), campaign=campaign, segment_count=n % 3)
    ids = list(SentMessage.objects.values_list("pk", flat=True))
    looks: list[bool] = []
    folded: list[int] = []

    def change(half: int) -> None:
        rows = SentMessage.objects.filter(pk__in=ids[half::2])
        rows.filter(status="queued").update(status="claimed", day=date(2026, 11, 26))
        rows.filter(status="claimed").update(status="queued", segment_count=half)

    def look() -> None:
        looks.append(campaign_figures(campaign).adds_up)
        assert kept_figures.differences() == []

    crowd = Crowd()
    for step in (lambda: change(0), lambda: change(1), look, kept_figures.repair):
        crowd.repeat(step)
    for _twice in range(2):
        crowd.repeat(lambda: folded.append(kept_figures.fold()))
    crowd.work_until(lambda: len(looks) > 20 and sum(folded) > 100, seconds=60)

    assert crowd.errors == []
    assert set(looks) == {True}
    assert sum(folded) > 100
    kept_figures.fold()
    assert not Figure.objects.filter(is_folded=False).exists()


@pytest.mark.postgresql
@pytest.mark.django_db(transaction=True)
def test_a_change_of_a_message_does_not_wait_for_whoever_has_locked_the_campaign():
    """They would wait for each other if that one then wanted the message: pausing and cancelling do."""
    campaign = make_campaign()
    message = make_message(campaign=campaign)

    def change() -> None:
        with connection.cursor() as cursor:
            cursor.execute("SET lock_timeout = '3s'")
        try:
            SentMessage.objects.filter(pk=message.pk).update(status="claimed")
            changed.append(True)
        finally:
            connection.close()

    changed: list[bool] = []
    with transaction.atomic():
        Campaign.objects.select_for_update().get(pk=campaign.pk)
        thread = threading.Thread(target=change)
        thread.start()
        thread.join()
    assert changed


# --- differences, found and mended -------------------------------------------------------------------------------


@pytest.mark.django_db
class TestChecking:
    def test_all_is_well(self):
        make_message()
        assert "what counting gives" in run()
        assert json.loads(run("--json")) == {"were_kept": True, "differences": [], "repaired": False}

    def test_a_wrong_figure_is_said_in_words_and_mended(self):
        campaign = make_campaign()
        make_message(campaign=campaign, status="sent", region="RU", segment_count=2, day=date(2026, 11, 26))
        kept_figures.fold()
        Figure.objects.update(messages=7)
        out = io.StringIO()
        with pytest.raises(CommandError, match="--repair"):
            call_command("check_figures", stdout=out)
        assert out.getvalue() == (
            f"Campaign {campaign.pk}, sent, default, RU, 2026-11-26: kept are 7 messages, 2 segments "
            "(2 without a price), price 0.00000; counted were 1 messages, 2 segments (2 without a price), "
            "price 0.00000.\n"
        )
        assert "mended" in run("--repair")
        assert kept() == {"sent": (1, 2, 0)}
        assert "what counting gives" in run("--repair")

    @pytest.mark.parametrize("wrong", [{"segments": 1}, {"price": Decimal("0.00001")}, {"reason": "no"}])
    def test_nothing_that_is_kept_may_be_wrong(self, wrong):
        make_message()
        kept_figures.fold()
        Figure.objects.update(**wrong)
        with pytest.raises(CommandError):
            run("--json")
        found = json.loads(run("--repair", "--json"))
        assert found["repaired"]
        assert found["differences"][0]["counted"]["messages"] in (0, 1)
        assert kept_figures.differences() == []

    def test_a_key_of_which_nothing_was_kept_is_found(self):
        make_message()
        Figure.objects.all().delete()
        assert [(d.kept.messages, d.counted.messages) for d in kept_figures.repair()] == [(0, 1)]

    def test_a_lost_trigger_is_found_although_nothing_differs_yet(self):
        lose_triggers()
        with pytest.raises(CommandError, match="not kept"):
            run()
        assert "missing" in run("--repair")
        assert kept_figures.are_kept()

    def test_what_changed_while_the_triggers_were_lost_is_counted(self):
        make_message()
        lose_triggers()
        make_message(number(2))
        assert len(kept_figures.differences()) == 1
        assert kept_figures.ensure()
        assert not kept_figures.ensure()
        make_message(number(3))
        assert numbers_of(kept()) == {"queued": 3}

    def test_triggers_of_another_version_are_replaced(self, monkeypatch):
        with monkeypatch.context() as older:
            lose_triggers()
            older.setattr(figure_triggers, "_NAME", "message_figures_0")
            assert kept_figures.ensure()
        assert kept_figures.ensure()
        make_message()
        assert numbers_of(kept()) == {"queued": 1}


@pytest.mark.postgresql
@pytest.mark.django_db
def test_a_trigger_that_was_switched_off_counts_as_lost():
    with connection.cursor() as cursor:
        cursor.execute(f"ALTER TABLE {figure_triggers.LOG} DISABLE TRIGGER USER")
    assert not kept_figures.are_kept()
    with connection.cursor() as cursor:
        cursor.execute(f"ALTER TABLE {figure_triggers.LOG} ENABLE TRIGGER USER")


# --- migrations --------------------------------------------------------------------------------------------------


@pytest.fixture
def empty_database(db, tmp_path: Path) -> Iterator[None]:
    """Another database of the same kind, without a table, in place of the tests' own."""
    own = connections["default"]
    name = str(tmp_path / "db.sqlite3")
    if own.vendor == "postgresql":
        name = f"{own.settings_dict['NAME']}_migrated"
        with own._nodb_cursor() as cursor:
            cursor.execute(f'DROP DATABASE IF EXISTS "{name}"')
            cursor.execute(f'CREATE DATABASE "{name}"')
    connections["default"] = other = ConnectionHandler({"default": {**own.settings_dict, "NAME": name}})["default"]
    try:
        yield
    finally:
        other.close()
        connections["default"] = own
        ContentType.objects.clear_cache()
        if own.vendor == "postgresql":
            with own._nodb_cursor() as cursor:
                cursor.execute(f'DROP DATABASE "{name}"')


def write_by_hand(first: int, count: int) -> None:
    """Messages as they stood in the log before there were figures."""
    names = [field.column for field in SentMessage._meta.concrete_fields if field.name not in {"id", "day", "price"}]
    rows = [SentMessage(phone_number=number(n), body="Hello", segment_count=2) for n in range(first, first + count)]
    values = [
        [
            field.get_db_prep_save(field.pre_save(row, True), connection)
            for field in SentMessage._meta.concrete_fields
            if field.column in names
        ]
        for row in rows
    ]
    marks = ", ".join(["%s"] * len(names))
    with connection.cursor() as cursor:
        cursor.executemany(f"INSERT INTO {figure_triggers.LOG} ({', '.join(names)}) VALUES ({marks})", values)


@pytest.mark.django_db
def test_an_installation_with_messages_is_upgraded_and_can_be_taken_back(empty_database):
    call_command("migrate", "contenttypes", verbosity=0)  # asks for nothing that is not there yet
    call_command("migrate", "campaigns", "0004", verbosity=0)
    write_by_hand(1, 3)
    call_command("migrate", verbosity=0)
    assert kept() == {"queued": (3, 6, 0)}
    write_by_hand(4, 2)
    assert kept_figures.differences() == []
    call_command("migrate", "campaigns", "0004", verbosity=0)
    write_by_hand(6, 1)
    call_command("migrate", verbosity=0)
    assert kept() == {"queued": (6, 12, 0)}


@pytest.mark.django_db
def test_a_migration_that_rebuilds_the_tables_leaves_the_figures_kept(empty_database):
    call_command("migrate", verbosity=0)
    write_by_hand(1, 3)
    kept_figures.stop_keeping()
    with connection.schema_editor() as editor:
        for model in (Figure, SentMessage):
            field = model._meta.get_field("reason")
            longer = copy.copy(field)
            longer.max_length = 41
            editor.alter_field(model, field, longer, strict=True)
    assert kept_figures.ensure()
    write_by_hand(4, 1)
    assert kept() == {"queued": (4, 8, 0)}
