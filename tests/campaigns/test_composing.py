"""A text with placeholders and a contact's values make the text of one message."""

from __future__ import annotations

import pytest

from campaigns.composing import Placeholder, Template, TemplateError, contact_values
from campaigns.models import Contact


def text(body: str, **values: str) -> str:
    return Template(body).render(values).text


def test_a_placeholder_is_replaced_by_the_value():
    assert text("Hello {{ first_name }}!", first_name="Anna") == "Hello Anna!"


def test_spaces_and_case_do_not_matter():
    assert text("{{First_Name}} {{  город  проживания }}", first_name="Anna", город_проживания="Тверь") == "Anna Тверь"


@pytest.mark.parametrize("quoted", ['"friend"', "'friend'", "“friend”", "«friend»"])
def test_the_default_stands_in_for_a_missing_value_in_any_quotes(quoted):
    assert text("Hi {{ first_name|default:" + quoted + " }}") == "Hi friend"


def test_a_blank_value_counts_as_missing():
    rendered = Template("Hi {{ first_name }}").render({"first_name": "  "})
    assert rendered.missing == ("first_name",)


def test_an_empty_default_is_a_value():
    assert Template('Hi{{ x|default:"" }}').render({}).missing == ()


def test_values_are_neither_escaped_nor_expanded_again():
    assert text("{{ a }}", a="<b> & {{ first_name }}", first_name="Anna") == "<b> & {{ first_name }}"


def test_single_braces_are_plain_text():
    assert text("{a} }b{ {% x %}") == "{a} }b{ {% x %}"


@pytest.mark.parametrize(
    ("body", "words"),
    [
        ("Hi {{ first_name", "not closed"),
        ("Hi first_name }}", "without the {{"),
        ("Hi {{ }}", "empty placeholder"),
        ("Hi {{ first_name|upper }}", "“upper” is not understood"),
        ('Hi {{ first_name|default:"a"|upper }}', "is not understood"),
        ("Hi {{ first_name|default:friend }}", "is not understood"),
        ("Hi {{ {{ first_name }} }}", "empty placeholder"),
    ],
)
def test_what_is_not_understood_is_said_in_words(body, words):
    with pytest.raises(TemplateError) as refused:
        Template(body)
    assert words in str(refused.value)


def test_each_placeholder_is_named_once_and_one_use_without_default_counts():
    template = Template('{{ a|default:"x" }} {{ b }} {{ a }}')
    assert template.placeholders == [Placeholder("a", None), Placeholder("b", None)]


def test_the_words_of_contact_files_mean_the_contacts_own_fields():
    assert text("{{ Имя }}, {{ Телефон }}", first_name="Анна", phone_number="+79161234567") == "Анна, +79161234567"


def test_an_attribute_of_that_name_goes_before_the_field():
    assert text("{{ имя }}", имя="Аня", first_name="Анна") == "Аня"


def test_attributes_are_found_however_the_file_wrote_them():
    contact = Contact(phone_number="+79161234567", first_name="Анна", attributes={"Номер_Заказа": 17, "Скидка": None})
    values = contact_values(contact)
    assert text("{{ номер заказа }} {{ full_name }}", **values) == "17 Анна"
    assert Template("{{ скидка }}").render(values).missing == ("скидка",)


def test_the_contacts_own_fields_go_before_attributes_when_they_are_filled():
    contact = Contact(phone_number="+79161234567", email="", attributes={"email": "a@example.com", "first_name": "x"})
    contact.first_name = "Anna"
    assert text("{{ first_name }} {{ email }}", **contact_values(contact)) == "Anna a@example.com"
