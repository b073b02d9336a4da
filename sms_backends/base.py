"""What an adapter is. Subclass `BaseSmsBackend`, implement `send_sms()`, declare the options and capabilities."""

from __future__ import annotations

import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

from django.core.checks import CheckMessage, Warning
from django.core.exceptions import ImproperlyConfigured
from django.http import HttpRequest

from .exceptions import PermanentRequestError, Scope, SmsError, TemporaryError, UnsupportedFeatureError
from .results import (
    Balance,
    Capabilities,
    DeliveryReceipt,
    IncomingSms,
    LookupResult,
    Outcome,
    Price,
    SendResult,
)

if TYPE_CHECKING:
    from .message import SMSMessage


@dataclass(frozen=True, slots=True)
class Option:
    """One entry of a gateway's OPTIONS: its default (`...` means it must be given) and one line of help."""

    default: Any = ...
    help: str = ""


class BaseSmsBackend:
    """
    An adapter to one provider, configured for one account (a gateway).

    The least an adapter does is `send_sms(phone_numbers, message)`. One that returns nothing is taken at its word:
    every recipient counts as accepted, without an id. Adapters are used from several threads at once.
    """

    #: The company, in its own capitals.
    provider_name: ClassVar[str] = ""
    capabilities: ClassVar[Capabilities] = Capabilities()
    #: OPTIONS that the adapter knows. None (an adapter of the original interface) accepts any.
    known_options: ClassVar[Mapping[str, Option] | None] = None
    #: The option with the secret by which webhooks are verified, for adapters that have them; a check asks for it.
    webhook_signed_by: ClassVar[str] = ""
    #: Body of the 200 answer to a webhook; some providers insist on a word.
    webhook_answer: ClassVar[str] = ""

    def __init__(self, *, alias: str = "default", **options: Any) -> None:
        """Raises ImproperlyConfigured for an unknown or missing option. Opens no connection."""
        self.alias = alias
        self.options = self._checked_options(options)

    @classmethod
    def path(cls) -> str:
        """The dotted path that names this backend in settings."""
        return f"{cls.__module__}.{cls.__qualname__}"

    def _checked_options(self, options: dict[str, Any]) -> dict[str, Any]:
        if self.known_options is None:
            return options
        for name in options:
            if name not in self.known_options:
                known = ", ".join(sorted(self.known_options)) or "none"
                example = self._example(next(iter(sorted(self.known_options)), None))
                raise ImproperlyConfigured(
                    f"Gateway {self.alias!r}: {self.path()} has no option {name!r}. Known options: {known}. {example}"
                )
        checked = {}
        for name, option in self.known_options.items():
            value = options.get(name, option.default)
            if value is ...:
                raise ImproperlyConfigured(
                    f"Gateway {self.alias!r}: {self.path()} needs the option {name!r} ({option.help}). "
                    f"{self._example(name)}"
                )
            checked[name] = value
        return checked

    def _example(self, option: str | None) -> str:
        options = f'{{"{option}": ...}}' if option else "{}"
        setting = "SMS_SETTINGS = %s" if self.alias == "default" else f'SMS_GATEWAYS = {{"{self.alias}": %s}}'
        return "Example: " + setting % f'{{"BACKEND": "{self.path()}", "OPTIONS": {options}}}'

    def check(self) -> list[CheckMessage]:
        """What `manage.py check` should say about this gateway. Override to add to it; opens no connection."""
        if not self.webhook_signed_by or self.options.get(self.webhook_signed_by):
            return []
        return [
            Warning(
                f"Gateway '{self.alias}' ({self.provider_name}) has no {self.webhook_signed_by}: "
                "delivery receipts and incoming messages that the provider pushes are refused.",
                hint=f'Set it in OPTIONS: {{"{self.webhook_signed_by}": "..."}}, and the same at the provider.',
                id="sms_backends.W001",
            )
        ]

    # --- sending -------------------------------------------------------------------------------------------

    def send_sms(self, phone_numbers: Sequence[str], message: str) -> list[SendResult] | None:
        """
        Send one text to several numbers; return one `SendResult` per number, in order.

        An adapter may take the keywords `reference`, `sender_id` and `validity_period` as well; those it names in its
        signature are passed on. With `capabilities.idempotent_submit` the reference is the provider's idempotency key,
        and the call one request. May raise `SmsError` only before the first request is written; after that it returns,
        with the error of a whole request attached to each result.
        """
        raise NotImplementedError("An SMS backend must implement send_sms(phone_numbers, message).")

    def send_messages(self, messages: Sequence[SMSMessage]) -> list[SendResult]:
        """
        Send different texts in one go; return the results of all recipients of all messages, flat and in order.

        The default asks `send_sms()` once per message. After an answer that concerns the following messages as well
        (account refused, throttled, provider down, outcome unknown) they are not offered any more: they come back
        rejected with an error that is not permanent, provably not taken. May raise `SmsError` before the first
        request, like `send_sms()`.
        """
        results: list[SendResult] = []
        obstacle: SmsError | None = None
        for message in messages:
            if obstacle is not None:
                results += self.results_for(message, Outcome.REJECTED, obstacle)
                continue
            try:
                answer = message.send_through(self)
            except SmsError as error:
                if len(messages) == 1:
                    raise
                answer = self.results_for(message, Outcome.REJECTED, error)
            except ImproperlyConfigured as error:
                if not results:
                    raise
                answer = self.results_for(message, Outcome.REJECTED, _not_configured(error))
            results += answer
            obstacle = _obstacle(answer)
        return results

    def results_for(
        self, message: SMSMessage, outcome: Outcome, error: SmsError | None = None, raw: object = None
    ) -> list[SendResult]:
        """The same outcome for each recipient of a message."""
        return [
            SendResult(number, outcome, reference=message.reference, error=error, raw=raw)
            for number in message.phone_numbers
        ]

    def new_reference(self) -> str:
        """A fresh reference with at least 80 random bits, in the form that the provider accepts as our own id."""
        return secrets.token_hex(16)

    # --- what became of it ---------------------------------------------------------------------------------

    def lookup(self, queries: Sequence[tuple[str, str]]) -> list[LookupResult]:
        """
        Ask "did you take reference X for number Y?" for each (reference, phone number), answers in order.

        Only for `capabilities.lookup_by_reference`. Never raises for a provider's answer: what could not be asked is
        `LookupStatus.UNANSWERED`.
        """
        raise UnsupportedFeatureError(f"{self.path()} cannot look up messages by reference.")

    def fetch_receipts(self, messages: Sequence[tuple[str, str]]) -> list[DeliveryReceipt]:
        """
        Ask for the state of messages by (provider message id, phone number).

        Only for `capabilities.receipts_poll`. Messages that the provider says nothing about are left out. Raises
        `SmsError` when the question could not be asked.
        """
        raise UnsupportedFeatureError(f"{self.path()} cannot be asked for delivery receipts.")

    # --- webhooks ------------------------------------------------------------------------------------------

    def verify_webhook(self, request: HttpRequest) -> None:
        """
        Raise `WebhookVerificationError` unless the provider's signature or secret is right (answered 403).

        Compare in constant time. Without a configured secret nothing is right. The words of the error are logged: no
        numbers, texts or secrets in them. An adapter without webhooks leaves this
        method alone (answered 404).
        """
        raise UnsupportedFeatureError(f"{self.path()} takes no delivery receipts or incoming messages.")

    def parse_webhook(self, request: HttpRequest) -> list[DeliveryReceipt | IncomingSms]:
        """
        The receipts and incoming messages in a verified request.

        Raises ValueError when the request cannot be understood (answered 400).
        """
        raise UnsupportedFeatureError(f"{self.path()} takes no delivery receipts or incoming messages.")

    # --- money and identity --------------------------------------------------------------------------------

    def get_balance(self) -> Balance:
        """Money left. Only for `capabilities.balance`. Raises `SmsError`."""
        raise UnsupportedFeatureError(f"{self.path()} cannot tell the balance.")

    def get_price(self, phone_numbers: Sequence[str], message: str) -> Price:
        """What a text would cost, without sending it. Only for `capabilities.price`. Raises `SmsError`."""
        raise UnsupportedFeatureError(f"{self.path()} cannot tell the price.")

    def account_fingerprint(self) -> str:
        """A short hash that differs between accounts (address and login), so that a look-up asks the right one."""
        return ""

    def close(self) -> None:
        """Close pooled connections. Called when the settings change and at the end of a process."""


def _not_configured(error: ImproperlyConfigured) -> SmsError:
    """The same as an error of the account, for a place where other messages have been sent already."""
    return PermanentRequestError(str(error), scope=Scope.ACCOUNT, permanent=False)


def _obstacle(answer: Sequence[SendResult]) -> SmsError | None:
    """The error for messages that need not be offered after this answer; None when the next one may be tried."""
    for result in answer:
        error = result.error
        if error is None or error.scope is Scope.RECIPIENT:
            continue
        if not error.outcome_known:
            return TemporaryError("Not offered: the request before it ended without an answer that can be understood.")
        if error.scope is Scope.ACCOUNT or not error.permanent:
            return error
    return None
