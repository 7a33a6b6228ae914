"""The database, made ready before anything starts: one Django for migrations and the demo."""

import os
from datetime import datetime

import django


def prepare_database() -> datetime:
    """Migrate, and seed the demo when there is no creator at all. Returns the database's time."""
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "huntaze.settings")
    django.setup()
    # Models can be imported only now.
    from django.core.management import call_command
    from django.db import connection
    from django.db.migrations.executor import MigrationExecutor

    from crm.clock import database_now
    from crm.models import Creator

    executor = MigrationExecutor(connection)
    if executor.migration_plan(executor.loader.graph.leaf_nodes()):
        call_command("migrate", interactive=False, verbosity=0)
    if not Creator.objects.exists():
        call_command("seed_demo", verbosity=0)
    now = database_now()
    connection.close()
    return now
