"""The product's settings as processes under test run with them: production's, with fault points.

This is the only settings module that has them; the checks refuse it, and it says itself that it does not mind.
"""

from huntaze.settings import *  # noqa: F403
from huntaze.settings import INSTALLED_APPS as OURS
from huntaze.settings import STORAGES as STORES
from tests.faults.points import reached

INSTALLED_APPS = [*OURS, "tests.faults.apps.FaultsConfig"]
ON_FAULT_POINT = reached
SILENCED_SYSTEM_CHECKS = ["onlyfans.E004"]
# Nobody has collected the static files, and no test looks at them.
STORAGES = {**STORES, "staticfiles": {"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"}}
# Signing in is not what is under test, and a slow hash costs a second of both cores.
PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
