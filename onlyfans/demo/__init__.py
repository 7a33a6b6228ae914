"""The demo: one creator with fans and a believable past, connected to the platform simulator."""

import os
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID, uuid4

from django.db import transaction

from crm.clock import database_now
from crm.models import Conversation, Creator, Fan, Line, Membership, Message, Note, Platform, Snippet, Tag, User
from onlyfans.demo.money import add_money
from onlyfans.demo.people import PEOPLE, Person
from onlyfans.models import Connection, Provider

USERNAME, PASSWORD = "demo", "demo-huntaze"
SNIPPETS = {
    "welcome": "Hi {first_name|there}, so good to have you here! What would you like to see more of?",
    "thanks": "Thank you {first_name|so much}, that made my day 💛",
    "theatre set": "The theatre set is out, {first_name|dear}: black and white, 24 photos. Shall I send it to you?",
}


@dataclass(frozen=True, slots=True)
class Demo:
    """What there is after ``seed``; ``created`` is False when it was there before."""

    created: bool
    creator: UUID
    connection: UUID
    fans: int
    conversations: int
    messages: int

    @property
    def webhook_path(self) -> str:
        return f"/api/onlyfans/webhooks/{self.connection}"


def seed() -> Demo:
    """Make the demo once: user, creator, connection, fans with a past. A second call changes nothing."""
    with transaction.atomic():
        user = User.objects.filter(username=USERNAME).first()
        if user is None:
            return _describe(_seed_creator(_seed_user()), created=True)
        return _describe(Creator.objects.for_user(user).earliest("id"), created=False)


def _seed_user() -> User:
    return User.objects.create_superuser(USERNAME, email="demo@huntaze.invalid", password=PASSWORD, is_demo=True)


def _seed_creator(user: User) -> Creator:
    creator = Creator.objects.create(name="Ava Laurent", handle="avalaurent", timezone="Europe/Paris")
    Membership.objects.create(user=user, creator=creator, role=Membership.Role.OWNER)
    _connect(creator)
    now = database_now()
    for person in PEOPLE:
        fan = _add_fan(creator, person, now)
        add_money(fan, person, now)
        _know(fan, person, user)
        _remember(fan, person, user, now)
    Snippet.objects.bulk_create(Snippet(creator=creator, name=name, text=text) for name, text in SNIPPETS.items())
    return creator


def _connect(creator: Creator) -> None:
    """To the simulator, with the key and the secret that it was started with."""
    connection = Connection(
        creator=creator,
        provider=Provider.OFAPI,
        account_id=os.environ.get("SIMULATOR_ACCOUNT", "acct_demo"),
        public_id=UUID(os.environ.get("SIMULATOR_CONNECTION") or str(uuid4())),
    )
    connection.api_key = os.environ.get("SIMULATOR_API_KEY", "")
    connection.webhook_secret = os.environ.get("SIMULATOR_WEBHOOK_SECRET", "")
    connection.save(force_insert=True)


def _add_fan(creator: Creator, person: Person, now: datetime) -> Fan:
    seen = None if person.seen_minutes_ago is None else now - timedelta(minutes=person.seen_minutes_ago)
    return Fan.objects.create(
        creator=creator,
        platform=Platform.ONLYFANS,
        platform_id=person.platform_id,
        handle=person.handle,
        name=person.name,
        last_seen_at=seen,
    )


def _know(fan: Fan, person: Person, user: User) -> None:
    """What the team has written down about this fan."""
    Tag.objects.wear(fan, person.tags)
    for category, text in person.notes:
        Note.objects.write(fan, author=user, category=category, text=text)


def _remember(fan: Fan, person: Person, user: User, now: datetime) -> None:
    """Write the conversation as it went, oldest first, and mark as read what was read."""
    if not person.said:
        return
    conversation = Conversation.objects.with_fan(fan)
    opened = len(person.said) - person.unread
    for position, said in enumerate(person.said):
        if position == opened:
            conversation.mark_read()
        platform_id = f"seed-{person.platform_id}-{position}"
        at = now - timedelta(minutes=said.minutes_ago)
        if said.by_fan:
            conversation.receive(text=said.text, platform_id=platform_id, written_at=at)
        else:
            write_history(conversation, said.text, platform_id=platform_id, author=user, at=at)
    if not person.unread:
        conversation.mark_read()


def write_history(conversation: Conversation, text: str, *, platform_id: str, author: User, at: datetime) -> None:
    """Add a message that the platform has had since ``at``. ``Conversation.queue`` would send it once more."""
    Message.objects.create(
        creator_id=conversation.creator_id,
        conversation=conversation,
        author=author,
        status=Message.Status.READ,
        text=text,
        platform_id=platform_id,
        send_at=at,
        due_at=at,
        sent_at=at,
        delivered_at=at,
        read_at=at + timedelta(minutes=2),
        seq=Line.objects.stamp(conversation.creator_id),
    )
    Conversation.objects.filter(pk=conversation.pk).update(
        last_message_at=at, last_text=text, last_direction=Message.Direction.OUT
    )


def _describe(creator: Creator, *, created: bool) -> Demo:
    return Demo(
        created=created,
        creator=creator.public_id,
        connection=creator.connection.public_id,
        fans=creator.fans.count(),
        conversations=creator.conversations.count(),
        messages=creator.messages.count(),
    )
