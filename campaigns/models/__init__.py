"""The nouns of the product."""

from __future__ import annotations

from .audit import AuditEvent
from .campaigns import (
    EDITABLE,
    ENDED,
    MARKETING_WINDOW,
    RUNNING,
    Campaign,
    CampaignKind,
    CampaignStatus,
    LateStart,
    RateUnit,
)
from .contacts import Consent, Contact, ContactGroup, OptOut, OptOutSource
from .gateways import GatewayState, Heartbeat, RequestSlot
from .holidays import Holiday
from .imports import ContactImport, ContactImportRow, ImportStatus, RowKind
from .inbound import InboundMessage
from .messages import (
    CANCELLABLE,
    PENDING,
    TAKEN,
    TERMINAL,
    TRANSITIONS,
    Attempt,
    EventKind,
    FailureReason,
    MessageEvent,
    MessageStatus,
    Purpose,
    SentMessage,
    SuppressionReason,
    UnmatchedReceipt,
    may_become,
)
from .users import User

__all__ = [
    "CANCELLABLE",
    "EDITABLE",
    "ENDED",
    "MARKETING_WINDOW",
    "PENDING",
    "RUNNING",
    "TAKEN",
    "TERMINAL",
    "TRANSITIONS",
    "Attempt",
    "AuditEvent",
    "Campaign",
    "CampaignKind",
    "CampaignStatus",
    "Consent",
    "Contact",
    "ContactGroup",
    "ContactImport",
    "ContactImportRow",
    "EventKind",
    "FailureReason",
    "GatewayState",
    "Heartbeat",
    "Holiday",
    "ImportStatus",
    "InboundMessage",
    "LateStart",
    "MessageEvent",
    "MessageStatus",
    "OptOut",
    "OptOutSource",
    "Purpose",
    "RateUnit",
    "RequestSlot",
    "RowKind",
    "SentMessage",
    "SuppressionReason",
    "UnmatchedReceipt",
    "User",
    "may_become",
]
