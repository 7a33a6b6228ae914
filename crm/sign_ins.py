"""Where somebody is signed in, by browser and by the API, and how to end it."""

from crm.clock import database_now
from crm.models import Session, TokenFamily, User


def end_all(user: User, *, but: str) -> int:
    """Sign ``user`` out everywhere, but in the browser whose session key is ``but``; the answer is out of how many."""
    now = database_now()
    ended, _rows = Session.objects.of(user, now).exclude(session_key=but).delete()
    families = TokenFamily.objects.alive(user, now)
    for family in families:
        family.finish(TokenFamily.End.SIGNED_OUT)
    return ended + len(families)


def end_session(user: User, public_id: str) -> bool:
    """End one browser's session of ``user``; False when there is none of that name."""
    for session in Session.objects.of(user, database_now()):
        if session.public_id == public_id:
            session.delete()
            return True
    return False
