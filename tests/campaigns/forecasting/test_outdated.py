"""A forecast does not hold any more once anything has changed that it depends on, and a look at that is cheap."""

from __future__ import annotations

import threading
from collections.abc import Callable
from datetime import time, timedelta
from typing import Any

import pytest
from django.core.management import call_command
from django.db import connection, transaction
from django.test.utils import CaptureQueriesContext
from django.utils import timezone, translation

from campaigns import consent, merging, optouts
from campaigns.erasing import request_erasure
from campaigns.forecasting import changes, running
from campaigns.forecasting.stamps import persons_of
from campaigns.memberships import add_members
from campaigns.models import (
    AudienceChange,
    AudienceFact,
    Campaign,
    Consent,
    Contact,
    ContactGroup,
    Conversation,
    Forecast,
    GatewayPrice,
    OptOut,
    OptOutSource,
)
from tests.campaigns.building import make_campaign, make_contact, make_group, number, set_prices, there
from tests.campaigns.smart_groups.conditions import attribute, make_smart_group, on, stored

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("woken")]

#: Contacts of the group who have opted out, wait for review, are written in another way, and nothing special.
OPTED_OUT, HELD, PLAIN, OTHER = (number(n) for n in (2, 3, 4, 5))
LIFTED = "An opt-out was lifted, or somebody gets marketing again whose answer was reviewed."
WHO = "Somebody in the chosen groups was changed, or is another person than before."


@pytest.fixture
def campaign() -> Campaign:
    """To ten people, with prices."""
    campaign = make_campaign(make_group(contacts=10), body="Hello {{ first_name }}", texts={"de": "Hallo"})
    optouts.record_opt_out(OPTED_OUT, source=OptOutSource.OPERATOR)
    _hold(HELD)
    set_prices(p7="2", p49="9")
    return campaign


def _hold(phone_number: str) -> None:
    now = timezone.now()
    Conversation.objects.create(
        phone_number=phone_number, canonical_number=phone_number, gateway="default", last_at=now, held_since=now
    )


def person(phone_number: str = PLAIN) -> Contact:
    return Contact.objects.get(phone_number=phone_number)


def group_of(campaign: Campaign) -> ContactGroup:
    return campaign.include_groups.get()


def saved(campaign: Campaign, **fields: Any) -> None:
    for name, value in fields.items():
        setattr(campaign, name, value)
    campaign.save()


# --- what outdates it ------------------------------------------------------------------------------------------------


def exclude_a_group(campaign: Campaign) -> None:
    other = make_group("Others")
    person().groups.add(other)
    campaign.exclude_groups.add(other)


def choose_another_group(campaign: Campaign) -> None:
    other = make_group("Others")
    person().groups.add(other)
    campaign.include_groups.set([other])


def make_it_smart(campaign: Campaign) -> None:
    ContactGroup.objects.update(conditions=stored(on("consent", "equals", "unknown")))


def exchange_somebody(campaign: Campaign) -> None:
    """As many people as before, the last of them changed no later, and their ids have the same sum."""
    group = group_of(campaign)
    outside = [make_contact(number(n)) for n in (70, 71, 72, 73)]
    Contact.objects.filter(pk__in=[it.pk for it in outside]).update(updated_at=timezone.now() - timedelta(days=1))
    group.contacts.add(outside[0], outside[3])
    running.begin(campaign, at_once=True)
    group.contacts.set([*group.contacts.exclude(pk__in=[outside[0].pk, outside[3].pk]), outside[1], outside[2]])


def change_behind_everybodys_back(campaign: Campaign) -> None:
    """Without any trace in the contact itself."""
    Contact.objects.filter(pk=person().pk).update(first_name="Anna")


def merge_two(campaign: Campaign) -> None:
    merging.merge(person(), person(OTHER), actor=None)


def withdraw_consent(campaign: Campaign) -> None:
    consent.record_consent(person(), Consent.WITHDRAWN, source="test")


def end_a_hold(campaign: Campaign) -> None:
    Conversation.objects.update(held_since=None)


