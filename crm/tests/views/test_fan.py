"""One fan's page: figures, what happened, tags, notes, changes, and the way out."""

import re
from datetime import UTC, datetime, timedelta
from uuid import uuid4

import pytest
from django.test import Client

from crm.clock import database_now
from crm.models import Conversation, Creator, Fan, Membership, Note, SubscriptionEvent, Transaction
from crm.models.messages import Status
from crm.tests.factories import make_conversation, make_creator, make_fan, make_membership, make_message, make_user
from crm.timeline import PAGE

pytestmark = pytest.mark.django_db


@pytest.fixture
def creator() -> Creator:
    return make_creator(make_user("owner"), timezone="America/New_York")


@pytest.fixture
def fan(creator: Creator) -> Fan:
    return make_fan(creator, name="Daniel", handle="dan")


def paid(fan: Fan, kind: str, cents: int, currency: str = "USD", **values: object) -> Transaction:
    defaults = {"occurred_at": database_now(), "source": "import", "platform_id": str(uuid4())[:30]}
    return Transaction.objects.create(
        creator=fan.creator, fan=fan, kind=kind, amount_cents=cents, currency=currency, **(defaults | values)
    )


def page_of(client: Client, fan: Fan, query: str = "") -> str:
    answer = client.get(f"/fans/{fan.public_id}{query}")
    assert answer.status_code == 200
    return answer.content.decode()


def test_the_figures_are_sums_in_the_creators_currency_alone(owner: Client, fan: Fan) -> None:
    paid(fan, "tip", 1_000)
    paid(fan, "tip", 550)
    paid(fan, "tip", 99_900, "EUR")

    page = page_of(owner, fan)

    assert "$15.50" in page
    assert "2 payments" in page
    assert "1 payment in another currency than USD" in page


def test_the_timeline_has_every_kind_newest_first(owner: Client, fan: Fan) -> None:
    at = datetime(2026, 5, 1, 12, tzinfo=UTC)
    make_message(make_conversation(fan=fan), status=Status.RECEIVED, text="Good morning!", send_at=at)
    paid(fan, "tip", 777, occurred_at=at + timedelta(minutes=1), description="For coffee")
    SubscriptionEvent.objects.record(fan, "started", occurred_at=at - timedelta(days=1), price_cents=999)
    Note.objects.write(fan, author=None, text="Likes mornings.")  # type: ignore[arg-type]

    page = page_of(owner, fan)

    order = [page.rindex(words) for words in ("For coffee", "Good morning!", "$9.99")]
    assert order == sorted(order)
    assert "Likes mornings." in page
    assert "Good morning!" not in page_of(owner, fan, "?kind=money")


def test_the_timeline_is_paged_even_within_one_moment(owner: Client, fan: Fan) -> None:
    at, conversation = datetime(2026, 5, 1, tzinfo=UTC), make_conversation(fan=fan)
    texts = [f"Message {number:03}." for number in range(PAGE)]
    for text in texts:
        make_message(conversation, status=Status.RECEIVED, text=text, send_at=at)
    for number in range(5):
        paid(fan, "tip", 100 + number, occurred_at=at, description=f"Payment {number}.")
    first = page_of(owner, fan)
    [older] = re.findall(r'rel="next" href="(\?[^"]+)"', first)

    second = page_of(owner, fan, older)

    found = [*re.findall(r"(?:Message|Payment) \d+\.", first), *re.findall(r"(?:Message|Payment) \d+\.", second)]
    assert sorted(found) == sorted([*texts, *(f"Payment {number}." for number in range(5))])
    assert 'rel="next"' not in second


def test_a_cursor_that_is_none_begins_again(owner: Client, fan: Fan) -> None:
    assert owner.get(f"/fans/{fan.public_id}?before=nonsense").headers["Location"] == f"/fans/{fan.public_id}"


def test_the_conversation_is_opened_and_begun_when_there_is_none(owner: Client, fan: Fan) -> None:
    answer = owner.post(f"/fans/{fan.public_id}/conversation")

    conversation = Conversation.objects.get(fan=fan)
    assert answer.headers["Location"] == f"/messages/onlyfans/{conversation.public_id}"
    assert answer.headers["Location"] in page_of(owner, fan)


def test_tags_are_those_that_are_named(owner: Client, fan: Fan) -> None:
    fan.change(tags=["old"])

    owner.post(f"/fans/{fan.public_id}/tags", {"tags": "VIP, night owl,"})

    assert set(fan.tags.values_list("name", flat=True)) == {"VIP", "night owl"}


def test_a_tag_that_is_too_long_is_refused_with_the_limit(owner: Client, fan: Fan) -> None:
    answer = owner.post(f"/fans/{fan.public_id}/tags", {"tags": "x" * 61})

    assert answer.status_code == 400
    assert "60" in answer.content.decode()
    assert not fan.tags.exists()


