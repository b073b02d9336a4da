"""The nouns of the product."""

from __future__ import annotations

from .attributes import Attribute, AttributeKind
from .audit import AuditEvent
from .bulk_actions import BulkAction, BulkStatus
from .campaigns import (
    CANARY_WAIT_MINUTES,
    EDITABLE,
    ENDED,
    MARKETING_WINDOW,
    RUNNING,
    Campaign,
    CampaignKind,
    CampaignStatus,
    CanaryThen,
    LateStart,
    RateUnit,
)
from .consent import ConsentAct, ConsentChange, Erasure, ErasureSalt
from .contacts import Consent, ConsentKind, Contact, ContactGroup, OptOut, OptOutSource
from .figures import NO_DELAY, WHOLE_DAY, DayFigure, Figure, GatewayMinute
from .forecasts import Approval, ApprovalStatus, Forecast, ForecastKind, ForecastPart, ForecastStatus
from .former_numbers import FormerNumber
from .gateways import GatewayPrice, GatewayState, Heartbeat, PriceList, RequestSlot
from .holidays import Holiday
from .imports import (
    ContactImport,
    ContactImportRow,
    ImportSource,
    ImportStatus,
    OptedOutRows,
    RowKind,
    UpdateExisting,
)
from .inbound import AutomaticReply, Conversation, Forward, InboundMessage, Meaning, ReplyKeyword
from .installation import Installation, Suspicion
from .messages import (
    BILLABLE,
    CANCELLABLE,
    PENDING,
    RESERVED,
    TAKEN,
    TERMINAL,
    TRANSITIONS,
    WITH_REASON,
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
from .smart_groups import SmartGroup
from .templates import MessageTemplate, TemplateText
from .users import User
from .watching import CampaignMinute, CampaignReport
from .writing import CampaignDraft

__all__ = [
    "BILLABLE",
    "CANARY_WAIT_MINUTES",
    "CANCELLABLE",
    "EDITABLE",
    "ENDED",
    "MARKETING_WINDOW",
    "NO_DELAY",
    "PENDING",
    "RESERVED",
    "RUNNING",
    "TAKEN",
    "WITH_REASON",
    "TERMINAL",
    "TRANSITIONS",
    "WHOLE_DAY",
    "Approval",
    "ApprovalStatus",
    "Attempt",
    "Attribute",
    "AttributeKind",
    "AuditEvent",
    "AutomaticReply",
    "BulkAction",
    "BulkStatus",
    "Campaign",
    "CampaignDraft",
    "CampaignKind",
    "CampaignMinute",
    "CampaignReport",
    "CampaignStatus",
    "CanaryThen",
    "Consent",
    "ConsentAct",
    "ConsentChange",
    "ConsentKind",
    "Contact",
    "ContactGroup",
    "ContactImport",
    "ContactImportRow",
    "Conversation",
    "DayFigure",
    "Erasure",
    "ErasureSalt",
    "EventKind",
    "FailureReason",
    "Figure",
    "Forecast",
    "ForecastKind",
    "ForecastPart",
    "ForecastStatus",
    "FormerNumber",
    "Forward",
    "GatewayMinute",
    "GatewayPrice",
    "GatewayState",
    "Heartbeat",
    "Holiday",
    "ImportSource",
    "ImportStatus",
    "InboundMessage",
    "Installation",
    "LateStart",
    "Meaning",
    "MessageEvent",
    "MessageStatus",
    "MessageTemplate",
    "OptOut",
    "OptOutSource",
    "OptedOutRows",
    "PriceList",
    "Purpose",
    "RateUnit",
    "ReplyKeyword",
    "RequestSlot",
    "RowKind",
    "SentMessage",
    "SmartGroup",
    "SuppressionReason",
    "Suspicion",
    "TemplateText",
    "UnmatchedReceipt",
    "UpdateExisting",
    "User",
    "may_become",
]
