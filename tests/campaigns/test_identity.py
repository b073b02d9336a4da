"""In a copy, or in a backup that was restored, nothing is sent until somebody says so."""

from __future__ import annotations

import json

import pytest
from django.db import connection

from campaigns import identity
from campaigns.gateway_control import pause_gateway
from campaigns.identity import PAUSE_REASON, check_identity, may_send, release, suspected
from campaigns.models import AuditEvent, GatewayState, Installation, Suspicion
from campaigns.sending.sweeper import sweep
from tests.campaigns.building import launched, make_user, send, statuses
from tests.campaigns.screens import said, sign_in, text_of

pytestmark = pytest.mark.django_db

PROVIDERS, RELEASE = "/admin/campaigns/gatewaystate/", "/admin/campaigns/gatewaystate/release/"


@pytest.fixture(autouse=True)
def _machine(settings, tmp_path):
    """A machine that remembers nothing yet."""
    settings.IDENTITY_FILE = tmp_path / "identity.json"


def backup() -> dict[str, object]:
    return dict(Installation.objects.values().get())


def restore(row: dict[str, object]) -> None:
    Installation.objects.filter(pk=1).update(**row)


def restored() -> None:
    """Yesterday's backup stands in the place of the database."""
    assert check_identity()
    yesterday = backup()
    assert check_identity()
    restore(yesterday)


def gateway(alias: str = "default") -> GatewayState:
    return GatewayState.objects.get(alias=alias)


def test_a_new_database_and_an_empty_folder_are_nothing_suspicious(settings):
    assert may_send()
    assert not Installation.objects.exists()
    assert check_identity()
    assert may_send()
    settings.IDENTITY_FILE.unlink()  # another machine joins
    assert may_send()
    assert check_identity()
    assert not GatewayState.objects.filter(paused_at__isnull=False).exists()


def test_each_look_raises_the_pulse_here_and_outside(settings):
    for pulse in (1, 2, 3):
        assert check_identity()
        assert list(json.loads(settings.IDENTITY_FILE.read_text()).values()) == [pulse]
        assert Installation.objects.get().pulse == pulse


def test_in_yesterdays_backup_nothing_is_sent_and_every_gateway_says_why(provider):
    campaign = launched(contacts=3)
    restored()
    send(campaign)
    assert provider.requests == []
    assert statuses(campaign) == {"queued": 3}
    assert (gateway().pause_reason, gateway().provider_text) == (PAUSE_REASON, identity.warning())
    found = suspected()
    assert found is not None
    assert found.suspicion == Suspicion.BEHIND
    assert AuditEvent.objects.filter(action="copy_suspected", actor=None).count() == 1


def test_the_sweeper_finds_it_out_before_it_does_anything_else(provider, woken):
    launched(contacts=1)
    restored()
    woken.clear()
    sweep()
    assert gateway().is_paused
    assert woken == []


def test_a_gateway_that_is_opened_meanwhile_is_closed_again_and_sends_nothing(provider):
    campaign = launched(contacts=1)
    restored()
    assert not check_identity()
    GatewayState.objects.update(paused_at=None, pause_reason="")
    send(campaign)
    assert provider.requests == []
    assert gateway().is_paused


def test_what_the_server_says_of_itself_tells_a_copy_where_nothing_is_remembered(settings, monkeypatch):
    monkeypatch.setattr(identity, "_server", lambda: {"system": "1", "database": "5"})
    assert check_identity()
    settings.IDENTITY_FILE.unlink()
    monkeypatch.setattr(identity, "_server", lambda: {"system": "1"})
    assert check_identity(), "what may not be asked says nothing"
    monkeypatch.setattr(identity, "_server", lambda: {"system": "2", "timeline": "7"})
    assert not check_identity()
    found = suspected()
    assert found is not None
    assert found.suspicion == Suspicion.MOVED


def test_after_the_release_everything_goes_on_and_who_did_it_is_kept(provider):
    campaign = launched(contacts=2)
    pause_gateway("backup", reason="operator", text="by hand")
    restored()
    assert not check_identity()
    olga = make_user()
    assert release(actor=olga)
    assert not release(actor=olga), "nothing is suspected any more"
    assert check_identity()
    send(campaign)
    assert statuses(campaign) == {"sent": 2}
    assert gateway("backup").is_paused, "for a reason of its own"
    assert AuditEvent.objects.get(action="copy_released").actor == olga


def test_another_machine_needs_no_release_of_its_own(settings, tmp_path):
    other = tmp_path / "other.json"
    restored()
    other.write_text(settings.IDENTITY_FILE.read_text())
    assert not check_identity()
    release(actor=None)
    settings.IDENTITY_FILE = other
    assert may_send()
    assert check_identity()


def test_the_same_backup_restored_again_is_noticed_again():
    assert check_identity()
    yesterday = backup()
    assert check_identity()
    restore(yesterday)
    assert not check_identity()
    release(actor=None)
    assert check_identity()
    restore(yesterday)
    assert not check_identity()


@pytest.mark.parametrize("content", ["", "[1]", '{"a": "b"}', "\0"])
def test_a_broken_file_is_said_and_written_anew(settings, caplog, content):
    settings.IDENTITY_FILE.write_text(content)
    assert check_identity()
    assert "would not be noticed" in caplog.text
    assert json.loads(settings.IDENTITY_FILE.read_text()) == {Installation.objects.get().key: 1}


def test_a_file_that_cannot_be_written_keeps_nothing_from_being_sent(settings, tmp_path, caplog):
    settings.IDENTITY_FILE = tmp_path / "missing" / "identity.json"
    assert check_identity()
    assert "cannot be written" in caplog.text


@pytest.mark.postgresql
def test_postgresql_tells_system_timeline_and_database():
    assert identity._server().keys() == {"system", "timeline", "database"}
    assert connection.in_atomic_block


# --- screens --------------------------------------------------------------------------------------------------


def test_every_page_warns_and_the_providers_page_offers_the_release(client):
    sign_in(client, "view_gatewaystate", "resume_gateway")
    restored()
    assert not check_identity()
    for url in ("/admin/", PROVIDERS):
        page = text_of(client.get(url))
        assert page.count(identity.warning()) >= 1
    assert RELEASE in client.get(PROVIDERS).content.decode()


def test_resuming_a_single_gateway_is_refused_in_words(client):
    sign_in(client, "view_gatewaystate", "resume_gateway")
    restored()
    assert not check_identity()
    response = client.post(f"{PROVIDERS}default/resume/")
    assert "release the database first" in said(response)
    assert gateway().is_paused


def test_the_release_is_asked_about_and_then_done(client, provider):
    campaign = launched(contacts=2)
    user = sign_in(client, "view_gatewaystate", "resume_gateway")
    restored()
    assert not check_identity()
    assert "2 messages wait" in text_of(client.get(RELEASE))
    assert suspected(), "looking changes nothing"
    assert "released" in said(client.post(RELEASE, {"confirm": "yes"}))
    assert AuditEvent.objects.get(action="copy_released").actor == user
    send(campaign)
    assert statuses(campaign) == {"sent": 2}
    assert "nothing to release" in said(client.get(RELEASE))


def test_who_may_not_resume_gateways_may_not_release(client):
    sign_in(client, "view_gatewaystate")
    restored()
    assert not check_identity()
    assert client.post(RELEASE, {"confirm": "yes"}).status_code == 403
    assert RELEASE not in client.get(PROVIDERS).content.decode()
    assert suspected()
