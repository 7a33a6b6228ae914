"""What all lists of the API have in common."""

from collections.abc import Callable
from contextlib import suppress
from functools import cache
from itertools import count
from typing import Any
from uuid import uuid4

import pytest
import yaml
from django.conf import settings
from django.db import IntegrityError, connection, transaction
from django.db.models import Model
from django.test.utils import CaptureQueriesContext

from crm.clock import database_now
from crm.models import (
    ApiKey,
    Attachment,
    Campaign,
    Conversation,
    Creator,
    Fan,
    FanTag,
    Import,
    Message,
    Note,
    Recipient,
    Segment,
    Snippet,
    SubscriptionEvent,
    Tag,
    Transaction,
    User,
)
from crm.models.messages import Direction, Status
from crm.paging import Sorting, page_of, page_through
from crm.tests.api.asking import Api
from crm.tests.factories import make_conversation, make_fan

pytestmark = pytest.mark.django_db

FEW, MANY = 2, 200
MEDIA = "https://media.example.com/1.jpg"


class World:
    """One creator's rows, made by the number."""

    def __init__(self, creator: Creator, user: User) -> None:
        self.creator, self.user = creator, user
        self.fan = make_fan(creator)
        self.talk = make_conversation(fan=self.fan)
        self.campaign = Campaign.objects.create(creator=creator, name="Sunday", text="Hello!")

    def place(self, address: str) -> tuple[str, str]:
        """The path of this list, and the beginning of its query: notes are always one fan's."""
        path = address.format(campaign_id=self.campaign.public_id, conversation_id=self.talk.public_id)
        return path, f"fanId={self.fan.public_id}&" if address == "/api/crm/notes" else ""

    def fans(self, number: int) -> None:
        fans = self._fans(number)
        tags = self._tags(FEW)
        FanTag.objects.bulk_create(FanTag(fan=fan, tag=tag) for fan in fans for tag in tags)

    def conversations(self, number: int) -> None:
        now = database_now()
        Conversation.objects.bulk_create(
            Conversation(creator=self.creator, fan=fan, last_message_at=now, assigned_to=self.user)
            for fan in self._fans(number)
        )

    def messages(self, number: int, status: Status = Status.QUEUED) -> None:
        now = database_now()
        messages = Message.objects.bulk_create(
            Message(
                creator=self.creator,
                conversation=self.talk,
                direction=Direction.OUT,
                status=status,
                text="Hello!",
                author=self.user,
                send_at=now,
                due_at=now,
            )
            for _ in range(number)
        )
        Attachment.objects.bulk_create(
            Attachment(creator=self.creator, message=message, position=0, url=MEDIA) for message in messages
        )

    def failed(self, number: int) -> None:
        self.messages(number, Status.FAILED)

    def tags(self, number: int) -> None:
        self._tags(number)

    def notes(self, number: int) -> None:
        Note.objects.bulk_create(Note(fan=self.fan, author=self.user, text="Tea.") for _ in range(number))

    def segments(self, number: int) -> None:
        Segment.objects.bulk_create(Segment(creator=self.creator, name=uuid4().hex) for _ in range(number))

    def snippets(self, number: int) -> None:
        Snippet.objects.bulk_create(Snippet(creator=self.creator, name=uuid4().hex, text="Hi") for _ in range(number))

    def campaigns(self, number: int) -> None:
        campaigns = Campaign.objects.bulk_create(
            Campaign(creator=self.creator, name="Sunday", text="Hello!", created_by=self.user) for _ in range(number)
        )
        Attachment.objects.bulk_create(
            Attachment(creator=self.creator, campaign=campaign, position=0, url=MEDIA) for campaign in campaigns
        )

    def recipients(self, number: int) -> None:
        Recipient.objects.bulk_create(Recipient(campaign=self.campaign, fan=fan) for fan in self._fans(number))

    def transactions(self, number: int) -> None:
        Transaction.objects.bulk_create(
            Transaction(
                creator=self.creator, fan=self.fan, amount_cents=500, currency="USD", occurred_at=database_now()
            )
            for _ in range(number)
        )

    def events(self, number: int) -> None:
        SubscriptionEvent.objects.bulk_create(
            SubscriptionEvent(
                creator=self.creator,
                fan=fan,
                kind=SubscriptionEvent.Kind.STARTED,
                occurred_at=database_now(),
            )
            for fan in self._fans(number)
        )

    def imports(self, number: int) -> None:
        Import.objects.bulk_create(
            Import(creator=self.creator, created_by=self.user, name="fans.csv", as_of=database_now())
            for _ in range(number)
        )

    def keys(self, number: int) -> None:
        ApiKey.objects.bulk_create(
            ApiKey(
                user=self.user,
                creator=self.creator,
                name="Shop",
                secret_hash=uuid4().hex,
                scopes=["read"],
                expires_at=database_now(),
            )
            for _ in range(number)
        )

    def _fans(self, number: int) -> list[Fan]:
        return Fan.objects.bulk_create(Fan(creator=self.creator, platform_id=uuid4().hex) for _ in range(number))

    def _tags(self, number: int) -> list[Tag]:
        return Tag.objects.bulk_create(Tag(creator=self.creator, name=uuid4().hex) for _ in range(number))


