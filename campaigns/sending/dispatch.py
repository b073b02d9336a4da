"""
Dispatch: claimed rows -> requests to the provider -> recorded answers.

`SMSMessage` is the only door to a provider. No database transaction is open while a request is. One text to many
travels as one request where the adapter can, different texts too; otherwise a wave of single requests shares a pool of
threads, which do nothing but the request.
"""

from __future__ import annotations

import logging
import time
from collections import Counter
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from enum import Enum, auto

from django.core.exceptions import ImproperlyConfigured
from django.db import Error, connection
from django.db.models.functions import Now

from campaigns import lifecycle
from campaigns.composing import Template
from campaigns.gateway_control import concerns_gateway, is_on_trial, note_success, pause_gateway, react_to
from campaigns.models import Campaign, CampaignStatus, Purpose
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

from .claim import Claim, ClaimedMessage, claim_again, claim_campaign, claim_urgent, give_back
from .handover import Intent, write_intent
from .pacing import limits_of, one_second_of, reserve
from .polling import first_poll
from .record import record_results
from .slots import request_slots

logger = logging.getLogger(__name__)


class NotOffered(TemporaryError):
    """Our own doing: the request was not begun, the provider knows nothing of it."""


#: How long an answer is held in memory and its recording tried again when the database is away, in seconds.
RECORD_SECONDS = 60.0
RECORD_PAUSE = 0.5

#: For how long what was claimed is offered before urgent messages are looked for again, in seconds.
TURN_SECONDS = 1.0
#: How long a worker whose turn has not come waits at a time, in seconds.
STAND_BY_SECONDS = 0.25
#: What was reserved of a rate is used up even if the task's time ends meanwhile, for so many seconds at most.
OVERTIME_SECONDS = 3.0


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
        if claim.wait_seconds > 0:
            _stand_by(claim.wait_seconds)
            continue
        if not claim.messages:
            return False
        send_claim(claim, min(deadline, time.monotonic() + TURN_SECONDS))
    return True


def _stand_by(seconds: float) -> None:
    """Until it may be our turn; urgent messages are looked for again and again meanwhile."""
    time.sleep(min(seconds, STAND_BY_SECONDS))


def send_claim(claim: Claim, deadline: float | None = None) -> None:
    """Offer claimed rows to their providers and record the answers; what was not offered waits again."""
    try:
        for messages in _by_request_kind(claim.messages):
            if not _send_group(claim, messages, deadline):
                return
    finally:
        give_back(claim)


def _by_request_kind(messages: Sequence[ClaimedMessage]) -> list[list[ClaimedMessage]]:
    """
    Messages that may share a request: same campaign, gateway and sender.

    A number stands only once in a request, or neither the answer nor a receipt could tell its messages apart.
    """
    groups: dict[tuple[int | None, str, str, int], list[ClaimedMessage]] = {}
    seen: Counter[str] = Counter()
    for message in messages:
        seen[message.canonical_number] += 1
        key = (message.campaign_id, message.gateway, message.sender_id, seen[message.canonical_number])
        groups.setdefault(key, []).append(message)
    return list(groups.values())


def _send_group(claim: Claim, messages: list[ClaimedMessage], deadline: float | None) -> bool:
    """False when the gateway or the campaign stopped: nothing more of this claim should be offered."""
    alias = messages[0].gateway
    try:
        backend = get_sms_backend(alias)
    except ImproperlyConfigured as error:
        pause_gateway(alias, reason=Reason.BAD_REQUEST, text=str(error))
        return False
    limits = limits_of(alias, messages[0].campaign_id)
    messages = one_second_of(limits, messages)
    on_trial = is_on_trial(alias)
    if on_trial:
        messages = messages[:1]
    time_slots = reserve(limits, messages, urgent=_is_urgent(messages))
    if time_slots is None:
        _stand_by(STAND_BY_SECONDS)
        return True  # these wait again; those of other gateways may go
    if deadline is not None and time_slots.is_limited:
        deadline += OVERTIME_SECONDS
    width = 1 if _is_bulk(messages, backend.capabilities) else max(1, backend.capabilities.max_connections)
    requests = _requests(messages, backend.capabilities)
    while requests:
        time_slots.wait()
        if deadline is not None and time.monotonic() > deadline:
            return False
        wanted = min(width, len(requests))
        with request_slots(backend, wanted, urgent=_is_urgent(messages), alone=on_trial) as granted:
            wave, requests = requests[:granted], requests[granted:]
            if not wave:
                return True
            if not _offer(claim, wave, backend):
                return False
        time_slots.pass_by([message for request in wave for message in request])
    return True


def _is_urgent(messages: Sequence[ClaimedMessage]) -> bool:
    return messages[0].purpose != Purpose.CAMPAIGN


def _offer(claim: Claim, wave: Sequence[Sequence[ClaimedMessage]], backend: BaseSmsBackend) -> bool:
    """Send requests at the same time. The intent of each must be durable before that request, and only then."""
    intents: list[Intent] = []
    failure: Error | None = None
    for messages in wave:
        try:
            intent = write_intent(claim, messages, backend)
        except Error as error:
            # What is written down as handed over already must be, or it would end as unknown.
            failure = error
            break
        if intent.messages:
            intents.append(intent)
    go_on = _settle(intents, _request_all(intents, backend), backend)
    if failure is not None:
        raise failure
    return go_on


def _requests(messages: Sequence[ClaimedMessage], capabilities: Capabilities) -> list[list[ClaimedMessage]]:
    """The messages of each request: as many as the adapter's bulk call takes, else one."""
    size = max(1, capabilities.max_recipients) if _is_bulk(messages, capabilities) else 1
    return [list(messages[start : start + size]) for start in range(0, len(messages), size)]


