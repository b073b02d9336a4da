"""One person, two numbers: what is kept, what stays with its number, and that nobody gets a campaign twice by it."""

from __future__ import annotations

import pytest

from campaigns import lifecycle
from campaigns.erasing import request_erasure
from campaigns.merging import MergeRefused, likely_duplicates, merge
from campaigns.models import (
    AuditEvent,
    Contact,
    FormerNumber,
    InboundMessage,
    MessageStatus,
    OptOut,
    OptOutSource,
    SentMessage,
)
from campaigns.optouts import record_opt_out
from campaigns.pseudonyms import is_pseudonym
from tests.campaigns.building import (
    assert_adds_up,
    frozen,
    make_campaign,
    make_contact,
    make_group,
    make_message,
    make_user,
    message_to,
    number,
    send,
    statuses,
)
from tests.campaigns.screens import said, sign_in, sign_in_superuser, text_of

pytestmark = pytest.mark.django_db
OLD, NEW = number(1), number(2)


@pytest.fixture
def pair() -> tuple[Contact, Contact]:
    """The one that will be kept, and the other."""
    kept = make_contact(NEW, make_group("A"), first_name="Anna", attributes={"city": "Kazan", "size": ""})
    other = make_contact(
        OLD,
        make_group("B"),
        first_name="Ann",
        last_name="Orlova",
        email="anna@example.com",
        attributes={"City": "Tver", "size": "44", "shoe": "38"},
        consent="given",
        consent_source="paper",
    )
    return kept, other


def test_what_is_filled_is_kept_and_what_is_missing_comes_from_the_other(pair):
    kept = merge(*pair, actor=None)
    kept.refresh_from_db()
    assert (kept.first_name, kept.last_name, kept.email) == ("Anna", "Orlova", "anna@example.com")
    assert kept.attributes == {"city": "Kazan", "size": "44", "shoe": "38"}
    assert sorted(group.name for group in kept.groups.all()) == ["A", "B"]
    assert Contact.objects.get() == kept


def test_consent_and_opt_out_stay_with_their_number(pair):
    record_opt_out(OLD, source=OptOutSource.KEYWORD)
    kept = merge(*pair, actor=None)
    assert kept.consent == "unknown"
    assert FormerNumber.objects.get().was["consent"] == "given"
    assert list(OptOut.objects.values_list("phone_number", flat=True)) == [OLD]


def test_who_merged_them_is_recorded_with_the_former_number(pair):
    user = make_user()
    kept = merge(*pair, actor=user)
    former = FormerNumber.objects.get()
    assert (former.contact, former.phone_number, former.recorded_by) == (kept, OLD, user)
    event = AuditEvent.objects.get(action="merge_contacts")
    assert (event.actor, event.subject, event.details["former_number"]) == (user, NEW, OLD)


def test_former_numbers_of_former_contacts_come_along(pair):
    FormerNumber.objects.create(contact=pair[1], phone_number=number(7))
    kept = merge(*pair, actor=None)
    assert set(kept.former_numbers.values_list("phone_number", flat=True)) == {OLD, number(7)}


def test_messages_and_replies_keep_their_number_and_belong_to_the_person(pair):
    make_message(OLD, contact=pair[1], status=MessageStatus.DELIVERED)
    make_message(OLD, contact=pair[1], campaign=make_campaign(), status=MessageStatus.SENT)
    InboundMessage.objects.create(
        gateway="default",
        phone_number=OLD,
        contact=pair[1],
        text="hi",
        fingerprint="x",
        received_at="2026-01-01T00:00Z",
    )
    kept = merge(*pair, actor=None)
    assert set(SentMessage.objects.values_list("contact", "phone_number")) == {(kept.pk, OLD)}
    reply = InboundMessage.objects.get()
    assert (reply.contact, reply.phone_number) == (kept, OLD)


def test_a_campaign_that_both_are_in_keeps_both_rows(pair):
    campaign = make_campaign()
    for contact, to in zip(pair, (NEW, OLD), strict=True):
        make_message(to, contact=contact, campaign=campaign, status=MessageStatus.DELIVERED)
    kept = merge(*pair, actor=None)
    assert set(SentMessage.objects.values_list("contact", "phone_number")) == {(kept.pk, NEW), (None, OLD)}


