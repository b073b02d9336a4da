"""Everybody in the audience gets one row, however often and wherever the freeze is interrupted."""

from __future__ import annotations

import threading

import pytest
from django.core.exceptions import ImproperlyConfigured
from django.db import OperationalError, connection

from campaigns import lifecycle, optouts
from campaigns.forecasting.foreseen import foresee
from campaigns.models import Campaign, CampaignStatus, Consent, MessageStatus, OptOutSource, SentMessage
from campaigns.sending import freeze as freezing
from campaigns.sending.freeze import freeze, freeze_chunk
from tests.campaigns.building import (
    assert_adds_up,
    frozen,
    make_campaign,
    make_contact,
    make_group,
    make_message,
    message_to,
    number,
    send,
    statuses,
)

pytestmark = pytest.mark.django_db


@pytest.fixture
def chunks_of_two(monkeypatch):
    monkeypatch.setattr(freezing, "CHUNK", 2)


def freezing_campaign(*groups, **fields) -> Campaign:
    campaign = make_campaign(*groups, **fields)
    assert lifecycle.launch(campaign, actor=None)
    return campaign


def test_everybody_gets_a_row_with_the_final_text():
    group = make_group()
    make_contact(number(1), group, first_name="Анна")
    campaign = frozen(freezing_campaign(group, body="Привет, {{ first_name }}", sender_id="SHOP"))
    message = message_to(number(1))
    assert campaign.status == CampaignStatus.SENDING
    assert campaign.audience == 1
    assert (message.body, message.encoding, message.segment_count) == ("Привет, Анна", "UCS-2", 1)
    assert (message.status, message.gateway, message.sender_id) == (MessageStatus.QUEUED, "default", "SHOP")
    assert (message.region, message.time_zone) == ("RU", "Europe/Moscow")
    assert campaign.time_zones == ["Europe/Moscow"]
    assert_adds_up(campaign)


def test_what_is_edited_after_the_launch_changes_nothing_that_is_sent():
    group = make_group(contacts=1)
    campaign = freezing_campaign(group)
    Campaign.objects.update(body="Changed", sender_id="OTHER")
    campaign.include_groups.clear()
    frozen(campaign)
    assert message_to(number(1)).body == "Hello"
    assert message_to(number(1)).sender_id == ""


def test_a_contact_in_several_groups_counts_once():
    first, second = make_group("A"), make_group("B")
    make_contact(number(1), first, second)
    campaign = frozen(freezing_campaign(first, second))
    assert statuses(campaign) == {"queued": 1}
    assert_adds_up(campaign)


def test_a_contact_in_an_excluded_group_is_not_in_the_audience():
    everybody, staff = make_group("A"), make_group("Staff")
    make_contact(number(1), everybody)
    make_contact(number(2), everybody, staff)
    campaign = frozen(freezing_campaign(everybody, exclude=staff))
    assert [m.phone_number for m in campaign.messages.all()] == [number(1)]
    assert_adds_up(campaign)


def test_who_is_left_out_gets_a_row_that_says_why(settings):
    settings.SMS_ALLOWED_COUNTRIES = ["RU"]
    group = make_group()
    yes = {"consent": Consent.GIVEN}
    make_contact(number(1), group, first_name="Anna", **yes)
    make_contact(number(2), group, first_name="Boris")
    make_contact(number(3), group, **yes)
    make_contact(number(4), group, first_name="Vera")
    make_contact("+37255512345", group, first_name="Toomas", **yes)
    optouts.record_opt_out(number(2), source=OptOutSource.KEYWORD)
    campaign = make_campaign(group, body="Hello {{ first_name }}", kind="marketing")
    foreseen = foresee(campaign)
    lifecycle.launch(campaign, actor=None)
    campaign = frozen(campaign)
    reasons = dict(SentMessage.objects.exclude(reason="").values_list("phone_number", "reason"))
    assert reasons == {
        number(2): "opted_out",
        number(3): "missing_value",
        number(4): "no_consent",
        "+37255512345": "country_not_enabled",
    }
    assert message_to(number(3)).reason_text == "first_name"
    assert statuses(campaign) == {"queued": 1, "suppressed": 4}
    assert (foreseen.audience, foreseen.recipients) == (5, 1)
    assert dict(foreseen.suppressed) == dict.fromkeys(reasons.values(), 1)
    assert_adds_up(campaign)


