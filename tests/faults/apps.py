"""Waits cut short, so that a process under test recovers in seconds; and a mutant, if one is asked for."""

import os
from datetime import timedelta
from importlib import import_module

from django.apps import AppConfig

#: What is a setting is set by the stage; these are constants. Every one keeps its proportion to the others.
SHORTER = {
    "onlyfans.delivery.WORKER_LEASE": timedelta(seconds=3),
    "onlyfans.delivery.SENDING_SLACK": timedelta(seconds=1),
    "onlyfans.sweeping.ATTEMPTS_MAX": 3,
    "onlyfans.delivery.RECONCILE_FIRST": timedelta(seconds=0.5),
    "onlyfans.errands.LEASE": timedelta(seconds=6),
    "onlyfans.breaker.UNKNOWN_WAIT_MAX": timedelta(seconds=3),
    "onlyfans.reconciling.AGAIN_FIRST": timedelta(seconds=1),
    "onlyfans.reconciling.AGAIN_MAX": timedelta(seconds=5),
}


class FaultsConfig(AppConfig):
    name = "tests.faults"

    def ready(self) -> None:
        for path, value in SHORTER.items():
            module, _dot, name = path.rpartition(".")
            assert hasattr(import_module(module), name), f"{path} has moved"
            setattr(import_module(module), name, value)
        if mutant := os.environ.get("FAULTS_MUTANT"):
            # Models can be imported only now.
            import_module("tests.faults.mutations").MUTATIONS[mutant]()