def both_wait(pair):
    group = make_group("Both")
    for contact in pair:
        contact.groups.add(group)
    campaign = make_campaign(group)
    lifecycle.launch(campaign, actor=None)
    return frozen(campaign)


def test_of_two_waiting_messages_to_one_person_one_is_sent(pair, provider):
    campaign = both_wait(pair)
    merge(*pair, actor=None)
    send(campaign)
    assert statuses(campaign) == {"sent": 1, "suppressed": 1}
    suppressed = message_to(OLD)
    assert (suppressed.status, suppressed.reason) == (MessageStatus.SUPPRESSED, "duplicate")
    assert_adds_up(campaign)


def test_who_was_sent_it_under_the_old_number_is_not_sent_it_under_the_new(pair, provider):
    campaign = both_wait(pair)
    SentMessage.objects.filter(phone_number=OLD).update(status=MessageStatus.SENDING)
    SentMessage.objects.filter(phone_number=OLD).update(status=MessageStatus.UNKNOWN)
    merge(*pair, actor=None)
    assert message_to(NEW).status == MessageStatus.SUPPRESSED
    assert message_to(OLD).status == MessageStatus.UNKNOWN
    assert_adds_up(campaign)


def test_a_message_that_was_not_sent_on_purpose_stands_in_nobodys_way(pair, provider):
    campaign = both_wait(pair)
    SentMessage.objects.filter(phone_number=NEW).update(status=MessageStatus.SUPPRESSED, reason="missing_value")
    merge(*pair, actor=None)
    send(campaign)
    assert message_to(OLD).status == MessageStatus.SENT


def test_while_a_campaign_is_prepared_nobody_is_merged(pair):
    campaign = make_campaign(make_group("C", contacts=0), name="Sale")
    make_contact(number(5), campaign.include_groups.get())
    lifecycle.launch(campaign, actor=None)
    with pytest.raises(MergeRefused, match="“Sale” is being prepared"):
        merge(*pair, actor=None)
    lifecycle.pause(campaign, actor=None)
    with pytest.raises(MergeRefused):
        merge(*pair, actor=None)
    lifecycle.resume(campaign, actor=None)
    frozen(campaign)
    merge(*pair, actor=None)


def test_a_contact_is_not_merged_with_itself_or_with_one_that_is_gone(pair):
    with pytest.raises(MergeRefused, match="itself"):
        merge(pair[0], pair[0], actor=None)
    Contact.objects.filter(pk=pair[1].pk).delete()
    with pytest.raises(MergeRefused, match="not there any more"):
        merge(*pair, actor=None)


def test_the_one_that_is_kept_is_in_later_campaigns_once(pair, provider):
    merge(*pair, actor=None)
    groups = list(Contact.objects.get().groups.all())
    campaign = make_campaign(*groups)
    lifecycle.launch(campaign, actor=None)
    assert [m.phone_number for m in frozen(campaign).messages.all()] == [NEW]


def test_likely_duplicates_have_the_same_name_or_address(pair):
    same_name = make_contact(number(8), first_name="ANN", last_name="orlova")
    same_address = make_contact(number(9), email="Anna@Example.com")
    make_contact(number(10), first_name="Ann")
    assert set(likely_duplicates(pair[1])) == {same_name, same_address}
    assert likely_duplicates(pair[0]) == []


# --- the page --------------------------------------------------------------------------------------------------


def merge_url(contact: Contact, **query) -> str:
    from django.urls import reverse

    return reverse("admin:campaigns_contact_merge", args=[contact.pk], query=query)


def test_both_are_shown_side_by_side_and_nothing_is_changed_yet(client, pair):
    sign_in_superuser(client)
    record_opt_out(OLD, source=OptOutSource.KEYWORD)
    page = text_of(client.get(merge_url(pair[0], **{"with": pair[1].pk})))
    for words in ("Anna Ann Anna", "– Orlova Orlova", "Kazan Tver Kazan", "A B A, B", f"{OLD} has opted out"):
        assert words in page
    assert Contact.objects.count() == 2


