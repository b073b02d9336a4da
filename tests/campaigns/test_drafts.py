"""What is typed keeps itself, changes no campaign, and two people who write one are told."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone

from campaigns import drafts, lifecycle
from campaigns.forecasting.foreseen import foresee
from campaigns.models import AuditEvent, Campaign, CampaignDraft
from campaigns.writing_form import campaign_version
from tests.campaigns.building import make_campaign, make_contact, make_group, make_user, number
from tests.campaigns.screens import campaign_url, hidden_fields, said, sign_in, sign_in_superuser, text_of
from tests.campaigns.test_admin_campaigns import ADD, form_of

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("woken")]

WRITER = ("view_campaign", "add_campaign", "change_campaign")
NEW = "/admin/campaigns/campaign/draft/"


def keep(client: Client, campaign: Campaign | None, body: str, **fields):
    url = campaign_url(campaign, "draft") if campaign else NEW
    version = campaign_version(campaign) if campaign else ""
    return client.post(url, {"name": "Sale", "body": body, "version": version, "typed": "1", **fields})


def test_what_is_typed_is_kept_and_changes_nothing_of_the_campaign(client):
    user = sign_in(client, *WRITER)
    campaign = make_campaign()
    answer = keep(client, campaign, "Half a sen {{ ").json()
    draft = CampaignDraft.objects.get()
    assert (draft.user, draft.campaign, draft.version, answer["draft_version"]) == (user, campaign, 1, 1)
    assert draft.fields["body"] == ["Half a sen {{ "]
    before = campaign_version(campaign)
    campaign.refresh_from_db()
    assert (campaign.body, campaign_version(campaign)) == ("Hello", before)


def test_what_was_typed_and_not_saved_is_filled_in_again(client):
    sign_in(client, *WRITER)
    group = make_group(contacts=1)
    campaign = make_campaign(group)
    fields = {
        "include_groups": [group.pk],
        "ends_at_0": "2099-12-31",
        "ends_at_1": "21:00",
        "window_days": ["1", "5"],
        "texts-language": ["ru", ""],
        "texts-body": ["Привет", ""],
    }
    keep(client, campaign, "Not saved", **fields)
    response = client.get(campaign_url(campaign))
    form = response.context["adminform"].form
    assert "did not save is filled in below" in text_of(response)
    assert form["body"].value() == "Not saved"
    assert form["texts"].value() == [("ru", "Привет")]
    page = response.content.decode()
    assert 'value="2099-12-31"' in page
    assert f'<option value="{group.pk}" selected>' in page


def test_a_campaign_that_was_never_saved_is_kept_too(client):
    sign_in(client, *WRITER)
    assert keep(client, None, "New text").json()["draft_version"] == 1
    assert "New text" in client.get(ADD).content.decode()


def test_saving_makes_an_end_of_the_draft(client):
    sign_in_superuser(client)
    keep(client, None, "Typed")
    client.post(ADD, form_of(client, body="Saved", include_groups=[make_group().pk]))
    campaign = Campaign.objects.get()
    assert not CampaignDraft.objects.exists()
    keep(client, campaign, "Typed")
    client.post(campaign_url(campaign), form_of(client, campaign, body="Saved again"))
    assert not CampaignDraft.objects.exists()


def test_it_can_be_thrown_away(client):
    sign_in(client, *WRITER)
    campaign = make_campaign()
    keep(client, campaign, "Typed")
    assert client.get(campaign_url(campaign, "discard")).status_code == 405
    response = client.post(campaign_url(campaign, "discard"))
    assert response.url == campaign.get_absolute_url()
    assert not CampaignDraft.objects.exists()
    assert client.post("/admin/campaigns/campaign/discard/").url == ADD


def test_another_window_of_ones_own_is_never_overwritten_unseen(client):
    sign_in(client, *WRITER)
    campaign = make_campaign()
    keep(client, campaign, "First window")
    answer = keep(client, campaign, "Second window")  # it knows of no draft
    assert answer.status_code == 409
    assert (answer.json()["text"], answer.json()["draft_version"]) == ("First window", 1)
    assert CampaignDraft.objects.get().fields["body"] == ["First window"]
    assert keep(client, campaign, "Second window", draft_version="1").json()["draft_version"] == 2
    assert keep(client, campaign, "First window, later", draft_version="1").status_code == 409


def test_a_draft_that_was_saved_in_another_window_is_not_written_again(client):
    sign_in(client, *WRITER)
    campaign = make_campaign()
    keep(client, campaign, "Typed")
    drafts.forget(CampaignDraft.objects.get().user, campaign)
    answer = keep(client, campaign, "Typed more", draft_version="1")
    assert answer.status_code == 409
    assert "saved or thrown away" in answer.json()["problem"]


def test_two_people_who_write_one_campaign_are_told_of_each_other(client):
    sign_in(client, *WRITER, username="olga", first_name="Olga")
    campaign = make_campaign()
    keep(client, campaign, "Olga's")
    other = Client()
    sign_in(other, *WRITER, username="ivan", first_name="Ivan")
    page = text_of(other.get(campaign_url(campaign)))
    assert "Olga is writing this campaign too, since" in page
    assert "Olga's" not in page
    assert "Olga is writing" in keep(other, campaign, "Ivan's").json()["company"]
    look = {"version": campaign_version(campaign)}
    assert "Ivan is writing" in client.post(campaign_url(campaign, "draft"), look).json()["company"]
    CampaignDraft.objects.update(seen_at=timezone.now() - timedelta(minutes=2))
    assert "Ivan has changes" in client.post(campaign_url(campaign, "draft"), look).json()["company"]


def test_looking_keeps_one_present_and_writes_no_draft(client):
    sign_in(client, *WRITER)
    campaign = make_campaign()
    client.post(campaign_url(campaign, "draft"), {"version": campaign_version(campaign)})
    assert not CampaignDraft.objects.exists()
    keep(client, campaign, "Typed")
    CampaignDraft.objects.update(seen_at=timezone.now() - timedelta(minutes=2))
    client.post(campaign_url(campaign, "draft"), {"version": campaign_version(campaign)})
    assert drafts.is_present(CampaignDraft.objects.get())


def test_whoever_has_an_outdated_page_open_is_told_at_once_who_saved_what(client):
    sign_in(client, *WRITER)
    campaign = make_campaign()
    outdated = campaign_version(campaign)
    campaign.body = "Theirs"
    campaign.save()
    AuditEvent.objects.create(action="change", actor=make_user("boris"), campaign=campaign)
    company = client.post(campaign_url(campaign, "draft"), {"version": outdated}).json()["company"]
    assert "boris saved this campaign" in company
    assert "Theirs" in company


def test_a_stale_form_shows_both_texts_and_is_saved_only_over_the_one_that_was_seen(client):
    sign_in_superuser(client)
    campaign = make_campaign(make_group())
    fields = form_of(client, campaign, body="My text")
    campaign.body = "Their text"
    campaign.save()
    page = client.post(campaign_url(campaign), fields).content.decode()
    assert '<p class="bubble theirs">Their text</p>' in page
    assert '<p class="bubble mine">My text</p>' in page
    seen = campaign_version(campaign)
    campaign.body = "Their second text"
    campaign.save()
    del fields["_save"]
    assert "Their second text" in client.post(campaign_url(campaign), {**fields, "_over": seen}).content.decode()
    client.post(campaign_url(campaign), {**fields, "_over": campaign_version(campaign)})
    campaign.refresh_from_db()
    assert campaign.body == "My text"


def test_a_draft_from_before_somebody_elses_save_comes_back_beside_theirs(client):
    sign_in_superuser(client)
    campaign = make_campaign(make_group())
    keep(client, campaign, "My draft")
    outdated = campaign_version(campaign)
    campaign.body = "Their text"
    campaign.save()
    response = client.get(campaign_url(campaign))
    assert '<p class="bubble theirs">Their text</p>' in response.content.decode()
    assert response.context["adminform"].form["body"].value() == "My draft"
    assert hidden_fields(response)["version"] == outdated


def test_nothing_is_kept_of_a_campaign_that_was_started(client):
    sign_in(client, *WRITER)
    campaign = make_campaign(make_group(contacts=1))
    lifecycle.launch(campaign, actor=None)
    answer = keep(client, campaign, "Too late")
    assert answer.status_code == 409
    assert "cannot be changed any more" in answer.json()["problem"]
    assert not CampaignDraft.objects.exists()


def test_a_form_that_was_refused_goes_on_with_the_draft_there_is(client):
    sign_in(client, *WRITER)
    campaign = make_campaign(make_group())
    keep(client, campaign, "Typed")
    page = client.post(campaign_url(campaign), form_of(client, campaign, body="Typed {{")).content.decode()
    assert "not closed" in page
    assert 'data-version="1"' in page


def test_whoever_sends_is_told_of_what_is_not_saved(client):
    sign_in_superuser(client, first_name="Anna")
    campaign = make_campaign(make_group(contacts=1))
    assert foresee(campaign).warnings == []
    keep(client, campaign, "Better text")
    assert "Anna has changes of this campaign that are not saved" in text_of(
        client.get(campaign_url(campaign, "launch"))
    )


def test_a_form_that_is_far_too_large_is_not_kept(client):
    sign_in(client, *WRITER)
    assert keep(client, None, "x" * (drafts.LARGEST + 1)).status_code == 413
    assert not CampaignDraft.objects.exists()


def test_nothing_but_the_forms_fields_is_kept(client):
    sign_in(client, *WRITER)
    keep(client, None, "Text", password="secret", _save="Save")
    assert set(CampaignDraft.objects.get().fields) == {"name", "body"}


def test_drafts_are_for_writers_by_post_and_with_the_token(client):
    campaign = make_campaign()
    url = campaign_url(campaign, "draft")
    assert client.post(url).status_code == 302
    user = sign_in(client, "view_campaign")
    assert client.post(url).status_code == 403
    assert client.post(NEW).status_code == 403
    client.logout()
    sign_in_superuser(client)
    assert client.get(url).status_code == 405
    strict = Client(enforce_csrf_checks=True)
    strict.force_login(user)
    assert strict.post(url).status_code == 403
    assert client.post(reverse("admin:campaigns_campaign_draft", args=[0])).status_code == 404


def test_keeping_takes_few_queries(client, django_assert_num_queries):
    sign_in(client, *WRITER)
    campaign = make_campaign()
    keep(client, campaign, "Typed")
    with django_assert_num_queries(8):  # session, user, two for permissions, campaign, update, the draft, the others
        keep(client, campaign, "Typed more", draft_version="1")


def test_the_page_of_a_draft_takes_the_same_queries_however_many_people(client, django_assert_num_queries):
    sign_in_superuser(client)
    group = make_group(contacts=2)
    campaign = make_campaign(group)
    client.get(campaign_url(campaign))
    with CaptureQueriesContext(connection) as asked:
        client.get(campaign_url(campaign))
    for n in range(3, 33):
        make_contact(number(n), group, first_name=f"N{n}")
    with django_assert_num_queries(len(asked)):
        client.get(campaign_url(campaign))


def test_saving_says_so_to_the_browser_that_keeps_a_copy(client):
    user = sign_in_superuser(client)
    response = client.post(ADD, form_of(client, include_groups=[make_group().pk]))
    page = client.get(response.url).content.decode()
    assert f"saved-by-{user.pk}" in page
    assert "is saved" in said(response) or "is saved" in page
