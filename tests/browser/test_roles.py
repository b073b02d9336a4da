"""The four roles at a window: what each sees and is offered; and what impatient and interrupted people do."""

from __future__ import annotations

import re

import pytest
from django.contrib.sessions.models import Session
from playwright.sync_api import Page, Route, expect

from campaigns import replies
from campaigns.models import AutomaticReply, Conversation, MessageTemplate, SentMessage
from sms_backends import IncomingSms
from tests.browser.conftest import PASSWORD
from tests.browser.operator import PATIENCE
from tests.browser.windows import PHONE
from tests.campaigns.building import launched, make_campaign, make_contact, make_group, number
from tests.campaigns.everything import NUMBERS, TEXTS, make_everything
from tests.campaigns.screens import campaign_url

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]

CONTACTS = "/admin/campaigns/contact/"
PROVIDERS = "/admin/campaigns/gatewaystate/"
#: What a page offers to do, beside looking for something.
OFFERS = "#content :is(button, input[type=submit], a.button):visible"
#: On whose page it is -> role -> what is offered to somebody with this role, and what is not.
MAY = {
    "draft": {
        "Viewer": (set(), {"Send now…", "Save", "Send a test…", "Schedule…"}),
        "Operator": ({"Send now…", "Save", "Send a test…"}, set()),
        "Approver": ({"Send now…", "Schedule…"}, {"Save", "Send a test…", "Duplicate", "Archive"}),
        "Administrator": ({"Send now…", "Save", "Send a test…"}, set()),
    },
    "sending": {
        "Viewer": ({"Report"}, {"Pause", "Cancel…", "Duplicate", "Archive"}),
        "Operator": ({"Pause", "Cancel…", "Duplicate"}, set()),
        "Approver": ({"Pause", "Cancel…"}, {"Duplicate"}),
        "Administrator": ({"Pause", "Cancel…", "Duplicate"}, set()),
    },
    "providers": {
        "Viewer": (set(), {"Pause", "Set the pace"}),
        "Operator": (set(), {"Pause", "Set the pace"}),
        "Approver": ({"Pause", "Set the pace"}, set()),
        "Administrator": ({"Pause", "Set the pace"}, set()),
    },
}
#: Pages that only these may open; everybody else is refused.
CLOSED = {
    "/admin/campaigns/campaign/add/": {"Operator", "Administrator"},
    "/admin/campaigns/auditevent/": {"Approver", "Administrator"},
    "/admin/campaigns/user/": {"Administrator"},
}


def offers(page: Page) -> set[str]:
    return {offer.inner_text() or str(offer.get_attribute("value")) for offer in page.locator(OFFERS).all()}


@pytest.mark.parametrize("role", ["Viewer", "Operator", "Approver", "Administrator"])
def test_each_role_is_offered_what_it_may_do_and_refused_the_rest(sign_in, complaints, role):
    urls = {
        "draft": campaign_url(make_campaign(name="Draft")),
        "sending": campaign_url(launched(contacts=2)),
        "providers": PROVIDERS,
    }
    page = sign_in("vera", role).page
    for name, url in urls.items():
        page.goto(url)
        offered, refused = MAY[name][role]
        assert offered <= offers(page), name
        assert not refused & offers(page), name
    assert complaints == []
    for url, roles in CLOSED.items():
        answer = page.goto(url)
        assert (url, answer and answer.status) == (url, 200 if role in roles else 403)
        assert bool(page.locator(f'.task-nav a[href="{url}"]').count()) <= (role in roles)


