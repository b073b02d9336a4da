"""A person who was erased is nowhere to be found, still counts, and is not written to again."""

from __future__ import annotations

import json
from typing import Any

import pytest
from django.apps import apps
from django.contrib.admin.models import CHANGE, LogEntry
from django.contrib.contenttypes.models import ContentType
from django.core.files.base import ContentFile
from django.db import IntegrityError

from campaigns import consent, erasing, importing, lifecycle, optouts, receipts, replies
from campaigns.audience import opted_out_numbers, plan
from campaigns.composing import Template
from campaigns.merging import note_number_change
from campaigns.models import (
    Attempt,
    AuditEvent,
    Campaign,
    Consent,
    Contact,
    ContactImport,
    Conversation,
    Erasure,
    FormerNumber,
    InboundMessage,
    MessageEvent,
    MessageStatus,
    OptOut,
    OptOutSource,
    SentMessage,
)
from campaigns.person_export import records_about
from campaigns.persons import former_numbers_of
from campaigns.pseudonyms import is_pseudonym, pseudonym, salt
from campaigns.sending.recovery import expire_leases, leave_unknown
from campaigns.sending.sweeper import sweep
from sms_backends import DeliveryReceipt, DeliveryStatus, IncomingSms
from tests.campaigns.building import (
    assert_adds_up,
    frozen,
    handed_over,
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
    the_lease_runs_out,
)
from tests.campaigns.screens import sign_in_superuser, text_of

pytestmark = pytest.mark.django_db

#: Of the person who is erased: what must be nowhere afterwards.
NUMBER, NAME, SAID = "+79123456789", "Zinaida", "my cat is called Murka"


def erase(phone_number: str = NUMBER) -> Erasure:
    return erasing.request_erasure(phone_number, reason="a letter", actor=make_user())


def everywhere() -> str:
    """All that the database holds, as one text."""
    models = [model for model in apps.get_models() if model._meta.app_label in {"campaigns", "admin", "django_q"}]
    return "\n".join(
        json.dumps(list(model._default_manager.values()), default=str, ensure_ascii=False) for model in models
    )


@pytest.fixture
def known(provider, settings, tmp_path) -> Campaign:
    """Somebody who is in every kind of record that there is."""
    settings.MEDIA_ROOT = tmp_path
    group = make_group()
    contact = make_contact(NUMBER, group, first_name=NAME, attributes={"cat": "Murka"})
    consent.record_consent(contact, Consent.GIVEN, source="form", evidence=f"signed by {NAME}")
    provider.extras = {"raw": {"phone": NUMBER, "text": f"Hello {NAME}"}}
    campaign = make_campaign(group, body="Hello {{ first_name }}")
    lifecycle.launch(campaign, actor=None)
    campaign = send(frozen(campaign))
    reference = campaign.messages.get().reference
    receipts.receive(
        "default", [DeliveryReceipt(f"id-{reference}", NUMBER, DeliveryStatus.ACCEPTED, raw={"to": NUMBER})]
    )
    receipts.receive("default", [DeliveryReceipt("foreign", NUMBER, DeliveryStatus.DELIVERED)])
    replies.receive("default", [IncomingSms(NUMBER, SAID, "1234", "in-1", raw={"from": NUMBER, "mes": SAID})])
    replies.receive("default", [IncomingSms(NUMBER, f"STOP, {SAID}", "1234", "in-2")])
    optouts.record_opt_out(NUMBER, source=OptOutSource.KEYWORD, note=f"STOP {SAID}")
    started = importing.start(
        ContentFile(f"phone,name\n{NUMBER},{NAME}\n+79123456780,Other\n".encode(), "people.csv"),
        file_name="people.csv", region="RU",
    )  # fmt: skip
    importing.check(started.pk)
    content_type = ContentType.objects.get_for_model(Contact)
    LogEntry.objects.create(
        user=make_user("boris"), content_type=content_type, object_id=contact.pk, object_repr=str(contact),
        action_flag=CHANGE, change_message=f"[{NAME}]",
    )  # fmt: skip
    return campaign


def test_nothing_that_names_the_person_is_left_anywhere(known):
    before = everywhere()
    for clue in (NUMBER, NUMBER[1:], NAME, "Murka"):
        assert clue in before
    erasure = erase()
    assert erasure.finished_at
    after = everywhere()
    for clue in (NUMBER, NUMBER[1:], NAME, "Murka"):
        assert clue not in after
    assert "+79123456780" in after, "others are left alone"
    assert erasure.outcome["files"] == [ContactImport.objects.get().file.name]


