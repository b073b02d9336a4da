"""SMSC.ru's calls to us: what is taken as signed, in which charset and form, and what is refused."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import pytest
from django.conf import settings
from django.http import HttpRequest
from django.test import RequestFactory

from sms_backends import DeliveryReceipt, DeliveryStatus, IncomingSms, Reason, WebhookVerificationError
from sms_backends.providers.smsc import SmsBackend
from tests.fake_smsc.callbacks import incoming_fields, receipt_fields

SECRET = "callback-secret"
VECTORS = Path(settings.BASE_DIR).parent / "shared" / "vectors" / "webhook_signatures.json"
FORM = "application/x-www-form-urlencoded"
Events = list[DeliveryReceipt | IncomingSms]


@pytest.fixture
def backend() -> SmsBackend:
    return SmsBackend(SMSC_APIKEY="key", SMSC_CALLBACK_SECRET=SECRET)


def post(fields: dict[str, str], charset: str = "utf-8", query: str = "") -> HttpRequest:
    body = urlencode(fields, encoding=charset).encode()
    return RequestFactory().generic("POST", f"/sms/default/receipts/{query}", body, content_type=FORM)


def get(fields: dict[str, str], charset: str = "utf-8", query: str = "charset=utf-8") -> HttpRequest:
    return RequestFactory().generic("GET", f"/sms/default/receipts/?{query}&{urlencode(fields, encoding=charset)}")


def take(backend: SmsBackend, request: HttpRequest) -> Events:
    backend.verify_webhook(request)
    return backend.parse_webhook(request)


def refused(backend: SmsBackend, request: HttpRequest) -> bool:
    with pytest.raises(WebhookVerificationError):
        backend.verify_webhook(request)
    return True


def delivered(**changed: str) -> dict[str, str]:
    return {**receipt_fields("ref", "79991230001", 1, secret=SECRET, at=1679060876), **changed}


# --- what is in it -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("build", [post, get])
def test_a_receipt_says_what_became_of_a_message(backend: SmsBackend, build: Any) -> None:
    (receipt,) = take(backend, build(receipt_fields("ref", "79991230001", 20, err=6, secret=SECRET, at=1679060876)))
    assert isinstance(receipt, DeliveryReceipt)
    assert (receipt.provider_message_id, receipt.phone_number) == ("ref", "+79991230001")
    assert (receipt.status, receipt.reason) == (DeliveryStatus.UNDELIVERED, Reason.UNREACHABLE_TEMPORARY)
    assert (receipt.provider_status, receipt.provider_code) == ("20", "6")
    assert receipt.at is not None
    assert receipt.at.isoformat() == "2023-03-17T13:47:56+00:00"


@pytest.mark.parametrize("build", [post, get])
@pytest.mark.parametrize("charset", ["utf-8", "windows-1251", "koi8-r"])
def test_an_incoming_message_is_read_in_the_charset_of_the_address(
    backend: SmsBackend, build: Any, charset: str
) -> None:
    fields = incoming_fields("79991230001", "СТОП: и точка & всё", "7999", secret=SECRET, charset=charset)
    query = f"charset={charset}" if build is get else f"?charset={charset}"
    (message,) = take(backend, build(fields, charset, query))
    assert isinstance(message, IncomingSms)
    assert (message.phone_number, message.text, message.to) == ("+79991230001", "СТОП: и точка & всё", "7999")


@pytest.mark.parametrize("charset", ["utf-8", "windows-1251"])
def test_without_a_charset_in_the_address_the_text_is_read_all_the_same(backend: SmsBackend, charset: str) -> None:
    fields = incoming_fields("79991230001", "Стоп", "7999", secret=SECRET, charset=charset)
    (message,) = take(backend, post(fields, charset))
    assert isinstance(message, IncomingSms)
    assert message.text == "Стоп"


def test_an_empty_incoming_message_is_one(backend: SmsBackend) -> None:
    (message,) = take(backend, post(incoming_fields("79991230001", "", "7999", secret=SECRET)))
    assert isinstance(message, IncomingSms)
    assert message.text == ""


@pytest.mark.parametrize("charset", ["utf-8", "windows-1251"])
def test_json_bodies_are_taken_one_or_many(backend: SmsBackend, charset: str) -> None:
    one = delivered()
    two = incoming_fields("79991230002", "Да", "7999", secret=SECRET, charset=charset)
    for payload, kinds in (
        (one, [DeliveryReceipt]),
        ({**one, "status": 1, "ts": 1679060876, "cost": None}, [DeliveryReceipt]),
        ([one, two], [DeliveryReceipt, IncomingSms]),
    ):
        body = json.dumps(payload, ensure_ascii=False).encode(charset)
        address = f"/sms/default/receipts/?charset={charset}&fmt=3&md5"
        request = RequestFactory().generic("POST", address, body, content_type="application/json")
        events = take(backend, request)
        assert [type(event) for event in events] == kinds
        assert all(event.text == "Да" for event in events if isinstance(event, IncomingSms))


# --- what is believed --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("hashes", [{"md5"}, {"sha1"}, {"md5", "sha1"}])
def test_either_hash_is_enough_and_both_must_be_right(backend: SmsBackend, hashes: set[str]) -> None:
    fields = {name: value for name, value in delivered().items() if name not in {"md5", "sha1"} - hashes}
    assert take(backend, post(fields))
    for name in hashes:
        assert refused(backend, post({**fields, name: "0" * len(fields[name])}))


def test_hashes_may_be_written_in_capitals(backend: SmsBackend) -> None:
    assert take(backend, post({name: v.upper() if name == "md5" else v for name, v in delivered().items()}))


@pytest.mark.parametrize("changed", [{"id": "ref2"}, {"phone": "79991230002"}, {"status": "20"}])
def test_a_changed_receipt_is_refused(backend: SmsBackend, changed: dict[str, str]) -> None:
    assert refused(backend, post(delivered(**changed)))


@pytest.mark.parametrize("changed", [{"mes": "START"}, {"to": "1"}, {"phone": "79991230002"}])
def test_a_changed_incoming_message_is_refused(backend: SmsBackend, changed: dict[str, str]) -> None:
    fields = incoming_fields("79991230001", "STOP", "7999", secret=SECRET)
    assert refused(backend, post({**fields, **changed}))


@pytest.mark.parametrize("signature", [{}, {"md5": ""}, {"md5": "é"}, {"crc32": "2f0a6a4b"}, {"md5": SECRET}])
def test_what_has_no_good_signature_is_refused(backend: SmsBackend, signature: dict[str, str]) -> None:
    fields = {name: value for name, value in delivered().items() if name not in {"md5", "sha1"}}
    assert refused(backend, post({**fields, **signature}))


def test_one_unsigned_record_among_signed_ones_is_refused(backend: SmsBackend) -> None:
    unsigned = {name: value for name, value in delivered(id="other").items() if name not in {"md5", "sha1"}}
    body = json.dumps([delivered(), unsigned]).encode()
    assert refused(backend, RequestFactory().generic("POST", "/", body, content_type="application/json"))


def test_without_a_secret_nothing_is_believed() -> None:
    fields = receipt_fields("ref", "79991230001", 1, secret="")
    for secret in ("", " , "):
        with pytest.raises(WebhookVerificationError, match="SMSC_CALLBACK_SECRET is not set"):
            SmsBackend(SMSC_APIKEY="key", SMSC_CALLBACK_SECRET=secret).verify_webhook(post(fields))


def test_while_a_secret_is_changed_the_old_and_the_new_are_believed() -> None:
    backend = SmsBackend(SMSC_APIKEY="key", SMSC_CALLBACK_SECRET="new, old")
    for secret in ("new", "old"):
        assert take(backend, post(receipt_fields("ref", "79991230001", 1, secret=secret)))
    assert refused(backend, post(receipt_fields("ref", "79991230001", 1, secret="new, old")))


@pytest.mark.parametrize(
    "fields",
    [
        {},
        {"phone": "79991230001"},
        {"id": "1", "status": "1"},
        {"phone": "somebody", "id": "1", "status": "1"},
        {"phone": "79991230001", "waitcall": "1", "ts": "1"},
    ],
)
def test_what_is_neither_receipt_nor_message_is_refused(backend: SmsBackend, fields: dict[str, str]) -> None:
    signature = hashlib.md5(":".join([*fields.values(), SECRET]).encode()).hexdigest()
    request = post({**fields, "md5": signature})
    assert refused(backend, request)
    with pytest.raises(ValueError, match="call"):
        backend.parse_webhook(request)


@pytest.mark.parametrize(
    ("body", "content_type", "query"),
    [
        (b"[]", "application/json", ""),
        (b"[1]", "application/json", ""),
        (b"{", "application/json", ""),
        (b"--x\r\nContent", "multipart/form-data; boundary=x", ""),
        (b"x", "multipart/form-data", ""),
        (b"\xff\xfe=%ZZ&&&", FORM, ""),
        (b"a=1", FORM, "?charset=klingon"),
        (b"&".join(b"a=1" for _ in range(200)), FORM, ""),
    ],
)
def test_noise_is_refused_and_breaks_nothing(backend: SmsBackend, body: bytes, content_type: str, query: str) -> None:
    request = RequestFactory().generic("POST", f"/{query}", body, content_type=content_type)
    assert refused(backend, request)
    with pytest.raises(ValueError):  # noqa: PT011  (whatever is wrong, it is answered 400)
        backend.parse_webhook(request)


@pytest.mark.skipif(not VECTORS.exists(), reason="signature vectors are not beside this checkout")
def test_recorded_signatures_are_judged_right(backend: SmsBackend) -> None:
    cases = [case for case in json.loads(VECTORS.read_text(encoding="utf-8"))["cases"] if case["provider"] == "smsc"]
    assert cases
    for case in cases:
        backend = SmsBackend(SMSC_APIKEY="key", SMSC_CALLBACK_SECRET=case["secret"])
        charset = case.get("charset", "utf-8")
        for query in ("", f"?charset={charset}"):
            request = post(case["params"], charset, query)
            if case["valid"]:
                assert len(take(backend, request)) == 1, case["name"]
            else:
                assert refused(backend, request), case["name"]
