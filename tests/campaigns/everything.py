"""An installation with one of everything, in which known numbers and texts stand wherever they can stand."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from django.contrib.admin.models import CHANGE, LogEntry
from django.contrib.auth.models import Group
from django.contrib.contenttypes.models import ContentType
from django.core.files.base import ContentFile
from django.utils import timezone
from django_q.models import Failure, OrmQ, Schedule, Success

from campaigns import audit, drafts
from campaigns.models import (
    Attempt,
    Attribute,
    AutomaticReply,
    BulkAction,
    BulkStatus,
    Campaign,
    CampaignStatus,
    ConsentChange,
    Contact,
    ContactGroup,
    ContactImport,
    ContactImportRow,
    Conversation,
    Erasure,
    EventKind,
    FormerNumber,
    GatewayPrice,
    GatewayState,
    Heartbeat,
    Holiday,
    ImportSource,
    ImportStatus,
    InboundMessage,
    MessageEvent,
    MessageStatus,
    MessageTemplate,
    OptOut,
    Purpose,
    ReplyKeyword,
    RowKind,
    SentMessage,
    SmartGroup,
    UnmatchedReceipt,
    User,
)

#: Every number that stands somewhere; the digits that nobody may read who sees no whole numbers.
NUMBER = "+79123450167"
OTHER = "+79123450268"
FORMER = "+79123450369"
NUMBERS = (NUMBER, OTHER, FORMER)
#: A word of each text that was written to or by people, by where it stands.
TEXTS = (
    "zebracampaign",
    "zebralanguage",
    "zebramessage",
    "zebratemplate",
    "zebraanswer",
    "zebranote",
    "zebraproof",
    "zebrakeyword",
    "zebraautomatic",
    "zebraprovider",
)
ROLES = ("Viewer", "Approver", "Operator", "Administrator")


def member_of(role: str, username: str = "") -> User:
    """A member of staff with this role and nothing else."""
    user = User.objects.create(username=username or role.lower(), is_staff=True)
    user.groups.add(Group.objects.get(name=role))
    return user


def make_everything() -> dict[str, Any]:
    """By name of the model, the object of it."""
    things: dict[str, Any] = {"boss": User.objects.create(username="boss", is_staff=True, is_superuser=True)}
    for part in (_contacts, _campaigns, _messages, _inbox, _imports, _gateway, _traces, _system):
        part(things)
    return things


def _contacts(things: dict[str, Any]) -> None:
    things["contactgroup"] = ContactGroup.objects.create(name="Customers")
    contact = things["contact"] = Contact.objects.create(
        phone_number=NUMBER, first_name="Anna", email="a@example.com", consent="given", consent_evidence="zebraproof"
    )
    things["twin"] = Contact.objects.create(phone_number=OTHER, first_name="Anna", email="a@example.com")
    for one in (contact, things["twin"]):
        one.groups.add(things["contactgroup"])
    FormerNumber.objects.create(contact=contact, phone_number=FORMER, was={"first_name": "Anna"})
    things["attribute"] = Attribute.objects.create(name="city")
    conditions = {"version": 1, "match": {"combine": "all", "parts": []}}
    things["smartgroup"] = SmartGroup.objects.create(name="Smart", conditions=conditions)
    things["optout"] = OptOut.objects.create(phone_number=OTHER, note="zebranote", created_by=things["boss"])
    things["erasure"] = Erasure.objects.create(
        phone_number=FORMER, canonical_number=FORMER, reason="asked", requested_by=things["boss"]
    )
    ConsentChange.objects.create(
        canonical_number=NUMBER,
        phone_number=NUMBER,
        contact=contact,
        act="given",
        evidence="zebraproof",
        happened_at=timezone.now(),
    )


def _campaigns(things: dict[str, Any]) -> None:
    now, boss, group = timezone.now(), things["boss"], things["contactgroup"]
    things["messagetemplate"] = MessageTemplate.objects.create(name="Hello", body="zebratemplate", created_by=boss)
    fields: dict[str, Any] = {"body": "zebracampaign", "texts": {"ru": "zebralanguage"}, "created_by": boss}
    draft = things["campaign"] = Campaign.objects.create(name="Draft", **fields)
    draft.include_groups.add(group)
    drafts.keep(boss, draft, {"body": ["zebracampaign"]}, version=0, base="")
    launch = {
        "body": fields["body"], "texts": fields["texts"], "kind": draft.kind, "gateway": "default", "sender_id": "",
        "include_groups": [group.pk], "exclude_groups": [], "smart_groups": {}, "last_contact_id": things["twin"].pk,
    }  # fmt: skip
    sent = things["sent"] = Campaign.objects.create(
        name="Sent",
        status=CampaignStatus.COMPLETED,
        launch=launch,
        launched_at=now,
        launched_by=boss,
        audience=2,
        ended_at=now,
        **fields,
    )
    sent.include_groups.add(group)


#: What a provider said.
RAW = {"to": NUMBER.lstrip("+"), "text": "zebraprovider"}


def _messages(things: dict[str, Any]) -> None:
    now = timezone.now()
    message = things["sentmessage"] = SentMessage.objects.create(
        campaign=things["sent"],
        contact=things["contact"],
        phone_number=NUMBER,
        body="zebramessage",
        status=MessageStatus.UNKNOWN,
        status_at=now - timedelta(days=1),
        reason="timeout",
        reason_text=f"no answer for {NUMBER}",
        reference="ref-1",
        provider_message_id="id-1",
    )
    SentMessage.objects.create(
        phone_number=OTHER, body="zebramessage", purpose=Purpose.QUICK, created_by=things["boss"]
    )
    Attempt.objects.create(
        message=message, number=1, reference="ref-1", claim_token="t", gateway="default", started_at=now,
        finished_at=now, outcome="unknown", error_text=f"zebraprovider {NUMBER}", raw=RAW,
    )  # fmt: skip
    MessageEvent.objects.create(
        message=message, kind=EventKind.RECEIPT, payload={"raw": RAW, "provider_text": f"zebraprovider {OTHER}"}
    )
    things["unmatchedreceipt"] = UnmatchedReceipt.objects.create(
        gateway="default", provider_message_id="x", phone_number=NUMBER.lstrip("+"), payload=RAW
    )


def _inbox(things: dict[str, Any]) -> None:
    now, contact = timezone.now(), things["contact"]
    things["conversation"] = Conversation.objects.create(
        phone_number=NUMBER, canonical_number=NUMBER, contact=contact, gateway="default", last_text="zebraanswer",
        last_at=now, needs_answer=True, held_since=now, unread_count=1,
    )  # fmt: skip
    things["inboundmessage"] = InboundMessage.objects.create(
        gateway="default", phone_number=NUMBER, text="zebraanswer", contact=contact, raw=RAW, fingerprint="1",
        received_at=now, conversation=things["conversation"], process_at=None, meaning="doubtful",
    )  # fmt: skip
    things["replykeyword"] = ReplyKeyword.objects.create(
        word="SALE", normalised="sale", reply="zebrakeyword", forward_to_phone=OTHER
    )
    things["automaticreply"] = AutomaticReply.objects.create(meaning="stop", language="en", text="zebraautomatic")


def _imports(things: dict[str, Any]) -> None:
    contact_import = things["contactimport"] = ContactImport.objects.create(
        file=ContentFile(f"phone\n{NUMBER}\n".encode(), "people.csv"),
        file_name="people.csv", status=ImportStatus.CHECKED, created_by=things["boss"], bad_count=1, new_count=1,
    )  # fmt: skip
    rows: dict[str, dict[str, Any]] = {
        RowKind.NEW: {"phone_number": NUMBER, "values": {"first_name": "Anna"}, "remark": f"was written {NUMBER}"},
        RowKind.BAD: {"cells": ["8 (912) 345-02-68", "Olga"], "reason": f"{OTHER} is too long"},
    }
    for n, (kind, values) in enumerate(rows.items(), 1):
        ContactImportRow.objects.create(contact_import=contact_import, number=n, kind=kind, **values)
    things["importsource"] = ImportSource.objects.create(signature="s", file_name="people.csv")
    things["bulkaction"] = BulkAction.objects.create(
        operation="export", list_name="contact", status=BulkStatus.FAILED, problem=f"cannot read {NUMBER}",
        selection={"filters": {"q": [NUMBER]}, "up_to": 5}, parameters={"format": "csv"}, created_by=things["boss"],
    )  # fmt: skip


def _gateway(things: dict[str, Any]) -> None:
    paused = {"paused_at": timezone.now(), "provider_text": f"refused {NUMBER}", "pause_reason": "operator"}
    state, _is_new = GatewayState.objects.update_or_create(alias="default", defaults=paused)
    things["gatewaystate"] = things["pricelist"] = state
    GatewayPrice.objects.create(gateway=state, prefix="7", per_segment="2.5")


def _traces(things: dict[str, Any]) -> None:
    boss, sent = things["boss"], things["sent"]
    things["auditevent"] = audit.record(
        "change_contact",
        actor=boss,
        subject=NUMBER,
        changes={"phone number": (OTHER, NUMBER), "proof": ("", "zebraproof was shown to us in a very long letter")},
        details={"note": "zebranote", "former_number": FORMER},
    )
    audit.record("change", actor=boss, campaign=sent, subject=sent.name, changes={"text": ("x", "zebracampaign " * 9)})
    for name in ("contact", "optout", "conversation", "sentmessage"):
        LogEntry.objects.create(
            user=boss,
            content_type=ContentType.objects.get_for_model(things[name]),
            object_id=str(things[name].pk),
            object_repr=f"{NUMBER}",
            action_flag=CHANGE,
            change_message="",
        )


def _system(things: dict[str, Any]) -> None:
    now = timezone.now()
    task = {"name": "t", "func": "f", "started": now, "stopped": now, "result": f"Key (phone_number)=({NUMBER})"}
    things["failure"] = Failure.objects.create(id="f" * 32, success=False, **task)
    things["success"] = Success.objects.create(id="e" * 32, success=True, **task)
    things["ormq"] = OrmQ.objects.create(key="k", payload="", lock=now)
    things["schedule"] = Schedule.objects.create(name="s", func="f")
    things["group"] = Group.objects.create(name="Guests")
    things["heartbeat"] = Heartbeat.objects.create(name="sweeper", at=now)
    things["holiday"] = Holiday.objects.create(date="2026-12-31")
    things["user"] = User.objects.create(username="guest", is_staff=True)
