"""The line at a glance, for an operator at three in the morning."""

import json
from datetime import datetime
from typing import Any

from django.core.management.base import BaseCommand, CommandParser
from django.core.serializers.json import DjangoJSONEncoder
from django.db.models import Count, Min, Q

from crm.clock import database_now
from crm.models import Dispatch, Line
from crm.models.messages import FOR_A_PERSON, IN_FLIGHT, Status
from onlyfans.queue import QueueUnavailable, figures


class Command(BaseCommand):
    help = "Show the queue's figures, asked of SQS now, and every creator's line. Exit code 1 when something is wrong."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--json", action="store_true", help="One JSON object instead of a table.")

    def handle(self, *args: Any, **options: Any) -> None:
        now = database_now()
        report: dict[str, Any] = {"at": now, "queue": _queue(), "dispatch": _dispatch(now), "lines": _lines()}
        if options["json"]:
            self.stdout.write(json.dumps(report, cls=DjangoJSONEncoder))
        else:
            self.stdout.write(_table(report))
        if report["queue"]["trouble"] or report["dispatch"]["trouble"]:
            raise SystemExit(1)


def _queue() -> dict[str, Any]:
    try:
        seen = figures()
    except QueueUnavailable as error:
        return {"depth": None, "inFlight": None, "dlq": None, "trouble": str(error)}
    return {"depth": seen.depth, "inFlight": seen.in_flight, "dlq": seen.dlq, "trouble": ""}


def _dispatch(now: datetime) -> dict[str, Any]:
    row = Dispatch.current()
    trouble = row.stopped_reason or ("dispatch is not running" if row.is_silent(now) else "") or row.gate_trouble
    return {"heartbeatAt": row.heartbeat_at, "stoppedAt": row.stopped_at, "trouble": trouble}


def _lines() -> list[dict[str, Any]]:
    def count(**conditions: Any) -> Count:
        return Count("creator__messages", filter=Q(**{f"creator__messages__{k}": v for k, v in conditions.items()}))

    lines = Line.objects.select_related("creator").annotate(
        waiting=count(status=Status.QUEUED),
        in_flight=count(status__in=IN_FLIGHT),
        for_a_person=count(status__in=FOR_A_PERSON),
        oldest=Min("creator__messages__due_at", filter=Q(creator__messages__status=Status.QUEUED)),
    )
    return [
        {
            "creator": line.creator.name,
            "waiting": line.waiting,
            "inFlight": line.in_flight,
            "forAPerson": line.for_a_person,
            "oldestDueAt": line.oldest,
            "holdUntil": line.hold_until,
            "holdCause": line.hold_cause,
            "paused": line.paused_reason,
        }
        for line in lines.order_by("creator__name")
    ]


def _table(report: dict[str, Any]) -> str:
    queue, dispatch = report["queue"], report["dispatch"]
    rows = [
        f"{'creator':<28}{'waiting':>8}{'in flight':>10}{'for a person':>14}  oldest due            waits for",
        *(
            f"{line['creator'][:27]:<28}{line['waiting']:>8}{line['inFlight']:>10}{line['forAPerson']:>14}"
            f"  {_moment(line['oldestDueAt']):<20}  {line['paused'] or line['holdCause']}"
            for line in report["lines"]
        ),
    ]
    figures_line = queue["trouble"] or f"{queue['depth']} waiting, {queue['inFlight']} in flight, {queue['dlq']} dead"
    return "\n".join(
        [
            f"SQS       {figures_line}",
            f"dispatch  {dispatch['trouble'] or 'running'} (last heartbeat {_moment(dispatch['heartbeatAt'])})",
            "",
            *rows,
        ]
    )


def _moment(moment: datetime | None) -> str:
    return f"{moment:%Y-%m-%d %H:%M:%S}" if moment else "never"
