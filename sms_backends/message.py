"""`SMSMessage`: a text for one or more numbers, and the only door to a provider."""

from __future__ import annotations

import inspect
import logging
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from datetime import timedelta
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from django.core.exceptions import ImproperlyConfigured

from .exceptions import OutcomeUnknownError, SmsError, UnsupportedFeatureError
from .gateways import DEFAULT_ALIAS, get_sms_backend
from .guard import refusal, refusals
from .results import Outcome, SendResult

if TYPE_CHECKING:
    from .base import BaseSmsBackend

__all__ = ["SMSMessage", "refusal"]

logger = logging.getLogger(__name__)

#: A recipient of a request and the reference of the request.
Recipient = tuple[str, str | None]


class SMSMessage:
    """
    A text for one or more phone numbers, in the manner of Django's EmailMessage.

        SMSMessage(phone_numbers=["+79991234567"], message="Hello").send()

    Sending from your own code leaves no row in the delivery log: that is the campaign manager's, for what it sends.

    `using` is a gateway's alias, `reference` our own id for the request (made by the provider's adapter when left
    out), `sender_id` what the phone shows (None: the gateway's default), `validity_period` how long the carrier may
    try. Numbers are handed over as given; write them in E.164.
    """

    def __init__(
        self,
        phone_numbers: Sequence[str],
        message: str,
        *,
        using: str = DEFAULT_ALIAS,
        reference: str | None = None,
        sender_id: str | None = None,
        validity_period: timedelta | None = None,
    ) -> None:
        if isinstance(phone_numbers, (str, bytes)):
            raise TypeError('phone_numbers must be a list or tuple of numbers, like ["+79991234567"], not one string.')
        # A PhoneNumber of django-phonenumber-field prints itself with spaces.
        self.phone_numbers = [str(getattr(number, "as_e164", number)) for number in phone_numbers]
        self.message = str(message)
        self.using = using
        self.reference = reference
        self.sender_id = sender_id
        self.validity_period = validity_period

    def __repr__(self) -> str:
        return f"<SMSMessage to {len(self.phone_numbers)} number(s) using {self.using!r}>"

    def send(self) -> list[SendResult]:
        """
        Send, and return one `SendResult` per number, in order.

        Raises `SmsError` only when nothing has been written to the provider yet, and ImproperlyConfigured when the
        gateway is not set up right. After the first byte of a request it always returns.
        """
        backend = get_sms_backend(self.using)
        return _send_permitted([self], lambda permitted: permitted[0].send_through(backend))

    @classmethod
    def send_many(cls, messages: Sequence[SMSMessage]) -> list[SendResult]:
        """
        Send different texts in one go through one gateway; results of all recipients, flat and in order.

        Raises ValueError when the messages name different gateways; otherwise as `send()`.
        """
        messages = [message for message in messages if message.phone_numbers]
        if not messages:
            return []
        aliases = {message.using for message in messages}
        if len(aliases) > 1:
            raise ValueError(f"send_many() takes messages of one gateway, not of {', '.join(sorted(aliases))}.")
        backend = get_sms_backend(messages[0].using)
        return _send_permitted(
            messages, lambda permitted: _results_of(backend, permitted, lambda: backend.send_messages(permitted))
        )

    def send_through(self, backend: BaseSmsBackend) -> list[SendResult]:
        """
        One `send_sms()` of this backend, whatever interface it was written for.

        Only for `BaseSmsBackend.send_messages()`; everybody else calls `send()`. Raises as `send()`.
        """
        extras = self._extras(backend)
        return _results_of(backend, [self], lambda: backend.send_sms(self.phone_numbers, self.message, **extras))

    def _extras(self, backend: BaseSmsBackend) -> dict[str, Any]:
        """The keywords that this adapter's send_sms() takes. What it cannot carry is an error, never dropped."""
        wanted = {"sender_id": self.sender_id, "validity_period": self.validity_period, "reference": self.reference}
        accepted = _accepted_keywords(type(backend).send_sms)
        extras = {}
        for name, value in wanted.items():
            if value is None:
                continue
            if accepted is None or name in accepted:
                extras[name] = value
            elif name != "reference":  # our own bookkeeping: a provider that cannot carry it loses nothing
                raise UnsupportedFeatureError(f"{backend.path()} cannot carry {name}.")
        return extras

    def _to(self, phone_numbers: list[str]) -> SMSMessage:
        """The same message for some of its numbers."""
        return SMSMessage(
            phone_numbers,
            self.message,
            using=self.using,
            reference=self.reference,
            sender_id=self.sender_id,
            validity_period=self.validity_period,
        )


