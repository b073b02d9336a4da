"""Writing conditions in tests."""

from __future__ import annotations

from typing import Any

from campaigns.models import Contact, SmartGroup
from campaigns.smart_groups import matching


def stored(*parts: dict[str, Any], combine: str = "all") -> dict[str, Any]:
    """Conditions as they are stored."""
    return {"version": 1, "match": block(*parts, combine=combine)}


def block(*parts: dict[str, Any], combine: str = "all") -> dict[str, Any]:
    return {"combine": combine, "parts": list(parts)}


def on(subject: str, comparison: str, value: Any = None, **more: Any) -> dict[str, Any]:
    found = {"on": subject, "is": comparison, **more}
    return found if value is None else {**found, "value": value}


def attribute(name: str, comparison: str, value: Any = None, kind: str = "text") -> dict[str, Any]:
    return on("attribute", comparison, value, name=name, kind=kind)


def who(*parts: dict[str, Any], combine: str = "all", as_of: Any = None) -> list[str]:
    """First names of the contacts that meet the conditions, in their order."""
    found = Contact.objects.filter(matching(stored(*parts, combine=combine), as_of=as_of))
    return list(found.order_by("pk").values_list("first_name", flat=True))


def make_smart_group(*parts: dict[str, Any], name: str = "Smart", combine: str = "all") -> SmartGroup:
    return SmartGroup.objects.create(name=name, conditions=stored(*parts, combine=combine))
