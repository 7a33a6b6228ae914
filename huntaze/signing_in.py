"""Who may sign in, for pages, admin and API alike."""

from typing import Any

from django.contrib.auth.backends import ModelBackend

from crm.models import User


class SignInBackend(ModelBackend):
    """Asked at the sign-in and with every request of a session."""

    def user_can_authenticate(self, user: Any) -> bool:
        return isinstance(user, User) and user.may_sign_in


def may_use_the_api(user: User | None) -> bool:
    """simplejwt asks this for every token."""
    return user is not None and user.may_sign_in