@lru_cache(maxsize=128)
def _accepted_keywords(send_sms: Callable[..., object]) -> frozenset[str] | None:
    """The parameters of an adapter's send_sms(); None when it takes any."""
    parameters = inspect.signature(send_sms).parameters
    if any(parameter.kind is parameter.VAR_KEYWORD for parameter in parameters.values()):
        return None
    return frozenset(parameters)


def takes_reference(send_sms: Callable[..., object]) -> bool:
    """Whether an adapter's send_sms() is given our reference."""
    accepted = _accepted_keywords(send_sms)
    return accepted is None or "reference" in accepted


def _results_of(
    backend: BaseSmsBackend, messages: Sequence[SMSMessage], call: Callable[[], object]
) -> list[SendResult]:
    """
    Turn whatever an adapter does into one result per recipient.

    None is the original interface: accepted. An `SmsError` was raised before anything was written, unless it says
    itself that the outcome is not known. Any other exception may have come after the request was written: unknown.
    """
    recipients = [(number, message.reference) for message in messages for number in message.phone_numbers]
    if not recipients:
        return []
    try:
        answer = call()
        if answer is None:
            return [SendResult(number, Outcome.ACCEPTED, reference=reference) for number, reference in recipients]
        return _matched(backend, recipients, answer)
    except ImproperlyConfigured:
        raise
    except SmsError as error:
        if error.outcome_known:
            raise
        return _all_unknown(recipients, error)
    except Exception as error:
        # Only the type is logged: the words of a foreign error may hold numbers. They are kept with the result.
        logger.error("%s raised %s; unknown: %d recipient(s)", backend.path(), type(error).__name__, len(recipients))
        unknown = OutcomeUnknownError(f"{backend.path()} failed: {type(error).__name__}: {error}")
        unknown.__cause__ = error
        return _all_unknown(recipients, unknown)


def _all_unknown(recipients: Iterable[Recipient], error: SmsError) -> list[SendResult]:
    return [SendResult(number, Outcome.UNKNOWN, reference=reference, error=error) for number, reference in recipients]


def _matched(backend: BaseSmsBackend, recipients: Sequence[Recipient], answer: object) -> list[SendResult]:
    """One result per recipient, in order. A recipient that the answer does not name is unknown, never accepted."""
    if not isinstance(answer, Iterable):
        raise TypeError(f"send_sms() must return a list of SendResult or None, not {answer!r}")
    results = list(answer)
    if not all(isinstance(result, SendResult) for result in results):
        raise TypeError("send_sms() must return nothing but SendResult in its list")
    if [result.phone_number for result in results] != [number for number, _ in recipients]:
        results = _rearranged(backend, recipients, results)
    return [
        replace(result, reference=reference) if reference and not result.reference else result
        for result, (_, reference) in zip(results, recipients, strict=True)
    ]


def _rearranged(
    backend: BaseSmsBackend, recipients: Sequence[Recipient], results: Sequence[SendResult]
) -> list[SendResult]:
    missing = OutcomeUnknownError(f"{backend.path()} did not name every recipient in its answer.")
    by_number: dict[str, list[SendResult]] = {}
    for result in results:
        by_number.setdefault(result.phone_number, []).append(result)
    return [
        by_number[number].pop(0)
        if by_number.get(number)
        else SendResult(number, Outcome.UNKNOWN, reference=reference, error=missing)
        for number, reference in recipients
    ]


def _send_permitted(
    messages: Sequence[SMSMessage], send: Callable[[Sequence[SMSMessage]], list[SendResult]]
) -> list[SendResult]:
    """Keep the numbers that this installation may not write to from the provider; they come back rejected, in place."""
    refused = refusals(number for message in messages for number in message.phone_numbers)
    if not refused:
        return send(messages)
    reduced = [
        message._to([number for number in message.phone_numbers if number not in refused]) for message in messages
    ]
    permitted = [message for message in reduced if message.phone_numbers]
    sent = iter(send(permitted) if permitted else [])
    return [
        SendResult(number, Outcome.REJECTED, reference=message.reference, error=refused[number])
        if number in refused
        else next(sent)
        for message in messages
        for number in message.phone_numbers
    ]
