"""
SMSC.ru and its sister brands (smscentre.com, smsc.kz), over the HTTP interface described at https://smsc.ru/api/http/.

The account and its options here; `sending` makes requests and reads their answers, `status` asks what became of
messages, `codes` translates, `webhooks` reads SMSC.ru's calls to us.
"""

from __future__ import annotations

import hashlib
import secrets
import time
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import timedelta
from ipaddress import ip_address
from typing import Any, ClassVar
from urllib.parse import urlsplit

from django.conf import settings
from django.core.exceptions import ImproperlyConfigured
from django.http import HttpRequest

from sms_backends.base import BaseSmsBackend, Option
from sms_backends.exceptions import (
    OutcomeUnknownError,
    ProtocolError,
    RepeatedRequestError,
    Scope,
    SmsError,
    TemporaryError,
    ThrottledError,
)
from sms_backends.http import HttpClient
from sms_backends.message import SMSMessage
from sms_backends.results import (
    Balance,
    Capabilities,
    DeliveryReceipt,
    IncomingSms,
    LookupResult,
    LookupStatus,
    Outcome,
    Price,
    SendResult,
)

from . import status, webhooks
from .codes import parse_decimal, parse_int, parse_receipt, parse_request_error
from .sending import Recipient, Request, divide, with_plain_line_breaks

#: Fields that may be logged as they are.
_SHOWN_FIELDS = {"fmt", "charset", "op", "cost", "id", "sender", "valid", "cur"}


