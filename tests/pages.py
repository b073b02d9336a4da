"""
Every page of the product, by name: one line for each.

Who adds a page adds its line here; it is then walked through with axe (`tests/browser/test_every_page.py`), its queries
are counted (`tests/campaigns/test_query_counts.py`), and it is in the pictures (`tests/browser/screenshots.py`).
"""

from __future__ import annotations

from typing import NamedTuple

from django.urls import reverse
from django_q.conf import Conf

from campaigns.unsubscribing import token_for
from tests.world import World, person


class Page(NamedTuple):
    """
    A page: its address is that of `view` for the thing of the world that is called `thing`, and `query` behind it.
    """

    name: str
    view: str
    thing: str = ""
    query: str = ""

    def url(self, world: World | None = None) -> str:
        if self.view == "unsubscribe":
            address = reverse("unsubscribe", args=[token_for(person(7))])
        else:
            address = reverse(self.view, args=[self._argument(world)] if world and self.thing else [])
        return f"{address}?{self.query.format(number=person(1)[1:])}" if self.query else address

    def _argument(self, world: World) -> str:
        thing = world[self.thing]
        return str(thing.alias if self.thing == "gateway" else thing.pk)


#: Parts for which their page asks the server once it is there.
LATE_PARTS = ".composer, #counted"

#: Pages that are seen by people who are not signed in.
OUTSIDE = (Page("login", "admin:login"), Page("unsubscribe", "unsubscribe"))

#: Worth a picture of an installation where there is nothing yet.
EMPTY = (
    Page("start", "admin:index"),
    Page("campaigns", "admin:campaigns_campaign_changelist"),
    Page("contacts", "admin:campaigns_contact_changelist"),
    Page("inbox", "admin:campaigns_conversation_changelist"),
    Page("log", "admin:campaigns_sentmessage_changelist"),
)

#: The queue has pages where it is kept in the database, and none with Redis.
QUEUE = (
    (
        Page("queue", "admin:django_q_ormq_changelist"),
        Page("queued-task", "admin:django_q_ormq_change", "queued_task"),
    )
    if Conf.ORM
    else ()
)

