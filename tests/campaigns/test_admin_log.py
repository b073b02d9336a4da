"""The delivery log: browsed by key, searched by number, read-only; and the page of one message."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from django.contrib.auth.models import Permission
from django.db import connection
from django.db.models import Q
from django.db.models.expressions import RawSQL
from django.http import QueryDict
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from campaigns import log
from campaigns.admin.sent_messages import SentMessageAdmin
from campaigns.log import LogFilters, pages
from campaigns.models import EventKind, MessageEvent, MessageStatus, Purpose, SentMessage
from campaigns.time_limits import TookTooLong
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
    # session, user, which gateways the log knows, the rows, unread, paused gateways, heartbeat
    with django_assert_num_queries(7):
        client.get(log_url())


def test_of_the_log_two_queries_are_asked_with_filters_too(client):
    sign_in_superuser(client)
    campaign = make_campaign()
    for n in range(1, 30):
        make_message(number(n), campaign=campaign, status=MessageStatus.FAILED, reason="too_late")
    filters = {"campaign__id__exact": campaign.pk}
    for other in (
        {"status__exact": "not_reached"},
        {"reason__exact": "too_late"},
        {"gateway__exact": "default"},
        {"from": "2020-01-01", "to": "2090-01-01"},
        {"q": number(3)},
    ):
        with CaptureQueriesContext(connection) as captured:
            assert rows(client.get(log_url(**filters, **other)))
        about_the_log = [query["sql"] for query in captured if "campaigns_sentmessage" in query["sql"]]
        assert len(about_the_log) <= 2, other


def test_each_filter_has_a_chip_that_removes_it_and_nothing_else(client):
    sign_in_superuser(client)
    campaign = make_campaign(name="Spring sale")
    url = log_url(
        **{
            "campaign__id__exact": campaign.pk,
            "status__exact": "not_reached",
            "from": "2026-03-01",
            "to": "2026-03-01",
        },
        reason__exact="too_late",
        q="+7999",
        before="5.5",
    )
    response = client.get(url)
    chips = {chip.title: chip for chip in response.context["cl"].chips}
    assert {title: chip.words for title, chip in chips.items()} == {
        "campaign": "Spring sale",
        "status": "not reached",
        "reason": "not sent in time",
        "written": "1 Mar 2026",
        "search": "+7999",
    }
    left = QueryDict(chips["written"].remove_url.lstrip("?"))
    assert left.dict() == {
        "campaign__id__exact": str(campaign.pk),
        "status__exact": "not_reached",
        "reason__exact": "too_late",
        "q": "+7999",
    }
    assert "Campaign: Spring sale" in text_of(response)


def test_days_are_said_as_they_were_chosen_in_the_readers_zone(client):
    sign_in_superuser(client, time_zone="Asia/Tokyo")
    for parameters, words in (
        ({"from": "2026-03-01"}, "since 1 Mar 2026"),
        ({"to": "2026-03-02"}, "until 2 Mar 2026"),
        ({"from": "2026-03-01", "to": "2026-03-02"}, "1 Mar 2026 – 2 Mar 2026"),
        ({"day__gte": "2026-03-01", "day__lte": "2026-03-01"}, "1 Mar 2026"),
    ):
        (chip,) = client.get(log_url(**parameters)).context["cl"].chips
        assert chip.words == words


def test_the_form_shows_what_is_set_and_sends_along_what_it_has_no_field_for(client):
    sign_in_superuser(client)
    campaign = make_campaign(name="Spring sale")
    url = log_url(campaign__id__exact=campaign.pk, status__exact="left_out", region__exact="RU", gateway__exact="gone")
    page = client.get(url).content.decode()
    assert f'<option value="{campaign.pk}" selected>Spring sale</option>' in page
    assert '<option value="left_out" selected>left out (all)</option>' in page
    assert '<option value="gone" selected>gone</option>' in page
    assert page.count('<input type="hidden" name="region__exact" value="RU">') == 2  # the filters, and the jump


def test_a_campaign_can_be_looked_up_only_by_those_who_see_campaigns(client):
    campaign = make_campaign(name="Spring sale")
    sign_in(client, "view_sentmessage")
    assert "admin-autocomplete" not in client.get(log_url()).content.decode()
    assert "Spring sale" in text_of(client.get(log_url(campaign__id__exact=campaign.pk)))
    sign_in(client, "view_sentmessage", "view_campaign", username="other")
    assert "admin-autocomplete" in client.get(log_url()).content.decode()


def test_one_can_go_to_a_day_and_on_in_both_directions(client, small_pages):
    sign_in_superuser(client, time_zone="Europe/Moscow")
    for day in (1, 2, 3, 4):
        make_message(number(day), created_at=datetime(2026, 3, day, 20, 30, tzinfo=UTC))
        make_message(number(day + 10), created_at=datetime(2026, 3, day, 21, 30, tzinfo=UTC))  # the next day in Moscow
    response = client.get(log_url(at="2026-03-03", status__exact="queued"))
    assert rows(response) == [number(3), number(12)]
    changelist = response.context["cl"]
    assert rows(client.get(log_url() + changelist.older)) == [number(2), number(11)]
    assert rows(client.get(log_url() + changelist.newer)) == [number(4), number(13)]
    assert "status__exact=queued" in changelist.older
    assert "at=" not in changelist.older


def test_before_the_first_row_there_is_a_way_back_to_the_newest(client, small_pages):
    sign_in_superuser(client)
    make_message(number(1))
    response = client.get(log_url(at="2020-01-01"))
    assert rows(response) == []
    assert rows(client.get(log_url() + response.context["cl"].newer)) == [number(1)]


def test_behind_the_newest_row_stands_the_first_page(client, small_pages):
    sign_in_superuser(client)
    message = make_message(number(1))
    key = log.Key.of(message)
    assert rows(client.get(log_url(after=str(key)))) == [number(1)]


@pytest.mark.parametrize(
    "parameters",
    [
        {"before": "x"},
        {"after": "1"},
        {"at": "2026-13-01"},
        {"status__exact": "nonsense"},
        {"campaign__id__exact": "x"},
        {"body__contains": "secret"},
    ],
)
def test_an_address_that_means_nothing_leads_to_the_whole_log(client, parameters):
    sign_in_superuser(client)
    response = client.get(log_url(**parameters))
    assert (response.status_code, response.url) == (302, f"{log_url()}?e=1")
    assert client.get(response.url).status_code == 200


def test_filters_that_take_too_long_say_so_and_which_one_to_leave_out(client, monkeypatch):
    def no_time(seconds):
        assert seconds == 1
        raise TookTooLong

    monkeypatch.setattr(pages, "time_limit", no_time)
    sign_in_superuser(client)
    make_message(number(1), reason="too_late")
    response = client.get(log_url(reason__exact="too_late", gateway__exact="default"))
    page = text_of(response)
    assert "These filters together take too long, so the search was stopped after a second." in page
    assert "Leave out reason: not sent in time" in page
    assert "Leave out gateway: default" in page
    left_out = next(chip for chip in response.context["cl"].to_drop if chip.name == "gateway")
    assert rows(client.get(log_url() + left_out.remove_url)) == [number(1)]


@pytest.mark.django_db(transaction=True)
def test_the_database_itself_is_stopped_after_the_time(client, monkeypatch):
    """With a condition that takes for ever, as a search through ten million rows would."""
    monkeypatch.setattr(pages, "LIMIT_SECONDS", 0.2)
    endless = (
        "WITH RECURSIVE c(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM c WHERE n < 1000000000) SELECT COUNT(*) FROM c"
    )
    monkeypatch.setattr(LogFilters, "unindexed", lambda self: Q(pk__lt=RawSQL(endless, [])))
    sign_in_superuser(client)
    make_message(number(1), reason="too_late")
    response = client.get(log_url(reason__exact="too_late", gateway__exact="default"))
    assert response.context["cl"].took_too_long
    monkeypatch.undo()
    assert rows(client.get(log_url(reason__exact="too_late"))) == [number(1)]


def test_every_figure_of_a_campaigns_page_leads_to_its_rows(client):
    sign_in_superuser(client)
    campaign = make_campaign(status="completed")
    make_message(number(1), campaign=campaign, status=MessageStatus.FAILED, reason="too_late")
    make_message(number(2), campaign=campaign, status=MessageStatus.QUEUED)
    make_message(number(3), status=MessageStatus.FAILED, reason="too_late")
    for parameters, found in (
        ({"status__exact": "done"}, [1]),
        ({"status__exact": "to_go"}, [2]),
        ({"status__exact": "failed", "reason__exact": "too_late"}, [1]),
        ({}, [2, 1]),
    ):
        response = client.get(log_url(campaign__id__exact=campaign.pk, **parameters))
        assert rows(response) == [number(n) for n in found]


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


@pytest.mark.parametrize("kind", [EventKind.UNKNOWN, EventKind.LOOKUP])
def test_why_an_unknown_message_was_left_to_the_operator_is_said_in_words(client, kind):
    message = make_message(status=MessageStatus.UNKNOWN)
    MessageEvent.objects.create(message=message, kind=kind, payload={"ended": "too long ago"})
    sign_in(client, "view_sentmessage")
    assert "UTC too long ago As the provider said it" in text_of(client.get(message_url(message)))


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
