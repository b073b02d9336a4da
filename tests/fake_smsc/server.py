"""The fake SMSC.ru on a socket: the dialect over real HTTP, faults, and a control address for other processes."""

from __future__ import annotations

import json
import socket
import struct
import threading
from dataclasses import asdict
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, cast
from urllib.parse import parse_qsl, urlsplit

import requests

from . import callbacks
from .account import MAX_PARALLEL, Account, DialectError, Message, Refusal
from .callbacks import Callback, CallbackThread
from .faults import Fault, FaultPlan, Mix

Answer = dict[str, Any] | list[dict[str, Any]]


class FakeSmsc:
    """
    A fake SMSC.ru in this process::

        with FakeSmsc() as smsc:
            SmsBackend(SMSC_BASE_URL=smsc.base_url, SMSC_LOGIN="login", SMSC_PASSWORD="password")
            smsc.fault("http", status=500, accept=True, times=1)
            smsc.messages()  # what was taken, number by number

    Keywords are those of `Account`. In a process of its own: `python -m tests.fake_smsc`, `FakeSmscProcess`.
    """

    def __init__(self, *, port: int = 0, callback: Callback | None = None, **account: Any) -> None:
        self.account = Account(**account)
        self.callback = callback
        self._faults = FaultPlan()
        self._callbacks = CallbackThread()
        self._lock = threading.Lock()
        self._requests: list[str] = []
        self._parallel = 0
        self._open = self._most_open = 0
        self._connections = 0
        self._stopped = threading.Event()
        self._server = _Server(("127.0.0.1", port), _Handler)
        self._server.fake = self
        self.base_url = f"http://127.0.0.1:{self._server.server_address[1]}"

    def __enter__(self) -> FakeSmsc:
        self.start()
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.stop()

    def start(self) -> None:
        self._callbacks.start()
        threading.Thread(target=self._server.serve_forever, args=(0.05,), name="fake-smsc", daemon=True).start()

    def stop(self) -> None:
        self._stopped.set()
        self._server.shutdown()
        self._server.server_close()
        self._callbacks.stop()
        self.account.close()

    # --- what others may ask for, also over the control address -------------------------------------------------

    def messages(self) -> list[Message]:
        """All that was taken, in order."""
        return self.account.messages()

    def requests(self, script: str = "send.php") -> int:
        """How many requests for a script were read, whatever became of them."""
        with self._lock:
            return self._requests.count(script)

    def most_open(self) -> int:
        """The most requests that were ever waiting for their answer at the same time."""
        with self._lock:
            return self._most_open

    def connections(self) -> int:
        """How many TCP connections were opened, those of the control address left out."""
        with self._lock:
            return self._connections

    def fault(self, kind: str, **options: Any) -> None:
        """Let something go wrong from now on; see `Fault`."""
        self._faults.add(Fault(kind, **options))

    def mix(self, seed: int, shares: list[tuple[float, dict[str, Any]]], script: str = "send.php") -> None:
        """Let things go wrong by chance from now on; see `Mix`."""
        self._faults.set_mix(script, Mix(seed, shares))

    def clear_faults(self) -> None:
        self._faults.clear()

    def refuse(self, number: str, *, status: int | None = None, error: int | None = None) -> None:
        """Leave this number out of what is taken; `op=1` shows the status or error."""
        self.account.refusals[number.lstrip("+")] = Refusal(status, error)

    def omit(self, number: str) -> None:
        """Neither take nor name this number."""
        self.account.omitted.add(number.lstrip("+"))

    def admit(self, number: str) -> None:
        """Treat this number as any other again."""
        digits = number.lstrip("+")
        self.account.omitted.discard(digits)
        self.account.refusals.pop(digits, None)
        self.account.poisonous.pop(digits, None)

    def poison(self, number: str, *, code: int = 8) -> None:
        """Refuse any request that has this number among others, or alone."""
        self.account.poisonous[number.lstrip("+")] = code

    def forbid_text(self, part: str) -> None:
        """Refuse any request (error 6) that holds this in one of its texts."""
        self.account.forbidden_texts.append(part)

    def set_status(self, status: int, err: int = 0, numbers: list[str] | None = None) -> None:
        """What status.php says from now on of all messages so far, or of those to `numbers`."""
        self.account.set_status(status, err, numbers)

    def change_account(self, *, password: str | None = None, balance: str | None = None) -> None:
        """Another password, or another amount of money, from the next request on."""
        self.account.change(password=password, balance=balance)

    def set_callback(self, **options: Any) -> None:
        """Send receipts for what is taken from now on; options of `Callback`. Without options: no more."""
        self.callback = Callback(**options) if options else None

    def callback_answers(self) -> list[int]:
        """HTTP statuses of the answers to receipts that were sent by themselves."""
        return list(self._callbacks.answers)

    def callbacks_due(self) -> int:
        """How many receipts are still to be sent by themselves."""
        return self._callbacks.due_count()

    def push_receipts(self, url: str, secret: str, *, status: int = 1, err: int = 0, **options: Any) -> list[int]:
        """Send a receipt for every message now, one after the other; return the HTTP statuses of the answers."""
        charset = options.get("charset", "utf-8")
        with requests.Session() as session:
            session.trust_env = False
            return [
                callbacks.call(
                    session,
                    url,
                    callbacks.receipt_fields(
                        message.id, message.phone, status, secret=secret, err=err, charset=charset
                    ),
                    **options,
                )
                for message in self.messages()
            ]

    def push_incoming(self, url: str, secret: str, *, phone: str, text: str, to: str, **options: Any) -> int:
        """Hand on a message from a phone; return the HTTP status of the answer."""
        fields = callbacks.incoming_fields(phone, text, to, secret=secret, charset=options.get("charset", "utf-8"))
        with requests.Session() as session:
            session.trust_env = False
            return callbacks.call(session, url, fields, **options)

    # --- for the handler ---------------------------------------------------------------------------------------

    def _count_connection(self) -> None:
        with self._lock:
            self._connections += 1

    def _count_request(self, script: str) -> int:
        with self._lock:
            self._requests.append(script)
            self._open += 1
            self._most_open = max(self._most_open, self._open)
            return len(self._requests)

    def _count_answer(self) -> None:
        with self._lock:
            self._open -= 1

    def _carry_out(self, script: str, form: dict[str, str], number: int) -> Answer:
        if script == "status.php":
            return self.account.status(form)
        if script == "balance.php":
            return self.account.balance_answer(form)
        with self._lock:
            self._parallel += 1
            too_many = self._parallel >= MAX_PARALLEL
        try:
            if too_many:
                raise DialectError(9)
            answer, taken = self.account.send(form, number)
        finally:
            with self._lock:
                self._parallel -= 1
        if self.callback and taken:
            by_chance = self.callback.seed is not None
            schedule = self._callbacks.schedule_by_chance if by_chance else self._callbacks.schedule
            schedule(self.callback, taken)
        return answer


