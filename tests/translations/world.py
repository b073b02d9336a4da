"""An installation in which everything has happened, with nothing in Latin letters in it: what is left is ours."""

from __future__ import annotations

from datetime import date, timedelta
from decimal import Decimal

from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client
from django.utils import timezone, translation
from django_q.models import Failure, OrmQ, Schedule, Success

from campaigns import conversations, erasing, lifecycle, merging, optouts, replies
from campaigns.admin.system import ACTION_WORDS
from campaigns.models import (
    EDITABLE,
    Attribute,
    AttributeKind,
    AuditEvent,
    AutomaticReply,
    BulkAction,
    BulkStatus,
    Campaign,
    CampaignKind,
    CampaignStatus,
    Consent,
    ConsentAct,
    ConsentChange,
    Contact,
    Conversation,
    FailureReason,
    GatewayState,
    Heartbeat,
    Holiday,
    Meaning,
    MessageEvent,
    MessageStatus,
    MessageTemplate,
    OptOut,
    OptOutSource,
    ReplyKeyword,
    SmartGroup,
    SuppressionReason,
    TemplateText,
    UnmatchedReceipt,
    User,
)
from campaigns.models.messages import EventKind, Purpose
from sms_backends import IncomingSms
from tests.campaigns.building import (
    frozen,
    make_attempt,
    make_campaign,
    make_contact,
    make_group,
    make_message,
    number,
    set_prices,
)
from tests.campaigns.screens import check_rows

TEXT = "Здравствуйте, {{ first_name }}! Ваша скидка ждёт."
FILE = "Телефон;Имя;Город\n89991230001;Анна;Казань\n8999;Борис;Москва\n89991230001;Вера;Омск\n89990000001;Анна;Уфа\n"


@translation.override("ru")
def fill(user: User) -> None:
    """One of everything that pages can show."""
    people(user)
    texts(user)
    campaigns_in_all_states(user)
    messages(user)
    incoming(user)
    machine()
    for action in ACTION_WORDS:
        AuditEvent.objects.create(actor=user, action=action, subject="Весна")


def people(user: User) -> None:
    group = make_group("Покупатели", contacts=3, first_name="Анна", last_name="Ким", attributes={"город": "Казань"})
    kazan = SmartGroup.objects.create(name="Казань", conditions=conditions(group.pk))
    assert kazan.pk
    for kind in AttributeKind:
        Attribute.objects.create(name=f"поле {kind.label}", key=f"поле {kind.value}", kind=kind, label="Поле")
    for n, source in enumerate(OptOutSource, 100):
        make_contact(number(n), group, first_name="Борис")
        optouts.record_opt_out(number(n), source=source, actor=user)
    contact = Contact.objects.get(phone_number=number(1))
    for act in ConsentAct:
        ConsentChange.objects.create(
            phone_number=number(1), canonical_number=number(1), contact=contact, act=act, happened_at=timezone.now()
        )
    Contact.objects.filter(pk=contact.pk).update(consent=Consent.GIVEN, consented_at=timezone.now())
    Contact.objects.filter(phone_number=number(2)).update(consent=Consent.WITHDRAWN)
    merging.merge(contact, make_contact(number(90), group, first_name="Анна", last_name="Ким"), actor=user)
    erasing.request_erasure(number(91), reason="Письмо", actor=user)
    for n, status in enumerate(BulkStatus):
        BulkAction.objects.create(
            operation="add_to_group",
            list_name="contacts",
            parameters={"group": group.pk},
            status=status,
            total=5,
            done_count=n,
            created_by=user,
            heartbeat_at=timezone.now(),
        )


def conditions(group: int) -> dict[str, object]:
    """One condition of each kind of sentence."""
    return {
        "version": 1,
        "match": {
            "combine": "all",
            "parts": [
                {"on": "group", "is": "in", "value": group},
                {"on": "attribute", "name": "город", "kind": "text", "is": "equals", "value": "Казань"},
                {"on": "attribute", "name": "рождение", "kind": "date", "is": "anniversary"},
                {"on": "attribute", "name": "рождение", "kind": "date", "is": "before", "value": "2001-02-03"},
                {"on": "attribute", "name": "баллы", "kind": "number", "is": "at_least", "value": 1000.5},
                {"on": "opted_out", "is": "no"},
                {"on": "created_at", "is": "in_last_days", "value": 21},
                {"on": "message", "is": "was_not", "became": "delivered", "days": 3},
                {"on": "reply", "is": "yes", "days": 5},
                {
                    "combine": "none",
                    "parts": [
                        {"on": "first_name", "is": "starts_with", "value": "Ан"},
                        {"on": "consent", "is": "equals", "value": "given"},
                        {"on": "email", "is": "empty"},
                    ],
                },
            ],
        },
    }


