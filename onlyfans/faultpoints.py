"""Points on a message's way at which the tests may let a process die; everywhere else they are nothing.

No variable switches them on. Only the settings module of tests/faults/ has ``ON_FAULT_POINT``, and the checks refuse to
start anything real with such settings.
"""

from django.conf import settings


def reached(point: str) -> None:
    """Say that this point was reached to whoever the settings name: in production nobody."""
    if on_fault_point := getattr(settings, "ON_FAULT_POINT", None):
        on_fault_point(point)
