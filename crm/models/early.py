"""What the platform told of a message before the message itself was here."""

from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Self

from django.db import models
from django.utils.translation import gettext_lazy as _

from crm.clock import database_now
from crm.models.creators import Creator
from crm.prepared import Given, Prepared

if TYPE_CHECKING:
    from crm.models.messages import Message
    from crm.models.transactions import Transaction

#: Readings and the search for open outcomes have long found a message by then, if there is one.
KEPT_FOR = timedelta(days=30)


class EarlyNewsQuerySet(models.QuerySet["EarlyNews"]):
    def expired(self, now: datetime) -> Self:
        return self.filter(told_at__lt=now - KEPT_FOR)

    def keep(
        self,
        creator: Creator,
        platform_id: str,
        *,
        deleted_at: datetime | None = None,
        payment: "Transaction | None" = None,
    ) -> None:
        """The message of this id was deleted, or bought, and nobody here knows it yet.

        The creator's line must be locked since before the message was looked for, or it may come in between.
        """
        news, _is_first = self.get_or_create(creator=creator, platform_id=platform_id)
        news.deleted_at, news.payment = news.deleted_at or deleted_at, news.payment or payment
        news.save(update_fields=["deleted_at", "payment"])

    def come_true(self, message: "Message", platform_id: str) -> None:
        """The platform's id of this message is known now: whatever was told of it before holds."""
        for news in _TOLD(creator_id=message.creator_id, platform_id=platform_id):
            if news.payment:
                news.payment.pays_for(message)
            if news.deleted_at:
                message.disappear(at=news.deleted_at)
            news.delete()


class EarlyNews(models.Model):
    """Events come in any order: that a message was deleted, or bought, may be told before it was received or sent."""

    creator = models.ForeignKey(Creator, on_delete=models.CASCADE, related_name="+", db_index=False)
    platform_id = models.CharField(max_length=64, help_text=_("The message's id at the platform."))
    deleted_at = models.DateTimeField(null=True, blank=True)
    payment = models.ForeignKey("crm.Transaction", on_delete=models.CASCADE, null=True, blank=True, related_name="+")
    told_at = models.DateTimeField(default=database_now)

    objects = EarlyNewsQuerySet.as_manager()

    class Meta:
        verbose_name_plural = _("early news")
        indexes = [models.Index(fields=["told_at"], name="early_news_expires")]
        constraints = [models.UniqueConstraint(fields=["creator", "platform_id"], name="early_news_once_per_message")]

    def __str__(self) -> str:
        return self.platform_id


# Asked for every message that was sent.
_TOLD: Prepared[EarlyNews] = Prepared(
    lambda: EarlyNews.objects.filter(creator_id=Given("creator_id"), platform_id=Given("platform_id"))
)
