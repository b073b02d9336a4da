"""The fake SMSC.ru calls back as it is told: what end-to-end tests of receipts rest on."""

from __future__ import annotations

import hashlib
import threading
from collections import Counter
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import parse_qsl, urlsplit

import pytest

from sms_backends import LookupStatus
from sms_backends.exceptions import AuthenticationError, InsufficientFundsError
from sms_backends.providers.smsc import SmsBackend
from tests.fake_smsc import FakeSmsc
from tests.fake_smsc.faults import Mix

ONE, TWO = "+79991230001", "+79991230002"


class Receiver:
    """Keeps the fields of every call."""

    def __init__(self) -> None:
        self.calls: list[dict[str, str]] = []
        self.arrived = threading.Condition()
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                self._take(urlsplit(self.path).query)

            def do_POST(self) -> None:
                self._take(self.rfile.read(int(self.headers["Content-Length"])).decode("ascii"))

            def _take(self, form: str) -> None:
                with receiver.arrived:
                    receiver.calls.append(dict(parse_qsl(form, encoding="windows-1251", keep_blank_values=True)))
                    receiver.arrived.notify()
                self.send_response(200)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, *args: object) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}/sms/default/receipts/"
        threading.Thread(target=self.server.serve_forever, args=(0.05,), daemon=True).start()

    def wait_for(self, count: int) -> list[dict[str, str]]:
        with self.arrived:
            assert self.arrived.wait_for(lambda: len(self.calls) >= count, timeout=10)
        return self.calls


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    receiver = Receiver()
    yield receiver
    receiver.server.shutdown()
    receiver.server.server_close()


@pytest.fixture
def smsc() -> Iterator[FakeSmsc]:
    with FakeSmsc() as smsc:
        yield smsc


def send(smsc: FakeSmsc) -> None:
    backend = SmsBackend(SMSC_BASE_URL=smsc.base_url, SMSC_APIKEY="apikey")
    assert all(result.accepted for result in backend.send_sms([ONE, TWO], "Hello", reference="ref"))


def test_receipts_come_by_themselves_and_are_signed(smsc: FakeSmsc, receiver: Receiver) -> None:
    smsc.set_callback(url=receiver.url, secret="secret")
    send(smsc)
    calls = receiver.wait_for(2)
    assert [(call["id"], call["phone"], call["status"]) for call in calls] == [
        ("ref", ONE[1:], "1"),
        ("ref", TWO[1:], "1"),
    ]
    signed = f"ref:{ONE[1:]}:1:secret".encode()
    assert (calls[0]["md5"], calls[0]["sha1"]) == (hashlib.md5(signed).hexdigest(), hashlib.sha1(signed).hexdigest())


def test_receipts_come_late_twice_and_in_the_wrong_order_if_asked(smsc: FakeSmsc, receiver: Receiver) -> None:
    smsc.set_callback(url=receiver.url, secret="s", statuses=[0, 1], delay=0.1, copies=2, reverse=True, method="GET")
    send(smsc)
    calls = [(call["phone"][-1], call["status"]) for call in receiver.wait_for(8)]
    assert calls == [("2", "1")] * 2 + [("1", "1")] * 2 + [("2", "0")] * 2 + [("1", "0")] * 2


def test_receipts_and_messages_are_pushed_on_demand(smsc: FakeSmsc, receiver: Receiver) -> None:
    send(smsc)
    assert smsc.push_receipts(receiver.url, "s", status=20, err=6) == [200, 200]
    assert (
        smsc.push_incoming(
            receiver.url, "s", phone=ONE[1:], text="Стоп", to="7999", charset="windows-1251", method="GET"
        )
        == 200
    )
    *receipts, incoming = receiver.calls
    assert [(call["status"], call["err"]) for call in receipts] == [("20", "6")] * 2
    assert incoming["mes"] == "Стоп"
    assert incoming["md5"] == hashlib.md5(f"{ONE[1:]}:Стоп:7999:s".encode("cp1251")).hexdigest()
    assert smsc.push_receipts("http://127.0.0.1:9/", "s") == [0, 0]


def test_receipts_by_chance_tell_the_last_word_first_and_of_messages_that_nobody_knows(
    smsc: FakeSmsc, receiver: Receiver
) -> None:
    shares = {"undeliverable": 0.5, "doubled": 1.0, "reversed_share": 1.0, "stray": 1.0}
    smsc.set_callback(url=receiver.url, secret="s", seed=1, **shares)
    send(smsc)
    calls = receiver.wait_for(10)
    words = {phone: [call["status"] for call in calls if call["phone"] == phone] for phone in (ONE[1:], TWO[1:])}
    for message in smsc.messages():
        last = str(message.status)
        assert words[message.phone] == [last, "0", last, "0", last]
    assert Counter(call["id"] for call in calls) == {"ref": 8, "ref-stray": 2}


def test_a_mix_of_faults_is_the_same_for_a_seed() -> None:
    def draws(seed: int) -> list[str | None]:
        mix = Mix(seed, [(0.2, {"kind": "http"}), (0.2, {"kind": "close"})])
        return [fault.kind if (fault := mix.draw()) else None for _request in range(200)]

    assert draws(1) == draws(1) != draws(2)
    assert 20 < draws(1).count("close") < 60
    assert 20 < draws(1).count("http") < 60


def test_a_provider_that_was_killed_remembers_what_it_took(tmp_path: Path) -> None:
    for _start in range(2):
        with FakeSmsc(ledger=tmp_path / "ledger") as smsc:
            if not smsc.messages():
                send(smsc)
            backend = SmsBackend(SMSC_BASE_URL=smsc.base_url, SMSC_APIKEY="apikey")
            found = backend.lookup([("ref", ONE), ("ref", "+79991230003")])
            assert [result.status for result in found] == [LookupStatus.TAKEN, LookupStatus.NOT_FOUND]


def test_the_account_can_run_out_of_money_and_get_another_password(smsc: FakeSmsc) -> None:
    backend = SmsBackend(SMSC_BASE_URL=smsc.base_url, SMSC_LOGIN="login", SMSC_PASSWORD="password")
    smsc.change_account(balance="2.50")
    assert backend.send_sms([ONE], "Hello", reference="1")[0].accepted
    assert isinstance(backend.send_sms([ONE], "Hello!", reference="2")[0].error, InsufficientFundsError)
    smsc.change_account(password="other")
    assert isinstance(backend.send_sms([ONE], "Hello!!", reference="3")[0].error, AuthenticationError)
