"""
An installation in the middle of its work: something of everything, made up, so that every page has something to show.

For the tests that go through all pages (`tests/pages.py`) and for the pictures in docs/screenshots. The numbers are set
aside for fiction, 555-0100 to 555-0199, and belong to nobody.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date, timedelta
from typing import Any

from django.contrib.auth.models import Group
from django.core.files.base import ContentFile
from django.utils import timezone
from django_q.models import Failure, OrmQ, Schedule, Task
from django_q.signing import SignedPackage

from campaigns import approval, archiving, conversations, erasing, importing, lifecycle, optouts, replies, tasks
from campaigns.consent import record_consent
from campaigns.forecasting.foreseen import foresee
from campaigns.models import (
    Attempt,
    Attribute,
    AuditEvent,
    AutomaticReply,
    BulkAction,
    Campaign,
    CampaignStatus,
    Consent,
    Contact,
    ContactGroup,
    ContactImport,
    Conversation,
    EventKind,
    GatewayPrice,
    GatewayState,
    Heartbeat,
    Holiday,
    ImportSource,
    ImportStatus,
    MessageEvent,
    MessageStatus,
    MessageTemplate,
    OptOutSource,
    ReplyKeyword,
    SentMessage,
    TemplateText,
    UnmatchedReceipt,
    User,
)
from campaigns.sending.freeze import freeze
from sms_backends import IncomingSms
from sms_backends.phone_numbers import canonical
from tests.campaigns.smart_groups.conditions import attribute, make_smart_group

FIRST_NAMES = ("Alice", "Ben", "Chloe", "Daniel", "Emma", "Felix", "Grace", "Henry", "Isla", "Jack", "Laura", "Maya")
LAST_NAMES = ("Baker", "Clarke", "Diaz", "Evans", "Fischer", "Garcia", "Hughes", "Ito", "Jensen", "Kowalski", "Okoye")
CITIES = ("Boston", "Chicago", "Denver", "New York", "Portland", "Seattle")
AREA_CODES = (202, 206, 212, 303, 312, 415, 503, 602, 617, 713, 773, 971)
TEXT = 'Hi {{ first_name|default:"there" }}, our {{ city }} shop has 20% off until Sunday. Show card {{ card }}.'
TEMPLATES = ("Weekend sale", "Order is ready", "Appointment")
HOLIDAYS = (("US", "Bank holiday"), ("GB", "Boxing Day"), ("", "Closing day"))
QUESTIONS = ("Where is the shop?", "Can I order by phone?", "Is my card still valid?", "Do you deliver to Denver?")
WORDS = ("SALE", "HOURS", "more info")
#: What the provider says of a message, as SMSC.ru words it.
TAKEN = {"id": 4711, "cnt": 1, "cost": "2.50", "balance": "1940.10"}
#: Of a campaign under way: state, reason, how many of a hundred.
STATES = (
    (MessageStatus.DELIVERED, "", 52),
    (MessageStatus.SENT, "", 21),
    (MessageStatus.UNDELIVERED, "", 4),
    (MessageStatus.REJECTED, "invalid_number", 2),
    (MessageStatus.UNKNOWN, "worker_lost", 1),
    (MessageStatus.SUPPRESSED, "opted_out", 5),
    (MessageStatus.SUPPRESSED, "missing_value", 3),
)


def person(n: int) -> str:
    """The n-th of 1,200 numbers that belong to nobody."""
    return f"+1{AREA_CODES[n % len(AREA_CODES)]}555{100 + n // len(AREA_CODES) % 100:04d}"


@dataclass
class World:
    """What the pages are about, by name."""

    people: int
    operator: User
    things: dict[str, Any] = field(default_factory=dict)

    @property
    def several(self) -> range:
        """How many there are of what is not counted by people."""
        return range(self.people // 6)

    def __getitem__(self, name: str) -> Any:
        return self.things[name]


def build(operator: User, people: int = 36) -> World:
    """
    All of it, for so many people, 18 at least.

    Needs a migrated, empty database and a place for uploaded files; nothing is sent.
    """
    world = World(people, operator)
    tasks.beat()
    parts = (_people, _texts, _gateways, _earlier, _campaigns, _approvals, _log)
    for part in (*parts, _inbox, _imports, _background, _system, _archive):
        part(world)
    return world


def _people(world: World) -> None:
    things = world.things
    for name, label, kind in (("city", "City", "text"), ("card", "Loyalty card", "number"), ("since", "", "date")):
        things["attribute"] = Attribute.objects.create(name=name, label=label, kind=kind)
    group = ContactGroup.objects.create(name="Loyalty card", description="Everybody who has a card")
    things["group"] = group
    things["newsletter"] = ContactGroup.objects.create(name="Newsletter")
    for n in range(world.people):
        fields = {"city": CITIES[n % len(CITIES)], "card": 40_000 + n * 7}
        contact = Contact.objects.create(
            phone_number=person(n),
            first_name=FIRST_NAMES[n % len(FIRST_NAMES)],
            last_name=LAST_NAMES[n % len(LAST_NAMES)],
            language="en" if n % 4 else "es",
            attributes=fields if n % 9 else {"card": 1},
        )
        record_consent(contact, Consent.GIVEN, source="order form", evidence="“I agree to get offers by SMS.”")
        contact.groups.add(group, *([things["newsletter"]] if n % 3 == 0 else []))
    things["contact"] = Contact.objects.get(phone_number=person(1))
    things["smart_group"] = make_smart_group(attribute("city", "is", "Seattle"), name="In Seattle")
    for n, (source, note) in enumerate(
        ((OptOutSource.KEYWORD, "STOP"), (OptOutSource.OPERATOR, "asked on the phone"), (OptOutSource.LINK, ""))
    ):
        things["opt_out"] = optouts.record_opt_out(person(3 + n), source=source, note=note, actor=world.operator)
    things["erasure"] = erasing.request_erasure(person(2), reason="letter of 3 November", actor=world.operator)


def _archive(world: World) -> None:
    """Who was written to and is no longer wanted; last, so that all else is about everybody."""
    contact = Contact.objects.get(phone_number=person(8))
    archiving.archive(contact, actor=world.operator)
    world.things["archived_contact"] = contact


def _texts(world: World) -> None:
    for n in world.several:
        name = TEMPLATES[n % len(TEMPLATES)]
        template = MessageTemplate.objects.create(
            name=name if n < len(TEMPLATES) else f"{name} {n}", body=TEXT, created_by=world.operator
        )
        TemplateText.objects.create(template=template, language="es", body="Hola {{ first_name }}, 20% de descuento.")
        world.things["template"] = template
    for n in world.several:
        word = WORDS[n] if n < len(WORDS) else f"WORD{n}"
        keyword = ReplyKeyword.objects.create(word=word, normalised=word.lower(), reply="We are open from 9 to 7.")
        keyword.groups.add(world["newsletter"])
        world.things["keyword"] = keyword
    world.things["automatic_reply"] = AutomaticReply.objects.create(
        meaning="help", language="en", text="This is the loyalty programme. Reply STOP to get no more."
    )


def _gateways(world: World) -> None:
    state, _is_new = GatewayState.objects.update_or_create(
        alias="default", defaults={"balance": "1940.10", "balance_at": timezone.now()}
    )
    state.price_currency = "USD"
    state.save()
    for prefix, price in (("1", "0.025"), ("44", "0.04"), ("", "0.06")):
        GatewayPrice.objects.create(gateway=state, prefix=prefix, per_segment=price)
    world.things["price_list"] = state
    world.things["gateway"] = state
    for n in world.several:
        world.things["unmatched"] = UnmatchedReceipt.objects.create(
            gateway="default",
            provider_message_id=str(990 + n),
            phone_number=person(n),
            payload={"status": "delivered", "raw": {"id": 990 + n, "status": 1}},
            next_try_at=timezone.now() + timedelta(minutes=5),
        )


def _earlier(world: World) -> None:
    """Single messages of the days before, so that there is something to compare with."""
    rows = []
    for days_ago, number in enumerate((131, 88, 174, 240, 52, 39, 127, 165, 122, 191, 238, 46, 58, 130), 1):
        at = timezone.now() - timedelta(days=days_ago)
        for n in range(number * world.people // 36):
            status, reason = ("undelivered", "unreachable_temporary") if n % 9 == 4 else ("delivered", "")
            row = _message(person(400 + n), None, status, reason, purpose="quick", created_by=world.operator)
            row.created_at, row.sent_at, row.status_at = at, at, at + timedelta(seconds=3 + n)
            row.day, row.region = timezone.localdate(at), ("US", "GB", "US", "DE")[n % 4]
            rows.append(row)
    SentMessage.objects.bulk_create(rows)


def _campaigns(world: World) -> None:
    now = timezone.now()
    things = world.things
    things["draft"] = _campaign(world, "Spring collection", kind="marketing")
    things["scheduled"] = _campaign(world, "Christmas hours")
    lifecycle.schedule(things["scheduled"], now + timedelta(days=2, hours=4), actor=world.operator)
    for key, name in (("completed", "Black Friday"), ("cancelled", "Wrong price"), ("paused", "Card renewal")):
        things[key] = _under_way(world, name)
    things["sending"] = _under_way(world, "Weekend sale")
    lifecycle.pause(things["paused"], actor=None, reason="The provider refused too many: 12% of 58.", by_engine=True)
    lifecycle.cancel(things["cancelled"], actor=world.operator)
    done = things["completed"]
    waiting = SentMessage.objects.filter(campaign=done, status=MessageStatus.QUEUED)
    waiting.update(status=MessageStatus.CANCELLED, status_at=now)
    lifecycle.complete_if_done(done.pk)
    Campaign.objects.filter(pk=done.pk).update(
        launched_at=now - timedelta(hours=5), ended_at=now - timedelta(hours=4), status=CampaignStatus.COMPLETED
    )
    for key in ("completed", "cancelled", "paused", "sending"):
        things[key].refresh_from_db()


def _approvals(world: World) -> None:
    """A colleague asks for two: to send a campaign, and to send an ended one again."""
    colleague = User.objects.create_superuser("boris", first_name="Boris")
    asked = world.things["asked"] = _campaign(world, "Autumn catalogue", created_by=colleague)
    approval.ask(
        asked, foresee(asked), actor=colleague, starts_at=None, question="Marketing has seen the text. May it go?"
    )
    again = world.things["asked_again"] = _under_way(world, "Opening hours", author=colleague)
    lifecycle.cancel(again, actor=colleague)
    approval.ask_again(again, [MessageStatus.UNDELIVERED], actor=colleague, question="They were abroad last week.")


def _campaign(world: World, name: str, **fields: Any) -> Campaign:
    campaign = Campaign.objects.create(**{"name": name, "body": TEXT, "created_by": world.operator, **fields})
    campaign.include_groups.set([world["group"]])
    return campaign


def _under_way(world: World, name: str, author: User | None = None) -> Campaign:
    """Launched a while ago: the contacts of the world wait, others have an outcome."""
    author = author or world.operator
    campaign = _campaign(world, name, created_by=author)
    lifecycle.launch(campaign, actor=author)
    freeze(campaign.pk, seconds=60)
    campaign.refresh_from_db()
    first = world.people + 5
    rows = [
        _message(person(first + n), campaign, status, reason)
        for n, (status, reason) in enumerate(
            (status, reason) for status, reason, count in STATES for _ in range(count * world.people // 36 or 1)
        )
    ]
    SentMessage.objects.bulk_create(rows)
    for row in SentMessage.objects.filter(campaign=campaign, status=MessageStatus.UNDELIVERED):
        row.contact, _is_new = Contact.objects.get_or_create(phone_number=row.phone_number, last_name="Moved")
        row.save()
    now = timezone.now()
    Campaign.objects.filter(pk=campaign.pk).update(
        audience=SentMessage.objects.filter(campaign=campaign).count(),
        launched_at=now - timedelta(minutes=12),
        frozen_at=now - timedelta(minutes=11),
        last_handover_at=now - timedelta(seconds=4),
    )
    campaign.refresh_from_db()
    return campaign


def _message(to: str, campaign: Campaign | None, status: str, reason: str = "", **fields: Any) -> SentMessage:
    now = timezone.now()
    is_sent = status not in {MessageStatus.SUPPRESSED, MessageStatus.QUEUED}
    return SentMessage(
        phone_number=to,
        canonical_number=canonical(to),
        campaign=campaign,
        body="Hi Alice, our Boston shop has 20% off until Sunday. Show card 40007.",
        status=status,
        reason=reason,
        segment_count=1,
        encoding="gsm7",
        gateway="default",
        region="US",
        sent_at=now - timedelta(minutes=9) if is_sent else None,
        status_at=now - timedelta(minutes=8),
        **fields,
    )


def _log(world: World) -> None:
    """One message with all that can happen to one, and one of which nobody knows."""
    now = timezone.now()
    message = _message(person(1), None, MessageStatus.DELIVERED, purpose="quick", created_by=world.operator)
    message.reference, message.provider_message_id = "k3j9x2m4p8q7w1z5", "4711"
    message.save()
    Attempt.objects.create(
        message=message, number=1, reference="a8d7f6g5h4j3k2l1", claim_token="t", gateway="default",
        outcome="rejected", error_code="9", error_text="too many requests", raw={"error_code": 9},
        started_at=now - timedelta(minutes=3), finished_at=now - timedelta(minutes=3),
    )  # fmt: skip
    Attempt.objects.create(
        message=message, number=2, reference=message.reference, claim_token="t", gateway="default",
        outcome="accepted", provider_message_id="4711", raw=TAKEN,
        started_at=now - timedelta(minutes=2), finished_at=now - timedelta(minutes=2),
    )  # fmt: skip
    MessageEvent.objects.create(
        message=message,
        kind=EventKind.RECEIPT,
        at=now - timedelta(minutes=1),
        payload={"status": "delivered", "provider_status": "1", "raw": {"id": "4711", "status": "1"}},
    )
    world.things["message"] = message
    world.things["unknown"] = SentMessage.objects.filter(status=MessageStatus.UNKNOWN).first()


def _inbox(world: World) -> None:
    now = timezone.now()
    texts = ["Do you have it in blue?", "When do you open?", "please don't text me", "Thanks!", "STOP", "Is it today?"]
    texts += [QUESTIONS[n % len(QUESTIONS)] for n in range(world.people // 2)]
    for n, text in enumerate(texts):
        arrived = IncomingSms(person(6 + n), text, "12025550100", at=now - timedelta(minutes=7 * n + 1))
        replies.receive("default", [arrived])
    found = Conversation.objects.order_by("pk")
    world.things["conversation"] = found.get(phone_number=person(6))
    world.things["inbound"] = world["conversation"].messages.order_by("pk").first()
    world.things["doubtful"] = found.get(phone_number=person(8))
    conversations.answer(world["conversation"], "Yes, in all sizes.", actor=world.operator, nonce="n1")
    replies.receive("default", [IncomingSms(person(6), "Great, see you on Sunday", "12025550100", at=now)])
    conversations.mark_answered(found.get(phone_number=person(9)), actor=world.operator)


def _imports(world: World) -> None:
    """In each state; the file has new, changed, unchanged, duplicate and bad rows."""
    things = world.things
    things["import_uploaded"] = _import(world, "customers.csv", look_first=True)
    things["import_checking"] = _import(world, "customers-2.csv")
    ContactImport.objects.filter(pk=things["import_checking"].pk).update(heartbeat_at=timezone.now())
    for key in ("checked", "done", "cancelled"):
        things[f"import_{key}"] = _import(world, f"shop-{key}.csv")
        importing.check(things[f"import_{key}"].pk)
        things[f"import_{key}"].refresh_from_db()
    importing.confirm(things["import_done"], actor=world.operator)
    importing.commit(things["import_done"].pk)
    importing.cancel(things["import_cancelled"], actor=world.operator)
    things["import_source"] = ImportSource.objects.create(
        signature="columns", file_name="shop.csv", region="US", reading=things["import_done"].reading
    )
    things["import_refused"] = _import(world, "photo.csv", content=b"\x89PNG\r\n\x1a\n" + bytes(64))
    importing.check(things["import_refused"].pk)
    for name in [name for name in things if name.startswith("import_") and name != "import_source"]:
        things[name].refresh_from_db()
    assert things["import_done"].status == ImportStatus.DONE


def _name(n: int) -> str:
    return f"{FIRST_NAMES[n % len(FIRST_NAMES)]},{LAST_NAMES[n % len(LAST_NAMES)]}"


def _import(world: World, file_name: str, content: bytes | None = None, **options: Any) -> ContactImport:
    lines = ["First name,Last name,Mobile,City,Card"]
    lines += [f"{_name(n * 5)},{person(900 + n)},Boston,{50_000 + n}" for n in range(20)]
    lines += [f"Alice,Baker,{person(n)},Boston,{40_000 + n * 7}" for n in range(8, 14)]
    lines += ["Ivy,Lane,n/a,Denver,1", "Omar,Said,4.15556E+10,,2", "Zoe,Park,555 01,,3", f"Zoe,Park,{person(900)},,4"]
    data = content if content is not None else "\n".join(lines).encode()
    return importing.start(
        ContentFile(data, name=file_name),
        file_name=file_name,
        region="US",
        actor=world.operator,
        new_group="" if content else "From the shop",
        **options,
    )


def _background(world: World) -> None:
    now = timezone.now()
    for n in world.several:
        world.things["bulk_done"] = BulkAction.objects.create(
            operation="add_to_group", list_name="contacts", selection={"ids": [1]}, status="done", total=36 + n,
            parameters={"group": world["newsletter"].pk}, done_count=36 + n, changed_count=24,
            created_by=world.operator, created_at=now - timedelta(hours=2), finished_at=now - timedelta(hours=2),
        )  # fmt: skip
    world.things["bulk_running"] = BulkAction.objects.create(
        operation="add_to_group", list_name="contacts", selection={"filters": {}}, total=36, done_count=12,
        parameters={"group": world["newsletter"].pk}, created_by=world.operator, heartbeat_at=now,
    )  # fmt: skip


def _system(world: World) -> None:
    now = timezone.now()
    world.things["user"] = User.objects.create_user("olga", password="x", is_staff=True, first_name="Olga")
    for n in world.several:
        User.objects.create_user(f"colleague{n}", is_staff=True)
    world.things["role"] = Group.objects.order_by("pk").first() or Group.objects.create(name="Operator")
    for n in world.several:
        country, name = HOLIDAYS[n % len(HOLIDAYS)]
        world.things["holiday"] = Holiday.objects.create(date=date(2027, 1 + n, 4), country=country, name=name)
    for n in world.several:
        done = {"started": now - timedelta(minutes=5), "stopped": now - timedelta(minutes=5)}
        Task.objects.create(id=f"done{n}", name=f"sweep {n}", func="campaigns.tasks.sweep", success=True, **done)
        Task.objects.create(
            id=f"fail{n}", name=f"send {n}", func="campaigns.tasks.sweep", success=False, result="Timed out", **done
        )
    world.things["failure"] = Failure.objects.first()
    world.things["success"] = Task.objects.get(id="done0")
    sweep = {"func": "campaigns.tasks.sweep", "schedule_type": Schedule.MINUTES, "minutes": 1}
    world.things["schedule"] = Schedule.objects.first() or Schedule.objects.create(**sweep)
    wake_up = {"id": "wake", "name": "wake-up", "func": "campaigns.tasks.sweep", "args": (), "kwargs": {}}
    world.things["queued_task"] = OrmQ.objects.create(
        key="sms", payload=SignedPackage.dumps(wake_up), lock=now + timedelta(minutes=1)
    )
    world.things["audit_event"] = AuditEvent.objects.filter(action="launch").first()
    world.things["heartbeat"] = Heartbeat.objects.get()
