"""The part of the contract that holds for every adapter, with or without a network."""

from __future__ import annotations

import json
import re
from typing import Any, ClassVar

import pytest
from django.core.exceptions import ImproperlyConfigured

from sms_backends import (
    BaseSmsBackend,
    Outcome,
    SendResult,
    SmsError,
    SMSMessage,
    ThrottledError,
    UnsupportedFeatureError,
    get_sms_backend,
)

ALIAS = "contract"
#: Valid Russian mobiles; the simulator delivers to all of them.
NUMBERS = [f"+7999{n:07}" for n in (1230101, 1230202, 1230303, 1230404)]
TEXT = "Your table is booked for 19:00."
#: Cyrillic, an emoji outside the BMP, a combining mark, GSM extension characters, and what breaks line formats.
UNICODE_TEXT = "Привет, «Ёжик»! 👋🏽 e\u0301 €[]{}^~| 100 % & + = ; : , \"'\\n\nвторая строка"
LONG_TEXT = "Длинное сообщение о ценах и сроках. " * 25


class ContractHooks:
    """What the classes of the contract share. A subclass names its backend and, per case, arranges the answer."""

    #: As in settings: a dotted path.
    backend_path: ClassVar[str]

    @pytest.fixture(autouse=True)
    def _hold_settings(self, settings: Any) -> None:
        """Settings made by a test are put back, and the backend forgotten, when it ends."""
        self.settings = settings
        self.backend: BaseSmsBackend | None = None

    def make_options(self) -> dict[str, Any]:
        """The OPTIONS of a gateway that works. Asked after the case was arranged, so arranging may change it."""
        return {}

    def make_backend(self, **changed: Any) -> BaseSmsBackend:
        """A backend made from settings as an installation would; `changed` replaces single OPTIONS."""
        options = {**self.make_options(), **changed}
        self.settings.SMS_GATEWAYS = {ALIAS: {"BACKEND": self.backend_path, "OPTIONS": options}}
        self.backend = get_sms_backend(ALIAS)
        return self.backend

    def message(self, numbers: list[str], text: str = TEXT) -> SMSMessage:
        if self.backend is None:
            self.make_backend()
        return SMSMessage(numbers, text, using=ALIAS)

    def send(self, numbers: list[str], text: str = TEXT) -> list[SendResult]:
        """Send through the only door. The backend of a test is made by the first call and kept."""
        return self.checked(self.message(numbers, text).send(), numbers)

    def checked(self, results: list[SendResult], numbers: list[str]) -> list[SendResult]:
        """What holds for every answer: one result per recipient, in order, explained, and fit to be stored."""
        assert [result.phone_number for result in results] == numbers
        for result in results:
            assert (result.error is None) == result.accepted
            if result.error is not None:
                assert result.error.outcome_known == (result.outcome is not Outcome.UNKNOWN)
            json.dumps(result.raw)
        return results

    def send_or_refuse(self, numbers: list[str], text: str = TEXT) -> list[SendResult]:
        """As `send()`, for cases in which nothing was written, where an adapter may raise instead of returning."""
        message = self.message(numbers, text)
        try:
            results = message.send()
        except SmsError as error:
            results = [SendResult(number, Outcome.REJECTED, error=error) for number in numbers]
        return self.checked(results, numbers)

    def arrange_accepted(self) -> list[str]:
        """Let the provider take everything; return the numbers to write to."""
        return list(NUMBERS)


