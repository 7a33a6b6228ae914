"""Who may sign in and how often they may try, for pages, admin and API alike."""

from typing import Any

from django.contrib.auth.backends import ModelBackend
from django.core.exceptions import ValidationError
from django.http import HttpRequest
from django.utils.translation import ngettext

from crm.models import SignInBucket, User
from ratelimit.throttles import SignInAttempt, TooManyRequests


class TooManyAttempts(ValidationError):
    """For forms, which show its words; ``cause`` is what the API answers."""

    def __init__(self, cause: TooManyRequests) -> None:
        self.cause = cause
        words = ngettext(
            "That was too often. Please try again in %(seconds)d second.",
            "That was too often. Please try again in %(seconds)d seconds.",
            cause.wait,
        )
        super().__init__(words, code="throttled", params={"seconds": cause.wait})


class SignInBackend(ModelBackend):
    """Asked at the sign-in and with every request of a session."""

    def authenticate(
        self, request: HttpRequest | None, username: str | None = None, password: str | None = None, **kwargs: Any
    ) -> User | None:
        """Raises TooManyAttempts, whatever the password is."""
        if request is None or username is None:
            return super().authenticate(request, username, password, **kwargs)
        try:
            attempt = SignInAttempt(request, username, memory=SignInBucket.objects)
        except TooManyRequests as refused:
            raise TooManyAttempts(refused) from refused
        user: User | None = super().authenticate(request, username, password, **kwargs)
        if user is not None:
            attempt.succeeded()
        return user

    def user_can_authenticate(self, user: Any) -> bool:
        return isinstance(user, User) and user.may_sign_in
