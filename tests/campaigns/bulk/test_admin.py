"""Bulk actions on the screens: asked in numbers, by those who may, watched, stopped and downloaded."""

from __future__ import annotations

from pathlib import Path

import pytest
from django.urls import reverse
from django.utils.timezone import localtime

from campaigns import bulk
from campaigns.admin import bulk as bulk_admin
from campaigns.bulk import contact_operations, sending_to
from campaigns.bulk.operations import Operation, register
from campaigns.models import (
    AuditEvent,
    BulkAction,
    BulkStatus,
    Campaign,
    ConsentChange,
    Contact,
    ContactGroup,
    OptOut,
    User,
)
from campaigns.time_limits import TookTooLong
from tests.campaigns.building import make_contact, make_group, make_message, number
from tests.campaigns.screens import hidden_fields, said, sign_in, sign_in_superuser, text_of

pytestmark = pytest.mark.django_db
LIST = "/admin/campaigns/contact/"
LOG = "/admin/campaigns/sentmessage/"
ALL = {"select_across": "1", "_selected_action": "0"}
VIEW = ("view_contact", "view_contactgroup")


@pytest.fixture
def no_time(monkeypatch):
    """The request does one set, the rest is a worker's."""
    monkeypatch.setattr(bulk_admin, "IN_REQUEST_SECONDS", 0)
    monkeypatch.setattr(contact_operations.AddToGroup, "chunk", 2)


@pytest.fixture
def downloads(settings, tmp_path) -> Path:
    settings.MEDIA_ROOT = tmp_path
    return tmp_path


def start(client, action: str, url: str = LIST, **fields):
    return client.post(url, {"action": action, **ALL, **fields})


def test_everything_that_matches_is_asked_about_in_numbers_and_then_done(client):
    sign_in_superuser(client)
    old, other = make_group("Old", contacts=3), make_group("Other")
    make_contact(number(9))
    url = f"{LIST}?groups__id__exact={old.pk}"
    page = start(client, "add_to_group", url)
    assert "Chosen: 3 people." in text_of(page)
    response = client.post(url, {**hidden_fields(page), "group": other.pk})
    assert "Add to the group “Other”: 3 people, 3 of them changed." in said(response)
    assert other.contacts.count() == 3
    assert BulkAction.objects.get().selection["filters"] == {"groups__id__exact": [str(old.pk)]}


def test_the_page_that_is_open_does_not_narrow_what_all_means(client):
    """`?before=` is where the operator is reading, not what was chosen."""
    sign_in_superuser(client)
    make_group("Old", contacts=3)
    newest = Contact.objects.order_by("-pk")[0]
    start(client, "opt_out", f"{LIST}?before={newest.pk}&q=%2B799", confirm="yes")
    assert BulkAction.objects.get().selection["filters"] == {"q": ["+799"]}
    assert OptOut.objects.count() == 3


def test_what_was_ticked_is_kept_by_id_and_not_in_the_address(client):
    sign_in_superuser(client)
    make_group("Old", contacts=3)
    chosen = list(Contact.objects.order_by("pk").values_list("pk", flat=True)[:2])
    post = {"action": "set_attribute", "_selected_action": chosen, "confirm": "yes", "new_name": "city", "value": "X"}
    response = client.post(LIST, post)
    assert response.url == LIST
    assert BulkAction.objects.get().selection == {"ids": chosen, "up_to": chosen[-1]}
    assert Contact.objects.filter(attributes={"city": "X"}).count() == 2


def test_a_long_action_is_watched_and_stopped_on_its_page(client, no_time):
    user = sign_in_superuser(client)
    make_group("Old", contacts=5)
    response = start(client, "add_to_group", confirm="yes", new_group="New")
    action = BulkAction.objects.get()
    assert response.url == action.get_absolute_url()
    page = client.get(response.url)
    assert "2 people of 5 so far, 2 of them changed" in text_of(page)
    assert 'http-equiv="refresh"' in page.content.decode()
    client.post(reverse("admin:campaigns_bulkaction_cancel", args=[action.pk]))
    page = text_of(client.get(response.url))
    assert "cancelled" in page
    assert "Stopped. What was done stays done: 2 people" in page
    assert AuditEvent.objects.get(action="cancel_bulk_action").actor == user
    assert ContactGroup.objects.get(name="New").contacts.count() == 2
    again = client.post(reverse("admin:campaigns_bulkaction_cancel", args=[action.pk]), follow=True)
    assert "It had ended before." in text_of(again)


