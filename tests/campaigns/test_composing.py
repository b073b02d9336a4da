"""A text and a contact's values make the text of one message, exactly as the operator sees it coming."""

from __future__ import annotations

import pytest

from campaigns.composing import Placeholder, Template, TemplateError, as_text, contact_values, normalise_name, values_of
from campaigns.models import Contact


def render(body: str, **values: str) -> str:
    return Template(body).render(values).text


@pytest.mark.parametrize(
    ("body", "text"),
    [
        ("Hello", "Hello"),
        ("Hello {{ name }}!", "Hello Anna!"),
        ("{{name}}{{  name  }}", "AnnaAnna"),
        ("{{ NAME }} {{ Name }}", "Anna Anna"),
        ("{{ Order   No }}", "17"),
        ("{{ order_no }}", "17"),
        ("{{ имя }} {{ ИМЯ }}", "Анна Анна"),
        ('{{ nothing|default:"friend" }}', "friend"),
        ("{{ nothing|default:'friend' }}", "friend"),
        ("{{ nothing | default : “друг” }}", "друг"),
        ("{{ nothing|default:«друг» }}", "друг"),
        ('{{ nothing|default:"" }}', ""),
        ('{{ blank|default:"friend" }}', "friend"),
        ('{{ name|default:"friend" }}', "Anna"),
        ("{{\nname\n}}", "Anna"),
        ("{ name } {name}", "{ name } {name}"),
    ],
)
def test_what_is_written_is_what_is_sent(body, text):
    values = {"name": "Anna", "order_no": "17", "имя": "Анна", "blank": "  "}
    assert render(body, **values) == text


def test_values_are_put_in_as_they_are():
    assert render("{{ a }}", a='<b> & "q" {{ b }} {% x %}', b="twice") == '<b> & "q" {{ b }} {% x %}'


def test_whoever_lacks_a_value_is_told_with_its_name_once():
    rendered = Template("{{ a }} {{ b }} {{ a }} {{ c }}").render({"c": "x"})
    assert rendered.missing == ("a", "b")


@pytest.mark.parametrize(
    "body",
    [
        "{{ name",
        "{{ name }",
        "name }}",
        "{{ }}",
        "{{}}",
        "{{ {{ name }} }}",
        "{{ name|upper }}",
        "{{ name|default }}",
        "{{ name|default:friend }}",
        '{{ name|default:"a"|default:"b" }}',
        '{{ |default:"a" }}',
    ],
)
def test_what_is_not_understood_is_refused_in_words(body):
    with pytest.raises(TemplateError) as error:
        Template(body)
    assert len(str(error.value)) > 20


def test_placeholders_come_once_each_and_one_without_a_default_decides():
    template = Template('{{ b }} {{ a|default:"x" }} {{ A }} {{ c|default:"y" }} {{ c|default:"z" }}')
    assert template.placeholders == [Placeholder("b"), Placeholder("a"), Placeholder("c", "y")]


def test_names_are_compared_without_case_and_with_spaces_as_underscores():
    assert normalise_name("  Order  No ") == normalise_name("ORDER_NO") == "order_no"


@pytest.mark.parametrize(("value", "text"), [(None, ""), (True, "yes"), (False, "no"), (12, "12"), (" a ", "a")])
def test_attributes_read_as_an_operator_would_write_them(value, text):
    assert as_text(value) == text


def test_a_contacts_own_fields_go_before_attributes_unless_they_are_empty():
    contact = Contact(
        phone_number="+79991234567",
        first_name="Anna",
        last_name="Ivanova",
        attributes={"First Name": "Other", "E mail": "a@b.c", "Last Name": "Other"},
    )
    values = contact_values(contact)
    assert values["first_name"] == "Anna"
    assert values["full_name"] == "Anna Ivanova"
    assert values["phone_number"] == "+79991234567"
    assert values["e_mail"] == "a@b.c"
    assert values_of({"first_name": ""}, {"First Name": "Other"})["first_name"] == "Other"
