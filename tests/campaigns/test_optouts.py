"""An opt-out is kept by number, above everything, and takes effect at once."""

from __future__ import annotations

import pytest

from campaigns import optouts
from campaigns.models import AuditEvent, ConsentChange, Contact, MessageStatus, OptOut, OptOutSource, SentMessage
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


# --- many at once ---------------------------------------------------------------------------------------------------


def test_many_opt_out_at_once_and_what_waits_for_them_is_suppressed():
    campaign = launched(contacts=3)
    held, taken = make_message(number(1), status=MessageStatus.CLAIMED), make_message(number(2), status="sent")
    confirmation = make_message(number(2), purpose="confirm")
    people = list(Contact.objects.filter(phone_number__in=[number(1), number(2)]).values_list("pk", "phone_number"))
    user = make_user()
    said = [(pk, phone.as_e164) for pk, phone in people]
    assert optouts.record_opt_outs(said, source=OptOutSource.OPERATOR, note="chosen", actor=user) == 2
    assert statuses(campaign) == {"suppressed": 2, "queued": 1}
    found = dict(SentMessage.objects.filter(campaign=None).values_list("pk", "status"))
    assert found == {held.pk: "suppressed", taken.pk: "sent", confirmation.pk: "queued"}
    assert sorted(OptOut.objects.values_list("canonical_number", "source", "note", "created_by")) == [
        (number(n), "operator", "chosen", user.pk) for n in (1, 2)
    ]
    history = ConsentChange.objects.order_by("phone_number").values_list("phone_number", "contact", "act", "actor")
    assert list(history) == [(phone, pk, "opted_out", user.pk) for pk, phone in sorted(said, key=lambda it: it[1])]
    trail = AuditEvent.objects.filter(action="opt_out").order_by("subject").values_list("subject", "details")
    assert list(trail) == [(number(n), {"source": "operator", "note": "chosen"}) for n in (1, 2)]
    assert_adds_up(campaign)


def test_whoever_had_opted_out_before_keeps_the_first_entry_and_what_waits_goes_all_the_same():
    optouts.record_opt_out(number(1), source=OptOutSource.KEYWORD, note="STOP")
    waiting = make_message(number(1))
    dead = optouts.record_opt_out(number(2), source=OptOutSource.DEAD_NUMBER)
    people = [(None, number(1)), (None, number(2)), (None, "+52 1 55 1234 5678"), (None, "+525512345678"), (None, "x")]
    assert optouts.record_opt_outs(people, source=OptOutSource.OPERATOR) == 2
    waiting.refresh_from_db()
    assert (waiting.status, waiting.reason) == ("suppressed", "opted_out")
    assert OptOut.objects.get(canonical_number=number(1)).note == "STOP"
    assert OptOut.objects.get(canonical_number=number(2)).pk != dead.pk, "a person says no: that counts from now on"
    assert OptOut.objects.filter(canonical_number="+525512345678").count() == 1


def test_many_opt_out_with_a_few_queries_for_all(django_assert_max_num_queries):
    people = [(None, number(n)) for n in range(1, 101)]
    with django_assert_max_num_queries(10):
        optouts.record_opt_outs(people, source=OptOutSource.OPERATOR)
    assert OptOut.objects.count() == 100