def test_without_a_worker_it_goes_on_by_hand(client, no_time):
    sign_in_superuser(client)
    make_group("Old", contacts=5)
    response = start(client, "add_to_group", confirm="yes", new_group="New")
    assert "while no worker is running" in text_of(client.get(response.url))
    action = BulkAction.objects.get()
    for _n in range(3):
        client.post(reverse("admin:campaigns_bulkaction_go_on", args=[action.pk]))
    action.refresh_from_db()
    assert (action.status, action.done_count) == (BulkStatus.DONE, 5)


def test_what_could_not_be_done_says_why(client):
    sign_in_superuser(client)
    action = bulk.start("add_to_group", "contact", {"filters": {}, "up_to": 9}, total=1, parameters={"group": 999})
    make_contact(number(1))
    bulk.run(action.pk)
    BulkAction.objects.update(status=BulkStatus.FAILED, problem="The group is not there any more.")
    assert "It could not be finished: The group is not there" in text_of(client.get(action.get_absolute_url()))


@pytest.mark.parametrize(
    ("action", "permission"),
    [
        ("add_to_group", "bulk_contact"),
        ("remove_from_group", "bulk_contact"),
        ("set_attribute", "bulk_contact"),
        ("export", "export_contact"),
        ("opt_out", "add_optout"),
        ("delete_contacts", "delete_contact"),
        ("consent", "change_consent"),
    ],
)
def test_each_action_needs_its_permission(client, action, permission):
    make_group("A", contacts=2)
    sign_in(client, *VIEW, username="may_not")
    start(client, action, confirm="yes", format="csv", new_group="B", new_name="x", group="1")
    assert not BulkAction.objects.exists()
    assert f'value="{action}"' not in client.get(LIST).content.decode()
    sign_in(client, *VIEW, permission, username="may")
    assert f'value="{action}"' in client.get(LIST).content.decode()


def test_an_operation_is_offered_by_registering_it(client, monkeypatch):
    """Such as erasing, which another module brings."""

    class Wave(Operation):
        key = "wave"
        label = "Wave"
        permissions = {"contact": "campaigns.change_contact"}

        def apply(self, action, ids):
            return Contact.objects.filter(pk__in=ids).update(first_name="Waved")

    monkeypatch.setattr(bulk.operations, "OPERATIONS", bulk.OPERATIONS)
    register(Wave())
    try:
        sign_in_superuser(client)
        make_group("A", contacts=2)
        page = start(client, "wave")
        assert "Chosen: 2 people." in text_of(page)
        client.post(LIST, hidden_fields(page))
        assert Contact.objects.filter(first_name="Waved").count() == 2
    finally:
        del bulk.OPERATIONS["wave"]


def test_a_field_needs_a_name(client):
    sign_in_superuser(client)
    make_contact(number(1))
    assert "Choose a field" in text_of(start(client, "set_attribute", confirm="yes", value="x"))
    assert not BulkAction.objects.exists()


def test_a_value_that_does_not_fit_its_field_is_refused(client):
    from campaigns.models import Attribute

    sign_in_superuser(client)
    make_contact(number(1))
    Attribute.objects.create(name="age", kind="number")
    page = start(client, "set_attribute", confirm="yes", new_name="AGE", value="old")
    assert "not a number" in text_of(page)
    start(client, "set_attribute", confirm="yes", name="age", value="7")
    assert Contact.objects.get().attributes == {"age": 7}


# --- exports ---------------------------------------------------------------------------------------------------


def test_an_export_is_downloaded_by_whoever_asked_and_that_is_recorded(client, downloads):
    user = sign_in(client, *VIEW, "export_contact")
    make_group("A", contacts=2)
    response = start(client, "export", confirm="yes", format="csv")
    action = BulkAction.objects.get()
    assert response.url == action.get_absolute_url()
    assert "Download the file" in text_of(client.get(response.url))
    answer = client.get(reverse("admin:campaigns_bulkaction_file", args=[action.pk]))
    content = b"".join(answer.streaming_content).decode("utf-8-sig")
    assert number(1) in content
    assert "attachment" in answer["Content-Disposition"]
    assert AuditEvent.objects.get(action="download_export").actor == user
    assert AuditEvent.objects.get(action="export").count == 2


def test_nobody_else_downloads_it(client, downloads):
    sign_in(client, *VIEW, "export_contact", username="owner")
    make_contact(number(1))
    start(client, "export", confirm="yes", format="csv")
    url = reverse("admin:campaigns_bulkaction_file", args=[BulkAction.objects.get().pk])
    sign_in(client, *VIEW, "export_contact", "view_bulkaction", username="other")
    assert client.get(url).status_code == 403
    owner = User.objects.get(username="owner")
    owner.user_permissions.clear()
    client.force_login(owner)
    assert client.get(url).status_code == 403


