"""What to do about messages that were not delivered, by their state and reason, in words for operators."""

from __future__ import annotations

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from .models import FailureReason, MessageStatus, SuppressionReason

F, S = FailureReason, SuppressionReason
_CORRECT_NUMBER = _("Correct the number in the contact, or remove the contact. Sending again does not help.")

#: For whatever went wrong after we meant to send: by the reason, ours or the provider's.
FAILURES: dict[str, str | Promise] = {
    F.INVALID_NUMBER: _CORRECT_NUMBER,
    F.UNREACHABLE_TEMPORARY: _("The phone was off or out of reach. Send again later to those not reached."),
    F.NO_SERVICE: _("The number is a landline or its line takes no SMS. Look for a mobile number of the person."),
    F.UNKNOWN_SUBSCRIBER: _("Nobody has this number. It is not written to any more; ask the person for the new one."),
    F.BARRED: _("The operator has barred this line, often for unpaid bills. Try another way to reach the person."),
    F.OPTED_OUT: _("The person has opted out at the provider. It is recorded here too; write to them no more."),
    F.BLOCKED: _("The provider or the person blocks this number. Ask the provider if there are many."),
    F.SPAM_FILTERED: _("Change the text: fewer links, no shortened ones, no capitals; register the sender's name."),
    F.DUPLICATE: _("The provider took it for a repetition of an earlier text. Look there whether that was delivered."),
    F.NO_ROUTE: _("The provider does not serve this network. Use another gateway for these numbers."),
    F.COUNTRY_NOT_ENABLED: _("Enable the country at the provider or in the installation's settings, then send again."),
    F.NOT_ALLOWED: _("The account or the installation allows only listed numbers. Add them, or lift the restriction."),
    F.PER_NUMBER_LIMIT: _("So many texts to one number were too much for the provider. Send again tomorrow."),
    F.CONTENT: _("The provider forbids this text. Have it approved there, or write it anew in a copy of the campaign."),
    F.SENDER: _("Register the sender's name at the provider, or choose another one in a copy of the campaign."),
    F.EXPIRED: _("The phone was not reached as long as the network tried. Send again to those not reached."),
    F.REJECTED_BY_CARRIER: _("The mobile network refused it. Ask the provider, with one of its message ids."),
    F.NO_FUNDS: _("Top up the account at the provider, then resume the gateway under Providers."),
    F.AUTHENTICATION: _("Correct login and password of the gateway in .env, restart, then resume it under Providers."),
    F.ACCOUNT_BLOCKED: _("Ask the provider why the account is blocked. Everything waits until the gateway is resumed."),
    F.THROTTLED: _("It is tried again by itself. If it stays so, set a lower pace for the gateway under Providers."),
    F.UNAVAILABLE: _("The provider could not be reached; it is tried again by itself as long as the message waits."),
    F.BAD_REQUEST: _("The provider did not understand the request. Tell whoever looks after this installation."),
    F.INTERNAL: _("Something is broken at the provider. Ask there, with one of the message ids."),
    F.UNKNOWN: _("The provider gave no reason. If there are many, ask it, with one of the message ids."),
    F.TOO_LATE: _("The end of the campaign came before their turn. Send again, with a later end or a higher pace."),
    F.RETRIES_USED: _("It was tried several times and never taken. The words of the last refusal stand beside it."),
    F.WORKER_LOST: _(
        "Nobody knows whether the provider took it. Look into its account, then decide on the campaign's page."
    ),
    F.SUPERSEDED: _("It was sent again in another campaign; see there."),
}

#: For whom we left out on purpose.
SUPPRESSIONS: dict[str, str | Promise] = {
    S.OPTED_OUT: _("They asked to get nothing. There is nothing to do."),
    S.NO_CONSENT: _("Ask for their consent and record its proof; only then can they get advertising."),
    S.UNDER_REVIEW: _("Read their answer in the inbox and decide whether it is an opt-out."),
    S.DUPLICATE: _("The number is in the campaign once already. Merge the contacts if they are one person."),
    S.INVALID_NUMBER: _CORRECT_NUMBER,
    S.MISSING_VALUE: _("Fill in what is missing, or give the placeholder a default in a copy of the campaign."),
    S.EMPTY_TEXT: _("With their values the text is empty. Mend the text in a copy of the campaign."),
    S.NOT_ALLOWED: _("This installation only writes to listed numbers (SMS_ONLY_TO in .env)."),
    S.COUNTRY_NOT_ENABLED: _("This installation does not write to their country (SMS_ALLOWED_COUNTRIES in .env)."),
    S.REACHED_MEANWHILE: _("The first message arrived after all. There is nothing to do."),
}

#: Where there is no reason, or one that nobody knows here.
STATES: dict[str, str | Promise] = {
    MessageStatus.QUEUED: _("They are tried again by themselves."),
    MessageStatus.CLAIMED: _("They are tried again by themselves."),
    MessageStatus.SENDING: _("They are being tried again."),
    MessageStatus.UNKNOWN: _(
        "Nobody knows whether the provider took them. Look into its account, then decide on the campaign's page."
    ),
    MessageStatus.UNDELIVERED: _("Send again to those not reached, once the campaign has ended."),
    MessageStatus.EXPIRED: _("The network gave up. Send again to those not reached, once the campaign has ended."),
    MessageStatus.REJECTED: _("The provider refused them. Its own words stand beside the reason."),
    MessageStatus.FAILED: _("Send again to those not reached, once the campaign has ended."),
}


def what_to_do(status: str, reason: str) -> str:
    """One or two sentences; empty where there is nothing to say."""
    if status == MessageStatus.SUPPRESSED:
        return str(SUPPRESSIONS.get(reason, ""))
    if status == MessageStatus.UNKNOWN and reason != F.WORKER_LOST:
        return str(STATES[MessageStatus.UNKNOWN])
    return str(FAILURES.get(reason) or STATES.get(status, ""))