def test_only_listed_numbers_are_written_to_when_there_is_a_list(settings):
    settings.SMS_ONLY_TO = [number(1)]
    campaign = frozen(freezing_campaign(make_group(contacts=2)))
    assert message_to(number(2)).reason == "not_allowed"
    assert statuses(campaign) == {"queued": 1, "suppressed": 1}


def test_two_histories_of_one_number_get_one_text_and_a_row_that_says_so(chunks_of_two):
    group = make_group()
    make_contact("+5215512345678", group)
    make_contact(number(1), group)
    make_contact("+525512345678", group)  # in the next chunk
    campaign = frozen(freezing_campaign(group))
    assert message_to("+525512345678").reason == "duplicate"
    assert statuses(campaign) == {"queued": 2, "suppressed": 1}
    assert_adds_up(campaign)


def test_an_opt_out_in_another_history_of_the_number_counts():
    group = make_group()
    make_contact("+525512345678", group)
    optouts.record_opt_out("+5215512345678", source=OptOutSource.KEYWORD)
    frozen(freezing_campaign(group))
    assert message_to("+525512345678").reason == "opted_out"


def test_whoever_is_left_out_does_not_stand_in_the_way_of_the_same_number():
    group = make_group()
    make_contact("+5215512345678", group)
    make_contact("+525512345678", group, first_name="Ana")
    campaign = frozen(freezing_campaign(group, body="Hola {{ first_name }}"))
    assert message_to("+5215512345678").reason == "missing_value"
    assert message_to("+525512345678").status == MessageStatus.QUEUED
    assert_adds_up(campaign)


# --- interruptions --------------------------------------------------------------------------------------------


def test_an_interrupted_freeze_goes_on_where_it_was(chunks_of_two):
    campaign = freezing_campaign(make_group(contacts=5))
    assert freeze(campaign.pk, seconds=-1) is True
    campaign.refresh_from_db()
    assert (campaign.status, campaign.audience) == (CampaignStatus.FREEZING, 2)
    assert_adds_up(campaign)
    campaign = frozen(campaign)
    assert sorted(m.phone_number for m in campaign.messages.all()) == [number(n) for n in range(1, 6)]
    assert_adds_up(campaign)


def test_a_chunk_that_fails_leaves_nothing_half_written(chunks_of_two, monkeypatch):
    campaign = freezing_campaign(make_group(contacts=3))
    assert freeze_chunk(campaign.pk, campaign.launch_token)
    with monkeypatch.context() as broken:
        broken.setattr(Campaign, "save", lambda *args, **kwargs: (_ for _ in ()).throw(OperationalError("gone")))
        with pytest.raises(OperationalError):
            freeze(campaign.pk, seconds=60)
    campaign.refresh_from_db()
    assert (campaign.status, campaign.audience) == (CampaignStatus.FREEZING, 2)
    assert_adds_up(campaign)
    assert_adds_up(frozen(campaign))


def test_freezing_twice_writes_nobody_twice(chunks_of_two):
    campaign = frozen(freezing_campaign(make_group(contacts=3)))
    before = list(SentMessage.objects.values())
    assert freeze(campaign.pk, seconds=60) is False
    assert list(SentMessage.objects.values()) == before


def test_a_freeze_of_an_earlier_launch_does_nothing(chunks_of_two):
    campaign = freezing_campaign(make_group(contacts=1))
    assert freeze_chunk(campaign.pk, "another launch") is False
    assert not SentMessage.objects.exists()


def test_a_row_that_is_there_already_is_counted_and_not_written_again():
    """As if the process had been killed in a database that lost the cursor but kept the rows."""
    group = make_group(contacts=2)
    campaign = freezing_campaign(group)
    make_message(number(1), campaign=campaign, contact=group.contacts.get(phone_number=number(1)))
    campaign = frozen(campaign)
    assert statuses(campaign) == {"queued": 2}
    assert_adds_up(campaign)


