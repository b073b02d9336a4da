"""The provider calls our address, on many connections at once."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

import requests

from tests.fake_smsc import Message
from tests.fake_smsc.callbacks import call, receipt_fields

from .installation import CALLBACK_SECRET, SendingInstallation


def push_receipts(
    installation: SendingInstallation, messages: Sequence[Message], status: int, *, connections: int = 4
) -> list[int]:
    """The HTTP status of each answer."""

    def push(message: Message) -> int:
        with requests.Session() as session:
            session.trust_env = False
            # A time of its own: the same word at another time is another receipt.
            at = message.time + 3600 + status
            fields = receipt_fields(message.id, message.phone, status, secret=CALLBACK_SECRET, at=at)
            return call(session, installation.receipts_url, fields)

    with ThreadPoolExecutor(max_workers=connections) as pool:
        return list(pool.map(push, messages))
