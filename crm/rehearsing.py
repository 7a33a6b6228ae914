"""A campaign's message sent to a few fans beforehand, to see it as they do.

It goes the way of every direct message and is marked as a test. It belongs to no campaign: it is in no tally, and who
got it is still a recipient.
"""

import uuid
from collections.abc import Sequence
from typing import TYPE_CHECKING

from django.core.exceptions import ValidationError
from django.db import transaction
from django.utils.translation import gettext as _

from crm import personalising
from crm.models import Campaign, Conversation, Fan, Message

if TYPE_CHECKING:
    from crm.models import User

FANS_MAX = 10
MARK = "TEST · "


def rehearse(
    campaign: Campaign, fans: Sequence[Fan], *, author: "User | None", key: uuid.UUID | None = None
) -> list[Message]:
    """Send it to all of ``fans`` now, or to none of them. The same ``key`` twice sends once.

    Raises ValidationError by field: ``fans``, or what is wrong with the message.
    """
    if not 1 <= len(fans) <= FANS_MAX:
        raise ValidationError({"fans": [_("A test goes to 1 to %(max)d fans.") % {"max": FANS_MAX}]})
    if refused := [fan.display_name for fan in fans if not fan.is_reachable or fan.is_blocked]:
        raise ValidationError(
            {"fans": [_("Blocked, or without a platform id yet: %(ids)s") % {"ids": ", ".join(refused)}]}
        )
    with transaction.atomic():
        return [_send(campaign, fan, author=author, key=key) for fan in fans]


def _send(campaign: Campaign, fan: Fan, *, author: "User | None", key: uuid.UUID | None) -> Message:
    return Conversation.objects.with_fan(fan).queue(
        text=personalising.render(MARK + campaign.text, fan),
        author=author,
        price_cents=campaign.price_cents,
        media_urls=campaign.media_urls,
        client_key=uuid.uuid5(key, str(fan.public_id)) if key else None,
    )
