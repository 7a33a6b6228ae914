"""The product with one safeguard taken out, made inside a process under test. tests/faults/mutants.py says why."""

import uuid
from datetime import datetime
from typing import Any
from unittest.mock import patch

from crm.models import Line, Message


def no_sweeper() -> None:
    """Nobody looks for leases that ran out."""
    patch("onlyfans.sweeping.recall_strays", lambda *_args, **_kwargs: 0).start()


def no_compare_and_set() -> None:
    """Whoever comes second does it again: no move and no lease looks at what the row says by now."""
    patch.object(Message, "move", _move).start()
    patch.object(Message, "take_lease", _take_lease).start()


def _move(message: Message, to: str, *, provided: object = None, **changes: Any) -> bool:
    changes |= {"status": to, "seq": Line.objects.wake(message.creator_id, at=message.due_at)}
    _write(message, changes)
    return True


def _take_lease(message: Message, *, until: datetime) -> bool:
    _write(message, {"status": Message.Status.HANDED_OVER, "lease": uuid.uuid4(), "lease_until": until})
    return True


def _write(message: Message, changes: dict[str, Any]) -> None:
    Message.objects.filter(pk=message.pk).update(**changes)
    for name, value in changes.items():
        setattr(message, name, value)


MUTATIONS = {"no sweeper": no_sweeper, "no compare-and-set": no_compare_and_set}