def test_a_viewer_sees_no_whole_number_and_no_text_whatever_scripts_load(sign_in, settings, tmp_path, complaints):
    settings.MEDIA_ROOT = tmp_path
    things = make_everything()
    page = sign_in("vera", "Viewer", PHONE).page
    pages = [things[name].get_absolute_url() for name in ("sentmessage", "conversation")]
    for url in (
        *pages,
        f"{CONTACTS}{things['contact'].pk}/change/",
        CONTACTS,
        campaign_url(things["sent"]),
        campaign_url(things["campaign"]),
    ):
        page.goto(url)
        page.wait_for_load_state("networkidle")
        expect(page.locator("#content")).to_be_visible()
        html = page.content()
        assert [(url, secret) for secret in (*NUMBERS, *TEXTS) if secret.removeprefix("+") in html] == []
    page.goto(CONTACTS)
    expect(page.locator("#result_list")).to_contain_text("+7••••••••67")
    page.locator("#header .menu > summary").click()
    page.keyboard.press("/")
    page.locator("#site-search").fill(things["contact"].phone_number.as_e164)  # all of it may be looked for
    expect(page.get_by_role("option").first).to_contain_text("+7••••••••67")
    assert complaints == []


def test_what_an_operator_writes_survives_the_end_of_the_session(sign_in, complaints):
    """In the form of a campaign that there is; of a new one, with all its fields: `test_writing.py`."""
    campaign = make_campaign(make_group(contacts=1), body="Old")
    page = sign_in("olga", "Operator").page
    page.goto(campaign_url(campaign))
    Session.objects.all().delete()
    page.locator("#id_body").fill("Written while signed out")
    page.get_by_role("button", name="Save", exact=True).click()
    sign_in_again(page)
    expect(page.locator("#id_body")).to_have_value("Written while signed out")
    page.get_by_role("button", name="Save", exact=True).click()
    expect(page.get_by_text("is saved.")).to_be_visible()
    campaign.refresh_from_db()
    assert campaign.body == "Written while signed out"


def sign_in_again(page: Page) -> None:
    """At the page that asks for it."""
    page.get_by_label("Username").fill("olga")
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Log in").click()


def test_an_answer_survives_the_end_of_the_session_and_what_else_is_done_on_its_page(sign_in, complaints):
    replies.receive("default", [IncomingSms(number(1), "When do you open?", "1234", "m-1")])
    conversation = Conversation.objects.get()
    page = sign_in("olga", "Operator").page
    page.goto(conversation.get_absolute_url())
    page.get_by_label("Answer").fill("At nine")
    page.get_by_role("button", name="Take it").click()
    expect(page.get_by_text("Taken by olga.")).to_be_visible()
    expect(page.get_by_label("Answer")).to_have_value("At nine")
    Session.objects.all().delete()
    page.get_by_label("Answer").fill("At nine, every day")
    page.get_by_role("button", name="Send the answer").click()
    sign_in_again(page)
    expect(page.get_by_label("Answer")).to_have_value("At nine, every day")
    expect(page.locator("#segment-count")).to_contain_text("characters: 18")
    expect(page.get_by_text("is filled in again")).to_be_visible()
    page.get_by_role("button", name="Send the answer").click()
    expect(page.get_by_text("The answer is on its way.")).to_be_visible()
    expect(page.get_by_label("Answer")).to_have_value("")
    page.goto("/")
    page.goto(conversation.get_absolute_url())
    expect(page.get_by_label("Answer")).to_have_value("")
    assert [message.body for message in SentMessage.objects.all()] == ["At nine, every day"]
    assert complaints == []


def test_what_was_kept_of_an_answer_can_be_thrown_away(sign_in, complaints):
    replies.receive("default", [IncomingSms(number(1), "When do you open?", "1234", "m-1")])
    page = sign_in("olga", "Operator").page
    page.goto(Conversation.objects.get().get_absolute_url())
    page.get_by_label("Answer").fill("Never")
    page.reload()
    expect(page.get_by_label("Answer")).to_have_value("Never")
    page.get_by_role("button", name="Throw it away").click()
    expect(page.get_by_label("Answer")).to_have_value("")
    page.reload()
    expect(page.get_by_role("button", name="Send the answer")).to_be_enabled()
    expect(page.get_by_label("Answer")).to_have_value("")
    page.get_by_label("Answer").fill("  ")
    page.get_by_role("button", name="Send the answer").click()
    expect(page.get_by_text("The text is empty.")).to_be_visible()
    expect(page.get_by_label("Answer")).to_have_value("  ")
    assert complaints == []


