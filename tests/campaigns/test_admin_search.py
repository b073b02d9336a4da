"""The search box of every page: what is found, by whom, and at what price."""

from __future__ import annotations

from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from campaigns import optouts
from campaigns.admin.search import LONGEST, SHOWN
from campaigns.models import Campaign, Contact, FormerNumber, OptOutSource, SentMessage
from tests.campaigns.building import make_campaign, make_contact, make_message, number
from tests.campaigns.screens import sign_in, sign_in_superuser, text_of
from tests.campaigns.test_admin_inbox import writes

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("woken")]

SEARCH = "/admin/search/"


def found(client: Any, term: str) -> dict[str, list[str]]:
    """The titles of what was found, by group."""
    groups = client.get(SEARCH, {"q": term}).context["groups"]
    return {group.key: [str(hit.title) for hit in group.hits] for group in groups}


@pytest.fixture
def anna() -> Contact:
    """Somebody who was written to, wrote back and opted out."""
    contact = make_contact(number(12), first_name="Anna", last_name="Orlova", email="anna@example.org")
    make_message(number(12), contact=contact)
    writes("Hello", number(12))
    optouts.record_opt_out(number(12), source=OptOutSource.OPERATOR, note="", actor=None)
    return contact


@pytest.mark.parametrize(
    "spelling",
    [
        "+79990000012", "8 999 000-00-12", "8 (999) 000 00 12", "79990000012", "9990000012", "+7 999 000 00 12",
        "tel: +7 (999) 000-00-12", "\u200b+7\u00a0999\u00a0000\u00a000\u00a012", "+7999000001", "7999 00000",
    ],
)  # fmt: skip
def test_a_number_is_found_in_any_spelling_and_by_its_first_digits_with_all_that_belongs_to_it(client, anna, spelling):
    sign_in_superuser(client)
    assert found(client, spelling) == {
        "contacts": ["Anna Orlova"],
        "conversations": [number(12)],
        "messages": [number(12)],
        "opt_outs": [number(12)],
    }


def test_who_had_the_number_once_is_found_by_it(client, anna):
    sign_in_superuser(client)
    FormerNumber.objects.create(contact=anna, phone_number=number(77))
    for term in (number(77), "+799900000", "8 999 000-00-77"):
        assert found(client, term)["contacts"] == ["Anna Orlova"]


@pytest.mark.parametrize("term", ["anna", "ORL", "orlova anna", "anna@ex"])
def test_a_name_is_found_by_its_beginning_with_the_conversation(client, anna, term):
    sign_in_superuser(client)
    assert found(client, term) == {"contacts": ["Anna Orlova"], "conversations": [number(12)]}


def test_a_campaign_is_found_by_words_of_its_name_in_capitals_of_any_language(client):
    sign_in_superuser(client)
    make_campaign(name="Весенняя Распродажа 2026")
    make_campaign(name="Winter")
    for term in ("распродажа", "ВЕСЕННЯЯ 2026", "2026"):
        assert found(client, term) == {"campaigns": ["Весенняя Распродажа 2026"]}


def test_pages_are_found_by_what_they_are_called(client):
    sign_in_superuser(client)
    assert found(client, "imp") == {"pages": ["Imports"]}
    assert found(client, "log") == {"pages": ["Delivery log"]}
    sign_in(client, "view_contact")
    assert found(client, "imp") == {}


@pytest.mark.parametrize(
    ("permission", "expected"),
    [
        ("view_contact", "contacts"),
        ("view_conversation", "conversations"),
        ("view_sentmessage", "messages"),
        ("view_optout", "opt_outs"),
    ],
)
def test_everybody_finds_only_what_they_may_see(client, anna, permission, expected):
    sign_in(client, permission)
    assert list(found(client, number(12))) == [expected]
    assert found(client, "sale") == {}


def test_a_name_does_not_lead_to_conversations_those_who_may_not_see_contacts(client, anna):
    sign_in(client, "view_conversation")
    assert found(client, "anna") == {}


def test_each_kind_is_cut_off_and_leads_to_its_list(client):
    sign_in_superuser(client)
    for n in range(10, 19):
        make_contact(number(n), first_name="Anna")
    (group,) = client.get(SEARCH, {"q": "+799900000"}).context["groups"]
    assert [str(hit.title) for hit in group.hits] == ["Anna"] * SHOWN
    assert group.more_url == "/admin/campaigns/contact/?q=%2B799900000"
    assert client.get(group.more_url).context["cl"].result_count == 9


