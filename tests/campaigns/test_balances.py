"""Balances are asked in the background, not too often, and their errors are kept."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from typing import ClassVar

import pytest
from django.core.exceptions import ImproperlyConfigured
from django.utils import timezone

from campaigns import balances
from campaigns.models import GatewayState, RequestSlot
from campaigns.sending.leases import LEASE
from campaigns.tasks import ask_balance
from sms_backends import AuthenticationError, Balance
from tests.campaigns import providers
from tests.campaigns.building import there

pytestmark = pytest.mark.django_db


class Purse(providers.SameText):
    """Tells what is left, or refuses to."""

    capabilities = replace(providers.SameText.capabilities, balance=True)
    asked: ClassVar[list[str]] = []
    refuses: ClassVar[bool] = False

    def get_balance(self) -> Balance:
        self.asked.append(self.alias)
        if self.refuses:
            raise AuthenticationError("wrong password (error 2)")
        return Balance(Decimal("12.5"), "EUR")


@pytest.fixture(autouse=True)
def purse(adapter, monkeypatch):
    adapter(Purse)
    monkeypatch.setattr(Purse, "asked", [])
    return Purse


def state() -> GatewayState:
    return GatewayState.objects.get(alias="default")


def test_a_balance_is_kept_with_its_time_and_asked_again_only_after_a_while():
    balances.ask_due_balances()
    balances.ask_due_balances()
    assert Purse.asked == ["default"]
    assert (state().balance, state().currency, state().balance_problem) == (Decimal("12.5"), "EUR", "")
    assert state().balance_at is not None
    GatewayState.objects.update(balance_tried_at=timezone.now() - balances.EVERY)
    balances.ask_due_balances()
    assert len(Purse.asked) == 2


def test_a_refusal_is_kept_in_words_and_the_last_known_balance_with_it(purse, monkeypatch):
    balances.ask_due_balances()
    monkeypatch.setattr(purse, "refuses", True)
    GatewayState.objects.update(balance_tried_at=timezone.now() - timedelta(hours=1))
    balances.ask_due_balances()
    assert (state().balance, state().balance_problem) == (Decimal("12.5"), "wrong password (error 2)")
    with pytest.raises(AuthenticationError):
        balances.ask_balance("default")
    monkeypatch.setattr(purse, "refuses", False)
    balances.ask_balance("default")
    assert state().balance_problem == ""


def test_while_sending_needs_all_requests_it_waits(purse):
    balances.ask_due_balances()
    RequestSlot.objects.update(token="busy", leased_until=timezone.now() + LEASE)
    GatewayState.objects.update(balance_tried_at=None)
    balances.ask_due_balances()
    assert len(purse.asked) == 1


def test_gateways_that_cannot_tell_or_are_not_set_up_are_left_alone(adapter, settings):
    adapter(providers.SameText)
    balances.ask_due_balances()
    settings.SMS_SETTINGS = {"BACKEND": "nowhere.Backend", "OPTIONS": {}}
    balances.ask_due_balances()
    assert not GatewayState.objects.exists()
    with pytest.raises(ImproperlyConfigured):
        balances.ask_balance("default")


def long_ago() -> None:
    GatewayState.objects.update(balance_tried_at=timezone.now() - balances.FRESH)


@pytest.fixture
def look(woken, django_capture_on_commit_callbacks):
    """Open a page that shows the balance; what is shown, and which gateways' rows workers are woken for."""

    def look_once() -> tuple[GatewayState | None, list[int]]:
        woken.clear()
        with django_capture_on_commit_callbacks(execute=True):
            shown = balances.refresh("default")
        return shown, [argument for task, argument in woken if task == "ask_balance"]

    return look_once


def test_whoever_looks_sees_what_is_kept_and_a_worker_asks_when_that_is_old(look, purse, monkeypatch):
    shown, asked = look()
    assert there(shown).balance is None
    assert asked == [there(shown).pk]
    assert purse.asked == []  # not while the page is made
    ask_balance(asked[0])
    shown, asked = look()
    assert (there(shown).balance, asked) == (Decimal("12.5"), [])
    long_ago()
    monkeypatch.setattr(purse, "refuses", True)
    ask_balance(look()[1][0])
    shown, asked = look()
    assert (there(shown).balance, there(shown).balance_problem) == (Decimal("12.5"), "wrong password (error 2)")
    assert asked == []  # nor is a provider that refuses asked with every page


def test_many_who_look_ask_once(look, purse):
    for state_id in look()[1] + look()[1]:
        ask_balance(state_id)
    assert purse.asked == ["default"]


def test_a_provider_that_does_not_tell_it_is_not_asked(look, adapter):
    adapter(providers.SameText)
    assert look() == (None, [])


def test_a_refusal_that_the_database_cannot_hold_is_kept_all_the_same(purse, monkeypatch):
    def refuse(self):
        raise AuthenticationError("wrong\0password")

    monkeypatch.setattr(purse, "get_balance", refuse)
    balances.ask_due_balances()
    assert state().balance_problem == "wrong\N{REPLACEMENT CHARACTER}password"
    GatewayState.objects.update(balance_problem="")
    with pytest.raises(AuthenticationError):
        balances.ask_balance("default")
    assert state().balance_problem == "wrong\N{REPLACEMENT CHARACTER}password"
