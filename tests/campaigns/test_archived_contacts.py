"""Who was written to is archived and not deleted: in no list and no audience, and always to be found from the log."""

from __future__ import annotations

from typing import Any

import pytest
from django.db import transaction
from django.urls import reverse
from django.utils import timezone

from campaigns import archiving, bulk, importing, lifecycle, merging, replies
from campaigns.audience import audience
from campaigns.models import (
    Attribute,
    AuditEvent,
    BulkAction,
    Campaign,
    CampaignStatus,
    Contact,
    InboundMessage,
    MessageStatus,
    OptOut,
    OptOutSource,
    Purpose,
    ReplyKeyword,
    RowKind,
    SentMessage,
)
from campaigns.optouts import record_opt_out
from campaigns.permissions import NotAllowed
from campaigns.single import queue_single
from campaigns.smart_groups import count as count_meeting
from campaigns.why_not import Why, why_not
from sms_backends import IncomingSms
from tests.campaigns.building import (
    frozen,
    launched,
    make_campaign,
    make_contact,
    make_group,
    make_message,
    make_user,
    number,
    send,
)
from tests.campaigns.importing.conftest import Start, checked, imported, media  # noqa: F401  (fixtures)
from tests.campaigns.screens import said, sign_in, sign_in_superuser, text_of
from tests.campaigns.smart_groups.conditions import make_smart_group, on

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("woken")]

LIST = "/admin/campaigns/contact/"


def page_of(contact: Contact, page: str = "change") -> str:
    return reverse(f"admin:campaigns_contact_{page}", args=[contact.pk])


def shown(response: Any) -> list[str]:
    return [contact.phone_number.as_e164 for contact in response.context["cl"].result_list]


def archived(phone_number: str = number(1), *groups: Any, **fields: Any) -> Contact:
    contact = make_contact(phone_number, *groups, **fields)
    make_message(phone_number, contact=contact, status=MessageStatus.DELIVERED)
    assert archiving.archive(contact, actor=None)
    return contact


def is_archived(contact: Contact) -> bool:
    contact.refresh_from_db()
    return contact.archived_at is not None


# --- who stays --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("status", "attempts", "is_kept"),
    [
        *((status, 0, True) for status in MessageStatus if status not in {"suppressed", "cancelled", "failed"}),
        (MessageStatus.SUPPRESSED, 0, False),
        (MessageStatus.CANCELLED, 0, False),
        (MessageStatus.FAILED, 0, False),
        (MessageStatus.SUPPRESSED, 1, True),
        (MessageStatus.FAILED, 2, True),
    ],
)
def test_whoever_something_was_or_will_be_sent_to_stays(status, attempts, is_kept):
    contact = make_contact(number(1))
    make_message(contact=contact, status=status, attempt_count=attempts)
    assert archiving.was_written_to(contact) is is_kept


def test_whoever_wrote_to_us_stays():
    contact = make_contact(number(1))
    inbound: dict[str, Any] = {"gateway": "default", "text": "Hi", "received_at": timezone.now(), "process_at": None}
    InboundMessage.objects.create(phone_number="1234", contact=contact, fingerprint="1", **inbound)
    assert archiving.was_written_to(contact)


@pytest.mark.parametrize("kind", ["sent", "came"])
def test_what_was_written_to_the_number_before_it_was_a_contact_counts(kind):
    if kind == "sent":
        make_message(number(1), status=MessageStatus.SENT)
    else:
        InboundMessage.objects.create(gateway="default", phone_number=number(1), received_at=timezone.now())
    assert archiving.was_written_to(make_contact(number(1)))
    assert not archiving.was_written_to(make_contact(number(2)))


def test_in_bulk_who_was_written_to_is_archived_and_the_others_go():
    written, new = make_contact(number(1)), make_contact(number(2))
    make_message(number(1), contact=written, status=MessageStatus.SENT)
    boss = make_user()
    assert archiving.archive_or_delete([written.pk, new.pk, 999], actor=boss) == (1, 1)
    assert is_archived(written)
    assert not Contact.objects.filter(pk=new.pk).exists()
    entry = AuditEvent.objects.get(action="archive_contact")
    assert (entry.subject, entry.actor) == (number(1), boss)
    at = Contact.objects.get().archived_at
    assert archiving.archive_or_delete([written.pk], actor=boss) == (0, 0)
    assert Contact.objects.get().archived_at == at


