"""The product's settings, read in an environment of the tests' own: nothing of this machine's reaches a test.

The servers are started at these addresses by the fixtures of tests/servers.py, when a test asks for them.
"""

import base64
import os
import tempfile
from pathlib import Path

from huntaze.laptop.environment import ADDRESSES, PAST_THE_STAND_IN, free_ports, stand_in_aws

THROTTLES = (
    "THROTTLE_WRITES",
    "THROTTLE_BULK",
    "THROTTLE_IMPORTS",
    "THROTTLE_ANONYMOUS",
    "THROTTLE_SIGN_IN_ACCOUNT",
    "THROTTLE_SIGN_IN_ADDRESS",
)
# Made and removed by conftest.py: mypy and others read settings too, and need no folder.
_home = Path(tempfile.gettempdir()) / f"huntaze-tests-{os.getpid()}"
_redis_port, _sqs_port = free_ports(2)

for _name in (*ADDRESSES, *PAST_THE_STAND_IN, "ALLOWED_HOSTS", "HUNTAZE_PACE", "RATE_LIMITER_ENABLED"):
    os.environ.pop(_name, None)
os.environ |= {
    "HUNTAZE_HOME": str(_home),
    "DEBUG": "1",
    "SECRET_KEY": "tests-" + 10 * "secret-",
    "JWT_SIGNING_KEY": "tests-" + 10 * "signing-",
    "HUNTAZE_KEYRING": "tests:" + base64.b64encode(32 * b"k").decode(),
    "DATABASE_URL": os.environ.get("TEST_DATABASE_URL") or f"sqlite:///{_home}/huntaze.sqlite3",
    "REDIS_ENDPOINT": f"127.0.0.1:{_redis_port}",
    **stand_in_aws("us-east-1", _sqs_port),
    # A test may not reach a provider, whatever it forgets to replace.
    "OFAPI_BASE_URL": "http://127.0.0.1:9/api",
    "OFAUTH_BASE_URL": "http://127.0.0.1:9",
    # Tests and journeys write faster than people; those of the throttles say which rates they mean.
    **dict.fromkeys(THROTTLES, ""),
    # A burst goes at once; those of the pace say what gap they mean.
    "HUNTAZE_BURST_GAP_SECONDS": "0",
    # pytest-playwright keeps an event loop in the main thread; Django would refuse every query beside it.
    "DJANGO_ALLOW_ASYNC_UNSAFE": "1",
}

from huntaze.settings import *  # noqa: E402, F403
from huntaze.settings import DATABASES  # noqa: E402

# A file, so that threads and processes of a test see one database with real locks.
if DATABASES["default"]["ENGINE"] == "django.db.backends.sqlite3":
    DATABASES["default"]["TEST"] = {"NAME": f"{_home}/tests.sqlite3"}
DATABASES["default"]["CONN_MAX_AGE"] = 0
STATIC_ROOT = _home
PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
