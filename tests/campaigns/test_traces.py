"""Every act leaves one entry, in the transaction that does it; and nobody changes an entry afterwards."""

from __future__ import annotations

import re
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import timedelta
from decimal import Decimal
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest
from django.contrib import admin
from django.contrib.auth.models import Group, Permission
from django.core.files.uploadedfile import SimpleUploadedFile
from django.db import IntegrityError, connection, transaction
from django.urls import reverse
from django.utils import timezone, translation

from campaigns import archiving, audit, bulk, gateway_control, importing, lifecycle
from campaigns.admin.system import ACTION_WORDS
from campaigns.erasing import request_erasure
from campaigns.models import (
    AuditEvent,
    BulkStatus,
    Campaign,
    CampaignStatus,
    ImportStatus,
    OptOut,
    User,
)
from campaigns.models.audit import AppendOnly
from campaigns.permissions import ACTS, NotAllowed
from campaigns.sending.bulk_insert import bulk_insert
from tests.campaigns.building import make_campaign, make_contact, make_group, make_user, number
from tests.campaigns.everything import NUMBER, OTHER, make_everything, member_of
from tests.campaigns.screens import said, text_of

pytestmark = pytest.mark.django_db

TRAIL = "/admin/campaigns/auditevent/"
#: Names that are put together in the code.
MADE_NAMES = {"send_quick", "send_test", "send_reply", "send_automatic", "send_confirm"}


def key_of(name: str, thing: Any) -> Any:
    return thing.alias if name.startswith("campaigns_gatewaystate_") else thing.pk


def url(name: str, thing: Any = None) -> str:
    return reverse(f"admin:{name}", args=[] if thing is None else [key_of(name, thing)])


