"""
The fake SMSC.ru calling back: receipts and incoming messages.

Signed as https://smsc.ru/api/http/miscellaneous/callback/ says.
"""

from __future__ import annotations

import hashlib
import heapq
import itertools
import threading
import time
from collections.abc import Sequence
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
        #: HTTP statuses of the answers, in the order of the calls.
        self.answers: list[int] = []

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
            while not self._stopping:
                wait = self._due[0][0] - time.monotonic() if self._due else None
                if wait is not None and wait <= 0:
                    _, _, callback, fields = heapq.heappop(self._due)
                    return callback, fields
                self._changed.wait(wait)
        return None

    def stop(self) -> None:
        with self._changed:
            self._stopping = True
            self._changed.notify()
        if self.is_alive():
            self.join(timeout=15)