def exchange_opt_outs(campaign: Campaign) -> None:
    OptOut.objects.get(phone_number=OPTED_OUT).delete()
    optouts.record_opt_out(PLAIN, source=OptOutSource.OPERATOR)


def exchange_holds(campaign: Campaign) -> None:
    """As many as before, and none later."""
    Conversation.objects.filter(phone_number=HELD).update(held_since=None)
    _hold(PLAIN)
    Conversation.objects.filter(phone_number=PLAIN).update(held_since=timezone.now() - timedelta(days=1))


def erase_somebody(campaign: Campaign) -> None:
    request_erasure(PLAIN, reason="asked", actor=None)


CHANGES: dict[str, tuple[Callable[[Campaign], object], str]] = {
    "text": (lambda it: saved(it, body="Good morning"), "The text was changed."),
    "text of a language": (lambda it: saved(it, texts={"de": "Guten Tag"}), "The text was changed."),
    "kind": (lambda it: saved(it, kind="marketing"), "The kind of the campaign was changed."),
    "gateway": (lambda it: saved(it, gateway="other"), "Another gateway was chosen."),
    "hours": (lambda it: saved(it, window_start=time(9), window_end=time(21)), "Sending hours were set"),
    "days": (lambda it: saved(it, window_days=[1, 2]), "Sending hours were set"),
    "group": (choose_another_group, "Other groups were chosen"),
    "excluded group": (exclude_a_group, "Other groups were chosen"),
    "group made smart": (make_it_smart, "the conditions of one were changed."),
    "somebody comes": (lambda it: make_contact(number(77), group_of(it)), "there are 11 people in them now"),
    "many come": (lambda it: add_members(group_of(it).pk, [make_contact(number(77)).pk]), "there are 11 people"),
    "somebody goes": (lambda it: person().groups.clear(), "there are 9 people in them now"),
    "somebody is deleted": (lambda it: person().delete(), "there are 9 people in them now"),
    "somebody is erased": (erase_somebody, "there are 9 people in them now"),
    "somebody is exchanged": (exchange_somebody, WHO),
    "two are merged": (merge_two, "there are 9 people in them now"),
    "consent": (withdraw_consent, WHO),
    "whatever, by SQL": (change_behind_everybodys_back, WHO),
    "opt-out lifted": (lambda it: OptOut.objects.all().delete(), LIFTED),
    "opt-outs exchanged": (exchange_opt_outs, LIFTED),
    "opt-out of another number": (lambda it: OptOut.objects.update(canonical_number=PLAIN), LIFTED),
    "hold ended": (end_a_hold, LIFTED),
    "holds exchanged": (exchange_holds, LIFTED),
    "hold of another number": (lambda it: Conversation.objects.update(canonical_number=PLAIN), LIFTED),
    "conversation deleted": (lambda it: Conversation.objects.all().delete(), LIFTED),
    "price": (lambda it: set_prices(p7="3"), "The prices of the gateway were changed."),
    "price gone": (lambda it: GatewayPrice.objects.all().delete(), "The prices of the gateway were changed."),
}


@pytest.mark.parametrize("name", CHANGES)
def test_it_says_what_has_changed_and_is_counted_anew(campaign, settings, name):
    settings.SMS_GATEWAYS = {it: {"BACKEND": "sms_backends.providers.dummy.SmsBackend"} for it in ("default", "other")}
    change, words = CHANGES[name]
    before = running.holding(campaign)
    assert running.outdated(before, campaign) == []
    change(campaign)
    before = there(running.latest(campaign))
    assert words in " ".join(running.outdated(before, campaign))
    assert running.holding(campaign).token != before.token


@pytest.mark.parametrize(
    ("column", "value"),
    {
        "phone_number": "+4915123456789",
        "first_name": "Zoya",
        "last_name": "Zaitseva",
        "email": "z@example.org",
        "language": "de",
        "region": "DE",
        "time_zone": "Asia/Vladivostok",
        "attributes": {"city": "Omsk"},
        "consent": "given",
        "consent_kind": "service",
    }.items(),
)
def test_whatever_of_a_contact_decides_what_is_sent_counts(campaign, column, value):
    before = running.holding(campaign)
    Contact.objects.filter(phone_number=PLAIN).update(**{column: value})
    assert running.outdated(before, campaign) == [WHO]


