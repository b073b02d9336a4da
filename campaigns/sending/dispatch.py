"""
Dispatch: claimed rows -> requests to the provider -> recorded answers.

`SMSMessage` is the only door to a provider. No database transaction is open while a request is. One text to many
travels as one request where the adapter can, different texts too; otherwise a wave of single requests shares a pool of
threads, which do nothing but the request.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import timedelta

from django.core.exceptions import ImproperlyConfigured
from django.db import DatabaseError, connection
from django.db.models.functions import Now

from campaigns import lifecycle
from campaigns.composing import Template
from campaigns.gateway_control import concerns_gateway, hold_gateway, note_success, pause_gateway, react_to
from campaigns.models import Campaign, CampaignStatus, SentMessage
from campaigns.receipts import match_early_receipts
from sms_backends import (
    BaseSmsBackend,
    Capabilities,
    Outcome,
    OutcomeUnknownError,
    Reason,
    Scope,
    SendResult,
    SmsError,
    SMSMessage,
    TemporaryError,
    get_sms_backend,
)

from .claim import Claim, claim_again, claim_campaign, claim_urgent, give_back
from .handover import Intent, write_intent
from .record import record_results

logger = logging.getLogger(__name__)


class NotOffered(TemporaryError):
    """Our own doing: the request was not begun, the provider knows nothing of it."""


#: How long an answer is held in memory and its recording tried again when the database is away, in seconds.
RECORD_SECONDS = 60.0

#: After how long a gateway that can be asked is first asked for receipts.
FIRST_POLL = timedelta(seconds=10)
FIRST_POLL_PRETENDING = timedelta(seconds=2)


def send_waiting(campaign_id: int | None, *, seconds: float) -> bool:
    """
    Send waiting messages for at most about `seconds`: urgent ones first, always, then those of the campaign.

    True when there may be more to do at once, False when nothing may be sent now.
    """
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        claim = claim_urgent()
        if not claim.messages and campaign_id is not None:
            claim = claim_campaign(campaign_id)
        if not claim.messages:
            return False
        send_claim(claim, deadline)
    return True


def send_claim(claim: Claim, deadline: float | None = None) -> None:
    """Offer claimed rows to their providers and record the answers; what was not offered waits again."""
    try:
        for messages in _by_request_kind(claim.messages):
            if not _send_group(claim, messages, deadline):
                return
    finally:
        give_back(claim)


def _by_request_kind(messages: Sequence[SentMessage]) -> list[list[SentMessage]]:
    """Messages that may share a request: same campaign, gateway and sender."""
    groups: dict[tuple[int | None, str, str], list[SentMessage]] = {}
    for message in messages:
        groups.setdefault((message.campaign_id, message.gateway, message.sender_id), []).append(message)
    return list(groups.values())


def _send_group(claim: Claim, messages: list[SentMessage], deadline: float | None) -> bool:
    """False when the gateway or the campaign stopped: nothing more of this claim should be offered."""
    alias = messages[0].gateway
    try:
        backend = get_sms_backend(alias)
    except ImproperlyConfigured as error:
        pause_gateway(alias, reason=Reason.BAD_REQUEST, text=str(error))
        return False
    for wave in _waves(messages, backend.capabilities):
        if deadline is not None and time.monotonic() > deadline:
            return False
        # One intent per request: its commit must be durable before that request, and only then.
        intents = [write_intent(claim, request, backend) for request in wave]
        intents = [intent for intent in intents if intent.messages]
        if not _settle(intents, _request_all(intents, backend), backend):
            return False
    return True


def _waves(messages: Sequence[SentMessage], capabilities: Capabilities) -> Iterator[list[list[SentMessage]]]:
    """Requests that go out at the same time: one for adapters with a bulk call, a poolful for the others."""
    same_text = len({message.body for message in messages}) == 1
    bulk = capabilities.bulk_personalized or (capabilities.bulk_same_text and same_text)
    size = max(1, capabilities.max_recipients) if bulk else 1
    requests = [list(messages[start : start + size]) for start in range(0, len(messages), size)]
    width = 1 if bulk else max(1, capabilities.max_connections)
    for start in range(0, len(requests), width):
        yield requests[start : start + width]


def _request_all(intents: Sequence[Intent], backend: BaseSmsBackend) -> list[list[SendResult]]:
    if len(intents) <= 1:
        return [request(intent, backend) for intent in intents]
    with ThreadPoolExecutor(max_workers=len(intents)) as pool:
        return list(pool.map(lambda intent: request(intent, backend), intents))


def request(intent: Intent, backend: BaseSmsBackend) -> list[SendResult]:
    """One request to the provider; always one result per message, whatever happens."""
    if not intent.is_fresh():
        return _same(intent, Outcome.REJECTED, NotOffered("This process stood still; nothing was offered."))
    try:
        return _ask(intent, backend)
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


def _same(intent: Intent, outcome: Outcome, error: SmsError) -> list[SendResult]:
    return [
        SendResult(message.phone_number, outcome, reference=intent.reference, error=error)
        for message in intent.messages
    ]


def _settle(intents: Sequence[Intent], answers: Sequence[list[SendResult]], backend: BaseSmsBackend) -> bool:
    """Record the answers and react to errors of whole requests. False when nothing more should be offered now."""
    go_on = True
    for intent, results in zip(intents, answers, strict=True):
        error = _error_of_request(results)
        if error is None:
            _record(intent, results, backend)
            note_success(backend.alias)
        else:
            go_on = _settle_error(intent, results, error, backend) and go_on
    _note_handover(intents)
    return go_on


def _error_of_request(results: Sequence[SendResult]) -> SmsError | None:
    """The error that all recipients of a request share; None when the provider told them apart or took them."""
    first = results[0].error
    return first if all(result.error is first and result.outcome == results[0].outcome for result in results) else None


def _settle_error(intent: Intent, results: Sequence[SendResult], error: SmsError, backend: BaseSmsBackend) -> bool:
    if not error.outcome_known:
        _record(intent, results, backend)
        hold_gateway(backend.alias, error)
        return False
    if isinstance(error, NotOffered):
        _record(intent, results, backend)
        return False
    if concerns_gateway(error):
        _record(intent, results, backend)
        react_to(backend.alias, error)
        return False
    if _forbids_campaign(error, intent):
        _record(intent, _not_taken(results, error), backend)
        return not _pause_campaign(intent, error)
    if error.permanent and len(intent.messages) > 1:
        return _split(intent, results, error, backend)
    _record(intent, results, backend)
    return True


def _record(intent: Intent, results: Sequence[SendResult], backend: BaseSmsBackend) -> None:
    """Write down the answer, again and again until the database has it: only this process knows it."""
    give_up = time.monotonic() + RECORD_SECONDS
    while True:
        try:
            record_results(intent, results, poll_after=_first_poll(backend.capabilities))
            break
        except DatabaseError:
            if time.monotonic() > give_up:
                raise
            logger.warning("The answer to %s could not be recorded yet.", intent.reference, exc_info=True)
            connection.close_if_unusable_or_obsolete()
            time.sleep(0.5)
    match_early_receipts(backend.alias, {result.provider_message_id or intent.reference for result in results})


def _forbids_campaign(error: SmsError, intent: Intent) -> bool:
    """The sender, or a text that everybody gets, is forbidden: the next request would meet the same."""
    campaign = intent.messages[0].campaign
    if error.scope is not Scope.CAMPAIGN or campaign is None:
        return False
    return error.reason is Reason.SENDER or not Template(campaign.launch["body"]).placeholders


def _not_taken(results: Sequence[SendResult], error: SmsError) -> list[SendResult]:
    """A refusal that is no verdict on these recipients: they wait."""
    waits = NotOffered(str(error), provider_code=error.provider_code, reason=error.reason)
    return [replace(result, error=waits) for result in results]


def _pause_campaign(intent: Intent, error: SmsError) -> bool:
    campaign = Campaign.objects.get(messages=intent.messages[0].pk)
    try:
        lifecycle.pause(campaign, actor=None, reason=str(error), by_engine=True)
    except lifecycle.LifecycleError:
        return campaign.status != CampaignStatus.SENDING  # paused or cancelled by somebody else meanwhile
    return True


def _split(intent: Intent, results: Sequence[SendResult], error: SmsError, backend: BaseSmsBackend) -> bool:
    """
    A refusal of several recipients counts for none of them: they are offered again in halves, under new references,
    until the culprit stands alone.
    """
    _record(intent, _not_taken(results, error), backend)
    middle = len(intent.messages) // 2
    for half in (intent.messages[:middle], intent.messages[middle:]):
        claim = claim_again(message.pk for message in half)
        try:
            part = write_intent(claim, claim.messages, backend) if claim.messages else None
            if part and part.messages and not _settle([part], [request(part, backend)], backend):
                return False
        finally:
            give_back(claim)
    return True


def _first_poll(capabilities: Capabilities) -> timedelta | None:
    if not capabilities.receipts_poll:
        return None
    return FIRST_POLL_PRETENDING if capabilities.pretends else FIRST_POLL


def _note_handover(intents: Sequence[Intent]) -> None:
    campaigns = {message.campaign_id for intent in intents for message in intent.messages if message.campaign_id}
    Campaign.objects.filter(pk__in=campaigns).update(last_handover_at=Now())
