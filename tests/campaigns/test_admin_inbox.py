"""The inbox in the admin: what is to be done, who does it, and what is answered from there."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.urls import reverse
from django.utils import timezone

from campaigns import conversations, optouts, replies
from campaigns.models import (
    AuditEvent,
    Conversation,
    MessageStatus,
    OptOut,
    OptOutSource,
    Purpose,
    ReplyKeyword,
    SentMessage,
)
from campaigns.sending.dispatch import send_waiting
from sms_backends import IncomingSms
from tests.campaigns.building import launched, make_contact, make_message, make_user, message_to, number, send
from tests.campaigns.screens import hidden_fields, said, sign_in, sign_in_superuser, text_of

pytestmark = pytest.mark.django_db

LIST = "/admin/campaigns/conversation/"
ALL = ("view_conversation", "answer_conversation", "review_conversation")


def writes(text: str, phone_number: str = number(1), **fields) -> Conversation:
    replies.receive("default", [IncomingSms(phone_number, text, "1234", **{"at": timezone.now(), **fields})])
    return Conversation.objects.get(phone_number=phone_number)


def act(client, conversation: Conversation, action: str, **fields: str):
    return client.post(reverse(f"admin:campaigns_conversation_{action}", args=[conversation.pk]), fields)


def listed(response) -> list[str]:
    return [str(row) for row in response.context["cl"].result_list]


# --- the list ---------------------------------------------------------------------------------------------------------


def test_the_list_shows_what_is_to_be_done_and_the_filters_the_rest(client):
    user = sign_in(client, *ALL)
    writes("Hello", number(1))
    conversations.assign(writes("Hello", number(2)), user, actor=user)
    conversations.mark_answered(writes("Hello", number(3)), actor=user)
    writes("please don't text me", number(4))
    writes("STOP", number(5))
    conversations.mark_read(Conversation.objects.get(phone_number=number(1)))
    expected = {
        None: [4, 2, 1], "to_do": [4, 2, 1], "unread": [4, 2], "mine": [2], "free": [4, 1], "review": [4],
        "answered": [3], "all": [5, 4, 3, 2, 1],
    }  # fmt: skip
    for state, people in expected.items():
        found = listed(client.get(LIST, {"state": state} if state else {}))
        assert (state, found) == (state, [number(n) for n in people])


def test_a_search_by_number_looks_everywhere(client):
    sign_in(client, *ALL)
    writes("STOP", number(5))
    assert listed(client.get(LIST, {"q": "8 999 000 00 05"})) == [number(5)]


def test_a_hundred_conversations_cost_no_more_queries_than_two(client, django_assert_max_num_queries):
    sign_in(client, *ALL)
    for n in range(40):
        make_contact(number(n), first_name=f"N{n}")
        writes("Hello", number(n))
    with django_assert_max_num_queries(12):
        client.get(LIST)


# --- a conversation ---------------------------------------------------------------------------------------------------


def test_it_shows_both_sides_in_order_and_what_was_answered(client, provider):
    sign_in(client, *ALL, "view_sentmessage", "view_contact")
    campaign = send(launched(contacts=1, name="Autumn sale", body="Come in autumn"))
    conversation = writes("When do you open?")
    page = client.get(conversation.get_absolute_url())
    text = text_of(page)
    assert text.index("Come in autumn") < text.index("When do you open?")
    assert "answers “Autumn sale”" in text
    assert conversation.messages.get().campaign == campaign


def test_a_long_conversation_is_paged_and_bounded_in_queries(client, django_assert_max_num_queries):
    sign_in(client, *ALL)
    start = timezone.now() - timedelta(days=1)
    for n in range(60):
        conversation = writes(f"line {n:03}.", at=start + timedelta(minutes=n))
    with django_assert_max_num_queries(20):
        page = client.get(conversation.get_absolute_url())
    assert "line 059." in text_of(page)
    assert "line 019." not in text_of(page)
    older = client.get(conversation.get_absolute_url(), {"before": page.context["older"]})
    assert "line 019." in text_of(older)
    assert "line 020." not in text_of(older)
    assert not older.context["older"]


@pytest.mark.parametrize("before", ["yesterday", "2026-13-45", "2026-01-01", "'"])
def test_a_page_that_does_not_exist_is_the_latest(client, before):
    sign_in(client, *ALL)
    assert "Hello" in text_of(client.get(writes("Hello").get_absolute_url(), {"before": before}))


def test_looking_at_it_changes_nothing_and_reading_it_is_said_by_post(client):
    sign_in(client, *ALL)
    conversation = writes("Hello")
    client.get(conversation.get_absolute_url())
    conversation.refresh_from_db()
    assert conversation.unread_count == 1
    act(client, conversation, "seen")
    conversation.refresh_from_db()
    assert (conversation.unread_count, conversation.needs_answer) == (0, True)


def test_whoever_takes_it_can_give_it_back(client):
    user = sign_in(client, *ALL)
    conversation = writes("Hello")
    act(client, conversation, "assign")
    conversation.refresh_from_db()
    assert conversation.assigned_to == user
    assert "Taken by olga" in text_of(client.get(conversation.get_absolute_url()))
    act(client, conversation, "assign", to="nobody")
    conversation.refresh_from_db()
    assert conversation.assigned_to_id is None
    assert AuditEvent.objects.filter(action="conversation_assigned", actor=user).count() == 2


def test_marked_as_answered_it_is_out_of_the_way_until_it_is_put_back_or_more_comes(client):
    sign_in(client, *ALL)
    conversation = writes("Thanks, bye")
    act(client, conversation, "settle")
    conversation.refresh_from_db()
    assert (conversation.needs_answer, conversation.unread_count, str(conversation.answered_by)) == (False, 0, "olga")
    act(client, conversation, "settle", **{"as": "open"})
    conversation.refresh_from_db()
    assert conversation.needs_answer
    act(client, conversation, "settle")
    assert writes("One more thing").needs_answer


# --- answering --------------------------------------------------------------------------------------------------------


def test_an_answer_goes_out_before_any_bulk_and_counts_its_segments(client, provider):
    user = sign_in(client, *ALL)
    conversation = writes("When do you open?")
    campaign = launched(contacts=3)
    page = client.get(conversation.get_absolute_url())
    response = act(client, conversation, "answer", text="В девять\r\n" + "!" * 70, nonce=hidden_fields(page)["nonce"])
    assert "on its way" in said(response)
    message = message_to(number(1)) if SentMessage.objects.filter(phone_number=number(1)).count() == 1 else None
    message = message or SentMessage.objects.get(purpose=Purpose.REPLY)
    assert (message.segment_count, message.encoding, message.created_by) == (2, "UCS-2", user)
    assert "\r" not in message.body
    send_waiting(campaign.pk, seconds=60)
    assert provider.requests[0].numbers == [number(1)]
    assert provider.requests[0].to[0][1].startswith("В девять")
    conversation.refresh_from_db()
    assert (conversation.needs_answer, conversation.assigned_to, conversation.answered_by) == (False, user, user)


def test_pressed_twice_it_is_sent_once(client):
    sign_in(client, *ALL)
    conversation = writes("Hello")
    for _press in range(2):
        response = act(client, conversation, "answer", text="Hi", nonce="n-1")
    assert "goes out once" in said(response)
    assert SentMessage.objects.count() == 1


def test_a_refused_answer_stays_in_its_form(client):
    sign_in(client, *ALL)
    response = act(client, writes("Hello"), "answer", text="  \n ", nonce="n-1")
    assert "The text is empty." in text_of(response)
    form = response.context["answer_form"]
    assert (form["text"].value(), form["nonce"].value()) == ("  \n ", "n-1")
    assert "Hello" in text_of(response), "the conversation is still there"
    assert not SentMessage.objects.exists()


def test_whoever_had_to_sign_in_anew_on_the_way_to_an_answer_comes_to_the_conversation(client):
    conversation = writes("Hello")
    response = act(client, conversation, "answer", text="Hi", nonce="n-1")
    user = sign_in(client, *ALL)
    back = client.get(response.url.partition("next=")[2], follow=True)
    assert back.redirect_chain == [(conversation.get_absolute_url(), 302)]
    assert f'data-keeper="{user.pk}:answer:{conversation.pk}"' in back.content.decode()
    assert not SentMessage.objects.exists()


def test_the_browser_is_told_that_it_need_not_keep_the_text_any_longer(client):
    user = sign_in(client, *ALL)
    conversation = writes("Hello")
    act(client, conversation, "answer", text="Hi", nonce="n-1")
    assert f"saved-by-{user.pk}" in client.get(conversation.get_absolute_url()).content.decode()


def test_who_has_opted_out_cannot_be_answered_and_the_page_says_so(client):
    sign_in(client, *ALL, "view_optout")
    writes("STOP")
    conversation = writes("But where is my order?")
    page = text_of(client.get(conversation.get_absolute_url()))
    assert "has opted out and cannot be written to" in page
    assert "See the opt-out" in page
    response = act(client, conversation, "answer", text="Hi", nonce="n-1")
    assert "has opted out" in said(response)
    assert not SentMessage.objects.filter(purpose=Purpose.REPLY).exists()


def test_nobody_answers_a_short_code(client):
    sign_in(client, *ALL)
    conversation = writes("Your code is 1", "BANK")
    assert "is no phone number" in text_of(client.get(conversation.get_absolute_url()))
    assert "is no phone number" in said(act(client, conversation, "answer", text="Hi", nonce="n"))


def test_an_answer_that_the_installation_forbids_is_said_to_be_unsent(client, settings):
    sign_in(client, *ALL)
    conversation = writes("Hello")
    settings.SMS_ONLY_TO = [number(9)]
    assert "not sent" in said(act(client, conversation, "answer", text="Hi", nonce="n"))
    assert SentMessage.objects.get().status == MessageStatus.SUPPRESSED


# --- reviewing --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("verdict", "is_opted_out"), [("opt_out", True), ("none", False)])
def test_a_person_decides_about_a_doubt(client, verdict, is_opted_out):
    user = sign_in(client, *ALL)
    conversation = writes("please don't text me")
    assert "Is this an opt-out?" in text_of(client.get(conversation.get_absolute_url()))
    act(client, conversation, "review", verdict=verdict)
    conversation.refresh_from_db()
    assert conversation.held_since is None
    assert OptOut.objects.exists() is is_opted_out
    if is_opted_out:
        opt_out = OptOut.objects.get()
        assert (opt_out.note, opt_out.source, opt_out.created_by) == (
            "please don't text me",
            OptOutSource.KEYWORD,
            user,
        )
    assert "decided about this already" in said(act(client, conversation, "review", verdict="opt_out"))
    assert OptOut.objects.exists() is is_opted_out


# --- permissions ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("action", ["answer", "seen", "assign", "settle", "review"])
def test_every_act_needs_its_permission_and_a_post(client, action):
    sign_in(client, "view_conversation")
    conversation = writes("please don't text me")
    assert act(client, conversation, action, text="Hi").status_code == 403
    page = text_of(client.get(conversation.get_absolute_url()))
    for button in ("Send the answer", "Take it", "Mark as answered", "Yes, opt the number out"):
        assert button not in page
    client.logout()
    sign_in(client, *ALL, username="boris")
    url = reverse(f"admin:campaigns_conversation_{action}", args=[conversation.pk])
    assert client.get(url).status_code == (302 if action == "answer" else 405)
    assert client.post(url.replace(str(conversation.pk), "999999"), {"text": "Hi"}).status_code == 404


def test_nobody_without_the_permission_sees_it(client):
    sign_in(client, "answer_conversation")
    conversation = writes("Hello")
    assert client.get(LIST).status_code == 403
    assert act(client, conversation, "seen").status_code == 403


# --- keywords ---------------------------------------------------------------------------------------------------------

KEYWORDS = "/admin/campaigns/replykeyword/"
KEYWORD_RIGHTS = ("view_replykeyword", "add_replykeyword", "change_replykeyword", "delete_replykeyword")


def keyword_form(**fields) -> dict[str, object]:
    blank = {"word": "Sale", "reply": "20 %", "forward_to_phone": "", "forward_to_email": "", "is_active": "on"}
    return {**blank, **fields}


def test_a_keyword_is_added_and_recorded(client):
    user = sign_in(client, *KEYWORD_RIGHTS)
    client.post(f"{KEYWORDS}add/", keyword_form(word="Más Info", reply="a\r\nb"))
    keyword = ReplyKeyword.objects.get()
    assert (keyword.normalised, keyword.reply) == ("mas info", "a\nb")
    assert AuditEvent.objects.get(action="keyword_saved").actor == user
    assert "Más Info" in text_of(client.get(KEYWORDS))


@pytest.mark.parametrize(
    ("fields", "problem"),
    [
        ({"word": "STOP"}, "is understood as “opt-out” already"),
        ({"word": "помощь"}, "is understood as “asks for help” already"),
        ({"word": "!!!"}, "at least one letter or digit"),
        ({"word": "vip"}, "There is a keyword “vip” already."),
        ({"forward_to_phone": "12"}, "phone"),
        ({"forward_to_phone": number(1)}, "SMS_FORWARD_TO_PHONES"),
        ({"forward_to_email": "shop@example.org"}, "EMAIL_URL is not set"),
    ],
)
def test_what_a_keyword_cannot_be(client, fields, problem):
    sign_in(client, *KEYWORD_RIGHTS)
    ReplyKeyword.objects.create(word="VIP", normalised="vip")
    response = client.post(f"{KEYWORDS}add/", keyword_form(**fields))
    assert problem in text_of(response)
    assert ReplyKeyword.objects.count() == 1


def test_where_it_is_set_up_it_can_be_passed_on(client, settings):
    sign_in(client, *KEYWORD_RIGHTS)
    settings.SMS_FORWARD_TO_PHONES, settings.EMAIL_URL = True, "smtp://localhost"
    fields = {"forward_to_phone": "8 999 000 00 01", "forward_to_email": "shop@example.org"}
    client.post(f"{KEYWORDS}add/", keyword_form(**fields))
    keyword = ReplyKeyword.objects.get()
    assert (keyword.forward_to_phone, keyword.forward_to_email) == (number(1), "shop@example.org")


@pytest.mark.parametrize(
    ("text", "meaning"),
    [("Stop please", "opt-out (stop)"), ("don't text me", "perhaps an opt-out"), ("VIP", "keyword (vip)")],
)
def test_a_message_can_be_tried_without_sending_it(client, text, meaning):
    sign_in(client, "view_replykeyword")
    ReplyKeyword.objects.create(word="VIP", normalised="vip")
    page = text_of(client.post(f"{KEYWORDS}built-in/", {"text": text}))
    assert f"Understood as: {meaning}" in page
    assert "отписаться" in page
    client.logout()
    sign_in(client, username="boris")
    assert client.get(f"{KEYWORDS}built-in/").status_code == 403


def test_an_answer_of_ones_own_is_written_for_a_language(client):
    sign_in_superuser(client)
    fields = {"meaning": "stop", "language": "ru", "text": "Пока"}
    client.post("/admin/campaigns/automaticreply/add/", fields)
    replies.receive("default", [IncomingSms(number(1), "СТОП", "1", "x")])
    assert SentMessage.objects.get().body == "Пока"


def test_the_answers_of_a_conversation_are_not_those_of_another_number(client):
    sign_in(client, *ALL)
    make_message(number(2), body="Not for you", status=MessageStatus.SENT)
    assert "Not for you" not in text_of(client.get(writes("Hello").get_absolute_url()))


def test_an_opt_out_recorded_elsewhere_is_seen_here(client):
    sign_in(client, *ALL)
    conversation = writes("Hello")
    optouts.record_opt_out(number(1), source=OptOutSource.OPERATOR, actor=make_user("boris"))
    assert "Opted out" in text_of(client.get(conversation.get_absolute_url()))


def test_the_start_page_says_what_waits_to_whoever_may_read_it(client):
    sign_in(client, "view_conversation")
    writes("Hello", number(1))
    writes("please don't text me", number(2))
    page = text_of(client.get("/admin/"))
    assert "2 people wait for an answer" in page
    assert "1 answer may be an opt-out" in page
    client.logout()
    sign_in(client, "view_campaign", username="boris")
    assert "wait for an answer" not in text_of(client.get("/admin/"))
