"""The table in docs/providers.md says what the adapters say of themselves."""

from __future__ import annotations

import pkgutil
from pathlib import Path

import pytest
from django.utils.module_loading import import_string

from sms_backends import Capabilities, providers
from sms_backends.gateways import backend_path

DOCUMENTATION = Path(__file__).resolve().parents[2] / "docs" / "providers.md"
ROWS = {
    "Our reference goes along": "client_reference",
    '"Did you take reference X?"': "lookup_by_reference",
    "A repeated request is taken once": "idempotent_submit",
    "One text to many in one request": "bulk_same_text",
    "Different texts in one request": "bulk_personalized",
    "Recipients per request": "max_recipients",
    "Requests at once": "max_connections",
    "Sender ID": "sender_id",
    "Validity period": "validity",
    "Receipts pushed to us": "receipts_push",
    "Receipts asked for": "receipts_poll",
    "Incoming messages": "incoming_push",
    "Balance": "balance",
    "Price": "price",
}


def documented() -> dict[str, dict[str, str]]:
    """Provider -> row -> what the table says."""
    lines = DOCUMENTATION.read_text(encoding="utf-8").splitlines()
    start = next(number for number, line in enumerate(lines) if line.startswith("| | "))
    names = [cell.strip() for cell in lines[start].strip("|").split("|")[1:]]
    table: dict[str, dict[str, str]] = {name: {} for name in names}
    for line in lines[start + 2 :]:
        if not line.startswith("|"):
            break
        title, *cells = (cell.strip() for cell in line.strip("|").split("|"))
        for name, cell in zip(names, cells, strict=True):
            table[name][title] = cell
    return table


def shown(value: object) -> str:
    return {True: "yes", False: "no"}[value] if isinstance(value, bool) else str(value)


def test_every_shipped_provider_has_its_column() -> None:
    assert set(documented()) == {module.name for module in pkgutil.iter_modules(providers.__path__)}


@pytest.mark.parametrize("name", sorted(documented()))
def test_a_column_says_what_the_adapter_says(name: str) -> None:
    capabilities: Capabilities = import_string(backend_path(name)).capabilities
    expected = {title: shown(getattr(capabilities, attribute)) for title, attribute in ROWS.items()}
    assert documented()[name] == {"Really sends": shown(not capabilities.pretends), **expected}
