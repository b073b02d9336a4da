"""What to do next where a list is empty: a button beside the sentence that says why it is."""

from __future__ import annotations

from typing import Any, NamedTuple

from django.http import HttpRequest
from django.urls import reverse
from django.utils.functional import Promise
from django.utils.translation import gettext as _t
from django.utils.translation import gettext_lazy as _


class NextStep(NamedTuple):
    """A page that fills the list, for those who may open it."""

    label: str | Promise
    view: str
    permission: str

    @property
    def url(self) -> str:
        return reverse(self.view)


_IMPORT = NextStep(_("Import contacts"), "admin:campaigns_contactimport_add", "campaigns.import_contact")
_WRITE = NextStep(_("Write a campaign"), "admin:campaigns_campaign_add", "campaigns.add_campaign")
_SEE_PROVIDERS = NextStep(
    _("See the providers"), "admin:campaigns_gatewaystate_changelist", "campaigns.view_gatewaystate"
)
_SEE_CONTACTS = NextStep(_("See the contacts"), "admin:campaigns_contact_changelist", "campaigns.view_contact")
#: By model, where it is another page than the one that adds a row.
_STEPS = {
    "auditevent": _WRITE,
    "bulkaction": _SEE_CONTACTS,
    "campaign": _WRITE,
    "contact": _IMPORT,
    "contactimport": _IMPORT,
    "conversation": _SEE_PROVIDERS,
    "erasure": NextStep(_("Erase a person"), "admin:campaigns_erasure_add", "campaigns.add_erasure"),
    "inboundmessage": _SEE_PROVIDERS,
    "sentmessage": _WRITE,
    "unmatchedreceipt": _SEE_PROVIDERS,
}


def next_step(request: HttpRequest, opts: Any, has_add_permission: bool) -> NextStep | None:
    """The page that an empty list of this model leads to, if this user may open it."""
    step = _STEPS.get(opts.model_name)
    if step is not None:
        return step if request.user.has_perm(step.permission) else None
    if not has_add_permission:
        return None
    label = _t("Add %(name)s") % {"name": opts.verbose_name}
    return NextStep(label, f"admin:{opts.app_label}_{opts.model_name}_add", "")
