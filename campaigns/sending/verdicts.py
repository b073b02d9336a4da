"""What the answer to a request means: what is recorded for each recipient, and what follows for the rest."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from enum import Enum, auto

from campaigns.gateway_control import concerns_gateway
from campaigns.languages import has_one_text
from sms_backends import Reason, Scope, SendResult, SmsError, TemporaryError

from .handover import Intent


class NotOffered(TemporaryError):
    """Our own doing: the request was not begun, the provider knows nothing of it."""


class Then(Enum):
    """What follows when the answer to a request is written down."""

    GO_ON = auto()
    STOP = auto()
    TEND_GATEWAY = auto()
    PAUSE_CAMPAIGN = auto()
    SPLIT = auto()


@dataclass(frozen=True, slots=True)
class Verdict:
    """What the answer to a request means: what is recorded for each recipient, what follows, and which error why."""

    intent: Intent
    results: Sequence[SendResult]
    then: Then = Then.GO_ON
    error: SmsError | None = None


def judge(intent: Intent, results: Sequence[SendResult]) -> Verdict:
    """One result per message of the intent, as `requesting.request()` returns them."""
    if all(result.error is None for result in results):
        return Verdict(intent, results)
    if trouble := gateway_trouble(results):
        return Verdict(intent, results, Then.TEND_GATEWAY, trouble)
    shared = results[0].error
    if shared is None or any(result.error is not shared for result in results):
        return _judge_one_by_one(intent, results)
    if isinstance(shared, NotOffered):
        return Verdict(intent, results, Then.STOP, shared)
    if _forbids_campaign(shared, intent):
        return Verdict(intent, _not_taken(results, shared), Then.PAUSE_CAMPAIGN, shared)
    if shared.permanent and len(results) > 1:
        return Verdict(intent, _not_taken(results, shared), Then.SPLIT, shared)
    return Verdict(intent, results)


def gateway_trouble(results: Sequence[SendResult]) -> SmsError | None:
    """
    The error that says that the account or the way to it is in trouble; the account's own before others.

    A whole request without a clear answer is such trouble; single recipients that an answer says nothing about are not.
    """
    shared = results[0].error
    if shared is not None and all(result.error is shared for result in results):
        is_trouble = not shared.outcome_known or concerns_gateway(shared)
        return shared if is_trouble and not isinstance(shared, NotOffered) else None
    errors = [result.error for result in results if result.error is not None and result.error.outcome_known]
    errors = [error for error in errors if not isinstance(error, NotOffered)]
    troubles = sorted(filter(concerns_gateway, errors), key=lambda error: error.scope is not Scope.ACCOUNT)
    return troubles[0] if troubles else None


def _judge_one_by_one(intent: Intent, results: Sequence[SendResult]) -> Verdict:
    """The provider told the recipients apart: each has its own result."""
    errors = [result.error for result in results if result.error is not None and result.error.outcome_known]
    forbidden = next((error for error in errors if _forbids_campaign(error, intent)), None)
    return Verdict(intent, results, Then.PAUSE_CAMPAIGN if forbidden else Then.GO_ON, forbidden)


def _forbids_campaign(error: SmsError, intent: Intent) -> bool:
    """The sender, or a text that everybody gets, is forbidden: the next request would meet the same."""
    if error.scope is not Scope.CAMPAIGN:
        return False
    campaign = intent.messages[0].campaign
    if campaign is None:
        return False
    return error.reason is Reason.SENDER or has_one_text(campaign.launch)


def _not_taken(results: Sequence[SendResult], error: SmsError) -> list[SendResult]:
    """A refusal that is no verdict on these recipients: they wait."""
    waits = NotOffered(str(error), provider_code=error.provider_code, reason=error.reason)
    return [replace(result, error=waits) for result in results]
