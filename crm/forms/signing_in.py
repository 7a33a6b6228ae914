"""The form of the sign-in page."""

from django.contrib.auth.forms import AuthenticationForm
from django.utils.translation import gettext_lazy as _


class SignInForm(AuthenticationForm):
    """One sentence for a wrong name and for a wrong password: nobody learns which accounts there are."""

    error_messages = {
        "invalid_login": _("No account goes with this name and password. Mind capital letters."),
        # For who may not sign in any more there is nothing else to read, either.
        "inactive": _("No account goes with this name and password. Mind capital letters."),
    }