def test_without_a_term_and_without_a_hit_the_page_says_what_can_be_typed(client):
    sign_in_superuser(client)
    assert "Type a phone number in any spelling" in text_of(client.get(SEARCH))
    page = text_of(client.get(SEARCH, {"q": "8 999 12"}))
    assert "Nothing was found for “8 999 12”." in page
    assert "Type a phone number in any spelling" in page


@pytest.mark.parametrize("term", ["\x00", "a\x00b", "%", "_", "'; --", "x" * 5000, "а" * 200, "💥", " "])
def test_whatever_is_typed_is_answered(client, term):
    sign_in_superuser(client)
    response = client.get(SEARCH, {"q": term})
    assert response.status_code == 200
    assert len(response.context["term"]) <= LONGEST


def test_what_is_found_is_escaped(client):
    sign_in_superuser(client)
    make_contact(number(1), first_name="<b>Anna", email="a&b@example.org")
    make_campaign(name="<script>anna")
    for query in ({"q": "anna"}, {"q": "<b>"}, {"q": "<b>", "as": "list"}):
        page = client.get(SEARCH, query).content.decode()
        assert "<b>Anna" not in page
        assert "<script>anna" not in page


def test_the_list_below_the_box_is_the_hits_alone(client, anna):
    sign_in_superuser(client)
    page = client.get(SEARCH, {"q": number(12), "as": "list"}).content.decode()
    assert page.count('role="option"') == 4
    assert 'data-said="4 hits"' in page
    assert "<html" not in page
    assert 'role="listbox"' not in client.get(SEARCH, {"q": "nobody", "as": "list"}).content.decode()


def test_nobody_searches_without_signing_in(client):
    assert client.get(SEARCH, {"q": "anna"}).status_code == 302


@pytest.mark.parametrize(
    ("term", "queries"), [(number(12), 11), ("+7999", 11), ("anna", 8), ("winter sale", 8), ("", 5)]
)
def test_a_search_takes_the_same_queries_however_much_there_is(client, anna, django_assert_num_queries, term, queries):
    sign_in_superuser(client)
    make_campaign(name="Winter sale")
    client.get(SEARCH, {"q": term})
    with django_assert_num_queries(queries):
        client.get(SEARCH, {"q": term})
    for n in range(20, 40):
        make_message(number(n), contact=make_contact(number(n), first_name="Anna"), campaign=make_campaign())
        writes("Hello", number(n))
    make_campaign(name="Winter sale 2")
    with django_assert_num_queries(queries):
        client.get(SEARCH, {"q": term})


@pytest.mark.parametrize("term", [number(12), "+799900"])
def test_no_table_of_numbers_is_read_from_end_to_end(client, anna, term):
    sign_in_superuser(client)
    if connection.vendor != "sqlite":
        pytest.skip("PostgreSQL reads small tables whole, whatever indexes there are")
    with CaptureQueriesContext(connection) as asked:
        client.get(SEARCH, {"q": term})
    tables = ("campaigns_contact", "campaigns_sentmessage", "campaigns_optout", "campaigns_conversation")
    plans = []
    for query in asked.captured_queries:
        if any(f'FROM "{table}"' in query["sql"] for table in tables):
            with connection.cursor() as cursor:
                cursor.execute(f"EXPLAIN QUERY PLAN {query['sql']}")
                plans += [str(row[3]) for row in cursor.fetchall()]
    assert len(plans) >= len(tables)
    whole = [plan for plan in plans if plan.startswith("SCAN campaigns") and "conversation_unread" not in plan]
    assert whole == []


def test_old_campaigns_beyond_those_compared_are_not_looked_at(client, monkeypatch):
    monkeypatch.setattr("campaigns.admin.search.CAMPAIGNS_COMPARED", 2)
    sign_in_superuser(client)
    for n in range(3):
        make_campaign(name=f"Winter {n}")
    assert found(client, "winter") == {"campaigns": ["Winter 2", "Winter 1"]}
    assert Campaign.objects.count() == 3
    assert not SentMessage.objects.exists()
