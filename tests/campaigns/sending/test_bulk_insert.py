"""Rows written in bulk are the rows that one would have saved one by one."""

from __future__ import annotations

import pytest
from django.db import IntegrityError, transaction
from django.utils import timezone

from campaigns.models import MessageStatus, SentMessage
from campaigns.sending.bulk_insert import bulk_insert
from tests.campaigns.building import make_campaign, make_contact, make_group, message_to, number

pytestmark = pytest.mark.django_db


def insert(*bodies: str, **same: object) -> None:
    rows = [(number(n), number(n), body) for n, body in enumerate(bodies, start=1)]
    with transaction.atomic():
        bulk_insert(SentMessage, ("phone_number", "canonical_number", "body"), rows, **same)


@pytest.mark.parametrize(
    "body",
    [
        "",
        r"\N",
        r"\.",
        "C:\\new\\table",
        "tab\tand\r\nline\nends",
        "quotes \" and ' and %s",
        "Привет 👋\u2028",
        " spaces around ",
    ],
)
def test_every_text_arrives_as_it_is(body):
    insert("before", body, "after")
    assert [message_to(number(n)).body for n in (1, 2, 3)] == ["before", body, "after"]


def test_what_is_not_given_has_the_models_default_and_what_all_share_is_shared():
    campaign, now = make_campaign(), timezone.now()
    insert("Hello", campaign_id=campaign.pk, status_at=now, excluded=True, sender_id="Shop")
    written = message_to(number(1))
    saved = SentMessage.objects.create(
        phone_number=number(2), body="Hello", campaign=campaign, status_at=now, excluded=True, sender_id="Shop"
    )
    differs = {"id", "phone_number", "canonical_number", "created_at"}
    as_saved = SentMessage.objects.filter(pk=saved.pk).values().get()
    as_written = SentMessage.objects.filter(pk=written.pk).values().get()
    assert {k: v for k, v in as_written.items() if k not in differs} == {
        k: v for k, v in as_saved.items() if k not in differs
    }


def test_a_row_that_breaks_a_rule_is_an_integrity_error_and_nothing_is_written():
    contact = make_contact(number(1), make_group())
    campaign = make_campaign()
    with pytest.raises(IntegrityError), transaction.atomic():
        bulk_insert(
            SentMessage,
            ("contact", "phone_number", "canonical_number", "status"),
            [(contact.pk, number(1), number(1), str(MessageStatus.QUEUED))] * 2,
            campaign_id=campaign.pk,
            body="Hello",
        )
    assert not SentMessage.objects.exists()