def test_what_somebody_has_is_there_again_when_they_come_back():
    group = make_group("VIP")
    contact = archived(number(1), group, first_name="Anna", attributes={"city": "Perm"})
    assert list(contact.groups.all()) == [group]
    assert archiving.restore(contact, actor=None)
    assert [it.pk for it in audience([group.pk])] == [contact.pk]
    assert not archiving.restore(contact, actor=None)
    assert set(AuditEvent.objects.values_list("action", "subject")) == {
        ("archive_contact", number(1)),
        ("restore_contact", number(1)),
    }


def test_whoever_may_not_delete_may_neither_archive_nor_bring_back(client):
    olga = sign_in(client, "view_contact", "change_contact")
    contact = archived()
    assert client.post(page_of(contact, "restore")).status_code == 403
    assert "Bring back" not in text_of(client.get(page_of(contact)))
    with pytest.raises(NotAllowed), transaction.atomic():
        archiving.restore_contacts([contact.pk], actor=olga)
    assert client.get(page_of(contact, "archive")).status_code == 405
    assert is_archived(contact)


# --- in no list and no audience ---------------------------------------------------------------------------------------


def test_nobody_in_the_archive_is_in_an_audience():
    group = make_group("A", contacts=2)
    smart = make_smart_group(on("phone_number", "starts_with", "+7999"))
    archived(number(3), group)
    for include in ([group.pk], [smart.pk], [group.pk, smart.pk]):
        assert audience(include).count() == 2
    assert count_meeting(smart.conditions).number == 2
    campaign = make_campaign(group, smart)
    lifecycle.launch(campaign, actor=None)
    assert frozen(campaign).audience == 2


def test_whoever_is_archived_while_a_campaign_is_prepared_gets_nothing_more():
    campaign = make_campaign(make_group(contacts=2))
    lifecycle.launch(campaign, actor=None)
    archiving.archive(Contact.objects.get(phone_number=number(2)), actor=None)
    assert frozen(campaign).audience == 1


def test_what_waits_already_is_sent_and_leads_to_the_page(client):
    sign_in_superuser(client)
    campaign = launched(contacts=1)
    contact = Contact.objects.get()
    archiving.archive_or_delete([contact.pk], actor=None)
    assert send(campaign).status == CampaignStatus.COMPLETED
    message = SentMessage.objects.get()
    assert (message.status, message.contact) == (MessageStatus.SENT, contact)
    assert page_of(contact) in client.get(message.get_absolute_url()).content.decode()


def test_a_single_message_is_written_all_the_same():
    contact = archived()
    message, _new = queue_single(number(1), "Hello", purpose=Purpose.QUICK)
    assert (message.status, message.contact) == (MessageStatus.QUEUED, contact)


def test_the_list_search_and_counts_are_without_the_archive(client):
    sign_in_superuser(client)
    group = make_group("A", contacts=1)
    archived(number(2), group, first_name="Boris")
    assert shown(client.get(LIST)) == [number(1)]
    assert shown(client.get(LIST, {"q": "Boris"})) == []
    assert shown(client.get(LIST, {"groups__id__exact": group.pk})) == [number(1)]
    assert shown(client.get(LIST, {"archived": "yes"})) == [number(2)]
    assert shown(client.get(LIST, {"archived": "yes", "q": number(2)})) == [number(2)]
    found = text_of(client.get("/admin/search/", {"q": "Boris"}))
    assert "Nothing was found" in found
    groups = client.get("/admin/campaigns/contactgroup/")
    assert groups.context["cl"].result_list[0].contact_count == 1
    empty = make_group("B")
    assert client.get(reverse("admin:campaigns_contactgroup_change", args=[empty.pk])).status_code == 200


def test_others_are_not_likened_to_somebody_in_the_archive(client):
    sign_in_superuser(client)
    contact = make_contact(number(1), email="a@example.org")
    other = archived(number(2), email="a@example.org")
    assert merging.likely_duplicates(contact) == []
    assert client.get(page_of(contact, "merge"), {"q": number(2)}).context["found"] == []
    with pytest.raises(merging.MergeRefused, match="Bring it back"):
        merging.merge(contact, other, actor=None)


# --- the page ---------------------------------------------------------------------------------------------------------


