"""What people type to connect an account."""

from typing import Any

from django import forms
from django.core.exceptions import ValidationError
from django.http import QueryDict
from django.utils.translation import gettext_lazy as _

from crm.models import Creator, User
from onlyfans import connecting
from onlyfans.models import Connection, Provider

WAYS = (
    (Provider.OFAPI, _("onlyfansapi.com: it sends and reads for the account")),
    (Provider.OFAUTH, _("OFAuth: it sends and reads for the account")),
    (Provider.ASSISTED, _("By hand: a person sends what is due, without any provider")),
)


class SecretInput(forms.PasswordInput):
    """Never filled in by a browser: somebody's own password would silently replace what is stored."""

    def __init__(self) -> None:
        super().__init__(attrs={"autocomplete": "new-password"})


class ConnectForm(forms.Form):
    """Ends in ``connecting.connect``. Secrets go in and never come out: empty keeps the stored one."""

    provider = forms.ChoiceField(label=_("How messages leave"), choices=WAYS, widget=forms.RadioSelect)
    account_id = forms.CharField(
        label=_("Account id at the provider"),
        required=False,
        max_length=120,
        help_text=_("acct_… at onlyfansapi.com, conn_… at OFAuth."),
    )
    api_key = forms.CharField(label=_("API key"), required=False, max_length=500, widget=SecretInput)
    webhook_secret = forms.CharField(
        label=_("Webhook secret"),
        required=False,
        max_length=500,
        widget=SecretInput,
        help_text=_(
            "Only if the provider made one, as OFAuth does (whsec_…). Else make one below, once this is saved."
        ),
    )

    def __init__(self, creator: Creator, connection: Connection | None, data: QueryDict | None = None) -> None:
        said = {"provider": connection.provider, "account_id": connection.account_id} if connection else None
        super().__init__(data, initial=said or {"provider": Provider.OFAPI}, label_suffix="")
        self.creator, self.connection = creator, connection
        if connection and connection.sealed_api_key:
            self.fields["api_key"].help_text = _("One is stored. Empty keeps it; a new one replaces it.")
        else:
            self.fields["api_key"].help_text = _("From the provider's settings. Stored encrypted, never shown again.")

    def clean(self) -> dict[str, Any]:
        return {name: value.strip() for name, value in (super().clean() or {}).items()}

    def save(self, by: User) -> Connection | None:
        """The connection as it is now; None when something must be changed first: the errors say what."""
        if not self.is_valid():
            return None
        try:
            return connecting.connect(self.creator, **self.cleaned_data, by=by)
        except ValidationError as refusal:
            for field, errors in refusal.error_dict.items():
                self.add_error(field if field in self.fields else None, errors)
            return None
