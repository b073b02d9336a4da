"""What the simulator makes of a message is decided by its number, its options and the clock."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from django.core.exceptions import ImproperlyConfigured

from sms_backends import DeliveryStatus, IncomingSms, Outcome, Reason, Scope, SMSMessage, get_sms_backend
from sms_backends.providers import simulator
from sms_backends.providers.simulator import ENDINGS, Fate
from sms_backends.signals import incoming_received

DOCUMENTATION = Path(__file__).resolve().parents[2] / "docs" / "providers.md"


@pytest.fixture
def configure(settings: Any) -> Any:
    def configured(**options: Any) -> simulator.SmsBackend:
        quick = {"LATENCY": 0, "TIMEOUT": 0, "DELIVERY_SECONDS": 10}
        settings.SMS_SETTINGS = {"BACKEND": "simulator", "OPTIONS": quick | options}
        backend = get_sms_backend()
        assert isinstance(backend, simulator.SmsBackend)
        return backend

    return configured


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Any:
    class Clock:
        now = 1_800_000_000.0
        slept = 0.0

        def time(self) -> float:
            return self.now

        def sleep(self, seconds: float) -> None:
            self.slept += seconds

    clock = Clock()
    monkeypatch.setattr(simulator, "time", clock)
    return clock


def number_ending(ending: str) -> str:
    return "+79991230000"[: 12 - len(ending)] + ending


def send(number: str) -> Any:
    (result,) = SMSMessage([number], "Hello").send()
    return result


@pytest.mark.parametrize(
    ("fate", "reason", "scope", "permanent", "suppress"),
    [
        (Fate.INVALID_NUMBER, Reason.INVALID_NUMBER, Scope.RECIPIENT, True, True),
        (Fate.BLOCKED, Reason.BLOCKED, Scope.RECIPIENT, True, False),
        (Fate.OPTED_OUT, Reason.OPTED_OUT, Scope.RECIPIENT, True, True),
        (Fate.FORBIDDEN_TEXT, Reason.CONTENT, Scope.CAMPAIGN, True, False),
        (Fate.NO_FUNDS, Reason.NO_FUNDS, Scope.ACCOUNT, False, False),
        (Fate.WRONG_PASSWORD, Reason.AUTHENTICATION, Scope.ACCOUNT, False, False),
        (Fate.THROTTLED, Reason.THROTTLED, Scope.MESSAGE, False, False),
        (Fate.UNREACHABLE, Reason.UNAVAILABLE, Scope.MESSAGE, False, False),
    ],
)
def test_each_refusal_tells_what_to_do(
    configure: Any, fate: Fate, reason: Reason, scope: Scope, permanent: bool, suppress: bool
) -> None:
    configure()
    (ending,) = (ending for ending, there in ENDINGS.items() if there is fate)
    result = send(number_ending(ending))
    assert result.outcome is Outcome.REJECTED
    error = result.error
    assert (error.reason, error.scope, error.permanent, error.suppress) == (reason, scope, permanent, suppress)
    assert error.provider_code == fate


@pytest.mark.parametrize(
    ("ending", "final", "reason"),
    [
        ("11", DeliveryStatus.DELIVERED, None),
        ("99", DeliveryStatus.UNDELIVERED, Reason.UNREACHABLE_TEMPORARY),
        ("555020", DeliveryStatus.UNDELIVERED, Reason.UNREACHABLE_TEMPORARY),
        ("555021", DeliveryStatus.EXPIRED, Reason.EXPIRED),
        ("555022", DeliveryStatus.REJECTED, Reason.REJECTED_BY_CARRIER),
    ],
)
def test_receipts_come_later(
    configure: Any, clock: Any, ending: str, final: DeliveryStatus, reason: Reason | None
) -> None:
    backend = configure()
    number = number_ending(ending)
    result = send(number)
    (early,) = backend.fetch_receipts([(result.provider_message_id, number)])
    assert (early.status, early.at) == (DeliveryStatus.ACCEPTED, datetime.fromtimestamp(clock.now, UTC))
    clock.now += 10
    (late,) = backend.fetch_receipts([(result.provider_message_id, number)])
    assert (late.status, late.reason, late.provider_message_id) == (final, reason, result.provider_message_id)
    clock.now += 1000
    assert backend.fetch_receipts([(result.provider_message_id, number)]) == [late]


def test_receipts_are_spread_by_the_last_digit(configure: Any, clock: Any) -> None:
    backend = configure()
    messages = [(send(number).provider_message_id, number) for number in map(number_ending, "0123456789")]
    clock.now += 5
    statuses = [receipt.status for receipt in backend.fetch_receipts(messages)]
    assert statuses == [DeliveryStatus.DELIVERED] * 5 + [DeliveryStatus.ACCEPTED] * 5


def test_a_late_receipt_takes_its_own_time_and_a_silent_one_never_comes(configure: Any, clock: Any) -> None:
    backend = configure(LATE_SECONDS=60)
    late, silent = number_ending("555023"), number_ending("555024")
    messages = [(send(number).provider_message_id, number) for number in (late, silent)]
    clock.now += 59
    assert [r.status for r in backend.fetch_receipts(messages)] == [DeliveryStatus.ACCEPTED] * 2
    clock.now += 1_000_000
    statuses = [receipt.status for receipt in backend.fetch_receipts(messages)]
    assert statuses == [DeliveryStatus.DELIVERED, DeliveryStatus.ACCEPTED]


def test_receipts_for_foreign_ids_are_left_out(configure: Any) -> None:
    assert configure().fetch_receipts([("locmem-1", "+79991230000"), ("sim-x-y", "+79991230000")]) == []


def test_a_number_without_digits_has_a_receipt_all_the_same(configure: Any, clock: Any) -> None:
    backend = configure()
    result = send("x")
    clock.now += 10
    assert backend.fetch_receipts([(result.provider_message_id, "x")])[0].status is DeliveryStatus.DELIVERED


def test_another_process_tells_the_same_receipts(configure: Any) -> None:
    backend = configure(DELIVERY_SECONDS=0)
    messages = [(send(number).provider_message_id, number) for number in map(number_ending, ["11", "99"])]
    script = (
        "from sms_backends.providers.simulator import SmsBackend\n"
        f"for receipt in SmsBackend(DELIVERY_SECONDS=0).fetch_receipts({messages!r}): print(receipt.status)"
    )
    output = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True).stdout
    assert output.split() == [receipt.status for receipt in backend.fetch_receipts(messages)]


def test_a_request_takes_its_latency_and_a_lost_one_its_time_out(configure: Any, clock: Any) -> None:
    configure(LATENCY=0.25, TIMEOUT=3)
    SMSMessage([number_ending("11")] * 250, "Hello").send()
    assert clock.slept == pytest.approx(3 * 0.25)
    send(number_ending("555009"))
    assert clock.slept == pytest.approx(3 * 0.25 + 3)


def test_only_the_request_that_meets_an_error_fails(configure: Any) -> None:
    configure()
    numbers = [number_ending("11")] * 100 + [number_ending("555005")] + [number_ending("11")] * 100
    outcomes = [result.outcome for result in SMSMessage(numbers, "Hello").send()]
    assert outcomes == [Outcome.ACCEPTED] * 100 + [Outcome.REJECTED] * 100 + [Outcome.ACCEPTED]


def test_results_count_segments(configure: Any) -> None:
    configure()
    (result,) = SMSMessage([number_ending("11")], "ж" * 71).send()
    assert result.segments == 2


def test_options_replace_and_extend_the_endings(configure: Any) -> None:
    backend = configure(OUTCOMES={"99": "delivered", "7": "throttled", "77": "blocked", "": "undelivered"})
    fates = [backend.fate_of(number_ending(ending)) for ending in ("99", "17", "77", "11", "555001")]
    assert fates == [Fate.DELIVERED, Fate.THROTTLED, Fate.BLOCKED, Fate.UNDELIVERED, Fate.INVALID_NUMBER]


def test_all_but_one_in_a_hundred_ordinary_numbers_are_delivered(configure: Any) -> None:
    backend = configure()
    fates = [backend.fate_of(f"+7999{n:07}") for n in range(1_000_000, 1_010_000)]
    assert fates.count(Fate.DELIVERED) == 9_900
    assert fates.count(Fate.UNDELIVERED) == 100


@pytest.mark.parametrize("outcomes", [{"7": "explodes"}, {"x": "blocked"}, {7: "blocked"}, ["7"], "7"])
def test_outcomes_that_are_none_are_refused_with_an_example(configure: Any, outcomes: object) -> None:
    with pytest.raises(ImproperlyConfigured, match=r"OUTCOMES must map.*Example: .*throttled"):
        configure(OUTCOMES=outcomes)


@pytest.mark.parametrize("seconds", ["1", None, True, -1, float("nan"), 86_400])
@pytest.mark.parametrize("name", ["LATENCY", "TIMEOUT", "DELIVERY_SECONDS", "LATE_SECONDS"])
def test_seconds_must_be_seconds(configure: Any, name: str, seconds: object) -> None:
    with pytest.raises(ImproperlyConfigured, match=f"{name} must be a number of seconds"):
        configure(**{name: seconds})


def test_every_ending_is_documented() -> None:
    rows = re.findall(r"^\| `…(\d+)` \| `(\w+)` \|", DOCUMENTATION.read_text(encoding="utf-8"), re.MULTILINE)
    assert dict(rows) == {ending: fate.value for ending, fate in ENDINGS.items()}


def test_the_clock_of_a_message_is_in_its_id(configure: Any) -> None:
    backend = configure(DELIVERY_SECONDS=0)
    before = time.time()
    number = number_ending("11")
    (receipt,) = backend.fetch_receipts([(send(number).provider_message_id, number)])
    assert receipt.at is not None
    assert before - 0.01 <= receipt.at.timestamp() <= time.time()


# --- incoming messages ------------------------------------------------------------------------------------------------


def write_to_simulator(client, body: object, secret: str = "hush"):
    content = body if isinstance(body, str) else json.dumps(body)
    headers = {"X-Simulator-Secret": secret} if secret else {}
    return client.post("/sms/default/incoming/", content, content_type="application/json", headers=headers)


@pytest.fixture
def incoming(settings, monkeypatch) -> list[IncomingSms]:
    settings.SMS_SETTINGS = {
        "BACKEND": "sms_backends.providers.simulator.SmsBackend",
        "OPTIONS": {"INCOMING_SECRET": "hush"},
    }
    found: list[IncomingSms] = []
    monkeypatch.setattr(incoming_received, "receivers", [])
    monkeypatch.setattr(incoming_received, "send", lambda sender, gateway, messages: found.extend(messages))
    return found


def test_a_reply_can_be_made_up(client, incoming):
    body = {"from": "+79990000001", "text": "СТОП", "to": "1234", "id": "7"}
    assert write_to_simulator(client, body).status_code == 200
    (message,) = incoming
    assert (message.phone_number, message.text, message.to, message.provider_message_id) == tuple(body.values())
    assert message.raw == body


@pytest.mark.parametrize("secret", ["", "wrong", "hush!", "тайна"])
def test_only_by_whoever_knows_the_secret(client, incoming, secret):
    response = write_to_simulator(client, {"from": "+79990000001", "text": "STOP"}, secret.encode().decode("latin-1"))
    assert response.status_code == 403
    assert incoming == []


@pytest.mark.parametrize("body", ["", "no json", "[]", "{}", '{"from": "+79990000001"}', '{"from": 7, "text": "x"}'])
def test_what_is_no_message_is_answered_400(client, incoming, body):
    assert write_to_simulator(client, body).status_code == 400
    assert incoming == []


def test_without_a_secret_there_is_no_such_address(client, settings):
    settings.SMS_SETTINGS = {"BACKEND": "sms_backends.providers.simulator.SmsBackend", "OPTIONS": {}}
    assert write_to_simulator(client, {"from": "+79990000001", "text": "STOP"}).status_code == 404
    assert get_sms_backend().capabilities.incoming_push is False
