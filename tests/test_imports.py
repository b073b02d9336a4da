"""
Who may import whom: config -> campaigns -> sms_backends -> Django and libraries, never upward.

The imports are read from the source, those inside functions and under TYPE_CHECKING included.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from django.conf import settings

ROOT = Path(settings.BASE_DIR)
PACKAGES = ("config", "campaigns", "sms_backends")
PROVIDERS = "sms_backends.providers"
#: The methods of a backend that send; `SMSMessage` is the only door to them.
SENDING_METHODS = {"send_sms", "send_messages", "send_through"}


@dataclass(frozen=True)
class Import:
    """`importer` (a module, dotted) imports `imported`; for `from a import b` that is a.b."""

    importer: str
    imported: str
    line: int

    def __str__(self) -> str:
        return f"{self.importer}:{self.line} imports {self.imported}"


def module_name(path: Path) -> str:
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def imports_in(source: str, module: str, *, is_package: bool = False) -> Iterator[Import]:
    package = module.split(".") if is_package else module.split(".")[:-1]
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield Import(module, alias.name, node.lineno)
        elif isinstance(node, ast.ImportFrom):
            base = package[: len(package) - node.level + 1] if node.level else []
            start = ".".join([*base, *([node.module] if node.module else [])])
            for alias in node.names:
                yield Import(module, f"{start}.{alias.name}", node.lineno)


def sources(package: str) -> Iterator[Path]:
    yield from sorted((ROOT / package).rglob("*.py"))


def all_imports() -> list[Import]:
    return [
        found
        for package in PACKAGES
        for path in sources(package)
        for found in imports_in(
            path.read_text(encoding="utf-8"), module_name(path), is_package=path.name == "__init__.py"
        )
    ]


def is_in(name: str, package: str) -> bool:
    return name == package or name.startswith(f"{package}.")


def upward(imports: list[Import]) -> list[Import]:
    """sms_backends imports neither of the others, campaigns imports no config, and nobody imports the tests."""
    forbidden = {
        "sms_backends": ("config", "campaigns", "tests"),
        "campaigns": ("config", "tests"),
        "config": ("tests",),
    }
    return [
        found
        for found in imports
        if any(is_in(found.imported, package) for package in forbidden[found.importer.split(".")[0]])
    ]


def provider_of(name: str) -> str:
    """The provider whose module this is: smsc for sms_backends.providers.smsc and for what is in that package."""
    return name.removeprefix(f"{PROVIDERS}.").split(".")[0]


def past_the_models(imports: list[Import]) -> list[Import]:
    """Inside campaigns everything may use the models; the models use nothing of the rest."""
    return [
        found
        for found in imports
        if is_in(found.importer, "campaigns.models")
        and is_in(found.imported, "campaigns")
        and not is_in(found.imported, "campaigns.models")
        and not is_in(found.imported, "campaigns.masking")  # what they are called depends on who reads; it uses nothing
    ]


def of_providers(imports: list[Import]) -> list[Import]:
    """Providers arrive by dotted path from settings; only the parts of one provider know each other."""
    return [
        found
        for found in imports
        if found.imported.startswith(f"{PROVIDERS}.")
        and not (
            found.importer.startswith(f"{PROVIDERS}.") and provider_of(found.importer) == provider_of(found.imported)
        )
    ]


def of_http_libraries(imports: list[Import]) -> list[Import]:
    """Only http.py reaches providers; the standard library's clients serve for asking our own web process."""
    anywhere = ("requests", "urllib3", "httpx", "aiohttp")
    in_backends = (*anywhere, "http.client", "urllib.request", "socket")
    return [
        found
        for found in imports
        if found.importer != "sms_backends.http"
        and any(
            is_in(found.imported, library)
            for library in (in_backends if is_in(found.importer, "sms_backends") else anywhere)
        )
    ]


def sending_calls(source: str) -> list[int]:
    """The lines on which something with the name of a backend's sending method is called or passed on."""
    return [
        node.lineno
        for node in ast.walk(ast.parse(source))
        if isinstance(node, ast.Attribute) and node.attr in SENDING_METHODS
    ]


def test_imports_never_lead_upward() -> None:
    assert [str(found) for found in upward(all_imports())] == []


def test_models_use_nothing_of_the_rest_of_campaigns() -> None:
    assert [str(found) for found in past_the_models(all_imports())] == []


def test_providers_are_imported_by_nobody() -> None:
    assert [str(found) for found in of_providers(all_imports())] == []


def test_only_http_opens_connections() -> None:
    assert [str(found) for found in of_http_libraries(all_imports())] == []


def test_models_live_in_campaigns_alone() -> None:
    assert [str(f) for f in all_imports() if is_in(f.importer, "sms_backends") and is_in(f.imported, "django.db")] == []


def test_campaigns_sends_through_sms_message_alone() -> None:
    for path in sources("campaigns"):
        assert sending_calls(path.read_text(encoding="utf-8")) == [], path


def test_the_tree_was_read() -> None:
    importers = {found.importer.split(".")[0] for found in all_imports()}
    assert importers == set(PACKAGES)
    assert any(
        found == Import("sms_backends.urls", "sms_backends.webhooks.webhook", found.line) for found in all_imports()
    )


@pytest.mark.parametrize(
    ("module", "source", "rule"),
    [
        ("sms_backends.base", "import campaigns.models", upward),
        ("sms_backends.base", "def f():\n    from config.settings import DEBUG", upward),
        ("sms_backends.base", "from campaigns import models", upward),
        ("campaigns.tasks", "import config", upward),
        ("campaigns.models.messages", "from ..lifecycle import launch", past_the_models),
        ("campaigns.tasks", "from tests.contracts import x", upward),
        ("campaigns.tasks", "from sms_backends.providers import simulator", of_providers),
        ("sms_backends.gateways", "from .providers.smsc import SmsBackend", of_providers),
        ("sms_backends.providers.dummy", "from . import console", of_providers),
        ("sms_backends.providers.dummy", "from .console import RULE", of_providers),
        ("sms_backends.providers.smsc", "import requests", of_http_libraries),
        ("campaigns.tasks", "from requests import post", of_http_libraries),
        ("sms_backends.webhooks", "from urllib.request import urlopen", of_http_libraries),
    ],
)
def test_a_breach_is_found(module: str, source: str, rule: object) -> None:
    assert callable(rule)
    assert len(rule(list(imports_in(source, module)))) == 1


@pytest.mark.parametrize(
    ("module", "source"),
    [
        ("sms_backends.providers.smsc.sending", "from .codes import ERRORS"),
        ("sms_backends.providers.smsc.status", "from sms_backends.providers.smsc.codes import ERRORS"),
        ("sms_backends.gateways", "from . import providers"),
        ("campaigns.tasks", "from sms_backends import SMSMessage"),
        ("config.urls", "import campaigns.views"),
        ("sms_backends.http", "import requests"),
    ],
)
def test_what_is_allowed_is_no_breach(module: str, source: str) -> None:
    imports = list(imports_in(source, module))
    assert [*upward(imports), *of_providers(imports), *of_http_libraries(imports)] == []


@pytest.mark.parametrize("method", sorted(SENDING_METHODS))
def test_a_call_past_sms_message_is_found(method: str) -> None:
    assert sending_calls(f"get_sms_backend().{method}([], '')") == [1]
    assert sending_calls(f"pool.submit(backend.{method}, [])") == [1]
    assert sending_calls("SMSMessage([], '').send(); SMSMessage.send_many([])") == []