class FormReader(HTMLParser):
    """What a browser would send of the page's own form, as it is shown."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.data: dict[str, Any] = {}
        self._is_inside, self._name, self._is_chosen = False, "", True
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        values = dict(attrs)
        name = values.get("name") or ""
        if tag == "form":
            self._is_inside = (values.get("id") or "").endswith("_form")
        elif not self._is_inside or "disabled" in values:
            return
        elif tag == "select":
            self._name = name
        elif tag == "textarea":
            self._name = name
            self.data[name] = ""
        elif tag == "option" and "selected" in values:
            self.data.setdefault(self._name, []).append(values.get("value") or "")
        elif tag == "input" and name and self._is_sent(values):
            self.data[name] = values.get("value") or ""

    @staticmethod
    def _is_sent(values: dict[str, str | None]) -> bool:
        kind = values.get("type")
        return kind not in ("submit", "file") and (kind not in ("checkbox", "radio") or "checked" in values)

    def handle_endtag(self, tag: str) -> None:
        if tag == "form":
            self._is_inside = False
        elif tag in ("select", "textarea"):
            self._name = ""

    def handle_data(self, data: str) -> None:
        if self._name and isinstance(self.data.get(self._name), str):
            self.data[self._name] += data.removeprefix("\n")


def fill_in(client: Any, address: str, **changes: Any) -> Any:
    """The form of a page as it is, with some fields changed, sent."""
    shown = client.get(address)
    data = FormReader(shown.content.decode()).data
    response = client.post(address, {**data, "_save": "Save", **changes})
    assert response.status_code in (302, 500), text_of(response)
    return response


@dataclass(frozen=True)
class Act:
    """Something that is done, and the entry that it leaves. `model` is whose rows it changes."""

    name: str
    do: Callable[[Any, dict[str, Any]], Any]
    about: str = ""
    count: int | None = None
    changed: dict[str, tuple[Any, Any]] = field(default_factory=dict)
    id: str = ""


def post(name: str, thing: str = "", /, **data: Any) -> Callable[[Any, dict[str, Any]], Any]:
    return lambda client, things: client.post(url(name, things[thing] if thing else None), data)


def save(name: str, thing: str = "", /, **changes: Any) -> Callable[[Any, dict[str, Any]], Any]:
    return lambda client, things: fill_in(client, url(name, things[thing] if thing else None), **changes)


def with_status(status: str, name: str, thing: str = "sent", /, **data: Any) -> Callable[[Any, dict[str, Any]], Any]:
    def act(client: Any, things: dict[str, Any]) -> Any:
        Campaign.objects.filter(pk=things[thing].pk).update(status=status, launch_token="x", frozen_at=timezone.now())
        return client.post(url(name, things[thing]), data)

    return act


def scheduled(client: Any, things: dict[str, Any]) -> None:
    Campaign.objects.filter(pk=things["campaign"].pk).update(
        status=CampaignStatus.SCHEDULED, scheduled_at=timezone.now() + timedelta(days=1)
    )


def unschedule(client: Any, things: dict[str, Any]) -> Any:
    scheduled(client, things)
    return client.post(url("campaigns_campaign_unschedule", things["campaign"]))


def schedule(client: Any, things: dict[str, Any]) -> Any:
    return lifecycle.schedule(things["campaign"], timezone.now() + timedelta(days=1), actor=things["root"])


def launch(client: Any, things: dict[str, Any]) -> Any:
    return lifecycle.launch(things["campaign"], actor=things["root"])


def chosen(action: str, thing: str = "contact", /, **form: Any) -> Callable[[Any, dict[str, Any]], Any]:
    """An action of a list, confirmed."""

    def act(client: Any, things: dict[str, Any]) -> Any:
        model, newest = things[thing]._meta.model_name, things[thing].pk
        data = {"up_to": newest, "action": action, "_selected_action": [newest], "confirm": "yes", **form}
        data = {key: things[value].pk if value == "contactgroup" else value for key, value in data.items()}
        return client.post(url(f"campaigns_{model}_changelist"), data)

    return act


def upload(client: Any, things: dict[str, Any]) -> Any:
    file = SimpleUploadedFile("new.csv", b"phone\n+79123450999\n")
    return client.post(
        url("campaigns_contactimport_add"),
        {"file": file, "region": "RU", "update_existing": "all", "opted_out_rows": "keep"},
    )


def undo(client: Any, things: dict[str, Any]) -> Any:
    importing.confirm(things["contactimport"], actor=None)
    importing.commit(things["contactimport"].pk)
    return client.post(url("campaigns_contactimport_undo", things["contactimport"]))


def download(client: Any, things: dict[str, Any]) -> Any:
    selection = {"ids": [things["contact"].pk], "up_to": things["contact"].pk}
    action = bulk.start("export", "contact", selection, total=1, parameters={"format": "csv"}, actor=things["root"])
    bulk.run(action.pk)
    return client.get(url("campaigns_bulkaction_file", action))


def export_log(client: Any, things: dict[str, Any]) -> Any:
    return client.post(url("campaigns_sentmessage_export"), {"format": "csv", "columns": ["phone_number"]})


def cancel_bulk(client: Any, things: dict[str, Any]) -> Any:
    type(things["bulkaction"]).objects.filter(pk=things["bulkaction"].pk).update(status=BulkStatus.RUNNING)
    return client.post(url("campaigns_bulkaction_cancel", things["bulkaction"]))


def set_price(client: Any, things: dict[str, Any]) -> Any:
    changes = {"prices-0-per_segment": "3.75", "prices-0-prefix": "7", "price_currency": "RUB"}
    return fill_in(client, url("campaigns_pricelist_change", things["pricelist"]), **changes)


def archived(client: Any, things: dict[str, Any]) -> Any:
    archiving.archive(things["sent"], actor=None)
    return client.post(url("campaigns_campaign_restore", things["sent"]))


def group_restored(client: Any, things: dict[str, Any]) -> Any:
    archiving.archive(things["contactgroup"], actor=None)
    return client.post(url("campaigns_contactgroup_restore", things["contactgroup"]))


def contact_restored(client: Any, things: dict[str, Any]) -> Any:
    archiving.archive(things["contact"], actor=None)
    return client.post(url("campaigns_contact_restore", things["contact"]))


def contacts_restored(client: Any, things: dict[str, Any]) -> Any:
    archiving.archive(things["contact"], actor=None)
    fields = {"action": "restore_contacts", "_selected_action": [things["contact"].pk], "confirm": "yes"}
    return client.post(url("campaigns_contact_changelist") + "?archived=yes", fields)


def sign_in(password: str) -> Callable[[Any, dict[str, Any]], Any]:
    def act(client: Any, things: dict[str, Any]) -> Any:
        things["user"].set_password("right one")
        things["user"].save()
        client.logout()
        return client.post("/admin/login/", {"username": "guest", "password": password})

    return act


ALIAS = "default"
#: Nobody ever wrote to them.
STRANGER = "+79123450888"
ACTS_TRIED = [
    Act("create_contact", save("campaigns_contact_add", phone_number="+79123450777"), "+79123450777"),
    Act(
        "change_contact",
        save("campaigns_contact_change", "contact", first_name="Olga"),
        NUMBER,
        changed={"First name": ("Anna", "Olga")},
    ),
    Act("delete_contact", post("campaigns_contact_delete", "stranger", post="yes"), STRANGER),
    Act("archive_contact", post("campaigns_contact_archive", "contact"), NUMBER),
    Act("restore_contact", contact_restored, NUMBER),
    Act(
        "merge_contacts",
        lambda c, t: c.post(f"{url('campaigns_contact_merge', t['contact'])}?with={t['twin'].pk}"),
        NUMBER,
    ),
    Act("create_group", save("campaigns_contactgroup_add", name="New"), "New", changed={"Name": (None, "New")}),
    Act(
        "change_group",
        save("campaigns_contactgroup_change", "contactgroup", name="Clients"),
        "Clients",
        changed={"Name": ("Customers", "Clients")},
    ),
    Act("archive_group", post("campaigns_contactgroup_archive", "contactgroup"), "Customers"),
    Act("restore_group", group_restored, "Customers"),
    Act("delete_smart_group", post("campaigns_smartgroup_delete", "smartgroup", post="yes"), "Smart"),
    Act("archive_group", post("campaigns_smartgroup_archive", "smartgroup"), "Smart", id="archive_smart_group"),
    Act("create_attribute", save("campaigns_attribute_add", name="height", kind="number"), "height"),
    Act(
        "change_attribute",
        save("campaigns_attribute_change", "attribute", label="Town"),
        "city",
        changed={"Label": ("", "Town")},
    ),
    Act("delete_attribute", post("campaigns_attribute_delete", "attribute", post="yes"), "city"),
    Act("template_written", save("campaigns_messagetemplate_add", name="Bye", body="Good bye"), "Bye"),
    Act(
        "template_changed",
        save("campaigns_messagetemplate_change", "messagetemplate", name="Hi"),
        "Hi",
        changed={"Name": ("Hello", "Hi")},
    ),
    Act("template_deleted", post("campaigns_messagetemplate_delete", "messagetemplate", post="yes"), "Hello"),
    Act("template_changed", chosen("archive", "messagetemplate"), "Hello", id="archive_template"),
    Act(
        "change",
        save("campaigns_campaign_change", "campaign", name="Draft 2"),
        "Draft 2",
        changed={"Name": ("Draft", "Draft 2")},
    ),
    Act("delete", post("campaigns_campaign_delete", "campaign", post="yes"), "Draft"),
    Act("archive", post("campaigns_campaign_archive", "sent"), "Sent"),
    Act("restore", archived, "Sent"),
    Act("duplicate", post("campaigns_campaign_duplicate", "campaign"), "Copy of Draft"),
    Act("launch", launch, "Draft"),
    Act("schedule", schedule, "Draft"),
    Act("unschedule", unschedule, "Draft"),
    Act("pause", with_status("sending", "campaigns_campaign_pause"), "Sent"),
    Act("resume", with_status("paused", "campaigns_campaign_resume"), "Sent"),
    Act("cancel", with_status("paused", "campaigns_campaign_cancel", confirm="yes"), "Sent"),
    Act(
        "spend_limit",
        with_status("paused", "campaigns_campaign_limit", limit="50"),
        "Sent",
        changed={"spend limit": (None, "50")},
    ),
    Act("leave_unknown", post("campaigns_sentmessage_unknown", "sentmessage", decision="leave")),
    Act("resend_unknown", post("campaigns_sentmessage_unknown", "sentmessage", decision="resend", confirm="yes")),
    Act("resend", post("campaigns_campaign_resend", "sent", statuses="unknown", confirm="yes"), "Sent"),
    Act("gateway_resumed", post("campaigns_gatewaystate_resume", "gatewaystate"), ALIAS),
    Act(
        "gateway_rate",
        post("campaigns_gatewaystate_rate", "gatewaystate", max_per_second="30", rate_unit="segments"),
        ALIAS,
        changed={"at most per second": (None, 30), "counted in": ("messages", "segments")},
    ),
    Act(
        "gateway_limit",
        post("campaigns_gatewaystate_limit", "gatewaystate", limit="100"),
        ALIAS,
        changed={"at most each day": (None, "100")},
    ),
    Act("gateway_prices", set_price, ALIAS, changed={"+7": ("2.5", "3.75")}),
    Act("holiday_listed", save("campaigns_holiday_add", date="2027-01-01"), "2027-01-01"),
    Act("holiday_removed", post("campaigns_holiday_delete", "holiday", post="yes"), "2026-12-31"),
    Act(
        "holiday_removed",
        lambda c, t: c.post(
            url("campaigns_holiday_changelist"),
            {"action": "delete_selected", "_selected_action": [t["holiday"].pk], "post": "yes"},
        ),
        "2026-12-31",
        id="many_holidays",
    ),
    Act(
        "keyword_saved",
        save("campaigns_replykeyword_change", "replykeyword", reply="Hi", forward_to_phone=""),
        "SALE",
        changed={"Answer": ("zebrakeyword", "Hi")},
    ),
    Act("keyword_removed", post("campaigns_replykeyword_delete", "replykeyword", post="yes"), "SALE"),
    Act("automatic_reply_removed", post("campaigns_automaticreply_delete", "automaticreply", post="yes")),
    Act("conversation_assigned", post("campaigns_conversation_assign", "conversation"), NUMBER),
    Act("conversation_answered", post("campaigns_conversation_settle", "conversation"), NUMBER),
    Act("conversation_reopened", post("campaigns_conversation_settle", "conversation", **{"as": "open"}), NUMBER),
    Act("conversation_reviewed", post("campaigns_conversation_review", "conversation", verdict="none"), NUMBER),
    Act("opt_out", save("campaigns_optout_add", phone_number="+79123450888", note="called"), "+79123450888"),
    Act("opt_in", post("campaigns_optout_delete", "optout", note="asked for it"), OTHER),
    Act("upload_import", upload, "new.csv"),
    Act("import", post("campaigns_contactimport_confirm", "contactimport"), "people.csv", count=1),
    Act("cancel_import", post("campaigns_contactimport_cancel", "contactimport"), "people.csv"),
    Act("undo_import", undo, "people.csv"),
    Act(
        "download_bad_rows",
        lambda c, t: c.get(url("campaigns_contactimport_bad_rows", t["contactimport"])),
        "people.csv",
        count=1,
    ),
    Act("add_to_group", chosen("add_to_group", group="contactgroup"), "contact", count=1),
    Act("remove_from_group", chosen("remove_from_group", group="contactgroup"), "contact", count=1),
    Act("set_attribute", chosen("set_attribute", new_name="size", value="L"), "contact", count=1),
    Act("delete_contacts", chosen("delete_contacts"), "contact", count=1),
    Act("restore_contacts", contacts_restored, "contact", count=1),
    Act("erase", chosen("erase", reason="asked by letter"), "contact", count=1),
    Act("export", chosen("export", format="csv"), "contact", count=1),
    Act("export", export_log, "sentmessage", id="export_log"),
    Act("download_export", download),
    Act("cancel_bulk_action", cancel_bulk, "export"),
    Act("erasure", post("campaigns_erasure_add", phone_number=NUMBER, reason="asked", is_sure="on")),
    Act("export_person", post("campaigns_erasure_export", phone_number=NUMBER, confirm="yes"), NUMBER),
    Act("create_user", post("campaigns_user_add", username="new", usable_password="false"), "new"),
    Act(
        "change_user",
        lambda c, t: fill_in(c, url("campaigns_user_change", t["user"]), groups=[Group.objects.get(name="Viewer").pk]),
        "guest",
        changed={"Groups": ([], ["Viewer"])},
    ),
    Act("delete_user", post("campaigns_user_delete", "user", post="yes"), "guest"),
    Act(
        "change_password",
        post("auth_user_password_change", "user", usable_password="true", password1="x7Rt!pqw9", password2="x7Rt!pqw9"),
        "guest",
    ),
    Act("create_role", save("auth_group_add", name="Guards"), "Guards"),
    Act(
        "change_role",
        lambda c, t: fill_in(
            c, url("auth_group_change", t["group"]), permissions=[Permission.objects.get(codename="view_contact").pk]
        ),
        "Guests",
    ),
    Act("delete_role", post("auth_group_delete", "group", post="yes"), "Guests"),
    Act("login", sign_in("right one"), "guest"),
    Act("login_failed", sign_in("wrong one"), "guest"),
    Act("logout", lambda c, t: c.post(reverse("admin:logout")), "root"),
    Act(
        "send_quick",
        lambda c, t: c.post("/", {"phone": "+79123450555", "message_text": "Hi", "nonce": "n"}),
        "+79123450555",
    ),
]


@pytest.fixture
def root(client, settings, tmp_path, monkeypatch) -> User:
    settings.MEDIA_ROOT = tmp_path
    monkeypatch.setattr("campaigns.views.WAIT_SECONDS", 0)
    user = User.objects.create(username="root", is_staff=True, is_superuser=True)
    client.force_login(user)
    return user


@pytest.mark.parametrize("act", ACTS_TRIED, ids=lambda act: act.id or act.name)
def test_an_act_leaves_one_entry_that_says_who_what_and_to_how_many(client, root, act):
    things = {**make_everything(), "root": root, "stranger": make_contact(STRANGER)}
    known = set(AuditEvent.objects.values_list("pk", flat=True))
    act.do(client, things)
    entries = AuditEvent.objects.exclude(pk__in=known).filter(action=act.name)
    assert len(entries) == 1, said_by(client)
    entry = entries[0]
    assert entry.actor_name == {"login_failed": "", "login": "guest"}.get(act.name, "root")
    if act.about:
        assert entry.subject.strip() == act.about
    if act.count is not None:
        assert entry.count == act.count
    for name, pair in act.changed.items():
        assert entry.details["changes"][name] == list(pair), entry.details


def said_by(client: Any) -> str:
    return " ".join(AuditEvent.objects.order_by("-pk").values_list("action", flat=True)[:5])


@pytest.mark.parametrize("act", ACTS_TRIED, ids=lambda act: act.id or act.name)
def test_without_its_entry_nothing_is_done(client, root, act, monkeypatch):
    """The entry is written in the transaction of the act: if it cannot be written, the act is undone."""
    if act.name in {"login", "logout", "login_failed", "download_bad_rows", "download_export", "export_person"}:
        pytest.skip("changes nothing that could be undone")
    things = {**make_everything(), "root": root, "stranger": make_contact(STRANGER)}
    record = AuditEvent.objects.create

    def refuse(**values: Any) -> AuditEvent:
        if values["action"] == act.name:
            raise NoRoom
        return record(**values)

    def refuse_many(*args: Any, action: str, **values: Any) -> None:
        if action == act.name:
            raise NoRoom
        bulk_insert(*args, action=action, **values)

    monkeypatch.setattr(AuditEvent.objects, "create", refuse)
    monkeypatch.setattr(audit, "bulk_insert", refuse_many)
    before = contents()
    client.raise_request_exception = False
    with suppress(NoRoom):
        act.do(client, things)
    assert contents() == before


class NoRoom(Exception):
    """The entry cannot be written."""


WATCHED = (
    "campaign", "contact", "contactgroup", "messagetemplate", "attribute", "optout", "sentmessage", "holiday",
    "replykeyword", "automaticreply", "gatewayprice", "user", "erasure", "bulkaction",
)  # fmt: skip
#: Columns that a preparation of these tests writes.
_OWN = {"status", "launch_token", "frozen_at", "scheduled_at", "archived_at", "last_login", "updated_at"}


def contents() -> set[Any]:
    found = set()
    for model in admin.site._registry:
        if model._meta.model_name in WATCHED and model._meta.app_label == "campaigns":
            names = [one.attname for one in model._meta.concrete_fields if one.attname not in _OWN]
            for row in model._default_manager.values_list(*names):
                found.add((model._meta.model_name, tuple(map(repr, row))))
    return found


def test_every_act_in_the_code_has_a_permission_and_words():
    source = "\n".join(path.read_text() for path in Path("campaigns").rglob("*.py") if "migrations" not in path.parts)
    named = set(re.findall(r'\brecord\(\s*"(\w+)"', source)) | set(bulk.OPERATIONS) | MADE_NAMES
    assert named - set(ACTS) == set(), "who may do these? (campaigns/permissions.py)"
    assert (named | set(ACTS)) - set(ACTION_WORDS) == set(), "what are these called? (campaigns/admin/system.py)"


def test_whoever_may_not_do_it_cannot_by_any_way():
    campaign = make_campaign(make_group(contacts=1))
    viewer = member_of("Viewer")
    with pytest.raises(NotAllowed):
        lifecycle.launch(campaign, actor=viewer)
    campaign.refresh_from_db()
    assert campaign.status == CampaignStatus.DRAFT
    assert not AuditEvent.objects.filter(action="launch").exists()


def test_a_campaign_does_not_start_for_somebody_who_may_not_send_any_more():
    campaign = make_campaign(make_group(contacts=1))
    olga = member_of("Operator")
    lifecycle.schedule(campaign, timezone.now() + timedelta(hours=1), actor=olga)
    olga.groups.clear()
    Campaign.objects.update(scheduled_at=timezone.now() - timedelta(minutes=1))
    lifecycle.start_due(Campaign.objects.get())
    campaign.refresh_from_db()
    assert campaign.status == CampaignStatus.PAUSED
    assert "operator, who scheduled it, may not send" in campaign.pause_reason


def test_an_import_does_not_begin_for_somebody_who_may_not_import_any_more(settings, tmp_path):
    settings.MEDIA_ROOT = tmp_path
    things = make_everything()
    olga = member_of("Operator")
    contact_import = things["contactimport"]
    type(contact_import).objects.filter(pk=contact_import.pk).update(created_by=olga)
    importing.confirm(contact_import, actor=olga)
    olga.groups.clear()
    assert not importing.commit(contact_import.pk)
    contact_import.refresh_from_db()
    assert contact_import.status == ImportStatus.REFUSED
    assert "may not import" in contact_import.problem


# --- nobody changes an entry ------------------------------------------------------------------------------------------


@pytest.fixture
def entry() -> AuditEvent:
    return audit.record("opt_out", actor=make_user(), subject=number(1), details={"note": "no"})


def test_the_model_is_only_added_to(entry):
    with pytest.raises(AppendOnly):
        entry.save()
    with pytest.raises(AppendOnly):
        entry.delete()
    for change in (lambda: AuditEvent.objects.update(action="x"), AuditEvent.objects.all().delete):
        with pytest.raises(AppendOnly):
            change()
    with pytest.raises(AppendOnly):
        AuditEvent.objects.bulk_update([entry], ["action"])


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE campaigns_auditevent SET action = 'x'",
        "UPDATE campaigns_auditevent SET actor_name = 'somebody'",
        "UPDATE campaigns_auditevent SET subject = 'x'",
        "UPDATE campaigns_auditevent SET details = '{}'",
        "UPDATE campaigns_auditevent SET count = 7",
        "DELETE FROM campaigns_auditevent",
    ],
)
def test_nor_does_the_database_let_it_be_changed(entry, statement):
    with pytest.raises(IntegrityError, match="only added to"), transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(statement)
    assert AuditEvent.objects.get().action == "opt_out"


def test_nobody_changes_it_in_the_admin(client, root, entry):
    for page in (f"{entry.pk}/delete/", "add/"):
        assert client.post(f"{TRAIL}{page}", {"post": "yes"}).status_code == 403
    assert client.post(f"{TRAIL}{entry.pk}/change/", {"action": "x"}).status_code == 403
    assert AuditEvent.objects.filter(pk=entry.pk, action="opt_out").exists()


def test_forgetting_a_person_reaches_what_was_done_about_them(entry):
    request_erasure(number(1), reason="asked", actor=make_user("boss"))
    entry.refresh_from_db()
    assert entry.subject.startswith("#")
    assert entry.details == {}
    assert (entry.action, entry.actor_name) == ("opt_out", "olga")


def test_who_did_it_is_known_when_the_user_is_gone(client, root, entry):
    User.objects.get(username="olga").delete()
    entry.refresh_from_db()
    assert entry.actor is None
    assert "olga" in text_of(client.get(TRAIL))


def test_a_campaign_that_is_deleted_leaves_its_entries():
    campaign = make_campaign()
    audit.record("create", campaign=campaign, subject=campaign.name)
    campaign.delete()
    assert AuditEvent.objects.get().subject == "Sale"


def test_a_bulk_act_leaves_nobodys_number_in_its_entry():
    selection = {"filters": {"q": [NUMBER], "groups__id__exact": ["3"]}, "up_to": 5}
    bulk.start("delete_contacts", "contact", selection, total=1)
    assert AuditEvent.objects.get().details["filters"] == {"q": "…", "groups__id__exact": ["3"]}


def test_only_names_that_there_are_are_noted_when_somebody_fails_to_sign_in(client):
    client.post("/admin/login/", {"username": "my password by mistake", "password": "x"})
    assert not AuditEvent.objects.exists()


# --- the page ---------------------------------------------------------------------------------------------------------


def test_an_entry_reads_as_sentences(client, root):
    campaign = make_campaign()
    changes = {"spend limit": (None, "50"), "not on holidays": (False, True)}
    event = audit.record("change", actor=root, campaign=campaign, subject=campaign.name, count=12_000, changes=changes)
    page = client.get(f"{TRAIL}{event.pk}/change/")
    words = text_of(page)
    assert "root changed" in words
    assert str(event) not in page.content.decode()  # not even in the title of the window: it is not in words
    assert "How many 12,000" in words
    assert "Spend limit – 50" in words
    assert "Not on holidays no yes" in words
    assert "{" not in words


@pytest.mark.parametrize(
    ("query", "shown"),
    [
        ({"actor": "olga"}, {"pause"}),
        ({"actor": "none"}, {"completed"}),
        ({"action": "launch"}, {"launch"}),
        ({"campaign__id__exact": "campaign"}, {"pause"}),
        ({"q": "Sale"}, {"pause"}),
        ({"q": "8 999 000-00-01"}, {"opt_out"}),
        ({"at__lt": "2020-01-01 00:00:00+00:00"}, set()),
    ],
)
def test_the_trail_is_searched_by_person_act_campaign_and_date(client, root, query, shown):
    olga, campaign = make_user(), make_campaign()
    audit.record("pause", actor=olga, campaign=campaign, subject=campaign.name)
    audit.record("completed", subject="another")
    audit.record("launch", actor=root, subject="third")
    audit.record("opt_out", actor=root, subject=number(1))
    known = {"olga": olga.pk, "campaign": campaign.pk}
    response = client.get(TRAIL, {name: known.get(value, value) for name, value in query.items()})
    assert {event.action for event in response.context["cl"].result_list} == shown


def test_the_trail_is_browsed_by_key_with_a_fixed_number_of_queries(client, root, django_assert_max_num_queries):
    for n in range(120):
        audit.record("pause", actor=root, subject=f"n{n}")
    with django_assert_max_num_queries(10):
        page = client.get(TRAIL)
    assert len(page.context["cl"].result_list) == 50
    older = client.get(TRAIL + page.context["cl"].older)
    assert len(older.context["cl"].result_list) == 50


# --- what was sent to stays -------------------------------------------------------------------------------------------


def test_a_group_that_was_sent_to_is_archived_and_not_deleted(client, root):
    things = make_everything()
    group = things["contactgroup"]
    page = client.get(url("campaigns_contactgroup_delete", group))
    assert "archive the group instead" in text_of(page)
    client.post(url("campaigns_contactgroup_delete", group), {"post": "yes"})
    assert type(group).objects.filter(pk=group.pk).exists()
    assert "is archived" in said(client.post(url("campaigns_contactgroup_archive", group)))
    assert "Customers" not in names_in(client, "contactgroup")
    assert "Customers" in names_in(client, "contactgroup", archived="yes")
    assert client.post(url("campaigns_contactgroup_restore", group)).status_code == 302
    assert "Customers" in names_in(client, "contactgroup")


def names_in(client: Any, model: str, **query: str) -> set[str]:
    response = client.get(url(f"campaigns_{model}_changelist"), query)
    return {str(row) for row in response.context["cl"].result_list}


def test_an_archived_group_is_offered_to_nobody(client, root):
    group = make_group("Old")
    archiving.archive(group, actor=root)
    query = {"app_label": "campaigns", "model_name": "campaign", "field_name": "include_groups", "term": "Old"}
    assert client.get(reverse("admin:autocomplete"), query).json()["results"] == []
    archiving.restore(group, actor=root)
    assert len(client.get(reverse("admin:autocomplete"), query).json()["results"]) == 1


def test_a_group_that_a_campaign_waits_for_is_not_archived(client, root):
    group = make_group("Needed")
    make_campaign(group, status=CampaignStatus.SCHEDULED)
    assert "needs this group" in said(client.post(url("campaigns_contactgroup_archive", group)))
    group.refresh_from_db()
    assert group.archived_at is None


def test_a_campaign_that_is_over_is_archived_with_its_log(client, root):
    things = make_everything()
    client.post(url("campaigns_campaign_archive", things["sent"]))
    assert names_in(client, "campaign") == {"Draft"}
    assert names_in(client, "campaign", archived="yes") == {"Sent"}
    assert things["sent"].messages.count() == 1
    assert "Archived" in text_of(client.get(url("campaigns_campaign_change", things["sent"])))


def test_a_campaign_that_is_being_sent_is_not_archived(client, root):
    campaign = make_campaign(status=CampaignStatus.SENDING)
    assert "Cancel it, or wait" in said(client.post(url("campaigns_campaign_archive", campaign)))
    campaign.refresh_from_db()
    assert campaign.archived_at is None


def test_a_template_that_was_sent_is_not_deleted(client, root):
    things = make_everything()
    Campaign.objects.filter(pk=things["sent"].pk).update(template=things["messagetemplate"])
    assert (
        client.post(url("campaigns_messagetemplate_delete", things["messagetemplate"]), {"post": "yes"}).status_code
        == 403
    )


# --- users ------------------------------------------------------------------------------------------------------------


def test_an_administrator_makes_nobody_a_superuser_and_touches_none(client):
    boss = User.objects.create(username="boss", is_staff=True, is_superuser=True)
    guest = User.objects.create(username="guest", is_staff=True)
    client.force_login(member_of("Administrator"))
    fill_in(client, url("campaigns_user_change", guest), is_superuser="on", first_name="Gast")
    guest.refresh_from_db()
    assert (guest.is_superuser, guest.first_name) == (False, "Gast")
    for page in ("campaigns_user_change", "campaigns_user_delete", "auth_user_password_change"):
        assert client.post(url(page, boss), {"username": "mine", "post": "yes"}).status_code == 403


def test_whoever_has_done_something_is_not_deleted(client, root):
    olga = make_user()
    audit.record("pause", actor=olga)
    User.objects.filter(pk=olga.pk).update(is_superuser=False)
    assert client.post(url("campaigns_user_delete", olga), {"post": "yes"}).status_code == 403


def test_whoever_may_not_change_consent_finds_it_to_be_read_only(client):
    contact = make_contact(number(1))
    olga = member_of("Operator")
    client.force_login(olga)
    fill_in(client, url("campaigns_contact_change", contact), consent="given", consent_source="form")
    contact.refresh_from_db()
    assert contact.consent == "given"
    Group.objects.get(name="Operator").permissions.remove(Permission.objects.get(codename="change_consent"))
    fill_in(client, url("campaigns_contact_change", contact), consent="withdrawn", first_name="Anna")
    contact.refresh_from_db()
    assert (contact.consent, contact.first_name) == ("given", "Anna")
    assert not OptOut.objects.exists()


# --- in the language of the reader -----------------------------------------------------------------------------------


def speaks(user: User, language: str) -> None:
    User.objects.filter(pk=user.pk).update(language=language)


def test_names_of_fields_are_read_in_the_language_of_the_reader(client, root):
    """Whoever did it, in whatever language: each reader gets them in their own."""
    things = make_everything()
    speaks(root, "ru")
    fill_in(client, url("campaigns_contact_change", things["contact"]), first_name="Olga")
    with translation.override("ru"):
        gateway_control.set_rate(ALIAS, per_second=5, unit="messages", actor=root)
        lifecycle.set_spend_limit(make_campaign(status=CampaignStatus.SENDING), Decimal(50), actor=root)
    entries = {event.action: event for event in AuditEvent.objects.order_by("pk")}
    assert set(entries["change_contact"].details["changes"]) == {"First name"}
    assert entries["change_contact"].details["fields"] == ["First name"]
    assert set(entries["gateway_rate"].details["changes"]) == {"at most per second", "counted in"}
    assert set(entries["spend_limit"].details["changes"]) == {"spend limit"}
    for language, name in (("ru", "Имя"), ("en", "First name")):
        speaks(root, language)
        assert name in text_of(client.get(f"{TRAIL}{entries['change_contact'].pk}/change/"))
        assert name in text_of(client.get(TRAIL))
        assert (
            name in text_of(client.get(url("campaigns_contact_change", things["contact"]))).split("What happened")[-1]
        )


@pytest.mark.parametrize(
    ("written", "read"),
    [
        ("First name", "Имя"),
        ("Proof of the consent", "Подтверждение согласия"),
        ("spend limit", "лимит расходов"),
        ("Имя", "Имя"),
        ("shoe size", "shoe size"),
        ("", ""),
    ],
)
def test_what_an_entry_calls_a_field_stays_readable(written, read):
    with translation.override("ru"):
        assert audit.field_words(written) == read
    assert audit.field_words("First name") == "First name"
