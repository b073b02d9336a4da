"""
Rehearsals: what the simulator would make of a whole campaign, person by person.

Nothing here can text anybody. No message is made, no gateway is opened and no row of the log is written: the simulator
is asked what it would do with a number, which is a function of its last digits, and the answers are counted by
`forecasting` beside people and segments.
"""

from __future__ import annotations

from functools import cache
from typing import Protocol, cast

from django.utils.module_loading import import_string
from django.utils.translation import gettext as _

from campaigns.models import MessageStatus
from sms_backends.gateways import backend_path


class Foreteller(Protocol):
    """The part of the simulator that only says what would happen."""

    def foretell(self, phone_number: str) -> tuple[str, str]: ...


@cache
def simulator() -> Foreteller:
    """A simulator of our own, with its usual rules; which gateways are configured makes no difference."""
    return cast(Foreteller, import_string(backend_path("simulator"))(alias="rehearsal"))


def fate(phone_number: str) -> tuple[str, str]:
    """What would become of a message to this number: a state of the log and the reason."""
    return simulator().foretell(phone_number)


#: What would have stopped more than the one message.
STOPPED = "stopped"


def fate_label(outcome: str) -> str:
    """The outcome in words."""
    if outcome == STOPPED:
        return _("would have stopped the gateway or the campaign")
    return str(MessageStatus(outcome).label)
