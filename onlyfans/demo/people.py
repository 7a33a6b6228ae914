"""Who follows the demo's creator, and what was said."""

from collections.abc import Sequence
from dataclasses import dataclass

from crm.models import Note


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
    """A fan of the demo. ``unread`` is how many of their last messages nobody has opened.

    ``value_cents`` is what they have paid since they came; ``left_days_ago`` is when their subscription ended.
    """

    platform_id: str
    handle: str
    name: str
    value_cents: int
    seen_minutes_ago: int | None
    said: Sequence[Said] = ()
    unread: int = 0
    came_days_ago: float | None = None
    left_days_ago: float | None = None
    tags: Sequence[str] = ()
    notes: Sequence[tuple[Note.Category, str]] = ()


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
        came_days_ago=24,
        tags=("custom sets",),
        notes=(
            (Note.Category.PREFERENCES, "Wants the balcony light, but in the city. End of the month is fine."),
            (Note.Category.PERSONAL, "Birthday at the end of November."),
        ),
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
        came_days_ago=171,
        tags=("VIP", "video"),
        notes=((Note.Category.INTERESTS, "Notices colour grading. Always ask her about the cut."),),
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
        came_days_ago=118,
        tags=("français", "VIP"),
        notes=((Note.Category.STYLE, "Écrit en français, tutoie."),),
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
        came_days_ago=0.15,
        tags=("new",),
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
        came_days_ago=402,
        tags=("VIP", "from the first day"),
        notes=((Note.Category.IMPORTANT, "One of the very first. He is told before everybody else."),),
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
        came_days_ago=33,
        tags=("new",),
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
        came_days_ago=1.2,
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
        came_days_ago=75,
        tags=("behind the scenes",),
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
        came_days_ago=149,
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
        came_days_ago=12,
        notes=((Note.Category.PURCHASES, "Asked for the theatre set, $15."),),
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
        came_days_ago=88,
        tags=("video",),
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
        came_days_ago=46,
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
        came_days_ago=4,
        tags=("new",),
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
        came_days_ago=64,
        left_days_ago=4,
        notes=((Note.Category.PERSONAL, "Moving house. Will be back in a month."),),
    ),
    Person("fan_214", "milan_v", "Milan Vaněk", 18_250, 6 * HOUR, came_days_ago=31),
    Person("fan_215", "grace.l", "Grace Liu", 5_500, 11 * HOUR, came_days_ago=9, tags=("new",)),
    Person("fan_216", "zeynep.a", "Zeynep Aydın", 39_990, 26 * HOUR, came_days_ago=66, tags=("VIP",)),
    Person("fan_217", "olli", "Olli Mäkelä", 0, 2 * DAY),
    Person("fan_218", "samuel_t", "Samuel Tesfaye", 22_000, 3 * DAY, came_days_ago=51),
    Person("fan_219", "", "Anonymous 🦊", 1_000, 4 * DAY, came_days_ago=5),
    Person("fan_220", "carla.m", "Carla Moretti", 64_800, 8 * DAY, came_days_ago=133, left_days_ago=8, tags=("VIP",)),
    Person("fan_221", "ines.p", "Inês Pacheco", 7_700, 12 * DAY, came_days_ago=42, left_days_ago=12),
    Person("fan_222", "dan_the_baker", "Dan", 15_000, 30 * DAY, came_days_ago=61, left_days_ago=30),
    Person("", "quiet.reader", "Robin Hale", 0, None),
)