def test_a_template_in_several_languages_survives_the_end_of_the_session(sign_in, complaints):
    page = sign_in("olga", "Operator").page
    page.goto("/admin/campaigns/messagetemplate/add/")
    page.locator("#id_name").fill("Greeting")
    page.locator("#id_body").fill("Good morning")
    page.locator("#id_texts-0-language").fill("ru")
    page.locator("#id_texts-0-body").fill("Доброе утро")
    page.get_by_role("button", name="Add another Text").click()
    page.locator("#id_texts-1-language").fill("de")
    page.locator("#id_texts-1-body").fill("Guten Morgen")
    Session.objects.all().delete()
    page.get_by_role("button", name="Save", exact=True).click()
    sign_in_again(page)
    expect(page.get_by_text("is filled in again")).to_be_visible()
    expect(page.locator("#id_texts-1-body")).to_have_value("Guten Morgen")
    page.get_by_role("button", name="Throw it away").click()
    for field in ("#id_body", "#id_texts-0-body", "#id_texts-1-language", "#id_texts-1-body"):
        expect(page.locator(field)).to_have_value("")
    page.locator("#id_name").fill("Greeting")
    page.locator("#id_body").fill("Good morning")
    page.locator("#id_texts-1-language").fill("de")
    page.locator("#id_texts-1-body").fill("Guten Morgen")
    page.reload()
    expect(page.locator("#id_texts-1-body")).to_have_value("Guten Morgen")
    expect_template_saved(page, "was added successfully", de="Guten Morgen")
    page.goto("/admin/campaigns/messagetemplate/add/")
    expect(page.locator("#id_body")).to_have_value("")
    page.goto(f"/admin/campaigns/messagetemplate/{MessageTemplate.objects.get().pk}/change/")
    page.locator("#id_texts-0-body").fill("Guten Tag")
    page.reload()
    expect(page.locator("#id_texts-0-body")).to_have_value("Guten Tag")
    expect_template_saved(page, "was changed successfully", de="Guten Tag")
    assert complaints == []


def expect_template_saved(page: Page, words: str, **texts: str) -> None:
    """Presses Save; there is one template then, with these texts in other languages."""
    page.get_by_role("button", name="Save", exact=True).click()
    expect(page.get_by_text(words)).to_be_visible()
    assert MessageTemplate.objects.get().texts_by_language() == texts


def test_a_copy_is_not_put_over_what_a_colleague_saved_since_and_no_other_saving_ends_it(sign_in, complaints):
    template = MessageTemplate.objects.create(name="Greeting", body="Hello")
    address = f"/admin/campaigns/messagetemplate/{template.pk}/change/"
    page = sign_in("olga", "Operator").page
    page.goto(address)
    page.locator("#id_body").fill("Good morning")
    Session.objects.all().delete()
    page.get_by_role("button", name="Save", exact=True).click()
    MessageTemplate.objects.update(body="Hello, by Boris")
    page.goto("/admin/campaigns/messagetemplate/add/")
    sign_in_again(page)
    page.locator("#id_name").fill("Another")
    page.locator("#id_body").fill("Another text")
    page.get_by_role("button", name="Save", exact=True).click()
    expect(page.get_by_text("was added successfully")).to_be_visible()
    page.goto(address)
    expect(page.get_by_text("since then it was saved in another way")).to_be_visible()
    expect(page.locator("#id_body")).to_have_value("Hello, by Boris")
    page.get_by_role("button", name="Fill in what you wrote").click()
    expect(page.locator("#id_body")).to_have_value("Good morning")
    page.get_by_role("button", name="Throw it away").click()
    expect(page.locator("#id_body")).to_have_value("Hello, by Boris")
    assert complaints == []