def texts(user: User) -> None:
    template = MessageTemplate.objects.create(name="Скидка", body=TEXT, created_by=user)
    TemplateText.objects.create(template=template, language="kk", body="Сәлем")
    ReplyKeyword.objects.create(word="СКИДКА", normalised="скидка", reply="Спасибо")
    for meaning in (Meaning.STOP, Meaning.START, Meaning.HELP):
        AutomaticReply.objects.create(meaning=meaning, language="ru", text="Принято")
    Holiday.objects.create(date=date(2026, 1, 1), name="Новый год")


def campaigns_in_all_states(user: User) -> None:
    group = make_group("Все")
    for n in range(20, 26):
        make_contact(number(n), group, first_name="Вера", attributes={"город": "Уфа"})
    make_contact(number(26), group)
    set_prices(p7="2.5")
    for status in CampaignStatus:
        campaign = make_campaign(
            group,
            name=f"Рассылка {status.label}",
            body=TEXT,
            kind=CampaignKind.SERVICE,
            created_by=user,
            texts={"kk": "Сәлем"},
            spend_limit=Decimal(100),
            canary_size=2,
            brake_refused=5,
            window_start="09:00",
            window_end="21:00",
        )
        if status in (CampaignStatus.SENDING, CampaignStatus.PAUSED, CampaignStatus.CANCELLED):
            lifecycle.launch(campaign, actor=user)
        Campaign.objects.filter(pk=campaign.pk).update(
            status=status,
            audience=7,
            launch={"gateway": "default", "body": TEXT},
            scheduled_at=timezone.now() + timedelta(days=1),
            launched_at=None if status in EDITABLE else timezone.now(),
        )
    make_campaign(group, name="Реклама", body=TEXT, kind=CampaignKind.MARKETING, created_by=user)
    make_campaign(name="Пустая", body="{{ нет }}", created_by=user)
    lifecycle.launch(make_campaign(group, name="Идёт", body=TEXT), actor=user)
    frozen(Campaign.objects.get(name="Идёт"))


def messages(user: User) -> None:
    campaign = Campaign.objects.get(name="Идёт")
    reasons = [*SuppressionReason, *FailureReason]
    for n, status in enumerate(MessageStatus, 200):
        message = make_message(number(n), campaign=campaign, status=status, gateway="default", body=TEXT)
        make_attempt(message, reference=f"{n}", outcome="accepted", finished_at=timezone.now(), raw={})
        for kind in EventKind:
            MessageEvent.objects.create(message=message, kind=kind, fingerprint=kind, payload={"status": "delivered"})
    for n, reason in enumerate(reasons, 300):
        make_message(number(n), campaign=campaign, status=MessageStatus.SUPPRESSED, reason=reason, body="")
    for n, purpose in enumerate(Purpose, 400):
        make_message(number(n), purpose=purpose, created_by=user, body=TEXT)
    UnmatchedReceipt.objects.create(gateway="default", provider_message_id="77", phone_number=number(1), payload={})


def incoming(user: User) -> None:
    for n, text in enumerate(("Здравствуйте", "СТОП", "пожалуйста, не пишите мне", "ПОМОЩЬ", "СКИДКА"), 500):
        replies.receive("default", [IncomingSms(number(n), text, "1234", at=timezone.now())])
    for n, conversation in enumerate(Conversation.objects.all()):
        if n % 2:
            conversations.assign(conversation, user, actor=user)


def machine() -> None:
    now = timezone.now()
    Heartbeat.objects.create(name="worker", at=now)
    GatewayState.objects.update_or_create(
        alias="default",
        defaults={
            "paused_at": now,
            "pause_reason": "no_funds",
            "balance": Decimal(5),
            "balance_at": now,
            "currency": "RUB",
        },
    )
    Schedule.objects.create(name="1", func="a.b", next_run=now)
    for model, is_good in ((Success, True), (Failure, False)):
        model.objects.create(id=str(is_good), name="1", func="a.b", started=now, stopped=now, success=is_good)
    OrmQ.objects.create(key="sms", payload="", lock=now)
    assert OptOut.objects.exists()


def import_files(client: Client) -> None:
    """One file that waits to be read, one that was checked."""
    for name in ("первый.csv", "второй.csv"):
        client.post(
            "/admin/campaigns/contactimport/add/", {"file": SimpleUploadedFile(name, FILE.encode()), "region": "RU"}
        )
    check_rows(client)
