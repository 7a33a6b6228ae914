"""A creator with any number of fans and their conversations, for measuring: the same seed gives the same crowd.

The database makes the rows by itself, from numbers: nothing of them passes through this process, and it takes the same
memory for any number. Nothing of it is ever sent: it is all in the past.
"""

# ruff: noqa: S608, every part of the SQL is written here

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from django.core.management.color import no_style
from django.db import connection, models, transaction
from django.utils import timezone

from crm.models import (
    Campaign,
    Conversation,
    Creator,
    Fan,
    FanTag,
    Line,
    Membership,
    Message,
    Note,
    Recipient,
    SubscriptionEvent,
    Tag,
    Tally,
    Transaction,
    User,
)
from crm.models.messages import Status
from crm.searching import fold, words_of

MESSAGES_PER_FAN = 5
FIRST = (
    "Ann",
    "Bea",
    "Chloé",
    "Dora",
    "Elif",
    "Finn",
    "Gus",
    "Hana",
    "Iker",
    "Jean",
    "Kofi",
    "Lena",
    "Mia",
    "Noor",
    "Oto",
)
LAST = (
    "Abel",
    "Brandt",
    "Costa",
    "Dubois",
    "Eriksen",
    "Fischer",
    "García",
    "Haddad",
    "Ito",
    "Jansen",
    "Kowalski",
    "Lefèvre",
)
TEXTS = ("Good morning!", "Is there more of this?", "You made my day.", "When is the next one?", "Thank you, truly.")
TAGS, CAMPAIGNS = 10, 50
#: One fan in so many has a tag, came or left, paid, has a note, is somebody's, got the campaign, missed a message.
TAGGED, TURNED, PAID, NOTED, ASSIGNED, REACHED, FAILED = 5, 2, 3, 10, 10, 10, 100
#: One fan in so many is blocked, and another has no platform id.
SELDOM = 500
SUBSCRIPTIONS = ("active", "expired", "never", "")
YEAR, MONTH = 365 * 86_400, 30 * 86_400
_DRAWN_FROM = 2**31

#: So many rows are made by one statement: how far it is can be told between two.
PIECE = 20_000
#: From so many fans on, indexes are built once all rows are there: row by row it takes ten times as long.
INDEXED_AFTERWARDS = 10_000

#: SQL by column; ``n`` is the number of the row.
Columns = Mapping[str, str]
#: Hears how many of how many are made, and of what.
Told = Callable[[int, int, str], None]


def _to_nobody(done: int, total: int, what: str) -> None:
    pass


