"""Figures that add up, at every moment."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.utils import timezone

from campaigns import lifecycle, optouts, reports, tasks
from campaigns.models import Campaign, Heartbeat, MessageStatus, OptOutSource
from campaigns.sending import freeze as freezing
from campaigns.sending.freeze import freeze
from sms_backends import Reason, RecipientRejectedError
from tests.campaigns.building import assert_adds_up, launched, make_campaign, make_group, number, send

pytestmark = pytest.mark.django_db


def test_every_state_is_named_with_its_reasons(provider):
    provider.refusals[number(1)] = RecipientRejectedError("No", reason=Reason.BARRED)
    campaign = launched(contacts=4)
    optouts.record_opt_out(number(2), source=OptOutSource.OPERATOR)
    send(campaign)
    figures = reports.campaign_figures(campaign)
    assert set(figures.messages) == set(MessageStatus.values)
    assert {status: n for status, n in figures.messages.items() if n} == {"sent": 2, "rejected": 1, "suppressed": 1}
    assert figures.suppressed == {"opted_out": 1}
    assert [(r.status, r.reason, r.label, r.count) for r in figures.problems] == [
        ("rejected", "barred", "subscriber barred", 1)
    ]
    assert (figures.audience, figures.done, figures.pending, figures.adds_up) == (4, 4, 0, True)
    assert_adds_up(campaign)


def test_figures_add_up_while_a_campaign_is_prepared_even_if_the_page_is_older(monkeypatch):
    monkeypatch.setattr(freezing, "CHUNK", 2)
    campaign = make_campaign(make_group(contacts=3))
    lifecycle.launch(campaign, actor=None)
    stale = Campaign.objects.get()
    freeze(campaign.pk, seconds=-1)
    assert reports.campaign_figures(stale).audience == 2
    assert reports.campaign_figures(stale).adds_up


def test_a_list_of_campaigns_takes_one_query(django_assert_num_queries):
    campaign, empty = launched(contacts=2), make_campaign(name="Empty")
    with django_assert_num_queries(1):
        found = reports.many_campaign_figures([campaign.pk, empty.pk])
    assert found[campaign.pk].messages["queued"] == found[campaign.pk].audience == found[campaign.pk].pending == 2
    assert (found[empty.pk].audience, found[empty.pk].adds_up) == (0, True)
    assert reports.many_campaign_figures([]) == {}


def test_a_reason_that_nobody_knows_is_shown_as_it_is():
    assert reports.reason_label("brand_new") == "brand_new"


def test_workers_are_alive_for_some_time_after_a_sign_of_life():
    assert reports.last_beat() is None
    assert not reports.workers_alive()
    tasks.beat()
    assert reports.workers_alive()
    Heartbeat.objects.update(at=timezone.now() - reports.BEAT_LIMIT - timedelta(seconds=1))
    assert not reports.workers_alive()


def test_gateways_are_shown_with_what_is_wrong_with_them(settings, provider):
    settings.SMS_GATEWAYS = {"simulator": {"BACKEND": "simulator"}, "broken": {"BACKEND": "no.such.Backend"}}
    cards = {card.alias: card for card in reports.gateway_cards()}
    assert cards["default"].provider == "Same text"
    assert not cards["default"].pretends
    assert cards["simulator"].pretends
    assert cards["broken"].problem
    assert cards["broken"].state is None


def test_the_simulator_is_active_only_if_nothing_is_really_sent(settings):
    settings.SMS_SETTINGS = {"BACKEND": "simulator"}
    assert reports.simulator_active()
    settings.SMS_GATEWAYS = {"real": {"BACKEND": "tests.campaigns.providers.SameText"}}
    assert not reports.simulator_active()
    settings.SMS_GATEWAYS = {"broken": {"BACKEND": "no.such.Backend"}}
    assert not reports.simulator_active()
