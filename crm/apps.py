from django.apps import AppConfig


class CrmConfig(AppConfig):
    """The ledger: what was said, to whom, in what state."""

    default_auto_field = "django.db.models.BigAutoField"
    name = "crm"
    verbose_name = "CRM"
