"""Importing contacts in the admin."""

from __future__ import annotations

import io
import re
from pathlib import Path
from typing import Any

import openpyxl
import pytest
from django.contrib.auth.models import Permission
from django.core.files.uploadedfile import SimpleUploadedFile
from django.core.management import call_command
from django.http import HttpResponse
from django.test import Client
from django.urls import reverse

from campaigns.admin import imports as import_admin
from campaigns.admin.import_forms import ReadingForm
from campaigns.importing import checking
from campaigns.models import (
    AuditEvent,
    Contact,
    ContactGroup,
    ContactImport,
    Heartbeat,
    ImportSource,
    ImportStatus,
    OptOut,
    User,
)
from tests.campaigns.screens import check_rows, read_form, said, sign_in, text_of
from tests.dirty_file import make_dirty_file

pytestmark = pytest.mark.django_db

ADD = "/admin/campaigns/contactimport/add/"


@pytest.fixture(autouse=True)
def media(settings: Any, tmp_path: Path) -> None:
    settings.MEDIA_ROOT = tmp_path / "media"


@pytest.fixture
def operator(client: Client) -> Client:
    """Signed in, and allowed to import and to see numbers; nothing else."""
    user = User.objects.create_user("olga", password="x", is_staff=True)
    user.user_permissions.add(*Permission.objects.filter(codename__in=["import_contact", "view_full_numbers"]))
    client.force_login(user)
    return client


def upload(client: Client, content: bytes | str, *, name: str = "contacts.csv", **data: Any) -> HttpResponse:
    response = upload_only(client, content, name=name, **data)
    form = response.context.get("form")
    return check_rows(client) if isinstance(form, ReadingForm) else response


def upload_only(client: Client, content: bytes | str, *, name: str = "contacts.csv", **data: Any) -> Any:
    """Ends at how the file is read, or at what is wrong with it."""
    file = SimpleUploadedFile(name, content if isinstance(content, bytes) else content.encode())
    return client.post(ADD, {"file": file, "region": "RU", **data}, follow=True)


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


@pytest.mark.parametrize("chosen", ["groups", "new_group"])
def test_nobody_is_put_into_a_smart_group_by_a_file(operator: Client, chosen: str) -> None:
    group = ContactGroup.objects.create(name="Clever", conditions={})
    data: dict[str, Any] = {"groups": [group.pk]} if chosen == "groups" else {"new_group": "Clever"}
    response = upload_only(operator, "phone\n89121234501\n", **data)
    assert response.context["form"].errors.keys() == {chosen}
    assert not ContactImport.objects.exists()


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
    assert "is kept out of every sending" in page(operator, rows="opted_out")
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


# --- how the file is read ----------------------------------------------------------------------------------------


def samples(client: Client) -> dict[str, list[str]]:
    look = client.get(ContactImport.objects.latest("pk").get_absolute_url()).context["look"]
    return {column.header: column.values for column in look.columns}


def test_after_the_upload_it_is_shown_how_the_file_is_read_and_nothing_is_checked_yet(operator: Client) -> None:
    html = upload_only(operator, "Телефон;Имя;Город\n89121234501;Пётр;Уфа\n").content.decode()
    assert "What each column is" in html
    assert "Check the rows" in html
    assert ContactImport.objects.get().status == ImportStatus.UPLOADED
    assert not ContactImport.objects.get().rows.exists()
    form = read_form(operator)
    assert (form["encoding"], form["delimiter"], form["header_row"]) == ("utf-8", ";", 1)
    assert [form[f"use_{n}"] for n in range(3)] == ["phone_number", "first_name", "attribute"]
    assert samples(operator)["Город"] == ["Уфа"]


def test_a_wrong_encoding_is_seen_and_put_right(operator: Client) -> None:
    upload_only(operator, "phone;name\n89121234501;Dvo\u0159\u00e1k\n".encode("cp1250"))
    check_rows(operator, again="1", encoding="cp1252")
    assert ContactImport.objects.get().status == ImportStatus.UPLOADED
    check_rows(operator, encoding="cp1250")
    row = ContactImport.objects.get().rows.get()
    assert row.values["first_name"] == "Dvořák"


def test_an_encoding_that_the_file_is_not_in_is_refused_on_the_page(operator: Client) -> None:
    upload_only(operator, "phone;name\n89121234501;Пётр\n".encode("cp1251"))
    html = check_rows(operator, encoding="utf-8").content.decode()
    assert "not written in this encoding" in html
    assert ContactImport.objects.get().status == ImportStatus.UPLOADED


