"""What the form for conditions offers: fields, comparisons and the things to choose from."""

from __future__ import annotations

from typing import Any

from django.db.models import Model
from django.utils.translation import gettext as _

from campaigns.attributes import known_attributes
from campaigns.models import AttributeKind, Campaign, Consent, ContactGroup, ContactImport, ImportStatus

from .conditions import (
    BY_KIND,
    COMPARISONS,
    WITH_DAYS,
    WITHOUT_VALUE,
    Became,
    Combine,
    Condition,
    ConditionsError,
    Is,
    On,
    read,
)

#: So many groups, imports and campaigns are offered, besides those that the conditions name already.
OFFERED = 300


def vocabulary(stored: Any) -> dict[str, Any]:
    """Everything that the script of the form needs, as JSON. `stored` are the conditions that it will show first."""
    try:
        used = list(read(stored).conditions())
    except ConditionsError:
        used = []
    return {
        "combine": _choices(Combine),
        "on": [{"value": str(on), "label": str(on.label), **_field(on)} for on in On],
        "kinds": {str(kind): _comparisons(BY_KIND[kind]) for kind in AttributeKind},
        "kind_labels": _choices(AttributeKind),
        "without_value": [str(it) for it in WITHOUT_VALUE],
        "with_days": [str(it) for it in WITH_DAYS],
        "became": _choices(Became),
        "consent": _choices(Consent),
        "attributes": [{"name": it.name, "label": str(it), "kind": str(it.kind)} for it in known_attributes()],
        "groups": _offered(ContactGroup, "name", _used(used, On.GROUP), conditions__isnull=True),
        "imports": _offered(
            ContactImport, "file_name", _used(used, On.IMPORT), status__in=[ImportStatus.DONE, ImportStatus.IMPORTING]
        ),
        "campaigns": _offered(Campaign, "name", [c.campaign for c in used if c.campaign], launched_at__isnull=False),
        "words": _words(),
    }


def _choices(choices: Any) -> list[list[str]]:
    return [[str(value), str(label)] for value, label in choices.choices]


def _comparisons(allowed: tuple[Is, ...]) -> list[list[str]]:
    return [[str(it), str(it.label)] for it in allowed]


def _field(on: On) -> dict[str, Any]:
    shapes = {
        On.GROUP: "groups",
        On.IMPORT: "imports",
        On.CONSENT: "consent",
        On.CREATED_AT: "date",
        On.MESSAGE: "message",
        On.REPLY: "reply",
        On.OPTED_OUT: "nothing",
        On.ATTRIBUTE: "attribute",
    }
    return {"shape": shapes.get(on, "text"), "is": _comparisons(COMPARISONS.get(on, ()))}


def _used(conditions: list[Condition], on: On) -> list[int]:
    return [condition.value for condition in conditions if condition.on == on]


def _offered(model: type[Model], column: str, used: list[int], **filters: Any) -> list[list[Any]]:
    """The newest, and whichever are used already, by name."""
    rows = model._default_manager.filter(**filters).order_by("-pk").values_list("pk", column)[:OFFERED]
    found = dict(rows)
    missing = [pk for pk in used if pk not in found]
    found.update(model._default_manager.filter(pk__in=missing).values_list("pk", column))
    return [[pk, name] for pk, name in sorted(found.items(), key=lambda it: (it[1].casefold(), it[0]))]


def _words() -> dict[str, str]:
    return {
        "add": _("Add a condition"),
        "add_block": _("Add a block"),
        "remove": _("Remove"),
        "remove_condition": _("Remove condition {number}"),
        "remove_block": _("Remove this block"),
        "combine": _("How these count together"),
        "on": _("What it looks at"),
        "is": _("How it is compared"),
        "value": _("Compared with"),
        "name": _("Name of the field"),
        "kind": _("Kind of value"),
        "another": _("another field…"),
        "any_campaign": _("anything"),
        "campaign": _("Campaign"),
        "became": _("What became of it"),
        "ever": _("ever"),
        "days": _("in the last … days"),
        "days_before": _("in the last"),
        "days_after": _("in the next"),
        "days_short": _("days"),
        "choose": _("choose…"),
        "counting": _("Counting…"),
        "failed": _("The count cannot be asked for now. Saving still works."),
        "block": _("Block of conditions"),
    }
