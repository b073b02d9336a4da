"""Importing contacts in the admin."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
from django.contrib.auth.models import Permission
from django.core.files.uploadedfile import SimpleUploadedFile
from django.core.management import call_command
from django.http import HttpResponse
from django.test import Client
from django.urls import reverse

from campaigns.admin import imports as import_admin
from campaigns.importing import checking
from campaigns.models import Contact, ContactGroup, ContactImport, Heartbeat, ImportStatus, OptOut, User
from tests.dirty_file import make_dirty_file

pytestmark = pytest.mark.django_db

ADD = "/admin/campaigns/contactimport/add/"


@pytest.fixture(autouse=True)
def media(settings: Any, tmp_path: Path) -> None:
    settings.MEDIA_ROOT = tmp_path / "media"


@pytest.fixture
def operator(client: Client) -> Client:
    """Signed in, and allowed to import; nothing else."""
    user = User.objects.create_user("olga", password="x", is_staff=True)
    user.user_permissions.add(Permission.objects.get(codename="import_contact"))
    client.force_login(user)
    return client


def upload(client: Client, content: bytes | str, *, name: str = "contacts.csv", **data: Any) -> HttpResponse:
    file = SimpleUploadedFile(name, content if isinstance(content, bytes) else content.encode())
    return client.post(ADD, {"file": file, "region": "RU", **data}, follow=True)  # type: ignore[return-value]


def step(client: Client, name: str) -> HttpResponse:
    url = reverse(f"admin:campaigns_contactimport_{name}", args=[ContactImport.objects.latest("pk").pk])
    return client.post(url, follow=True)  # type: ignore[return-value]


def go_on_while(status: ImportStatus, operator: Client) -> None:
    """Press "Go on" as long as the one import there is stands at this; a busy machine needs more presses."""
    for _press in range(300):
        if ContactImport.objects.get().status != status:
            return
        step(operator, "continue")
    pytest.fail(f"the import is still {status}")


def page(client: Client, **query: Any) -> str:
    return client.get(ContactImport.objects.latest("pk").get_absolute_url(), query).content.decode()


def test_an_upload_leads_to_a_preview_and_changes_no_contact(operator: Client) -> None:
    Contact.objects.create(phone_number="+79121234502", first_name="Olga")
    html = upload(operator, "phone,name\n89121234501,Anna\n89121234502,Vera\n12,Igor\n").content.decode()
    assert "No contact has been changed yet" in html
    assert "Import 2 contacts" in html
    assert not re.search(r"http-equiv=.refresh", html)
    assert list(Contact.objects.values_list("first_name", flat=True)) == ["Olga"]


def test_confirming_imports_the_good_rows_without_any_worker(operator: Client) -> None:
    group = ContactGroup.objects.create(name="Old")
    upload(operator, "phone,name\n89121234501,Anna\n12,Igor\n", groups=[group.pk], new_group="VIP")
    assert "The good rows are imported" in step(operator, "confirm").content.decode()
    contact = Contact.objects.get()
    assert contact.first_name == "Anna"
    assert set(contact.groups.values_list("name", flat=True)) == {"Old", "VIP"}
    imported = ContactImport.objects.get()
    assert (imported.status, imported.created_by and imported.created_by.username) == (ImportStatus.DONE, "olga")


def test_an_import_leads_on_to_a_campaign_to_its_groups(client: Client) -> None:
    client.force_login(User.objects.create_superuser("root"))
    upload(client, "phone\n89121234501\n", new_group="VIP")
    assert "Write them a campaign" not in page(client)
    html = step(client, "confirm").content.decode()
    link = re.search(r'href="([^"]+)">Write them a campaign', html)
    assert link
    form = client.get(link[1]).context["adminform"].form
    assert form["include_groups"].value() == [str(ContactGroup.objects.get().pk)]


def test_a_second_confirmation_changes_nothing(operator: Client) -> None:
    upload(operator, "phone\n89121234501\n")
    step(operator, "confirm")
    assert "not waiting to be confirmed" in step(operator, "confirm").content.decode()
    assert Contact.objects.count() == 1


def test_a_cancelled_import_cannot_be_confirmed(operator: Client) -> None:
    upload(operator, "phone\n89121234501\n")
    step(operator, "cancel")
    step(operator, "confirm")
    assert ContactImport.objects.get().status == ImportStatus.CANCELLED
    assert not Contact.objects.exists()


def test_each_kind_opens_its_rows(operator: Client) -> None:
    Contact.objects.create(phone_number="+79121234502", first_name="Olga", attributes={"city": "Omsk"})
    OptOut.objects.create(phone_number="+79121234501")
    upload(
        operator,
        "phone,name,city\n89121234501,Anna,Ufa\n89121234502,Vera,Ufa\n8 912 1234501,Zoe,Perm\n12,Igor,Kazan\n",
    )
    assert "+79121234501" in page(operator, rows="new")
    changed = page(operator, rows="changed")
    assert "<del>Olga</del> <ins>Vera</ins>" in changed
    assert "<del>Omsk</del> <ins>Ufa</ins>" in changed
    assert "row 2" in page(operator, rows="duplicate")
    assert re.search(r"<td>5</td>\s*<td>phone</td>\s*<td>The number is too short", page(operator, rows="bad"))
    assert "gets no messages" in page(operator, rows="opted_out")
    assert "There are no such rows" in page(operator, rows="unchanged")


def test_many_rows_are_paged(operator: Client) -> None:
    upload(operator, "phone\n" + "".join(f"8912{n:07}\n" for n in range(120)))
    assert page(operator, rows="new").count("<td>") < page(operator, rows="new", page=2).count("<td>") * 2
    assert "+79120000119" in page(operator, rows="new", page=3)
    assert "+79120000119" not in page(operator, rows="new")


def test_cells_cannot_smuggle_html_into_the_page(operator: Client) -> None:
    upload(operator, "phone,<b>name</b>\n89121234501,<script>alert(1)</script>\n<img src=x>,y\n")
    for rows in ("new", "bad"):
        html = page(operator, rows=rows)
        assert "<script>alert" not in html
        assert "<img src=x" not in html
        assert "<b>name" not in html


def test_the_page_has_nothing_inline_that_a_strict_policy_would_block(operator: Client) -> None:
    upload(operator, "phone\n89121234501\n")
    for html in (page(operator), operator.get(ADD).content.decode()):
        assert not re.search(r"<script(?![^>]*\bsrc=)(?![^>]*application/json)", html)
        assert not re.search(r"\sstyle=|\son[a-z]+=", html)


def test_the_bad_rows_can_be_downloaded(operator: Client) -> None:
    upload(operator, "Телефон;Имя\n12;=1+1\n89121234501;Анна\n", name="клиенты.csv")
    url = reverse("admin:campaigns_contactimport_bad_rows", args=[ContactImport.objects.get().pk])
    response = operator.get(url)
    text = b"".join(response.streaming_content).decode("utf-8-sig")  # type: ignore[attr-defined]
    lines = text.splitlines()
    assert lines[0].startswith("Телефон;Имя;")
    assert lines[1].startswith("12;'=1+1;2;Телефон;")
    assert len(lines) == 2
    assert "attachment" in response["Content-Disposition"]


def test_a_file_that_cannot_be_read_says_why_and_offers_another(operator: Client) -> None:
    html = upload(operator, b"\xff\xd8\xff\xe0 photo", name="photo.jpg").content.decode()
    assert "JPEG" in html
    assert "Import another file" in html


@pytest.mark.parametrize(
    ("data", "words"),
    [({}, "required"), ({"region": "XX"}, "Select a valid choice"), ({"region": ""}, "required")],
)
def test_a_form_filled_in_wrongly_says_so(operator: Client, data: dict[str, str], words: str) -> None:
    file = {"file": SimpleUploadedFile("a.csv", b"phone\n1\n")} if data else {}
    assert words in operator.post(ADD, {"region": "RU", **file, **data}).content.decode()
    assert not ContactImport.objects.exists()


def test_an_empty_file_is_refused_by_the_form(operator: Client) -> None:
    assert "empty" in upload(operator, "").content.decode()
    assert not ContactImport.objects.exists()


@pytest.fixture
def slow(monkeypatch: pytest.MonkeyPatch) -> list[tuple[Any, ...]]:
    """Requests do one chunk of ten rows and leave the rest; what they woke."""
    woken: list[tuple[Any, ...]] = []
    monkeypatch.setattr(checking, "CHUNK_ROWS", 10)
    monkeypatch.setattr("campaigns.importing.committing.CHUNK_ROWS", 10)
    monkeypatch.setattr(import_admin, "IN_REQUEST_SECONDS", 0.0)
    monkeypatch.setattr(import_admin, "wake", lambda *call: woken.append(call))
    return woken


def test_what_takes_longer_is_left_to_a_worker_and_the_page_reloads_itself(
    operator: Client, slow: list[tuple[Any, ...]]
) -> None:
    Heartbeat.objects.all().delete()
    html = upload(operator, "phone\n" + "".join(f"8912{n:07}\n" for n in range(25))).content.decode()
    pk = ContactImport.objects.get().pk
    assert slow == [("check_import", pk)]
    assert "Rows checked so far: 10" in html
    assert re.search(r"http-equiv=.refresh", html)
    assert "no worker is running" in html

    go_on_while(ImportStatus.CHECKING, operator)
    assert "Import 25 contacts" in page(operator)
    slow.clear()
    assert "Done up to row 11" in step(operator, "confirm").content.decode()
    assert slow == [("commit_import", pk)]
    go_on_while(ImportStatus.IMPORTING, operator)
    assert Contact.objects.count() == 25


def test_state_is_changed_by_post_alone(operator: Client) -> None:
    upload(operator, "phone\n89121234501\n")
    for name in ("confirm", "cancel", "continue"):
        url = reverse(f"admin:campaigns_contactimport_{name}", args=[ContactImport.objects.get().pk])
        assert operator.get(url).status_code == 405
    assert ContactImport.objects.get().status == ImportStatus.CHECKED


def test_whoever_may_not_import_sees_and_does_nothing(operator: Client, client: Client) -> None:
    upload(operator, "phone\n89121234501\n12\n")
    client.force_login(User.objects.create_user("igor", is_staff=True))
    contact_import = ContactImport.objects.get()
    pages = [ADD, contact_import.get_absolute_url(), reverse("admin:campaigns_contactimport_changelist")]
    pages.append(reverse("admin:campaigns_contactimport_bad_rows", args=[contact_import.pk]))
    assert [client.get(url).status_code for url in pages] == [403] * 4
    assert [step(client, name).status_code for name in ("confirm", "cancel", "continue")] == [403] * 3
    assert client.post(ADD, {}).status_code == 403
    assert not Contact.objects.exists()


def test_the_list_offers_to_import_and_counts_the_rows(operator: Client) -> None:
    url = reverse("admin:campaigns_contactimport_changelist")
    assert "Nothing has been imported yet" in operator.get(url).content.decode()
    upload(operator, "phone\n89121234501\n12\n")
    html = operator.get(url).content.decode()
    assert "Import contacts" in html
    assert "contacts.csv" in html


def test_an_import_that_does_not_exist_is_not_found(operator: Client) -> None:
    assert operator.get("/admin/campaigns/contactimport/999/change/").status_code == 404


def test_the_pages_and_the_command_make_the_same_of_the_same_dirty_file(operator: Client, tmp_path: Path) -> None:
    dirty = make_dirty_file(10_000)
    upload(operator, dirty.content, new_group="All")
    go_on_while(ImportStatus.CHECKING, operator)
    step(operator, "confirm")
    go_on_while(ImportStatus.IMPORTING, operator)
    assert ContactImport.objects.get().status == ImportStatus.DONE
    by_pages = snapshot(ContactImport.objects.get())

    ContactImport.objects.all().delete()
    Contact.objects.all().delete()
    ContactGroup.objects.all().delete()
    path = tmp_path / "dirty.csv"
    path.write_bytes(dirty.content)
    call_command("import_contacts", str(path), group="All", region="RU")
    assert snapshot(ContactImport.objects.get()) == by_pages


def snapshot(contact_import: ContactImport) -> tuple[Any, ...]:
    """Everything an import leaves behind, without ids and times."""
    counts = ("new", "changed", "unchanged", "duplicate", "bad", "opted_out", "remark")
    fields = ("phone_number", "first_name", "last_name", "email", "attributes", "region", "time_zone", "groups__name")
    return (
        [getattr(contact_import, f"{kind}_count") for kind in counts],
        list(Contact.objects.order_by("phone_number").values(*fields)),
        list(contact_import.rows.order_by("number").values("number", "kind", "column", "reason", "remark", "cells")),
    )


def test_the_list_of_contacts_leads_to_the_import_for_those_who_may(client: Client) -> None:
    viewer = User.objects.create_user("vera", is_staff=True)
    viewer.user_permissions.add(Permission.objects.get(codename="view_contact"))
    url = reverse("admin:campaigns_contact_changelist")
    client.force_login(viewer)
    assert ADD not in client.get(url).content.decode()
    viewer.user_permissions.add(Permission.objects.get(codename="import_contact"))
    assert f'href="{ADD}">Import contacts' in client.get(url).content.decode()
    assert "contact/add/" not in client.get(url).content.decode()
    viewer.user_permissions.add(Permission.objects.get(codename="add_contact"))
    assert "contact/add/" in client.get(url).content.decode()
