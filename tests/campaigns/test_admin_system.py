"""Providers, people, and what the engine tells about itself."""

from __future__ import annotations

from decimal import Decimal

import pytest
from django.contrib import admin
from django.utils import timezone
from django_q.conf import Conf
from django_q.models import Failure, OrmQ, Schedule, Success

from campaigns.models import AuditEvent, GatewayState, Heartbeat, Holiday, InboundMessage, UnmatchedReceipt, User
from sms_backends import AuthenticationError, Balance, Capabilities, get_sms_backend
from tests.campaigns.building import number
from tests.campaigns.screens import said, sign_in, sign_in_superuser, text_of

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("woken")]

PROVIDERS = "/admin/campaigns/gatewaystate/"


def test_every_configured_gateway_has_its_card(client, settings):
    settings.SMS_GATEWAYS = {
        "backup": {"BACKEND": "tests.campaigns.providers.SameText"},
        "broken": {"BACKEND": "no.such.Backend"},
    }
    sign_in(client, "view_gatewaystate")
    page = text_of(client.get(PROVIDERS))
    assert "sms_backends.providers.locmem.SmsBackend" in page
    assert "backup ready" in page
    assert "shows a sender of your choice" in page
    assert "broken not set up right" in page
    assert "cannot be imported" in page


def test_looking_at_the_providers_writes_nothing(client):
    sign_in_superuser(client)
    client.get(PROVIDERS)
    assert not GatewayState.objects.exists()


def test_pausing_and_resuming_a_gateway(client):
    user = sign_in(client, "view_gatewaystate", "resume_gateway")
    assert client.get(f"{PROVIDERS}default/pause/").status_code == 405
    client.post(f"{PROVIDERS}default/pause/")
    assert GatewayState.objects.get().is_paused
    assert "Paused by olga." in text_of(client.get(PROVIDERS))
    client.post(f"{PROVIDERS}default/resume/")
    assert not GatewayState.objects.get().is_paused
    assert set(AuditEvent.objects.values_list("action", "actor")) == {
        ("gateway_paused", user.pk),
        ("gateway_resumed", user.pk),
    }


def test_the_pace_of_a_gateway_is_set_on_its_card_and_who_did_it_is_kept(client):
    user = sign_in(client, "view_gatewaystate", "manage_gateway")
    client.post(f"{PROVIDERS}default/rate/", {"max_per_second": "30", "rate_unit": "segments"})
    state = GatewayState.objects.get()
    assert (state.max_per_second, state.rate_unit) == (30, "segments")
    assert 'value="30"' in client.get(PROVIDERS).content.decode()
    event = AuditEvent.objects.get(action="gateway_rate")
    assert (event.actor, event.details) == (
        user,
        {"changes": {"at most per second": [None, 30], "counted in": ["messages", "segments"]}},
    )
    response = client.post(f"{PROVIDERS}default/rate/", {"max_per_second": "0", "rate_unit": "segments"}, follow=True)
    assert "greater than or equal to 1" in said(response)
    client.post(f"{PROVIDERS}default/rate/", {"max_per_second": "", "rate_unit": "messages"})
    assert GatewayState.objects.get().max_per_second is None


def test_holidays_are_listed_by_country(client):
    sign_in(client, "view_holiday", "add_holiday")
    add = "/admin/campaigns/holiday/add/"
    client.post(add, {"date": "2026-06-12", "country": "ru", "name": "Day of Russia"})
    assert Holiday.objects.get().country == "RU"
    assert AuditEvent.objects.filter(action="holiday_listed").exists()
    assert "no country" in text_of(client.post(add, {"date": "2026-06-12", "country": "XX"}))
    assert "Day of Russia" in text_of(client.get("/admin/campaigns/holiday/"))


def test_who_only_views_gateways_cannot_touch_them(client):
    sign_in(client, "view_gatewaystate")
    assert "Pause" not in text_of(client.get(PROVIDERS))
    for action in ("pause", "resume", "balance", "rate"):
        assert client.post(f"{PROVIDERS}default/{action}/").status_code == 403
    assert not GatewayState.objects.exists()


def test_a_gateway_that_is_not_configured_is_not_found(client):
    sign_in_superuser(client)
    assert client.post(f"{PROVIDERS}elsewhere/pause/").status_code == 404


