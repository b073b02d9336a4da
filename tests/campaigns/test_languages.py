"""A campaign in several languages: each gets the text in theirs, everybody else the main one."""

from __future__ import annotations

import pytest

from campaigns import copying, lifecycle
from campaigns.composing import Template, TemplateError
from campaigns.forecasting.foreseen import foresee
from campaigns.languages import Translations, chosen_language, has_one_text, language_name, language_tag, wording
from campaigns.models import MessageTemplate, SentMessage, TemplateText
from campaigns.preflight import launch_problems
from campaigns.resending import make_child
from campaigns.sending.handover import request_size
from campaigns.single import sample_text
from sms_backends import DeliveryStatus, get_sms_backend
from tests.campaigns.building import (
    assert_adds_up,
    frozen,
    make_campaign,
    make_contact,
    make_group,
    message_to,
    number,
    report,
    send,
)

TEXTS = {"ru": "Привет, {{ first_name }}", "pt": "Olá, {{ first_name }}", "pt-br": "Oi, {{ first_name }}"}


def make_speakers(*languages: str):
    group = make_group()
    for n, language in enumerate(languages, 1):
        make_contact(number(n), group, first_name=f"N{n}", language=language)
    return group


@pytest.mark.parametrize(
    ("language", "chosen"),
    [
        ("ru", "ru"),
        (" RU ", "ru"),
        ("ru-RU", "ru"),
        ("ru_RU", "ru"),
        ("pt-BR", "pt-br"),
        ("pt-PT", "pt"),
        ("en", ""),
        ("", ""),
        ("rus", ""),
    ],
)
def test_a_language_is_found_however_it_is_written(language, chosen):
    assert chosen_language(language, TEXTS) == chosen


def test_a_tag_is_the_same_in_any_spelling():
    assert {language_tag(spelling) for spelling in ("pt-BR", "PT_br", " pt-br ")} == {"pt-br"}


def test_a_language_is_called_by_its_name_where_it_has_one():
    assert (language_name("ru"), language_name("xx")) == ("Russian", "xx")


def test_one_language_stays_a_plain_template():
    assert isinstance(wording("Hello", {}), Template)
    assert isinstance(wording("Hello", TEXTS), Translations)


def test_braces_are_looked_at_in_every_language():
    with pytest.raises(TemplateError):
        wording("Hello", {"ru": "Привет {{"})


def test_texts_in_several_languages_are_not_one_text():
    assert has_one_text({"body": "Hello"})
    assert has_one_text({"body": "Hello", "texts": {}})
    assert not has_one_text({"body": "Hello", "texts": {"ru": "Привет"}})
    assert not has_one_text({"body": "Hello {{ x }}"})


@pytest.mark.django_db
def test_each_contact_gets_the_text_of_their_language():
    campaign = make_campaign(make_speakers("ru", "pt-BR", "de", "", "PT"), body="Hello, {{ first_name }}", texts=TEXTS)
    foreseen = foresee(campaign)
    lifecycle.launch(campaign, actor=None)
    frozen(campaign)
    bodies = [message_to(number(n)).body for n in range(1, 6)]
    assert bodies == ["Привет, N1", "Oi, N2", "Hello, N3", "Hello, N4", "Olá, N5"]
    assert message_to(number(1)).encoding == "UCS-2"
    assert foreseen.languages == {"ru": 1, "pt-br": 1, "pt": 1, "": 2}
    assert foreseen.segments == sum(SentMessage.objects.values_list("segment_count", flat=True))
    assert_adds_up(campaign)


@pytest.mark.django_db
def test_every_text_has_a_sample_before_sending():
    found = foresee(make_campaign(make_speakers("de", "de", "de", "de", "ru"), body="Hello", texts={"ru": "Привет"}))
    assert [sample.body for sample in found.samples] == ["Hello", "Hello", "Hello", "Привет"]


@pytest.mark.django_db
def test_what_is_edited_after_the_launch_changes_no_language():
    campaign = make_campaign(make_speakers("ru"), body="Hello", texts={"ru": "Привет"})
    lifecycle.launch(campaign, actor=None)
    campaign.texts = {"ru": "Другое"}
    campaign.save()
    frozen(campaign)
    assert message_to(number(1)).body == "Привет"


@pytest.mark.django_db
def test_a_campaign_launched_before_there_were_languages_is_prepared_as_before():
    campaign = make_campaign(make_speakers("ru"), body="Hello")
    lifecycle.launch(campaign, actor=None)
    del campaign.launch["texts"]
    campaign.save()
    frozen(campaign)
    assert message_to(number(1)).body == "Hello"


@pytest.mark.django_db
def test_a_text_that_cannot_work_in_one_language_keeps_it_from_being_sent():
    campaign = make_campaign(make_speakers("ru"), body="Hello", texts={"ru": "Привет {{ город }}"})
    (problem,) = launch_problems(campaign, [campaign.include_groups.get().pk], [])
    assert problem.startswith("In Russian:")
    assert "город" in problem


@pytest.mark.django_db
def test_different_languages_never_share_a_request_for_one_text(provider):
    campaign = make_campaign(make_speakers("ru", "en"), body="Hello", texts={"ru": "Привет"})
    lifecycle.launch(campaign, actor=None)
    capabilities = get_sms_backend("default").capabilities
    assert capabilities.bulk_same_text
    assert not capabilities.bulk_personalized
    assert request_size(campaign, capabilities) == 1
    campaign.launch["texts"] = {}
    assert request_size(campaign, capabilities) > 1


@pytest.mark.django_db
def test_a_test_message_is_in_the_language_of_the_person_it_is_filled_in_for():
    assert sample_text(make_campaign(make_speakers("ru"), body="Hello", texts=TEXTS), number(9)) == "Привет, N1"


@pytest.mark.django_db
def test_a_copy_and_a_child_keep_the_languages(provider):
    campaign = make_campaign(make_speakers("ru"), body="Hello", texts={"ru": "Привет"})
    assert copying.duplicate(campaign, actor=None).texts == {"ru": "Привет"}
    lifecycle.launch(campaign, actor=None)
    send(frozen(campaign))
    report(DeliveryStatus.UNDELIVERED, 1)
    child = frozen(make_child(campaign, ["undelivered"], actor=None))
    assert child.texts == {"ru": "Привет"}
    assert message_to(number(1), child).body == "Привет"


@pytest.mark.django_db
def test_deleting_a_template_leaves_the_campaigns_their_texts():
    template = MessageTemplate.objects.create(name="Greeting", body="Hello")
    TemplateText.objects.create(template=template, language="ru", body="Привет")
    campaign = make_campaign(template=template, body=template.body, texts=template.texts_by_language())
    template.delete()
    campaign.refresh_from_db()
    assert (campaign.template, campaign.texts) == (None, {"ru": "Привет"})