class SmsBackend(BaseSmsBackend):
    """
    SMSC.ru. One `id` of ours names all messages of a request; SMSC.ru answers for (id, phone number).

    Numbers are sent with a plus sign, so that SMSC.ru does not "correct" them.
    """

    provider_name = "SMSC.ru"
    capabilities = Capabilities(
        client_reference=True,
        lookup_by_reference=True,
        bulk_same_text=True,
        bulk_personalized=True,
        max_recipients=500,
        max_connections=10,
        validity=True,
        sender_id=True,
        receipts_push=True,
        receipts_poll=True,
        incoming_push=True,
        balance=True,
        price=True,
        settle_seconds=120,
        # How long status.php knows a message is not documented. It closes a message that heard nothing after a day
        # (err 245, https://smsc.ru/api/http/status_messages/statuses/), so for a day it must know it.
        lookup_valid_for=timedelta(days=1),
    )
    known_options: ClassVar[Mapping[str, Option]] = {
        "SMSC_BASE_URL": Option("https://smsc.ru", "address of the provider, without /sys/"),
        "SMSC_LOGIN": Option("", "login of the account"),
        "SMSC_PASSWORD": Option("", "password of the account, or its lower-case md5"),
        "SMSC_APIKEY": Option("", "API key, instead of login and password"),
        "SMSC_SENDER": Option(False, "registered sender ID; False or empty: the account's default"),
        "SMSC_CALLBACK_SECRET": Option(
            "", "secret of receipts and incoming messages; several, by comma, while changing it"
        ),
        "SMSC_TIMEOUT": Option(15, "seconds for one whole request"),
        "SMSC_MAX_CONNECTIONS": Option(10, "requests open at once (SMSC.ru refuses from 15 on)"),
        "SMSC_MAX_RECIPIENTS": Option(500, "recipients of one request"),
        "SMSC_DEBUG": Option(False, "log each exchange, with secrets, numbers and texts masked"),
        "SMSC_POST": Option(True, "accepted for compatibility; it is always POST"),
        "SMSC_HTTPS": Option(True, "accepted for compatibility; SMSC_BASE_URL says it"),
        "SMSC_CHARSET": Option("utf-8", "accepted for compatibility; it is always utf-8"),
    }

    webhook_signed_by = "SMSC_CALLBACK_SECRET"

    def __init__(self, *, alias: str = "default", **options: Any) -> None:
        super().__init__(alias=alias, **options)
        self._base_url = self._checked_base_url()
        self._credentials = self._checked_credentials()
        self._timeout = self._positive("SMSC_TIMEOUT")
        self._sender = _switched_off_or_text(self.options["SMSC_SENDER"])
        given = str(self.options["SMSC_CALLBACK_SECRET"] or "").split(",")
        self._callback_secrets = [secret.strip() for secret in given if secret.strip()]
        self.capabilities = replace(  # type: ignore[misc]  # narrower than the class: as this account is set up
            type(self).capabilities,
            max_recipients=int(self._positive("SMSC_MAX_RECIPIENTS")),
            max_connections=int(self._positive("SMSC_MAX_CONNECTIONS")),
            request_seconds=self._timeout,
        )
        self._http = HttpClient(
            self._base_url,
            timeout=self._timeout,
            max_connections=self.capabilities.max_connections,
            debug=str(self.options["SMSC_DEBUG"]).lower() in {"true", "1", "yes", "on"},
            shown_fields=_SHOWN_FIELDS,
            secrets=[*self._credentials.values(), *self._callback_secrets],
        )

    def _checked_base_url(self) -> str:
        url = str(self.options["SMSC_BASE_URL"]).rstrip("/")
        parts = urlsplit(url)
        if parts.scheme not in {"http", "https"} or not parts.hostname or parts.query or parts.username:
            raise ImproperlyConfigured(f"Gateway '{self.alias}': SMSC_BASE_URL must be like https://smsc.ru.")
        if parts.scheme == "http" and not (_is_loopback(parts.hostname) or settings.DEBUG):
            raise ImproperlyConfigured(
                f"Gateway '{self.alias}': SMSC_BASE_URL must begin with https://; over http the password and the texts "
                "could be read on their way."
            )
        return url

    def _checked_credentials(self) -> dict[str, str]:
        login, password, key = (str(self.options[f"SMSC_{name}"] or "") for name in ("LOGIN", "PASSWORD", "APIKEY"))
        if key:
            return {"apikey": key}
        if login and password:
            return {"login": login, "psw": password}
        raise ImproperlyConfigured(
            f"Gateway '{self.alias}': SMSC.ru needs SMSC_LOGIN and SMSC_PASSWORD, or SMSC_APIKEY. "
            'Example: "OPTIONS": {"SMSC_LOGIN": "...", "SMSC_PASSWORD": "..."}.'
        )

    def _positive(self, name: str) -> float:
        try:
            value = float(self.options[name])
        except (TypeError, ValueError):
            value = 0.0
        if not 0 < value < 100_000 or (name != "SMSC_TIMEOUT" and not value.is_integer()):
            raise ImproperlyConfigured(f"Gateway '{self.alias}': {name} must be a positive number.")
        return value

    def account_fingerprint(self) -> str:
        account = str(self.options["SMSC_LOGIN"] or self.options["SMSC_APIKEY"])
        return hashlib.sha256(f"{self._base_url}\n{account}".encode()).hexdigest()[:16]

    def close(self) -> None:
        self._http.close()

    def _call(self, script: str, form: Mapping[str, str], *, timeout: float | None = None) -> Any:
        """The JSON of an answer. Raises SmsError for anything that is not HTTP 200 with JSON."""
        fields = {**self._credentials, "fmt": "3", "charset": "utf-8", **form}
        answer = self._http.post_form(f"/sys/{script}", fields, timeout=timeout)
        if answer.status != 200:
            raise OutcomeUnknownError(
                f"HTTP {answer.status} is not documented by SMSC.ru.",
                provider_code=str(answer.status),
                raw=answer.text[:2000],
            )
        return answer.json()

    def _asked(self, script: str, form: Mapping[str, str]) -> dict[str, Any]:
        """The answer to a question about the account. Raises SmsError for a refusal."""
        answer = self._call(script, form)
        if not isinstance(answer, dict):
            raise ProtocolError("SMSC.ru answered with something else than an object.", raw=answer)
        if "error" in answer or "error_code" in answer:
            raise parse_request_error(answer)
        return answer

    # --- sending: https://smsc.ru/api/http/send/sms/ -------------------------------------------------------

    def new_reference(self) -> str:
        """96 random bits behind a letter, since SMSC.ru takes an id of digits alone for a 32-bit number."""
        return f"r{secrets.token_hex(12)}"

    def send_sms(
        self,
        phone_numbers: Sequence[str],
        message: str,
        *,
        reference: str | None = None,
        sender_id: str | None = None,
        validity_period: timedelta | None = None,
    ) -> list[SendResult]:
        """
        Send one text to several numbers. Never raises: what was not sent is `rejected`, with the reason.

        More numbers than `max_recipients` become several requests, each but the first with the reference and a suffix.
        """
        return self.send_messages(
            [
                SMSMessage(
                    phone_numbers,
                    message,
                    using=self.alias,
                    reference=reference,
                    sender_id=sender_id,
                    validity_period=validity_period,
                )
            ]
        )

    def send_messages(self, messages: Sequence[SMSMessage]) -> list[SendResult]:
        """
        Send different texts, in one request where reference, sender and validity agree.

        All requests of a call share one deadline (SMSC_TIMEOUT), and none is begun with less than half of it left.
        After an error that concerns more than its own request, the others are not offered: they come back rejected,
        provably not taken.
        """
        recipients = [Recipient(number, message) for message in messages for number in message.phone_numbers]
        requests = divide(
            [recipient for recipient in recipients if not recipient.refuse_unfit()],
            max_recipients=self.capabilities.max_recipients,
            new_reference=self.new_reference,
        )
        deadline = time.monotonic() + self._timeout
        stopped_by: SmsError | None = None
        for request in requests:
            if stopped_by is None and deadline - time.monotonic() < self._timeout / 2:
                stopped_by = ThrottledError("Not offered: the time of this call was used up.", retry_after=1)
            if stopped_by is not None:
                request.settle(Outcome.REJECTED, stopped_by)
            else:
                stopped_by = self._offer(request, deadline - time.monotonic())
        return [recipient.result for recipient in recipients if recipient.result]

    def _offer(self, request: Request, timeout: float) -> SmsError | None:
        """Make one request and settle its recipients; return what speaks against making another one."""
        try:
            request.record(self._call("send.php", request.build_form(self._sender), timeout=timeout))
        except SmsError as error:
            request.settle(Outcome.REJECTED if error.outcome_known else Outcome.UNKNOWN, error)
            if not error.outcome_known:
                return TemporaryError("Not offered: the request before it came to no clear end.")
            if isinstance(error, RepeatedRequestError):
                # True of the request it answered only: the others were never made.
                return ThrottledError("Not offered: the account is too busy.", retry_after=error.retry_after)
            return None if error.permanent and error.scope is not Scope.ACCOUNT else error
        return None

    # --- what became of it: https://smsc.ru/api/http/status_messages/check_status/ --------------------------

    def lookup(self, queries: Sequence[tuple[str, str]]) -> list[LookupResult]:
        """Ask for each (reference, phone number); one that the answer to many does not settle is asked for alone."""
        said = self._ask_status(queries)
        results = []
        for reference, phone_number in queries:
            item = said[reference, phone_number]
            if item is None:
                result = LookupResult(reference, phone_number, LookupStatus.NOT_FOUND)
            elif isinstance(item, SmsError):
                result = LookupResult(reference, phone_number, LookupStatus.UNANSWERED, raw=item.raw)
            else:
                receipt = parse_receipt(item, phone_number=phone_number, reference=reference)
                result = LookupResult(reference, phone_number, LookupStatus.TAKEN, receipt, raw=item)
            results.append(result)
        return results

    def fetch_receipts(self, messages: Sequence[tuple[str, str]]) -> list[DeliveryReceipt]:
        """The state of messages by (provider message id, phone number). Raises SmsError when none could be asked."""
        said = self._ask_status(messages)
        errors = [item for item in said.values() if isinstance(item, SmsError)]
        if errors and len(errors) == len(said):
            raise errors[0]
        return [
            parse_receipt(item, phone_number=phone_number, reference=reference)
            for (reference, phone_number), item in said.items()
            if isinstance(item, dict)
        ]

    def _ask_status(self, pairs: Sequence[status.Pair]) -> dict[status.Pair, status.Said]:
        return status.ask(
            pairs, size=self.capabilities.max_recipients, call=lambda form: self._call("status.php", form)
        )

    # --- webhooks -------------------------------------------------------------------------------------------

    def verify_webhook(self, request: HttpRequest) -> None:
        """Raise WebhookVerificationError unless md5 or sha1 of the fields and SMSC_CALLBACK_SECRET is right."""
        webhooks.verify(request, self._callback_secrets)

    def parse_webhook(self, request: HttpRequest) -> list[DeliveryReceipt | IncomingSms]:
        """Receipts and incoming messages, whichever address they came to. Raises ValueError for anything else."""
        return webhooks.parse(request)

    # --- money: https://smsc.ru/api/http/balance/ ------------------------------------------------------------

    def get_balance(self) -> Balance:
        """Money left on the account. Raises SmsError."""
        answer = self._asked("balance.php", {"cur": "1"})
        amount = parse_decimal(answer.get("balance"))
        if amount is None:
            raise ProtocolError("SMSC.ru named no balance.", raw=answer)
        return Balance(amount, str(answer.get("currency", "")), parse_decimal(answer.get("credit")))

    def get_price(self, phone_numbers: Sequence[str], message: str) -> Price:
        """What one text would cost for all numbers together, in the account's currency. Raises SmsError."""
        phones = ",".join(f"+{number.lstrip('+')}" for number in phone_numbers)
        answer = self._asked("send.php", {"phones": phones, "mes": with_plain_line_breaks(message), "cost": "1"})
        amount = parse_decimal(answer.get("cost"))
        if amount is None:
            raise ProtocolError("SMSC.ru named no price.", raw=answer)
        return Price(amount, segments=parse_int(answer.get("cnt")))


def _switched_off_or_text(value: Any) -> str:
    """SMSC_SENDER may be False, also as it reads in an environment variable."""
    text = "" if value in {None, False} else str(value).strip()
    return "" if text.lower() == "false" else text


def _is_loopback(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
