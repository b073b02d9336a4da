"""
Talks to SMS providers: `SMSMessage(phone_numbers=[...], message="...").send()`.

The public face is what this module exports; adapters live in `sms_backends.providers`.
"""

from __future__ import annotations

from .base import BaseSmsBackend
from .exceptions import (
    AccountBlockedError,
    AuthenticationError,
    ContentRejectedError,
    DuplicateReferenceError,
    InsufficientFundsError,
    OutcomeUnknownError,
    PermanentRequestError,
    ProtocolError,
    Reason,
    RecipientRejectedError,
    RepeatedRequestError,
    Scope,
    SenderRejectedError,
    SmsError,
    TemporaryError,
    ThrottledError,
    UnsupportedFeatureError,
    WebhookVerificationError,
)
from .gateways import gateways, get_sms_backend
from .http import checked_before_writing
from .message import SMSMessage
from .results import (
    Balance,
    Capabilities,
    DeliveryReceipt,
    DeliveryStatus,
    IncomingSms,
    LookupResult,
    LookupStatus,
    Outcome,
    Price,
    SendResult,
)

__all__ = [
    "AccountBlockedError",
    "AuthenticationError",
    "Balance",
    "BaseSmsBackend",
    "Capabilities",
    "ContentRejectedError",
    "DeliveryReceipt",
    "DeliveryStatus",
    "DuplicateReferenceError",
    "IncomingSms",
    "InsufficientFundsError",
    "LookupResult",
    "LookupStatus",
    "Outcome",
    "OutcomeUnknownError",
    "PermanentRequestError",
    "Price",
    "ProtocolError",
    "Reason",
    "RecipientRejectedError",
    "RepeatedRequestError",
    "SMSMessage",
    "Scope",
    "SendResult",
    "SenderRejectedError",
    "SmsError",
    "TemporaryError",
    "ThrottledError",
    "UnsupportedFeatureError",
    "WebhookVerificationError",
    "checked_before_writing",
    "gateways",
    "get_sms_backend",
]