def test_what_was_sent_still_counts(known):
    figures_before = statuses(known)
    erase()
    assert statuses(known) == figures_before
    assert_adds_up(known)
    message = known.messages.get()
    assert (message.body, message.contact, message.segment_count) == ("", None, 1)
    assert is_pseudonym(message.phone_number)
    assert Attempt.objects.filter(message=message, outcome="accepted").exists()
    assert MessageEvent.objects.filter(message=message).exists()


def test_both_acts_are_recorded_without_saying_who_it_was(known):
    erasure = erase()
    trail = list(
        AuditEvent.objects.filter(action__in=["erasure", "erased"]).values_list("action", "subject", "actor__username")
    )
    assert sorted(trail) == [("erased", f"#{erasure.pk}", "olga"), ("erasure", f"#{erasure.pk}", "olga")]
    assert (erasure.reason, str(erasure.requested_by)) == ("a letter", "olga")


# --- the opt-out goes on holding --------------------------------------------------------------------------------------


@pytest.fixture
def opted_out_and_erased() -> None:
    optouts.record_opt_out(NUMBER, source=OptOutSource.KEYWORD, note="STOP")
    erase()


@pytest.mark.usefixtures("opted_out_and_erased")
class TestAnErasedOptOut:
    def test_is_a_salted_hash(self):
        opt_out = OptOut.objects.get()
        assert opt_out.canonical_number == opt_out.phone_number == pseudonym(NUMBER, salt())
        assert len(salt()) == 64

    def test_holds_for_whoever_is_imported_again(self):
        make_contact(NUMBER, first_name="Again")
        make_contact(number(1))
        assert opted_out_numbers([NUMBER, number(1)]) == {NUMBER}
        planned = plan(Contact.objects.order_by("pk"), Template("Hi"), kind="service")
        assert [one.reason for one in planned] == ["opted_out", ""]

    def test_holds_at_the_gate(self, provider):
        group = make_group()
        make_contact(NUMBER, group)
        campaign = launched_past_the_freeze(group)
        send(campaign)
        assert not provider.taken
        assert message_to(NUMBER).reason == "opted_out"

    def test_holds_at_the_gate_for_a_single_message(self, provider):
        from campaigns import tasks

        message = make_message(NUMBER, purpose="reply")
        tasks.send_urgent()
        message.refresh_from_db()
        assert (message.status, message.reason) == ("suppressed", "opted_out")

    def test_is_seen_by_the_check_of_an_import(self, settings, tmp_path):
        settings.MEDIA_ROOT = tmp_path
        started = importing.start(ContentFile(f"phone\n{NUMBER}\n".encode(), "a.csv"), file_name="a.csv", region="RU")
        importing.check(started.pk)
        assert ContactImport.objects.get(pk=started.pk).opted_out_count == 1

    def test_is_recorded_once_when_the_person_says_stop_again(self):
        optouts.record_opt_out(NUMBER, source=OptOutSource.KEYWORD)
        assert OptOut.objects.count() == 1
        assert not SentMessage.objects.exists()

    def test_is_lifted_by_the_person(self):
        replies.receive("default", [IncomingSms(NUMBER, "START", "1", "x")])
        assert not OptOut.objects.exists()
        assert opted_out_numbers([NUMBER]) == set()

    def test_stays_one_when_the_person_is_erased_again(self):
        make_contact(NUMBER)
        optouts.record_opt_out(NUMBER, source=OptOutSource.OPERATOR)
        OptOut.objects.create(phone_number=NUMBER, source=OptOutSource.IMPORT)  # put there by other means
        erasing.request_erasure(NUMBER, reason="again", actor=None)
        assert OptOut.objects.get().canonical_number == pseudonym(NUMBER, salt())


def launched_past_the_freeze(group) -> Campaign:
    """Rows that were written before anybody had opted out, as far as the gate can tell."""
    kept = list(OptOut.objects.all())
    OptOut.objects.all().delete()
    campaign = make_campaign(group)
    lifecycle.launch(campaign, actor=None)
    campaign = frozen(campaign)
    OptOut.objects.bulk_create(kept)
    assert statuses(campaign) == {"queued": 1}
    return campaign


# --- while sending is under way ---------------------------------------------------------------------------------------


def test_what_waits_is_cancelled_first(provider):
    campaign = launched(contacts=2)
    assert erase(number(1)).finished_at
    assert statuses(campaign) == {"cancelled": 1, "queued": 1}
    send(campaign)
    assert provider.copies() == {number(2): 1}
    assert_adds_up(campaign)


def test_what_is_being_handed_over_is_waited_for(provider):
    campaign = launched(contacts=2)
    handed_over(campaign)
    erasure = erase(number(1))
    assert not erasure.finished_at
    assert erasing.on_their_way(number(1)) == 1
    message = message_to(number(1), campaign)
    assert (message.status, message.body) == ("sending", "Hello")
    assert not Contact.objects.filter(phone_number=number(1)).exists(), "but the contact is gone at once"
    the_lease_runs_out()
    expire_leases()
    erasing.finish_erasures()
    assert Erasure.objects.filter(finished_at=None).exists(), "nobody knows whether it was taken"
    leave_unknown([message.pk], actor=None)
    sweep()
    erasure.refresh_from_db()
    assert erasure.finished_at
    assert is_pseudonym(erasure.phone_number)
    assert_adds_up(campaign)


