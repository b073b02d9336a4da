"""The admin: one module per screen. Importing them registers their pages."""

from __future__ import annotations

from . import campaigns, contacts, holidays, imports, opt_outs, people, providers, sent_messages, system

__all__ = ["campaigns", "contacts", "holidays", "imports", "opt_outs", "people", "providers", "sent_messages", "system"]
