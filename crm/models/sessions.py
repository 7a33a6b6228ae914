"""Sign-ins by a browser. Django's own table does not say whose they are; this one does, so that a person can end them.

Settings name this module as SESSION_ENGINE.
"""

import hashlib
from datetime import datetime
from typing import Any, ClassVar, Self, cast

from django.contrib.auth import SESSION_KEY
from django.contrib.sessions.backends.db import SessionStore as DatabaseStore
from django.contrib.sessions.base_session import AbstractBaseSession, BaseSessionManager
from django.db import models
from django.utils.translation import gettext as _

from crm.clock import database_now
from crm.models.users import User

#: Under these names the session keeps what its row also says.
BROWSER, BEGAN = "browser", "began"
BROWSER_MAX = 300
#: How browsers and systems are known, the surest first: each one claims to be some of those behind it.
BROWSERS = (("Edg/", "Edge"), ("OPR/", "Opera"), ("Firefox/", "Firefox"), ("Chrome/", "Chrome"), ("Safari/", "Safari"))
SYSTEMS = (
    ("iPhone", "iPhone"),
    ("iPad", "iPad"),
    ("Android", "Android"),
    ("Windows", "Windows"),
    ("Mac OS X", "macOS"),
    ("Linux", "Linux"),
)


class SessionQuerySet(models.QuerySet["Session"]):
    def of(self, user: User, now: datetime) -> Self:
        """Those with which ``user`` is signed in, the newest first."""
        return self.filter(user=user, expire_date__gt=now).order_by("-began_at", "session_key")

    def expired(self, now: datetime) -> Self:
        return self.filter(expire_date__lt=now)


class Session(AbstractBaseSession):
    """One browser's session; ``user`` is null while nobody has signed in with it."""

    user = models.ForeignKey(User, on_delete=models.CASCADE, null=True, related_name="sessions")
    began_at = models.DateTimeField(default=database_now)
    browser = models.CharField(max_length=BROWSER_MAX, blank=True, help_text="What the browser called itself.")

    objects: ClassVar = BaseSessionManager.from_queryset(SessionQuerySet)()

    class Meta(AbstractBaseSession.Meta):
        abstract = False

    @classmethod
    def get_session_store_class(cls) -> "type[SessionStore]":
        return SessionStore

    @property
    def public_id(self) -> str:
        """Names the session on a page. The key itself would open it."""
        return hashlib.sha256(self.session_key.encode()).hexdigest()[:32]

    @property
    def device(self) -> str:
        """“Firefox, Windows”; what a browser says of itself is a claim, no more."""
        known = [next((name for sign, name in signs if sign in self.browser), "") for signs in (BROWSERS, SYSTEMS)]
        return ", ".join(filter(None, known)) or _("A browser")


class SessionStore(DatabaseStore):
    """Django's own, with a row that says whose session it is."""

    @classmethod
    def get_model_class(cls) -> type[Session]:
        return Session

    def create_model_instance(self, data: dict[str, Any]) -> Session:
        began = data.setdefault(BEGAN, database_now().isoformat())
        row = cast(Session, super().create_model_instance(data))
        row.user_id = int(data[SESSION_KEY]) if SESSION_KEY in data else None
        row.began_at = datetime.fromisoformat(began)
        row.browser = data.get(BROWSER, "")[:BROWSER_MAX]
        return row
