"""The delivery log: browsed by key, searched by number, read-only; and the page of one message."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.contrib.auth.models import Permission
from django.utils import timezone

from campaigns.admin.sent_messages import SentMessageAdmin
from campaigns.models import EventKind, MessageEvent, MessageStatus, Purpose, SentMessage
from tests.campaigns.building import make_attempt, make_campaign, make_contact, make_message, make_user, number
from tests.campaigns.screens import log_url, message_url, sign_in, sign_in_superuser, text_of

pytestmark = pytest.mark.django_db


@pytest.fixture
def small_pages(monkeypatch) -> None:
    monkeypatch.setattr(SentMessageAdmin, "list_per_page", 2)


def rows(response) -> list[str]:
    return [message.phone_number for message in response.context["cl"].result_list]


def test_the_log_is_paged_by_key_there_and_back(client, small_pages):
    sign_in_superuser(client)
    for n in range(1, 6):
        make_message(number(n))
    first = client.get(log_url())
    assert rows(first) == [number(5), number(4)]
    second = client.get(log_url() + first.context["cl"].older)
    assert rows(second) == [number(3), number(2)]
    third = client.get(log_url() + second.context["cl"].older)
    assert rows(third) == [number(1)]
    assert third.context["cl"].older == ""
    back = client.get(log_url() + third.context["cl"].newer)
    assert rows(back) == [number(3), number(2)]
    assert rows(client.get(log_url() + back.context["cl"].newer)) == [number(5), number(4)]


def test_filters_survive_paging(client, small_pages):
    sign_in_superuser(client)
    campaign = make_campaign()
    for n in range(1, 5):
        make_message(number(n), campaign=campaign, status=MessageStatus.SENT)
        make_message(number(n + 10), campaign=campaign, status=MessageStatus.FAILED)
    first = client.get(log_url(campaign__id__exact=campaign.pk, status__exact="sent"))
    second = client.get(log_url() + first.context["cl"].older)
    assert rows(first) + rows(second) == [number(n) for n in (4, 3, 2, 1)]


def test_a_page_number_that_is_none_leads_back_to_the_log(client):
    sign_in_superuser(client)
    assert client.get(log_url(before="x")).status_code == 302


@pytest.mark.parametrize("spelling", ["+79990000007", "8 999 000-00-07", "7(999)0000007", "００７９９９００００００７"])
def test_a_number_is_found_in_any_spelling(client, spelling):
    sign_in_superuser(client)
    for n in (6, 7, 8):
        make_message(number(n))
    assert rows(client.get(log_url(q=spelling))) == [number(7)]


@pytest.mark.parametrize("term", ["+7999", "7999", "+7 (999) 12"])
def test_the_first_digits_of_a_number_find_all_that_begin_so(client, term):
    sign_in_superuser(client)
    for other in ("+4915123456789", "+79981234567", "+8613812345678", "+998901234567", "+79991234567"):
        make_message(other)
    assert rows(client.get(log_url(q=term))) == ["+79991234567"]


def test_the_last_numbers_there_are_can_be_searched_by_their_first_digits(client):
    sign_in_superuser(client)
    make_message("+998901234567")
    make_message("+999123")
    assert rows(client.get(log_url(q="999"))) == ["+999123"]


def test_our_reference_and_the_providers_id_find_the_message(client):
    sign_in_superuser(client)
    message = make_message(number(1), provider_message_id="abc-1")
    make_attempt(message, reference="f00d")
    make_message(number(2))
    assert rows(client.get(log_url(q="f00d"))) == [number(1)]
    assert rows(client.get(log_url(q="abc-1"))) == [number(1)]


def test_a_search_for_half_a_number_says_what_is_wrong_with_it(client):
    sign_in_superuser(client)
    page = text_of(client.get(log_url(q="+7 555 12")))
    assert "Nothing was found for “+7 555 12”." in page
    assert "too short" in page


def test_an_empty_log_says_what_will_be_in_it(client):
    sign_in_superuser(client)
    assert "Nothing has been sent yet." in text_of(client.get(log_url()))


def test_the_log_takes_one_query_for_its_rows_however_many(client, django_assert_num_queries):
    sign_in_superuser(client)
    for n in range(1, 30):
        make_message(number(n), campaign=make_campaign(), contact=make_contact(number(n), first_name="Anna"))
    client.get(log_url())
    # session, user, the rows, two for the filter by campaign, paused gateways, heartbeat
    with django_assert_num_queries(7):
        client.get(log_url())


def test_nobody_can_add_change_or_delete_a_row(client):
    message = make_message()
    sign_in_superuser(client)
    assert client.get("/admin/campaigns/sentmessage/add/").status_code == 403
    assert client.post(message_url(message), {"body": "forged"}).status_code == 403
    delete = f"/admin/campaigns/sentmessage/{message.pk}/delete/"
    assert client.post(delete, {"post": "yes"}).status_code == 403
    assert SentMessage.objects.get().body == "Hello"


def test_the_page_of_a_message_tells_what_happened_attempt_by_attempt(client):
    sign_in_superuser(client)
    start = timezone.now() - timedelta(minutes=5)
    message = make_message(
        status=MessageStatus.DELIVERED,
        body="Hello <b>Anna</b>",
        segment_count=1,
        encoding="GSM-7",
        created_at=start,
        created_by=make_user(),
        purpose=Purpose.QUICK,
    )
    times = [start + timedelta(seconds=n) for n in range(1, 6)]
    make_attempt(
        message, outcome="rejected", error_code="9", error_text="too many", started_at=times[0], finished_at=times[1]
    )
    make_attempt(
        message,
        number=2,
        reference="ref-2",
        outcome="accepted",
        provider_message_id="77",
        raw={"id": 77, "cost": "2.50"},
        started_at=times[2],
        finished_at=times[3],
    )
    receipt = {"status": "delivered", "provider_text": "handed to the phone"}
    MessageEvent.objects.create(message=message, kind=EventKind.RECEIPT, at=times[4], payload=receipt)
    response = client.get(message_url(message))
    page = text_of(response)
    told = [
        "Created",
        "Attempt 1: handed over to default",
        "Reference ref-1",
        "The provider did not take it",
        "9 too many",
        "Attempt 2: handed over to default",
        "The provider took it",
        '"cost": "2.50"',
        "Delivery receipt",
        "handed to the phone",
    ]
    places = [page.index(words, page.index("What happened")) for words in told]
    assert places == sorted(places)
    assert "Asked for by olga" in page
    assert "Segments 1 (GSM-7)" in page
    assert "Hello &lt;b&gt;Anna&lt;/b&gt;" in response.content.decode()


def test_a_receipt_in_whole_seconds_stands_behind_the_answer_of_the_same_second(client):
    sign_in_superuser(client)
    second = timezone.now().replace(microsecond=0)
    message = make_message(created_at=second - timedelta(minutes=1))
    MessageEvent.objects.create(message=message, kind=EventKind.RECEIPT, at=second, payload={"status": "delivered"})
    started, finished = (second + timedelta(milliseconds=ms) for ms in (200, 300))
    make_attempt(message, outcome="accepted", started_at=started, finished_at=finished)
    page = text_of(client.get(message_url(message)))
    places = [page.index(words) for words in ("Attempt 1", "The provider took it", "Delivery receipt")]
    assert places == sorted(places)


def test_why_nothing_was_sent_is_said_in_words(client):
    sign_in_superuser(client)
    message = make_message(status=MessageStatus.SUPPRESSED, reason="missing_value", reason_text="city", body="")
    assert "no value for a placeholder: city" in text_of(client.get(message_url(message)))


def test_only_who_controls_campaigns_decides_about_an_unknown_message(client):
    message = make_message(status=MessageStatus.UNKNOWN, status_at=timezone.now())
    user = sign_in(client, "view_sentmessage")
    url = f"/admin/campaigns/sentmessage/{message.pk}/unknown/"
    assert url not in client.get(message_url(message)).content.decode()
    assert client.post(url, {"decision": "leave"}).status_code == 403
    user.user_permissions.add(Permission.objects.get(codename="control_campaign"))
    assert f'action="{url}"' in client.get(message_url(message)).content.decode()
    assert client.get(url).status_code == 405
    client.post(url, {"decision": "leave"})
    assert MessageEvent.objects.get().kind == EventKind.LEFT
