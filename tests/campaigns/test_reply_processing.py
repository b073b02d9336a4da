"""What follows from an incoming message, once, whatever breaks in between."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.core import mail
from django.utils import timezone

from campaigns import auto_replies, conversations, forwarding, optouts, replies, reply_processing, tasks
from campaigns.models import (
    AutomaticReply,
    ConsentChange,
    Contact,
    Conversation,
    Forward,
    InboundMessage,
    Meaning,
    MessageStatus,
    OptOut,
    OptOutSource,
    Purpose,
    ReplyKeyword,
    SentMessage,
)
from campaigns.sending.sweeper import sweep
from sms_backends import IncomingSms
from tests.campaigns.building import launched, make_campaign, make_contact, make_group, make_message, number, send

pytestmark = pytest.mark.django_db

_ids = iter(range(10**6))


def comes(text: str, phone_number: str = number(1), **fields) -> InboundMessage:
    """A message arrives by the webhook."""
    provider_id = fields.pop("provider_message_id", f"in-{next(_ids)}")
    replies.receive("default", [IncomingSms(phone_number, text, "1234", provider_id, **fields)])
    return InboundMessage.objects.get(provider_message_id=provider_id)


def answers(phone_number: str = number(1)) -> list[tuple[str, str]]:
    sent = SentMessage.objects.filter(phone_number=phone_number, purpose__in=[Purpose.AUTOMATIC, Purpose.CONFIRMATION])
    return list(sent.order_by("pk").values_list("purpose", "body"))


def keyword(word: str, **fields) -> ReplyKeyword:
    return ReplyKeyword.objects.create(word=word, normalised=word.lower(), **fields)


# --- opting out and in ------------------------------------------------------------------------------------------------


def test_stop_opts_out_at_once_and_is_confirmed_once():
    waiting = make_message(number(1))
    comes("Stop please")
    waiting.refresh_from_db()
    assert (waiting.status, waiting.reason) == (MessageStatus.SUPPRESSED, "opted_out")
    opt_out = OptOut.objects.get()
    assert (opt_out.phone_number, opt_out.source, opt_out.note) == (number(1), OptOutSource.KEYWORD, "Stop please")
    assert answers() == [("confirm", "You will get no more messages from us. Reply START to get them again.")]
    comes("STOP")
    comes("стоп")
    assert len(answers()) == 1


def test_the_confirmation_leaves_although_the_number_is_opted_out_and_nothing_else_does(provider, woken):
    comes("STOP")
    late = make_message(number(1), purpose=Purpose.REPLY)
    tasks.send_urgent()
    assert [text[:12] for _number, text in provider.taken] == ["You will get"]
    late.refresh_from_db()
    assert (late.status, late.reason) == (MessageStatus.SUPPRESSED, "opted_out")


def test_an_opt_out_by_an_operator_in_between_does_not_stop_the_confirmation():
    comes("STOP")
    optouts.record_opt_out(number(1), source=OptOutSource.OPERATOR)
    assert SentMessage.objects.get().status == MessageStatus.QUEUED


@pytest.mark.parametrize(
    ("text", "language", "begins"),
    [("STOP", "ru", "Вы больше"), ("СТОП", "", "Вы больше"), ("baja", "", "No recibirá"), ("STOP", "", "You will"),
     ("STOP", "de-AT", "Sie erhalten"), ("ret", "xx", "Size artık")],
)  # fmt: skip
def test_it_is_answered_in_the_language_of_the_person_or_of_the_word(text, language, begins):
    make_contact(number(1), language=language)
    comes(text)
    assert answers()[0][1].startswith(begins)


def test_the_installations_own_answer_comes_first_and_an_empty_one_means_none():
    AutomaticReply.objects.create(meaning=Meaning.STOP, language="en", text="Bye from ACME")
    AutomaticReply.objects.create(meaning=Meaning.STOP, language="ru", text="")
    comes("STOP")
    comes("СТОП", number(2))
    assert answers() == [("confirm", "Bye from ACME")]
    assert answers(number(2)) == []
    assert OptOut.objects.count() == 2


def test_start_lifts_the_opt_out_and_the_history_tells_all_of_it():
    contact = make_contact(number(1))
    comes("STOP")
    comes("START")
    assert not OptOut.objects.exists()
    assert [purpose for purpose, _text in answers()] == ["confirm", "automatic"]
    history = ConsentChange.objects.filter(contact=contact).values_list("act", "source", "evidence")
    assert list(history) == [("opted_out", "keyword", "STOP"), ("opted_in", "keyword", "START")]


def test_start_from_somebody_who_had_not_opted_out_is_a_message_for_a_person():
    comes("START")
    assert answers() == []
    assert Conversation.objects.get().needs_answer


def test_what_the_provider_has_answered_is_not_answered_again():
    comes("STOP", handled_as="stop")
    assert OptOut.objects.get().source == OptOutSource.PROVIDER
    comes("UNSTOP", handled_as="start")
    assert not OptOut.objects.exists()
    assert answers() == []


def test_help_is_answered_and_seen_by_a_person():
    comes("HELP")
    assert len(answers()) == 1
    assert Conversation.objects.get().needs_answer


# --- doubt ------------------------------------------------------------------------------------------------------------


def test_a_doubtful_message_holds_marketing_until_somebody_has_looked_at_it(provider):
    campaign = launched(contacts=2, kind="marketing")
    service = make_campaign(make_group("B"))
    assert campaign.messages.filter(status=MessageStatus.QUEUED).count() == 0, "nobody has agreed"
    Contact.objects.update(consent="given")
    campaign = again(campaign)
    comes("please don't text me")
    held, other = campaign.messages.order_by("phone_number")
    assert (held.status, held.reason) == (MessageStatus.SUPPRESSED, "under_review")
    assert other.status == MessageStatus.QUEUED
    assert Conversation.objects.get().held_since
    assert not OptOut.objects.exists()
    assert answers() == []
    assert again(campaign).messages.get(phone_number=number(1)).reason == "under_review"
    service_message = make_message(number(1), campaign=service)
    comes("please don't text me!!")
    service_message.refresh_from_db()
    assert service_message.status == MessageStatus.QUEUED


def again(campaign):
    """The same once more."""
    from campaigns import copying, lifecycle
    from tests.campaigns.building import frozen

    copy = copying.duplicate(campaign, actor=None)
    lifecycle.launch(copy, actor=None)
    return frozen(copy)


def test_a_clear_opt_out_ends_the_doubt():
    comes("please don't text me")
    comes("STOP")
    assert Conversation.objects.get().held_since is None


def test_what_somebody_who_has_opted_out_writes_needs_no_review():
    comes("STOP")
    comes("I said no more messages!!!")
    conversation = Conversation.objects.get()
    assert conversation.held_since is None
    assert conversation.needs_answer


# --- no loops ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("sender", ["BANK", "1234", "+12"])
def test_short_codes_and_names_are_never_answered(sender):
    keyword("SALE", reply="20 % off")
    for text in ("STOP", "HELP", "SALE"):
        comes(text, sender)
    assert not SentMessage.objects.exists()
    assert not OptOut.objects.exists()


def test_two_machines_that_answer_each_other_fall_silent():
    keyword("PING", reply="PING")
    for _round in range(20):
        comes("PING")
    assert len(answers()) == 3
    SentMessage.objects.update(created_at=timezone.now() - timedelta(hours=1))
    for _round in range(20):
        comes("PING")
    assert len(answers()) == 6
    SentMessage.objects.update(created_at=timezone.now() - timedelta(days=2))
    comes("PING")
    assert len(answers()) == 7


def test_stop_and_start_in_turns_are_not_answered_for_ever():
    for _round in range(10):
        comes("STOP")
        comes("START")
    assert len(answers()) == 3
    comes("STOP")
    assert OptOut.objects.exists(), "what it means holds in any case"


def test_our_own_words_sent_back_are_not_answered():
    keyword("Welcome", reply="Welcome to our shop")
    make_message(number(1), body="Welcome to our shop, dear friend", status=MessageStatus.SENT)
    comes("welcome to our shop, DEAR friend")
    assert answers() == []


def test_what_a_machine_wrote_is_neither_answered_nor_put_before_a_person():
    inbound = comes("Automatic reply: I am out of the office")
    assert inbound.meaning == Meaning.AUTOMATIC
    assert not Conversation.objects.get().needs_answer


def test_what_came_long_ago_is_acted_upon_without_an_answer():
    comes("STOP", at=timezone.now() - timedelta(days=3))
    assert OptOut.objects.exists()
    assert answers() == []


# --- keywords of one's own --------------------------------------------------------------------------------------------


def test_a_keyword_answers_and_puts_into_groups():
    group = make_group("Sale")
    keyword("SALE", reply="20 % off").groups.add(group)
    inbound = comes("sale!")
    assert answers() == [("automatic", "20 % off")]
    contact = group.contacts.get()
    assert (contact.phone_number.as_e164, contact.consent) == (number(1), "unknown")
    assert (inbound.meaning, inbound.contact) == (Meaning.KEYWORD, contact)
    assert not Conversation.objects.get().needs_answer


def test_a_keyword_out_of_use_is_a_message_like_others():
    keyword("SALE", reply="20 % off", is_active=False)
    comes("SALE")
    assert answers() == []


def test_it_is_passed_on_to_a_phone_if_the_installation_allows_it(settings):
    keyword("ORDER", forward_to_phone=number(9))
    comes("ORDER 5 pizzas")
    assert answers(number(9)) == []
    settings.SMS_FORWARD_TO_PHONES = True
    comes("ORDER 6 pizzas")
    assert answers(number(9)) == [("automatic", f"{number(1)}: ORDER 6 pizzas")]


def test_no_more_than_so_many_are_passed_on_to_a_phone_in_an_hour(settings, monkeypatch):
    settings.SMS_FORWARD_TO_PHONES = True
    monkeypatch.setattr(forwarding, "MOST_PER_HOUR", 2)
    keyword("ORDER", forward_to_phone=number(9))
    for n in range(1, 5):
        comes("ORDER", number(n))
    assert len(answers(number(9))) == 2


def test_it_is_passed_on_by_mail_and_tried_again_when_that_fails(settings, monkeypatch):
    settings.EMAIL_URL = "smtp://localhost"
    keyword("ORDER", forward_to_email="shop@example.org")
    inbound = comes("ORDER 5 pizzas")
    with monkeypatch.context() as patch:
        patch.setattr("django.core.mail.EmailMessage.send", refuse)
        tasks.send_forwards()
    forward = Forward.objects.get()
    assert forward.tries == 1
    assert forward.due_at > timezone.now()
    Forward.objects.update(due_at=timezone.now())
    tasks.send_forwards()
    assert not Forward.objects.exists()
    assert [(one.to, one.body) for one in mail.outbox] == [(["shop@example.org"], inbound.text)]


def test_a_mail_that_never_leaves_is_given_up_in_the_end(settings, monkeypatch):
    settings.EMAIL_URL = "smtp://localhost"
    keyword("ORDER", forward_to_email="shop@example.org")
    comes("ORDER")
    monkeypatch.setattr("django.core.mail.EmailMessage.send", refuse)
    for _try in range(len(forwarding.RETRY_SECONDS) + 1):
        Forward.objects.update(due_at=timezone.now())
        forwarding.send_due(seconds=5)
    assert not Forward.objects.exists()


def refuse(*args: object, **kwargs: object) -> None:
    raise ConnectionRefusedError("no mail server")


# --- what breaks ------------------------------------------------------------------------------------------------------


def test_what_breaks_half_way_is_done_again_from_the_beginning(monkeypatch, woken, django_capture_on_commit_callbacks):
    with monkeypatch.context() as patch:
        patch.setattr(reply_processing, "take_in", refuse)
        inbound = comes("STOP")
    assert not OptOut.objects.exists()
    assert answers() == []
    assert inbound.tries == 1
    tasks.process_replies()
    assert not OptOut.objects.exists(), "not before its time"
    InboundMessage.objects.update(process_at=timezone.now())
    with django_capture_on_commit_callbacks(execute=True):
        sweep()
    assert ("process_replies",) in woken
    tasks.process_replies()
    assert OptOut.objects.count() == len(answers()) == 1
    inbound.refresh_from_db()
    assert (inbound.process_at, inbound.meaning) == (None, Meaning.STOP)
    tasks.process_replies()
    assert len(answers()) == 1


def test_one_that_breaks_keeps_no_other_from_being_worked_off(monkeypatch):
    act = reply_processing._act_upon

    def break_on_the_first(inbound: InboundMessage) -> None:
        if inbound.phone_number == number(1):
            raise RuntimeError("broken")
        act(inbound)

    monkeypatch.setattr(reply_processing, "_act_upon", break_on_the_first)
    messages = [IncomingSms(number(n), "STOP", "1", f"m-{n}") for n in (1, 2)]
    assert replies.receive("default", messages) == 2
    assert OptOut.objects.get().phone_number == number(2)


def test_what_breaks_again_and_again_is_put_before_a_person_and_holds_marketing(monkeypatch):
    monkeypatch.setattr(reply_processing, "_act_upon", refuse)
    inbound = comes("whatever")
    for _try in range(len(reply_processing.RETRY_SECONDS)):
        InboundMessage.objects.update(process_at=timezone.now())
        reply_processing.process_due(seconds=5)
    inbound.refresh_from_db()
    assert inbound.process_at is None
    conversation = Conversation.objects.get()
    assert conversation.needs_answer
    assert conversation.held_since


def test_a_provider_is_not_kept_waiting_for_what_its_message_means(monkeypatch, woken):
    monkeypatch.setattr(replies, "QUICKLY_SECONDS", 0.0)
    messages = [IncomingSms(number(n), "STOP", "1", f"m-{n}") for n in range(1, 6)]
    replies.receive("default", messages)
    assert OptOut.objects.count() < 5
    tasks.process_replies()
    assert OptOut.objects.count() == 5


def test_there_is_more_to_do_when_the_time_is_up(monkeypatch):
    monkeypatch.setattr(replies, "QUICKLY_SECONDS", 0.0)
    replies.receive("default", [IncomingSms(number(n), "STOP", "1", f"m-{n}") for n in range(1, 4)])
    assert reply_processing.process_due(seconds=0.0) is True
    while reply_processing.process_due(seconds=0.0):
        pass
    assert OptOut.objects.count() == 3


# --- what it answers --------------------------------------------------------------------------------------------------


def test_it_is_matched_to_the_campaign_it_answers(provider):
    first = send(launched(contacts=1))
    later = send(again(first))
    other_gateway = make_message(number(1), gateway="backup", status=MessageStatus.SENT)
    make_message(number(1), purpose=Purpose.AUTOMATIC, status=MessageStatus.SENT)
    make_message(number(1))
    inbound = comes("Yes, I come")
    assert inbound.campaign == later
    assert inbound.answers == later.messages.get()
    named = comes("And this one", in_reply_to=first.messages.get().provider_message_id)
    assert named.campaign == first
    assert inbound.answers != other_gateway


def test_of_several_senders_the_one_that_was_written_to_is_answered():
    mine = make_message(number(1), sender_id="1234", status=MessageStatus.SENT)
    make_message(number(1), sender_id="9999", status=MessageStatus.SENT)
    assert comes("Hello").answers == mine


def test_a_message_from_nobody_we_wrote_to_answers_nothing():
    assert comes("Hello").answers is None


def test_the_answer_comes_from_the_sender_and_gateway_that_were_written_to(settings):
    settings.SMS_GATEWAYS = {"backup": {"BACKEND": "locmem"}}
    make_message(number(1), sender_id="1234", status=MessageStatus.SENT, gateway="backup")
    replies.receive("backup", [IncomingSms(number(1), "STOP", "1234", "x")])
    sent = SentMessage.objects.get(purpose=Purpose.CONFIRMATION)
    assert (sent.gateway, sent.sender_id) == ("backup", "1234")
    assert auto_replies.gateway_for("gone") == "default"


def test_the_same_id_is_one_message_whatever_the_provider_says_of_its_time():
    comes("Hello", provider_message_id="7", at=timezone.now())
    comes("Hello", provider_message_id="7", at=timezone.now() + timedelta(seconds=3))
    assert InboundMessage.objects.count() == 1


def test_without_an_id_words_and_time_say_whether_it_is_the_same():
    at = timezone.now()
    for when in (at, at, at + timedelta(seconds=1)):
        replies.receive("default", [IncomingSms(number(1), "Hello", "1", at=when)])
    assert InboundMessage.objects.count() == 2


# --- conversations ----------------------------------------------------------------------------------------------------


def test_a_conversation_is_that_of_a_number_in_all_its_spellings():
    comes("Hola", "+5215512345678")
    comes("Hola?", "+525512345678")
    conversation = Conversation.objects.get()
    assert (conversation.messages.count(), conversation.unread_count, conversation.last_text) == (2, 2, "Hola?")


def test_the_latest_message_is_shown_whatever_comes_late():
    comes("second", at=timezone.now())
    comes("first", at=timezone.now() - timedelta(hours=1))
    assert Conversation.objects.get().last_text == "second"
    assert conversations.why_not_answer(Conversation.objects.get()) == ""


# --- dead numbers -----------------------------------------------------------------------------------------------------


def test_who_writes_is_there_whatever_the_provider_said_of_the_number():
    optouts.record_refusals([optouts.Refusal(number(1), "unknown_subscriber", "1 no such number")])
    comes("Hello")
    assert not OptOut.objects.exists()
    acts = list(ConsentChange.objects.values_list("act", "source", "evidence"))
    assert acts == [("opted_out", "dead", "1 no such number"), ("opted_in", "keyword", "wrote to us")]


def test_stop_from_a_number_that_was_called_dead_is_an_opt_out():
    optouts.record_refusals([optouts.Refusal(number(1), "unknown_subscriber", "1")])
    comes("STOP")
    assert OptOut.objects.get().source == OptOutSource.KEYWORD
    assert len(answers()) == 1


def test_an_opt_out_by_other_means_takes_the_place_of_a_dead_number():
    optouts.record_refusals([optouts.Refusal(number(1), "unknown_subscriber", "1")])
    optouts.record_opt_out(number(1), source=OptOutSource.LINK)
    assert OptOut.objects.get().source == OptOutSource.LINK


def test_an_opt_out_at_the_provider_is_not_lifted_by_a_message():
    optouts.record_refusals([optouts.Refusal(number(1), "opted_out", "21610")])
    comes("Hello")
    assert OptOut.objects.get().source == OptOutSource.PROVIDER
