"""What the tests of a message's way do again and again."""

import time
from collections.abc import Callable

from crm.models import Creator, Line, Message
from onlyfans import delivery, handing_over
from onlyfans.tests.conftest import Basket


def dispatch_and_work(basket: Basket) -> None:
    handing_over.hand_over(basket.carry)
    basket.work(delivery.deliver)


def let_the_line_go(creator: Creator) -> None:
    """As if the time of the hold had passed; the bucket stays as it is."""
    Line.objects.filter(creator=creator).update(hold_until=None)


def poll(act: Callable[[], None], *, until: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 5
    while not until():
        assert time.monotonic() < deadline
        act()


def state_of(message: Message) -> tuple[str, str]:
    message.refresh_from_db()
    return message.status, message.cause_code


def line_of(creator: Creator) -> Line:
    return Line.objects.get(creator=creator)