def test_the_page_of_somebody_who_was_written_to_offers_the_archive_and_no_deleting(client):
    sign_in_superuser(client)
    contact, new = make_contact(number(1)), make_contact(number(2))
    make_message(number(1), contact=contact, status=MessageStatus.SENT)
    page = client.get(page_of(contact)).content.decode()
    assert page_of(contact, "archive") in page
    assert page_of(contact, "delete") not in page
    page = client.get(page_of(new)).content.decode()
    assert page_of(new, "archive") not in page
    assert page_of(new, "delete") in page
    assert "was written to: archive it instead" in text_of(client.get(page_of(contact, "delete")))
    client.post(page_of(contact, "delete"), {"post": "yes"})
    client.post(page_of(new, "delete"), {"post": "yes"})
    assert list(Contact.objects.all()) == [contact]


def test_asked_to_delete_somebody_who_was_written_to_says_why_not_and_leads_back(client):
    sign_in_superuser(client)
    contact = make_contact(number(1))
    make_message(number(1), contact=contact, status=MessageStatus.SENT)
    page = client.get(page_of(contact, "delete"))
    assert "is not deleted, because something still leads there" in text_of(page)
    assert "archive it instead" in text_of(page)
    assert f'class="button" href="{page_of(contact)}"' in page.content.decode()


def test_the_page_says_that_it_is_archived_and_brings_back(client):
    sign_in_superuser(client)
    contact = make_contact(number(1), make_group("VIP"))
    message = make_message(number(1), contact=contact, status=MessageStatus.SENT)
    assert "no campaign is sent there any more" in said(client.post(page_of(contact, "archive")))
    page = client.get(page_of(contact))
    assert "this contact is in no list and gets no campaign" in text_of(page)
    assert "archived the contact" in text_of(page)  # in its history
    assert message.get_absolute_url() in page.content.decode()
    assert 'name="first_name"' not in page.content.decode()
    assert page_of(contact, "merge") not in page.content.decode()
    assert client.post(page_of(contact), {"first_name": "x"}).status_code == 403
    assert "is back" in said(client.post(page_of(contact, "restore")))
    assert not is_archived(contact)
    assert 'name="first_name"' in client.get(page_of(contact)).content.decode()


def test_the_page_that_is_only_read_shows_the_other_fields_in_words(client):
    sign_in_superuser(client)
    contact = make_contact(number(1), attributes={"city": "<Omsk>", "card": 5}, archived_at=timezone.now())
    shown = client.get(f"/admin/campaigns/contact/{contact.pk}/change/").content.decode()
    assert "card: 5<br>city: &lt;Omsk&gt;" in shown


def test_many_are_brought_back_from_the_archive_alone(client):
    sign_in_superuser(client)
    contacts = [archived(number(n)) for n in (1, 2, 3)]
    here = make_contact(number(4))
    ticked = {"action": "restore_contacts", "_selected_action": [contacts[0].pk], "confirm": "yes"}
    assert 'value="restore_contacts"' not in client.get(LIST).content.decode()
    client.post(LIST, ticked)
    assert is_archived(contacts[0])
    page = client.get(LIST, {"archived": "yes"}).content.decode()
    assert 'value="restore_contacts"' in page
    assert 'value="add_to_group"' not in page
    client.post(f"{LIST}?archived=yes", ticked)
    assert not is_archived(contacts[0])
    everybody = {"select_across": "1", "_selected_action": [0]}
    client.post(f"{LIST}?archived=yes", {**ticked, **everybody})
    assert not Contact.objects.archived().exists()
    assert AuditEvent.objects.filter(action="restore_contact").count() == 3
    assert here in Contact.objects.in_use()


def test_a_definition_is_applied_to_the_archive_as_well(client):
    sign_in_superuser(client)
    contact = archived(attributes={"Age": "41"})
    client.post("/admin/campaigns/attribute/add/", {"name": "age", "kind": "number", "label": ""})
    assert Attribute.objects.exists()
    bulk.run(BulkAction.objects.get().pk)
    contact.refresh_from_db()
    assert contact.attributes == {"age": 41}


def test_adding_a_number_that_is_in_the_archive_leads_to_its_page(client):
    sign_in_superuser(client)
    contact = archived(first_name="Anna")
    form = {"phone_number": number(1), "consent": "unknown", "attributes-name": "", "attributes-value": ""}
    page = client.post(f"{LIST}add/", form)
    assert f'href="{page_of(contact)}"' in page.content.decode()
    assert "a contact in the archive" in text_of(page)
    assert Contact.objects.count() == 1


