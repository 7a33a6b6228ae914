"""Pages and the admin are under the API's hourly limits: one count for all doors."""

from typing import Any

import pytest
import redis
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client
from django.urls import reverse
from pytest_django import Settings

from crm import campaigning
from crm.models import Campaign, Creator, Fan, Import, User
from crm.tests.factories import make_creator, make_fan, make_user

pytestmark = pytest.mark.django_db

CONNECT = "/platforms/connect/onlyfans"
BULK = "/api/messages/bulk"


@pytest.fixture(autouse=True)
def one_an_hour(settings: Settings, redis_server: redis.Redis) -> None:
    rates = settings.REST_FRAMEWORK["DEFAULT_THROTTLE_RATES"]
    limited = rates | {"imports": "1/hour", "bulk": "1/hour"}
    settings.REST_FRAMEWORK = {**settings.REST_FRAMEWORK, "DEFAULT_THROTTLE_RATES": limited}


@pytest.fixture
def user() -> User:
    return make_user("owner", is_staff=True, is_superuser=True)


@pytest.fixture
def creator(user: User) -> Creator:
    return make_creator(user)


@pytest.fixture
def owner(client: Client, creator: Creator, user: User) -> Client:
    client.force_login(user)
    return client


def file(text: str = "Username\nava\n") -> SimpleUploadedFile:
    return SimpleUploadedFile("fans.csv", text.encode())


def draft(creator: Creator) -> Campaign:
    fan = make_fan(creator)
    return campaigning.draft(
        creator, author=None, name="Sunday", text="Hello!", audience={"fans": [str(fan.public_id)]}
    )


def decide(client: Client, campaign: Campaign, act: str, **typed: Any) -> Any:
    return client.post(reverse("campaign", args=[campaign.public_id]), {"act": act} | typed)


def post(client: Client, address: str, asked: Any) -> Any:
    return client.post(address, asked, content_type="application/json")


def bulk(client: Client, creator: Creator) -> Any:
    asked = {"recipientIds": [make_fan(creator).platform_id], "content": "Hello!", "creatorId": str(creator.public_id)}
    return post(client, BULK, asked)


def test_uploads_on_the_page_count_with_those_through_the_api(owner: Client, creator: Creator) -> None:
    assert owner.post("/api/onlyfans/import/csv", {"file": file()}).status_code == 200

    answer = owner.post(CONNECT, {"file": file()})

    assert answer.status_code == 429
    assert 3500 < int(answer.headers["Retry-After"]) <= 3600
    page = answer.content.decode()
    assert "Imports: at most 1 an hour." in page
    assert "You can do it again in 60 min, at " in page
    assert Import.objects.count() == 1


def test_a_file_that_is_refused_does_not_count(owner: Client, creator: Creator) -> None:
    assert owner.post(CONNECT, {"file": file("")}).status_code == 400

    assert owner.post(CONNECT, {"file": file()}).status_code == 303


def test_launches_count_wherever_they_are_pressed(owner: Client, creator: Creator) -> None:
    first, second = draft(creator), draft(creator)
    assert decide(owner, first, "launch").status_code == 303

    answers = [
        decide(owner, second, "launch"),
        owner.post(f"/api/crm/campaigns/{second.public_id}/launch"),
        owner.post(reverse("admin:crm_campaign_changelist"), {"action": "launch", "_selected_action": [second.pk]}),
    ]

    assert [answer.status_code for answer in answers[:2]] == [429, 429]
    assert "at most 1 an hour" in answers[0].content.decode()
    second.refresh_from_db()
    assert second.status == Campaign.Status.DRAFT


def test_a_launch_that_is_refused_does_not_count(owner: Client, creator: Creator) -> None:
    first = draft(creator)
    Fan.objects.update(platform_id="")
    assert decide(owner, first, "launch").status_code == 400

    assert decide(owner, draft(creator), "launch").status_code == 303


def test_each_creator_has_launches_of_their_own_at_every_door(owner: Client, creator: Creator, user: User) -> None:
    others = [make_creator(user) for _ in range(2)]
    assert decide(owner, draft(creator), "launch").status_code == 303

    assert decide(owner, draft(others[0]), "launch").status_code == 303
    assert owner.post(f"/api/crm/campaigns/{draft(others[1]).public_id}/launch").status_code == 200
    assert [bulk(owner, each).status_code for each in (creator, *others)] == [429, 429, 429]


def test_a_bulk_send_counts_for_the_only_creator_whether_named_or_not(owner: Client, creator: Creator) -> None:
    fan = make_fan(creator)
    assert post(owner, BULK, {"recipientIds": [fan.platform_id], "content": "Hello!"}).status_code == 202

    assert bulk(owner, creator).status_code == 429


@pytest.mark.parametrize(
    ("nobody", "status"), [("no id", 400), (7, 400), (None, 400), ("00000000-0000-4000-8000-000000000000", 404)]
)
def test_a_bulk_send_for_nobody_in_particular_is_refused_as_what_it_is(
    nobody: object, status: int, owner: Client, creator: Creator, user: User
) -> None:
    make_creator(user)

    asked = {"recipientIds": ["fan_1"], "content": "Hello!", "creatorId": nobody}

    assert post(owner, BULK, asked).status_code == status


def test_tests_are_ordinary_writes(owner: Client, creator: Creator) -> None:
    fan, campaign = make_fan(creator, handle="ava"), draft(creator)
    assert decide(owner, draft(creator), "launch").status_code == 303

    assert [decide(owner, campaign, "test", fans="@ava").status_code for _ in range(2)] == [303, 303]
    through_the_api = post(owner, f"/api/crm/campaigns/{campaign.public_id}/test", {"recipientIds": [fan.platform_id]})
    assert through_the_api.status_code == 202
    assert fan.conversation.messages.count() == 3


def test_the_admins_message_to_chosen_fans_counts_and_keeps_what_was_typed(owner: Client, creator: Creator) -> None:
    assert decide(owner, draft(creator), "launch").status_code == 303
    typed = {"action": "message_selected", "written": "1", "way": "now", "name": "News", "text": "Hello, all of you"}

    answer = owner.post(reverse("admin:crm_fan_changelist"), typed | {"_selected_action": [make_fan(creator).pk]})

    page = answer.content.decode()
    assert answer.status_code == 429
    assert "at most 1 an hour" in page
    assert "Hello, all of you" in page
    assert Campaign.objects.count() == 1


def test_the_admins_upload_counts(owner: Client, creator: Creator) -> None:
    add = reverse("admin:crm_import_add")
    assert owner.post(add, {"creator": creator.pk, "file": file()}).status_code == 302

    answer = owner.post(add, {"creator": creator.pk, "file": file(), "dateOrder": "dmy"})

    assert answer.status_code == 429
    assert "Imports: at most 1 an hour." in answer.content.decode()
    assert Import.objects.count() == 1
