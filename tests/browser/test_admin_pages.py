"""The staff's tool in Chromium: what Django's own pages do, they do under our policy, and nothing complains."""

import pytest
from django.contrib.admin import site
from django.urls import reverse
from playwright.sync_api import BrowserContext, Page, expect
from pytest_django.live_server_helper import LiveServer

from crm.models import Conversation, Creator, Dispatch, Fan, Line, Membership, Message, User
from crm.models.messages import Status
from crm.tests.factories import PASSWORD, make_fan, make_message, make_user

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]


@pytest.fixture
def staff(page: Page, live_server: LiveServer) -> Page:
    """The admin in the browser, somebody of the staff signed in by its own form."""
    make_user("sam", is_staff=True, is_superuser=True)
    page.goto(f"{live_server.url}/admin/")
    page.get_by_label("Username").fill("sam")
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Log in").click()
    expect(page.get_by_role("heading", name="Site administration")).to_be_visible()
    return page


def test_every_list_and_every_page_opens_without_a_complaint(
    staff: Page, live_server: LiveServer, conversation: Conversation
) -> None:
    make_message(conversation, status=Status.SENT)

    for model in site._registry:
        name = f"{model._meta.app_label}_{model._meta.model_name}"
        staff.goto(live_server.url + reverse(f"admin:{name}_changelist"))
        expect(staff.locator("#changelist")).to_be_visible()
        row = model._default_manager.first()
        if row is not None:
            staff.goto(live_server.url + reverse(f"admin:{name}_change", args=[row.pk]))
            expect(staff.locator("#content h1")).to_be_visible()


def test_a_creator_gets_a_member_who_is_found_by_typing(staff: Page, live_server: LiveServer, creator: Creator) -> None:
    newcomer = make_user("nina")
    staff.goto(live_server.url + reverse("admin:crm_creator_change", args=[creator.pk]))

    staff.get_by_text("Add another Membership").click()
    staff.locator("#memberships-1 .select2-selection").click()
    staff.locator(".select2-search__field").fill("nin")
    staff.get_by_role("option", name="nina").click()
    staff.get_by_role("button", name="Save", exact=True).click()

    expect(staff.locator(".messagelist .success")).to_be_visible()
    assert Membership.objects.filter(creator=creator, user=newcomer).exists()


def test_a_fan_is_made_beside_a_new_creator_in_a_popup(
    staff: Page, context: BrowserContext, live_server: LiveServer
) -> None:
    staff.goto(live_server.url + reverse("admin:crm_fan_add"))
    with staff.expect_popup() as opened:
        staff.locator("#add_id_creator").click()
    popup = opened.value
    popup.get_by_label("Name").fill("Mia")
    popup.get_by_role("button", name="Save", exact=True).click()
    expect(staff.locator(".field-creator .select2-selection")).to_contain_text("Mia")

    staff.get_by_label("Platform id").fill("fan_1")
    last_seen = staff.locator(".field-last_seen_at")
    last_seen.get_by_role("link", name="Today").click()
    last_seen.get_by_role("link", name="Now").click()
    staff.get_by_role("button", name="Save", exact=True).click()

    expect(staff.locator(".messagelist .success")).to_be_visible()
    assert Fan.objects.get().creator.name == "Mia"
    assert Fan.objects.get().last_seen_at is not None


def test_a_message_is_written_to_a_fan_and_a_campaign_to_those_who_are_chosen_in_the_dark(
    staff: Page, live_server: LiveServer, creator: Creator
) -> None:
    daniel = make_fan(creator, name="Daniel")
    make_fan(creator, name="Theo")
    staff.emulate_media(color_scheme="dark")
    staff.goto(live_server.url + reverse("admin:crm_fan_change", args=[daniel.pk]))

    staff.get_by_role("link", name="Write message").click()
    staff.get_by_label("Message", exact=True).fill("Hello Daniel!")
    staff.get_by_role("button", name="Write message").click()
    expect(staff.locator(".messagelist .success")).to_contain_text("It waits for its turn.")

    staff.goto(live_server.url + reverse("admin:crm_fan_changelist"))
    staff.get_by_label("Select all objects on this page").check()
    staff.locator("select[name=action]").select_option("Message selected fans")
    staff.get_by_role("button", name="Go").click()
    expect(staff.get_by_role("heading", name="Message 2 fans of Mia")).to_be_visible()
    staff.get_by_label("Name").fill("Sunday")
    staff.get_by_label("Message", exact=True).fill("Hello {name|there}!")
    staff.get_by_role("button", name="Write message").click()

    expect(staff.locator(".messagelist .success")).to_contain_text("“Sunday”: Running.")
    texts = Message.objects.order_by("id").values_list("text", flat=True)
    assert list(texts) == ["Hello Daniel!", "Hello Daniel!", "Hello Theo!"]
    staff.goto(live_server.url + reverse("admin:index"))
    expect(staff.get_by_role("region", name="The line now")).to_contain_text("Mia")


def test_a_creator_is_paused_and_all_sending_stopped_from_the_lists(
    staff: Page, live_server: LiveServer, user: User, creator: Creator
) -> None:
    for model, row, action in (("creator", "Mia", "Pause sending"), ("dispatch", "Dispatch", "Stop all sending")):
        staff.goto(live_server.url + reverse(f"admin:crm_{model}_changelist"))
        staff.get_by_label(f"Select this object for an action - {row}").check()
        staff.locator("select[name=action]").select_option(action)
        staff.get_by_role("button", name="Go").click()
        staff.wait_for_load_state()

    expect(staff.locator(".messagelist .success")).to_contain_text("All sending is stopped.")
    assert Line.objects.get(creator=creator).paused_at is not None
    assert Dispatch.is_stopped()
