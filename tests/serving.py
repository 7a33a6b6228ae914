"""A database of its own and a server over it, for tools that look at the product from outside of pytest."""

import base64
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager

from django.core.management import call_command
from django.test import Client
from django.test.testcases import LiveServerThread, _StaticFilesHandler

from huntaze.laptop.environment import free_ports


@contextmanager
def environment(database: str = "") -> Iterator[None]:
    """Django with an empty database: ``database`` is its address, else an SQLite file that goes afterwards."""
    import django

    with tempfile.TemporaryDirectory(prefix="huntaze-tool-") as home:
        os.environ |= {
            "DJANGO_SETTINGS_MODULE": "huntaze.settings",
            "HUNTAZE_HOME": home,
            "DATABASE_URL": database or f"sqlite:///{home}/huntaze.sqlite3",
            "DEBUG": "1",
            "ALLOWED_HOSTS": "127.0.0.1,testserver",
            "SECRET_KEY": "tool-" + 10 * "secret-",
            "HUNTAZE_KEYRING": "tool:" + base64.b64encode(32 * b"k").decode(),
            # Playwright keeps an event loop in this thread.
            "DJANGO_ALLOW_ASYNC_UNSAFE": "1",
            "LOG_LEVEL": "ERROR",
            # Not the one that may run on this machine.
            "REDIS_ENDPOINT": f"127.0.0.1:{free_ports(1)[0]}",
        }
        django.setup()
        call_command("migrate", verbosity=0)
        yield


@contextmanager
def served() -> Iterator[str]:
    """The product at an address of this machine, its static files with it."""
    server = LiveServerThread("127.0.0.1", _StaticFilesHandler)
    server.daemon = True
    server.start()
    server.is_ready.wait()
    yield f"http://127.0.0.1:{server.port}"
    server.terminate()


def session_of(client: Client, address: str) -> dict[str, str]:
    """The cookie that signs a browser in as the one whom ``client`` is."""
    return {"name": "sessionid", "value": client.cookies["sessionid"].value, "url": address}
