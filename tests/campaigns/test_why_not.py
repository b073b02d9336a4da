"""Why a number got nothing from a campaign: each answer, and the page that gives it."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.urls import reverse
from django.utils import timezone

from campaigns import lifecycle, merging
from campaigns.erasing import request_erasure
from campaigns.models import (
    Campaign,
    CampaignStatus,
    Contact,
    GatewayState,
    Heartbeat,
    MessageStatus,
    OptOutSource,
    SentMessage,
)
from campaigns.optouts import record_opt_out
from campaigns.reports import WORKER_BEAT
from campaigns.why_not import Why, why_not
from sms_backends import DeliveryStatus, RecipientRejectedError
from tests.campaigns.building import (
    frozen,
    launched,
    make_campaign,
    make_contact,
    make_group,
    make_message,
    message_to,
    number,
    report,
    send,
)
from tests.campaigns.screens import campaign_url, log_url, sign_in, sign_in_superuser, text_of
from tests.campaigns.smart_groups.conditions import make_smart_group, on, stored

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("woken")]

PAGE = reverse("admin:campaigns_sentmessage_why_not")


@pytest.fixture(autouse=True)
def a_worker_runs() -> None:
    Heartbeat.objects.create(name=WORKER_BEAT, at=timezone.now())


def words(answer) -> str:
    return " ".join([answer.title, *answer.sentences, *(wait.text for wait in answer.waits)])


def stand(campaign: Campaign, status: MessageStatus, **fields) -> SentMessage:
    """A message of the campaign as it might stand there."""
    now = timezone.now()
    return make_message(number(70), campaign=campaign, status=status, status_at=now, sent_at=now, **fields)


# --- there is a row ---


def test_who_got_it_is_told_so(provider):
    campaign = send(launched(contacts=1))
    answer = why_not(campaign, number(1))
    assert answer.why == Why.ON_ITS_WAY
    assert "overdue" not in words(answer)
    report(DeliveryStatus.DELIVERED, 1)
    answer = why_not(campaign, number(1))
    assert answer.why == Why.GOT_IT
    assert answer.message == message_to(number(1))


def test_a_receipt_that_never_came_is_said(provider):
    campaign = send(launched(contacts=1))
    campaign.messages.update(receipt_overdue=True)
    assert "overdue" in words(why_not(campaign, number(1)))


def test_what_is_being_handed_over_is_on_its_way():
    campaign = launched()
    stand(campaign, MessageStatus.SENDING)
    assert why_not(campaign, number(70)).why == Why.ON_ITS_WAY


def test_what_a_worker_has_taken_and_not_handed_over_still_waits():
    campaign = launched()
    stand(campaign, MessageStatus.CLAIMED)
    assert why_not(campaign, number(70)).why == Why.WAITING


@pytest.mark.parametrize("status", [MessageStatus.UNDELIVERED, MessageStatus.EXPIRED])
def test_what_did_not_arrive_says_why_and_what_to_do(status):
    campaign = launched()
    stand(campaign, status, reason="no_service", reason_text="absent subscriber")
    answer = why_not(campaign, number(70))
    assert answer.why == Why.NOT_ARRIVED
    assert "phone cannot receive SMS: absent subscriber" in words(answer)
    assert "landline" in words(answer)


def test_a_refusal_is_told_in_the_providers_words(provider):
    provider.refusals[number(1)] = RecipientRejectedError("barred by operator (code 7)")
    campaign = send(launched(contacts=1))
    answer = why_not(campaign, number(1))
    assert answer.why == Why.REJECTED
    assert "barred by operator (code 7)" in words(answer)


def test_what_was_given_up_says_why():
    campaign = launched()
    stand(campaign, MessageStatus.FAILED, reason="too_late")
    answer = why_not(campaign, number(70))
    assert answer.why == Why.GIVEN_UP
    assert "not sent in time" in words(answer)
    assert "later end" in words(answer)


def test_an_opt_out_says_when_and_how():
    group = make_group(contacts=2)
    record_opt_out(number(1), source=OptOutSource.KEYWORD, note="STOP please")
    campaign = make_campaign(group)
    lifecycle.launch(campaign, actor=None)
    frozen(campaign)
    answer = why_not(campaign, number(1))
    assert answer.why == Why.LEFT_OUT
    assert "opted out" in answer.title
    assert "(a reply). STOP please" in words(answer)


@pytest.mark.parametrize(
    ("reason", "said"),
    [
        ("no_consent", "Ask for their consent"),
        ("under_review", "Read their answer in the inbox"),
        ("missing_value", "Fill in what is missing"),
        ("empty_text", "the text is empty"),
        ("not_allowed", "SMS_ONLY_TO"),
        ("country_not_enabled", "SMS_ALLOWED_COUNTRIES"),
        ("invalid_number", "Correct the number"),
        ("reached_meanwhile", "arrived after all"),
    ],
)
def test_who_was_left_out_is_told_why_and_what_to_do(reason, said):
    campaign = launched()
    stand(campaign, MessageStatus.SUPPRESSED, reason=reason, excluded=True)
    answer = why_not(campaign, number(70))
    assert answer.why == Why.LEFT_OUT
    assert said in words(answer)


def test_a_second_contact_with_the_same_number_is_a_duplicate_and_leads_to_the_first():
    group = make_group()
    make_contact("+525512345678", group)
    other = make_contact("+525512345679", group)
    Contact.objects.filter(pk=other.pk).update(phone_number="+5215512345678")
    campaign = make_campaign(group)
    lifecycle.launch(campaign, actor=None)
    frozen(campaign)
    rows = list(campaign.messages.order_by("excluded"))
    assert [row.excluded for row in rows] == [False, True]
    answer = why_not(campaign, "+525512345678")
    assert answer.message == rows[0]
    assert answer.other == rows[1]
    assert "more than once" in words(answer)


def test_one_person_with_two_numbers_gets_it_once_and_the_other_number_says_so():
    group = make_group(contacts=2)
    campaign = launched_to(group)
    kept, other = Contact.objects.order_by("pk")
    merging.merge(kept, other, actor=None)
    suppressed = campaign.messages.get(status=MessageStatus.SUPPRESSED)
    answer = why_not(campaign, suppressed.phone_number)
    assert answer.why == Why.DUPLICATE
    assert answer.other is not None
    assert answer.other.status == MessageStatus.QUEUED


def launched_to(*groups) -> Campaign:
    campaign = make_campaign(*groups)
    lifecycle.launch(campaign, actor=None)
    return frozen(campaign)


def test_a_cancelled_campaign_says_so():
    campaign = launched(contacts=1)
    lifecycle.cancel(campaign, actor=None)
    assert why_not(campaign, number(1)).why == Why.CANCELLED


@pytest.mark.parametrize(("is_looked_up", "said"), [(True, "settles by itself"), (False, "Somebody has to decide")])
def test_an_unknown_outcome_says_who_settles_it(is_looked_up, said):
    campaign = launched()
    at = timezone.now() if is_looked_up else None
    stand(campaign, MessageStatus.UNKNOWN, reason="worker_lost", next_lookup_at=at)
    answer = why_not(campaign, number(70))
    assert answer.why == Why.UNKNOWN
    assert said in words(answer)


def test_what_was_sent_again_leads_to_the_other_campaign():
    first, second = launched(), make_campaign(name="Sale, again")
    row = stand(first, MessageStatus.FAILED, reason="retries_used")
    again = make_message(number(70), campaign=second, status=MessageStatus.DELIVERED)
    SentMessage.objects.filter(pk=row.pk).update(superseded_by=again)
    answer = why_not(first, number(70))
    assert answer.other == again
    assert "sent again in “Sale, again”; there it is delivered" in words(answer)


# --- it waits ---


def waiting(campaign: Campaign) -> str:
    answer = why_not(campaign, number(1))
    assert answer.why == Why.WAITING
    return words(answer)


def test_who_waits_for_nothing_waits_for_others():
    assert "others are before it" in waiting(launched(contacts=1))


def test_who_waits_for_the_pace_is_told_the_pace():
    assert "no more than 3 go each second" in waiting(launched(contacts=1, max_per_second=3))


def test_of_two_paces_the_slower_is_told():
    GatewayState.objects.create(alias="default", max_per_second=2)
    assert "no more than 2 go each second" in waiting(launched(contacts=1, max_per_second=3))


def test_who_waits_for_the_preparation_is_told_so():
    campaign = launched(contacts=1)
    Campaign.objects.filter(pk=campaign.pk).update(status=CampaignStatus.FREEZING)
    campaign.refresh_from_db()
    assert "being prepared" in waiting(campaign)


def test_who_waits_in_a_paused_campaign_is_told_why_it_is_paused():
    campaign = launched(contacts=1)
    lifecycle.pause(campaign, actor=None, reason="no money left", by_engine=True)
    answer = why_not(campaign, number(1))
    assert [(wait.text, wait.words) for wait in answer.waits] == [("The campaign is paused.", "no money left")]


def test_who_waits_for_the_gateway_is_told_its_reason_and_until_when():
    campaign = launched(contacts=1)
    until = timezone.now() + timedelta(minutes=3)
    state = GatewayState.objects.create(
        alias="default", held_until=until, pause_reason="throttled", provider_text="slow down"
    )
    wait = why_not(campaign, number(1)).waits[0]
    assert (wait.until, wait.words) == (until, "slow down")
    assert "too many requests" in wait.text
    GatewayState.objects.filter(pk=state.pk).update(held_until=None, spent_until=until)
    assert "spend limit for today" in waiting(campaign)
    GatewayState.objects.filter(pk=state.pk).update(paused_at=timezone.now(), pause_reason="no_funds")
    assert "paused (no money on the account)" in waiting(campaign)


def test_what_a_gateway_asked_for_and_is_over_holds_nobody():
    past = timezone.now() - timedelta(seconds=1)
    GatewayState.objects.create(alias="default", held_until=past, spent_until=past)
    assert "others are before it" in waiting(launched(contacts=1))


def test_it_is_morning_where_the_recipient_lives():
    now = timezone.now()
    hours = ((now - timedelta(hours=1)).time(), (now + timedelta(hours=1)).time())
    campaign = launched(contacts=1, window_start=hours[0], window_end=hours[1])
    campaign.messages.update(time_zone="UTC")
    assert "outside the sending hours" not in waiting(campaign)
    campaign.messages.update(time_zone="Asia/Vladivostok")
    assert "outside the sending hours" in waiting(campaign)


def test_who_waits_for_the_morning_is_told_when_it_comes():
    now = timezone.now()
    closed = ((now + timedelta(hours=5)).time(), (now + timedelta(hours=6)).time())
    campaign = launched(contacts=1, window_start=closed[0], window_end=closed[1])
    campaign.messages.update(time_zone="UTC")
    wait = why_not(campaign, number(1)).waits[0]
    assert "outside the sending hours" in wait.text
    assert wait.until is not None
    assert timedelta(hours=4) < wait.until - now < timedelta(hours=6)


def test_who_is_tried_again_is_told_when():
    campaign = launched(contacts=1)
    at = timezone.now() + timedelta(minutes=2)
    campaign.messages.update(not_before=at, reason="unavailable", reason_text="HTTP 503")
    wait = why_not(campaign, number(1)).waits[0]
    assert (wait.until, wait.words) == (at, "provider not reachable: HTTP 503")


def test_who_waits_behind_the_first_portion_is_told_so():
    campaign = launched(contacts=2, canary_size=1, canary_then="ask")
    assert "first portion" in words(why_not(campaign, number(2)))
    assert "first portion" not in waiting(campaign)


def test_who_waits_because_nothing_runs_is_told_so():
    campaign = launched(contacts=1)
    Heartbeat.objects.all().delete()
    assert "No worker is running" in waiting(campaign)


# --- there is no row ---


def test_a_number_without_a_contact_is_told_to_have_none():
    assert why_not(launched(contacts=1), number(9)).why == Why.NO_CONTACT


def test_an_opt_out_of_somebody_who_is_no_contact_is_said_too():
    record_opt_out(number(9), source=OptOutSource.OPERATOR)
    assert "opted out" in words(why_not(launched(contacts=1), number(9)))


def test_who_is_in_other_groups_is_told_in_which_and_for_which_was_asked():
    campaign = launched(contacts=1)
    make_contact(number(5), make_group("Staff"))
    answer = why_not(campaign, number(5))
    assert answer.why == Why.NOT_IN_AUDIENCE
    assert "asked for: “Everybody”" in words(answer)
    assert "in none of them. It is in: “Staff”" in words(answer)


def test_who_is_in_other_groups_and_has_opted_out_is_told_both():
    campaign = launched(contacts=1)
    make_contact(number(5), make_group("Staff"))
    record_opt_out(number(5), source=OptOutSource.OPERATOR)
    said = words(why_not(campaign, number(5)))
    assert "in none of them" in said
    assert "It would get nothing anyway. It opted out" in said


def test_a_campaign_without_groups_says_so():
    make_contact(number(5))
    assert "asked for no group at all" in words(why_not(make_campaign(), number(5)))


def test_who_is_in_no_group_is_told_so():
    campaign = launched(contacts=1)
    make_contact(number(5))
    assert "in no other group" in words(why_not(campaign, number(5)))


def test_who_is_in_a_group_that_is_left_out_is_told_which():
    group, staff = make_group(contacts=1), make_group("Staff")
    make_contact(number(5), group, staff)
    campaign = make_campaign(group, exclude=staff)
    lifecycle.launch(campaign, actor=None)
    answer = why_not(frozen(campaign), number(5))
    assert "leaves out: “Staff”" in words(answer)


def test_who_became_a_contact_after_the_launch_is_told_when():
    group = make_group(contacts=1)
    campaign = launched_to(group)
    make_contact(number(5), group)
    assert "after the campaign was launched" in words(why_not(campaign, number(5)))


def test_who_joined_the_group_later_is_told_so():
    group = make_group(contacts=1)
    late = make_contact(number(5))
    make_contact(number(6), group)
    campaign = launched_to(group)
    late.groups.add(group)
    assert "it joined later" in words(why_not(campaign, number(5)))


def test_groups_that_were_deleted_since_are_mentioned():
    group, gone = make_group(contacts=1), make_group("Gone")
    campaign = launched_to(group, gone)
    gone.delete()
    make_contact(number(5))
    assert "have been deleted since" in words(why_not(campaign, number(5)))


def test_a_smart_group_says_what_it_asked_for():
    smart = make_smart_group(on("language", "equals", "ru"), name="Kazan")
    make_contact(number(1), language="ru")
    campaign = launched_to(smart)
    make_contact(number(5), language="de")
    answer = why_not(campaign, number(5))
    assert answer.why == Why.NOT_IN_AUDIENCE
    assert "“Kazan”: Language is “ru”." in words(answer)


def test_who_has_come_to_meet_a_smart_group_since_is_told_no_condition():
    make_contact(number(5), language="de")
    make_contact(number(1), language="ru")
    campaign = launched_to(make_smart_group(on("language", "equals", "ru"), name="Kazan"))
    Contact.objects.filter(phone_number=number(5)).update(language="ru")
    said = words(why_not(campaign, number(5)))
    assert "it joined later" in said
    assert "Language is" not in said


def test_a_smart_group_is_judged_by_what_it_asked_for_at_the_launch():
    smart = make_smart_group(on("language", "equals", "ru"), name="Kazan")
    make_contact(number(1), language="ru")
    campaign = launched_to(smart)
    smart.conditions = stored(on("language", "equals", "de"))
    smart.save()
    make_contact(number(5), language="de")
    said = words(why_not(campaign, number(5)))
    assert "The contact is in none of them" in said
    assert "“Kazan”: Language is “ru”." in said


def test_a_number_that_was_given_up_leads_to_the_person():
    campaign = launched(contacts=1)
    contact = Contact.objects.get()
    before = contact.phone_number.as_e164
    contact.phone_number = number(44)
    contact.save()
    merging.note_number_change(contact, number(33), actor=None)
    for asked in (number(33), number(44)):
        answer = why_not(campaign, asked)
        assert answer.why == Why.OTHER_NUMBER
        assert answer.message == message_to(before)
        assert answer.contact == contact


def test_who_was_erased_is_still_answered_for(provider):
    campaign = send(launched(contacts=1))
    request_erasure(number(1), reason="asked by letter", actor=None)
    assert not SentMessage.objects.filter(phone_number=number(1)).exists()
    assert why_not(campaign, number(1)).why == Why.ON_ITS_WAY


def test_a_campaign_that_was_not_sent_says_so_and_whether_it_would_reach_them():
    group = make_group(contacts=1)
    campaign = make_campaign(group)
    answer = why_not(campaign, number(1))
    assert answer.why == Why.NOT_SENT_YET
    assert "would get it, as the groups are now" in words(answer)


def test_while_it_is_prepared_a_turn_may_not_have_come():
    campaign = make_campaign(make_group(contacts=1))
    lifecycle.launch(campaign, actor=None)
    assert why_not(campaign, number(1)).why == Why.NOT_SENT_YET
    lifecycle.pause(campaign, actor=None)
    answer = why_not(campaign, number(1))
    assert answer.why == Why.NOT_SENT_YET
    assert "joined later" not in words(answer)


def test_who_is_not_in_a_campaign_that_was_sent_again_is_told_of_the_first():
    parent = launched(contacts=1)
    child = make_campaign(name="again", parent=parent, launched_at=timezone.now(), frozen_at=timezone.now())
    make_contact(number(5))
    assert "those whom “Sale” did not reach" in words(why_not(child, number(5)))


# --- the page ---


@pytest.mark.parametrize("spelling", ["+79990000001", "8 999 000-00-01", "7(999)0000001"])
def test_the_page_answers_in_any_spelling(client, spelling):
    campaign = launched(contacts=1)
    sign_in(client, "view_sentmessage")
    page = text_of(client.get(PAGE, {"number": spelling, "campaign": campaign.pk}))
    assert f"{number(1)}: It waits to be sent." in page


def test_the_page_says_what_is_wrong_with_a_number_or_a_campaign(client):
    sign_in(client, "view_sentmessage")
    page = text_of(client.get(PAGE, {"number": "12", "campaign": "77777777777777777777777"}))
    assert "too short" in page
    assert "Select a valid choice" in page


def test_an_address_that_nobody_would_type_is_answered(client):
    sign_in(client, "view_sentmessage")
    page = text_of(client.get(PAGE, {"number": number(1), "campaign": "7" * 5000}))
    assert "Select a valid choice" in page


def test_who_may_not_see_whole_numbers_sees_none_in_the_answer(client):
    campaign = launched(contacts=1)
    sign_in(client, "view_sentmessage", sees=False)
    page = text_of(client.get(PAGE, {"message": message_to(number(1)).pk, "campaign": campaign.pk}))
    assert "It waits to be sent." in page
    assert number(1) not in page


AGAIN = "it can be sent again to those not reached"


@pytest.mark.parametrize("status", [MessageStatus.FAILED, MessageStatus.UNDELIVERED, MessageStatus.UNKNOWN])
def test_what_was_not_reached_can_be_sent_again_once(client, status):
    campaign = launched()
    row = stand(campaign, status)
    sign_in(client, "view_sentmessage")
    asked = {"number": number(70), "campaign": campaign.pk}
    assert AGAIN in text_of(client.get(PAGE, asked))
    again = make_message(number(70), campaign=make_campaign(name="Sale, again"))
    SentMessage.objects.filter(pk=row.pk).update(superseded_by=again)
    assert AGAIN not in text_of(client.get(PAGE, asked))


def test_what_waits_or_was_delivered_is_not_sent_again(client):
    campaign = launched(contacts=1)
    stand(campaign, MessageStatus.DELIVERED)
    sign_in(client, "view_sentmessage")
    for asked in (number(1), number(70)):
        assert AGAIN not in text_of(client.get(PAGE, {"number": asked, "campaign": campaign.pk}))


def test_a_campaign_older_than_those_offered_can_be_asked_about(client, monkeypatch):
    monkeypatch.setattr("campaigns.why_not_form.CAMPAIGNS_OFFERED", 1)
    campaign = launched(contacts=1)
    make_campaign(name="newer")
    sign_in(client, "view_sentmessage")
    assert "It waits" in text_of(client.get(PAGE, {"number": number(1), "campaign": campaign.pk}))


def test_the_page_is_not_for_everybody(client):
    sign_in(client, "view_campaign")
    assert client.get(PAGE).status_code == 403


def test_the_pages_of_campaign_contact_and_message_lead_there(client):
    campaign = launched(contacts=1)
    sign_in_superuser(client)
    assert f"{PAGE}?campaign={campaign.pk}" in client.get(campaign_url(campaign)).content.decode()
    contact = Contact.objects.get()
    url = reverse("admin:campaigns_contact_change", args=[contact.pk])
    assert f"{PAGE}?contact={contact.pk}" in client.get(url).content.decode()
    message = message_to(number(1))
    assert f'href="{PAGE}"' in client.get(log_url()).content.decode()
    page = client.get(message.get_absolute_url()).content.decode()
    assert f"{PAGE}?campaign={campaign.pk}&amp;message={message.pk}" in page


@pytest.mark.parametrize("about", ["contact", "message"])
def test_it_can_be_asked_without_a_number_in_the_address(client, about):
    campaign = launched(contacts=1)
    sign_in_superuser(client)
    pk = Contact.objects.get().pk if about == "contact" else message_to(number(1)).pk
    assert number(1) in client.get(PAGE, {about: pk}).content.decode()
    assert "It waits" in text_of(client.get(PAGE, {about: pk, "campaign": campaign.pk}))
    assert client.get(PAGE, {about: "0"}).status_code == 200


def test_an_answer_takes_few_queries(client, django_assert_max_num_queries):
    campaign = launched(contacts=1)
    sign_in_superuser(client)
    client.get(PAGE)
    # session, user, the campaigns offered (three), the row, pseudonyms, what it waits for, notices
    with django_assert_max_num_queries(16):
        client.get(PAGE, {"number": number(1), "campaign": campaign.pk})