def test_notes_are_written_changed_and_deleted(owner: Client, fan: Fan) -> None:
    address = f"/fans/{fan.public_id}/notes"
    owner.post(address, {"text": "Likes tea.", "category": "preferences"})
    note = fan.notes.get()
    assert (note.text, str(note.author)) == ("Likes tea.", "owner")

    owner.post(f"{address}/{note.public_id}", {"text": "Likes coffee.", "category": "mood"})
    assert fan.notes.get().text == "Likes coffee."

    owner.post(f"{address}/{note.public_id}", {"act": "delete"})
    assert not fan.notes.exists()


def test_an_empty_note_is_refused_and_keeps_the_page(owner: Client, fan: Fan) -> None:
    answer = owner.post(f"/fans/{fan.public_id}/notes", {"text": " ", "category": "mood"})

    assert answer.status_code == 400
    assert "the note is empty" in answer.content.decode()


def test_a_chatter_changes_own_notes_only(client: Client, creator: Creator, fan: Fan) -> None:
    chatter, owner = make_user("chatter"), creator.memberships.get().user
    make_membership(chatter, creator, role=Membership.Role.CHATTER)
    client.force_login(chatter)
    own, other = (Note.objects.write(fan, author=author, text="…") for author in (chatter, owner))

    assert client.get(f"/fans/{fan.public_id}/notes/{own.public_id}").status_code == 200
    assert client.get(f"/fans/{fan.public_id}/notes/{other.public_id}").status_code == 403


# --- Adding, changing, erasing


def test_a_fan_is_added_with_what_is_known(owner: Client, creator: Creator) -> None:
    typed = {"platform": "onlyfans", "platform_id": "42", "handle": "@ava", "value": "1234.50", "tags": "VIP"}
    answer = owner.post("/fans/new", typed | {"last_seen_at": "2026-05-01T08:00", "is_priority": "on"})

    fan = creator.fans.get()
    assert answer.headers["Location"] == f"/fans/{fan.public_id}"
    assert (fan.handle, fan.value_cents, fan.is_priority) == ("ava", 123_450, True)
    assert fan.last_seen_at == datetime(2026, 5, 1, 12, tzinfo=UTC), "a time that is typed is the creator's"
    assert fan.subscription_as_of is not None
    assert [tag.name for tag in fan.tags.all()] == ["VIP"]


def test_the_same_fan_is_not_added_twice(owner: Client, creator: Creator, fan: Fan) -> None:
    answer = owner.post("/fans/new", {"platform": "onlyfans", "platform_id": fan.platform_id})

    assert answer.status_code == 400
    assert "There is a fan with it already" in answer.content.decode()


def test_changing_one_thing_says_nothing_new_about_the_others(owner: Client, fan: Fan) -> None:
    seen = datetime(2026, 5, 1, 12, 0, 30, tzinfo=UTC)
    fan.change(value_cents=5_000, last_seen_at=seen)
    stated = fan.stated_value_at
    form = {"platform_id": fan.platform_id, "handle": fan.handle, "name": "Dan B.", "value": "50.00"}
    form["last_seen_at"] = "2026-05-01T08:00"

    assert owner.post(f"/fans/{fan.public_id}/edit", form).status_code == 303

    fan.refresh_from_db()
    assert (fan.name, fan.value_cents, fan.stated_value_at, fan.last_seen_at) == ("Dan B.", 5_000, stated, seen)
    assert fan.subscription_as_of is None


def test_the_form_shows_what_is_stored(owner: Client, fan: Fan) -> None:
    fan.change(value_cents=5_050, last_seen_at=datetime(2026, 5, 1, 12, tzinfo=UTC))

    page = owner.get(f"/fans/{fan.public_id}/edit").content.decode()

    assert 'value="50.50"' in page
    assert 'value="2026-05-01T08:00"' in page


def test_who_is_erased_is_erased_after_their_name_was_typed(owner: Client, fan: Fan) -> None:
    payment = paid(fan, "tip", 100)
    address = f"/fans/{fan.public_id}/erase"
    assert "What stays" in owner.get(address).content.decode()

    refused = owner.post(address, {"typed": "Dan"})
    assert refused.status_code == 400
    assert Fan.objects.filter(pk=fan.pk).exists()

    owner.post(address, {"typed": "daniel"})
    assert not Fan.objects.filter(pk=fan.pk).exists()
    payment.refresh_from_db()
    assert payment.fan is None


def test_nobody_is_erased_while_a_message_to_them_is_under_way(owner: Client, fan: Fan) -> None:
    make_message(make_conversation(fan=fan), status=Status.SENDING)

    answer = owner.post(f"/fans/{fan.public_id}/erase", {"typed": "Daniel"})

    assert answer.status_code == 409
    assert Fan.objects.filter(pk=fan.pk).exists()