PAGES = (
    Page("start", "admin:index"),
    Page("quick", "quick_send"),
    Page("search", "admin:search", query="q=%2B{number}"),
    Page("search-name", "admin:search", query="q=ben"),
    Page("search-nothing", "admin:search", query="q=nobody"),
    Page("password", "admin:password_change"),
    # Campaigns
    Page("campaigns", "admin:campaigns_campaign_changelist"),
    Page("campaign-add", "admin:campaigns_campaign_add"),
    Page("campaign-draft", "admin:campaigns_campaign_change", "draft"),
    Page("campaign-scheduled", "admin:campaigns_campaign_change", "scheduled"),
    Page("campaign-sending", "admin:campaigns_campaign_change", "sending"),
    Page("campaign-paused", "admin:campaigns_campaign_change", "paused"),
    Page("campaign-completed", "admin:campaigns_campaign_change", "completed"),
    Page("campaign-cancelled", "admin:campaigns_campaign_change", "cancelled"),
    Page("campaign-send", "admin:campaigns_campaign_launch", "draft"),
    Page("campaign-rehearsal", "admin:campaigns_campaign_rehearsal", "draft"),
    Page("campaign-left-out", "admin:campaigns_campaign_left_out", "draft", query="reason=opted_out"),
    Page("campaign-schedule", "admin:campaigns_campaign_schedule", "draft"),
    Page("campaign-approval", "admin:campaigns_campaign_approval", "asked"),
    Page("campaign-approval-again", "admin:campaigns_campaign_approval", "asked_again"),
    Page("campaign-test", "admin:campaigns_campaign_test", "draft"),
    Page("campaign-cancel", "admin:campaigns_campaign_cancel", "sending"),
    Page("campaign-resend", "admin:campaigns_campaign_resend", "completed"),
    Page("campaign-report", "admin:campaigns_campaign_report", "completed"),
    Page("campaign-history", "admin:campaigns_campaign_history", "draft"),
    Page("campaign-delete", "admin:campaigns_campaign_delete", "draft"),
    Page("templates", "admin:campaigns_messagetemplate_changelist"),
    Page("template-add", "admin:campaigns_messagetemplate_add"),
    Page("template", "admin:campaigns_messagetemplate_change", "template"),
    # Contacts
    Page("contacts", "admin:campaigns_contact_changelist"),
    Page("contact-add", "admin:campaigns_contact_add"),
    Page("contact", "admin:campaigns_contact_change", "contact"),
    Page("contact-merge", "admin:campaigns_contact_merge", "contact"),
    Page("contact-delete", "admin:campaigns_contact_delete", "contact"),
    Page("contacts-archived", "admin:campaigns_contact_changelist", query="archived=yes"),
    Page("contact-archived", "admin:campaigns_contact_change", "archived_contact"),
    Page("groups", "admin:campaigns_contactgroup_changelist"),
    Page("group-add", "admin:campaigns_contactgroup_add"),
    Page("group", "admin:campaigns_contactgroup_change", "group"),
    Page("smart-groups", "admin:campaigns_smartgroup_changelist"),
    Page("smart-group-add", "admin:campaigns_smartgroup_add"),
    Page("smart-group", "admin:campaigns_smartgroup_change", "smart_group"),
    Page("fields", "admin:campaigns_attribute_changelist"),
    Page("field-add", "admin:campaigns_attribute_add"),
    Page("field", "admin:campaigns_attribute_change", "attribute"),
    Page("imports", "admin:campaigns_contactimport_changelist"),
    Page("import-upload", "admin:campaigns_contactimport_add"),
    Page("import-reading", "admin:campaigns_contactimport_change", "import_uploaded"),
    Page("import-checking", "admin:campaigns_contactimport_change", "import_checking"),
    Page("import-preview", "admin:campaigns_contactimport_change", "import_checked"),
    Page("import-bad-rows", "admin:campaigns_contactimport_change", "import_checked", query="rows=bad"),
    Page("import-changed-rows", "admin:campaigns_contactimport_change", "import_checked", query="rows=changed"),
    Page("import-done", "admin:campaigns_contactimport_change", "import_done"),
    Page("import-undo", "admin:campaigns_contactimport_undo", "import_done"),
    Page("import-refused", "admin:campaigns_contactimport_change", "import_refused"),
    Page("import-cancelled", "admin:campaigns_contactimport_change", "import_cancelled"),
    Page("remembered-files", "admin:campaigns_importsource_changelist"),
    Page("remembered-file", "admin:campaigns_importsource_change", "import_source"),
    Page("opt-outs", "admin:campaigns_optout_changelist"),
    Page("opt-out-add", "admin:campaigns_optout_add"),
    Page("opt-out", "admin:campaigns_optout_change", "opt_out"),
    Page("opt-out-lift", "admin:campaigns_optout_delete", "opt_out"),
    Page("erasures", "admin:campaigns_erasure_changelist"),
    Page("erasure-add", "admin:campaigns_erasure_add"),
    Page("erasure", "admin:campaigns_erasure_change", "erasure"),
    Page("person-export", "admin:campaigns_erasure_export"),
    Page("bulk-actions", "admin:campaigns_bulkaction_changelist"),
    Page("bulk-action", "admin:campaigns_bulkaction_change", "bulk_done"),
    Page("bulk-action-running", "admin:campaigns_bulkaction_change", "bulk_running"),
    # Inbox
    Page("inbox", "admin:campaigns_conversation_changelist"),
    Page("inbox-all", "admin:campaigns_conversation_changelist", query="state=all"),
    Page("conversation", "admin:campaigns_conversation_change", "conversation"),
    Page("conversation-doubtful", "admin:campaigns_conversation_change", "doubtful"),
    Page("keywords", "admin:campaigns_replykeyword_changelist"),
    Page("keyword-add", "admin:campaigns_replykeyword_add"),
    Page("keyword", "admin:campaigns_replykeyword_change", "keyword"),
    Page("keywords-built-in", "admin:campaigns_replykeyword_built_in"),
    Page("automatic-answers", "admin:campaigns_automaticreply_changelist"),
    Page("automatic-answer-add", "admin:campaigns_automaticreply_add"),
    Page("automatic-answer", "admin:campaigns_automaticreply_change", "automatic_reply"),
    # Delivery log
    Page("log", "admin:campaigns_sentmessage_changelist"),
    Page("log-nothing", "admin:campaigns_sentmessage_changelist", query="q=%2B15550000"),
    Page("log-export", "admin:campaigns_sentmessage_export"),
    Page("why-not", "admin:campaigns_sentmessage_why_not"),
    Page("why-not-asked", "admin:campaigns_sentmessage_why_not", query="number=%2B{number}"),
    Page("message", "admin:campaigns_sentmessage_change", "message"),
    Page("message-unknown", "admin:campaigns_sentmessage_change", "unknown"),
    Page("incoming", "admin:campaigns_inboundmessage_changelist"),
    Page("incoming-message", "admin:campaigns_inboundmessage_change", "inbound"),
    # Providers
    Page("providers", "admin:campaigns_gatewaystate_changelist"),
    Page("provider", "admin:campaigns_gatewaystate_change", "price_list"),
    Page("prices", "admin:campaigns_pricelist_changelist"),
    Page("price-list", "admin:campaigns_pricelist_change", "price_list"),
    Page("unmatched-receipts", "admin:campaigns_unmatchedreceipt_changelist"),
    Page("unmatched-receipt", "admin:campaigns_unmatchedreceipt_change", "unmatched"),
    # System
    Page("users", "admin:campaigns_user_changelist"),
    Page("user-add", "admin:campaigns_user_add"),
    Page("user", "admin:campaigns_user_change", "user"),
    Page("user-password", "admin:auth_user_password_change", "user"),
    Page("permission-groups", "admin:auth_group_changelist"),
    Page("permission-group-add", "admin:auth_group_add"),
    Page("permission-group", "admin:auth_group_change", "role"),
    Page("holidays", "admin:campaigns_holiday_changelist"),
    Page("holiday-add", "admin:campaigns_holiday_add"),
    Page("holiday", "admin:campaigns_holiday_change", "holiday"),
    Page("audit", "admin:campaigns_auditevent_changelist"),
    Page("audit-entry", "admin:campaigns_auditevent_change", "audit_event"),
    Page("signs-of-life", "admin:campaigns_heartbeat_changelist"),
    Page("sign-of-life", "admin:campaigns_heartbeat_change", "heartbeat"),
    *QUEUE,
    Page("schedules", "admin:django_q_schedule_changelist"),
    Page("schedule", "admin:django_q_schedule_change", "schedule"),
    Page("successes", "admin:django_q_success_changelist"),
    Page("success", "admin:django_q_success_change", "success"),
    Page("failures", "admin:django_q_failure_changelist"),
    Page("failure", "admin:django_q_failure_change", "failure"),
)
