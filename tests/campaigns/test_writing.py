"""What a text means for the people chosen, while it is written."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest
from django.core.cache import cache

from campaigns import audience_sample, text_check
from campaigns.audience_sample import sample_of
from campaigns.models import Campaign, Contact, ContactGroup
from campaigns.prices import PriceTable, price_table
from campaigns.text_check import TextCheck, check_text, costly_in, with_replacements
from tests.campaigns.building import make_contact, make_group, number, set_prices
from tests.campaigns.screens import sign_in, sign_in_superuser, text_of

pytestmark = pytest.mark.django_db

CHECK = "/admin/campaigns/campaign/check/"


def looked_at(
    group: ContactGroup, body: str, language: str = "", texts=(), prices: PriceTable | None = None
) -> TextCheck:
    return check_text(body, language, texts, sample_of([group.pk]), prices or PriceTable({}))


@pytest.fixture
def people() -> ContactGroup:
    group = make_group()
    make_contact(number(1), group, first_name="Anna", attributes={"City": "Omsk"})
    make_contact(number(2), group, first_name="Maximiliano", attributes={"City": "Nizhny Novgorod"})
    make_contact(number(3), group, first_name="Bo", attributes={"City": " "})
    return group


@pytest.fixture
def sample_of_four(monkeypatch):
    monkeypatch.setattr(audience_sample, "WHOLE", 4)
    monkeypatch.setattr(audience_sample, "READINGS", 2)
    yield
    cache.clear()  # the next test's groups may have the same ids


def test_the_count_is_of_the_longest_text_that_somebody_gets(people):
    found = looked_at(people, "Hello {{ first_name }} in {{ city }}")
    assert found.longest is not None
    assert found.shortest is not None
    assert found.longest.text == "Hello Maximiliano in Nizhny Novgorod"
    assert found.shortest.text == "Hello Anna in Omsk"
    assert found.longest.size.units == len(found.longest.text)


def test_whoever_lacks_a_value_gets_nothing_and_is_counted(people):
    found = looked_at(people, "Hello {{ first_name }} in {{ city }}")
    assert (found.missing, found.people, found.segments) == ({"city": 1}, 3, 2)
    assert looked_at(people, 'In {{ city|default:"town" }}').missing == {}


def test_what_nobody_has_is_named_while_typing(people):
    assert looked_at(people, "{{ town }} {{ first_name }}").unknown == ["town"]
    assert looked_at(people, "{{ имя }}").unknown == []
    assert looked_at(people, "{{ town").problem


def test_a_text_of_one_language_is_looked_at_for_those_who_speak_it(people):
    Contact.objects.filter(first_name="Anna").update(language="ru")
    texts = {"ru": "Привет {{ first_name }}"}
    russian = looked_at(people, texts["ru"], "ru", texts)
    others = looked_at(people, "Hello", "", texts)
    assert (russian.people, others.people) == (1, 2)
    assert russian.longest is not None
    assert russian.longest.text == "Привет Anna"


def test_each_costly_character_costs_what_keeping_it_costs_for_everybody(people):
    set_prices(p7="2.5")
    body = "“" + "a" * 100 + "” –"
    found = looked_at(people, body, prices=price_table("default"))
    assert [(one.character.character, one.segments, one.cost) for one in found.costly] == [
        ("“", 3, Decimal("7.5")),
        ("”", 3, Decimal("7.5")),
        ("–", 3, Decimal("7.5")),
    ]
    assert (found.gain, found.gain_cost) == (3, Decimal("7.5"))
    assert [one.places for one in found.costly] == [[1], [102], [104]]


def test_in_the_letters_of_another_alphabet_signs_cost_nothing(people):
    found = looked_at(people, "«Привет» – всем")
    assert found.is_foreign
    assert found.gain == 0
    assert all(one.character.replacement is not None and one.segments == 0 for one in found.costly)


def test_names_of_placeholders_cost_nothing(people):
    assert costly_in('{{ Город|default:"“там”" }} “ {{ имя }}') == costly_in('{{ XXXXX|default:"“там”" }} “ {{ xxx }}')
    assert [one.character for one in costly_in("{{ Город }} {{ имя }}")] == []


def test_replacing_leaves_placeholders_as_they_are():
    assert with_replacements("“{{ “x” }}”", {"“": '"', "”": '"'}) == '"{{ “x” }}"'


def test_values_that_need_ucs_2_are_counted_apart_from_the_text(people):
    make_contact(number(4), people, first_name="Łukasz")
    assert looked_at(people, "Hello {{ first_name }}").costly_values == 1
    assert looked_at(people, "Hello {{ first_name }}").costly == []


def test_fields_are_offered_that_somebody_has_with_how_many_lack_them(people):
    fields = {one.name: one.missing for one in sample_of([people.pk]).fields}
    assert fields == {"first_name": 0, "full_name": 0, "phone_number": 0, "City": 1}


def test_a_field_whose_name_would_end_the_placeholder_is_not_offered():
    group = make_group()
    make_contact(number(1), group, attributes={"a}}b": "x", "ok": "y"})
    assert [one.name for one in sample_of([group.pk]).fields] == ["phone_number", "ok"]


def test_a_small_audience_is_read_whole_in_one_query(people, django_assert_num_queries):
    with django_assert_num_queries(2):  # the groups, the people
        sample = sample_of([people.pk])
    assert sample.is_whole


def test_of_a_large_audience_some_are_read_from_all_over_it_and_scaled(sample_of_four, django_assert_num_queries):
    group = make_group(contacts=40)
    Contact.objects.filter(pk__in=list(group.contacts.order_by("pk").values_list("pk", flat=True)[:19])).update(
        attributes={"city": "Omsk"}
    )
    with django_assert_num_queries(7):  # the groups, whether it is large, both ends, two readings, the count
        sample = sample_of([group.pk])
    assert (sample.people, len(sample.persons), sample.is_whole) == (40, 4, False)
    city = next(one for one in sample.fields if one.name == "city")
    assert city.missing == 20
    with django_assert_num_queries(0):  # kept for a minute
        sample_of([group.pk])


def test_figures_of_a_sample_are_scaled_to_all(sample_of_four):
    group = make_group(contacts=40)
    assert check_text("Hello", "", (), sample_of([group.pk]), PriceTable({"7": Decimal(2)})).segments == 40
    found = check_text("“" + "a" * 100, "", (), sample_of([group.pk]), PriceTable({"7": Decimal(2)}))
    assert (found.people, found.segments, found.cost) == (40, 80, Decimal(160))
    assert (found.costly[0].segments, found.costly[0].cost) == (40, Decimal(80))


def test_costs_are_taken_of_few_people(monkeypatch):
    monkeypatch.setattr(text_check, "COUNTED", 2)
    group = make_group(contacts=10)
    found = looked_at(group, "“" + "a" * 100)
    assert found.costly[0].segments == 10


def test_a_link_to_opt_out_is_offered_and_counted_where_there_can_be_one(people, settings):
    settings.SITE_URL = ""
    assert looked_at(people, "Stop: {{ unsubscribe_link }}").unknown == ["unsubscribe_link"]
    settings.SITE_URL = "https://sms.example.com"
    found = looked_at(people, "Stop: {{ unsubscribe_link }}")
    assert (found.unknown, found.missing) == ([], {})
    assert found.longest is not None
    assert found.longest.text.startswith("Stop: https://sms.example.com/")
    assert sample_of([people.pk]).fields[-1].name == "unsubscribe_link"


def test_a_smart_group_that_cannot_be_read_is_nobody():
    group = ContactGroup.objects.create(name="Broken", conditions={"nonsense": 1})
    assert sample_of([group.pk]).people == 0


# --- asked by the page ----------------------------------------------------------------------------------------


def ask(client, group, **fields) -> dict[str, Any]:
    response = client.post(CHECK, {"body": "Hello {{ first_name }}", "include_groups": [group.pk], **fields})
    assert response.status_code == 200
    return response.json()


def test_the_page_is_told_sizes_fields_and_longest_values(client, people):
    sign_in(client, "add_campaign")
    answer = ask(client, people)
    assert answer["texts"] == [
        {
            "language": "",
            "body": "Hello {{ first_name }}",
            "count": {"encoding": "GSM-7", "segments": 1, "units": 17, "left": 143},
        }
    ]
    assert answer["values"]["first_name"] == "Maximiliano"
    assert 'data-insert="{{ City }}"' in answer["html"]
    assert "1 person has none" in answer["html"]


def test_a_misspelt_field_is_offered_in_its_right_spelling(client, people):
    sign_in(client, "add_campaign")
    html = ask(client, people, body="In {{ citty }}")["html"]
    assert "Nobody in the chosen groups has “citty”" in html
    assert 'data-rename="citty" data-to="City"' in html


@pytest.mark.parametrize(
    ("who", "number_", "words"),
    [
        ("longest", "", "Hello Maximiliano"),
        ("shortest", "", "Hello Bo"),
        ("missing", "", "There is nobody like this."),
        ("number", "8 (999) 000-00-01", "Hello Anna"),
        ("number", "8 999 000 00 77", "not among the contacts"),
        ("number", "12", "not a phone number"),
    ],
)
def test_the_preview_shows_whom_one_asks_for(client, people, who, number_, words):
    sign_in(client, "add_campaign", "view_contact")
    assert words in ask(client, people, who=who, number=number_)["html"]


def test_the_preview_says_when_a_number_is_not_in_the_groups(client, people):
    sign_in(client, "add_campaign", "view_contact")
    make_contact(number(9), first_name="Zoe")
    html = ask(client, people, who="number", number=number(9))["html"]
    assert "Hello Zoe" in html
    assert "Is not in the chosen groups" in html


def test_numbers_are_looked_up_only_by_whoever_may_see_contacts(client, people):
    sign_in(client, "add_campaign")
    assert "Hello Anna" not in ask(client, people, who="number", number=number(1))["html"]


def test_links_are_shown_as_phones_show_them_and_nothing_else_is_markup(client, people):
    sign_in(client, "add_campaign")
    html = ask(client, people, body="<b>See shop.ru/a?b=1&c=2. Or https://x.example/! anna@shop.ru 3.5")["html"]
    assert '<a href="https://shop.ru/a?b=1&amp;c=2" target="_blank" rel="noopener noreferrer">' in html
    assert '<a href="https://x.example/" ' in html
    assert html.count("<a ") == 2 * html.count('class="screen"')
    assert "&lt;b&gt;See" in html


def test_checking_changes_nothing_and_takes_few_queries(client, people, django_assert_num_queries):
    sign_in(client, "add_campaign")
    with django_assert_num_queries(7):  # session, user, two for permissions, groups, people, prices
        ask(client, people)
    assert not Campaign.objects.exists()


def test_checking_is_for_writers_and_no_address_that_can_be_followed(client, people):
    sign_in(client, "view_campaign")
    assert client.post(CHECK, {}).status_code == 403
    client.logout()
    sign_in_superuser(client)
    assert client.get(CHECK).status_code == 405


def test_nonsense_is_no_error(client, people):
    sign_in(client, "add_campaign")
    assert client.post(CHECK, {"include_groups": ["x", "-1"], "who": "x", "number": "ж"}).status_code == 200


def test_the_saved_page_says_the_same_without_scripts(client, people):
    sign_in_superuser(client)
    campaign = Campaign.objects.create(name="Sale", body="“Hello” {{ first_name }} in {{ city }}")
    campaign.include_groups.set([people])
    page = text_of(client.get(campaign.get_absolute_url()))
    assert "1 person has no “city” and gets nothing." in page
    assert "U+201C at position 1" in page
    assert "Longest, for Maximiliano" in page


def test_a_text_is_looked_at_without_scripts_and_without_saving(client, people):
    sign_in_superuser(client)
    fields = {"name": "Sale", "body": "Hi {{ first_name }}", "include_groups": [people.pk], "_check": "shortest"}
    page = text_of(client.post("/admin/campaigns/campaign/add/", fields))
    assert "Nothing is saved yet" in page
    assert "Hi Bo" in page
    assert not Campaign.objects.exists()
