"""What comes back from a provider: at once (`SendResult`), later (`DeliveryReceipt`), from people (`IncomingSms`)."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import Decimal
from enum import StrEnum

from .exceptions import OutcomeUnknownError, Reason, SmsError


class Outcome(StrEnum):
    """What became of one recipient of a request. Closed list."""

    ACCEPTED = "accepted"
    #: Provably not taken. `error.permanent` says whether the same may be tried again.
    REJECTED = "rejected"
    #: The provider may have taken it; only a receipt, a look-up or a person can settle it.
    UNKNOWN = "unknown"


class DeliveryStatus(StrEnum):
    """A provider's later word on a message, in our vocabulary. `UNMAPPED` keeps the raw word and changes nothing."""

    ACCEPTED = "accepted"
    DELIVERED = "delivered"
    UNDELIVERED = "undelivered"
    EXPIRED = "expired"
    REJECTED = "rejected"
    UNMAPPED = "unmapped"


@dataclass(frozen=True, slots=True)
class SendResult:
    """
    The outcome for one recipient of a request.

    `provider_message_id` may be shared by all recipients of a request; the key is (id, phone number).
    `cost` is in `currency` for all segments; None when the provider does not say. `raw` is the provider's answer,
    JSON-serialisable, with nothing left out. `error` is None for what was accepted and never None otherwise; an error
    whose outcome is not known makes the result `unknown`, so that nothing in doubt can be taken for refused.

    Raises ValueError for an outcome that is not in the list.
    """

    phone_number: str
    outcome: Outcome
    provider_message_id: str | None = None
    reference: str | None = None
    segments: int | None = None
    cost: Decimal | None = None
    currency: str = ""
    error: SmsError | None = None
    raw: object = None

    def __post_init__(self) -> None:
        outcome, error = Outcome(self.outcome), self.error
        if outcome is Outcome.ACCEPTED:
            error = None
        elif error is None:
            error = OutcomeUnknownError() if outcome is Outcome.UNKNOWN else SmsError("The adapter gave no reason.")
        elif not error.outcome_known:
            outcome = Outcome.UNKNOWN
        # The only way to set a field of a frozen dataclass.
        object.__setattr__(self, "outcome", outcome)
        object.__setattr__(self, "error", error)

    @property
    def accepted(self) -> bool:
        return self.outcome is Outcome.ACCEPTED


@dataclass(frozen=True, slots=True)
class DeliveryReceipt:
    """A delivery receipt, pushed by the provider or fetched from it."""

    provider_message_id: str
    phone_number: str
    status: DeliveryStatus
    provider_status: str = ""
    reason: Reason | None = None
    provider_code: str = ""
    provider_text: str = ""
    reference: str | None = None
    at: datetime | None = None
    #: The reason concerns the whole account (no money, blocked), not this number.
    account_level: bool = False
    #: The number is dead or has opted out: nobody should write to it again.
    suppress: bool = False
    raw: object = field(default=None, compare=False)


@dataclass(frozen=True, slots=True)
class IncomingSms:
    """
    A message from a phone (mobile-originated). `to` is the number or short code it was sent to.

    `handled_as` is "stop", "start" or "help" where the provider says that it has taken the message for that and
    answered it: then the same holds here, and nothing is answered a second time.
    """

    phone_number: str
    text: str
    to: str = ""
    provider_message_id: str = ""
    in_reply_to: str = ""
    handled_as: str = ""
    at: datetime | None = None
    raw: object = field(default=None, compare=False)


class LookupStatus(StrEnum):
    """Did the provider take this reference for this number?"""

    TAKEN = "taken"
    NOT_FOUND = "not_found"
    #: The provider could not say (error, throttled, unreadable): nothing is proven.
    UNANSWERED = "unanswered"


@dataclass(frozen=True, slots=True)
class LookupResult:
    """Answer to "did you take reference X for number Y?"; `receipt` is what the provider says of it now."""

    reference: str
    phone_number: str
    status: LookupStatus
    receipt: DeliveryReceipt | None = None
    raw: object = field(default=None, compare=False)


@dataclass(frozen=True, slots=True)
class Balance:
    """Money left on the account."""

    amount: Decimal
    currency: str = ""
    credit: Decimal | None = None


@dataclass(frozen=True, slots=True)
class Price:
    """What one text to one or more numbers would cost, all segments together."""

    amount: Decimal
    currency: str = ""
    segments: int | None = None


@dataclass(frozen=True, slots=True)
class Capabilities:
    """
    What an adapter's provider can do; the engine and the screens ask this, never the class.

    `max_recipients` is per request; `max_connections` is how many requests may be open at once for one account;
    `request_seconds` is how long a call may take at most, from its beginning to its answer, all requests together;
    `settle_seconds` is how long after a request a "not found" starts to count, and `lookup_valid_for` how long after it
    the provider still knows for sure: a later "not found" may only mean "forgotten". Look-ups need
    `account_fingerprint()`.

    `idempotent_submit`: a request that is repeated with the same reference, recipients, texts and sender within
    `idempotency_lifetime` of the first is taken once, however often it comes. One needs the other, or ValueError is
    raised; both need `account_fingerprint()` and a `send_sms()` that takes the reference.
    """

    client_reference: bool = False
    idempotent_submit: bool = False
    lookup_by_reference: bool = False
    bulk_same_text: bool = False
    bulk_personalized: bool = False
    max_recipients: int = 1
    max_connections: int = 1
    validity: bool = False
    sender_id: bool = False
    receipts_push: bool = False
    receipts_poll: bool = False
    incoming_push: bool = False
    balance: bool = False
    price: bool = False
    settle_seconds: int = 60
    request_seconds: float = 60.0
    lookup_valid_for: timedelta = timedelta(days=1)
    idempotency_lifetime: timedelta = timedelta(0)
    #: True when no text ever leaves this machine (simulator, dummy, console, log file).
    pretends: bool = False

    def __post_init__(self) -> None:
        if self.idempotent_submit != (self.idempotency_lifetime > timedelta(0)):
            raise ValueError("idempotent_submit needs an idempotency_lifetime, and the other way round.")