def test_the_other_number_can_be_kept(client, pair):
    sign_in_superuser(client)
    query = {"with": pair[1].pk, "keep": pair[1].pk}
    assert "Ann Anna Ann" in text_of(client.get(merge_url(pair[0], **query)))
    response = client.post(merge_url(pair[0], **query))
    assert "They are one contact now" in said(response)
    assert Contact.objects.get() == pair[1]


def test_the_other_is_looked_for_by_number_and_name(client, pair):
    sign_in_superuser(client)
    page = text_of(client.get(merge_url(pair[0], q="8 999 000 00 01")))
    assert f"{OLD} Ann Orlova" in page
    assert f"{OLD} Ann Orlova" in text_of(client.get(merge_url(pair[0], q="orlo")))
    assert "Nothing was found for “zzz”" in text_of(client.get(merge_url(pair[0], q="zzz")))


def test_two_that_are_ticked_lead_to_the_page(client, pair):
    sign_in_superuser(client)
    post = {"action": "merge_two", "_selected_action": [contact.pk for contact in pair]}
    assert client.post("/admin/campaigns/contact/", post).url == merge_url(pair[0], **{"with": pair[1].pk})
    post["_selected_action"] = [pair[0].pk]
    assert "Tick exactly two" in said(client.post("/admin/campaigns/contact/", post))


def test_a_refusal_is_said_on_the_page(client, pair):
    sign_in_superuser(client)
    campaign = both_wait(pair)
    lifecycle.pause(campaign, actor=None)
    type(campaign).objects.filter(pk=campaign.pk).update(frozen_at=None)
    page = client.post(merge_url(pair[0], **{"with": pair[1].pk}))
    assert "is being prepared" in text_of(page)
    assert Contact.objects.filter(pk__in=[one.pk for one in pair]).count() == 2


def test_merging_needs_both_permissions(client, pair):
    sign_in(client, "view_contact", "change_contact")
    assert client.get(merge_url(pair[0])).status_code == 403
    assert client.post(merge_url(pair[0], **{"with": pair[1].pk})).status_code == 403
    assert "Merge with another" not in text_of(client.get(f"/admin/campaigns/contact/{pair[0].pk}/change/"))


def test_a_contact_is_found_by_its_former_number(client, pair):
    sign_in_superuser(client)
    merge(*pair, actor=None)
    found = client.get("/admin/campaigns/contact/", {"q": "8 999 000 00 01"}).context["cl"].result_list
    assert [contact.phone_number.as_e164 for contact in found] == [NEW]


def test_a_number_that_is_changed_in_the_form_is_remembered(client):
    user = sign_in_superuser(client)
    contact = make_contact(OLD)
    fields = {"phone_number": NEW, "consent": "unknown", "attributes-name": "", "attributes-value": ""}
    client.post(f"/admin/campaigns/contact/{contact.pk}/change/", fields)
    former = FormerNumber.objects.get()
    assert (former.contact, former.phone_number, former.recorded_by, former.was) == (contact, OLD, user, {})
    assert AuditEvent.objects.get(action="change_number").details == {"former_number": OLD}


def test_erasing_a_person_forgets_former_numbers_too_but_not_those_of_others(pair):
    """Whoever has the number now is somebody else."""
    kept = merge(*pair, actor=None)
    FormerNumber.objects.create(contact=kept, phone_number=number(7))
    taken_over = make_contact(number(7))
    for to, contact in ((OLD, kept), (NEW, kept), (number(7), taken_over)):
        make_message(to, contact=contact, status=MessageStatus.DELIVERED)
    request_erasure(NEW, reason="letter", actor=None)
    left = set(SentMessage.objects.values_list("phone_number", flat=True))
    assert OLD not in left
    assert NEW not in left
    assert number(7) in left
    assert Contact.objects.get() == taken_over
    assert not FormerNumber.objects.exists()
    assert not AuditEvent.objects.filter(subject__in=[OLD, NEW]).exists()


def test_erasing_a_former_number_leaves_the_person_only_that_there_was_one(pair):
    merge(*pair, actor=None)
    request_erasure(OLD, reason="letter", actor=None)
    former = FormerNumber.objects.get()
    assert (is_pseudonym(former.phone_number), former.was) == (True, {})
    assert Contact.objects.get().phone_number.as_e164 == NEW