def test_asked_for_twice_while_it_waits_it_is_one(provider):
    handed_over(launched(contacts=1))
    assert erase(number(1)) == erasing.request_erasure(number(1), reason="again", actor=None)


def test_one_that_fails_keeps_no_other_from_being_finished(provider, monkeypatch):
    handed_over(launched(contacts=2))
    first, second = erase(number(1)), erasing.request_erasure(number(2), reason="x", actor=None)
    SentMessage.objects.update(status=MessageStatus.SENT)
    finish = erasing._finish

    def break_on_the_first(locked: list[Erasure], *args: Any) -> None:
        if first in locked:
            raise RuntimeError("broken")
        finish(locked, *args)

    monkeypatch.setattr(erasing, "_finish", break_on_the_first)
    erasing.finish_erasures()
    first.refresh_from_db()
    second.refresh_from_db()
    assert (first.finished_at is None, second.finished_at is None) == (True, False)


def test_a_contact_that_vanishes_while_its_row_is_being_written_does_not_stop_the_campaign(provider, monkeypatch):
    """Between reading and writing the people of a chunk."""
    from campaigns.sending import freeze as freezing

    campaign = make_campaign(make_group(contacts=2))
    lifecycle.launch(campaign, actor=None)
    write = freezing._write
    gone: list[object] = []

    def write_after_a_deletion(*args: Any) -> None:
        if not gone:
            gone.append(Contact.objects.filter(phone_number=number(1)).delete())
            raise IntegrityError("the contact is not there")
        write(*args)

    monkeypatch.setattr(freezing, "_write", write_after_a_deletion)
    campaign = frozen(campaign)
    assert campaign.status == "sending"
    assert campaign.audience in {1, 2}


# --- what comes later -------------------------------------------------------------------------------------------------


def test_a_late_receipt_finds_the_message_and_brings_nothing_back(known):
    message = known.messages.get()
    erase()
    late = DeliveryReceipt(
        message.provider_message_id, NUMBER, DeliveryStatus.DELIVERED, raw={"to": NUMBER}, provider_text=NAME
    )
    assert receipts.receive("default", [late]) == 1
    message.refresh_from_db()
    assert message.status == MessageStatus.DELIVERED
    assert NUMBER not in everywhere()
    assert NAME not in everywhere()
    assert_adds_up(known)


def test_a_late_receipt_of_somebody_else_is_not_theirs(known):
    message = known.messages.get()
    erase()
    late = DeliveryReceipt(message.provider_message_id, number(1), DeliveryStatus.DELIVERED)
    assert receipts.receive("default", [late]) == 0


def test_the_providers_repetition_of_an_old_message_brings_nothing_back(known):
    erase()
    assert replies.receive("default", [IncomingSms(NUMBER, SAID, "1234", "in-1")]) == 0
    assert InboundMessage.objects.filter(text="").count() == 2
    assert not Conversation.objects.exists()


def test_whoever_comes_back_is_somebody_new(known):
    erase()
    campaign = make_campaign(make_group("New"))
    make_contact(NUMBER, campaign.include_groups.get())
    OptOut.objects.all().delete()
    lifecycle.launch(campaign, actor=None)
    assert statuses(send(frozen(campaign))) == {"sent": 1}
    assert erasing.request_erasure(NUMBER, reason="again", actor=None).finished_at
    assert NUMBER not in everywhere()


def test_a_number_in_its_old_spelling_is_the_same_person():
    make_contact("+5215512345678")
    make_message("+5215512345678", status=MessageStatus.SENT)
    assert erase("+525512345678").outcome["messages"] == 1
    assert not Contact.objects.exists()


def test_nobody_is_hashed_before_somebody_was_erased(django_assert_num_queries):
    with django_assert_num_queries(2):  # the salt, and the opt-outs
        opted_out_numbers([number(1)])
    assert salt() == ""


# --- numbers of before ------------------------------------------------------------------------------------------------


def test_the_numbers_that_a_person_had_before_are_erased_with_the_one_of_today():
    contact = make_contact(NUMBER)
    FormerNumber.objects.create(contact=contact, phone_number=number(5), was={"first_name": NAME})
    make_message(number(5), status=MessageStatus.SENT, body=f"Hello {NAME}")
    optouts.record_opt_out(number(5), source=OptOutSource.KEYWORD)
    assert erase().finished_at
    assert Erasure.objects.filter(finished_at__isnull=False).count() == 2
    assert number(5) not in everywhere()
    assert NAME not in everywhere()
    assert opted_out_numbers([number(5)]) == {number(5)}


