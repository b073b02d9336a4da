"""
Who may do what. Each act has a permission of its own; `ACTS` says which, by the name it has in the audit trail.

`audit.record()` asks here, so that whatever page, task or command an act comes from, it is undone with its transaction
when its actor may not do it. No actor means the engine, or somebody at the command line.
"""

from __future__ import annotations

from django.core.exceptions import PermissionDenied
from django.utils.translation import gettext as _

from .models import User

_CAMPAIGN = ("campaigns.add_campaign", "campaigns.change_campaign")
_LAUNCH = ("campaigns.launch_campaign",)
_APPROVE = ("campaigns.approve_campaign",)
_CONTROL = ("campaigns.control_campaign",)
_TEMPLATE = ("campaigns.add_messagetemplate", "campaigns.change_messagetemplate")
_GROUP = ("campaigns.add_contactgroup", "campaigns.change_contactgroup")
_CONTACT = ("campaigns.change_contact",)
_BULK = ("campaigns.bulk_contact",)
_IMPORT = ("campaigns.import_contact",)
_GATEWAY = ("campaigns.resume_gateway",)
_MANAGE_GATEWAY = ("campaigns.manage_gateway",)
_INBOX = ("campaigns.answer_conversation",)
_REVIEW = ("campaigns.review_conversation",)
_USERS = ("campaigns.add_user", "campaigns.change_user")
_ERASE = ("campaigns.add_erasure",)
#: Whatever is exported; which list it is stands in the entry.
_EXPORT = ("campaigns.export_contact", "campaigns.export_sentmessage")

