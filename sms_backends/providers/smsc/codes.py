"""
What SMSC.ru's codes mean to us. Nothing outside the SMSC.ru adapter reads them.

Sources: https://smsc.ru/api/http/send/ (errors of a request), https://smsc.ru/api/http/status_messages/statuses/
(states of a message and the codes of `err`), English mirror https://smscentre.com/api/http/.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal, InvalidOperation
from typing import Any

from sms_backends.exceptions import (
    AccountBlockedError,
    AuthenticationError,
    ContentRejectedError,
    InsufficientFundsError,
    OutcomeUnknownError,
    PermanentRequestError,
    ProtocolError,
    Reason,
    RecipientRejectedError,
    RepeatedRequestError,
    Scope,
    SenderRejectedError,
    SmsError,
)
from sms_backends.results import DeliveryReceipt, DeliveryStatus


@dataclass(frozen=True, slots=True)
class RequestError:
    """What a refusal of a whole request is. `retry_after` in seconds."""

    error: type[SmsError]
    reason: Reason | None = None
    retry_after: float | None = None
    #: The fault lies with a number, or with a text: it can only be told whose when there is just one.
    of_recipient: bool = False
    of_text: bool = False


#: `error_code` of any script, https://smsc.ru/api/http/send/#menu. All are refusals: nothing of the request was taken.
REQUEST_ERRORS: Mapping[int, RequestError] = {
    1: RequestError(PermanentRequestError),
    2: RequestError(AuthenticationError),
    3: RequestError(InsufficientFundsError),
    # "IP address temporarily blocked for frequent errors": going on would prolong it.
    4: RequestError(AccountBlockedError, retry_after=600),
    5: RequestError(PermanentRequestError),
    6: RequestError(ContentRejectedError, of_text=True),
    7: RequestError(RecipientRejectedError, Reason.INVALID_NUMBER, of_recipient=True),
    8: RequestError(RecipientRejectedError, Reason.NO_ROUTE, of_recipient=True),
    # More than one identical request within a minute, or 15 requests at once.
    9: RequestError(RepeatedRequestError, retry_after=60),
}
#: In an answer of status.php, 3 is not "no money" but "no such message".
MESSAGE_NOT_FOUND = 3
#: The same for one message of several.
STATUS_NOT_FOUND = -3


@dataclass(frozen=True, slots=True)
class State:
    """What a message's `status` is in our words."""

    status: DeliveryStatus
    reason: Reason | None = None
    error: type[SmsError] = RecipientRejectedError


#: `status`, https://smsc.ru/api/http/status_messages/statuses/
STATES: Mapping[int, State] = {
    -2: State(DeliveryStatus.ACCEPTED),  # stopped by the account's owner
    -1: State(DeliveryStatus.ACCEPTED),  # waiting to be sent
    0: State(DeliveryStatus.ACCEPTED),  # handed to the operator
    1: State(DeliveryStatus.DELIVERED),
    2: State(DeliveryStatus.DELIVERED),  # read
    3: State(DeliveryStatus.EXPIRED, Reason.EXPIRED),
    4: State(DeliveryStatus.DELIVERED),  # a link in it was followed
    20: State(DeliveryStatus.UNDELIVERED),
    22: State(DeliveryStatus.REJECTED, Reason.INVALID_NUMBER),
    23: State(DeliveryStatus.REJECTED, Reason.BLOCKED),
    24: State(DeliveryStatus.REJECTED, Reason.NO_FUNDS, InsufficientFundsError),
    25: State(DeliveryStatus.REJECTED, Reason.NO_ROUTE),
}
_REFUSED = frozenset({DeliveryStatus.REJECTED, DeliveryStatus.UNDELIVERED})


@dataclass(frozen=True, slots=True)
class Detail:
    """Why a message came to nothing. `suppress`: the number is dead, do not write to it again."""

    reason: Reason
    error: type[SmsError] = RecipientRejectedError
    suppress: bool = False


#: `err` of a state and `error` of a recipient, https://smsc.ru/api/http/status_messages/statuses/
DETAILS: Mapping[int, Detail] = {
    1: Detail(Reason.UNKNOWN_SUBSCRIBER, suppress=True),
    6: Detail(Reason.UNREACHABLE_TEMPORARY),  # not online
    11: Detail(Reason.NO_SERVICE),
    12: Detail(Reason.UNREACHABLE_TEMPORARY),  # fault of the phone or its SIM
    13: Detail(Reason.BARRED),
    21: Detail(Reason.NO_SERVICE),
    219: Detail(Reason.UNREACHABLE_TEMPORARY),  # SIM card replaced, texts held back for a while
    220: Detail(Reason.UNREACHABLE_TEMPORARY),  # operator's queue for the subscriber is full
    237: Detail(Reason.UNREACHABLE_TEMPORARY),  # 237, 240, 242: voice calls
    238: Detail(Reason.CONTENT, ContentRejectedError),  # the operator takes only agreed templates
    239: Detail(Reason.ACCOUNT_BLOCKED, AccountBlockedError),  # address not allowed for the account
    240: Detail(Reason.UNREACHABLE_TEMPORARY),
    241: Detail(Reason.INTERNAL),
    242: Detail(Reason.UNREACHABLE_TEMPORARY),
    243: Detail(Reason.ACCOUNT_BLOCKED, AccountBlockedError),  # needs a contract
    244: Detail(Reason.ACCOUNT_BLOCKED, AccountBlockedError),  # mass sending forbidden
    246: Detail(Reason.NOT_ALLOWED),  # outside the hours that the account allows
    247: Detail(Reason.ACCOUNT_BLOCKED, AccountBlockedError),  # daily limit of the account
    248: Detail(Reason.NO_ROUTE),
    249: Detail(Reason.INVALID_NUMBER),
    250: Detail(Reason.BLOCKED),
    251: Detail(Reason.PER_NUMBER_LIMIT),
    252: Detail(Reason.BLOCKED),
    253: Detail(Reason.SPAM_FILTERED, ContentRejectedError),
    254: Detail(Reason.SENDER, SenderRejectedError),
    255: Detail(Reason.REJECTED_BY_CARRIER),
}
#: Some `err` say more than the state they come with.
_STATUS_BY_DETAIL: Mapping[int, DeliveryStatus] = {
    200: DeliveryStatus.DELIVERED,  # virtual sending, the account's test mode
    245: DeliveryStatus.UNMAPPED,  # no state came from the operator within a day: nothing is known
}