def test_columns_are_what_the_operator_says(operator: Client) -> None:
    upload_only(operator, "a;b;c;d\nAnna;89121234501;x;secret\n89121234509;89121234502;y;secret\n")
    check_rows(operator, use_0="first_name", use_1="phone_number", use_2="attribute", name_2="my city", use_3="ignored")
    first = ContactImport.objects.get().rows.get(number=2)
    assert first.phone_number == "+79121234501"
    assert first.values == {"first_name": "Anna", "attributes": {"my_city": "x"}}


def test_without_a_phone_column_the_rows_are_not_checked(operator: Client) -> None:
    upload_only(operator, "phone;name\n89121234501;Anna\n")
    html = check_rows(operator, use_0="ignored").content.decode()
    assert "Say which column holds the phone numbers" in html
    assert ContactImport.objects.get().status == ImportStatus.UPLOADED


def test_the_header_may_be_in_another_row_or_missing(operator: Client) -> None:
    upload_only(operator, "Our customers;;\n;;\nid;tel;name\n1;89121234501;Anna\n")
    assert read_form(operator)["header_row"] == 3
    check_rows(operator)
    assert [row.number for row in ContactImport.objects.get().rows.all()] == [4]
    upload_only(operator, "89121234502;Vera\n89121234503;Olga\n")
    assert read_form(operator)["header_row"] == 0
    check_rows(operator, use_1="first_name")
    latest = ContactImport.objects.latest("pk")
    assert [row.values["first_name"] for row in latest.rows.order_by("number")] == ["Vera", "Olga"]


def test_another_delimiter_finds_the_columns_anew_before_anything_is_checked(operator: Client) -> None:
    upload_only(operator, "phone,extra;name\n89121234501,x;Anna\n")
    response = check_rows(operator, delimiter=";")
    assert ContactImport.objects.get().status == ImportStatus.UPLOADED
    assert [column.sample.header for column in response.context["form"].column_fields()] == ["phone,extra", "name"]


def test_the_next_file_with_the_same_columns_is_read_the_same_way(operator: Client) -> None:
    upload_only(operator, "kontakt;wer\n89121234501;Anna\n", name="shop.csv")
    check_rows(operator, use_1="last_name")
    html = upload_only(operator, "Kontakt;WER\n89121234502;Vera\n").content.decode()
    assert "Read like “shop.csv”" in html
    assert read_form(operator)["use_1"] == "last_name"
    upload_only(operator, "kontakt;wer;mehr\n89121234502;Vera;x\n")
    assert read_form(operator)["use_1"] == "attribute"


def test_a_file_that_was_checked_can_be_read_in_another_way(operator: Client) -> None:
    upload(operator, "phone;who\n89121234501;Anna\nx;Vera\n")
    step(operator, "read_anew")
    contact_import = ContactImport.objects.get()
    assert (contact_import.status, contact_import.new_count, contact_import.bad_count) == ("uploaded", 0, 0)
    assert not contact_import.rows.exists()
    check_rows(operator, use_1="first_name")
    contact_import.refresh_from_db()
    assert (contact_import.new_count, contact_import.bad_count) == (1, 1)
    step(operator, "confirm")
    assert "too late" in step(operator, "read_anew").content.decode()


def test_a_sheet_can_be_chosen(operator: Client) -> None:
    book = openpyxl.Workbook()
    book.worksheets[0].title = "Notes"
    book.worksheets[0].append(["hello"])
    book.create_sheet("People").append(["phone"])
    book.worksheets[1].append(["89121234501"])
    file = io.BytesIO()
    book.save(file)
    upload_only(operator, file.getvalue(), name="people.xlsx")
    step(operator, "read_anew")  # nothing in the first sheet could be a number, so it was refused
    response = check_rows(operator, again="1", sheet="People")
    form = response.context["form"]
    data = {field.html_name: "" if field.value() is None else field.value() for field in form}
    operator.post(reverse("admin:campaigns_contactimport_read", args=[ContactImport.objects.get().pk]), data)
    assert ContactImport.objects.get().rows.get().phone_number == "+79121234501"


def test_rules_are_kept_and_consent_needs_its_source(operator: Client) -> None:
    file = SimpleUploadedFile("contacts.csv", b"phone\n89121234501\n")
    data = {"file": file, "region": "RU", "update_existing": "empty", "opted_out_rows": "leave_out"}
    html = operator.post(ADD, {**data, "consent_evidence": "page 2"}).content.decode()
    assert "without it no consent is recorded" in html
    file.seek(0)
    html = operator.post(ADD, {**data, "consent_source": "form", "consented_on": "2999-01-01"}).content.decode()
    assert "has not come yet" in html
    file.seek(0)
    operator.post(ADD, {**data, "consent_source": "form", "consented_on": "2026-01-31"})
    contact_import = ContactImport.objects.get()
    assert (contact_import.update_existing, contact_import.opted_out_rows) == ("empty", "leave_out")
    assert str(contact_import.consented_at).startswith("2026-01-31")
    page_text = check_rows(operator).content.decode()
    assert "Only fill in what is empty" in page_text
    assert "Leave their rows out" in page_text


