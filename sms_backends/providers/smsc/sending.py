"""
From messages to requests of send.php, and from its answers to results.

Source: https://smsc.ru/api/http/send/sms/
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from sms_backends.exceptions import (
    OutcomeUnknownError,
    PermanentRequestError,
    ProtocolError,
    Reason,
    RecipientRejectedError,
    SmsError,
    UnsupportedFeatureError,
)
from sms_backends.message import SMSMessage
from sms_backends.results import Outcome, SendResult

from .codes import parse_decimal, parse_int, parse_recipient_error, parse_request_error

#: `mes` takes 1000 characters; what happens to a longer one is not documented, so it is not sent.
MAX_CHARACTERS = 1000
#: `id`: "a number or a string of up to 40 Latin letters, digits and .-_"
REFERENCE = re.compile(r"[A-Za-z0-9._-]{1,40}")
PHONE_NUMBER = re.compile(r"\+?\d{5,15}")
#: What a line of `list` cannot carry unchanged: "|" ends a sender, a backslash and n stand for a line break.
_UNLISTABLE = re.compile(r"\||\\n|[\x00-\x08\x0b-\x1f]")


@dataclass(slots=True)
class Recipient:
    """One number of one message, and what became of it."""

    phone_number: str
    message: SMSMessage
    result: SendResult | None = None

    @property
    def digits(self) -> str:
        return self.phone_number.lstrip("+")

    @property
    def text(self) -> str:
        return with_plain_line_breaks(self.message.message)

    def refuse_unfit(self) -> bool:
        """Settle here what SMSC.ru would refuse for a whole request, change, or read as something else."""
        error = self._unfit()
        if error is not None:
            self.result = SendResult(self.phone_number, Outcome.REJECTED, reference=self.message.reference, error=error)
        return error is not None

    def _unfit(self) -> SmsError | None:
        reference = self.message.reference
        if not PHONE_NUMBER.fullmatch(self.phone_number):
            return RecipientRejectedError("This is not an international number.", reason=Reason.INVALID_NUMBER)
        if not self.text.strip():
            return PermanentRequestError("The text is empty.", reason=Reason.CONTENT)
        if len(self.text) > MAX_CHARACTERS:
            return PermanentRequestError(f"SMSC.ru takes {MAX_CHARACTERS} characters at most.", reason=Reason.CONTENT)
        if reference is not None and not REFERENCE.fullmatch(reference):
            return PermanentRequestError("SMSC.ru takes references of 1 to 40 of A-Z a-z 0-9 . _ - only.")
        try:
            format_validity(self.message.validity_period)
        except UnsupportedFeatureError as error:
            return error
        return None


@dataclass(frozen=True, slots=True)
class Request:
    """One call of send.php: recipients that share the reference, the sender and the validity."""

    reference: str
    recipients: Sequence[Recipient]

    @property
    def texts(self) -> list[str]:
        return list(dict.fromkeys(recipient.text for recipient in self.recipients))

    def settle(self, outcome: Outcome, error: SmsError) -> None:
        """The same for all of its recipients."""
        for recipient in self.recipients:
            recipient.result = SendResult(
                recipient.phone_number, outcome, reference=self.reference, error=error, raw=error.raw
            )

    def build_form(self, default_sender: str) -> dict[str, str]:
        """
        The fields of send.php. `op=1` makes it answer for each number, `cost=3` with prices and the balance.

        An empty sender is left out: the account's default.
        """
        message, texts = self.recipients[0].message, self.texts
        form = {"id": self.reference, "op": "1", "cost": "3"}
        if sender := (default_sender if message.sender_id is None else message.sender_id):
            form["sender"] = sender
        if message.validity_period is not None:
            form["valid"] = format_validity(message.validity_period)
        if len(texts) == 1:
            form["phones"] = ",".join(f"+{recipient.digits}" for recipient in self.recipients)
            form["mes"] = texts[0]
        else:
            lines = (f"+{recipient.digits}:{recipient.text}" for recipient in self.recipients)
            form["list"] = "\n".join(line.replace("\n", r"\n") for line in lines)
        return form

    def record(self, answer: Any) -> None:
        """Settle each recipient by what the answer says of it. Raises SmsError for what concerns them all."""
        if not isinstance(answer, dict):
            raise ProtocolError("SMSC.ru answered with something else than an object.", raw=answer)
        if "id" in answer and str(answer["id"]) != self.reference:
            raise ProtocolError("SMSC.ru answered about another request.", raw=answer)
        if "error" in answer or "error_code" in answer:
            raise parse_request_error(answer, recipients=len(self.recipients), texts=len(self.texts))
        if "id" not in answer:
            raise ProtocolError("SMSC.ru did not say what it took.", raw=answer)
        entries = self._entries(answer)
        for recipient in self.recipients:
            recipient.result = self._result(recipient, answer, entries.get(recipient.digits))

    def _entries(self, answer: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
        """What the answer says of each number, by its digits: SMSC.ru writes them without the plus sign."""
        entries = answer.get("phones")
        if entries is None and len(self.recipients) == 1 and (parse_int(answer.get("cnt")) or 0) > 0:
            # Without the list the answer can only be about the one number that was asked for.
            return {self.recipients[0].digits: {"cost": answer.get("cost")}}
        named = [entry for entry in entries if isinstance(entry, dict)] if isinstance(entries, list) else []
        return {str(entry.get("phone", "")).lstrip("+"): entry for entry in named}

    def _result(self, recipient: Recipient, answer: dict[str, Any], entry: dict[str, Any] | None) -> SendResult:
        raw = {**answer, "phones": [entry] if entry else []}
        error: SmsError | None
        if entry is None:
            error = OutcomeUnknownError("SMSC.ru's answer does not name this number.")
        else:
            error = parse_recipient_error(entry)
        if error is not None:
            outcome = Outcome.REJECTED if error.outcome_known else Outcome.UNKNOWN
            return SendResult(recipient.phone_number, outcome, reference=self.reference, error=error, raw=raw)
        return SendResult(
            recipient.phone_number,
            Outcome.ACCEPTED,
            provider_message_id=self.reference,
            reference=self.reference,
            segments=parse_int(answer.get("cnt")) if len(self.recipients) == 1 else None,
            cost=parse_decimal((entry or {}).get("cost")),
            raw=raw,
        )


def divide(
    recipients: Sequence[Recipient], *, max_recipients: int, new_reference: Callable[[], str]
) -> Iterator[Request]:
    """
    Divide into as few requests as reference, sender, validity and texts allow, in the order given.

    What does not fit into one request gets the reference with a suffix. Only requests made because a text does not
    fit into a list share it: SMSC.ru asks for no unique id, and a look-up by (reference, number) finds each of them.
    """
    groups: dict[tuple[Any, ...], list[Recipient]] = defaultdict(list)
    for recipient in recipients:
        message = recipient.message
        groups[message.reference, message.sender_id, message.validity_period].append(recipient)
    used: dict[str, int] = defaultdict(int)
    for group in groups.values():
        for chunk in _chunks_of_distinct_numbers(group, max_recipients):
            reference = group[0].message.reference or new_reference()
            used[reference] += 1
            if used[reference] > 1:
                suffix = f"-{used[reference]}"
                reference = reference[: 40 - len(suffix)] + suffix
            yield from (Request(reference, part) for part in _parts_of_one_form(chunk))


def _chunks_of_distinct_numbers(recipients: Sequence[Recipient], size: int) -> list[list[Recipient]]:
    """Parts of at most `size` that hold no number twice: the answer tells recipients apart by their numbers."""
    chunks: list[dict[str, Recipient]] = []
    first_with_room = 0
    for recipient in recipients:
        while first_with_room < len(chunks) and len(chunks[first_with_room]) >= size:
            first_with_room += 1
        for chunk in chunks[first_with_room:]:
            if len(chunk) < size and recipient.digits not in chunk:
                chunk[recipient.digits] = recipient
                break
        else:
            chunks.append({recipient.digits: recipient})
    return [list(chunk.values()) for chunk in chunks]


def _parts_of_one_form(recipients: Sequence[Recipient]) -> list[list[Recipient]]:
    """All in one when they share a text; otherwise those that fit into a list, and each other text by itself."""
    texts = [recipient.text for recipient in recipients]
    if len(set(texts)) == 1:
        return [list(recipients)]
    parts: dict[str | None, list[Recipient]] = defaultdict(list)
    for recipient, text in zip(recipients, texts, strict=True):
        parts[text if _UNLISTABLE.search(text) else None].append(recipient)
    return list(parts.values())


def with_plain_line_breaks(text: str) -> str:
    """The same text with "\\n" for every kind of line break."""
    return text.replace("\r\n", "\n").replace("\r", "\n")


def format_validity(period: timedelta | None) -> str:
    """`valid`: hh:mm from 00:01 to 24:00, rounded down so that nobody is written to later than was asked for."""
    minutes = 24 * 60 if period is None else int(period.total_seconds() // 60)
    if not 1 <= minutes <= 24 * 60:
        raise UnsupportedFeatureError("SMSC.ru keeps trying for 1 minute to 24 hours, no other validity period.")
    return f"{minutes // 60:02}:{minutes % 60:02}"
