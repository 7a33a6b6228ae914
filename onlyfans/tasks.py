"""The worker's doors: each takes one id from SQS and makes one call. Unknown keywords come from newer versions."""

from typing import Any
from uuid import UUID

from celery import shared_task

from crm.correlation import correlated
from onlyfans import delivery, events, media, reconciling, sync


@shared_task
def deliver_message(*, public_id: str, correlation_id: str = "", **_newer: Any) -> None:
    with correlated(correlation_id):
        delivery.deliver(UUID(public_id))


@shared_task
def upload_media(*, public_id: str, correlation_id: str = "", **_newer: Any) -> None:
    with correlated(correlation_id):
        media.upload(UUID(public_id))


@shared_task
def reconcile_message(*, public_id: str, correlation_id: str = "", **_newer: Any) -> None:
    with correlated(correlation_id):
        reconciling.reconcile(UUID(public_id))


@shared_task
def read_event(*, public_id: str, correlation_id: str = "", **_newer: Any) -> None:
    with correlated(correlation_id):
        events.read(UUID(public_id))


@shared_task
def sync_account(*, public_id: str, correlation_id: str = "", **_newer: Any) -> None:
    with correlated(correlation_id):
        sync.read_next(UUID(public_id))