def test_whoever_is_put_into_the_archive_is_missed(campaign):
    before = running.holding(campaign)
    Contact.objects.filter(phone_number=PLAIN).update(archived_at=timezone.now())
    assert "there are 9 people in them now" in " ".join(running.outdated(before, campaign))


@pytest.mark.parametrize(
    ("name", "value"),
    {
        "SMS_ONLY_TO": [PLAIN],
        "SMS_ALLOWED_COUNTRIES": ["DE"],
        "SMS_MARKETING_NEEDS_CONSENT": False,
        "SMS_RECENT_HOURS": 48,
        "SMS_DEFAULT_REGION": "DE",
        "SITE_URL": "https://a-longer-one.example.org",
        "LANGUAGE_CODE": "ru",
    }.items(),
)
def test_settings_of_the_installation_count_as_a_change(campaign, settings, name, value):
    before = running.holding(campaign)
    setattr(settings, name, value)
    translation.activate("en")
    assert running.outdated(before, campaign) == ["The settings of the installation were changed."]


# --- what does not ---------------------------------------------------------------------------------------------------


def change_somebody_else(campaign: Campaign) -> None:
    other = make_contact(number(90), make_group("Others"))
    Contact.objects.filter(pk=other.pk).update(first_name="Zoya")
    other.groups.clear()


def note_the_proof(campaign: Campaign) -> None:
    Contact.objects.update(consent_evidence="a form", consent_source="paper")


def hear_from_somebody(campaign: Campaign) -> None:
    Conversation.objects.update(unread_count=3, last_text="Thanks")


@pytest.mark.parametrize("change", [change_somebody_else, note_the_proof, hear_from_somebody])
def test_it_holds_while_nothing_changes_that_it_depends_on(campaign, change):
    before = running.holding(campaign)
    change(campaign)
    assert running.outdated(before, campaign) == []
    assert running.holding(campaign).token == before.token


# --- opt-outs that came since ----------------------------------------------------------------------------------------


def opt_out(campaign: Campaign) -> None:
    optouts.record_opt_out(PLAIN, source=OptOutSource.KEYWORD)


def opt_out_many(campaign: Campaign) -> None:
    optouts.record_opt_outs([(None, PLAIN)], source=OptOutSource.OPERATOR)


def hold(campaign: Campaign) -> None:
    _hold(PLAIN)


def hold_a_known_one(campaign: Campaign) -> None:
    Conversation.objects.filter(phone_number=PLAIN).update(held_since=timezone.now())


def opt_out_who_was_held(campaign: Campaign) -> None:
    """A second, clear answer; or a colleague has reviewed the first."""
    optouts.record_opt_out(HELD, source=OptOutSource.KEYWORD)
    Conversation.objects.filter(phone_number=HELD).update(held_since=None)


FEWER = {
    "held, then out": opt_out_who_was_held,
    "opt-out": opt_out,
    "many": opt_out_many,
    "hold": hold,
    "hold of a known one": hold_a_known_one,
}


@pytest.mark.parametrize("name", FEWER)
def test_whoever_opts_out_after_it_makes_it_no_worse_and_a_look_counts_again(campaign, name):
    Conversation.objects.create(phone_number=PLAIN, canonical_number=PLAIN, gateway="default", last_at=timezone.now())
    if name == "hold":
        Conversation.objects.filter(phone_number=PLAIN).delete()
    before = running.holding(campaign)
    FEWER[name](campaign)
    assert running.outdated(before, campaign, by_person=True) == []
    assert running.fewer_since(before) == 1
    after = running.holding(campaign)
    assert after.token != before.token
    assert running.fewer_since(after) == 0


def test_a_large_audience_is_not_counted_for_each_opt_out_but_for_those_of_a_minute(campaign, monkeypatch):
    monkeypatch.setattr(running, "AT_ONCE", 5)
    before = running.begin(campaign, at_once=True)
    opt_out(campaign)
    assert running.holding(campaign).token == before.token
    Forecast.objects.update(finished_at=timezone.now() - running.NEW_ENOUGH)
    assert running.holding(campaign).token != before.token


