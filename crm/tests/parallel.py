"""Several requests at the same moment, each in a thread and on a connection of its own."""

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from django.db import connection

Answer = TypeVar("Answer")


def at_once(call: Callable[[], Answer], times: int) -> list[Answer]:
    """What ``call`` answered each of them. Use it with ``django_db(transaction=True)``."""
    together = threading.Barrier(times)

    def one() -> Answer:
        together.wait()
        try:
            return call()
        finally:
            connection.close()

    with ThreadPoolExecutor(times) as pool:
        return [answer.result() for answer in [pool.submit(one) for _number in range(times)]]
