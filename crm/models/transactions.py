"""Money that came in, and how subscriptions went: the rows behind every figure."""

import uuid
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, Self

from django.db import models, transaction
from django.db.models import F, Max, OuterRef, Q, Subquery, Sum, Value
from django.db.models.functions import Coalesce, Greatest
from django.utils.translation import gettext_lazy as _

from crm.models.campaigns import Campaign
from crm.models.conversations import Conversation
from crm.models.creators import Creator, visible_to
from crm.models.days import Day
from crm.models.fans import Fan, Subscription
from crm.models.lines import Line
from crm.models.messages import Message

if TYPE_CHECKING:
    from django.contrib.auth.models import AnonymousUser

    from crm.models.users import User


#: What a payment may be called by. Each telling of a payment has at least one of them.
IDENTITIES = ("platform_id", "event_key", "fingerprint")
#: Two tellings of one payment differ in time by this much at most.
TOLD_WITHIN = timedelta(minutes=10)


@dataclass(frozen=True, slots=True, kw_only=True)
class Payment:
    """One telling of a payment: by an event, by the platform's list of transactions, by a row of a file.

    Amounts are minor units of ``currency``; an empty one is the creator's. A reversal is negative.
    """

    kind: str
    amount_cents: int
    occurred_at: datetime
    source: str
    fan: Fan | None = None
    message: Message | None = None
    currency: str = ""
    fee_cents: int | None = None
    net_cents: int | None = None
    description: str = ""
    platform_id: str = ""
    event_key: str = ""
    fingerprint: str = ""


class TransactionQuerySet(models.QuerySet["Transaction"]):
    def for_user(self, user: "User | AnonymousUser") -> Self:
        return self.filter(visible_to(user))

    def record(
        self, creator: Creator, payments: Sequence[Payment], *, within: timedelta = TOLD_WITHIN
    ) -> "list[tuple[Transaction, bool]]":
        """Write each payment once, whoever tells it and how often; the answer is (row, is new) for each, in order.

        A payment is known when it has one of its identities already. Else it is the telling of a known payment that
        has none of the identities it brings, of the same fan, amount, currency and kind (``other`` fits every kind)
        and at most ``within`` away, the nearest first. So two real payments alike stay two, in whatever order their
        four tellings come. What a known payment did not say yet is filled in.

        Along with it: the message is marked as bought, and the fans' value and last purchase are counted anew.
        A few hundred payments at once. Raises ValueError for a payment without any identity.
        """
        with transaction.atomic():
            seq = Line.objects.stamp(creator.pk)
            book = _Book(creator, payments, within)
            entered = [book.enter(payment) for payment in payments]
            Transaction.objects.bulk_create(book.new)
            Transaction.objects.bulk_update(
                book.changed, [*IDENTITIES, "kind", "fee_cents", "net_cents", "description", *_LINKS]
            )
            Day.objects.forget(creator.pk, (row.occurred_at for row in (*book.new, *book.changed)))
            _mark_bought((row for row, _is_new in entered), seq)
            fan_ids = {row.fan_id for row in (*book.new, *book.changed) if row.fan_id}
            self.recount_fans(fan_ids)
            Conversation.objects.filter(fan_id__in=fan_ids).update(seq=seq)
        return entered

    def recount_fans(self, fan_ids: Iterable[int]) -> int:
        """Count these fans' lifetime value and last purchase anew, a few hundred fans at once, in one update.

        The value is what was stated plus the money after that moment, all the money when nothing was stated; only
        money in the creator's currency counts, and it is never negative.
        """
        of_fan = Transaction.objects.filter(fan=OuterRef("pk")).order_by().values("fan")
        since_stated = of_fan.filter(
            Q(fan__stated_value_cents__isnull=True) | Q(occurred_at__gt=F("fan__stated_value_at")),
            currency=F("creator__currency"),
        )
        earned = Coalesce(Subquery(since_stated.annotate(sum=Sum("amount_cents")).values("sum")), 0)
        bought_at = Subquery(of_fan.filter(amount_cents__gt=0).annotate(at=Max("occurred_at")).values("at"))
        return Fan.objects.filter(pk__in=list(fan_ids)).update(
            value_cents=Greatest(Coalesce(F("stated_value_cents"), 0) + earned, Value(0)),
            last_purchase_at=Greatest(
                Coalesce(F("last_purchase_at"), bought_at), Coalesce(bought_at, F("last_purchase_at"))
            ),
        )


