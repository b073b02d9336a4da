"""
Requests under way at one gateway: as many at once as it takes, without a pause between them.

One thread, the one that calls `run()`, does all that concerns the database. In one commit it writes down the answers
that have come and the intents of the requests that follow, and hands these to threads that do nothing but the request.
No transaction is open while it waits. Where requests are short a second one per connection is ready, so that no
connection waits for the database; what was not begun when something goes wrong is put back.
"""

from __future__ import annotations

import logging
import math
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass
from typing import Protocol

from django.db import Error, connection, transaction
from django.db.models.functions import Now

from campaigns.models import Campaign
from campaigns.receipts import match_early_receipts
from sms_backends import BaseSmsBackend, SendResult

from .handover import Intent
from .polling import first_poll
from .record import record_answers
from .requesting import not_offered, request
from .verdicts import Then, Verdict, gateway_trouble, judge

logger = logging.getLogger(__name__)

#: How long an answer is held in memory and its recording tried again when the database is away, in seconds.
RECORD_SECONDS = 60.0
RECORD_PAUSE = 0.5
#: Answers to short requests are gathered for so long at most: a commit for each would cost more than the requests.
GATHER_SECONDS = 0.025
#: And for this share of a request's time, so that the commit comes before the connections have run out of requests.
GATHER_SHARE = 0.5
#: A request is short below this: one that waits behind it is far from too old to be sent.
SHORT_SECONDS = 1.0
#: While it waits for answers, other work is looked at so often.
ATTEND_SECONDS = 0.5
#: How often a campaign is told when its last message was handed over.
NOTE_SECONDS = 1.0
#: How long a receipt that came before its answer was written down waits at most for this process.
EARLY_SECONDS = 0.25


class Feed(Protocol):
    """Where the next requests come from."""

    @property
    def is_exhausted(self) -> bool:
        """Nothing more will come."""

    def intents(self, room: int) -> list[Intent]:
        """Write the intents of at most `room` more requests. Called inside a transaction."""


@dataclass(slots=True)
class Answered:
    """A request that has come to its end."""

    intent: Intent
    results: list[SendResult]
    seconds: float


