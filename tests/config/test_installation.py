"""The first start of an installation: an administrator and a demo, each made once."""

from __future__ import annotations

from io import StringIO

import pytest
from django.core.management import call_command
from pytest_django import Settings

from campaigns.composing import Template
from campaigns.demo import seed_demo
from campaigns.installation import create_first_administrator, sends_for_real
from campaigns.models import Campaign, CampaignStatus, Contact, ContactGroup, User
from sms_backends.phone_numbers import parse

pytestmark = pytest.mark.django_db


def test_the_first_administrator_gets_the_password_from_the_settings(settings: Settings) -> None:
    settings.FIRST_ADMINISTRATOR = {"username": "olga", "password": "correct horse", "email": "olga@example.org"}
    administrator = create_first_administrator()
    assert administrator is not None
    assert (administrator.username, administrator.password) == ("olga", None)
    user = User.objects.get(username="olga")
    assert user.check_password("correct horse")
    assert (user.is_staff, user.is_superuser, user.email) == (True, True, "olga@example.org")


@pytest.mark.parametrize("given", ["", "change-me", "Admin"])
def test_without_a_password_worth_the_name_one_is_generated(settings: Settings, given: str) -> None:
    settings.FIRST_ADMINISTRATOR = {"username": "admin", "password": given, "email": ""}
    administrator = create_first_administrator()
    assert administrator is not None
    assert administrator.password is not None
    assert len(administrator.password) >= 16
    assert User.objects.get().check_password(administrator.password)


def test_where_there_is_an_administrator_nothing_is_changed() -> None:
    User.objects.create_superuser("boss", password="secret enough")
    assert create_first_administrator() is None
    assert User.objects.get().username == "boss"


def test_an_account_that_has_the_name_already_becomes_the_administrator() -> None:
    User.objects.create_user("admin")
    assert create_first_administrator() is not None
    assert User.objects.get().is_superuser


def test_the_command_tells_a_generated_password_only_the_first_time(settings: Settings) -> None:
    settings.DEBUG = True
    first, second = StringIO(), StringIO()
    call_command("initialize_installation", stdout=first)
    call_command("initialize_installation", stdout=second)
    assert "password" in first.getvalue()
    assert "password" not in second.getvalue()


def test_the_demo_fills_an_empty_installation_and_no_other() -> None:
    assert seed_demo() is True
    assert (Contact.objects.count(), ContactGroup.objects.count()) == (11, 2)
    assert Campaign.objects.get().status == CampaignStatus.DRAFT
    assert seed_demo() is False
    assert Campaign.objects.count() == 1


def test_the_demo_writes_to_nobody_real() -> None:
    seed_demo()
    for contact in Contact.objects.all():
        number = parse(str(contact.phone_number), None).e164
        assert number[:2] == "+1"
        assert number[5:10] == "55501", "only 555-0100 to 555-0199 are set aside for fiction"


def test_the_demo_has_somebody_for_the_default_and_somebody_who_lacks_a_value() -> None:
    seed_demo()
    template = Template(Campaign.objects.get().body)
    values = [{"first_name": c.first_name, **c.attributes} for c in Contact.objects.all()]
    rendered = [template.render(value) for value in values]
    assert any("friend" in one.text for one in rendered)
    assert [one.missing for one in rendered if one.missing] == [("city",)]


def test_pretending_backends_are_told_from_real_ones(settings: Settings) -> None:
    settings.SMS_SETTINGS = {"BACKEND": "simulator", "OPTIONS": {}}
    assert sends_for_real() is False
    settings.SMS_GATEWAYS = {
        "backup": {"BACKEND": "smsc", "OPTIONS": {"SMSC_LOGIN": "me", "SMSC_PASSWORD": "secret"}},
    }
    assert sends_for_real() is True