def test_an_automatic_answer_that_was_refused_survives_a_choice_and_the_end_of_the_session(sign_in, complaints):
    AutomaticReply.objects.create(meaning="stop", language="en", text="Bye")
    page = sign_in("olga", "Operator").page
    page.goto("/admin/campaigns/automaticreply/add/")
    page.locator("#id_meaning").select_option("stop")
    page.locator("#id_language").select_option("en")
    page.locator("#id_text").fill("We will not write to you again")
    page.get_by_role("button", name="Save", exact=True).click()
    expect(page.locator(".errornote")).to_be_visible()
    page.locator("#id_language").select_option("ru")
    Session.objects.all().delete()
    page.get_by_role("button", name="Save", exact=True).click()
    sign_in_again(page)
    expect(page.locator("#id_text")).to_have_value("We will not write to you again")
    expect(page.locator("#id_language")).to_have_value("ru")
    page.get_by_role("button", name="Save", exact=True).click()
    expect(page.get_by_text("was added successfully")).to_be_visible()
    assert AutomaticReply.objects.get(language="ru").text == "We will not write to you again"
    assert complaints == []


def test_one_message_survives_the_end_of_the_session(sign_in, complaints):
    olga = sign_in("olga", "Operator")
    olga.open("Send one message")
    page = olga.page
    page.get_by_label("Phone number").fill(number(1))
    page.get_by_label("Text").fill("Your parcel is here")
    expect(page.locator("#number-hint")).to_contain_text(number(1))  # was asked for while signed in
    Session.objects.all().delete()
    page.get_by_role("button", name="Send", exact=True).click()
    sign_in_again(page)
    expect(page.get_by_label("Text")).to_have_value("Your parcel is here")
    expect(page.get_by_label("Phone number")).to_have_value(number(1))
    expect(page.locator("#number-hint")).to_contain_text(number(1))
    page.get_by_role("button", name="Send", exact=True).click()
    expect(page.locator(".card.result")).to_be_visible(timeout=PATIENCE)
    expect(page.get_by_label("Text")).to_have_value("")
    assert SentMessage.objects.get().body == "Your parcel is here"
    assert complaints == []


def test_a_message_whose_result_was_lost_on_the_way_is_there_again_and_goes_out_once(sign_in):
    def lose_the_answer(route: Route) -> None:
        route.fetch(max_redirects=0)
        route.abort()

    olga = sign_in("olga", "Operator")
    olga.open("Send one message")
    page = olga.page
    page.get_by_label("Phone number").fill(number(1))
    page.get_by_label("Text").fill("Your parcel is here")
    page.route(re.compile("/$"), lose_the_answer)
    with page.expect_event("requestfailed"):
        page.get_by_role("button", name="Send", exact=True).click(no_wait_after=True)
    page.unroute_all()
    page.goto("/")
    expect(page.get_by_label("Text")).to_have_value("Your parcel is here")
    page.get_by_role("button", name="Send", exact=True).click()
    expect(page.get_by_text("the message was sent once")).to_be_visible(timeout=PATIENCE)
    assert SentMessage.objects.count() == 1


def test_of_two_tabs_with_one_form_the_older_overwrites_nothing_unseen(sign_in, complaints):
    campaign = make_campaign(make_group(contacts=1), body="Old")
    first = sign_in("olga", "Operator").page
    first.goto(campaign_url(campaign))
    second = first.context.new_page()
    second.goto(campaign_url(campaign))
    first.locator("#id_body").fill("From the first tab")
    first.get_by_role("button", name="Save", exact=True).click()
    expect(first.get_by_text("is saved.")).to_be_visible()
    second.locator("#id_body").fill("From the second tab")
    second.get_by_role("button", name="Save", exact=True).click()
    expect(second.locator(".bubble.theirs")).to_have_text("From the first tab")
    expect(second.locator(".bubble.mine")).to_have_text("From the second tab")
    campaign.refresh_from_db()
    assert campaign.body == "From the first tab"
    assert complaints == []


def test_a_double_click_sends_one_message(sign_in, complaints):
    make_contact(number(1))
    olga = sign_in("olga", "Operator")
    olga.open("Send one message")
    olga.page.get_by_label("Phone number").fill(number(1))
    olga.page.get_by_label("Text").fill("Hello")
    olga.page.get_by_role("button", name="Send", exact=True).dblclick()
    expect(olga.page.locator(".card.result")).to_be_visible(timeout=PATIENCE)
    assert SentMessage.objects.count() == 1
    assert complaints == []
