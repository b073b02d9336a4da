"""What permissions are called, in the reader's language: the database keeps their names as of the last migration."""

from __future__ import annotations

from django.contrib.auth.models import Group, Permission
from django.utils.translation import gettext_lazy as _

#: What every model has, by the beginning of the codename.
ACTS = {"add": _("Can add"), "change": _("Can change"), "delete": _("Can delete"), "view": _("Can view")}


def permission_words(permission: Permission) -> str:
    """Where it belongs and what it allows: "SMS campaigns | contact | Can add"."""
    content_type = permission.content_type
    model = content_type.model_class()
    own = dict(model._meta.permissions) if model else {}
    act = ACTS.get(permission.codename.partition("_")[0]) if permission.name.startswith("Can ") else None
    return f"{content_type} | {own.get(permission.codename) or act or permission.name}"


#: The roles that come with the product. Whoever renames one has chosen the word.
_ROLES = {
    "Viewer": _("Viewer"),
    "Operator": _("Operator"),
    "Approver": _("Approver"),
    "Administrator": _("Administrator"),
}


def role_words(group: Group) -> str:
    """The name of a group of permissions, in the reader's language where it is one of ours."""
    return str(_ROLES.get(group.name, group.name))
