"""A bulk action does each row once, whatever happens to the worker, and stops when it is told."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.db import OperationalError
from django.utils import timezone

from campaigns import bulk, tasks
from campaigns.bulk import contact_operations, sending_to
from campaigns.consent import record_consent
from campaigns.models import (
    AuditEvent,
    BulkAction,
    BulkStatus,
    Campaign,
    Consent,
    ConsentChange,
    ConsentKind,
    Contact,
    ContactGroup,
    MessageStatus,
    OptOut,
    OptOutSource,
    SentMessage,
)
from campaigns.optouts import record_opt_out
from campaigns.sending.sweeper import sweep
from tests.campaigns.building import make_campaign, make_contact, make_group, make_message, make_user, number

pytestmark = pytest.mark.django_db
EVERYBODY = 2**40


@pytest.fixture(autouse=True)
def sets_of_two(monkeypatch):
    for operation in bulk.OPERATIONS.values():
        monkeypatch.setattr(type(operation), "chunk", 2)


@pytest.fixture
def five() -> list[Contact]:
    return [make_contact(number(n), attributes={"city": "Kazan" if n % 2 else "Tver"}) for n in range(1, 6)]


def begin(operation: str, selection=None, **parameters) -> BulkAction:
    selection = {"filters": {}, "up_to": EVERYBODY} if selection is None else selection
    return bulk.start(operation, "contact", selection, total=5, parameters=parameters, actor=make_user())


def finished(action: BulkAction) -> BulkAction:
    assert not bulk.run(action.pk)
    action.refresh_from_db()
    return action


def members(group: ContactGroup) -> list[str]:
    return sorted(str(it.phone_number.as_e164) for it in group.contacts.all())


def test_everything_that_a_filter_matches_is_done_in_sets(five):
    group = ContactGroup.objects.create(name="A")
    action = finished(begin("add_to_group", group=group.pk))
    assert members(group) == [number(n) for n in range(1, 6)]
    assert (action.status, action.done_count, action.changed_count) == (BulkStatus.DONE, 5, 5)
    assert action.finished_at


def test_the_filters_are_those_of_the_list(five):
    static, group = make_group("Static"), ContactGroup.objects.create(name="A")
    static.contacts.set(five[:3])
    filters = {"groups__id__exact": [str(static.pk)], "q": [number(2)]}
    finished(begin("add_to_group", {"filters": filters, "up_to": EVERYBODY}, group=group.pk))
    assert members(group) == [number(2)]


def test_only_what_was_ticked_is_done(five):
    group = ContactGroup.objects.create(name="A")
    finished(begin("add_to_group", {"ids": [five[0].pk, five[3].pk], "up_to": EVERYBODY}, group=group.pk))
    assert members(group) == [number(1), number(4)]


def test_rows_that_came_after_the_confirmation_are_left_alone(five):
    group = ContactGroup.objects.create(name="A")
    finished(begin("add_to_group", {"filters": {}, "up_to": five[3].pk}, group=group.pk))
    assert members(group) == [number(n) for n in range(1, 5)]


def test_a_filter_that_the_list_does_not_know_any_more_does_nothing_and_says_so(five):
    group = ContactGroup.objects.create(name="A")
    action = finished(begin("add_to_group", {"filters": {"salary": "9"}, "up_to": EVERYBODY}, group=group.pk))
    assert action.status == BulkStatus.FAILED
    assert "filters" in action.problem
    assert members(group) == []


def test_a_list_that_nobody_knows_does_nothing_and_says_so(five):
    action = begin("add_to_group", group=1)
    BulkAction.objects.update(list_name="planets")
    assert "“planets” is not known" in finished(action).problem


def test_a_worker_that_dies_in_the_middle_is_followed_by_one_that_goes_on(five, monkeypatch):
    """A kill is what no code sees: the transaction of the set is lost, those before it are there."""
    applied = []
    apply = contact_operations.AddToGroup.apply

    def killed(self, action, ids):
        applied.append(ids)
        changed = apply(self, action, ids)
        if len(applied) == 2:
            raise SystemExit
        return changed

    monkeypatch.setattr(contact_operations.AddToGroup, "apply", killed)
    group = ContactGroup.objects.create(name="A")
    action = begin("add_to_group", group=group.pk)
    with pytest.raises(SystemExit):
        bulk.run(action.pk)
    assert members(group) == [number(1), number(2)]
    action.refresh_from_db()
    assert (action.status, action.done_count) == (BulkStatus.RUNNING, 2)
    action = finished(action)
    assert members(group) == [number(n) for n in range(1, 6)]
    assert (action.done_count, action.changed_count) == (5, 5)


def test_time_that_is_over_leaves_the_rest_to_the_next_task(five, woken):
    group = ContactGroup.objects.create(name="A")
    action = begin("add_to_group", group=group.pk)
    assert bulk.run(action.pk, seconds=0)
    assert members(group) == [number(1), number(2)]
    finished(action)
    assert len(members(group)) == 5


def test_what_fits_into_one_set_is_ended_at_once_even_if_time_is_over(five, monkeypatch):
    monkeypatch.setattr(contact_operations.AddToGroup, "chunk", 10)
    group = ContactGroup.objects.create(name="A")
    action = begin("add_to_group", group=group.pk)
    assert not bulk.run(action.pk, seconds=0)
    action.refresh_from_db()
    assert action.status == BulkStatus.DONE


def test_two_workers_at_once_do_each_row_once(five, monkeypatch):
    """The second begins where the first was when it looked, and finds the cursor elsewhere."""
    apply, calls = contact_operations.AddToGroup.apply, []
    group = ContactGroup.objects.create(name="A")
    action = begin("add_to_group", group=group.pk)
    stale = BulkAction.objects.get(pk=action.pk)

    def counted(self, action, ids):
        calls.extend(ids)
        return apply(self, action, ids)

    monkeypatch.setattr(contact_operations.AddToGroup, "apply", counted)
    bulk.run(action.pk, seconds=0)
    from campaigns.bulk import running

    assert running._apply(stale, [five[0].pk, five[1].pk]) is None
    finished(action)
    assert calls == [contact.pk for contact in five]


def test_cancelling_stops_before_the_next_set_and_says_what_was_done(five, woken):
    group = ContactGroup.objects.create(name="A")
    action = begin("add_to_group", group=group.pk)
    bulk.run(action.pk, seconds=0)
    user = make_user("boris")
    assert bulk.cancel(action, actor=user)
    assert not bulk.run(action.pk)
    assert members(group) == [number(1), number(2)]
    assert action.status == BulkStatus.CANCELLED
    assert AuditEvent.objects.get(action="cancel_bulk_action").actor == user
    assert not bulk.cancel(action, actor=user)


def test_a_database_that_is_away_for_a_moment_ends_nothing(five, monkeypatch):
    def locked(self, action, ids):
        raise OperationalError("database is locked")

    action = begin("add_to_group", group=make_group("A").pk)
    with monkeypatch.context() as patched:
        patched.setattr(contact_operations.AddToGroup, "apply", locked)
        with pytest.raises(OperationalError):
            bulk.run(action.pk)
    action.refresh_from_db()
    assert action.status == BulkStatus.RUNNING
    assert finished(action).status == BulkStatus.DONE


def test_a_group_that_is_gone_ends_it_with_a_sentence(five):
    action = finished(begin("add_to_group", group=999))
    assert (action.status, action.problem) == (BulkStatus.FAILED, "The group is not there any more.")


@pytest.mark.django_db(transaction=True)
def test_what_lost_its_worker_is_woken_by_the_sweeper(woken):
    make_contact(number(1))
    action = begin("add_to_group", group=make_group("A").pk)
    assert woken == [("run_bulk_action", action.pk)]
    long_ago = timezone.now() - timedelta(minutes=5)
    for created, heartbeat, is_woken in (
        (timezone.now(), None, False),
        (long_ago, None, True),
        (long_ago, long_ago, True),
        (long_ago, timezone.now(), False),
    ):
        woken.clear()
        BulkAction.objects.update(created_at=created, heartbeat_at=heartbeat)
        sweep()
        assert (("run_bulk_action", action.pk) in woken) == is_woken


def test_the_task_works_it_off(five, woken):
    group = ContactGroup.objects.create(name="A")
    action = begin("add_to_group", group=group.pk)
    tasks.run_bulk_action(action.pk)
    assert len(members(group)) == 5


def test_who_did_what_to_how_many_is_recorded(five):
    action = begin("add_to_group", {"filters": {"q": ["anna"]}, "up_to": 7}, group=3)
    event = AuditEvent.objects.get(action="add_to_group")
    assert event.actor == action.created_by
    assert event.count == 5
    assert event.details == {"bulk_action": action.pk, "group": 3, "filters": {"q": "…"}}


# --- what can be done ------------------------------------------------------------------------------------------


def test_members_are_not_added_twice(five):
    group = make_group("A")
    group.contacts.add(five[1])
    action = finished(begin("add_to_group", group=group.pk))
    assert (group.contacts.count(), action.changed_count) == (5, 4)


def test_members_are_taken_out(five):
    group, other = make_group("A"), make_group("B")
    for one in (group, other):
        one.contacts.set(five[:3])
    action = finished(begin("remove_from_group", group=group.pk))
    assert (group.contacts.count(), other.contacts.count(), action.changed_count) == (0, 3, 3)


def test_a_field_is_set_in_the_spelling_that_is_there(five):
    five[0].attributes = {"City": "Perm", "n": 1}
    five[0].save()
    action = finished(begin("set_attribute", name="city", value="Omsk", shown="Omsk"))
    assert Contact.objects.get(pk=five[0].pk).attributes == {"City": "Omsk", "n": 1}
    assert {contact.attributes.get("city") for contact in Contact.objects.exclude(pk=five[0].pk)} == {"Omsk"}
    assert action.changed_count == 5


def test_a_field_is_emptied(five):
    action = finished(begin("set_attribute", name="CITY", value="", shown=""))
    assert all(contact.attributes == {} for contact in Contact.objects.all())
    assert action.changed_count == 5


def test_what_is_so_already_is_not_changed(five):
    before = dict(Contact.objects.values_list("pk", "updated_at"))
    action = finished(begin("set_attribute", name="city", value="Kazan", shown="Kazan"))
    after = dict(Contact.objects.values_list("pk", "updated_at"))
    assert action.changed_count == 2
    assert sorted(pk for pk in before if before[pk] != after[pk]) == [five[1].pk, five[3].pk]


def test_one_and_yes_are_not_the_same(five):
    Contact.objects.update(attributes={"vip": 1})
    assert finished(begin("set_attribute", name="vip", value=True, shown="yes")).changed_count == 5
    assert {str(contact.attributes["vip"]) for contact in Contact.objects.all()} == {"True"}


def test_opting_out_suppresses_what_waits(five):
    message = make_message(number(3), contact=five[2])
    action = finished(begin("opt_out"))
    assert OptOut.objects.count() == action.changed_count == 5
    assert OptOut.objects.filter(created_by=action.created_by).count() == 5
    assert SentMessage.objects.get(pk=message.pk).status == MessageStatus.SUPPRESSED


def test_deleting_archives_those_who_were_written_to(five):
    make_message(number(1), contact=five[0])
    action = finished(begin("delete_contacts"))
    assert [contact.pk for contact in Contact.objects.archived()] == [five[0].pk]
    assert (Contact.objects.count(), SentMessage.objects.count(), action.changed_count) == (1, 1, 5)
    assert "archived, since they were written to: 1" in bulk.OPERATIONS["delete_contacts"].in_words(action)


def test_erasing_forgets_each_of_them_and_keeps_the_figures(five):
    make_message(number(1), contact=five[0], status=MessageStatus.DELIVERED, body="Hello Anna")
    action = finished(begin("erase", {"ids": [five[0].pk, five[1].pk], "up_to": EVERYBODY}, reason="asked by letter"))
    assert (action.status, action.changed_count) == (BulkStatus.DONE, 2)
    assert Contact.objects.count() == 3
    message = SentMessage.objects.get()
    assert (message.body, message.status) == ("", MessageStatus.DELIVERED)
    assert message.phone_number != number(1)


# --- consent ----------------------------------------------------------------------------------------------------------


def consents() -> dict[str, tuple[str, str, str]]:
    rows = Contact.objects.values_list("phone_number", "consent", "consent_kind", "consent_source")
    return {phone.as_e164: (state, kind, source) for phone, state, kind, source in rows}


def test_consent_is_given_only_where_none_was_known(five):
    record_consent(five[0], Consent.GIVEN, source="form")
    record_consent(five[1], Consent.WITHDRAWN, source="letter")
    record_consent(five[2], Consent.GIVEN, source="order", kind=ConsentKind.SERVICE)
    record_opt_out(number(4), source=OptOutSource.KEYWORD)
    action = finished(begin("consent", consent="given", kind="marketing", source="fair", evidence="list", at=""))
    assert consents() == {
        number(1): ("given", "marketing", "form"),
        number(2): ("withdrawn", "marketing", "letter"),
        number(3): ("given", "marketing", "fair"),
        number(4): ("unknown", "marketing", ""),
        number(5): ("given", "marketing", "fair"),
    }
    assert (action.done_count, action.changed_count) == (5, 2)


def test_consent_to_service_messages_takes_none_to_advertising_away(five):
    record_consent(five[0], Consent.GIVEN, source="form")
    finished(begin("consent", consent="given", kind="service", source="fair", evidence="", at=""))
    assert consents()[number(1)] == ("given", "marketing", "form")
    assert consents()[number(2)] == ("given", "service", "fair")


def test_withdrawing_for_many_stops_the_advertising_that_waits_for_them(five):
    record_consent(five[1], Consent.WITHDRAWN, source="letter")
    waiting = make_message(number(1), contact=five[0], campaign=make_campaign(kind="marketing"))
    service = make_message(number(1), contact=five[0], campaign=make_campaign(kind="service"))
    action = finished(begin("consent", consent="withdrawn", kind="marketing", source="fair", evidence="", at=""))
    assert action.changed_count == 4
    assert {state for state, _kind, _source in consents().values()} == {"withdrawn"}
    assert consents()[number(2)][2] == "letter"
    waiting.refresh_from_db()
    service.refresh_from_db()
    assert (waiting.status, waiting.reason, service.status) == ("suppressed", "no_consent", "queued")
    assert action.created_by == ConsentChange.objects.latest("pk").actor


# --- a draft campaign -------------------------------------------------------------------------------------------------


def begin_sending() -> BulkAction:
    return bulk.start("send_to", "contact", {"filters": {}, "up_to": EVERYBODY}, total=5, actor=make_user())


def test_a_worker_that_dies_after_making_the_draft_is_followed_by_one_that_makes_no_second(five, monkeypatch):
    finish = sending_to.SendTo.finish

    def killed(self, action):
        finish(self, action)
        raise SystemExit

    monkeypatch.setattr(sending_to.SendTo, "finish", killed)
    action = begin_sending()
    with pytest.raises(SystemExit):
        bulk.run(action.pk)
    monkeypatch.setattr(sending_to.SendTo, "finish", finish)
    action = finished(action)
    campaign = Campaign.objects.get()
    assert action.progress["campaign"] == campaign.pk
    assert campaign.include_groups.get().contacts.count() == 5


def test_a_group_that_is_deleted_meanwhile_ends_it_with_the_reason(five):
    action = begin_sending()
    ContactGroup.objects.all().delete()
    assert "The group is not there any more." in finished(action).problem
    assert not Campaign.objects.exists()