class BackendContract(ContractHooks):
    """Every adapter."""

    #: Whether the provider gives ids to what it takes.
    gives_ids: ClassVar[bool] = True

    def received(self) -> list[tuple[str, str]] | None:
        """(phone number, text) of all that reached the provider, in order. None for one that keeps nothing."""
        raise NotImplementedError

    def test_it_says_who_it_is(self) -> None:
        backend = self.make_backend()
        assert backend.provider_name
        assert backend.known_options is not None
        assert all(option.help for option in backend.known_options.values())
        assert backend.alias == ALIAS
        assert backend.capabilities.max_recipients >= 1
        assert backend.capabilities.max_connections >= 1

    def test_what_is_accepted_is_reported_in_order(self) -> None:
        numbers = self.arrange_accepted()
        results = self.send(numbers)
        assert [result.outcome for result in results] == [Outcome.ACCEPTED] * len(numbers)
        assert all(bool(result.provider_message_id) == self.gives_ids for result in results)
        assert self.received() in (None, [(number, TEXT) for number in numbers])

    def test_different_texts_in_one_go_reach_their_own_recipients(self) -> None:
        first, second, third, *_ = self.arrange_accepted()
        messages = [
            self.message([first, second], "One"),
            self.message([third], "Zwei, три"),
            self.message([first], "4"),
        ]
        results = self.checked(SMSMessage.send_many(messages), [first, second, third, first])
        assert all(result.accepted for result in results)
        expected = [(first, "One"), (second, "One"), (third, "Zwei, три"), (first, "4")]
        received = self.received()
        assert received is None or sorted(received) == sorted(expected)

    def test_results_carry_the_reference(self) -> None:
        numbers = self.arrange_accepted()
        backend = self.make_backend()
        reference = backend.new_reference()
        results = self.checked(SMSMessage(numbers, TEXT, using=ALIAS, reference=reference).send(), numbers)
        assert {result.reference for result in results} == {reference}

    def test_unicode_arrives_unchanged(self) -> None:
        numbers = self.arrange_accepted()
        assert all(result.accepted for result in self.send(numbers, UNICODE_TEXT))
        assert self.received() in (None, [(number, UNICODE_TEXT) for number in numbers])

    def test_unicode_arrives_unchanged_when_texts_differ(self) -> None:
        first, second, *_ = self.arrange_accepted()
        messages = [self.message([first], UNICODE_TEXT), self.message([second], TEXT)]
        results = self.checked(SMSMessage.send_many(messages), [first, second])
        assert all(result.accepted for result in results)
        assert self.received() in (None, [(first, UNICODE_TEXT), (second, TEXT)])

    def test_a_long_text_arrives_whole(self) -> None:
        numbers = self.arrange_accepted()
        assert all(result.accepted for result in self.send(numbers, LONG_TEXT))
        assert self.received() in (None, [(number, LONG_TEXT) for number in numbers])

    def test_more_recipients_than_one_request_takes_are_all_answered(self) -> None:
        self.arrange_accepted()
        count = self.make_backend().capabilities.max_recipients + 1
        numbers = [f"+79991{n // 10:05}1" for n in range(10, 10 * (count + 1), 10)]
        assert all(result.accepted for result in self.send(numbers))
        received = self.received()
        assert received is None or sorted(received) == sorted((number, TEXT) for number in numbers)

    def test_sending_to_nobody_is_no_error(self) -> None:
        self.arrange_accepted()
        assert self.send([]) == []
        assert not self.received()

    def test_references_are_fresh_and_hard_to_guess(self) -> None:
        backend = self.make_backend()
        references = {backend.new_reference() for _ in range(1000)}
        assert len(references) == 1000
        assert all(re.fullmatch(r"[A-Za-z0-9._-]{16,}", reference) for reference in references)

    def test_a_misspelt_option_is_named(self) -> None:
        with pytest.raises(ImproperlyConfigured, match="NO_SUCH_OPTION.*Known options:"):
            self.make_backend(NO_SUCH_OPTION=1)

    def test_what_the_provider_cannot_do_is_refused_by_name(self) -> None:
        backend = self.make_backend()
        can = backend.capabilities
        calls = [
            (can.lookup_by_reference, lambda: backend.lookup([("reference", NUMBERS[0])])),
            (can.receipts_poll, lambda: backend.fetch_receipts([("id", NUMBERS[0])])),
            (can.balance, backend.get_balance),
            (can.price, lambda: backend.get_price(NUMBERS, TEXT)),
        ]
        for offered, call in calls:
            if not offered:
                with pytest.raises(UnsupportedFeatureError, match=re.escape(self.backend_path)):
                    call()

    def test_a_sender_id_is_carried_or_refused_never_dropped(self) -> None:
        numbers = self.arrange_accepted()
        backend = self.make_backend()
        message = SMSMessage(numbers, TEXT, using=ALIAS, sender_id="Cafe")
        if backend.capabilities.sender_id:
            assert all(result.accepted for result in message.send())
        else:
            with pytest.raises(UnsupportedFeatureError, match="sender_id"):
                message.send()
            assert not self.received()

    def test_it_can_be_closed_twice_and_used_again(self) -> None:
        numbers = self.arrange_accepted()
        backend = self.make_backend()
        backend.close()
        backend.close()
        assert all(result.accepted for result in self.send(numbers))