#: By action: one of these permissions. Empty: anybody, or only the engine does it.
ACTS: dict[str, tuple[str, ...]] = {
    "create": _CAMPAIGN,
    "change": _CAMPAIGN,
    "duplicate": ("campaigns.add_campaign",),
    "delete": ("campaigns.delete_campaign",),
    "archive": ("campaigns.delete_campaign",),
    "restore": ("campaigns.delete_campaign",),
    "launch": (*_LAUNCH, "campaigns.resend_campaign"),
    "approval_asked": (*_LAUNCH, "campaigns.resend_campaign"),
    "approval_withdrawn": (*_LAUNCH, "campaigns.resend_campaign"),
    "approval_given": _APPROVE,
    "approval_declined": _APPROVE,
    "rehearsal_begun": _LAUNCH,
    "rehearsal_discarded": _LAUNCH,
    "schedule": _LAUNCH,
    "unschedule": _LAUNCH,
    "spend_limit": _LAUNCH,
    "pause": _CONTROL,
    "resume": _CONTROL,
    "cancel": _CONTROL,
    "leave_unknown": _CONTROL,
    "resend": ("campaigns.resend_campaign",),
    "resend_unknown": ("campaigns.resend_campaign",),
    "completed": (),
    "reopened": (),
    "canary_over": (),
    "send_to": ("campaigns.add_campaign",),
    "forget_reading": _IMPORT,
    "consent": ("campaigns.change_consent",),
    "send_quick": ("campaigns.send_quick",),
    "send_test": ("campaigns.send_quick",),
    "send_reply": _INBOX,
    "send_automatic": (),
    "send_confirm": (),
    "template_written": _TEMPLATE,
    "template_changed": _TEMPLATE,
    "template_deleted": ("campaigns.delete_messagetemplate",),
    "create_contact": ("campaigns.add_contact",),
    "change_contact": _CONTACT,
    "change_number": _CONTACT,
    "delete_contact": ("campaigns.delete_contact",),
    "archive_contact": ("campaigns.delete_contact",),
    "restore_contact": ("campaigns.delete_contact",),
    "restore_contacts": ("campaigns.delete_contact",),
    "merge_contacts": ("campaigns.merge_contact",),
    "create_group": _GROUP,
    "change_group": _GROUP,
    "delete_group": ("campaigns.delete_contactgroup",),
    "archive_group": ("campaigns.delete_contactgroup", "campaigns.delete_smartgroup"),
    "restore_group": ("campaigns.delete_contactgroup", "campaigns.delete_smartgroup"),
    "create_smart_group": ("campaigns.add_smartgroup",),
    "change_smart_group": ("campaigns.change_smartgroup",),
    "delete_smart_group": ("campaigns.delete_smartgroup",),
    "create_attribute": ("campaigns.add_attribute",),
    "change_attribute": ("campaigns.change_attribute",),
    "delete_attribute": ("campaigns.delete_attribute",),
    "import": _IMPORT,
    "upload_import": _IMPORT,
    "cancel_import": _IMPORT,
    "undo_import": _IMPORT,
    "download_bad_rows": _IMPORT,
    "add_to_group": _BULK,
    "remove_from_group": _BULK,
    "set_attribute": _BULK,
    "apply_definition": ("campaigns.add_attribute", "campaigns.change_attribute"),
    "delete_contacts": ("campaigns.delete_contact",),
    "erase": _ERASE,
    "export": _EXPORT,
    "download_export": _EXPORT,
    "export_report": ("campaigns.view_campaign",),
    "cancel_bulk_action": (
        *_BULK,
        *_EXPORT,
        *_ERASE,
        "campaigns.add_campaign",
        "campaigns.change_consent",
        "campaigns.add_optout",
        "campaigns.change_attribute",
    ),
    "export_person": ("campaigns.export_person",),
    "erasure": _ERASE,
    "erased": (),  # what was asked for before; whoever asked may have left since
    "opt_out": ("campaigns.add_optout", *_REVIEW, *_IMPORT),
    "opt_in": ("campaigns.delete_optout",),
    "conversation_assigned": _INBOX,
    "conversation_answered": (*_INBOX, *_REVIEW),
    "conversation_reopened": _INBOX,
    "conversation_reviewed": _REVIEW,
    "keyword_saved": ("campaigns.add_replykeyword", "campaigns.change_replykeyword"),
    "keyword_removed": ("campaigns.delete_replykeyword",),
    "automatic_reply_saved": ("campaigns.add_automaticreply", "campaigns.change_automaticreply"),
    "automatic_reply_removed": ("campaigns.delete_automaticreply",),
    "gateway_paused": _GATEWAY,
    "gateway_resumed": _GATEWAY,
    "gateway_rate": _MANAGE_GATEWAY,
    "gateway_limit": _MANAGE_GATEWAY,
    "gateway_spent": (),
    "gateway_prices": ("campaigns.change_gatewayprice",),
    "copy_suspected": (),
    "copy_released": _GATEWAY,
    "holiday_listed": ("campaigns.add_holiday", "campaigns.change_holiday"),
    "holiday_removed": ("campaigns.delete_holiday",),
    "create_user": _USERS,
    "change_user": _USERS,
    "delete_user": ("campaigns.delete_user",),
    "change_password": (),  # one's own, or with the permission to change users, which the page asks for
    "create_role": ("auth.add_group",),
    "change_role": ("auth.change_group",),
    "delete_role": ("auth.delete_group",),
    "login": (),
    "logout": (),
    "login_failed": (),
}


class NotAllowed(PermissionDenied):
    """This person may not do this; the message says what."""


def may(user: User, *permissions: str) -> bool:
    """Whether the user has one of these permissions."""
    return any(user.has_perm(permission) for permission in permissions)


def require(actor: User | None, *permissions: str) -> None:
    """Raises NotAllowed unless the actor has one of these permissions."""
    if actor is not None and permissions and not may(actor, *permissions):
        raise NotAllowed(_("%(user)s may not do this (any more).") % {"user": actor})


def require_act(actor: User | None, action: str) -> None:
    """The same for an act, by its name in the audit trail."""
    require(actor, *ACTS.get(action, ()))
