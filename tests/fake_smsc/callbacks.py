"""
The fake SMSC.ru calling back: receipts and incoming messages.

Signed as https://smsc.ru/api/http/miscellaneous/callback/ says.
"""

from __future__ import annotations

import hashlib
import heapq
import itertools
import random
import threading
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from urllib.parse import parse_qsl, urlencode, urlsplit

import requests

from .account import Message


@dataclass(slots=True)
class Callback:
    """
    Where and how receipts are sent by themselves once a message is taken.

    `statuses` are sent for each message, each `delay` seconds after the one before, `copies` times; `reverse` sends the
    last first, and the messages of one request from the last to the first.

    By chance, of which `seed` is the beginning: a message ends as undeliverable (`undeliverable`: how many of them) and
    not as the last of `statuses`; its receipts are sent `doubled`; "passed to operator" is sent after the last word
    (`reversed_share`); a receipt comes for an id that was never given out (`stray`). What the last word was is what
    `messages()` and status.php say from then on.
    """

    url: str
    secret: str
    delay: float = 0.0
    copies: int = 1
    reverse: bool = False
    statuses: Sequence[int] = (1,)
    err: int = 0
    method: str = "POST"
    charset: str = "utf-8"
    seed: int | None = None
    undeliverable: float = 0.0
    doubled: float = 0.0
    reversed_share: float = 0.0
    stray: float = 0.0


PASSED_ON, UNDELIVERABLE = 0, 20


def sign(*parts: str, secret: str, charset: str) -> dict[str, str]:
    payload = ":".join([*parts, secret]).encode(charset)
    return {"md5": hashlib.md5(payload).hexdigest(), "sha1": hashlib.sha1(payload).hexdigest()}


def receipt_fields(
    id_: str, phone: str, status: int, *, secret: str, err: int = 0, charset: str = "utf-8", at: float | None = None
) -> dict[str, str]:
    ts = int(time.time() if at is None else at)
    written = time.strftime("%d.%m.%Y %H:%M:%S", time.gmtime(ts))
    fields = {"id": id_, "phone": phone, "status": str(status), "time": written, "ts": str(ts), "err": str(err)}
    return {**fields, "cnt": "1", "type": "0", **sign(id_, phone, str(status), secret=secret, charset=charset)}


def incoming_fields(phone: str, text: str, to: str, *, secret: str, charset: str = "utf-8") -> dict[str, str]:
    now = int(time.time())
    fields = {"phone": phone, "mes": text, "to": to, "sms_id": "0", "ts": str(now)}
    return {**fields, **sign(phone, text, to, secret=secret, charset=charset)}


def call(
    session: requests.Session, url: str, fields: dict[str, str], *, method: str = "POST", charset: str = "utf-8"
) -> int:
    """Call as SMSC.ru would; return the HTTP status of the answer, 0 when there was none."""
    data = urlencode(fields, encoding=charset)
    try:
        if method == "GET":
            own = urlencode(parse_qsl(urlsplit(url).query, keep_blank_values=True))
            response = session.get(f"{url.partition('?')[0]}?{own}&{data}", timeout=10)
        else:
            headers = {"Content-Type": "application/x-www-form-urlencoded"}
            response = session.post(url, data=data.encode("ascii"), headers=headers, timeout=10)
    except requests.RequestException:
        return 0
    return response.status_code


class CallbackThread(threading.Thread):
    """Sends what is due, in the order of its time."""

    def __init__(self) -> None:
        super().__init__(name="fake-smsc-callbacks", daemon=True)
        self._due: list[tuple[float, int, Callback, dict[str, str]]] = []
        self._order = itertools.count()
        self._changed = threading.Condition()
        self._stopping = False
        self._is_calling = False
        self._random = random.Random()
        self._seed: int | None = None
        #: HTTP statuses of the answers, in the order of the calls.
        self.answers: list[int] = []

    def schedule_by_chance(self, callback: Callback, messages: Sequence[Message]) -> None:
        """Receipts for messages just taken, as the callback's shares say."""
        with self._changed:
            if self._seed != callback.seed:
                self._seed, self._random = callback.seed, random.Random(callback.seed)
            for message in messages:
                for id_, status in self._words(callback, message):
                    fields = receipt_fields(id_, message.phone, status, secret=callback.secret)
                    due = time.monotonic() + callback.delay
                    heapq.heappush(self._due, (due, next(self._order), callback, fields))
            self._changed.notify()

    def _words(self, callback: Callback, message: Message) -> Iterator[tuple[str, int]]:
        """(id, status) of each receipt for one message, which gets the last word as its status."""
        chance = self._random.random
        message.status = UNDELIVERABLE if chance() < callback.undeliverable else callback.statuses[-1]
        message.status_time = time.time()
        statuses = [message.status, PASSED_ON] if chance() < callback.reversed_share else [message.status]
        for status in statuses * (2 if chance() < callback.doubled else 1):
            yield message.id, status
        if chance() < callback.stray:
            yield f"{message.id[:20]}-stray", message.status

    def schedule(self, callback: Callback, messages: Sequence[Message]) -> None:
        """Receipts for messages just taken."""
        steps = list(enumerate(callback.statuses, start=1))
        with self._changed:
            for message in reversed(messages) if callback.reverse else messages:
                delays = [step * callback.delay for step, _ in steps]
                for delay, (_, status) in zip(reversed(delays) if callback.reverse else delays, steps, strict=True):
                    fields = receipt_fields(
                        message.id,
                        message.phone,
                        status,
                        secret=callback.secret,
                        err=callback.err,
                        charset=callback.charset,
                    )
                    for _ in range(callback.copies):
                        order = next(self._order)
                        heapq.heappush(self._due, (time.monotonic() + delay, order, callback, fields))
            self._changed.notify()

    def due_count(self) -> int:
        """How many receipts are still to be sent, the one under way included."""
        with self._changed:
            return len(self._due) + self._is_calling

    def run(self) -> None:
        with requests.Session() as session:
            session.trust_env = False
            while (due := self._next()) is not None:
                callback, fields = due
                self.answers.append(
                    call(session, callback.url, fields, method=callback.method, charset=callback.charset)
                )

    def _next(self) -> tuple[Callback, dict[str, str]] | None:
        with self._changed:
            self._is_calling = False
            while not self._stopping:
                wait = self._due[0][0] - time.monotonic() if self._due else None
                if wait is not None and wait <= 0:
                    _, _, callback, fields = heapq.heappop(self._due)
                    self._is_calling = True
                    return callback, fields
                self._changed.wait(wait)
        return None

    def stop(self) -> None:
        with self._changed:
            self._stopping = True
            self._changed.notify()
        if self.is_alive():
            self.join(timeout=15)