# --- imports ----------------------------------------------------------------------------------------------------------


FILE = f"phone,name\n{number(1)},Anna\n{number(2)},Boris\n"


@pytest.mark.parametrize("update", ["all", "empty", "never"])
def test_an_import_brings_people_back_and_says_so(checked: Start, update: str) -> None:  # noqa: F811
    group = make_group("VIP")
    contact = archived(first_name="Olga")
    contact_import = checked(FILE, groups=[group], update_existing=update)
    assert (contact_import.new_count, contact_import.changed_count) == (1, 1)
    row = contact_import.rows.get(kind=RowKind.CHANGED)
    assert "the import brings the contact back" in row.remark
    assert is_archived(contact)
    importing.confirm(contact_import)
    importing.commit(contact_import.pk)
    assert not is_archived(contact)
    assert contact.first_name == ("Anna" if update == "all" else "Olga")
    assert audience([group.pk]).count() == 2
    assert AuditEvent.objects.get(action="restore_contact").subject == number(1)


def test_undoing_the_import_puts_them_back_into_the_archive(imported: Start) -> None:  # noqa: F811
    contact = archived(first_name="Anna")
    at = contact.archived_at
    contact_import = imported(FILE, new_group="VIP")
    assert not is_archived(contact)
    importing.begin_undo(contact_import)
    importing.undo(contact_import.pk)
    assert is_archived(contact)
    assert contact.archived_at == at
    assert list(Contact.objects.all()) == [contact]
    assert not contact.groups.exists()


def test_who_is_archived_between_check_and_import_comes_back(checked: Start) -> None:  # noqa: F811
    contact = make_contact(number(1), first_name="Anna")
    contact_import = checked(FILE)
    assert contact_import.unchanged_count == 1
    archiving.archive(contact, actor=None)
    importing.confirm(contact_import)
    importing.commit(contact_import.pk)
    assert not is_archived(contact)
    contact_import.refresh_from_db()
    assert (contact_import.changed_count, contact_import.unchanged_count) == (1, 0)


@pytest.mark.parametrize(("rule", "stays"), [("leave_out", True), ("keep", False)])
def test_an_opt_out_stands_above_the_import(imported: Start, rule: str, stays: bool) -> None:  # noqa: F811
    contact = archived()
    record_opt_out(number(1), source=OptOutSource.OPERATOR)
    imported(FILE, opted_out_rows=rule)
    assert is_archived(contact) is stays
    assert OptOut.objects.count() == 1


# --- what people do themselves, and answers ---------------------------------------------------------------------------


def test_whoever_asks_for_a_group_by_a_keyword_comes_back():
    group = make_group("Sale")
    contact = archived()
    ReplyKeyword.objects.create(word="SALE", normalised="sale", reply="Hi").groups.add(group)
    replies.receive("default", [IncomingSms(number(1), "Hello there", "1234", "in-0")])
    assert is_archived(contact)
    assert InboundMessage.objects.get().contact == contact
    replies.receive("default", [IncomingSms(number(1), "SALE", "1234", "in-1")])
    assert not is_archived(contact)
    assert audience([group.pk]).count() == 1


def test_why_somebody_in_the_archive_got_nothing():
    group = make_group("A", contacts=1)
    contact = archived(number(2), group)
    draft = make_campaign(group)
    answer = why_not(draft, number(2))
    assert "in the archive since" in " ".join(answer.sentences)
    assert "It would get it" not in " ".join(answer.sentences)
    lifecycle.launch(draft, actor=None)
    frozen(draft)
    answer = why_not(Campaign.objects.get(), number(2))
    assert (answer.why, answer.contact) == (Why.NOT_IN_AUDIENCE, contact)
    assert "in the archive since" in " ".join(answer.sentences)


def test_erasing_takes_the_contact_out_of_the_archive_for_good():
    contact = archived()
    action = bulk.start(
        "erase",
        "contact",
        {"ids": [contact.pk], "filters": {"archived": ["yes"]}, "up_to": contact.pk},
        total=1,
        parameters={"reason": "asked"},
        actor=make_user(),
    )
    bulk.run(action.pk)
    assert not Contact.objects.exists()
