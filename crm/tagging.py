"""Tags on many fans at once, in one statement however many there are."""

from django.core.exceptions import ValidationError
from django.db import connection, transaction
from django.db.models import Count, Exists, OuterRef, QuerySet, Value
from django.utils.translation import gettext as _

from crm.clock import database_now
from crm.models import Conversation, Creator, Fan, FanTag, Line, Tag
from crm.numbers import grouped

#: As many as a campaign may have.
FANS_MAX = 100_000


def put_on_all(tag: Tag, fans: QuerySet[Fan]) -> int:
    """All of ``fans``, the tag's creator's, have it; the answer is how many did not. Raises ValidationError."""
    with transaction.atomic():
        seq = Line.objects.stamp(tag.creator_id)
        without = fans.exclude(Exists(FanTag.objects.filter(tag=tag, fan=OuterRef("pk"))))
        how_many = _counted(without)
        others = FanTag.objects.filter(fan__in=without.order_by().values("pk")).values("fan")
        if others.annotate(how_many=Count("pk")).filter(how_many__gte=Tag.PER_FAN_MAX).exists():
            raise ValidationError({"tags": _("At most %(max)d tags on one fan.") % {"max": Tag.PER_FAN_MAX}})
        # Before: a fan with the tag may not be among ``fans`` any more.
        _tell(without, seq)
        chosen = without.annotate(the_tag=Value(tag.pk), now=Value(database_now()))
        select, values = chosen.order_by("pk").values_list("pk", "the_tag", "now").query.sql_with_params()
        table = connection.ops.quote_name(FanTag._meta.db_table)
        with connection.cursor() as cursor:
            # The names are the model's own; every value is a parameter.
            cursor.execute(f"INSERT INTO {table} (fan_id, tag_id, created_at) {select}", values)
    return how_many


def put_on_fans_of(conversations: QuerySet[Conversation], *, name: str) -> int:
    """The tag of this name, which is there afterwards, on the fans of all of these; of each creator their own.

    The answer is how many fans did not have it. Raises ValidationError by "tags", and has then changed nothing.
    """
    if not name.strip():
        raise ValidationError({"tags": _("Name the tag.")})
    how_many = 0
    with transaction.atomic():
        for creator in Creator.objects.filter(pk__in=conversations.order_by().values("creator")).order_by("pk"):
            [tag] = Tag.objects.named(creator, [name])
            fans = Fan.objects.filter(pk__in=conversations.filter(creator=creator).order_by().values("fan"))
            how_many += put_on_all(tag, fans)
    return how_many


def take_off_all(tag: Tag, fans: QuerySet[Fan]) -> int:
    """None of ``fans`` has the tag; the answer is how many had it. Raises ValidationError."""
    with transaction.atomic():
        seq = Line.objects.stamp(tag.creator_id)
        wearing = fans.filter(Exists(FanTag.objects.filter(tag=tag, fan=OuterRef("pk"))))
        how_many = _counted(wearing)
        _tell(wearing, seq)
        FanTag.objects.filter(tag=tag, fan__in=wearing.order_by().values("pk")).delete()
    return how_many


def _counted(fans: QuerySet[Fan]) -> int:
    how_many = fans.order_by()[: FANS_MAX + 1].count()
    if how_many > FANS_MAX:
        raise ValidationError({"fans": _("At most %(max)s fans at once.") % {"max": grouped(FANS_MAX)}})
    return how_many


def _tell(fans: QuerySet[Fan], seq: int) -> None:
    """Their conversations show the tags."""
    Conversation.objects.filter(fan__in=fans.order_by().values("pk")).update(seq=seq)
