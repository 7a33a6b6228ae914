"""Run a stand-in for the platform on this machine; the package's docstring says what it speaks."""

import argparse
import asyncio
import os
import signal
from pathlib import Path
from typing import Any

import structlog
from django.conf import settings
from django.core.management.base import CommandError, CommandParser

from crm.management.operating import ExplainedCommand
from onlyfans.simulator.fans import Temper, Webhook
from onlyfans.simulator.server import Options, Simulator

DEFAULT_KEY = "simulated-key"

log = structlog.get_logger(__name__)


class Command(ExplainedCommand):
    help = "Run a stand-in for the platform until SIGTERM: it accepts messages, keeps a ledger, and fans answer."
    examples = ("", "--port 0 --gap 0 --reply-probability 0", "--reply-delay 1,3 --seed 7")
    fails_when = "it cannot listen there, or has no secret to sign with"
    is_a_process = True

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--host", default="127.0.0.1", help="where it listens (127.0.0.1)")
        parser.add_argument("--port", type=int, default=8900, help="0 takes any free port; the log says which")
        parser.add_argument(
            "--ledger",
            type=Path,
            default=settings.HUNTAZE_HOME / "simulator-ledger.jsonl",
            help="the file of what it accepted (simulator-ledger.jsonl in HUNTAZE_HOME)",
        )
        parser.add_argument(
            "--webhook-url",
            default=os.environ.get("SIMULATOR_WEBHOOK_URL", ""),
            help="where events go; {account} stands for the account's id; or SIMULATOR_WEBHOOK_URL",
        )
        parser.add_argument(
            "--webhook-secret", default="", help="better in SIMULATOR_WEBHOOK_SECRET: ps shows arguments"
        )
        parser.add_argument("--api-key", default="", help="better in SIMULATOR_API_KEY: ps shows arguments")
        parser.add_argument("--gap", type=float, default=3.0, help="seconds between two messages of one account")
        parser.add_argument(
            "--retry-after",
            action=argparse.BooleanOptionalAction,
            default=True,
            help="whether a refusal for being too fast says when to try again",
        )
        parser.add_argument(
            "--media-once",
            action="store_true",
            help="refuse a medium's second use, as the provider documents",
        )
        parser.add_argument("--reply-probability", type=float, default=0.35, help="0 switches answering off")
        parser.add_argument("--reply-delay", type=_span, default=(2.0, 6.0), metavar="MIN,MAX", help="seconds")
        parser.add_argument("--seed", type=int, help="the same seed gives the same answers")

    def handle(self, *args: Any, **options: Any) -> None:
        webhook = Webhook(
            url=options["webhook_url"],
            secret=options["webhook_secret"] or os.environ.get("SIMULATOR_WEBHOOK_SECRET", ""),
        )
        if webhook.url and not webhook.secret:
            raise CommandError("A webhook needs a secret to sign with: set SIMULATOR_WEBHOOK_SECRET.")
        simulator = Simulator(
            Options(
                ledger=options["ledger"],
                api_key=options["api_key"] or os.environ.get("SIMULATOR_API_KEY", DEFAULT_KEY),
                gap=options["gap"],
                retry_after=options["retry_after"],
                media_once=options["media_once"],
                webhook=webhook,
                temper=Temper(options["reply_probability"], options["reply_delay"]),
                seed=options["seed"],
            )
        )
        asyncio.run(_serve(simulator, options["host"], options["port"]))


async def _serve(simulator: Simulator, host: str, port: int) -> None:
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    try:
        url = await simulator.start(host, port)
    except OSError as error:
        raise CommandError(f"Cannot listen on {host}:{port}: {error.strerror}.") from None
    log.info("simulator listens", url=url, ledger=str(simulator.options.ledger))
    await stop.wait()
    await simulator.stop()
    log.info("simulator stopped")


def _span(text: str) -> tuple[float, float]:
    shortest, _comma, longest = text.partition(",")
    span = float(shortest), float(longest or shortest)
    if not 0 <= span[0] <= span[1]:
        raise ValueError(text)
    return span
