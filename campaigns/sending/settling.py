"""
Settle: messages of unknown outcome are looked up at the provider, under every reference they ever had.

Taken: the message is `sent`, or what the provider says of it. Not taken: it waits again, and gets a new reference. That
takes two negative answers, a minute apart, both later than the settle time, each from the account that was sent to,
within the time for which the provider remembers, and in a query that did find another message. Anything less proves
nothing: it is asked again, at growing intervals, and in the end left to the operator.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from itertools import groupby
from operator import itemgetter

from django.core.exceptions import ImproperlyConfigured
from django.db import transaction
from django.db.models import F, Prefetch
from django.utils import timezone
from django.utils.translation import gettext_noop

from campaigns import receipts
from campaigns.models import Attempt, EventKind, FailureReason, GatewayState, MessageEvent, MessageStatus, SentMessage
from campaigns.wakeups import wake
from sms_backends import (
    BaseSmsBackend,
    DeliveryReceipt,
    DeliveryStatus,
    LookupResult,
    LookupStatus,
    Outcome,
    gateways,
    get_sms_backend,
)

from . import repetition
from .doubt import can_look_up, can_repeat, lookup_gap, settle_time
from .polling import first_poll
from .record import RETRY_SECONDS
from .requeue import requeue
from .slots import request_slots

logger = logging.getLogger(__name__)

#: Messages in one query: one that the answer to many does not settle is asked about alone.
BATCH = 100
#: Attempts that the provider did take, asked about in the same query.
CONTROLS = 3
#: So many attempts before the doubtful ones are searched for controls.
CONTROL_SPAN = 50_000
#: For one round of questions: far below the task queue's own limit, which would kill the sweeper.
ROUND_SECONDS = 30.0
#: Waits between questions that prove nothing, in seconds; the last one repeats.
LOOKUP_SECONDS = (10, 60, 60, 120, 300, 600, 1800, 3600)

Pair = tuple[str, str]


@dataclass(slots=True)
class _Doubt:
    """An unknown message, with the questions that would settle it: one for each of its attempts."""

    message: SentMessage
    attempts: list[Attempt] = field(default_factory=list)

    def pair(self, attempt: Attempt) -> Pair:
        return attempt.reference, self.message.phone_number


def settle_unknown(limit: int = 5000) -> int:
    """
    Settle the unknown messages that are due. Returns how many were settled.

    A question comes before a repetition, where both are possible: no answer to it can ever text anybody. If it does not
    settle them they are offered again under their reference, which the provider takes once, rather than under a new one
    after two negative answers.
    """
    give_up = time.monotonic() + ROUND_SECONDS
    SentMessage.objects.filter(next_lookup_at__isnull=False).exclude(status=MessageStatus.UNKNOWN).update(
        next_lookup_at=None
    )
    backends = _backends_by_account()
    due = _due(backends, limit)
    settled = 0
    for account, doubts in due.by_account.items():
        settled += _settle_account(backends[account], doubts, give_up)
    settled += _repeat(due, give_up)
    if settled:
        wake("sweep")  # campaigns go on, or are completed
    return settled


def _repeat(due: _Due, give_up: float) -> int:
    """Offer again what could not be asked about, or was and is unknown still, where the provider takes it once."""
    settled = 0
    for alias, references in due.only_repeated.items():
        if backend := _repeatable(alias):
            settled += repetition.repeat(list(references), backend, give_up, leave=True)
    asked = [doubt.message.pk for doubts in due.by_account.values() for doubt in doubts]
    still = SentMessage.objects.filter(pk__in=asked, status=MessageStatus.UNKNOWN).order_by("gateway", "reference")
    for alias, rows in groupby(still.values_list("gateway", "reference").distinct(), key=itemgetter(0)):
        if backend := _repeatable(alias):
            settled += repetition.repeat([reference for _alias, reference in rows], backend, give_up, leave=False)
    return settled


def _backends_by_account() -> dict[str, BaseSmsBackend]:
    """The adapters that can be asked, by the account that they would ask. One that is paused is left in peace."""
    paused = set(GatewayState.objects.filter(paused_at__isnull=False).values_list("alias", flat=True))
    found: dict[str, BaseSmsBackend] = {}
    for alias in gateways:
        try:
            backend = get_sms_backend(alias)
        except ImproperlyConfigured:
            continue  # said on every page already
        if alias not in paused and can_look_up(backend):
            found.setdefault(backend.account_fingerprint(), backend)
    return found


@dataclass(frozen=True, slots=True)
class _Due:
    """The messages whose turn it is: by the account to ask and, where none can be asked, references by gateway."""

    by_account: dict[str, list[_Doubt]] = field(default_factory=dict)
    only_repeated: dict[str, dict[str, None]] = field(default_factory=dict)


def _due(backends: dict[str, BaseSmsBackend], limit: int) -> _Due:
    """Those for which nothing can be done are put off, or left to the operator."""
    attempts = Prefetch("attempts", Attempt.objects.order_by("number"), to_attr="all_attempts")
    due = SentMessage.objects.filter(status=MessageStatus.UNKNOWN, next_lookup_at__lte=timezone.now())
    found = _Due()
    for message in due.order_by("next_lookup_at").prefetch_related(attempts)[:limit]:
        # One that was provably refused is asked about too, where that is possible.
        asked = [one for one in message.all_attempts if one.outcome != Outcome.REJECTED or one.account in backends]
        accounts = {attempt.account for attempt in asked}
        if len(accounts) == 1 and accounts <= backends.keys():
            found.by_account.setdefault(accounts.pop(), []).append(_Doubt(message, asked))
        elif (backend := _repeatable(message.gateway)) is not None and not can_look_up(backend):
            found.only_repeated.setdefault(message.gateway, {})[message.reference] = None
        else:
            _put_off_or_give_up(message, is_known_account=_may_come_back(message.gateway))
    return found


def _repeatable(alias: str) -> BaseSmsBackend | None:
    """The adapter of this gateway, if it takes a repeated request once."""
    try:
        backend = get_sms_backend(alias)
    except ImproperlyConfigured:
        return None
    return backend if can_repeat(backend) else None


def _may_come_back(alias: str) -> bool:
    """Whether the account may be asked later: its gateway is only paused, or not configured at this moment."""
    if GatewayState.objects.filter(alias=alias, paused_at__isnull=False).exists():
        return True
    try:
        get_sms_backend(alias)
    except ImproperlyConfigured:
        return True
    return False


def _put_off_or_give_up(message: SentMessage, *, is_known_account: bool) -> None:
    """An account that nobody can ask any more leaves its messages to the operator."""
    if is_known_account:
        _space_out([message])
    else:
        _leave_to_operator(message, gettext_noop("another account"))


def _leave_to_operator(message: SentMessage, why: str) -> None:
    left = SentMessage.objects.filter(pk=message.pk, status=MessageStatus.UNKNOWN).update(next_lookup_at=None)
    if left:
        MessageEvent.objects.create(message=message, kind=EventKind.LOOKUP, payload={"ended": why})


def _settle_account(backend: BaseSmsBackend, doubts: Sequence[_Doubt], give_up: float) -> int:
    settled = 0
    for batch in _batches(doubts, min(BATCH, max(1, backend.capabilities.max_recipients - CONTROLS))):
        if time.monotonic() > give_up:
            break
        _space_out([doubt.message for doubt in batch])
        answers = _Answers.ask(backend, batch)
        settled += sum(_settle(doubt, answers, backend) for doubt in batch)
        if answers.is_silent:
            break  # the next question would fare no better
    return settled


def _batches(doubts: Iterable[_Doubt], size: int) -> Iterator[list[_Doubt]]:
    """As many messages as `size` questions are enough for, at least one."""
    batch: list[_Doubt] = []
    questions = 0
    for doubt in doubts:
        if batch and questions + len(doubt.attempts) > size:
            yield batch
            batch, questions = [], 0
        batch.append(doubt)
        questions += len(doubt.attempts)
    if batch:
        yield batch


def _space_out(messages: Sequence[SentMessage]) -> None:
    """Set the next question before asking, so that two sweepers do not ask twice and a crash asks later."""
    now = timezone.now()
    with transaction.atomic():
        for message in messages:
            wait = timedelta(seconds=LOOKUP_SECONDS[min(message.lookup_count, len(LOOKUP_SECONDS) - 1)])
            # Not past the moment from which an answer would count.
            settles_at = _settles_at(message)
            next_at = min(now + wait, settles_at) if settles_at > now else now + wait
            waiting = SentMessage.objects.filter(status=MessageStatus.UNKNOWN, next_lookup_at__isnull=False)
            waiting.filter(pk=message.pk).update(next_lookup_at=next_at, lookup_count=F("lookup_count") + 1)


def _settles_at(message: SentMessage) -> datetime:
    """`status_at` is when the lease ended: it ran out, or the request came to an end that says nothing."""
    return (message.status_at or message.created_at) + settle_time(message.gateway)


@dataclass(frozen=True, slots=True)
class _Answers:
    """What the provider said of each pair, and whether the query can be trusted to find what is there."""

    asked_at: datetime
    answered_at: datetime
    results: dict[Pair, LookupResult]
    is_proven: bool

    @classmethod
    def ask(cls, backend: BaseSmsBackend, doubts: Sequence[_Doubt]) -> _Answers:
        # Each once: what was offered again under its reference has several attempts with it.
        pairs = list(dict.fromkeys(doubt.pair(attempt) for doubt in doubts for attempt in doubt.attempts))
        first = min(attempt.pk for doubt in doubts for attempt in doubt.attempts)
        asked_at = timezone.now()
        try:
            with request_slots(backend) as granted:
                found = backend.lookup([*pairs, *_controls(backend, first, asked_at)]) if granted else []
        except Exception as error:
            # Of whatever kind: it must not keep the other gateways from being asked.
            logger.warning(
                "Gateway %s could not be asked what it took: %s", backend.alias, type(error).__name__, exc_info=True
            )
            found = []
        results = {(result.reference, result.phone_number): result for result in found}
        # Nobody else can have made one of our references: what is found was taken, by this account.
        is_proven = any(result.status is LookupStatus.TAKEN for result in results.values())
        return cls(asked_at, timezone.now(), results, is_proven)

    def status(self, pair: Pair) -> LookupStatus:
        result = self.results.get(pair)
        return LookupStatus.UNANSWERED if result is None else result.status

    @property
    def is_silent(self) -> bool:
        return all(result.status is LookupStatus.UNANSWERED for result in self.results.values())


def _controls(backend: BaseSmsBackend, first_doubtful: int, now: datetime) -> list[Pair]:
    """Pairs of the same account that the provider is known to have taken, the latest."""
    taken = Attempt.objects.filter(
        pk__gte=first_doubtful - CONTROL_SPAN,
        account=backend.account_fingerprint(),
        outcome=Outcome.ACCEPTED,
        started_at__gte=now - backend.capabilities.lookup_valid_for,
    )
    return list(taken.order_by("-pk").values_list("reference", "message__phone_number")[:CONTROLS])


def _settle(doubt: _Doubt, answers: _Answers, backend: BaseSmsBackend) -> bool:
    """Draw the conclusion for one message. True when it is not unknown any more."""
    taken = [one for one in doubt.attempts if answers.status(doubt.pair(one)) is LookupStatus.TAKEN]
    if taken:
        for attempt in taken:
            _record_taken(attempt, answers.results[doubt.pair(attempt)])
        return True
    oldest = min(one.started_at for one in doubt.attempts if one.outcome != Outcome.REJECTED)
    if answers.answered_at > oldest + backend.capabilities.lookup_valid_for:
        _leave_to_operator(doubt.message, gettext_noop("too long ago"))
        return False
    not_found = all(answers.status(doubt.pair(one)) is LookupStatus.NOT_FOUND for one in doubt.attempts)
    if not (not_found and answers.is_proven) or answers.asked_at < _settles_at(doubt.message):
        return False
    return _note_not_found(doubt, answers)


def _record_taken(attempt: Attempt, result: LookupResult) -> None:
    """The provider took this attempt: on the attempt, and through its receipt on the message."""
    number = result.phone_number
    taken = DeliveryReceipt(
        attempt.provider_message_id or attempt.reference,
        number,
        DeliveryStatus.ACCEPTED,
        provider_status="taken",
        reference=attempt.reference,
    )
    said = result.receipt or taken
    with transaction.atomic():
        receipts.apply(attempt.gateway, said)
        # A word that we have no meaning for, or on an attempt that was not the last, still says: taken.
        if SentMessage.objects.filter(pk=attempt.message_id, status=MessageStatus.UNKNOWN).exists():
            receipts.apply(attempt.gateway, taken)
        Attempt.objects.filter(pk=attempt.pk).exclude(outcome=Outcome.ACCEPTED).update(
            outcome=Outcome.ACCEPTED, provider_message_id=said.provider_message_id, finished_at=timezone.now()
        )
        SentMessage.objects.filter(pk=attempt.message_id).update(next_lookup_at=None)
        _expect_receipt(attempt)


def _expect_receipt(attempt: Attempt) -> None:
    wait = first_poll(get_sms_backend(attempt.gateway).capabilities)
    if wait is not None:
        SentMessage.objects.filter(pk=attempt.message_id, status=MessageStatus.SENT, next_poll_at=None).update(
            next_poll_at=timezone.now() + wait
        )


def _note_not_found(doubt: _Doubt, answers: _Answers) -> bool:
    """The first negative answer is remembered, the second one puts the message back into the queue."""
    with transaction.atomic():
        locked = (
            SentMessage.objects.select_for_update()
            .filter(pk=doubt.message.pk, status=MessageStatus.UNKNOWN, next_lookup_at__isnull=False)
            .filter(attempt_count=doubt.message.attempt_count)
            .exclude(events__kind=EventKind.LEFT)
            .first()
        )
        if locked is None:
            return False  # a receipt or an operator was quicker
        MessageEvent.objects.create(message=locked, kind=EventKind.LOOKUP, payload={"status": "not_found"})
        if locked.not_found_at is None:
            locked.not_found_at = answers.answered_at
            locked.next_lookup_at = answers.answered_at + lookup_gap()
        elif answers.asked_at < locked.not_found_at + lookup_gap():
            locked.next_lookup_at = locked.not_found_at + lookup_gap()
        else:
            _offer_again(locked)
        locked.save()
        return locked.status != MessageStatus.UNKNOWN


def _offer_again(locked: SentMessage) -> None:
    """Provably not taken: it waits again. One that ends in doubt each time it is offered is given up at last."""
    locked.next_lookup_at = locked.not_found_at = None
    locked.retry_count += 1
    if locked.retry_count > len(RETRY_SECONDS):
        locked.status, locked.status_at = MessageStatus.FAILED, timezone.now()
        locked.reason = FailureReason.RETRIES_USED
        return
    requeue([locked])
    if locked.status == MessageStatus.QUEUED:
        locked.reason = locked.reason_text = ""
