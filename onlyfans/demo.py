"""The demo: one creator with fans and a believable past, connected to the platform simulator."""

import os
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID, uuid4

from django.db import transaction

from crm.clock import database_now
from crm.models import Conversation, Creator, Fan, Line, Membership, Message, Platform, User
from onlyfans.models import Connection, Provider

USERNAME, PASSWORD = "demo", "demo-huntaze"


@dataclass(frozen=True, slots=True)
class Said:
    """One message of the past. ``price_cents`` is what the fan paid or was asked for."""

    minutes_ago: int
    text: str
    by_fan: bool
    price_cents: int = 0


def them(minutes_ago: int, text: str) -> Said:
    return Said(minutes_ago, text, by_fan=True)


def us(minutes_ago: int, text: str) -> Said:
    return Said(minutes_ago, text, by_fan=False)


@dataclass(frozen=True, slots=True)
class Person:
    """A fan of the demo. ``unread`` is how many of their last messages nobody has opened."""

    platform_id: str
    handle: str
    name: str
    value_cents: int
    seen_minutes_ago: int | None
    said: Sequence[Said] = ()
    unread: int = 0


HOUR, DAY = 60, 24 * 60

PEOPLE: Sequence[Person] = (
    Person(
        "fan_123",
        "theomarsh",
        "Theo Marsh",
        48_650,
        6,
        (
            them(
                3 * DAY + 95,
                "Just found your page through the travel shoot. The one on the balcony is unreal.",
            ),
            us(
                3 * DAY + 80,
                "Thank you Theo! That one was 6 in the morning, before the heat. Glad you're here.",
            ),
            them(3 * DAY + 72, "Worth the early alarm then 😄"),
            them(1 * DAY + 40, "Do you do custom sets? Asking for a birthday. Mine, to be honest."),
            us(
                1 * DAY + 22,
                "Ha, happy almost birthday! I do. Tell me the mood you'd like and I'll tell you when I can shoot it.",
            ),
            them(9, "Something like the balcony light, but in the city. No rush, end of the month is fine."),
            them(6, "And thank you for actually answering, that's rare."),
        ),
        unread=2,
    ),
    Person(
        "fan_201",
        "nora.k",
        "Nora Kessler",
        132_900,
        31,
        (
            them(2 * DAY + 300, "The new series is my favourite so far. The colours!"),
            us(2 * DAY + 270, "You noticed! I had it graded by a friend who works in film."),
            them(2 * DAY + 255, "It shows. Is there a longer cut?"),
            us(2 * DAY + 240, "Friday, eight o'clock my time. You'll get it first."),
            them(31, "It's Friday. I am refreshing like a teenager."),
        ),
        unread=1,
    ),
    Person(
        "fan_202",
        "jeanbaptiste_ld",
        "Jean-Baptiste Lefèvre-Delacroix",
        86_400,
        52,
        (
            them(1 * DAY + 610, "Bonjour Ava, tu fais encore des vidéos en français ?"),
            us(1 * DAY + 580, "Bonjour ! Oui, la prochaine est en français, dimanche."),
            them(1 * DAY + 575, "Parfait. J’ai hâte."),
            us(54, "Petite avance : le teaser vient de partir pour toi 💌"),
            them(52, "Tu es adorable, merci !"),
        ),
    ),
    Person(
        "fan_203",
        "sofia.nunez",
        "Sofía Ñúñez ✨",
        15_200,
        95,
        (
            them(200, "hiii just subscribed!! 💖"),
            us(180, "Welcome Sofía! What brought you here?"),
            them(95, "your reels, all of them, at 2am, in one go 🙈🙈"),
        ),
        unread=1,
    ),
    Person(
        "fan_204",
        "marcusw",
        "Marcus Whitfield",
        241_000,
        3 * HOUR,
        (
            them(6 * DAY, "Renewed for another three months."),
            us(6 * DAY - 45, "You're one of the very first here, Marcus. I don't forget that."),
            them(5 * DAY, "Then tell me what you are working on."),
            us(5 * DAY - 60, "A black and white set in an old theatre. First photos next week."),
            them(3 * HOUR + 20, "Is it next week yet?"),
            us(3 * HOUR, "Tomorrow. I promise."),
        ),
    ),
    Person(
        "fan_205",
        "aoi_h",
        "葵 Hayashi",
        9_900,
        4 * HOUR,
        (
            them(1 * DAY + 30, "Your English captions help me practise 😊"),
            us(1 * DAY, "That may be the nicest reason to subscribe I've heard."),
            them(4 * HOUR, "Then please use more difficult words!"),
        ),
        unread=1,
    ),
    Person(
        "fan_206",
        "",
        "Dmitri",
        4_999,
        7 * HOUR,
        (
            them(7 * HOUR + 12, "hey"),
            them(7 * HOUR, "you there?"),
        ),
        unread=2,
    ),
    Person(
        "fan_207",
        "priya.raman",
        "Priya Raman",
        58_300,
        9 * HOUR,
        (
            us(2 * DAY, "Thank you for the tip yesterday, Priya, that was very kind."),
            them(2 * DAY - 30, "You earned it. The behind-the-scenes clip made my week."),
            us(9 * HOUR + 30, "Then you'll like today's: I fall into the pool."),
            them(9 * HOUR, "I need this immediately."),
        ),
    ),
    Person(
        "fan_208",
        "bartholomew_the_long_handle_of_lower_saxony",
        "Bartholomew Alexander Montgomery-Featherstonehaugh III",
        33_000,
        14 * HOUR,
        (
            them(
                4 * DAY,
                "Good evening. I hope this message finds you well and that the weather in Nice is kinder than ours.",
            ),
            us(4 * DAY - 120, "Good evening! 24 degrees and a little wind. I'd share it if I could."),
            them(14 * HOUR, "Most generous. I shall live vicariously through the photographs, as ever."),
        ),
    ),
    Person(
        "fan_209",
        "kev_",
        "Kevin O’Donnell",
        12_500,
        20 * HOUR,
        (
            them(1 * DAY + 200, "how much for the theatre set?"),
            us(1 * DAY + 150, "It will be $15 for subscribers when it's out."),
            them(20 * HOUR, "deal"),
        ),
    ),
    Person(
        "fan_210",
        "léa.b",
        "Léa Bergström",
        71_750,
        1 * DAY,
        (
            them(3 * DAY, "Saw you on the train to Lyon?! Was that you?"),
            us(3 * DAY - 15, "Maybe 🤫 Red suitcase?"),
            them(3 * DAY - 14, "RED SUITCASE"),
            us(1 * DAY, "Next time say hello."),
        ),
    ),
    Person(
        "fan_211",
        "tomás.q",
        "Tomás Quintana",
        26_100,
        2 * DAY,
        (
            us(5 * DAY, "Hi Tomás, the set you asked about is up."),
            them(2 * DAY, "Seen it. Twice. Gracias 🙏"),
        ),
    ),
    Person(
        "fan_212",
        "wren",
        "Wren 🌿",
        3_000,
        3 * DAY,
        (
            them(3 * DAY, "do you ever sleep? you answer everyone"),
            us(3 * DAY - 20, "Coffee and good people. Mostly coffee."),
        ),
    ),
    Person(
        "fan_213",
        "h.okafor",
        "Henry Okafor",
        44_400,
        5 * DAY,
        (
            them(6 * DAY + 100, "Cancelling for a month, moving house. I'll be back."),
            us(6 * DAY + 60, "Good luck with the boxes, Henry. Your spot stays warm."),
        ),
    ),
    Person("fan_214", "milan_v", "Milan Vaněk", 18_250, 6 * HOUR),
    Person("fan_215", "grace.l", "Grace Liu", 5_500, 11 * HOUR),
    Person("fan_216", "zeynep.a", "Zeynep Aydın", 39_990, 26 * HOUR),
    Person("fan_217", "olli", "Olli Mäkelä", 0, 2 * DAY),
    Person("fan_218", "samuel_t", "Samuel Tesfaye", 22_000, 3 * DAY),
    Person("fan_219", "", "Anonymous 🦊", 1_000, 4 * DAY),
    Person("fan_220", "carla.m", "Carla Moretti", 64_800, 8 * DAY),
    Person("fan_221", "ines.p", "Inês Pacheco", 7_700, 12 * DAY),
    Person("fan_222", "dan_the_baker", "Dan", 15_000, 30 * DAY),
    Person("", "quiet.reader", "Robin Hale", 0, None),
)


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
        _remember(_add_fan(creator, person, now), person, user, now)
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
        value_cents=person.value_cents,
        last_seen_at=seen,
    )


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