def test_the_balance_is_asked_for_and_kept(client, provider, monkeypatch):
    backend = get_sms_backend()
    monkeypatch.setattr(type(backend), "capabilities", Capabilities(balance=True))
    monkeypatch.setattr(type(backend), "get_balance", lambda self: Balance(Decimal("1234.5"), "RUB"), raising=False)
    sign_in_superuser(client)
    assert "Ask for the balance" in text_of(client.get(PROVIDERS))
    client.post(f"{PROVIDERS}default/balance/")
    assert "1,234.50 RUB" in text_of(client.get(PROVIDERS))


def test_a_provider_that_does_not_tell_the_balance_is_quoted(client, provider, monkeypatch):
    def refuse(self):
        raise AuthenticationError("wrong password (code 2)")

    monkeypatch.setattr(type(get_sms_backend()), "get_balance", refuse, raising=False)
    sign_in_superuser(client)
    assert "wrong password (code 2)" in said(client.post(f"{PROVIDERS}default/balance/"))


#: The queue has a page where it is kept in the database, and none with Redis.
QUEUE = [OrmQ] if Conf.ORM else []


@pytest.mark.parametrize("model", [Success, Failure, *QUEUE, Schedule, AuditEvent, Heartbeat, InboundMessage])
def test_what_the_engine_writes_is_only_read(rf, model):
    request = rf.get("/")
    request.user = User(is_superuser=True, is_active=True)
    page = admin.site._registry[model]
    assert page.has_view_permission(request)
    assert not page.has_add_permission(request)
    assert not page.has_change_permission(request)
    assert not page.has_delete_permission(request)
    assert page.get_actions(request) == {}


def test_the_empty_list_of_successful_tasks_explains_itself(client):
    sign_in_superuser(client)
    assert "the results of successful tasks are not kept" in text_of(client.get("/admin/django_q/success/"))


def test_a_failed_task_can_be_read(client):
    sign_in_superuser(client)
    now = timezone.now()
    task = Failure.objects.create(
        id="a" * 32,
        name="tango",
        func="campaigns.tasks.sweep",
        started=now,
        stopped=now,
        success=False,
        result="Traceback: the database is locked",
    )
    assert "campaigns.tasks.sweep" in text_of(client.get("/admin/django_q/failure/"))
    page = text_of(client.get(f"/admin/django_q/failure/{task.pk}/change/"))
    assert "the database is locked" in page


def test_incoming_messages_and_stray_receipts_can_be_read_and_found(client):
    sign_in_superuser(client)
    now = timezone.now()
    message = InboundMessage.objects.create(
        gateway="default", phone_number=number(1), text="STOP", fingerprint="x", received_at=now
    )
    receipt = UnmatchedReceipt.objects.create(
        gateway="default", provider_message_id="77", phone_number=number(1), payload={"status": "1"}
    )
    assert "STOP" in text_of(client.get("/admin/campaigns/inboundmessage/", {"q": "8 999 000 00 01"}))
    assert "STOP" in text_of(client.get(f"/admin/campaigns/inboundmessage/{message.pk}/change/"))
    assert "77" in text_of(client.get("/admin/campaigns/unmatchedreceipt/", {"q": "77"}))
    assert '"status": "1"' in text_of(client.get(f"/admin/campaigns/unmatchedreceipt/{receipt.pk}/change/"))


def test_the_audit_trail_reads_as_sentences(client):
    user = sign_in_superuser(client)
    AuditEvent.objects.create(action="gateway_paused", actor=user, subject="default", details={"text": "no money"})
    AuditEvent.objects.create(action="completed")
    page = text_of(client.get("/admin/campaigns/auditevent/"))
    assert "root paused a gateway default" in page
    assert "by itself completed" in page
    event = AuditEvent.objects.get(action="gateway_paused")
    assert "no money" in text_of(client.get(f"/admin/campaigns/auditevent/{event.pk}/change/"))


def test_a_user_gets_a_time_zone_and_a_language_from_lists(client):
    user = sign_in_superuser(client)
    page = client.get(f"/admin/campaigns/user/{user.pk}/change/").content.decode()
    assert '<option value="Europe/Moscow">Europe/Moscow</option>' in page
    assert '<option value="ru">Russian</option>' in page
    assert client.get("/admin/campaigns/user/add/").status_code == 200


def test_groups_count_their_members(client):
    sign_in_superuser(client)
    assert "Operator" in text_of(client.get("/admin/auth/group/"))