def seed_crowd(
    user: User, *, fans: int, seed: int = 1, now: datetime | None = None, told: Told = _to_nobody
) -> Creator:
    """A new creator of ``user``'s with so many fans, five messages with each, and what else belongs to such a crowd.

    All of it or nothing, in one transaction.
    """
    with transaction.atomic(), _indexed_afterwards(told) if fans >= INDEXED_AFTERWARDS else nullcontext():
        creator = Creator.objects.create(name=f"Crowd of {fans:,}")
        Membership.objects.create(user=user, creator=creator, role=Membership.Role.OWNER)
        tags = Tag.objects.named(creator, [f"tag {number}" for number in range(TAGS)])
        now = (now or timezone.now()).astimezone(UTC)
        campaign = _campaigns(creator, now, reached=-(-fans // REACHED))
        crowd = _Crowd(user.pk, campaign.pk, fans, seed, now, [tag.pk for tag in tags])
        tables = crowd.tables()
        done, total = 0, sum(how_many for how_many, _columns in tables.values())
        for model, (how_many, columns) in tables.items():
            for made in _fill(model, creator, how_many, columns):
                done += made
                told(done, total, "rows")
        Line.objects.update_or_create(creator=creator, defaults={"seq": fans * MESSAGES_PER_FAN})
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE")
        if connection.vendor == "sqlite" and not connection.in_atomic_block:
            # The log of such a transaction is as large as its rows.
            cursor.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    return creator


def _campaigns(creator: Creator, now: datetime, *, reached: int) -> Campaign:
    """Some drafts, and the one that has reached so many."""
    Campaign.objects.bulk_create(
        Campaign(creator=creator, name=f"Draft {number}", text="Hello!") for number in range(CAMPAIGNS)
    )
    sent = Campaign.Status.COMPLETED
    campaign = Campaign.objects.create(
        creator=creator, name="News", text=TEXTS[0], status=sent, launched_at=now, finished_at=now
    )
    Tally.objects.create(campaign=campaign, state=Status.READ, number=reached)
    return campaign


@dataclass(frozen=True)
class _Crowd:
    user: int
    campaign: int
    fans: int
    seed: int
    now: datetime
    tags: Sequence[int]

    def tables(self) -> dict[type[models.Model], tuple[int, Columns]]:
        """How many rows of which columns, in the order in which they refer to each other."""
        fan, talk, message = (_next_key(model) for model in (Fan, Conversation, Message))
        return {
            Fan: (self.fans, self._fan(fan)),
            FanTag: (self.fans // TAGGED, self._worn(fan)),
            Note: (self.fans // NOTED, self._note(fan)),
            Conversation: (self.fans, self._talk(fan, talk)),
            Message: (self.fans * MESSAGES_PER_FAN, self._message(talk, message)),
            Recipient: (-(-self.fans // REACHED), self._recipient(fan, message)),
            Transaction: (self.fans // PAID, self._payment(fan)),
            SubscriptionEvent: (self.fans // TURNED, self._turn(fan)),
        }

    def _fan(self, key: int) -> Columns:
        first, last = self._draw(1, len(FIRST)), self._draw(2, len(LAST))
        joined = self._draw(3, 2 * YEAR)
        seen = f"{joined} / (1 + {self._draw(8, 40)})"
        folded = (
            f"{_one_of([fold(name) for name in FIRST], first)} || ' ' || {_one_of([fold(name) for name in LAST], last)}"
        )
        platform_id = f"CASE WHEN n % {SELDOM} = 13 THEN '' ELSE CAST({10**9} + n AS text) END"
        state = self._draw(6, len(SUBSCRIPTIONS))
        in_a_month, in_a_year = self._ago(f"0 - {self._draw(17, MONTH)}"), self._ago(self._draw(18, YEAR))
        bought = self._ago(self._draw(11, YEAR, of=f"(n / {PAID})"))
        return {
            "id": f"{key} + n",
            "platform_id": platform_id,
            "handle": "'fan' || CAST(n AS text)",
            "name": f"{_one_of(FIRST, first)} || ' ' || {_one_of(LAST, last)}",
            "sort_name": folded,
            "search_text": f"rtrim({folded} || ' fan' || CAST(n AS text) || ' ' || {platform_id})",
            # Most have spent nothing, a few very much.
            "value_cents": f"CASE WHEN {self._draw(4, 10)} < 6 THEN 0 ELSE 1000000 / (1 + {self._draw(5, 3000)}) END",
            "subscription": _one_of(SUBSCRIPTIONS, state),
            "subscription_price_cents": f"CASE WHEN {state} < 2 THEN 500 * {self._draw(19, 3)} END",
            "subscription_ends_at": f"CASE {state} WHEN 0 THEN {in_a_month} WHEN 1 THEN {in_a_year} END",
            "last_purchase_at": f"CASE WHEN n % {PAID} = 0 THEN {bought} END",
            "blocked_at": f"CASE WHEN n % {SELDOM} = 11 THEN {self._ago('0')} END",
            "joined_at": self._ago(joined),
            "last_seen_at": f"CASE WHEN {self._draw(7, 10)} > 0 THEN {self._ago(seen)} END",
            "created_at": self._ago(joined),
        }

    def _worn(self, fan: int) -> Columns:
        return {
            "fan_id": f"{fan} + n * {TAGGED}",
            "tag_id": _one_of(self.tags, self._draw(9, len(self.tags))),
            "created_at": self._ago("0"),
        }

    def _note(self, fan: int) -> Columns:
        at = self._ago(self._draw(14, YEAR))
        return {
            "fan_id": f"{fan} + n * {NOTED}",
            "text": _one_of(TEXTS, "(n % 5)"),
            **dict.fromkeys(("created_at", "updated_at"), at),
        }

    def _talk(self, fan: int, key: int) -> Columns:
        return {
            "id": f"{key} + n",
            "fan_id": f"{fan} + n",
            "last_message_at": self._last_word("n"),
            "last_text": _one_of(TEXTS, "(n % 5)"),
            "last_direction": "'in'",
            "unread_count": f"CASE WHEN {self._draw(10, 20)} = 0 THEN 1 ELSE 0 END",
            "assigned_to_id": f"CASE WHEN n % {ASSIGNED} = 3 THEN {self.user} END",
            "seq": f"(n + 1) * {MESSAGES_PER_FAN}",
            "created_at": self._last_word("n"),
        }

    def _message(self, talk: int, key: int) -> Columns:
        """Theirs, ours, theirs, ours, theirs, a minute apart."""
        number, position = f"(n / {MESSAGES_PER_FAN})", f"(n % {MESSAGES_PER_FAN})"
        ours, said = f"{position} % 2 = 1", f"(({number} + {position} + 1) % 5)"
        failed = f"{position} = 3 AND {number} % {FAILED} = 7"
        of_campaign = f"{position} = 1 AND {number} % {REACHED} = 0"
        at = self._last_word(number, f"60 * ({MESSAGES_PER_FAN - 1} - {position})")
        return {
            "id": f"{key} + n",
            "conversation_id": f"{talk} + {number}",
            "direction": f"CASE WHEN {ours} THEN 'out' ELSE 'in' END",
            "status": f"CASE WHEN {failed} THEN 'failed' WHEN {ours} THEN 'read' ELSE 'received' END",
            "cause_code": f"CASE WHEN {failed} THEN 'rejected' ELSE '' END",
            "campaign_id": f"CASE WHEN {of_campaign} THEN {self.campaign} END",
            "priority": f"CASE WHEN {of_campaign} THEN {Campaign.PRIORITY} ELSE 10 END",
            "text": _one_of(TEXTS, said),
            "search_text": _one_of([" ".join(words_of(text)) for text in TEXTS], said),
            "platform_id": "'crowd-' || CAST(n AS text)",
            "seq": "n + 1",
            **dict.fromkeys(("send_at", "due_at", "created_at"), at),
            **dict.fromkeys(
                ("sent_at", "delivered_at", "read_at"), f"CASE WHEN {ours} AND NOT ({failed}) THEN {at} END"
            ),
        }

    def _recipient(self, fan: int, message: int) -> Columns:
        return {
            "campaign_id": str(self.campaign),
            "fan_id": f"{fan} + n * {REACHED}",
            "message_id": f"{message} + n * {REACHED * MESSAGES_PER_FAN} + 1",
        }

    def _payment(self, fan: int) -> Columns:
        at = self._ago(self._draw(11, YEAR))
        return {
            "fan_id": f"{fan} + n * {PAID}",
            "kind": _one_of(Transaction.Kind.values, self._draw(12, len(Transaction.Kind.values))),
            "amount_cents": f"100 + {self._draw(13, 20_000)}",
            "occurred_at": at,
            "created_at": at,
            "source": "'import'",
            "platform_id": "'crowd-' || CAST(n AS text)",
        }

    def _turn(self, fan: int) -> Columns:
        at = self._ago(self._draw(15, YEAR))
        return {
            "fan_id": f"{fan} + n * {TURNED}",
            "kind": _one_of(SubscriptionEvent.Kind.values, self._draw(16, len(SubscriptionEvent.Kind.values))),
            **dict.fromkeys(("occurred_at", "created_at"), at),
        }

    def _draw(self, what: int, below: int, *, of: str = "n") -> str:
        """A number of row ``of`` that looks drawn, from 0 and below ``below``; each ``what`` is a draw of its own.

        A counter is squared twice, so that neither its order nor its steps are left. Nothing exceeds 63 bits.
        """
        start = (self.seed * 1_000_003 + what * 7_368_787) % _DRAWN_FROM
        drawn = f"(({of} + {start}) * 2654435761 + {what * 40_503}) % {_DRAWN_FROM}"
        for _round in range(2):
            drawn = f"(({drawn}) * ({drawn}) / 32768 + {drawn}) % {_DRAWN_FROM}"
        return f"(({drawn}) * {below} / {_DRAWN_FROM})"

    def _last_word(self, number: str, seconds_before: str = "0") -> str:
        """When a conversation ended: spread over a year, in no order."""
        return self._ago(f"({number} * 7919 % {self.fans}) * {YEAR} / {self.fans} + {seconds_before}")

    def _ago(self, seconds: str) -> str:
        """So many seconds before now."""
        now = self.now.replace(tzinfo=None, microsecond=0)
        if connection.vendor == "postgresql":
            return f"(timestamptz '{now}+00' - ({seconds}) * interval '1 second')"
        return f"strftime('%Y-%m-%d %H:%M:%S', '{now}', printf('%+d seconds', -({seconds})))"


def _one_of(values: Sequence[object], number: str) -> str:
    quoted = [str(value) if isinstance(value, int) else f"'{value}'" for value in values]
    return f"(CASE {number} {' '.join(f'WHEN {at} THEN {value}' for at, value in enumerate(quoted))} END)"


# --- Into the tables


def _next_key(model: type[models.Model]) -> int:
    last = model._default_manager.order_by("-pk").values_list("pk", flat=True).first()
    return (last or 0) + 1


def _fill(model: type[models.Model], creator: Creator, how_many: int, columns: Columns) -> Iterator[int]:
    """Insert so many rows; what they do not name has its column's default, and each gets a public id.

    Yields after each piece how many rows it has.
    """
    written, values = [], []
    with connection.cursor() as cursor:
        for field in model._meta.concrete_fields:
            expression, value = columns.get(field.attname), None
            if field.attname == "public_id":
                expression = _public_id(model, creator)
            elif field.attname == "creator_id":
                expression = str(creator.pk)
            elif expression is None and (field.primary_key or field.generated):
                continue
            elif expression is None:
                expression, value = "%s", field.get_db_prep_save(field.get_default(), connection)
                values.append(value)
            written.append((connection.ops.quote_name(str(field.column)), expression))
        table = connection.ops.quote_name(model._meta.db_table)
        names, expressions = (", ".join(parts) for parts in zip(*written, strict=True))
        expressions = expressions.replace("%", "%%").replace("%%s", "%s")
        for first in range(0, how_many, PIECE):
            last = min(first + PIECE, how_many) - 1
            cursor.execute(f"INSERT INTO {table} ({names}) SELECT {expressions} FROM {_numbers(first, last)}", values)
            yield last + 1 - first
        for statement in connection.ops.sequence_reset_sql(no_style(), [model]):
            cursor.execute(statement)


def _numbers(first: int, last: int) -> str:
    if connection.vendor == "postgresql":
        return f"generate_series({first}::bigint, {last}) AS numbers(n)"
    counting = f"SELECT {first} AS n UNION ALL SELECT n + 1 FROM numbers WHERE n < {last}"
    return f"(WITH RECURSIVE numbers(n) AS ({counting}) SELECT n FROM numbers)"


def _public_id(model: type[models.Model], creator: Creator) -> str:
    if connection.vendor == "postgresql":
        return f"md5('{model._meta.label} {creator.pk} ' || n)::uuid"
    number = [Fan, Conversation, Message, Transaction, Note].index(model)
    return f"printf('%%08x%%08x%%016x', {creator.pk}, {number}, n)".replace("%%", "%")


@contextmanager
def _indexed_afterwards(told: Told) -> Iterator[None]:
    """Without the indexes of the tables until all rows are there; those that are part of a table stay."""
    models_filled = (Fan, FanTag, Note, Conversation, Message, Recipient, Transaction, SubscriptionEvent)
    tables = [model._meta.db_table for model in models_filled]
    with connection.cursor() as cursor:
        indexes = _indexes_of(cursor, tables)
        if connection.vendor == "postgresql":
            # Only a superuser may leave the checks out; rows of ours refer to rows of ours.
            cursor.execute("SELECT rolsuper FROM pg_roles WHERE rolname = current_user")
            if cursor.fetchone() == (True,):
                cursor.execute("SET LOCAL session_replication_role = replica")
        for name, _definition in indexes:
            cursor.execute(f"DROP INDEX {name}")
        yield
        if connection.vendor == "postgresql":
            # No index is built while checks of references are outstanding.
            cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")
        for number, (_name, definition) in enumerate(indexes):
            told(number, len(indexes), "indexes")
            cursor.execute(definition)


def _indexes_of(cursor: Any, tables: Sequence[str]) -> list[tuple[str, str]]:
    """The name of each as SQL has it, and the statement that makes it."""
    if connection.vendor == "postgresql":
        cursor.execute(
            "SELECT indexrelid::regclass::text, pg_get_indexdef(indexrelid) FROM pg_index"
            " WHERE indrelid::regclass::text = ANY(%s)"
            " AND NOT EXISTS (SELECT FROM pg_constraint WHERE conindid = indexrelid)",
            [tables],
        )
    else:
        places = ", ".join(["%s"] * len(tables))
        cursor.execute(
            "SELECT '\"' || name || '\"', sql FROM sqlite_master"
            f" WHERE type = 'index' AND sql IS NOT NULL AND tbl_name IN ({places})",
            tables,
        )
    return list(cursor.fetchall())
