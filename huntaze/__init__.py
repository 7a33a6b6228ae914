"""Wiring only: settings, addresses, the Celery application."""

from huntaze.celery import app as celery_app

__all__ = ["celery_app"]
