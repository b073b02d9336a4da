"""
The error family: what went wrong with a whole request, or with one recipient of it.

The engine never reads a provider's codes. Four facts decide what it does next:
`permanent` (trying again cannot help), `retry_after` (seconds to wait first), `outcome_known` (False: the provider
may have taken the request) and `scope` (what else is concerned: this recipient, this text, the campaign, the account).
"""

from __future__ import annotations

from enum import StrEnum

from django.core.exceptions import SuspiciousOperation


class Scope(StrEnum):
    """What an error concerns beyond the request that met it."""

    RECIPIENT = "recipient"
    MESSAGE = "message"
    CAMPAIGN = "campaign"
    ACCOUNT = "account"


class Reason(StrEnum):
    """Why a recipient got nothing, in the words of the field. Closed: providers' words are mapped to it."""

    INVALID_NUMBER = "invalid_number"
    UNREACHABLE_TEMPORARY = "unreachable_temporary"
    NO_SERVICE = "no_service"
    UNKNOWN_SUBSCRIBER = "unknown_subscriber"
    BARRED = "barred"
    OPTED_OUT = "opted_out"
    BLOCKED = "blocked"
    SPAM_FILTERED = "spam_filtered"
    DUPLICATE = "duplicate"
    NO_ROUTE = "no_route"
    COUNTRY_NOT_ENABLED = "country_not_enabled"
    NOT_ALLOWED = "not_allowed"
    PER_NUMBER_LIMIT = "per_number_limit"
    CONTENT = "content"
    SENDER = "sender"
    EXPIRED = "expired"
    REJECTED_BY_CARRIER = "rejected_by_carrier"
    NO_FUNDS = "no_funds"
    AUTHENTICATION = "authentication"
    ACCOUNT_BLOCKED = "account_blocked"
    THROTTLED = "throttled"
    UNAVAILABLE = "unavailable"
    BAD_REQUEST = "bad_request"
    INTERNAL = "internal"
    UNKNOWN = "unknown"


class SmsError(Exception):
    """
    Base of everything that can go wrong between `SMSMessage.send()` and the provider's answer.

    `provider_code` and `provider_text` are the provider's own, unchanged; `raw` is the answer as it came, fit for JSON.
    `reason`, `permanent` and `scope` come from the class unless given. `suppress` says that the number is dead or has
    opted out, so that nobody should write to it again.
    """

    permanent: bool = True
    outcome_known: bool = True
    scope: Scope = Scope.MESSAGE
    reason: Reason = Reason.UNKNOWN

    def __init__(
        self,
        message: str = "",
        *,
        provider_code: str = "",
        provider_text: str = "",
        reason: Reason | None = None,
        permanent: bool | None = None,
        scope: Scope | None = None,
        retry_after: float | None = None,
        suppress: bool = False,
        raw: object = None,
    ) -> None:
        super().__init__(message or provider_text or self.__class__.__name__)
        self.provider_code = str(provider_code)
        self.provider_text = provider_text
        self.retry_after = retry_after
        self.suppress = suppress
        self.raw = raw
        if reason is not None:
            self.reason = reason
        if permanent is not None:
            self.permanent = permanent
        if scope is not None:
            self.scope = scope


class RecipientRejectedError(SmsError):
    """The provider refuses this number; for good, unless `permanent=False` is given (a daily limit, for instance)."""

    scope = Scope.RECIPIENT


class PermanentRequestError(SmsError):
    """The request itself is wrong (ours to mend); the same request would be refused again."""

    reason = Reason.BAD_REQUEST


class UnsupportedFeatureError(SmsError, ValueError):
    """The message asks for something that this provider cannot carry. It is never dropped silently."""

    reason = Reason.BAD_REQUEST


class ContentRejectedError(SmsError):
    """The provider forbids this text: pause the campaign instead of burning the list."""

    scope = Scope.CAMPAIGN
    reason = Reason.CONTENT


class SenderRejectedError(SmsError):
    """The sender ID is not registered or not allowed."""

    scope = Scope.CAMPAIGN
    reason = Reason.SENDER


class AuthenticationError(SmsError):
    """Wrong login, password or key, or the account does not allow this address."""

    scope = Scope.ACCOUNT
    reason = Reason.AUTHENTICATION
    permanent = False


class InsufficientFundsError(SmsError):
    """The account has no money left; everything can go on after a top-up."""

    scope = Scope.ACCOUNT
    reason = Reason.NO_FUNDS
    permanent = False


class AccountBlockedError(SmsError):
    """The provider has blocked or limited the account."""

    scope = Scope.ACCOUNT
    reason = Reason.ACCOUNT_BLOCKED
    permanent = False


class ThrottledError(SmsError):
    """Too fast: provably not taken, may be sent again after `retry_after` seconds."""

    reason = Reason.THROTTLED
    permanent = False


class RepeatedRequestError(ThrottledError):
    """
    Too fast, or the same request was taken before: the provider does not tell the two apart.

    On a message's first attempt that is "not taken"; on a later one it proves nothing.
    """


class TemporaryError(SmsError):
    """Provably not taken (connection refused, TLS failure): may be sent again later."""

    reason = Reason.UNAVAILABLE
    permanent = False


class OutcomeUnknownError(SmsError):
    """The request was begun and no readable answer came: it may have been taken, and is never sent again on a guess."""

    outcome_known = False
    permanent = False


class DuplicateReferenceError(OutcomeUnknownError):
    """
    The provider has had this reference before (only of adapters with `idempotent_submit`).

    Where the reference was offered again that means "taken"; at a first hand-over it says nothing.
    """

    reason = Reason.DUPLICATE


class ProtocolError(OutcomeUnknownError):
    """The answer could not be understood."""


class WebhookVerificationError(SuspiciousOperation):
    """A call to a receipts or incoming address whose signature is missing or wrong."""


__all__ = [
    "AccountBlockedError",
    "AuthenticationError",
    "ContentRejectedError",
    "DuplicateReferenceError",
    "InsufficientFundsError",
    "OutcomeUnknownError",
    "PermanentRequestError",
    "ProtocolError",
    "Reason",
    "RecipientRejectedError",
    "RepeatedRequestError",
    "Scope",
    "SenderRejectedError",
    "SmsError",
    "TemporaryError",
    "ThrottledError",
    "UnsupportedFeatureError",
    "WebhookVerificationError",
]
