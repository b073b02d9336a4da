"""
One account at the fake SMSC.ru: what it takes, refuses and answers. Knows nothing of HTTP.

Written from https://smsc.ru/api/http/ without a look at our adapter: it shares no code with `sms_backends`.
"""

from __future__ import annotations

import hashlib
import json
import re
import threading
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from decimal import Decimal
from pathlib import Path
from typing import Any, TextIO

ERRORS = {
    1: "parameters error",
    2: "authorise error",
    3: "no money",
    4: "ip blocked",
    5: "time error",
    6: "message is denied",
    7: "invalid number",
    8: "message can not be delivered",
    9: "duplicate request, wait a minute",
}
STATUS_NAMES = {
    -3: "Not found",
    -1: "Waiting",
    0: "Passed to operator",
    1: "Delivered",
    3: "Expired",
    20: "Undeliverable",
}
PRICE = Decimal("2.50")
IDENTICAL_SECONDS = 60
MAX_PARALLEL = 15
MOSCOW = timezone(timedelta(hours=3))
_GSM = re.compile(r"[A-Za-z0-9 \r\n@£$¥èéùìòÇØøÅåΔ_ΦΓΛΩΠΨΣΘΞÆæßÉ!\"#¤%&'()*+,\-./:;<=>?¡ÄÖÑÜ§¿äöñüà^{}\\\[~\]|€]*")


@dataclass(slots=True)
class Message:
    """One message that was taken. `phone` in digits; `request` is the number of the HTTP request that brought it."""

    id: str
    phone: str
    text: str
    sender: str
    time: float
    request: int
    valid: str = ""
    segments: int = 1
    status: int = 0
    err: int = 0
    status_time: float = 0.0


@dataclass(slots=True)
class Refusal:
    """A number that is left out of what is taken, with the `status` or `error` that `op=1` shows for it."""

    status: int | None = None
    error: int | None = None


class DialectError(Exception):
    """An error in the dialect of the service."""

    def __init__(self, code: int, id_: str = "", text: str = "") -> None:
        super().__init__(text or ERRORS.get(code, "error"))
        self.code = code
        self.id = id_


