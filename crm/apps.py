from django.apps import AppConfig
from django.core.checks import register
from django.db.models.signals import post_migrate

from crm import checks, searching


class CrmConfig(AppConfig):
    """The ledger: what was said, to whom, in what state."""

    default_auto_field = "django.db.models.BigAutoField"
    name = "crm"
    verbose_name = "CRM"

    def ready(self) -> None:
        register(checks.pace_can_be_read)
        register(checks.tokens_have_a_key_of_their_own)
        register(checks.sqlite_is_new_enough)
        post_migrate.connect(searching.keep_words_indexed, sender=self)