@pytest.mark.parametrize("stop", [lifecycle.pause, lifecycle.cancel])
def test_stopping_stops_the_freeze_and_the_figures_add_up(chunks_of_two, stop):
    campaign = freezing_campaign(make_group(contacts=5))
    freeze(campaign.pk, seconds=-1)
    stop(campaign, actor=None)
    assert freeze(campaign.pk, seconds=60) is False
    campaign.refresh_from_db()
    assert campaign.audience == 2
    assert_adds_up(campaign)


def test_a_paused_freeze_is_resumed(chunks_of_two, provider):
    campaign = freezing_campaign(make_group(contacts=5))
    freeze(campaign.pk, seconds=-1)
    lifecycle.pause(campaign, actor=None)
    lifecycle.resume(campaign, actor=None)
    assert campaign.status == CampaignStatus.FREEZING
    send(frozen(campaign))
    assert statuses(campaign) == {"sent": 5}
    assert_adds_up(campaign)


def test_contacts_that_come_and_go_meanwhile_confuse_nobody(chunks_of_two):
    group = make_group(contacts=4)
    campaign = freezing_campaign(group)
    freeze(campaign.pk, seconds=-1)
    make_contact(number(9), group)  # after the launch: not in the audience
    group.contacts.get(phone_number=number(1)).delete()  # has its row
    group.contacts.get(phone_number=number(4)).delete()  # has none yet
    campaign = frozen(campaign)
    assert sorted(m.phone_number for m in campaign.messages.all()) == [number(1), number(2), number(3)]
    assert_adds_up(campaign)


def test_nobody_is_written_to_when_a_row_is_missing(monkeypatch, chunks_of_two):
    campaign = freezing_campaign(make_group(contacts=2))
    monkeypatch.setattr(freezing, "_write", lambda campaign, planned: None)
    freeze(campaign.pk, seconds=60)
    campaign.refresh_from_db()
    assert (campaign.status, campaign.paused_by_engine) == (CampaignStatus.PAUSED, True)
    assert "2 people were read but 0 rows written" in campaign.pause_reason


def test_what_cannot_be_prepared_is_paused_with_the_reason_and_can_be_resumed(settings):
    campaign = freezing_campaign(make_group(contacts=1))
    settings.SMS_ONLY_TO = ["no number"]
    assert freeze(campaign.pk, seconds=60) is False
    campaign.refresh_from_db()
    assert (campaign.status, campaign.paused_by_engine) == (CampaignStatus.PAUSED, True)
    assert "SMS_ONLY_TO" in campaign.pause_reason
    settings.SMS_ONLY_TO = []
    lifecycle.resume(campaign, actor=None)
    assert frozen(campaign).status == CampaignStatus.SENDING
    assert_adds_up(campaign)


def test_giving_up_overrules_no_operator(monkeypatch):
    campaign = freezing_campaign(make_group(contacts=1))

    def cancelled_meanwhile(*args, **kwargs):
        Campaign.objects.update(status=CampaignStatus.CANCELLED)
        raise ImproperlyConfigured("broken")

    monkeypatch.setattr(freezing, "freeze_chunk", cancelled_meanwhile)
    freeze(campaign.pk, seconds=60)
    campaign.refresh_from_db()
    assert campaign.status == CampaignStatus.CANCELLED


@pytest.mark.postgresql
@pytest.mark.django_db(transaction=True)
def test_two_freezes_at_once_write_everybody_once(monkeypatch, chunks_of_two, woken):
    campaign = freezing_campaign(make_group(contacts=9))
    barrier = threading.Barrier(2)

    def work() -> None:
        barrier.wait()
        freeze(campaign.pk, seconds=60)
        connection.close()

    threads = [threading.Thread(target=work) for _n in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    campaign.refresh_from_db()
    assert campaign.status == CampaignStatus.SENDING
    assert campaign.audience == 9
    assert_adds_up(campaign)