def test_a_file_whose_time_is_over_is_not_there(client, downloads):
    from datetime import timedelta

    from django.utils import timezone

    sign_in_superuser(client)
    make_contact(number(1))
    start(client, "export", confirm="yes", format="csv")
    url = reverse("admin:campaigns_bulkaction_file", args=[BulkAction.objects.get().pk])
    BulkAction.objects.update(expires_at=timezone.now() - timedelta(seconds=1))
    assert client.get(url).status_code == 404
    BulkAction.objects.update(expires_at=timezone.now() + timedelta(days=1))
    (downloads / BulkAction.objects.get().file_path).unlink()
    assert client.get(url).status_code == 404


def test_the_filtered_log_is_exported(client, downloads):
    sign_in(client, "view_sentmessage", "export_sentmessage")
    make_message(number(1))
    make_message(number(2), status="failed")
    url = start(client, "export", f"{LOG}?status__exact=failed").url
    assert "1 message will be written into a file." in text_of(client.get(url))
    client.post(url, {"format": "csv", "columns": ["phone_number"]})
    action = BulkAction.objects.get()
    content = (downloads / action.file_path).read_text("utf-8-sig")
    assert number(2) in content
    assert number(1) not in content


def test_the_log_is_exported_by_those_who_may(client):
    sign_in(client, "view_sentmessage")
    make_message(number(1))
    start(client, "export", LOG, confirm="yes", format="csv")
    url = reverse("admin:campaigns_sentmessage_export")
    assert url not in client.get(LOG).content.decode()
    assert client.get(url).status_code == 403
    assert client.post(url, {"format": "csv", "columns": ["id"]}).status_code == 403
    assert not BulkAction.objects.exists()


def test_more_rows_than_excel_holds_are_refused(client, monkeypatch):
    from campaigns.admin import contact_actions

    monkeypatch.setattr(contact_actions, "MOST_XLSX_ROWS", 3)
    sign_in_superuser(client)
    make_group("A", contacts=3)
    assert "An Excel file can hold 2 rows at most" in text_of(start(client, "export", confirm="yes", format="xlsx"))
    assert not BulkAction.objects.exists()


def test_a_log_too_large_to_count_is_asked_about_all_the_same(client, monkeypatch):
    from campaigns.log import counting

    def no_time(seconds):
        raise TookTooLong

    monkeypatch.setattr(counting, "time_limit", no_time)
    sign_in_superuser(client)
    make_message(number(1))
    url = start(client, "export", f"{LOG}?from=2020-01-01").url
    page = client.get(url)
    assert "they are counted while they are written" in text_of(page)
    assert page.context["form"].initial["format"] == "csv"
    client.post(url, {"format": "csv", "columns": ["id"]})
    assert BulkAction.objects.get().done_count == 1


# --- the list of actions, the list of contacts -----------------------------------------------------------------


def test_the_list_of_actions_says_what_was_done_by_whom(client):
    sign_in_superuser(client)
    make_group("A", contacts=2)
    start(client, "opt_out", confirm="yes")
    page = text_of(client.get("/admin/campaigns/bulkaction/"))
    assert "Opt out" in page
    assert "2 people, 2 of them changed" in page
    assert "root" in page


def test_others_actions_are_seen_by_those_who_may(client):
    action = bulk.start("opt_out", "contact", {"filters": {}, "up_to": 9}, total=1)
    sign_in(client, "view_contact", "add_optout")
    assert client.get(action.get_absolute_url()).status_code == 403
    sign_in(client, "view_bulkaction", username="boris")
    assert client.get(action.get_absolute_url()).status_code == 200
    assert client.post(reverse("admin:campaigns_bulkaction_cancel", args=[action.pk])).status_code == 403
    assert client.post(reverse("admin:campaigns_bulkaction_go_on", args=[action.pk])).status_code == 403
    assert client.get("/admin/campaigns/bulkaction/999/change/").status_code == 404


def test_the_list_of_contacts_is_not_counted_and_is_browsed_by_key(client, django_assert_max_num_queries):
    sign_in_superuser(client)
    make_group("A", contacts=120)
    with django_assert_max_num_queries(20) as captured:
        page = client.get(LIST)
    assert not [
        it["sql"] for it in captured.captured_queries if "COUNT(" in it["sql"] and 'campaigns_contact"' in it["sql"]
    ]
    found = [contact.pk for contact in page.context["cl"].result_list]
    while page.context["cl"].older:
        page = client.get(LIST + page.context["cl"].older)
        found += [contact.pk for contact in page.context["cl"].result_list]
    assert found == list(Contact.objects.order_by("-pk").values_list("pk", flat=True))