def _is_bulk(messages: Sequence[ClaimedMessage], capabilities: Capabilities) -> bool:
    same_text = len({message.body for message in messages}) == 1
    return capabilities.bulk_personalized or (capabilities.bulk_same_text and same_text)


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
        SendResult(message.phone_number, outcome, reference=intent.reference, error=error, raw=error.raw)
        for message in intent.messages
    ]


class Then(Enum):
    """What follows when the answer to a request is written down."""

    GO_ON = auto()
    STOP = auto()
    TEND_GATEWAY = auto()
    PAUSE_CAMPAIGN = auto()
    SPLIT = auto()


@dataclass(frozen=True, slots=True)
class Verdict:
    """What the answer to a request means: what is recorded for each recipient, what follows, and which error why."""

    intent: Intent
    results: Sequence[SendResult]
    then: Then = Then.GO_ON
    error: SmsError | None = None


def _settle(intents: Sequence[Intent], answers: Sequence[list[SendResult]], backend: BaseSmsBackend) -> bool:
    """Record the answers, all of them, then react to errors. False when nothing more should be offered now."""
    if not intents:
        return True
    verdicts = [_judge(intent, results) for intent, results in zip(intents, answers, strict=True)]
    _record_all(verdicts, backend)
    _note_handover(intents)
    reactions = [_react(verdict, backend) for verdict in verdicts]
    if not all(reactions):
        return False
    note_success(backend.alias)
    return True


def _judge(intent: Intent, results: Sequence[SendResult]) -> Verdict:
    shared = results[0].error
    if any(result.error is not shared or result.outcome is not results[0].outcome for result in results):
        return _judge_one_by_one(intent, results)
    if shared is None:
        return Verdict(intent, results)
    if isinstance(shared, NotOffered):
        return Verdict(intent, results, Then.STOP, shared)
    if not shared.outcome_known or concerns_gateway(shared):
        return Verdict(intent, results, Then.TEND_GATEWAY, shared)
    if _forbids_campaign(shared, intent):
        return Verdict(intent, _not_taken(results, shared), Then.PAUSE_CAMPAIGN, shared)
    if shared.permanent and len(results) > 1:
        return Verdict(intent, _not_taken(results, shared), Then.SPLIT, shared)
    return Verdict(intent, results)


def _judge_one_by_one(intent: Intent, results: Sequence[SendResult]) -> Verdict:
    """The provider told the recipients apart: each has its own result, and the worst error decides what follows."""
    errors = [result.error for result in results if result.error is not None and result.error.outcome_known]
    troubles = sorted(filter(concerns_gateway, errors), key=lambda error: error.scope is not Scope.ACCOUNT)
    if troubles:
        return Verdict(intent, results, Then.TEND_GATEWAY, troubles[0])
    forbidden = next((error for error in errors if _forbids_campaign(error, intent)), None)
    return Verdict(intent, results, Then.PAUSE_CAMPAIGN if forbidden else Then.GO_ON, forbidden)


def _react(verdict: Verdict, backend: BaseSmsBackend) -> bool:
    """False when nothing more should be offered now."""
    error = verdict.error
    if error is None:
        return True
    if verdict.then is Then.TEND_GATEWAY:
        react_to(backend.alias, error)
        return False
    if verdict.then is Then.PAUSE_CAMPAIGN:
        return not _pause_campaign(verdict.intent, error)
    return verdict.then is Then.SPLIT and _offer_in_halves(verdict.intent, backend)


def _record_all(verdicts: Sequence[Verdict], backend: BaseSmsBackend) -> None:
    """Write down the answers, again and again until the database has them: only this process knows them."""
    give_up = time.monotonic() + RECORD_SECONDS
    waiting = list(verdicts)
    while waiting:
        failures = [(verdict, error) for verdict in waiting if (error := _record(verdict, backend)) is not None]
        waiting = [verdict for verdict, _error in failures]
        if waiting:
            if time.monotonic() > give_up:
                raise failures[0][1]
            connection.close_if_unusable_or_obsolete()
            time.sleep(RECORD_PAUSE)
    _match_early_receipts(verdicts, backend)


def _record(verdict: Verdict, backend: BaseSmsBackend) -> Exception | None:
    """None when it is written down. Whatever the failure is, it must not cost the other answers."""
    try:
        record_results(verdict.intent, verdict.results, poll_after=first_poll(backend.capabilities))
    except Exception as error:
        logger.warning("The answer to %s could not be recorded yet.", verdict.intent.reference, exc_info=True)
        return error
    return None


def _match_early_receipts(verdicts: Sequence[Verdict], backend: BaseSmsBackend) -> None:
    ids = {result.provider_message_id for verdict in verdicts for result in verdict.results}
    try:
        match_early_receipts(backend.alias, [known for known in ids if known])
    except Error:
        logger.warning("Early receipts of gateway %s are matched by the sweeper.", backend.alias, exc_info=True)


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


def _offer_in_halves(intent: Intent, backend: BaseSmsBackend) -> bool:
    """
    A refusal of several recipients counts for none of them: they wait again, and are offered in halves, under new
    references, until the culprit stands alone.
    """
    middle = len(intent.messages) // 2
    for half in (intent.messages[:middle], intent.messages[middle:]):
        claim = claim_again(message.pk for message in half)
        try:
            if claim.messages and not _offer(claim, [claim.messages], backend):
                return False
        finally:
            give_back(claim)
    return True


def _note_handover(intents: Sequence[Intent]) -> None:
    campaigns = {message.campaign_id for intent in intents for message in intent.messages if message.campaign_id}
    Campaign.objects.filter(pk__in=campaigns).update(last_handover_at=Now())
