"""The part of the contract for adapters that reach their provider over a network."""

from __future__ import annotations

import pytest

from sms_backends import Outcome, OutcomeUnknownError, SendResult, SMSMessage, TemporaryError

from .sending import ContractHooks

#: What stands in the provider's way: a hotel's sign-in page, a proxy's or a broken server's words.
PAGE = "<html><title>Welcome</title>Something went wrong.</html>"


def assert_unknown(results: list[SendResult]) -> None:
    """Nobody knows whether the provider took it, and every result says so."""
    assert results
    for result in results:
        assert result.outcome is Outcome.UNKNOWN
        assert isinstance(result.error, OutcomeUnknownError)


class NetworkContract(ContractHooks):
    """
    Adapters that use the network. Arrange real ends of real connections (a server on loopback), not mocks.

    Each hook returns the numbers to write to and may change what `make_options()` will return, such as a short
    time-out or an address where nobody listens.
    """

    def arrange_answer(self, status: int, body: str) -> list[str]:
        """Every request is read and answered with just this, which no provider documents."""
        raise NotImplementedError

    def arrange_unreachable(self) -> list[str]:
        """The connection is never made, so that nothing is written."""
        raise NotImplementedError

    def arrange_silence(self) -> list[str]:
        """The request is read and never answered. `make_options()` must hold a time-out of well under a second."""
        raise NotImplementedError

    def connections_opened(self) -> int:
        """How many TCP connections the provider has seen."""
        raise NotImplementedError

    def requests_received(self) -> int:
        """How many requests the provider has read."""
        raise NotImplementedError

    def test_a_server_error_after_the_request_was_written_is_unknown(self) -> None:
        assert_unknown(self.send(self.arrange_answer(500, PAGE)))

    def test_an_unreadable_answer_is_unknown(self) -> None:
        assert_unknown(self.send(self.arrange_answer(200, PAGE)))

    @pytest.mark.parametrize("body", ["", "{}", "[]", "null", "7", '"OK"', '{"result": "OK"}', '{"id":'])
    def test_an_answer_that_says_something_else_is_unknown(self, body: str) -> None:
        assert_unknown(self.send(self.arrange_answer(200, body)))

    @pytest.mark.parametrize("status", [204, 302, 408, 418, 425, 503])
    def test_a_status_that_nobody_documents_is_unknown(self, status: int) -> None:
        assert_unknown(self.send(self.arrange_answer(status, "" if status == 204 else PAGE)))

    def test_a_time_out_after_the_request_was_written_is_unknown(self) -> None:
        assert_unknown(self.send(self.arrange_silence()))

    def test_no_connection_is_provably_not_taken_and_may_be_tried_again(self) -> None:
        results = self.send_or_refuse(self.arrange_unreachable())
        assert results
        for result in results:
            assert result.outcome is Outcome.REJECTED
            assert isinstance(result.error, TemporaryError)
            assert not result.error.permanent
        assert self.requests_received() == 0

    def test_a_request_is_never_repeated_on_its_own(self) -> None:
        self.send(self.arrange_answer(500, PAGE))
        assert self.requests_received() == 1

    def test_of_different_texts_all_that_were_offered_are_unknown(self) -> None:
        """An adapter with a request per text stops after the first; the texts it kept back may be tried again."""
        numbers = self.arrange_answer(200, PAGE)
        messages = [self.message([number], f"Text {index}") for index, number in enumerate(numbers)]
        results = self.checked(SMSMessage.send_many(messages), numbers)
        offered = [result for result in results if result.outcome is Outcome.UNKNOWN]
        kept_back = results[len(offered) :]
        assert_unknown(results[: len(offered)])
        assert all(isinstance(result.error, TemporaryError) for result in kept_back)
        assert self.requests_received() == (len(offered) if kept_back else 1)

    def test_connections_are_reused(self) -> None:
        numbers = self.arrange_accepted()
        for _ in range(3):
            assert all(result.accepted for result in self.send(numbers))
        assert self.requests_received() >= 3
        assert self.connections_opened() == 1
