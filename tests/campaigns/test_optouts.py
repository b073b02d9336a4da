"""An opt-out is kept by number, above everything, and takes effect at once."""

from __future__ import annotations

import pytest

from campaigns import optouts
from campaigns.models import AuditEvent, Contact, MessageStatus, OptOut, OptOutSource, SentMessage
from sms_backends.phone_numbers import InvalidPhoneNumber
from tests.campaigns.building import assert_adds_up, launched, make_message, make_user, message_to, number, statuses

pytestmark = pytest.mark.django_db


def test_what_waits_is_suppressed_in_every_campaign_and_nothing_else_is_touched():
    campaign = launched(contacts=2)
    single = make_message(number(1))
    taken = make_message(number(1), status=MessageStatus.SENT)
    in_flight = make_message(number(1), status=MessageStatus.SENDING)
    optouts.record_opt_out(number(1), source=OptOutSource.KEYWORD, note="STOP")
    assert statuses(campaign) == {"suppressed": 1, "queued": 1}
    found = dict(SentMessage.objects.filter(campaign=None).values_list("pk", "status"))
    assert found == {single.pk: "suppressed", taken.pk: "sent", in_flight.pk: "sending"}
    message = message_to(number(1), campaign)
    assert (message.reason, message.reason_text) == ("opted_out", "")
    assert_adds_up(campaign)


def test_the_first_entry_is_kept():
    user = make_user()
    first = optouts.record_opt_out(number(1), source=OptOutSource.KEYWORD, note="STOP")
    again = optouts.record_opt_out(number(1), source=OptOutSource.OPERATOR, note="asked twice", actor=user)
    assert (again.pk, again.source, again.note) == (first.pk, "keyword", "STOP")
    assert AuditEvent.objects.filter(action="opt_out").count() == 1


def test_two_histories_of_a_number_are_one_opt_out():
    waiting = make_message("+525512345678")
    optouts.record_opt_out("+5215512345678", source=OptOutSource.KEYWORD)
    optouts.record_opt_out("+525512345678", source=OptOutSource.KEYWORD)
    waiting.refresh_from_db()
    assert waiting.status == MessageStatus.SUPPRESSED
    assert OptOut.objects.count() == 1


def test_an_opt_out_outlives_its_contact():
    Contact.objects.create(phone_number=number(1))
    optouts.record_opt_out(number(1), source=OptOutSource.OPERATOR)
    Contact.objects.all().delete()
    assert OptOut.objects.get().phone_number == number(1)


def test_lifting_it_needs_a_reason_and_brings_no_suppressed_message_back():
    message = make_message(number(1))
    optouts.record_opt_out(number(1), source=OptOutSource.OPERATOR)
    assert optouts.lift_opt_out(number(1), note="wrote START", actor=make_user()) is True
    assert optouts.lift_opt_out(number(1), note="again", actor=None) is False
    assert not OptOut.objects.exists()
    message.refresh_from_db()
    assert message.status == MessageStatus.SUPPRESSED
    entry = AuditEvent.objects.get(action="opt_in")
    assert (str(entry.actor), entry.details) == ("olga", {"note": "wrote START"})


def test_an_opt_out_in_another_spelling_is_the_same_number():
    optouts.record_opt_out("+7 912 345-00-07", source=OptOutSource.OPERATOR)
    assert OptOut.objects.get().phone_number == "+79123450007"
    assert optouts.lift_opt_out("+7 (912) 345 00 07", note="asked for it", actor=None)


def test_an_opt_out_of_what_is_no_number_is_refused_and_not_kept():
    with pytest.raises(InvalidPhoneNumber):
        optouts.record_opt_out("12345", source=OptOutSource.OPERATOR)
    assert not OptOut.objects.exists()