class Account:
    """Safe to use from several threads."""

    def __init__(
        self,
        *,
        login: str = "login",
        password: str = "password",
        apikey: str = "apikey",
        balance: str = "1000000.00",
        ledger: Path | str | None = None,
        deliver_after: float | None = None,
        whole_query_errors: bool = False,
        idempotent: bool = False,
    ) -> None:
        self.login, self.password, self.apikey = login, password, apikey
        self.balance = Decimal(balance)
        self.deliver_after = deliver_after
        #: True: status.php answers error 3 to a whole question when one of its messages does not exist.
        self.whole_query_errors = whole_query_errors
        #: True: a number is taken once under one `id`, however often it comes, and answered as at the first time. The
        #: real one does not do that.
        self.idempotent = idempotent
        self.refusals: dict[str, Refusal] = {}
        #: Numbers that are neither taken nor named in the answer.
        self.omitted: set[str] = set()
        self.forbidden_texts: list[str] = []
        #: Digits of numbers for which a whole request is refused, with the error that it is refused with.
        self.poisonous: dict[str, int] = {}
        self._lock = threading.Lock()
        self._messages: list[Message] = []
        self._by_key: dict[tuple[str, str], Message] = {}
        self._last_id = 0
        self._seen: dict[int, list[float]] = {}
        if ledger and Path(ledger).exists():
            self._remember(Path(ledger))
        self._ledger: TextIO | None = open(ledger, "a", encoding="utf-8") if ledger else None  # noqa: SIM115

    def _remember(self, ledger: Path) -> None:
        """What was taken before this process was started."""
        for line in ledger.read_text(encoding="utf-8").splitlines():
            message = Message(**json.loads(line))
            message.status_time = message.time
            self._messages.append(message)
            self._by_key[message.id, message.phone] = message

    def close(self) -> None:
        if self._ledger:
            self._ledger.close()

    def messages(self) -> list[Message]:
        """All that was taken so far, in order."""
        with self._lock:
            return list(self._messages)

    def change(self, *, password: str | None = None, balance: str | None = None) -> None:
        """What the owner of the account does there."""
        with self._lock:
            self.password = self.password if password is None else password
            self.balance = self.balance if balance is None else Decimal(balance)

    def set_status(self, status: int, err: int = 0, numbers: list[str] | None = None) -> None:
        """What became of all messages, or of those to `numbers`."""
        digits = {number.lstrip("+") for number in numbers or []}
        with self._lock:
            for message in self._messages:
                if not digits or message.phone in digits:
                    message.status, message.err, message.status_time = status, err, time.time()

    # --- send.php ------------------------------------------------------------------------------------------

    def send(self, form: Mapping[str, str], request: int) -> tuple[dict[str, Any], list[Message]]:
        """The answer, and the messages taken. Raises DialectError."""
        self._check_login(form)
        id_, cost = form.get("id", ""), form.get("cost", "0")
        if id_ and not re.fullmatch(r"[A-Za-z0-9._-]{1,40}", id_):
            raise DialectError(1)
        if form.get("time") and not re.fullmatch(r"[\d.: +-]+", form["time"]):
            raise DialectError(5)
        if form.get("valid") and not re.fullmatch(r"\d{1,2}(:\d\d)?", form["valid"]):
            raise DialectError(1)
        lines = list(_lines(form))
        if not lines or any(not text or len(text) > 1000 for _, _, text in lines):
            raise DialectError(1)
        with self._lock:
            if not self.idempotent:
                self._check_identical(form, limit=5 if cost == "1" else 1)
            if any(forbidden in text for _, _, text in lines for forbidden in self.forbidden_texts):
                raise DialectError(6, id_)
            for raw_phone, _, _ in lines:
                if (phone := _normalised(raw_phone)) in self.poisonous:
                    raise DialectError(self.poisonous[phone], id_)
            return self._take(form, lines, request, id_)

    def _take(
        self, form: Mapping[str, str], lines: list[tuple[str, str, str]], request: int, id_: str
    ) -> tuple[dict[str, Any], list[Message]]:
        if not any(_normalised(raw_phone) for raw_phone, _, _ in lines):
            raise DialectError(7, id_)
        if not id_:
            self._last_id += 1
            id_ = str(self._last_id)
        taken, entries = self._weigh(form, lines, request, id_)
        count = sum(count_segments(text) for _, _, text in lines) if self.idempotent else _segments(taken)
        total = _segments(taken) * PRICE
        if form.get("cost") == "1":
            return {"cost": str(total), "cnt": count}, []
        if total > self.balance:
            raise DialectError(3, id_)
        self.balance -= total
        self._keep(taken)
        answer: dict[str, Any] = {"id": _number_or_text(id_), "cnt": count}
        if form.get("cost") in {"2", "3"}:
            answer["cost"] = str(total)
        if form.get("cost") == "3":
            answer["balance"] = str(self.balance)
        if form.get("op") == "1":
            answer["phones"] = entries
        return answer, taken

    def _weigh(
        self, form: Mapping[str, str], lines: list[tuple[str, str, str]], request: int, id_: str
    ) -> tuple[list[Message], list[dict[str, str]]]:
        """The messages that will be taken, and what `op=1` shows of each number."""
        taken: list[Message] = []
        entries: list[dict[str, str]] = []
        now, valid = time.time(), form.get("valid", "")
        for raw_phone, sender, text in lines:
            phone = _normalised(raw_phone)
            refusal = self.refusals.get(phone) if phone else Refusal(error=249)
            if phone in self.omitted:
                continue
            if refusal is not None:
                shown = {"status": refusal.status, "error": refusal.error}
                entries.append({"phone": phone or raw_phone, **{k: str(v) for k, v in shown.items() if v is not None}})
                continue
            parts = count_segments(text)
            if self.idempotent and (known := self._by_key.get((id_, phone))):
                if known.text != text:
                    raise DialectError(1, id_, "another text under the same id")
                entries.append({"phone": phone, "mccmnc": "25001", "cost": str(parts * PRICE)})
                continue
            taken.append(Message(id_, phone, text, sender, now, request, valid, parts, status_time=now))
            entries.append({"phone": phone, "mccmnc": "25001", "cost": str(parts * PRICE)})
        return taken, entries

    def _keep(self, taken: list[Message]) -> None:
        self._messages += taken
        self._by_key.update({(message.id, message.phone): message for message in taken})
        if self._ledger:
            names = ("id", "phone", "text", "sender", "time", "request")
            for message in taken:
                line = {name: getattr(message, name) for name in names}
                self._ledger.write(json.dumps(line, ensure_ascii=False) + "\n")
            self._ledger.flush()

    def _check_identical(self, form: Mapping[str, str], limit: int) -> None:
        key, now = hash(frozenset(form.items())), time.monotonic()
        seen = [at for at in self._seen.get(key, []) if now - at < IDENTICAL_SECONDS]
        if len(seen) >= limit:
            raise DialectError(9)
        self._seen[key] = [*seen, now]

    # --- status.php and balance.php --------------------------------------------------------------------------

    def status(self, form: Mapping[str, str]) -> dict[str, Any] | list[dict[str, Any]]:
        """One object, or an array when there is a comma in what is asked. Raises DialectError."""
        self._check_login(form)
        phones = [_normalised(phone) for phone in form.get("phone", "").split(",") if phone]
        ids = [id_ for id_ in form.get("id", "").split(",") if id_]
        if not phones or len(phones) != len(ids):
            raise DialectError(1)
        with self._lock:
            found = [self._by_key.get(key) for key in zip(ids, phones, strict=True)]
        is_array = "," in form["phone"] or "," in form["id"]
        if None in found and (self.whole_query_errors or not is_array):
            raise DialectError(3, text="message not found")
        items = [
            self._state(message, form.get("all", "0"))
            if message
            else {"status": -3, "last_date": "", "last_timestamp": 0, "err": 0, "id": id_, "phone": phone}
            for message, id_, phone in zip(found, ids, phones, strict=True)
        ]
        return items if is_array else items[0]

    def _state(self, message: Message, detail: str) -> dict[str, Any]:
        if message.status == 0 and self.deliver_after is not None and time.time() >= message.time + self.deliver_after:
            message.status, message.status_time = 1, message.time + self.deliver_after
        state = {
            "status": message.status,
            "last_date": _written(message.status_time),
            "last_timestamp": int(message.status_time),
            "flag": 0,
            "err": message.err,
            "id": _number_or_text(message.id),
            "phone": message.phone,
        }
        if detail in {"1", "2"}:
            state |= {
                "send_date": _written(message.time),
                "send_timestamp": int(message.time),
                "cost": str(message.segments * PRICE),
                "sender_id": message.sender,
                "status_name": STATUS_NAMES.get(message.status, ""),
                "message": message.text,
                "mccmnc": "25001",
                "type": 0,
                "sms_cnt": message.segments,
            }
        if detail == "2":
            state |= {"country": "Россия", "operator": "МТС", "operator_orig": "МТС", "region": "Москва"}
        return state

    def balance_answer(self, form: Mapping[str, str]) -> dict[str, Any]:
        self._check_login(form)
        with self._lock:
            return {"balance": str(self.balance), "currency": "RUR"}

    def _check_login(self, form: Mapping[str, str]) -> None:
        if form.get("apikey"):
            ok = form["apikey"] == self.apikey
        elif not form.get("login"):
            ok = form.get("psw") == self.apikey
        else:
            plain = self.password.encode()
            hashes = {hashlib.md5(plain).hexdigest(), hashlib.sha1(plain).hexdigest()}
            ok = form["login"] == self.login and form.get("psw") in {self.password, *hashes}
        if not ok:
            raise DialectError(2)


