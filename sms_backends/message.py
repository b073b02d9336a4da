"""`SMSMessage`: a text for one or more numbers, and the only door to a provider."""

from __future__ import annotations

import inspect
from collections.abc import Sequence
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from django.conf import settings
from django.core.exceptions import ImproperlyConfigured

from .exceptions import OutcomeUnknownError, Reason, RecipientRejectedError, SmsError, UnsupportedFeatureError
from .gateways import DEFAULT_ALIAS, get_sms_backend
from .phone_numbers import InvalidPhoneNumber, parse
from .results import Outcome, SendResult

if TYPE_CHECKING:
    from .base import BaseSmsBackend


class SMSMessage:
    """
    A text for one or more phone numbers, in the manner of Django's EmailMessage.

        SMSMessage(phone_numbers=["+79991234567"], message="Hello").send()

    Sending from your own code leaves no row in the delivery log: that is the campaign manager's, for what it sends.

    `using` is a gateway's alias, `reference` our own id for the request (made by the provider's adapter when left
    out), `sender_id` what the phone shows (None: the gateway's default), `validity_period` how long the carrier may try.
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
            raise TypeError('phone_numbers must be a list or tuple of numbers, such as ["+79991234567"], not one string.')
        self.phone_numbers = [str(number) for number in phone_numbers]
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
        return _with_guard([self], lambda allowed: allowed[0].send_through(get_sms_backend(self.using)))

    @classmethod
    def send_many(cls, messages: Sequence[SMSMessage]) -> list[SendResult]:
        """
        Send different texts in one go through one gateway; results of all recipients, flat and in order.

        Raises ValueError when the messages name different gateways; otherwise as `send()`.
        """
        if not messages:
            return []
        aliases = {message.using for message in messages}
        if len(aliases) > 1:
            raise ValueError(f"send_many() takes messages of one gateway, not of {', '.join(sorted(aliases))}.")
        backend = get_sms_backend(messages[0].using)
        return _with_guard(messages, lambda allowed: _guarded_call(backend, allowed, lambda: backend.send_messages(allowed)))

    def _only(self, phone_numbers: list[str]) -> SMSMessage:
        """The same message for some of its numbers."""
        return SMSMessage(
            phone_numbers,
            self.message,
            using=self.using,
            reference=self.reference,
            sender_id=self.sender_id,
            validity_period=self.validity_period,
        )

    def send_through(self, backend: BaseSmsBackend) -> list[SendResult]:
        """One `send_sms()` of this backend, whatever interface it was written for. For adapters and the engine's door."""
        extras = self._extras(backend)
        return _guarded_call(backend, [self], lambda: backend.send_sms(self.phone_numbers, self.message, **extras))

    def _extras(self, backend: BaseSmsBackend) -> dict[str, Any]:
        """The keywords that this adapter's send_sms() takes. What it cannot carry is an error, never dropped."""
        wanted = {"sender_id": self.sender_id, "validity_period": self.validity_period, "reference": self.reference}
        parameters = inspect.signature(backend.send_sms).parameters.values()
        names = {parameter.name for parameter in parameters}
        takes_any = any(parameter.kind is parameter.VAR_KEYWORD for parameter in parameters)
        extras = {}
        for name, value in wanted.items():
            if value is None:
                continue
            if takes_any or name in names:
                extras[name] = value
            elif name != "reference":  # our own bookkeeping: a provider that cannot carry it loses nothing
                raise UnsupportedFeatureError(f"{backend.path()} cannot carry {name}.")
        return extras


def _guarded_call(backend: BaseSmsBackend, messages: Sequence[SMSMessage], call: Any) -> list[SendResult]:
    """
    Turn whatever an adapter does into one result per recipient.

    None is the original interface: accepted. An `SmsError` was raised before anything was written. Any other exception
    may have come after the request was written: unknown.
    """
    recipients = [(number, message.reference) for message in messages for number in message.phone_numbers]
    if not recipients:
        return []
    try:
        results = call()
    except (SmsError, ImproperlyConfigured) as error:
        if getattr(error, "outcome_known", True):
            raise
        return [SendResult(n, Outcome.UNKNOWN, reference=r, error=error) for n, r in recipients]  # type: ignore[arg-type]
    except Exception as error:
        unknown = OutcomeUnknownError(f"{backend.path()} failed: {type(error).__name__}: {error}")
        return [SendResult(n, Outcome.UNKNOWN, reference=r, error=unknown) for n, r in recipients]
    if results is None:
        return [SendResult(n, Outcome.ACCEPTED, reference=r) for n, r in recipients]
    return _matched(backend, recipients, list(results))


def _matched(
    backend: BaseSmsBackend, recipients: list[tuple[str, str | None]], results: list[SendResult]
) -> list[SendResult]:
    """A recipient that the answer does not name in its place is unknown, never accepted."""
    if [result.phone_number for result in results] == [number for number, _ in recipients]:
        return results
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


def _with_guard(messages: Sequence[SMSMessage], send: Any) -> list[SendResult]:
    """Keep numbers that this installation may not write to (`SMS_ONLY_TO`, `SMS_ALLOWED_COUNTRIES`) from the provider."""
    refusals = {number: error for message in messages for number in message.phone_numbers if (error := refusal(number))}
    if not refusals:
        return list(send(messages))
    allowed = [message._only([n for n in message.phone_numbers if n not in refusals]) for message in messages]
    allowed = [message for message in allowed if message.phone_numbers]
    sent = iter(send(allowed) if allowed else [])
    return [
        SendResult(number, Outcome.REJECTED, reference=message.reference, error=refusals[number])
        if number in refusals
        else next(sent)
        for message in messages
        for number in message.phone_numbers
    ]


def refusal(phone_number: str) -> RecipientRejectedError | None:
    """Why this installation may not write to this number; None when it may."""
    only_to = getattr(settings, "SMS_ONLY_TO", None) or []
    countries = getattr(settings, "SMS_ALLOWED_COUNTRIES", None) or []
    if not only_to and not countries:
        return None
    region = getattr(settings, "SMS_DEFAULT_REGION", None)
    try:
        number = parse(phone_number, region)
    except InvalidPhoneNumber as error:
        return RecipientRejectedError(str(error.reason), reason=Reason.INVALID_NUMBER)
    if only_to and number.e164 not in {parse(listed, region).e164 for listed in only_to}:
        return RecipientRejectedError("This installation sends only to the numbers in SMS_ONLY_TO.", reason=Reason.NOT_ALLOWED)
    if countries and number.region not in {country.upper() for country in countries}:
        return RecipientRejectedError(
            "This installation sends only to the countries in SMS_ALLOWED_COUNTRIES.", reason=Reason.COUNTRY_NOT_ENABLED
        )
    return None
