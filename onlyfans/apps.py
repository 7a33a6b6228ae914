from celery.signals import worker_init
from django.apps import AppConfig
from django.core.checks import register

from onlyfans import checks


class OnlyfansConfig(AppConfig):
    """The courier: takes what is due, asks the gate, speaks to the platform, writes the outcome."""

    default_auto_field = "django.db.models.BigAutoField"
    name = "onlyfans"
    verbose_name = "OnlyFans"

    def ready(self) -> None:
        for check in checks.ALL:
            register(check)
        # Commands run the checks by themselves, dispatch among them; a worker would only run them and not listen.
        worker_init.connect(checks.refuse_to_work)
