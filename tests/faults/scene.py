"""What one test puts on the stage, and what it says that it leaves behind."""

import itertools
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from crm.models import Conversation, Creator, Message, User
from crm.models.messages import MessageQuerySet, Status
from crm.tests.factories import make_conversation, make_creator
from onlyfans.models import Connection
from tests.faults.stage import API_KEY, Stage, until

#: In every text; must never be seen in a log.
CANARY = "canary-of-the-text"
WEBHOOK_SECRET = "canary-of-the-webhook"
#: Fast enough for a test, slow enough that the pace is kept and seen.
PACE = "10/1"

_numbers = itertools.count(1)


def account_of(creator: Creator) -> bytes:
    """As it stands in the address of every call for this creator."""
    return creator.connection.account_id.encode()


def calls_for(scene: "Scene", creator: Creator) -> list[float]:
    """When somebody tried to send for this creator."""
    return scene.stage.to_platform.heard_since(0, b"POST /api/" + account_of(creator))


@dataclass
class Scene:
    """Creators, what was accepted for them, and the ends that are not ``sent``."""

    stage: Stage
    creators: list[Creator] = field(default_factory=list)
    accepted: set[UUID] = field(default_factory=set)
    #: How many messages the scenario leaves in another end than sent.
    ends: dict[Status, int] = field(default_factory=dict)
    #: How many letters it leaves in the dead-letter queue.
    dead_letters: int = 0
    #: Texts that the platform has although our books, being old, do not say so.
    known_to_the_platform: set[str] = field(default_factory=set)

    def creator(self, *members: User, pace: str = PACE) -> Creator:
        """A creator of this scene, connected to the platform."""
        creator = make_creator(*members, pace=pace)
        connection = Connection(creator=creator, account_id=f"acct_{creator.public_id.hex}")
        connection.api_key = API_KEY
        connection.webhook_secret = WEBHOOK_SECRET
        connection.save()
        self.creators.append(creator)
        return creator

    def conversations(self, count: int, *, creator: Creator | None = None) -> list[Conversation]:
        creator = creator or self.creator()
        return [make_conversation(creator) for _conversation in range(count)]

    def say(self, conversation: Conversation, **wishes: Any) -> Message:
        """Queue a message whose text no other has."""
        message = conversation.queue(author=None, **{"text": self.words(), **wishes})
        self.accepted.add(message.public_id)
        return message

    def measured(self, what: str, seconds: list[float], *, share: float) -> None:
        """Keep how long this share of the tries took at most."""
        worst = sorted(seconds)[int(len(seconds) * share)]
        self.stage.measured.append(f"{what}: {share:.0%} of {len(seconds)} within {worst * 1000:.0f} ms")

    def accept(self, public_id: str) -> None:
        """A client was answered 2xx for this message."""
        self.accepted.add(UUID(public_id))

    def words(self) -> str:
        return f"{CANARY} {next(_numbers)}"

    @property
    def accounts(self) -> list[str]:
        return [connection.account_id for connection in Connection.objects.filter(creator__in=self.creators)]

    @property
    def messages(self) -> MessageQuerySet:
        """Every outgoing message of this scene's creators."""
        return Message.objects.filter(creator__in=self.creators, direction=Message.Direction.OUT)

    def on_the_platform(self, *messages: Message) -> list[dict[str, Any]]:
        """What the platform has accepted, of these messages or of all of the scene."""
        texts = {message.text for message in messages}
        return [entry for entry in self.stage.ledger.of(*self.accounts) if not texts or entry["text"] in texts]

    def count(self, *statuses: Status) -> int:
        return int(self.messages.filter(status__in=statuses).count())

    def until(self, message: Message, status: Status, seconds: float = 60) -> Message:
        """Wait until a message has come to this status; the answer is the row as it is then."""

        def is_there() -> bool:
            message.refresh_from_db()
            return message.status == status

        until(is_there, seconds, f"{message.text} is {status} and not {message.status}")
        return message
