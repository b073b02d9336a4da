"""The admin: one module per screen. Importing them registers their pages."""

from __future__ import annotations

from . import (
    attributes,
    audit,
    bulk_actions,
    campaigns,
    contacts,
    erasures,
    groups,
    holidays,
    imports,
    inbox,
    keywords,
    opt_outs,
    people,
    prices,
    providers,
    readings,
    sent_messages,
    smart_groups,
    system,
    templates,
)

__all__ = [
    "attributes",
    "audit",
    "bulk_actions",
    "campaigns",
    "contacts",
    "erasures",
    "groups",
    "holidays",
    "imports",
    "inbox",
    "keywords",
    "opt_outs",
    "people",
    "prices",
    "providers",
    "readings",
    "sent_messages",
    "smart_groups",
    "system",
    "templates",
]
