"""What people write back is stored as it came, once."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal

import pytest

from campaigns import replies
from campaigns.models import InboundMessage
from sms_backends import IncomingSms
from sms_backends.signals import incoming_received
from tests.campaigns.building import make_contact, number

pytestmark = pytest.mark.django_db
AT = datetime(2026, 1, 2, 3, 4, tzinfo=UTC)


def incoming(**fields) -> IncomingSms:
    facts = {"phone_number": "79990000001", "text": "STOP", "to": "1234", "provider_message_id": "7", "at": AT}
    return IncomingSms(**{**facts, **fields})


def test_it_is_stored_with_the_contact_it_is_from():
    contact = make_contact(number(1))
    assert replies.receive("default", [incoming(raw={"mes": "STOP"})]) == 1
    stored = InboundMessage.objects.get()
    assert (stored.phone_number, stored.contact, stored.text, stored.to) == (number(1), contact, "STOP", "1234")
    assert (stored.received_at, stored.raw, stored.gateway) == (AT, {"mes": "STOP"}, "default")


def test_delivered_twice_it_is_stored_once():
    assert replies.receive("default", [incoming()]) == 1
    assert replies.receive("default", [incoming()]) == 0
    assert replies.receive("backup", [incoming()]) == 1, "another account's"
    assert replies.receive("default", [incoming(provider_message_id="8")]) == 1


def test_a_short_code_is_kept_as_it_came():
    replies.receive("default", [incoming(phone_number="BANK")])
    assert InboundMessage.objects.get().phone_number == "BANK"


def test_without_a_time_it_is_now():
    replies.receive("default", [incoming(at=None)])
    assert InboundMessage.objects.get().received_at


@pytest.mark.parametrize(
    "fields",
    [{"text": "nul \0"}, {"text": "\ud800"}, {"raw": {"cost": Decimal(1)}}, {"provider_message_id": "x" * 300}],
)
def test_no_message_is_too_odd_to_be_stored(fields):
    assert replies.receive("default", [incoming(**fields)]) == 1
    assert replies.receive("default", [incoming(**fields)]) == 0


def test_the_signal_of_the_webhooks_is_listened_to():
    incoming_received.send(object, gateway="default", messages=[incoming()])
    assert InboundMessage.objects.count() == 1