#: Methods that `/_control/<name>` calls with the JSON it is sent.
CONTROLLED = frozenset(
    {
        "messages", "requests", "most_open", "connections", "fault", "mix", "clear_faults", "refuse", "omit",
        "admit", "poison", "forbid_text", "change_account", "set_status", "set_callback", "callback_answers",
        "callbacks_due",
        "push_receipts",
        "push_incoming",
    }
)  # fmt: skip


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False
    request_queue_size = 128
    fake: FakeSmsc

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that hangs up is what the tests are about."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    wbufsize = -1
    _counted = False
    _is_open = False

    @property
    def fake(self) -> FakeSmsc:
        return cast(_Server, self.server).fake

    def do_GET(self) -> None:
        self._handle(b"")

    def do_POST(self) -> None:
        length = int(self.headers.get("Content-Length", "0"))
        body = self.rfile.read(length)
        if len(body) < length:
            self.close_connection = True  # the client died half-way: as with any server, nothing has happened
        else:
            self._handle(body)

    def _handle(self, body: bytes) -> None:
        url = urlsplit(self.path)
        if url.path.startswith("/_control/"):
            self._control(url.path.removeprefix("/_control/"), body)
            return
        if not self._counted:
            self._counted = True
            self.fake._count_connection()
        script = url.path.removeprefix("/sys/")
        if script not in {"send.php", "status.php", "balance.php"}:
            self._respond(b"not found", status=404)
            return
        number = self.fake._count_request(script)
        self._is_open = True
        try:
            self._answer(script, _form(url.query, body), number)
        finally:
            self._no_longer_open()

    def _answer(self, script: str, form: dict[str, str], number: int) -> None:
        fault = self.fake._faults.pick(script)
        answer: bytes = b""
        if fault is None or fault.carries_out:
            answer = self._dialect(script, form, number)
        if fault is None:
            self._respond(answer)
        else:
            self._go_wrong(fault, answer or b'{"id":"0","cnt":1}', form)

    def _dialect(self, script: str, form: dict[str, str], number: int) -> bytes:
        try:
            return _render(script, form.get("fmt", "0"), self.fake._carry_out(script, form, number))
        except DialectError as error:
            return _render_error(form.get("fmt", "0"), error)

    def _control(self, name: str, body: bytes) -> None:
        if name not in CONTROLLED:
            self._respond(b"not found", status=404)
            return
        result = getattr(self.fake, name)(**(json.loads(body) if body else {}))
        if name == "messages":
            result = [asdict(message) for message in result]
        self._respond(json.dumps(result, ensure_ascii=False).encode())

    def _no_longer_open(self) -> None:
        if self._is_open:
            self._is_open = False
            self.fake._count_answer()

    # --- answering ---------------------------------------------------------------------------------------------

    def _respond(
        self, body: bytes, *, status: int = 200, headers: dict[str, str] | None = None, length: int | None = None
    ) -> None:
        self._no_longer_open()  # before the client can know the answer and begin another
        self.send_response_only(status)
        self.send_header("Content-Type", "application/json; charset=utf-8")
        self.send_header("Content-Length", str(len(body) if length is None else length))
        for name, value in (headers or {}).items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)
        self.wfile.flush()

    def _go_wrong(self, fault: Fault, answer: bytes, form: dict[str, str]) -> None:
        if fault.kind == "slow":
            self.fake._stopped.wait(fault.seconds)
            self._respond(answer)
        elif fault.kind == "error":
            self._respond(_render_error(form.get("fmt", "0"), DialectError(fault.code)))
        elif fault.kind == "http":
            self._respond(fault.body.encode(), status=fault.status, headers=fault.headers)
        elif fault.kind == "garbage":
            self._respond(b"<html><b>Warning</b>: mysql_connect()</html>")
        elif fault.kind == "drip":
            self._drip(answer, fault.seconds)
        else:
            if fault.kind == "late":
                threading.Timer(fault.seconds or 0, self._dialect, ("send.php", form, 0)).start()
            if fault.kind == "cut":
                self._respond(answer[: len(answer) // 2], length=len(answer))
            elif fault.kind == "hang":
                self.fake._stopped.wait(fault.seconds)
            else:
                # Closing with nothing lingering is what makes it a reset.
                self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            self.close_connection = True

    def _drip(self, answer: bytes, seconds: float | None) -> None:
        head = f"HTTP/1.1 200 OK\r\nContent-Length: {len(answer)}\r\n\r\n".encode()
        for byte in head + answer:
            self.wfile.write(bytes([byte]))
            self.wfile.flush()
            if self.fake._stopped.wait(seconds):
                return


def _form(query: str, body: bytes) -> dict[str, str]:
    """Fields of GET or POST; in windows-1251 unless `charset` says otherwise."""
    raw = dict(parse_qsl(f"{query}&{body.decode('latin-1')}", keep_blank_values=True, encoding="latin-1"))
    charset = raw.get("charset", "windows-1251")
    return {name: value.encode("latin-1").decode(charset, errors="replace") for name, value in raw.items()}


def _render(script: str, fmt: str, answer: Answer) -> bytes:
    if fmt == "3" or isinstance(answer, list):
        return json.dumps(answer, ensure_ascii=False).encode()
    if script == "balance.php":
        return str(answer["balance"]).encode()
    if script == "status.php":
        values = (answer["status"], answer["last_timestamp"], answer["err"])
        return (
            ",".join(map(str, values)) if fmt == "1" else f"Status = {values[0]}, check_time = {answer['last_date']}"
        ).encode()
    if fmt == "1":
        return ",".join(str(answer[name]) for name in ("id", "cnt", "cost", "balance") if name in answer).encode()
    if "id" not in answer:
        return f"{answer['cost']} ({answer['cnt']} SMS)".encode()
    return f"OK - {answer['cnt']} SMS, ID - {answer['id']}".encode()


def _render_error(fmt: str, error: DialectError) -> bytes:
    if fmt == "3":
        answer: dict[str, Any] = {"error": str(error), "error_code": error.code}
        if error.id and error.code in {3, 6, 7, 8}:
            answer["id"] = error.id
        return json.dumps(answer).encode()
    if fmt == "1":
        return f"{error.id or 0},-{error.code}".encode()
    return f"ERROR = {error.code} ({error})".encode()


def serve(port: int, ledger: Path | None, callback: Callback | None, **account: Any) -> None:
    """Serve until the process is told to end."""
    fake = FakeSmsc(port=port, ledger=ledger, callback=callback, **account)
    fake.start()
    print(fake.base_url, flush=True)
    try:
        threading.Event().wait()
    except KeyboardInterrupt:
        pass
    finally:
        fake.stop()
