from django.apps import AppConfig


class OnlyfansConfig(AppConfig):
    """The courier: takes what is due, asks the gate, speaks to the platform, writes the outcome."""

    default_auto_field = "django.db.models.BigAutoField"
    name = "onlyfans"
    verbose_name = "OnlyFans"