class Pipeline:
    """
    `width` requests at once through one gateway; `ahead`: a second one per connection may be ready.

    `react` says what an answer means for the rest: False ends the run. `attend` is called now and then while answers
    are waited for.
    """

    def __init__(
        self,
        backend: BaseSmsBackend,
        *,
        width: int,
        react: Callable[[Verdict], bool],
        attend: Callable[[], object] | None = None,
        ahead: bool = False,
    ) -> None:
        self._backend = backend
        self._width = width
        self._react = react
        self._attend = attend
        self._ahead = ahead and width > 1
        self._stopped = threading.Event()
        self._pool = ThreadPoolExecutor(max_workers=width) if width > 1 else None
        self._under_way: set[Future[Answered]] = set()
        self._answered: list[Answered] = []
        self._slowest = math.inf  # not known yet
        self._committed_at = 0.0
        self._noted_at = 0.0
        self._handed_over: set[int] = set()
        self._matched_at = 0.0
        self._taken: set[str] = set()
        self.has_answers = False

    def run(self, feed: Feed) -> bool:
        """Until the feed is exhausted and every answer written down; False when the run was stopped before."""
        try:
            while True:
                self._turn(feed)
                if not self._under_way and not self._answered:
                    if self._stopped.is_set():
                        return False
                    if feed.is_exhausted:
                        return True
                self._wait()
        finally:
            self._finish()

    def _turn(self, feed: Feed) -> None:
        verdicts = [judge(answered.intent, answered.results) for answered in self._take_answers()]
        may_go_on = not self._stopped.is_set() and all(verdict.error is None for verdict in verdicts)
        room = self._room() if may_go_on and not feed.is_exhausted else 0
        if verdicts or room:
            self._start(self._commit(verdicts, feed, room))
        for verdict in verdicts:
            if verdict.error is not None and not self._react(verdict):
                self._stopped.set()

    def _take_answers(self) -> list[Answered]:
        done = {future for future in self._under_way if future.done()}
        self._under_way -= done
        answered = self._answered + [future.result() for future in done]
        self._answered = []
        if answered:
            self.has_answers = True
            self._slowest = max(one.seconds for one in answered)
        return answered

    def _room(self) -> int:
        """How many requests may be added to those under way."""
        is_ahead = self._ahead and self._slowest < SHORT_SECONDS
        return max(self._width * (2 if is_ahead else 1) - len(self._under_way), 0)

    # --- the database ------------------------------------------------------------------------------------------

    def _commit(self, verdicts: Sequence[Verdict], feed: Feed, room: int) -> list[Intent]:
        """Write down the answers, and the intents of the requests that follow, which may be sent then."""
        self._committed_at = time.monotonic()
        try:
            with transaction.atomic():
                self._record(verdicts)
                intents = feed.intents(room) if room else []
        except Exception:
            if not verdicts:
                raise
            # Whatever the failure is, it must not cost an answer: only this process knows them.
            self._record_alone(verdicts)
            return []
        self._match_early_receipts(verdicts)
        self._note_handover(verdicts)
        return intents

    def _record(self, verdicts: Sequence[Verdict]) -> None:
        if verdicts:
            poll_after = first_poll(self._backend.capabilities)
            record_answers([(verdict.intent, verdict.results) for verdict in verdicts], poll_after=poll_after)

    def _record_alone(self, verdicts: Sequence[Verdict]) -> None:
        """Each answer in a commit of its own, again and again until the database has it."""
        give_up = time.monotonic() + RECORD_SECONDS
        waiting = list(verdicts)
        while waiting:
            failures = [(verdict, error) for verdict in waiting if (error := self._try_to_record(verdict)) is not None]
            waiting = [verdict for verdict, _error in failures]
            if waiting:
                if time.monotonic() > give_up:
                    raise failures[0][1]
                connection.close_if_unusable_or_obsolete()
                time.sleep(RECORD_PAUSE)
        self._match_early_receipts(verdicts)
        self._note_handover(verdicts)

    def _try_to_record(self, verdict: Verdict) -> Exception | None:
        """None when it is written down."""
        try:
            with transaction.atomic():
                self._record([verdict])
        except Exception as error:
            logger.warning("The answer to %s could not be recorded yet.", verdict.intent.reference, exc_info=True)
            return error
        return None

    def _match_early_receipts(self, verdicts: Sequence[Verdict], *, at_once: bool = False) -> None:
        """Receipts that were pushed before the answer was written down. Nearly always there are none."""
        self._taken |= {known for verdict in verdicts for one in verdict.results if (known := one.provider_message_id)}
        if not self._taken or not (at_once or time.monotonic() - self._matched_at >= EARLY_SECONDS):
            return
        try:
            match_early_receipts(self._backend.alias, self._taken)
        except Error:
            logger.warning(
                "Early receipts of gateway %s are matched by the sweeper.", self._backend.alias, exc_info=True
            )
        self._taken.clear()
        self._matched_at = time.monotonic()

    def _note_handover(self, verdicts: Sequence[Verdict], *, at_once: bool = False) -> None:
        offered = (verdict.intent.messages[0] for verdict in verdicts if verdict.then is not Then.STOP)
        self._handed_over |= {message.campaign_id for message in offered if message.campaign_id is not None}
        if self._handed_over and (at_once or time.monotonic() - self._noted_at >= NOTE_SECONDS):
            Campaign.objects.filter(pk__in=self._handed_over).update(last_handover_at=Now())
            self._handed_over.clear()
            self._noted_at = time.monotonic()

    # --- the requests ------------------------------------------------------------------------------------------

    def _start(self, intents: Sequence[Intent]) -> None:
        for intent in intents:
            if self._pool is None:
                self._answered.append(self._carry_out(intent))
            else:
                self._under_way.add(self._pool.submit(self._carry_out, intent))

    def _carry_out(self, intent: Intent) -> Answered:
        """In a thread of the pool: one request, unless something has gone wrong at the gateway meanwhile."""
        if self._stopped.is_set():
            return Answered(intent, not_offered(intent, "The request before it went wrong; nothing was offered."), 0.0)
        began = time.monotonic()
        results = request(intent, self._backend)
        if gateway_trouble(results) is not None:
            self._stopped.set()
        return Answered(intent, results, time.monotonic() - began)

    def _wait(self) -> None:
        """For the next answers; for some more of them as long as every connection is busy."""
        if not self._under_way or self._answered:
            return
        while not wait(self._under_way, ATTEND_SECONDS, FIRST_COMPLETED).done:
            if self._attend is not None and not self._stopped.is_set():
                self._attend()
        if self._ahead and len(self._under_way) > self._width:
            gather = min(GATHER_SECONDS, GATHER_SHARE * self._slowest)
            wait(self._under_way, max(self._committed_at + gather - time.monotonic(), 0.0))

    def _finish(self) -> None:
        """However the run ends: what is under way comes to its end, and every answer is written down."""
        self._stopped.set()
        if self._pool is not None:
            self._pool.shutdown(wait=True)
        left = [judge(answered.intent, answered.results) for answered in self._take_answers()]
        if left:
            self._record_alone(left)
        self._match_early_receipts([], at_once=True)
        try:
            self._note_handover([], at_once=True)
        except Error:
            logger.warning("The time of the last hand-over could not be noted.", exc_info=True)
