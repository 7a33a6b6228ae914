"""The Celery application that the worker runs and dispatch publishes through."""

import os

from celery import Celery

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "huntaze.settings")

app = Celery("huntaze", fixups=["huntaze.fixup:fixup"])
app.config_from_object("django.conf:settings", namespace="CELERY")
app.autodiscover_tasks()
# By name: models can be imported only once the worker has set Django up.
app.steps["consumer"].add("onlyfans.heartbeats:Heartbeat")
