"""
What every adapter must do, whoever wrote it: test classes that do not run themselves.

Subclass them in `tests/sms_backends/test_<provider>_contract.py` and fill in the hooks::

    class TestSmsc(BackendContract, RefusingContract, NetworkContract, RequiredOptionsContract): ...
    class TestSmscWebhooks(WebhookContract): ...
"""

from __future__ import annotations

import pytest

pytest.register_assert_rewrite("tests.contracts.sending", "tests.contracts.network", "tests.contracts.webhooks")

from .network import NetworkContract  # noqa: E402  (after the line that makes their assertions readable)
from .sending import BackendContract, RefusingContract, RequiredOptionsContract  # noqa: E402
from .webhooks import WebhookCall, WebhookContract  # noqa: E402

__all__ = [
    "BackendContract",
    "NetworkContract",
    "RefusingContract",
    "RequiredOptionsContract",
    "WebhookCall",
    "WebhookContract",
]
