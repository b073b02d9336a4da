"""What pressing Send would do is said before, and it is what happens."""

from __future__ import annotations

from datetime import time, timedelta

import pytest
from django.utils import timezone

from campaigns import lifecycle, optouts
from campaigns.audience import audience
from campaigns.forecasting import counting as module
from campaigns.forecasting.foreseen import foresee
from campaigns.models import OptOutSource, SentMessage
from campaigns.preflight import check_body
from tests.campaigns.building import frozen, make_campaign, make_contact, make_group, number

pytestmark = pytest.mark.django_db


def test_people_segments_and_samples_are_counted_before_anything_is_written(monkeypatch):
    monkeypatch.setattr(module, "CHUNK", 2)
    group = make_group()
    for n, name in enumerate(["Anna", "Борис", "Vera", "Galina", "D" * 150]):
        make_contact(number(n), group, first_name=name)
    found = foresee(make_campaign(group, body="Good morning {{ first_name }}"))
    assert (found.audience, found.recipients, found.segments) == (5, 5, 6)
    texts = ["Good morning Anna", "Good morning Борис", "Good morning Vera"]
    assert [sample.body for sample in found.samples] == texts
    assert found.problems == found.warnings == []
    assert not SentMessage.objects.exists()


def test_what_it_foresees_is_what_the_freeze_writes():
    group = make_group()
    make_contact("+5215512345678", group, first_name="Ana")
    make_contact("+525512345678", group, first_name="Ana")
    make_contact(number(1), group)
    make_contact(number(2), group, first_name="Boris")
    optouts.record_opt_out(number(2), source=OptOutSource.OPERATOR)
    campaign = make_campaign(group, body="Hello {{ first_name }}")
    found = foresee(campaign)
    assert found.suppressed == {"duplicate": 1, "missing_value": 1, "opted_out": 1}
    lifecycle.launch(campaign, actor=None)
    frozen(campaign)
    written = SentMessage.objects.filter(status="suppressed").values_list("reason", flat=True)
    assert sorted(written) == sorted(found.suppressed.elements())
    assert SentMessage.objects.filter(status="queued").count() == found.recipients == 1


def test_a_campaign_that_nobody_would_get_is_warned_of():
    found = foresee(make_campaign(make_group(contacts=1), body='{{ first_name|default:"" }}'))
    assert (found.audience, found.recipients) == (1, 0)
    assert found.suppressed == {"empty_text": 1}
    assert len(found.warnings) == 1


def test_with_a_window_it_says_for_how_many_the_time_zone_is_only_the_usual_one():
    group = make_group()
    make_contact(number(1), group)  # a Russian mobile number may be anywhere in the country
    make_contact(number(2), group, time_zone="Asia/Vladivostok")  # known from the file
    make_contact("+78432000000", group)  # a landline in Kazan
    make_contact("+37126123456", group)  # Latvia has one zone
    found = foresee(make_campaign(group, window_start=time(9), window_end=time(21)))
    assert found.usual_zone == 1
    assert "1 person" in found.warnings[0]
    assert foresee(make_campaign(group)).warnings == []


def test_an_end_that_has_passed_is_a_problem():
    group = make_group(contacts=1)
    assert foresee(make_campaign(group, ends_at=timezone.now() + timedelta(minutes=1))).problems == []
    found = foresee(make_campaign(group, ends_at=timezone.now() - timedelta(minutes=1)))
    assert "has passed" in found.problems[0]


def test_a_text_that_is_not_understood_is_a_problem_and_no_error():
    found = foresee(make_campaign(make_group(contacts=1), body="{{ x"))
    assert "not closed" in found.problems[0]


def test_a_sender_that_the_gateway_cannot_show_is_a_problem(settings, provider):
    settings.SMS_SETTINGS = {"BACKEND": "tests.campaigns.providers.Legacy"}
    found = foresee(make_campaign(make_group(contacts=1), sender_id="SHOP"))
    assert "cannot show a sender" in found.problems[0]


def test_a_placeholder_that_nobody_has_is_refused():
    group = make_group()
    make_contact(number(1), group, attributes={"Order No": 17, "empty": "", "none": None})
    assert check_body("{{ order_no }} {{ ORDER NO }}", [group.pk], []) == []
    for name in ("ordr_no", "empty", "none"):
        assert name in check_body(f"{{{{ {name} }}}}", [group.pk], [])[0]


def test_a_placeholder_with_a_default_may_be_a_misspelling_too_unless_it_is_a_field_of_ours():
    group = make_group(contacts=1)
    assert check_body('{{ frist_name|default:"friend" }}', [group.pk], []) != []
    assert check_body('{{ first_name|default:"friend" }}', [group.pk], []) == []
    assert check_body("{{ first_name }}", [group.pk], []) != []


@pytest.mark.parametrize("field", ["first_name", "last_name", "email", "language"])
def test_a_field_that_somebody_has_filled_is_known(field):
    group = make_group()
    make_contact(number(1), group, **{field: "x"})
    assert check_body(f"{{{{ {field} }}}}", [group.pk], []) == []


def test_a_full_name_is_known_when_there_is_any_part_of_it():
    group = make_group()
    make_contact(number(1), group, last_name="Ivanova")
    assert check_body("{{ full_name }} {{ phone_number }}", [group.pk], []) == []


def test_placeholders_of_excluded_people_do_not_count():
    group, staff = make_group("A"), make_group("Staff")
    make_contact(number(1), group, staff, attributes={"desk": "5"})
    make_contact(number(2), group)
    assert check_body("{{ desk }}", [group.pk], []) == []
    assert check_body("{{ desk }}", [group.pk], [staff.pk]) != []


def test_a_text_can_be_checked_before_groups_are_chosen():
    assert check_body("{{ anything }}", [], []) == []
    assert check_body(" ", [], []) != []
    assert check_body("{{ }}", [], []) != []


def test_an_audience_of_no_groups_is_nobody():
    make_contact(number(1), make_group())
    assert not audience([]).exists()
