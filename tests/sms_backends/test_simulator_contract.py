"""The simulator keeps the contract of every adapter, and the parts of the network's that it can imitate."""

from __future__ import annotations

from typing import Any

import pytest

from sms_backends import Outcome, OutcomeUnknownError, SMSMessage, TemporaryError
from sms_backends.providers import simulator
from tests.contracts import BackendContract, RefusingContract
from tests.contracts.sending import NUMBERS

INVALID, BLOCKED, THROTTLED, UNREACHABLE = (f"+79995{ending}" for ending in ("555001", "555002", "555007", "555008"))


class TestSimulator(BackendContract, RefusingContract):
    backend_path = "sms_backends.providers.simulator.SmsBackend"

    @pytest.fixture(autouse=True)
    def _watch_requests(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.requests: list[tuple[str, str]] = []
        answer = simulator.SmsBackend._answer_request

        def watched(backend: simulator.SmsBackend, request: Any) -> Any:
            self.requests += [(number, text) for number, text, _ in request]
            return answer(backend, request)

        monkeypatch.setattr(simulator.SmsBackend, "_answer_request", watched)

    def make_options(self) -> dict[str, Any]:
        return {"LATENCY": 0, "TIMEOUT": 0}

    def received(self) -> list[tuple[str, str]]:
        return self.requests

    def arrange_partly_refused(self) -> tuple[list[str], set[str]]:
        return [NUMBERS[0], INVALID, NUMBERS[1], BLOCKED], {INVALID, BLOCKED}

    def arrange_refused(self) -> list[str]:
        return [NUMBERS[0], "+79995555005"]

    def arrange_throttled(self) -> list[str]:
        return [THROTTLED]

    def test_no_connection_is_provably_not_taken(self) -> None:
        (result,) = self.send([UNREACHABLE])
        assert result.outcome is Outcome.REJECTED
        assert isinstance(result.error, TemporaryError)

    @pytest.mark.parametrize("ending", ["555009", "555010"])
    def test_a_lost_or_unreadable_answer_is_unknown_for_the_whole_request(self, ending: str) -> None:
        results = SMSMessage.send_many([self.message(NUMBERS[:2]), self.message([f"+79995{ending}"], "Another")])
        assert {result.outcome for result in results} == {Outcome.UNKNOWN}
        assert all(isinstance(result.error, OutcomeUnknownError) for result in results)
