"""The line at a glance, for an operator at three in the morning."""

from datetime import datetime
from typing import Any

from django.conf import settings
from django.db.models import Count, Min, Q

from crm.clock import database_now
from crm.management.operating import Answer, OperatorCommand, moment, table
from crm.models import Dispatch, Line, Worker
from crm.models.messages import FOR_A_PERSON, IN_FLIGHT, Status
from onlyfans.queue import QueueUnavailable, figures


class Command(OperatorCommand):
    help = "Show the queue's figures, asked of SQS now, and every creator's line."
    examples = ("", "--json")
    fails_when = "SQS or Redis is out of reach, no worker listens, dispatch is not running, or all sending is stopped"

    def answer(self, **_options: Any) -> Answer:
        now = database_now()
        report: dict[str, Any] = {
            "at": now,
            "queue": _queue(),
            "workers": _workers(now),
            "dispatch": _dispatch(now),
            "lines": _lines(now),
        }
        dispatch = report["dispatch"]
        trouble = report["queue"]["trouble"] or report["workers"]["trouble"] or dispatch["rateLimiterTrouble"]
        is_well = dispatch["running"] and not trouble and not dispatch["stoppedAt"]
        return Answer(report, _table(report), is_well)


def _queue() -> dict[str, Any]:
    if not settings.RATE_LIMITER_ENABLED:
        return {"depth": None, "inFlight": None, "dlq": None, "trouble": ""}
    try:
        seen = figures()
    except QueueUnavailable as error:
        return {"depth": None, "inFlight": None, "dlq": None, "trouble": str(error)}
    return {"depth": seen.depth, "inFlight": seen.in_flight, "dlq": seen.dlq, "trouble": ""}


def _workers(now: datetime) -> dict[str, Any]:
    if not settings.RATE_LIMITER_ENABLED:
        return {"alive": None, "trouble": ""}
    return {"alive": Worker.objects.alive(now).count(), "trouble": Worker.trouble(now)}


def _dispatch(now: datetime) -> dict[str, Any]:
    row = Dispatch.current()
    return {
        "running": not row.is_silent(now),
        "heartbeatAt": row.heartbeat_at,
        "stoppedAt": row.stopped_at,
        "stoppedReason": row.stopped_reason,
        "rateLimiterTrouble": row.gate_trouble,
        "warnings": row.warnings,
    }


def _lines(now: datetime) -> list[dict[str, Any]]:
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
            "waitsFor": _waits_for(line, now) if line.waiting else "",
            "paused": line.paused_reason,
        }
        for line in lines.order_by("creator__name")
    ]


def _waits_for(line: Line, now: datetime) -> str:
    if line.paused_at:
        return f"PAUSED: {line.paused_reason}"
    held = line.hold_until is not None and line.hold_until > now
    return line.get_hold_cause_display() if held else ""


def _table(report: dict[str, Any]) -> list[str]:
    headings = ("creator", "waiting", "in flight", "for a person", "oldest due (UTC)", "waits for")
    rows = [
        (
            line["creator"][:28],
            line["waiting"],
            line["inFlight"],
            line["forAPerson"],
            moment(line["oldestDueAt"]),
            line["waitsFor"],
        )
        for line in report["lines"]
    ]
    return [*_heading(report["queue"], report["workers"], report["dispatch"]), "", *table(headings, rows)]


def _heading(queue: dict[str, Any], workers: dict[str, Any], dispatch: dict[str, Any]) -> list[str]:
    """What holds everybody, each on its own line, with what to do about it."""
    heartbeat = f"{moment(dispatch['heartbeatAt'])} UTC" if dispatch["heartbeatAt"] else "never"
    if not settings.RATE_LIMITER_ENABLED:
        figures_line = "not used: RATE_LIMITER_ENABLED is off, messages are written to the log"
    else:
        figures_line = f"{queue['depth']} waiting, {queue['inFlight']} in flight, {queue['dlq']} dead"
    redis = "answers" if dispatch["running"] else "not known: dispatch is the one that asks it"
    lines = [
        f"SQS       {_out_of_reach(queue['trouble'].removeprefix('SQS: ')) or figures_line}",
        f"Redis     {_out_of_reach(dispatch['rateLimiterTrouble'].removeprefix('Redis: ')) or redis}",
        f"worker    {_worker_line(workers)}",
        f"dispatch  {'running' if dispatch['running'] else 'NOT RUNNING'} (last heartbeat {heartbeat})",
    ]
    if dispatch["stoppedAt"]:
        since = moment(dispatch["stoppedAt"])
        lines.append(f"sending   STOPPED since {since} UTC: {dispatch['stoppedReason']}")
        lines.append("          manage.py resume_sending lets it go on.")
    return [*lines, *(f"WARNING   {words}" for words in dispatch["warnings"].values())]


def _worker_line(workers: dict[str, Any]) -> str:
    if workers["alive"] is None:
        return "not used"
    return f"NOT LISTENING: {workers['trouble']}" if workers["trouble"] else f"{workers['alive']} alive"


def _out_of_reach(trouble: str) -> str:
    return f"OUT OF REACH: {trouble}" if trouble else ""