def parse_request_error(answer: Mapping[str, Any], *, recipients: int = 1, texts: int = 1) -> SmsError:
    """
    The error in an answer that refuses a whole request.

    With several recipients (or texts) it cannot be said whose fault it was: then it is the request that is refused,
    for good, and whoever sends may divide it. An undocumented code proves nothing: `ProtocolError`.
    """
    code = parse_int(answer.get("error_code"))
    text = str(answer.get("error", ""))
    known = REQUEST_ERRORS.get(code) if code is not None else None
    if known is None:
        return ProtocolError(
            f"SMSC.ru answered with an undocumented error: {text}",
            provider_code=str(answer.get("error_code", "")),
            provider_text=text,
            raw=dict(answer),
        )
    error, reason = known.error, known.reason
    if (known.of_recipient and recipients > 1) or (known.of_text and texts > 1):
        error, reason = PermanentRequestError, reason or known.error.reason
    return error(
        provider_code=str(code), provider_text=text, reason=reason, retry_after=known.retry_after, raw=dict(answer)
    )


def parse_recipient_error(entry: Mapping[str, Any]) -> SmsError | None:
    """
    Why one recipient of an accepted request was left out; None when it was taken.

    A code that is not documented as a refusal proves nothing: `OutcomeUnknownError`.
    """
    code, state = parse_int(entry.get("error")) or 0, STATES.get(parse_int(entry.get("status")) or 0)
    provider_code = str(entry.get("error") or entry.get("status") or "")
    if detail := DETAILS.get(code):
        return detail.error(
            f"SMSC.ru refused this recipient with error {code}.",
            provider_code=provider_code,
            reason=detail.reason,
            suppress=detail.suppress,
            raw=dict(entry),
        )
    if code == 0 and state is not None and not entry.get("error"):
        if state.status not in _REFUSED:
            return None
        return state.error(
            f"SMSC.ru refused this recipient with status {provider_code}.",
            provider_code=provider_code,
            reason=state.reason,
            raw=dict(entry),
        )
    return OutcomeUnknownError(
        f"SMSC.ru named this recipient with an undocumented code {provider_code}.",
        provider_code=provider_code,
        raw=dict(entry),
    )


def parse_receipt(fields: Mapping[str, Any], *, phone_number: str, reference: str) -> DeliveryReceipt:
    """A receipt from the fields of a push or of status.php; both call them alike but for the time."""
    code, err = parse_int(fields.get("status")), parse_int(fields.get("err")) or 0
    state = STATES.get(code, State(DeliveryStatus.UNMAPPED)) if code is not None else State(DeliveryStatus.UNMAPPED)
    failed = state.status in _REFUSED or state.status is DeliveryStatus.EXPIRED
    detail = DETAILS.get(err) if failed else None
    reason = detail.reason if detail else state.reason
    if failed and reason is None:
        reason = Reason.UNKNOWN
    error = detail.error if detail else state.error
    return DeliveryReceipt(
        provider_message_id=str(fields.get("id", reference)),
        phone_number=phone_number,
        status=_STATUS_BY_DETAIL.get(err, state.status) if failed else state.status,
        provider_status=str(fields.get("status", "")),
        reason=reason,
        provider_code=str(err) if err else "",
        provider_text=str(fields.get("status_name", "")),
        reference=reference,
        at=parse_time(fields.get("last_timestamp") or fields.get("ts")),
        account_level=failed and error.scope is Scope.ACCOUNT,
        suppress=bool(detail and detail.suppress),
        raw=dict(fields),
    )


def parse_int(value: Any) -> int | None:
    """SMSC.ru writes numbers as numbers or as strings."""
    try:
        return int(value)
    except (TypeError, ValueError):
        return None


def parse_decimal(value: Any) -> Decimal | None:
    """An amount of money, which SMSC.ru writes as a string; None for anything else."""
    try:
        amount = Decimal(str(value))
    except InvalidOperation:
        return None
    return amount if amount.is_finite() else None


def parse_time(value: Any) -> datetime | None:
    """Only Unix time can be trusted: the written times are in the account's own time zone."""
    seconds = parse_int(value)
    try:
        return datetime.fromtimestamp(seconds, UTC) if seconds else None
    except (OverflowError, OSError, ValueError):
        return None