def test_an_opt_out_does_not_begin_again_what_is_being_counted(campaign, monkeypatch):
    monkeypatch.setattr(running, "AT_ONCE", 5)
    counting = running.begin(campaign)
    opt_out(campaign)
    assert running.holding(campaign).token == counting.token


# --- what it costs ---------------------------------------------------------------------------------------------------


def _reads_people(context: CaptureQueriesContext) -> list[str]:
    return [it["sql"] for it in context.captured_queries if 'FROM "campaigns_contact"' in it["sql"]]


def test_a_look_reads_nobody(campaign):
    before = running.holding(campaign)
    with CaptureQueriesContext(connection) as looked:
        assert running.outdated(before, campaign) == []
    assert _reads_people(looked) == []
    assert len(looked) <= 8


def test_how_many_are_in_the_groups_is_known_without_counting_them_while_the_forecast_holds(campaign):
    assert running.people_now(campaign) == 10
    running.holding(campaign)
    with CaptureQueriesContext(connection) as looked:
        assert running.people_now(campaign) == 10
    assert _reads_people(looked) == []
    person().groups.clear()
    assert running.people_now(campaign) == 9
    ContactGroup.objects.update(conditions={"nonsense": True})
    assert running.people_now(campaign) is None


def test_a_launch_compares_everybody_once_more(campaign):
    """Who was changed and put into the group at the same time, by two who did not see each other, is found so."""
    before = running.holding(campaign)
    AudienceChange.objects.all().delete()
    Forecast.objects.update(stamp={**before.stamp, "members": 0, "contacts": 0, "opt_outs": 0})
    before.refresh_from_db()
    person().groups.clear()
    AudienceChange.objects.all().delete()
    assert running.outdated(before, campaign) == []
    assert "there are 9 people" in " ".join(running.outdated(before, campaign, by_person=True))


def test_a_comparison_sees_whoever_was_changed_later_than_it_was_noted(campaign):
    """A clock that is behind, or a transaction that took long: the latest change is not the last."""
    before = running.holding(campaign)
    Contact.objects.filter(phone_number=PLAIN).update(updated_at=timezone.now() - timedelta(minutes=1))
    assert running.outdated(before, campaign) == []
    assert running.outdated(before, campaign, by_person=True) == [WHO]


def test_a_comparison_tells_people_apart_whose_ids_have_the_same_sum(campaign):
    first, *_more, last = group_of(campaign).contacts.order_by("pk")
    inner = [make_contact(number(n)) for n in (70, 71, 72, 73)]
    Contact.objects.update(updated_at=first.updated_at)

    def persons_with(*pair: Contact) -> object:
        group_of(campaign).contacts.set([first, last, *pair])
        return persons_of(running.question_about(campaign, "preflight"))["persons"]

    assert persons_with(inner[0], inner[3]) != persons_with(inner[1], inner[2])


# --- smart groups ----------------------------------------------------------------------------------------------------


@pytest.fixture
def smart() -> Campaign:
    """To those in Omsk."""
    for n in range(3):
        make_contact(number(n), attributes={"city": "Omsk"})
    return make_campaign(make_smart_group(attribute("city", "equals", "Omsk")))


def test_who_is_in_a_smart_group_is_compared_and_then_believed_for_some_seconds(smart):
    before = running.holding(smart)
    make_contact(number(7), attributes={"city": "Omsk"})
    assert running.outdated(before, smart) == []  # counted a moment ago
    assert "there are 4 people" in " ".join(running.outdated(before, smart, by_person=True))
    Forecast.objects.update(compared_at=timezone.now() - running.BELIEVED)
    before.refresh_from_db()
    assert "there are 4 people" in " ".join(running.outdated(before, smart))


def test_a_comparison_that_found_nothing_is_noted(smart):
    before = running.holding(smart)
    long_ago = timezone.now() - timedelta(hours=1)
    Forecast.objects.update(compared_at=long_ago)
    before.refresh_from_db()
    for _look in range(2):
        assert running.outdated(before, smart) == []
    assert there(there(running.latest(smart)).compared_at) > long_ago
    with CaptureQueriesContext(connection) as looked:
        running.outdated(there(running.latest(smart)), smart)
    assert _reads_people(looked) == []


