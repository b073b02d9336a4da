"""
Dispatch: what may go is handed over to the providers, urgent messages first, and what an answer means for the rest.

A campaign without a rate goes straight from `queued` to `sending`, request by request, for about a second at a time.
What is bound by a rate, tried with care after a failure, or urgent, is claimed first and offered in waves.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Sequence

from django.core.exceptions import ImproperlyConfigured

from campaigns import lifecycle
from campaigns.gateway_control import is_on_trial, note_success, pause_gateway, react_to
from campaigns.identity import may_send
from campaigns.models import Campaign, CampaignStatus, Purpose
from sms_backends import BaseSmsBackend, Reason, SmsError, get_sms_backend

from .braking import Watch
from .claim import Claim, ClaimedMessage, Work, claim_again, claim_urgent, claim_work, give_back, look_for_work
from .handover import Intent, divide, hand_over_waiting, request_size, write_intents
from .pacing import limits_of, one_second_of, reserve
from .pipeline import Pipeline
from .slots import request_slots
from .verdicts import Then, Verdict

#: For how long messages of a campaign are offered before urgent ones are looked for again, in seconds.
TURN_SECONDS = 1.0
#: How long a worker whose turn has not come waits at a time, in seconds.
STAND_BY_SECONDS = 0.25
#: What was reserved of a rate is used up even if the task's time ends meanwhile, for so many seconds at most.
OVERTIME_SECONDS = 3.0
#: Large requests under way at once: while the provider works on one, the next is written down.
BULK_WIDTH = 2


def send_waiting(campaign_id: int | None, *, seconds: float) -> bool:
    """
    Send waiting messages for at most about `seconds`: urgent ones first, always, then those of the campaign.

    True when there may be more to do at once, False when nothing may be sent now.
    """
    deadline, watch = time.monotonic() + seconds, Watch(campaign_id)
    if not may_send():
        return False
    while time.monotonic() < deadline:
        turn_ends = min(deadline, time.monotonic() + TURN_SECONDS)
        urgent = _send_urgent(turn_ends)
        if urgent.messages:
            continue
        if campaign_id is None:
            if urgent.wait_seconds <= 0:
                return False
            _stand_by(urgent.wait_seconds)
            continue
        watch.look()
        if not _send_campaign(campaign_id, turn_ends):
            return False
    return True


def _send_urgent(deadline: float | None = None) -> Claim:
    """What was claimed, and has been offered by now."""
    claim = claim_urgent()
    if claim.messages:
        send_claim(claim, deadline)
    return claim


def _send_campaign(campaign_id: int, deadline: float) -> bool:
    """One turn. False when nothing of the campaign may be sent now."""
    work = look_for_work(campaign_id)
    if work is None:
        return False
    if work.wait_seconds > 0:
        _stand_by(work.wait_seconds)
        return True
    backend = _backend(work.gateway)
    if backend is None:
        return False
    if not work.needs_claim and not is_on_trial(work.gateway):
        return _send_at_once(work, backend, deadline)
    claim = claim_work(work)
    if claim.messages:
        send_claim(claim, deadline)
    elif claim.wait_seconds > 0:
        _stand_by(claim.wait_seconds)
    return bool(claim.messages) or claim.wait_seconds > 0


def _stand_by(seconds: float) -> None:
    """Until it may be our turn; urgent messages are looked for again and again meanwhile."""
    time.sleep(min(seconds, STAND_BY_SECONDS))


def _backend(alias: str) -> BaseSmsBackend | None:
    """None when the gateway is not set up right: it is paused then, with the reason."""
    try:
        return get_sms_backend(alias)
    except ImproperlyConfigured as error:
        pause_gateway(alias, reason=Reason.BAD_REQUEST, text=str(error))
        return None


# --- without a claim -------------------------------------------------------------------------------------------------


class _Straight:
    """Requests made of rows that wait, as many as there is room for, until the time is up; at least once."""

    def __init__(self, work: Work, backend: BaseSmsBackend, deadline: float) -> None:
        self._work, self._backend, self._deadline = work, backend, deadline
        self._is_dry = False
        self.count = 0

    @property
    def is_exhausted(self) -> bool:
        return self._is_dry or (self.count > 0 and time.monotonic() >= self._deadline)

    def intents(self, room: int) -> list[Intent]:
        intents = hand_over_waiting(self._work, self._backend, requests=room)
        self.count += len(intents)
        self._is_dry = not intents
        return intents


def _send_at_once(work: Work, backend: BaseSmsBackend, deadline: float) -> bool:
    """False when nothing could be offered."""
    capabilities = backend.capabilities
    is_bulk = request_size(work.campaign, capabilities) > 1
    widest = (1 if capabilities.pretends else BULK_WIDTH) if is_bulk else capabilities.max_connections
    with request_slots(backend, max(1, min(widest, capabilities.max_connections))) as granted:
        if not granted:
            return True
        feed = _Straight(work, backend, deadline)
        _run(backend, feed, width=granted, ahead=not is_bulk, urgent_meanwhile=True)
    return feed.count > 0


# --- what was claimed ------------------------------------------------------------------------------------------------


class _Wave:
    """Requests made of claimed rows, all at once."""

    def __init__(self, claim: Claim, requests: Sequence[Sequence[ClaimedMessage]], backend: BaseSmsBackend) -> None:
        self._claim, self._requests, self._backend = claim, requests, backend
        self.is_exhausted = False

    def intents(self, room: int) -> list[Intent]:
        assert room >= len(self._requests)
        self.is_exhausted = True
        return write_intents(self._claim, self._requests, self._backend)


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
    backend = _backend(alias)
    if backend is None:
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
    requests = divide(messages, backend.capabilities)
    width = 1 if len(requests[0]) > 1 else max(1, backend.capabilities.max_connections)
    while requests:
        time_slots.wait()
        if deadline is not None and time.monotonic() > deadline:
            return False
        wanted = min(width, len(requests))
        with request_slots(backend, wanted, urgent=_is_urgent(messages), alone=on_trial) as granted:
            wave, requests = requests[:granted], requests[granted:]
            if not wave:
                return True
            if not _run(backend, _Wave(claim, wave, backend), width=len(wave)):
                return False
        time_slots.pass_by([message for request in wave for message in request])
    return True


def _is_urgent(messages: Sequence[ClaimedMessage]) -> bool:
    return messages[0].purpose != Purpose.CAMPAIGN


# --- what an answer means for the rest -------------------------------------------------------------------------------


def _run(
    backend: BaseSmsBackend,
    feed: _Straight | _Wave,
    *,
    width: int,
    ahead: bool = False,
    urgent_meanwhile: bool = False,
) -> bool:
    """False when nothing more should be offered now."""
    pipeline = Pipeline(
        backend,
        width=width,
        ahead=ahead,
        react=lambda verdict: _react(verdict, backend),
        attend=_send_urgent if urgent_meanwhile else None,
    )
    go_on = pipeline.run(feed)
    if go_on and pipeline.has_answers:
        note_success(backend.alias)
    return go_on


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
            if claim.messages and not _run(backend, _Wave(claim, [claim.messages], backend), width=1):
                return False
        finally:
            give_back(claim)
    return True