class Transaction(models.Model):
    """One payment of a fan, or its reversal (negative). Amounts are integer minor units of ``currency``."""

    class Kind(models.TextChoices):
        SUBSCRIPTION = "subscription", _("Subscription")
        TIP = "tip", _("Tip")
        MESSAGE = "message", _("Unlocked message")
        POST = "post", _("Post")
        STREAM = "stream", _("Stream")
        OTHER = "other", _("Other")

    DESCRIPTION_MAX = 300

    class Source(models.TextChoices):
        EVENT = "event", _("An event of the platform")
        SYNC = "sync", _("Read from the platform")
        IMPORT = "import", _("A CSV file")

    public_id = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    creator = models.ForeignKey(Creator, on_delete=models.CASCADE, related_name="transactions")
    # The money stays when the fan asks to be forgotten.
    fan = models.ForeignKey(Fan, on_delete=models.SET_NULL, null=True, blank=True, related_name="transactions")
    message = models.ForeignKey(Message, on_delete=models.SET_NULL, null=True, blank=True, related_name="transactions")
    campaign = models.ForeignKey(
        Campaign, on_delete=models.SET_NULL, null=True, blank=True, related_name="transactions"
    )
    kind = models.CharField(max_length=16, choices=Kind)
    amount_cents = models.BigIntegerField(help_text=_("What the fan paid."))
    fee_cents = models.BigIntegerField(null=True, blank=True)
    net_cents = models.BigIntegerField(null=True, blank=True, help_text=_("What the creator keeps."))
    currency = models.CharField(max_length=3, default="USD")
    description = models.CharField(max_length=DESCRIPTION_MAX, blank=True)
    occurred_at = models.DateTimeField()
    source = models.CharField(max_length=8, choices=Source)
    platform_id = models.CharField(max_length=64, blank=True, help_text=_("The payment's id at the platform."))
    event_key = models.CharField(
        max_length=96, blank=True, help_text="What an event that told of it called it: events do not know that id."
    )
    fingerprint = models.CharField(
        max_length=64,
        blank=True,
        help_text="Of a payment that came without an id: the same row read twice is one payment.",
    )
    created_at = models.DateTimeField(auto_now_add=True)

    objects = TransactionQuerySet.as_manager()

    class Meta:
        indexes = [
            # Revenue by day, and the list, newest first.
            models.Index(fields=["creator", "-occurred_at", "-id"], name="transaction_list"),
            # Revenue, read from the index alone: every column that a sum of a period needs.
            models.Index(
                fields=["creator", "occurred_at", "currency", "kind", "amount_cents", "net_cents", "campaign"],
                name="transaction_figures",
            ),
            # What did this fan pay?
            models.Index(fields=["fan", "-occurred_at", "-id"], name="transaction_of_fan"),
            # What did this campaign earn?
            models.Index(fields=["campaign"], condition=Q(campaign__isnull=False), name="transaction_of_campaign"),
        ]
        constraints = [
            models.UniqueConstraint(
                fields=["creator", "platform_id"],
                condition=~Q(platform_id=""),
                name="transaction_once_per_platform_id",
            ),
            models.UniqueConstraint(
                fields=["creator", "fingerprint"],
                condition=~Q(fingerprint=""),
                name="transaction_once_per_fingerprint",
            ),
            models.UniqueConstraint(
                fields=["creator", "event_key"], condition=~Q(event_key=""), name="transaction_once_per_event_key"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.get_kind_display()} · {self.public_id}"

    def learn(self, payment: Payment) -> bool:
        """Fill in what this telling of the same payment knows beyond the others; False when it is nothing."""
        told: dict[str, Any] = {name: getattr(payment, name) for name in (*IDENTITIES, "fee_cents", "net_cents")}
        told |= {"description": payment.description[: self.DESCRIPTION_MAX], **_links_of(payment)}
        news = {name: value for name, value in told.items() if value and not getattr(self, name)}
        if self.kind == self.Kind.OTHER != payment.kind:
            news["kind"] = payment.kind
        for name, value in news.items():
            setattr(self, name, value)
        return bool(news)

    def pays_for(self, message: Message) -> None:
        """This is the message that was bought: it came to be known later than the payment."""
        told = {name: getattr(self, name) for name in ("kind", "amount_cents", "occurred_at", "source", "currency")}
        names = {name: getattr(self, name) for name in IDENTITIES}
        Transaction.objects.record(self.creator, [Payment(message=message, **told, **names)])


#: What a payment belongs to.
_LINKS = ("fan", "message", "campaign")


def _links_of(payment: Payment) -> dict[str, Any]:
    """By column, so that nothing is fetched."""
    message = payment.message
    return {
        "fan_id": payment.fan.pk if payment.fan else None,
        "message_id": message.pk if message else None,
        "campaign_id": message.campaign_id if message else None,
    }


class _Book:
    """The payments that are known and could be meant, and those that were not."""

    def __init__(self, creator: Creator, payments: Sequence[Payment], within: timedelta) -> None:
        self.creator = creator
        self.within = within
        self.new: list[Transaction] = []
        self._changed: dict[int, Transaction] = {}
        self._by_identity: dict[tuple[str, str], Transaction] = {}
        self._alike: dict[tuple[Any, ...], list[Transaction]] = defaultdict(list)
        for row in self._read(payments):
            self._index(row)
            self._alike[row.fan_id, row.amount_cents, row.currency].append(row)

    @property
    def changed(self) -> "list[Transaction]":
        return list(self._changed.values())

    def enter(self, payment: Payment) -> "tuple[Transaction, bool]":
        """The payment's row, and whether nobody had told of it before."""
        row = self._find(payment)
        if row is None:
            row = self._row_of(payment)
            self.new.append(row)
            self._index(row)
            self._alike[row.fan_id, row.amount_cents, row.currency].append(row)
            return row, True
        if row.learn(payment):
            self._index(row)
            if row.pk:
                self._changed[row.pk] = row
        return row, False

    def _index(self, row: "Transaction") -> None:
        self._by_identity |= {(name, value): row for name in IDENTITIES if (value := getattr(row, name))}

    def _read(self, payments: Sequence[Payment]) -> "list[Transaction]":
        if not payments:
            return []
        moments = [payment.occurred_at for payment in payments]
        near = Q(occurred_at__gte=min(moments) - self.within, occurred_at__lte=max(moments) + self.within)
        wanted = [near & Q(fan_id__in={payment.fan.pk for payment in payments if payment.fan})]
        told = {name: {getattr(payment, name) for payment in payments} - {""} for name in IDENTITIES}
        wanted += [Q(**{f"{name}__in": values}) for name, values in told.items() if values]
        known = Transaction.objects.filter(creator=self.creator)
        # One query each: a condition that joined them could use none of their indexes.
        rows = {row.pk: row for condition in wanted for row in known.filter(condition)}
        return sorted(rows.values(), key=lambda row: row.pk)

    def _find(self, payment: Payment) -> "Transaction | None":
        told = {name: value for name in IDENTITIES if (value := getattr(payment, name))}
        if not told:
            raise ValueError("A payment needs an identity: without one it could never be told from its own copy.")
        for identity in told.items():
            if identity in self._by_identity:
                return self._by_identity[identity]
        if payment.fan is None:
            return None
        alike = self._alike[payment.fan.pk, payment.amount_cents, payment.currency or self.creator.currency]
        nameless = [row for row in alike if self._may_be(row, payment) and not any(getattr(row, n) for n in told)]
        return min(nameless, key=lambda row: abs(row.occurred_at - payment.occurred_at), default=None)

    def _may_be(self, row: "Transaction", payment: Payment) -> bool:
        same_kind = row.kind == payment.kind or Transaction.Kind.OTHER in (row.kind, payment.kind)
        return same_kind and abs(row.occurred_at - payment.occurred_at) <= self.within

    def _row_of(self, payment: Payment) -> "Transaction":
        return Transaction(
            creator=self.creator,
            kind=payment.kind,
            amount_cents=payment.amount_cents,
            fee_cents=payment.fee_cents,
            net_cents=payment.net_cents,
            currency=payment.currency or self.creator.currency,
            description=payment.description[: Transaction.DESCRIPTION_MAX],
            occurred_at=payment.occurred_at,
            source=payment.source,
            **{name: getattr(payment, name) for name in IDENTITIES},
            **_links_of(payment),
        )


def _mark_bought(rows: "Iterable[Transaction]", seq: int) -> None:
    """The messages that these payments unlocked, each at its first."""
    for row in rows:
        if row.message_id and row.kind == Transaction.Kind.MESSAGE and row.amount_cents > 0:
            Message.objects.filter(pk=row.message_id, purchased_at__isnull=True).update(
                purchased_at=row.occurred_at, seq=seq
            )


class SubscriptionEventQuerySet(models.QuerySet["SubscriptionEvent"]):
    def record(
        self,
        fan: Fan,
        kind: str,
        *,
        occurred_at: datetime,
        price_cents: int | None = None,
        ends_at: datetime | None = None,
        platform_id: str = "",
    ) -> "tuple[SubscriptionEvent, bool]":
        """Write one turn of a fan's subscription once; the answer is (row, is new).

        What the fan's subscription is now follows from the latest turn, whatever the order in which they are told.
        """
        with transaction.atomic():
            seq = Line.objects.stamp(fan.creator_id)
            same = Q(occurred_at=occurred_at) | (Q(platform_id=platform_id) & ~Q(platform_id=""))
            known = self.filter(same, fan=fan, kind=kind).first()
            if known:
                transaction.set_rollback(True)
                return known, False
            event = self.create(
                creator_id=fan.creator_id,
                fan=fan,
                kind=kind,
                occurred_at=occurred_at,
                price_cents=price_cents,
                platform_id=platform_id,
            )
            Day.objects.forget(fan.creator_id, [occurred_at])
            ended = kind == SubscriptionEvent.Kind.EXPIRED
            this_fan = Fan.objects.filter(pk=fan.pk)
            this_fan.learn_subscription(
                Subscription.EXPIRED if ended else Subscription.ACTIVE,
                as_of=occurred_at,
                price_cents=price_cents,
                ends_at=occurred_at if ended else ends_at,
            )
            if not ended:
                this_fan.joined(occurred_at)
            Conversation.objects.filter(fan=fan).update(seq=seq)
        return event, True


class SubscriptionEvent(models.Model):
    """A subscription began, went on or ended: who came and who left is counted from these rows."""

    class Kind(models.TextChoices):
        STARTED = "started", _("Subscribed")
        RENEWED = "renewed", _("Renewed")
        EXPIRED = "expired", _("Expired")

    creator = models.ForeignKey(Creator, on_delete=models.CASCADE, related_name="subscription_events")
    # Who came and who left stays counted when the person is erased.
    fan = models.ForeignKey(Fan, on_delete=models.SET_NULL, null=True, blank=True, related_name="subscription_events")
    kind = models.CharField(max_length=8, choices=Kind)
    occurred_at = models.DateTimeField()
    price_cents = models.PositiveIntegerField(null=True, blank=True)
    platform_id = models.CharField(max_length=64, blank=True)
    created_at = models.DateTimeField(auto_now_add=True)

    objects = SubscriptionEventQuerySet.as_manager()

    class Meta:
        indexes = [
            # The list, newest first.
            models.Index(fields=["creator", "-occurred_at", "-id"], name="subscription_event_latest"),
            # Who came and who left, by day?
            models.Index(fields=["creator", "kind", "occurred_at"], name="subscription_event_list"),
            models.Index(fields=["fan", "-occurred_at"], name="subscription_event_of_fan"),
        ]
        constraints = [
            # The platform tells the same event again; the moment is part of it.
            models.UniqueConstraint(fields=["fan", "kind", "occurred_at"], name="subscription_event_once"),
        ]

    def __str__(self) -> str:
        return f"{self.fan} · {self.get_kind_display()}"