@pytest.mark.parametrize(
    ("term", "found"),
    [
        ("anna", [1]),
        ("orl", [1]),
        ("orlova anna", [1]),
        ("anna@", [1]),
        ("anna boris", []),
        ("lova", []),
        ("an", [2, 1]),
    ],
)
def test_a_name_is_found_by_its_beginning(client, term, found):
    sign_in_superuser(client)
    make_contact(number(1), first_name="Anna", last_name="Orlova", email="anna@example.com")
    make_contact(number(2), first_name="Andrew")
    rows = client.get(LIST, {"q": term}).context["cl"].result_list
    assert [contact.phone_number.as_e164 for contact in rows] == [number(n) for n in found]


# --- consent of many --------------------------------------------------------------------------------------------------


def test_that_many_agreed_is_asked_in_numbers_and_recorded_with_its_proof(client):
    user = sign_in_superuser(client)
    make_group("A", contacts=3)
    page = start(client, "consent")
    assert "Chosen: 3 people." in text_of(page)
    assert "Record it for 3 contacts" in text_of(page)
    said_so = {
        "consent": "given",
        "kind": "marketing",
        "source": "fair",
        "evidence": "a list",
        "agreed_on": "2026-01-31",
    }
    assert set(Contact.objects.values_list("consent", flat=True)) == {"unknown"}
    response = client.post(LIST, {**hidden_fields(page), **said_so})
    assert "Record consent to advertising (fair): 3 people, 3 of them changed." in said(response)
    assert set(Contact.objects.values_list("consent", "consent_kind", "consent_source", "consent_evidence")) == {
        ("given", "marketing", "fair", "a list")
    }
    assert {str(localtime(it.consented_at).date()) for it in Contact.objects.all()} == {"2026-01-31"}
    assert ConsentChange.objects.filter(actor=user, act="given").count() == 3
    assert AuditEvent.objects.get(action="consent").details["source"] == "fair"


@pytest.mark.parametrize(
    ("fields", "complaint"),
    [
        ({"consent": "given"}, "This field is required"),
        ({"source": "fair"}, "This field is required"),
        ({"consent": "given", "source": "fair", "agreed_on": "2999-01-01"}, "This day has not come yet"),
    ],
)
def test_consent_without_a_source_or_of_a_day_to_come_is_not_recorded(client, fields, complaint):
    sign_in_superuser(client)
    make_group("A", contacts=1)
    assert complaint in text_of(start(client, "consent", confirm="yes", **fields))
    assert not BulkAction.objects.exists()


def test_all_rows_are_counted_without_looking_up_each(client, django_assert_max_num_queries):
    sign_in_superuser(client)
    make_group("A", contacts=3)
    with django_assert_max_num_queries(20) as queries:
        assert "Chosen: 3 people." in text_of(start(client, "add_to_group"))
    over_contacts = [one["sql"] for one in queries if 'FROM "campaigns_contact"' in one["sql"]]
    assert over_contacts
    assert not [sql for sql in over_contacts if "IN (SELECT" in sql]


# --- a draft for those who were chosen --------------------------------------------------------------------------------


def test_a_request_does_not_begin_what_is_far_too_much_for_it(client, monkeypatch):
    monkeypatch.setattr(bulk_admin, "MOST_ROWS_IN_REQUEST", 4)
    sign_in_superuser(client)
    make_group("A", contacts=5)
    start(client, "send_to_selected")
    action = BulkAction.objects.get()
    assert (action.status, action.total, action.done_count) == (BulkStatus.RUNNING, 5, 0)


def test_a_draft_for_very_many_is_made_by_a_worker_and_its_page_leads_to_it(client, no_time, monkeypatch):
    monkeypatch.setattr(sending_to.SendTo, "chunk", 2)
    sign_in_superuser(client)
    group = make_group("A", contacts=5)
    make_contact(number(9))
    response = start(client, "send_to_selected", f"{LIST}?groups__id__exact={group.pk}")
    action = BulkAction.objects.get()
    assert response.url == action.get_absolute_url()
    assert not Campaign.objects.exists(), "nobody can send to a half of them"
    bulk.run(action.pk)
    campaign = Campaign.objects.get()
    assert campaign.include_groups.get().contacts.count() == 5
    page = client.get(action.get_absolute_url()).content.decode()
    assert f'href="{campaign.get_absolute_url()}"' in page


def test_a_draft_that_is_stopped_leaves_no_half_of_a_group(client, no_time, monkeypatch):
    monkeypatch.setattr(sending_to.SendTo, "chunk", 2)
    sign_in_superuser(client)
    make_group("A", contacts=5)
    start(client, "send_to_selected")
    client.post(reverse("admin:campaigns_bulkaction_cancel", args=[BulkAction.objects.get().pk]))
    assert list(ContactGroup.objects.values_list("name", flat=True)) == ["A"]
    assert not Campaign.objects.exists()
