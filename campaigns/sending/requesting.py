"""One request to a provider. `SMSMessage` is the only door; whatever comes back is one result per message."""

from __future__ import annotations

import logging
from dataclasses import replace

from django.core.exceptions import ImproperlyConfigured

from sms_backends import (
    BaseSmsBackend,
    DuplicateReferenceError,
    Outcome,
    OutcomeUnknownError,
    Reason,
    Scope,
    SendResult,
    SmsError,
    SMSMessage,
    checked_before_writing,
)

from .handover import Intent
from .verdicts import NotOffered

logger = logging.getLogger(__name__)


def request(intent: Intent, backend: BaseSmsBackend) -> list[SendResult]:
    """Always one result per message of the intent, in order, whatever happens. Opens no database connection."""

    def check() -> None:
        if not intent.is_fresh():
            raise NotOffered("This process stood still; nothing was offered.")

    try:
        check()  # for adapters that do not write through our `http.py`
        with checked_before_writing(check):
            results = _ask(intent, backend)
        return [_as_taken(result) for result in results] if intent.is_repetition else results
    except SmsError as error:
        return _same(intent, Outcome.REJECTED if error.outcome_known else Outcome.UNKNOWN, error)
    except ImproperlyConfigured as error:
        refused = SmsError(str(error), reason=Reason.BAD_REQUEST)
        refused.scope, refused.permanent = Scope.ACCOUNT, False
        return _same(intent, Outcome.REJECTED, refused)
    except Exception as error:
        # The request may have been written: the one honest answer is that we do not know.
        logger.exception("Gateway %s: the request %s ended in an error.", backend.alias, intent.reference)
        return _same(intent, Outcome.UNKNOWN, OutcomeUnknownError(f"{type(error).__name__}: {error}"))


def not_offered(intent: Intent, why: str) -> list[SendResult]:
    """The answer to a request that was not begun."""
    return _same(intent, Outcome.REJECTED, NotOffered(why))


def _ask(intent: Intent, backend: BaseSmsBackend) -> list[SendResult]:
    first = intent.messages[0]
    if len({message.body for message in intent.messages}) == 1:
        return SMSMessage(
            [message.phone_number for message in intent.messages],
            first.body,
            using=backend.alias,
            reference=intent.reference,
            sender_id=first.sender_id or None,
        ).send()
    return SMSMessage.send_many(
        [
            SMSMessage(
                [message.phone_number],
                message.body,
                using=backend.alias,
                reference=intent.reference,
                sender_id=message.sender_id or None,
            )
            for message in intent.messages
        ]
    )


def _as_taken(result: SendResult) -> SendResult:
    """What a repetition is a duplicate of was taken: nobody else can have made our reference."""
    if isinstance(result.error, DuplicateReferenceError):
        return replace(result, outcome=Outcome.ACCEPTED, raw=result.raw if result.raw is not None else result.error.raw)
    return result


def _same(intent: Intent, outcome: Outcome, error: SmsError) -> list[SendResult]:
    return [
        SendResult(message.phone_number, outcome, reference=intent.reference, error=error, raw=error.raw)
        for message in intent.messages
    ]
