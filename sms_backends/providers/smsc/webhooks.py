"""
SMSC.ru's calls to us: receipts and incoming messages, which arrive at one address and are told apart by their fields.

Source: https://smsc.ru/api/http/miscellaneous/callback/ (English: https://smscentre.com/api/http/miscellaneous/callback/).
The handler's address is entered in the account with its own options, `https://.../receipts/?charset=utf-8&md5`; without
`charset` SMSC.ru writes windows-1251.
"""

from __future__ import annotations

import codecs
import hashlib
import hmac
import json
from collections.abc import Mapping, Sequence
from io import BytesIO
from urllib.parse import parse_qsl

from django.http import HttpRequest
from django.http.multipartparser import MultiPartParser, MultiPartParserError

from sms_backends.exceptions import WebhookVerificationError
from sms_backends.results import DeliveryReceipt, IncomingSms

from .codes import parse_receipt, parse_time

#: What is hashed, joined by colons and followed by the secret.
_SIGNED_FIELDS: Mapping[str, tuple[str, ...]] = {
    "receipt": ("id", "phone", "status"),
    "incoming": ("phone", "mes", "to"),
}
#: crc32, which SMSC.ru offers as well, can be forged by anybody.
_HASHES = {"md5": hashlib.md5, "sha1": hashlib.sha1}

#: Values as the bytes that came: the signature is made over them, whatever their charset.
Fields = dict[str, bytes]


def verify(request: HttpRequest, secrets: Sequence[str]) -> None:
    """Raise WebhookVerificationError unless everything in the request is signed with one of the secrets."""
    if not secrets:
        raise WebhookVerificationError("SMSC_CALLBACK_SECRET is not set: nothing is taken unsigned.")
    try:
        charset, records = _read(request)
        kinds = [_kind(fields) for fields in records]
    except ValueError as error:
        raise WebhookVerificationError(str(error)) from error
    for kind, fields in zip(kinds, records, strict=True):
        given = {name: fields[name].lower() for name in _HASHES if fields.get(name)}
        if not given:
            raise WebhookVerificationError("The call has no md5 or sha1 signature.")
        if not any(_signed(kind, fields, given, secret.encode(charset)) for secret in secrets):
            raise WebhookVerificationError("The signature is wrong.")


def _signed(kind: str, fields: Fields, given: Fields, secret: bytes) -> bool:
    payload = b":".join([*(fields.get(name, b"") for name in _SIGNED_FIELDS[kind]), secret])
    expected = {name: _HASHES[name](payload).hexdigest().encode() for name in given}
    return all(hmac.compare_digest(expected[name], value) for name, value in given.items())


def parse(request: HttpRequest) -> list[DeliveryReceipt | IncomingSms]:
    """The receipts and incoming messages of a verified request. Raises ValueError for what is neither."""
    charset, records = _read(request)
    return [
        _parse_record(_kind(raw), {name: _decode(value, charset) for name, value in raw.items()}) for raw in records
    ]


def _parse_record(kind: str, fields: dict[str, str]) -> DeliveryReceipt | IncomingSms:
    phone_number = "+" + fields["phone"].lstrip("+ ")
    if kind == "receipt":
        return parse_receipt(fields, phone_number=phone_number, reference=fields["id"])
    return IncomingSms(
        phone_number=phone_number,
        text=fields["mes"],
        to=fields.get("to", ""),
        provider_message_id=fields.get("id", ""),
        in_reply_to=fields.get("sms_id", ""),
        at=parse_time(fields.get("ts")),
        raw=fields,
    )


def _kind(fields: Fields) -> str:
    if not fields.get("phone", b"").lstrip(b"+ ").isdigit():
        raise ValueError("The call names no phone number.")
    if fields.get("id") and fields.get("status"):
        return "receipt"
    if "mes" in fields:
        return "incoming"
    raise ValueError("The call is neither a receipt nor an incoming message.")


# --- reading a request ----------------------------------------------------------------------------------------


def _read(request: HttpRequest) -> tuple[str, list[Fields]]:
    """The charset of the call, and the fields of what it reports: one record, or several in a JSON array."""
    query = _parse_form(request.META.get("QUERY_STRING", "").encode("latin-1"))
    charset = _charset(query, request)
    body = request.body
    if request.method == "POST" and body.lstrip()[:1] in {b"{", b"["}:
        return charset, [{**query, **record} for record in _parse_json(body, charset)]
    form: Fields = {}
    if request.method == "POST" and request.content_type == "multipart/form-data":
        form = _parse_multipart(request)
    elif request.method == "POST":
        form = _parse_form(body)
    return charset, [{**query, **form}]


def _charset(query: Fields, request: HttpRequest) -> str:
    """The charset that the handler's address asks for; otherwise what the values are in is seen from them."""
    named = query.get("charset", b"").decode("latin-1") or (request.content_params or {}).get("charset", "")
    try:
        return codecs.lookup(named).name if named else "utf-8"
    except LookupError as error:
        raise ValueError("The charset of the call is not known.") from error


def _decode(value: bytes, charset: str) -> str:
    try:
        return value.decode(charset)
    except UnicodeDecodeError:
        # The address was entered without `charset`: Russian text in windows-1251 is never valid UTF-8.
        return value.decode("windows-1251", errors="replace")


def _parse_form(data: bytes) -> Fields:
    pairs = parse_qsl(data.decode("latin-1"), keep_blank_values=True, encoding="latin-1", max_num_fields=100)
    return {name: value.encode("latin-1") for name, value in pairs}


def _parse_multipart(request: HttpRequest) -> Fields:
    # Not request.POST: it decodes for good, and the signature is over the bytes. latin-1 is one character a byte.
    try:
        form, _ = MultiPartParser(request.META, BytesIO(request.body), [], "latin-1").parse()
    except MultiPartParserError as error:
        raise ValueError("The form of the call cannot be read.") from error
    return {name: str(value).encode("latin-1") for name, value in form.items()}


def _parse_json(body: bytes, charset: str) -> list[Fields]:
    """`fmt=3` in the handler's address. Values may be numbers; they are signed as they are written."""
    decoded = json.loads(_decode(body, charset), parse_float=str, parse_int=str)
    records = decoded if isinstance(decoded, list) else [decoded]
    if not records or not all(isinstance(record, dict) for record in records):
        raise ValueError("The JSON of the call is not an object or an array of objects.")
    return [
        {name: str(value).encode(charset) for name, value in record.items() if value is not None} for record in records
    ]