class RequiredOptionsContract(ContractHooks):
    """Adapters that need credentials or an address."""

    def incomplete_options(self) -> list[tuple[dict[str, Any], str]]:
        """Pairs of OPTIONS in which something is missing, and the name that the error must mention."""
        raise NotImplementedError

    def test_a_missing_option_is_named(self) -> None:
        incomplete = self.incomplete_options()
        assert incomplete
        for options, name in incomplete:
            self.settings.SMS_GATEWAYS = {ALIAS: {"BACKEND": self.backend_path, "OPTIONS": options}}
            with pytest.raises(ImproperlyConfigured, match=name):
                get_sms_backend(ALIAS)


class RefusingContract(ContractHooks):
    """Adapters whose provider can say no."""

    def arrange_partly_refused(self) -> tuple[list[str], set[str]]:
        """Let one request be taken for some and refused for others; return all numbers, and the refused ones."""
        raise NotImplementedError

    def arrange_refused(self) -> list[str]:
        """Let the provider refuse the whole request with a documented error; return the numbers to write to."""
        raise NotImplementedError

    def arrange_throttled(self) -> list[str]:
        """Let the provider say "too fast" (HTTP 429 or its own code); return the numbers to write to."""
        raise NotImplementedError

    def test_a_partly_refused_request_is_told_apart_by_recipient(self) -> None:
        numbers, refused = self.arrange_partly_refused()
        assert refused
        assert refused < set(numbers)
        for result in self.send(numbers):
            assert result.outcome is (Outcome.REJECTED if result.phone_number in refused else Outcome.ACCEPTED)

    def test_a_refused_recipient_carries_the_providers_words(self) -> None:
        numbers, refused = self.arrange_partly_refused()
        errors = [result.error for result in self.send(numbers) if result.phone_number in refused]
        assert all(error and (error.provider_code or error.provider_text) and error.reason for error in errors)

    def test_a_refused_request_is_rejected_for_every_recipient(self) -> None:
        results = self.send(self.arrange_refused())
        assert results
        assert all(result.outcome is Outcome.REJECTED for result in results)
        assert all(result.error and result.error.provider_code for result in results)

    def test_a_refusal_among_different_texts_is_told_apart(self) -> None:
        numbers, refused = self.arrange_partly_refused()
        messages = [self.message([number], f"Text {index}") for index, number in enumerate(numbers)]
        for result in self.checked(SMSMessage.send_many(messages), numbers):
            assert result.outcome is (Outcome.REJECTED if result.phone_number in refused else Outcome.ACCEPTED)

    def test_throttled_is_provably_not_taken_and_may_be_tried_again(self) -> None:
        results = self.send(self.arrange_throttled())
        assert results
        for result in results:
            assert result.outcome is Outcome.REJECTED
            assert isinstance(result.error, ThrottledError)
            assert not result.error.permanent
            assert result.error.retry_after is None or result.error.retry_after > 0