def test_a_number_that_is_somebody_elses_by_now_is_left_alone():
    contact = make_contact(NUMBER)
    FormerNumber.objects.create(contact=contact, phone_number=number(5))
    make_contact(number(5))
    message = make_message(number(5), status=MessageStatus.SENT)
    erase()
    message.refresh_from_db()
    assert message.phone_number == number(5)
    assert Contact.objects.get().phone_number.as_e164 == number(5)


def test_whoever_had_the_number_before_keeps_only_that_there_was_one():
    other = make_contact(number(5))
    FormerNumber.objects.create(contact=other, phone_number=NUMBER, was={"first_name": NAME})
    make_contact(NUMBER)
    erase()
    former = FormerNumber.objects.get()
    assert (former.contact, former.was, is_pseudonym(former.phone_number)) == (other, {}, True)


def test_what_tells_that_a_number_was_given_up_loses_it_when_its_next_owner_is_erased(client):
    other = make_contact(number(5))
    note_number_change(other, NUMBER, actor=make_user())
    make_contact(NUMBER)
    erasing.request_erasure(NUMBER, reason="x", actor=None)
    assert NUMBER not in everywhere()
    assert AuditEvent.objects.get(action="change_number").subject == number(5)
    sign_in_superuser(client)
    page = text_of(client.get(f"/admin/campaigns/contact/{other.pk}/change/"))
    assert "A number became a former number, and was erased when somebody else had it" in page
    assert "#" not in page.partition("History")[2]


def test_the_file_for_a_person_has_what_was_sent_to_the_number_of_before():
    contact = make_contact(NUMBER)
    FormerNumber.objects.create(contact=contact, phone_number=number(5))
    make_message(number(5), status=MessageStatus.SENT, body="To the old number")
    records = records_about(NUMBER, *former_numbers_of(NUMBER))
    assert [one["body"] for one in records["messages"]] == ["To the old number"]
    assert [one["phone_number"] for one in records["former_numbers"]] == [number(5)]


# --- many at once -----------------------------------------------------------------------------------------------------


def test_many_are_erased_together_as_each_is_alone(known):
    alone = make_contact(number(7), first_name="Alone")
    make_message(number(7), status=MessageStatus.SENT, body="Hello Alone", contact=alone)
    assert erasing.request_erasures([NUMBER, number(7), "no number"], reason="a letter", actor=make_user()) == 2
    after = everywhere()
    for clue in (NUMBER, NAME, "Murka", number(7), "Alone"):
        assert clue not in after
    outcomes = dict(Erasure.objects.values_list("canonical_number", "outcome"))
    assert outcomes[pseudonym(number(7), salt())] == {
        "cancelled": 0, "contacts": 1, "messages": 1, "incoming": 0, "history": 0, "files": []
    }  # fmt: skip
    assert outcomes[pseudonym(NUMBER, salt())]["incoming"] == 2
    assert AuditEvent.objects.filter(action="erased", actor__username="olga").count() == 2


def test_one_that_is_being_written_to_keeps_the_others_from_nothing(provider):
    campaign = launched(contacts=2)
    handed_over(campaign)
    make_contact(number(3))
    erasing.request_erasures([number(n) for n in (1, 2, 3)], reason="x", actor=None)
    assert not Contact.objects.exists()
    assert Erasure.objects.filter(finished_at=None).count() == 2
    assert message_to(number(1), campaign).body == "Hello"
    SentMessage.objects.update(status=MessageStatus.SENT)
    sweep()
    assert not Erasure.objects.filter(finished_at=None).exists()
    assert not SentMessage.objects.exclude(body="").exists()


def test_many_are_erased_with_a_few_queries_for_all(django_assert_max_num_queries):
    for n in range(1, 31):
        make_contact(number(n))
        make_message(number(n), status=MessageStatus.SENT, body="Hello")
    with django_assert_max_num_queries(60):
        erasing.request_erasures([number(n) for n in range(1, 31)], reason="x", actor=None)
    assert not SentMessage.objects.exclude(body="").exists()


def test_former_numbers_of_many_go_with_them():
    first, second = make_contact(number(1)), make_contact(number(2))
    FormerNumber.objects.create(contact=first, phone_number=number(11))
    FormerNumber.objects.create(contact=second, phone_number=number(12))
    FormerNumber.objects.create(contact=second, phone_number=number(1))  # the first one's by now
    make_contact(number(3))
    erasing.request_erasures([number(1), number(2)], reason="x", actor=None)
    assert Erasure.objects.count() == 4
    assert [it.phone_number.as_e164 for it in Contact.objects.all()] == [number(3)]
