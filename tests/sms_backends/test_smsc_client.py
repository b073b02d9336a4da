"""
The fake SMSC.ru speaks the dialect that others expect: driven by the independent client `smsc` from PyPI.

What our own adapter believes of SMSC.ru is so checked by somebody who never saw it.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest
from smsc import messages
from smsc.api import SMSC

from tests.fake_smsc import FakeSmsc


@pytest.fixture
def smsc(monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeSmsc]:
    with FakeSmsc(balance="100.00") as smsc:
        monkeypatch.setattr(SMSC, "_url", f"{smsc.base_url}/sys/")
        yield smsc


@pytest.fixture
def client(smsc: FakeSmsc) -> SMSC:
    return SMSC(login="login", password="password", sender="Cafe")


def test_it_sends_to_one(smsc: FakeSmsc, client: SMSC) -> None:
    response = client.send("79991234567", messages.SMSMessage("Привет: | & 100 %"))
    assert response.error is None
    assert (response.message_id, response.count, response.cost) == (1, 1, 2.5)
    (message,) = smsc.messages()
    assert (message.phone, message.text, message.sender) == ("79991234567", "Привет: | & 100 %", "Cafe")


def test_it_sends_to_many_under_one_id(smsc: FakeSmsc, client: SMSC) -> None:
    response = client.send(["79991234567", "89991234568"], messages.SMSMessage("я" * 71))
    assert (response.count, response.cost) == (4, 10.0)
    assert [message.phone for message in smsc.messages()] == ["79991234567", "79991234568"]
    assert {message.id for message in smsc.messages()} == {str(response.message_id)}


def test_it_asks_for_the_state_of_one(smsc: FakeSmsc, client: SMSC) -> None:
    sent = client.send("79991234567", messages.SMSMessage("Hello"))
    smsc.set_status(1)
    (state,) = client.get_status("79991234567", str(sent.message_id))
    assert (state.status.status_id, state.status.name) == (1, "Delivered")
    assert state.data["message"] == "Hello"
    assert abs(state.data["last_date"] - datetime.now(UTC)) < timedelta(minutes=5)


def test_it_asks_for_the_states_of_many(smsc: FakeSmsc, client: SMSC) -> None:
    first = client.send("79991234567", messages.SMSMessage("One"))
    second = client.send("79991234568", messages.SMSMessage("Two"))
    smsc.set_status(20, err=6, numbers=["79991234568"])
    states = client.get_status(["79991234567", "79991234568"], [str(first.message_id), str(second.message_id)])
    assert [state.status.status_id for state in states] == [0, 20]
    assert states[1].data["err"] == 6


def test_it_asks_for_balance_and_price_without_spending(smsc: FakeSmsc, client: SMSC) -> None:
    cost = client.get_cost(["79991234567", "79991234568"], messages.SMSMessage("Hello"))
    assert (cost.count, cost.cost) == (2, 5.0)
    balance = client.get_balance()
    assert (balance.balance, balance.currency) == (100.0, "RUR")
    assert smsc.messages() == []


@pytest.mark.parametrize("hashed", [hashlib.md5, hashlib.sha1])
def test_it_signs_in_with_a_hashed_password(smsc: FakeSmsc, hashed: object) -> None:
    assert callable(hashed)
    client = SMSC(login="login", password=hashed(b"password").hexdigest())
    assert client.get_balance().error is None


def test_it_is_told_of_a_wrong_password(smsc: FakeSmsc) -> None:
    client = SMSC(login="login", password="wrong")
    assert client.send("79991234567", messages.SMSMessage("Hello")).error.code == 2
    assert client.get_balance().error.code == 2
    assert smsc.messages() == []


@pytest.mark.parametrize(("number", "text", "code"), [("12", "Hello", 7), ("79991234567", "", 1)])
def test_it_is_told_of_what_cannot_be_sent(smsc: FakeSmsc, client: SMSC, number: str, text: str, code: int) -> None:
    assert client.send(number, messages.SMSMessage(text)).error.code == code
    assert smsc.messages() == []


def test_it_is_told_that_the_money_is_used_up(smsc: FakeSmsc, client: SMSC) -> None:
    numbers = [f"7999123{index:04}" for index in range(41)]
    assert client.send(numbers, messages.SMSMessage("Hello")).error.code == 3
    assert client.send(numbers[:40], messages.SMSMessage("Hello")).error is None
    assert client.get_balance().balance == 0


def test_the_same_request_twice_in_a_minute_is_refused(smsc: FakeSmsc, client: SMSC) -> None:
    assert client.send("79991234567", messages.SMSMessage("Hello")).error is None
    assert client.send("79991234567", messages.SMSMessage("Hello")).error.code == 9
    assert len(smsc.messages()) == 1
