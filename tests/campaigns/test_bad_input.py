"""What operators give that cannot work, and a provider that does not play along: each a sentence, and nothing lost."""

from __future__ import annotations

import random
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client
from django.utils import timezone

from campaigns.gateway_control import resume_gateway
from campaigns.models import Contact, ContactImport, Heartbeat, ImportStatus, MessageStatus
from tests.campaigns.building import launched, make_campaign, make_group, send, statuses
from tests.campaigns.screens import campaign_url, check_rows, sign_in_superuser, text_of
from tests.fake_smsc import FakeSmsc

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("woken")]

UPLOAD = "/admin/campaigns/contactimport/add/"
PROVIDERS = "/admin/campaigns/gatewaystate/"
TEN_MEGABYTES = 10 * 1024 * 1024


@pytest.fixture
def operator(client: Client, settings: Any, tmp_path: Path) -> Client:
    """Signed in, with a worker that is alive."""
    settings.MEDIA_ROOT = tmp_path / "media"
    Heartbeat.objects.create(name="worker", at=timezone.now())
    sign_in_superuser(client)
    return client


@pytest.fixture
def smsc(settings: Any) -> Iterator[FakeSmsc]:
    """SMSC.ru behind the gateway `default`, over HTTP."""
    fake = FakeSmsc(password="right")
    fake.start()
    options = {"SMSC_BASE_URL": fake.base_url, "SMSC_LOGIN": "login", "SMSC_PASSWORD": "right"}
    settings.SMS_SETTINGS = {"BACKEND": "sms_backends.providers.smsc.SmsBackend", "OPTIONS": options}
    yield fake
    fake.stop()


# --- files -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (b"%PDF-1.7\n1 0 obj", "PDF"),
        (b"\x7fELF\x02\x01\x01" + bytes(100), "not a table"),
        (b" \r\n\r\n", "The file is empty"),
        (b"name;city\r\nAnna;Ufa\r\n", "No column with phone numbers"),
        (random.Random(1).randbytes(TEN_MEGABYTES), "not a table"),
        (b"noise and more noise\n" * (TEN_MEGABYTES // 21), "No column with phone numbers"),
    ],
    ids=["pdf", "program", "blank", "no phone column", "10 MB of noise", "10 MB of words"],
)
def test_a_file_that_holds_no_contacts_is_refused_on_its_page_in_a_sentence(
    operator: Client, content: bytes, sentence: str
) -> None:
    make_group(contacts=1)
    file = SimpleUploadedFile("contacts.csv", content)
    page = text_of(operator.post(UPLOAD, {"file": file, "region": "RU"}, follow=True))
    assert sentence in page
    assert "Import another file" in page
    assert "Import 0" not in page
    assert ContactImport.objects.get().status == ImportStatus.REFUSED
    assert Contact.objects.count() == 1


def test_a_number_of_forty_digits_is_a_bad_row_and_no_form_takes_it(operator: Client) -> None:
    digits = "7912" * 10
    file = SimpleUploadedFile("contacts.csv", f"phone\n{digits}\n89121234567\n".encode())
    operator.post(UPLOAD, {"file": file, "region": "RU"}, follow=True)
    page = text_of(check_rows(operator))
    assert "Import 1 contact" in page
    assert "too long" in text_of(operator.get(ContactImport.objects.get().get_absolute_url(), {"rows": "bad"}))
    quick = text_of(operator.post("/", {"phone": digits, "message_text": "Hello"}))
    contact = text_of(operator.post("/admin/campaigns/contact/add/", {"phone_number": digits}))
    assert "too long" in quick
    assert "too long" in contact
    assert not Contact.objects.exists()


# --- campaigns -------------------------------------------------------------------------------------------------


def test_a_campaign_to_an_empty_group_offers_no_send_button_and_says_why(operator: Client) -> None:
    campaign = make_campaign(make_group())
    page = text_of(operator.get(campaign_url(campaign, "launch")))
    assert "nobody" in page.lower()
    assert "Send 0" not in page
    assert not campaign.messages.exists()


# --- the provider ----------------------------------------------------------------------------------------------


def test_a_provider_that_is_down_is_said_to_be_and_waited_for(operator: Client, smsc: FakeSmsc) -> None:
    smsc.stop()
    campaign = send(launched(contacts=3))
    page = text_of(operator.get(campaign_url(campaign)))
    assert "queued: provider not reachable 3" in page
    cards = text_of(operator.get(PROVIDERS))
    assert "in trouble" in cards
    assert "tried again by itself" in cards
    assert "nothing was sent" in cards
    assert statuses(campaign) == {MessageStatus.QUEUED: 3}


@pytest.mark.parametrize(
    ("code", "reason", "words"),
    [(2, "wrong login or password", "authorise error"), (3, "no money on the account", "no money")],
    ids=["wrong password", "no money"],
)
def test_what_only_a_human_can_mend_stands_on_every_page_and_nothing_is_lost(
    operator: Client, smsc: FakeSmsc, code: int, reason: str, words: str
) -> None:
    smsc.fault("error", code=code)
    campaign = send(launched(contacts=3))
    for url in (campaign_url(campaign), "/admin/", "/"):
        page = text_of(operator.get(url))
        assert f"The gateway “default” is paused ({reason}); its messages wait." in page
        assert words in page
    assert "until somebody presses Resume" in text_of(operator.get(PROVIDERS))
    assert statuses(campaign) == {MessageStatus.QUEUED: 3}

    smsc.clear_faults()
    resume_gateway("default", actor=None)
    assert statuses(send(campaign)) == {MessageStatus.SENT: 3}
    assert len(smsc.messages()) == 3