def test_how_far_it_is_can_be_asked(operator: Client) -> None:
    upload(operator, "phone\n89121234501\n")
    contact_import = ContactImport.objects.get()
    ContactImport.objects.update(status=ImportStatus.CHECKING, columns={"percent": 40})
    url = reverse("admin:campaigns_contactimport_progress", args=[contact_import.pk])
    answer = operator.get(url).json()
    assert (answer["status"], answer["seconds"]) == ("checking", 2)
    assert 'value="40"' in answer["html"]
    ContactImport.objects.update(status=ImportStatus.DONE)
    assert operator.get(url).json()["seconds"] == 0


# --- undoing -----------------------------------------------------------------------------------------------------


def test_undoing_says_in_numbers_what_will_happen_and_then_does_it(operator: Client) -> None:
    Contact.objects.create(phone_number="+79121234502", first_name="Olga")
    upload(operator, "phone,name\n89121234501,Anna\n89121234502,Vera\n")
    html = step(operator, "confirm").content.decode()
    assert "Undo the import" in html
    url = reverse("admin:campaigns_contactimport_undo", args=[ContactImport.objects.get().pk])
    asked = re.sub(r"\s+", " ", operator.get(url).content.decode())
    assert "New contacts that go</th><td>1</td>" in asked
    assert "Contacts that get their former values back</th><td>1</td>" in asked
    assert Contact.objects.count() == 2
    html = operator.post(url, follow=True).content.decode()
    assert "The import was taken back" in html
    assert list(Contact.objects.values_list("first_name", flat=True)) == ["Olga"]
    assert "cannot be undone" in operator.get(url, follow=True).content.decode()


def test_nobody_without_the_permission_undoes_an_import(client: Client) -> None:
    client.force_login(User.objects.create_user("petr", password="x", is_staff=True))
    contact_import = ContactImport.objects.create(file_name="a.csv", status=ImportStatus.DONE)
    for name in ("undo", "progress"):
        url = reverse(f"admin:campaigns_contactimport_{name}", args=[contact_import.pk])
        assert client.get(url).status_code == 403
        if name == "undo":
            assert client.post(url).status_code == 403
    for name in ("read", "read_anew", "cancel", "confirm"):
        url = reverse(f"admin:campaigns_contactimport_{name}", args=[contact_import.pk])
        assert client.post(url).status_code == 403
        assert client.get(url).status_code == 405


# --- remembered readings ----------------------------------------------------------------------------------------------

READINGS = "/admin/campaigns/importsource/"


def remember_one() -> ImportSource:
    columns = [{"use": "phone_number"}, {"use": "attribute", "name": "city"}, {"use": "ignored"}]
    reading = {"encoding": "cp1251", "columns": columns}
    return ImportSource.objects.create(signature="x", file_name="march.csv", region="RU", reading=reading)


def test_what_is_remembered_is_shown_and_can_be_forgotten(operator: Client) -> None:
    assert "Nothing is remembered yet" in text_of(operator.get(READINGS))
    source = remember_one()
    page_text = text_of(operator.get(READINGS))
    for words in ("march.csv", "Phone number", "Other field, for placeholders: city", "Not imported", "Windows-1251"):
        assert words in page_text
    response = operator.post(READINGS, {"action": "forget", "_selected_action": source.pk})
    assert "1 reading is forgotten" in said(response)
    assert not ImportSource.objects.exists()
    assert AuditEvent.objects.get(action="forget_reading").subject == "march.csv"
    assert READINGS in operator.get("/admin/campaigns/contactimport/").content.decode()


def test_who_may_not_import_neither_sees_nor_forgets_readings(client: Client) -> None:
    sign_in(client, "view_contact")
    source = remember_one()
    assert client.get(READINGS).status_code == 403
    assert client.post(READINGS, {"action": "forget", "_selected_action": source.pk}).status_code == 403
    assert ImportSource.objects.exists()


def test_a_guessed_encoding_is_called_a_guess_and_one_that_is_known_is_not(operator: Client) -> None:
    guess = "The encoding is a guess"
    text = "phone;name\n89121234567;Dvo\u0159\u00e1k\n"
    page_of = upload_only(operator, text.encode("cp1250"))
    assert guess in text_of(page_of)
    assert "campaigns/imports.js" in page_of.content.decode()
    assert guess not in text_of(upload_only(operator, text.encode()))
    again = read_form(operator) | {"encoding": "iso8859-2", "again": "1"}
    contact_import = ContactImport.objects.earliest("pk")
    url = reverse("admin:campaigns_contactimport_read", args=[contact_import.pk])
    assert guess not in text_of(operator.post(url, again))
