"""Why a contact was not in the audience of a campaign: what it asked for, and what the contact is in."""

from __future__ import annotations

from collections.abc import Sequence

from django.utils.translation import gettext as _

from .models import Campaign, Contact, ContactGroup
from .preflight import group_ids
from .smart_groups import ConditionsError, SmartConditions, in_words, membership, smart_conditions
from .spoken_times import spoken


def missing_from(campaign: Campaign, contact: Contact) -> list[str]:
    """
    Sentences that say why. Memberships are those of now: when somebody joined a group is not kept.

    A campaign that was launched is judged by the groups and conditions that its launch copied.
    """
    launch = campaign.launch
    if campaign.parent is not None:
        named = {"name": campaign.parent.name}
        return [_("It was sent again to those whom “%(name)s” did not reach, and to nobody else.") % named]
    include, exclude = (launch["include_groups"], launch["exclude_groups"]) if launch else group_ids(campaign)
    smart = SmartConditions.read(launch.get("smart_groups")) if launch else smart_conditions([*include, *exclude])
    asked = _groups(include)
    sentences = [_asked_for(asked, len(include))]
    inside = [group for group in asked if _is_in(contact, group, smart)]
    left_out = [group for group in _groups(exclude) if _is_in(contact, group, smart)]
    sentences.append(_is_in_words(contact, inside))
    if left_out:
        sentences.append(_("It leaves out: %(groups)s. The contact is in there.") % {"groups": _names(left_out)})
    elif inside and (said := _archived(campaign, contact)):
        sentences.append(said)
    elif inside:
        sentences.append(_joined_since(campaign, contact))
    sentences += _conditions(asked, inside, smart)
    return [sentence for sentence in sentences if sentence]


def _groups(ids: Sequence[int]) -> list[ContactGroup]:
    return list(ContactGroup.objects.filter(pk__in=list(ids)).order_by("name"))


def _names(groups: Sequence[ContactGroup]) -> str:
    return ", ".join(f"“{group.name}”" for group in groups)


def _is_in(contact: Contact, group: ContactGroup, smart: SmartConditions) -> bool:
    """By the conditions that the launch copied, if it is a smart group."""
    only = {"gt": contact.pk - 1, "lte": contact.pk}
    try:
        return Contact.objects.filter(membership([group.pk], smart, bounds=only), pk=contact.pk).exists()
    except ConditionsError:
        return False


def _asked_for(asked: Sequence[ContactGroup], number: int) -> str:
    if not number:
        return _("The campaign asked for no group at all.")
    words = _("The campaign asked for: %(groups)s.") % {"groups": _names(asked) or "–"}
    if number > len(asked):
        words += " " + _("Other groups that it asked for have been deleted since.")
    return words


def _is_in_words(contact: Contact, inside: Sequence[ContactGroup]) -> str:
    if inside:
        return _("The contact is now in: %(groups)s.") % {"groups": _names(inside)}
    own = _names(list(contact.groups.order_by("name")[:20]))
    if not own:
        return _("The contact is in none of them, and in no other group.")
    return _("The contact is in none of them. It is in: %(groups)s.") % {"groups": own}


def _archived(campaign: Campaign, contact: Contact) -> str:
    """In the archive before the campaign asked for its people; empty for others."""
    at = contact.archived_at
    if at is None or (campaign.frozen_at is not None and at > campaign.frozen_at):
        return ""
    return _("The contact is in the archive since %(at)s: no campaign asks for anybody there.") % {"at": spoken(at)}


def _joined_since(campaign: Campaign, contact: Contact) -> str:
    """In a group that was asked for, and all the same without a row."""
    if campaign.launched_at is None:
        return _("It would get it, as the groups are now.")
    if contact.pk > campaign.launch["last_contact_id"]:
        return _("It became a contact at %(at)s, after the campaign was launched at %(launched)s.") % {
            "at": spoken(contact.created_at),
            "launched": spoken(campaign.launched_at),
        }
    if campaign.frozen_at is None:
        return ""
    return _("When the campaign was launched at %(launched)s it was not in there yet: it joined later.") % {
        "launched": spoken(campaign.launched_at)
    }


def _conditions(asked: Sequence[ContactGroup], inside: Sequence[ContactGroup], smart: SmartConditions) -> list[str]:
    """What smart groups ask for whose conditions the contact does not meet."""
    missed = [group for group in asked if group.pk in smart.by_group and group not in inside]
    return [f"“{group.name}”: {in_words(smart.by_group[group.pk])}." for group in missed]