def _lines(form: Mapping[str, str]) -> Iterator[tuple[str, str, str]]:
    """(number as written, sender, text) of everything that is to be sent."""
    sender = form.get("sender", "")
    if not form.get("list"):
        for phone in re.split(r"[,;]", form.get("phones", "")):
            if phone.strip():
                yield phone.strip(), sender, form.get("mes", "")
        return
    for line in form["list"].split("\n"):
        if not line.strip():
            continue
        own_sender, bar, rest = line.partition("|")
        written = re.fullmatch(r"([^:]+):(.*)", rest if bar else line, re.DOTALL)
        if not written:
            raise DialectError(1)
        for phone in re.split(r"[,;]", written[1]):
            yield phone.strip(), own_sender.partition(",")[0] if bar else sender, written[2].replace("\\n", "\n")


def _normalised(phone: str) -> str:
    """Digits, with the domestic 8 of Russia put right unless there is a plus sign; empty for what is no number."""
    digits = re.sub(r"[ ()+-]", "", phone)
    if not digits.isdecimal() or not 10 <= len(digits) <= 15:
        return ""
    return "7" + digits[1:] if len(digits) == 11 and digits[0] == "8" and "+" not in phone else digits


def _number_or_text(id_: str) -> int | str:
    return int(id_) if id_.isdecimal() else id_


def _segments(messages: list[Message]) -> int:
    return sum(message.segments for message in messages)


def count_segments(text: str) -> int:
    if _GSM.fullmatch(text):
        units, alone, joined = len(text) + len(re.findall(r"[\^{}\\\[~\]|€]", text)), 160, 153
    else:
        units, alone, joined = len(text.encode("utf-16-le")) // 2, 70, 67
    return 1 if units <= alone else -(-units // joined)


def _written(timestamp: float) -> str:
    return datetime.fromtimestamp(timestamp, MOSCOW).strftime("%d.%m.%Y %H:%M:%S")
