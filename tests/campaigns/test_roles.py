"""The roles that an installation begins with."""

from __future__ import annotations

import pytest
from django.contrib.auth.models import Group

from tests.campaigns.building import make_user
from tests.campaigns.screens import sign_in_superuser

pytestmark = pytest.mark.django_db


def codenames(role: str) -> set[str]:
    return set(Group.objects.get(name=role).permissions.values_list("codename", flat=True))


def test_operators_write_import_and_send():
    assert {"add_campaign", "import_contact", "launch_campaign", "send_quick", "view_sentmessage"} <= codenames(
        "Operator"
    )


def test_operators_list_holidays_and_others_see_them():
    assert {"add_holiday", "change_holiday", "delete_holiday", "view_holiday"} <= codenames("Operator")
    for role in ("Viewer", "Approver"):
        assert {codename for codename in codenames(role) if "holiday" in codename} == {"view_holiday"}


def test_approvers_enter_prices_and_others_see_them():
    assert {codename for codename in codenames("Approver") if "price" in codename} == {
        "view_gatewayprice",
        "change_gatewayprice",
    }
    for role in ("Viewer", "Operator"):
        assert {codename for codename in codenames(role) if "price" in codename} == {"view_gatewayprice"}


def test_nobody_but_a_superuser_may_change_the_delivery_log():
    for role in ("Viewer", "Operator", "Approver"):
        assert not codenames(role) & {"add_sentmessage", "change_sentmessage", "delete_sentmessage"}


def test_approvers_launch_but_do_not_write():
    assert "launch_campaign" in codenames("Approver")
    assert "change_campaign" not in codenames("Approver")


def test_operators_answer_and_review_and_others_read():
    assert {"answer_conversation", "review_conversation", "change_replykeyword"} <= codenames("Operator")
    for role in ("Viewer", "Operator", "Approver"):
        assert {"view_conversation", "view_replykeyword", "view_automaticreply"} <= codenames(role)
    assert not codenames("Approver") & {"answer_conversation", "change_replykeyword"}


def test_only_approvers_erase_people_and_export_all_about_them():
    assert {"add_erasure", "view_erasure", "export_person"} <= codenames("Approver")
    for role in ("Viewer", "Operator"):
        assert not codenames(role) & {"add_erasure", "export_person"}


def test_viewers_only_look():
    assert all(codename.startswith("view_") for codename in codenames("Viewer"))


def test_roles_have_names_in_the_readers_language_and_keep_those_that_were_chosen(client):
    Group.objects.create(name="Night shift")
    sign_in_superuser(client, language="ru")
    for address in ("/admin/auth/group/", "/admin/campaigns/user/", f"/admin/campaigns/user/{make_user().pk}/change/"):
        page = client.get(address).content.decode()
        assert all(role in page for role in ("Оператор", "Согласующий", "Night shift")), address
        assert "Approver" not in page