def test_what_a_comparison_found_wrong_is_not_believed_by_the_next_look(smart):
    before = running.holding(smart)
    make_contact(number(7), attributes={"city": "Omsk"})
    assert running.outdated(before, smart, by_person=True)
    assert running.holding(smart).token != before.token


def test_a_clock_that_was_set_back_makes_nobody_believe_for_longer(smart):
    before = running.holding(smart)
    Forecast.objects.update(compared_at=timezone.now() + timedelta(hours=1))
    make_contact(number(7), attributes={"city": "Omsk"})
    before.refresh_from_db()
    assert running.outdated(before, smart) != []


def test_what_is_no_longer_true_by_the_calendar_alone_is_noticed(monkeypatch):
    make_contact(number(1), attributes={"joined": timezone.localdate().isoformat()})
    campaign = make_campaign(make_smart_group(attribute("joined", "in_last_days", 3, "date")))
    before = running.holding(campaign)
    later = timezone.now() + timedelta(days=10)
    monkeypatch.setattr(timezone, "now", lambda: later)
    assert "there are 0 people" in " ".join(running.outdated(before, campaign))


# --- the triggers ----------------------------------------------------------------------------------------------------


def test_what_happened_while_nobody_counted_outdates_everything(campaign):
    before = running.holding(campaign)
    changes.drop()
    change_behind_everybodys_back(campaign)
    assert running.outdated(before, campaign) == []
    changes.ensure()
    assert running.outdated(before, campaign) != []
    again = running.holding(campaign)
    changes.ensure()  # they are there: nothing was missed
    assert running.outdated(again, campaign) == []


@pytest.mark.django_db(transaction=True)
def test_a_migration_finds_no_triggers_and_leaves_them_behind_it(campaign):
    before = running.holding(campaign)
    call_command("migrate", "campaigns", "0029", verbosity=0)
    assert changes._found() == {}
    call_command("migrate", verbosity=0)
    assert set(changes._found()) == set(changes._statements())
    before = running.begin(campaign, at_once=True)
    change_behind_everybodys_back(campaign)
    assert running.outdated(before, campaign) == [WHO]


def test_a_change_that_is_taken_back_with_its_transaction_is_none(campaign):
    before = running.holding(campaign)
    with transaction.atomic():
        change_behind_everybodys_back(campaign)
        transaction.set_rollback(True)
    assert running.outdated(before, campaign) == []


@pytest.mark.postgresql
@pytest.mark.django_db(transaction=True)
def test_what_is_committed_later_than_it_was_done_is_noticed(campaign):
    """The forecast was counted between a change and its commit, and somebody else was changed after it."""
    changed, counted = threading.Event(), threading.Event()

    def change_slowly() -> None:
        with transaction.atomic():
            Contact.objects.filter(phone_number=PLAIN).update(first_name="Late", updated_at=timezone.now())
            changed.set()
            counted.wait(20)
        connection.close()

    slow = threading.Thread(target=change_slowly)
    slow.start()
    assert changed.wait(20)
    Contact.objects.filter(phone_number=OTHER).update(first_name="Early", updated_at=timezone.now())
    before = running.begin(campaign, at_once=True)
    counted.set()
    slow.join()
    assert running.outdated(before, campaign) == [WHO]


@pytest.mark.postgresql
def test_folding_changes_no_sum(campaign, monkeypatch):
    monkeypatch.setattr(changes, "FOLD_ABOVE", 1)
    group = group_of(campaign)
    for n in range(5):
        Contact.objects.filter(phone_number=PLAIN).update(first_name=f"Name {n}")
    Contact.objects.update(last_name="All")  # in one row
    before, rows = changes.changes_of([group.pk]), AudienceChange.objects.count()
    assert before[AudienceFact.CONTACTS] == 15
    assert changes.fold() == rows
    assert changes.changes_of([group.pk]) == before
    assert AudienceChange.objects.count() < rows
    monkeypatch.undo()
    assert changes.fold() == 0