LISTS: dict[str, Callable[[World, int], None]] = {
    "/api/auth/keys": World.keys,
    "/api/crm/campaigns": World.campaigns,
    "/api/crm/campaigns/{campaign_id}/recipients": World.recipients,
    "/api/crm/conversations": World.conversations,
    "/api/crm/conversations/{conversation_id}/messages": World.messages,
    "/api/crm/fans": World.fans,
    "/api/crm/imports": World.imports,
    "/api/crm/notes": World.notes,
    "/api/crm/segments": World.segments,
    "/api/crm/snippets": World.snippets,
    "/api/crm/subscription-events": World.events,
    "/api/crm/tags": World.tags,
    "/api/crm/transactions": World.transactions,
    "/api/onlyfans/messages/failed": World.failed,
}


@pytest.mark.parametrize("address", LISTS)
def test_the_database_is_asked_as_often_for_two_hundred_rows_as_for_two(
    address: str, asks: Api, user: User, creator: Creator
) -> None:
    world = World(creator, user)
    path, of_fan = world.place(address)
    query = f"{of_fan}limit={MANY}"

    def how_often(at_least: int) -> int:
        with CaptureQueriesContext(connection) as queries:
            assert len(asks.get(f"{path}?{query}")["results"]) >= at_least
        return len(queries)

    LISTS[address](world, FEW)
    for_few = how_often(FEW)
    LISTS[address](world, MANY - FEW)

    assert how_often(MANY) == for_few


@pytest.mark.parametrize("address", LISTS)
def test_by_every_sorting_nothing_is_passed_over_or_comes_twice_whoever_comes_meanwhile(
    address: str, asks: Api, user: User, creator: Creator, monkeypatch: pytest.MonkeyPatch
) -> None:
    world = World(creator, user)
    path, of_fan = world.place(address)
    LISTS[address](world, 6)
    sorted_by = paged_by(monkeypatch)

    for sort in parameters_of(address)["sort"]["enum"]:
        way = f"{path}?{of_fan}sort={sort}&limit="
        asks.get(f"{way}1")
        make_alike(*sorted_by[-1])
        there = [known_by(row) for row in asks.get(f"{way}{MANY}")["results"]]
        seen, following = [], f"{way}2"
        for page in count():
            answer = asks.get(following)
            seen += [known_by(row) for row in answer["results"]]
            if page < 2:
                LISTS[address](world, 1)
            following = answer["next"]
            if not following:
                break

        assert len(set(seen)) == len(seen), sort
        assert set(there) <= set(seen), sort
        assert [row for row in seen if row in there] == there, sort


def paged_by(monkeypatch: pytest.MonkeyPatch) -> list[tuple[type[Model], Sorting]]:
    """What was paged, and by what, so far."""
    found = []

    def noted(rows: Any, sorting: Sorting, **place: Any) -> Any:
        found.append((rows.model, sorting))
        return page_of(rows, sorting, **place)

    def noted_lists(lists: Any, sorting: Sorting, **place: Any) -> Any:
        found.append((lists[0].model, sorting))
        return page_through(lists, sorting, **place)

    monkeypatch.setattr("crm.api.paging.page_of", noted)
    monkeypatch.setattr("crm.listing.page_through", noted_lists)
    return found


def make_alike(model: type[Model], sorting: Sorting) -> None:
    """Half of the rows have the same value, a third has none, where that may be."""
    rows, column = model._default_manager.order_by("pk"), sorting.column
    if column == model._meta.pk.name:
        return
    keys, value = list(rows.values_list("pk", flat=True)), rows.values_list(column, flat=True)[0]
    with suppress(IntegrityError), transaction.atomic():
        rows.filter(pk__in=keys[::2]).update(**{column: value})
    if model._meta.get_field(column).null and not sorting.always:
        rows.filter(pk__in=keys[::3]).update(**{column: None})


def known_by(row: dict[str, Any]) -> str:
    return str(row.get("id") or row.get("messageId") or row["fanId"])


@pytest.mark.parametrize("address", LISTS)
def test_a_page_has_a_limit_that_is_documented_and_the_whole_is_counted_for_who_asks(
    address: str, asks: Api, user: User, creator: Creator
) -> None:
    world = World(creator, user)
    path, of_fan = world.place(address)
    LISTS[address](world, 3)
    highest = parameters_of(address)["limit"]["maximum"]

    page, counted = (asks.get(f"{path}?{of_fan}limit=1{total}") for total in ("", "&total=true"))

    assert len(page["results"]) == 1
    assert "total" not in page
    assert counted["total"] == len(asks.get(f"{path}?{of_fan}limit={highest}")["results"]) >= 3
    assert str(highest) in asks.get(f"{path}?{of_fan}limit={highest + 1}", status=400)["detail"]


def test_every_list_of_the_description_is_in_this_table() -> None:
    lists = {
        path
        for path, operations in description()["paths"].items()
        if any(parameter["name"] == "cursor" for parameter in operations.get("get", {}).get("parameters", ()))
    }

    assert lists == set(LISTS)


@cache
def description() -> Any:
    return yaml.safe_load((settings.BASE_DIR / "docs" / "openapi.yaml").read_text())


def parameters_of(address: str) -> dict[str, Any]:
    parameters = description()["paths"][address]["get"]["parameters"]
    return {parameter["name"]: parameter["schema"] for parameter in parameters}
