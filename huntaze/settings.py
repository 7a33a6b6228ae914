"""Settings, top to bottom: core, database, pages, API, gate, queue, courier, watching.

Every value comes from the environment or from a file ``.env`` beside manage.py; ``.env.example`` lists them all.
"""

import os
from datetime import timedelta
from pathlib import Path
from typing import Any

import environ
import structlog
from csp.constants import NONE, SELF
from django.urls import reverse_lazy

env = environ.Env()
BASE_DIR = Path(__file__).resolve().parent.parent
environ.Env.read_env(BASE_DIR / ".env")
#: Where the embedded database and the laptop's data live.
HUNTAZE_HOME = Path(env("HUNTAZE_HOME", default=str(BASE_DIR / "var"))).resolve()
if "SECRET_KEY" not in os.environ:
    # What `make run` chose (addresses, generated secrets), so that manage.py in a second terminal meets the same parts.
    # Whoever has a configuration of their own, as in production, gets nothing from a laptop's leftovers.
    environ.Env.read_env(HUNTAZE_HOME / "laptop.env")

# --- Core

DEBUG = env.bool("DEBUG", False)
SECRET_KEY = env("SECRET_KEY", default="")
ALLOWED_HOSTS = env.list("ALLOWED_HOSTS", default=["localhost", "127.0.0.1", "[::1]"])
CSRF_TRUSTED_ORIGINS = env.list("CSRF_TRUSTED_ORIGINS", default=[])

INSTALLED_APPS = [
    "django.contrib.admin",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "whitenoise.runserver_nostatic",
    "django.contrib.staticfiles",
    "csp",
    "django_htmx",
    "template_partials",
    "rest_framework",
    "drf_spectacular",
    "drf_spectacular_sidecar",
    "drf_standardized_errors",
    "crm",
    "onlyfans",
]

MIDDLEWARE = [
    "huntaze.correlation.CorrelationMiddleware",
    # Before anything that redirects, or that minds by which name a load balancer calls us.
    "huntaze.health.HealthMiddleware",
    "django.middleware.security.SecurityMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "csp.middleware.CSPMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.locale.LocaleMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "django_htmx.middleware.HtmxMiddleware",
    "ratelimit.throttles.RateLimitFields",
    "huntaze.problems.MethodPageMiddleware",
]

ROOT_URLCONF = "huntaze.urls"
WSGI_APPLICATION = "huntaze.wsgi.application"
# Every address works with and without a trailing slash by its own pattern; a POST is never redirected.
APPEND_SLASH = False
AUTH_USER_MODEL = "crm.User"
#: Sessions that say whose they are: everybody sees and ends their own.
SESSION_ENGINE = "crm.models.sessions"
AUTHENTICATION_BACKENDS = ["huntaze.signing_in.SignInBackend"]
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

AUTH_PASSWORD_VALIDATORS = [
    {"NAME": f"django.contrib.auth.password_validation.{name}"}
    for name in (
        "UserAttributeSimilarityValidator",
        "MinimumLengthValidator",
        "CommonPasswordValidator",
        "NumericPasswordValidator",
    )
]

# Behind TLS, as in production; plain HTTP is for DEBUG and for the laptop.
HTTPS_ONLY = env.bool("HTTPS_ONLY", not DEBUG)
SECURE_SSL_REDIRECT = HTTPS_ONLY
SESSION_COOKIE_SECURE = HTTPS_ONLY
CSRF_COOKIE_SECURE = HTTPS_ONLY
SECURE_HSTS_SECONDS = 31_536_000 if HTTPS_ONLY else 0
SECURE_HSTS_INCLUDE_SUBDOMAINS = HTTPS_ONLY
SECURE_HSTS_PRELOAD = HTTPS_ONLY
BEHIND_TLS_PROXY = env.bool("BEHIND_TLS_PROXY", False)
if BEHIND_TLS_PROXY:
    SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https")
X_FRAME_OPTIONS = "DENY"
SECURE_REFERRER_POLICY = "same-origin"

CONTENT_SECURITY_POLICY = {
    "DIRECTIVES": {
        "default-src": [SELF],
        "img-src": [SELF],
        "base-uri": [NONE],
        "form-action": [SELF],
        "frame-ancestors": [NONE],
        "object-src": [NONE],
    }
}

# --- Database

DATABASES = {"default": env.db_url("DATABASE_URL", default=f"sqlite:///{HUNTAZE_HOME / 'huntaze.sqlite3'}")}
if DATABASES["default"]["ENGINE"] == "django.db.backends.sqlite3":
    # IMMEDIATE takes the write lock at BEGIN, so a transaction never finds out half-way that it cannot write; WAL
    # lets pages read meanwhile. Hence no ATOMIC_REQUESTS: every GET would queue for the write lock.
    DATABASES["default"]["OPTIONS"] = {
        "transaction_mode": "IMMEDIATE",
        "timeout": 20,
        # 8 MB of pages for each connection: with the two of SQLite a long import reads its indexes again and again.
        "init_command": (
            "PRAGMA journal_mode=WAL; PRAGMA synchronous=NORMAL; PRAGMA foreign_keys=ON; PRAGMA cache_size=-8000;"
        ),
    }
else:
    DATABASES["default"]["CONN_HEALTH_CHECKS"] = True
    # A database that does not answer must not hold every worker of the web server.
    DATABASES["default"].setdefault("OPTIONS", {}).setdefault("connect_timeout", 5)
DATABASES["default"]["CONN_MAX_AGE"] = env.int("CONN_MAX_AGE", 600)

# --- Pages

TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [BASE_DIR / "templates"],
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
            ],
        },
    }
]

LANGUAGE_CODE = "en"
LANGUAGES = [("en", "English"), ("fr", "Français")]
LOCALE_PATHS = [BASE_DIR / "locale"]
LANGUAGE_COOKIE_AGE = 365 * 24 * 3600
LANGUAGE_COOKIE_SAMESITE = "Lax"
LANGUAGE_COOKIE_SECURE = HTTPS_ONLY
TIME_ZONE = "UTC"
USE_I18N = True
USE_TZ = True
FORMAT_MODULE_PATH = "huntaze.formats"

STATIC_URL = "static/"
STATIC_ROOT = BASE_DIR / "staticfiles"
STATICFILES_DIRS = [BASE_DIR / "static"]
STORAGES = {
    "default": {"BACKEND": "django.core.files.storage.FileSystemStorage"},
    "staticfiles": {
        "BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"
        if DEBUG
        else "whitenoise.storage.CompressedManifestStaticFilesStorage"
    },
}
WHITENOISE_USE_FINDERS = DEBUG

LOGIN_URL = reverse_lazy("login")
LOGIN_REDIRECT_URL = reverse_lazy("inbox")
LOGOUT_REDIRECT_URL = reverse_lazy("login")

# --- API

REST_FRAMEWORK: dict[str, Any] = {
    "DEFAULT_AUTHENTICATION_CLASSES": [
        "crm.api.authentication.KeyAuthentication",
        "crm.api.authentication.TokenAuthentication",
        "rest_framework.authentication.SessionAuthentication",
    ],
    "DEFAULT_PERMISSION_CLASSES": [
        "rest_framework.permissions.IsAuthenticated",
        "crm.api.authentication.KeyIsGoodForThis",
    ],
    "DEFAULT_RENDERER_CLASSES": ["rest_framework.renderers.JSONRenderer"],
    "DEFAULT_PARSER_CLASSES": ["rest_framework.parsers.JSONParser"],
    "DEFAULT_SCHEMA_CLASS": "huntaze.schema.HuntazeSchema",
    "EXCEPTION_HANDLER": "huntaze.problems.exception_handler",
    # Accept says what is wanted; ?format= is a parameter nobody knows.
    "URL_FORMAT_OVERRIDE": None,
    "UNAUTHENTICATED_USER": "django.contrib.auth.models.AnonymousUser",
}
SPECTACULAR_SETTINGS = {
    "TITLE": "Huntaze",
    "VERSION": "1",
    "DESCRIPTION": "A CRM for creators and their teams. docs/api.md tells the same with an example of each use.",
    "OAS_VERSION": "3.1.0",
    "SCHEMA_PATH_PREFIX": "/api",
    "COMPONENT_SPLIT_REQUEST": True,
    "DEFAULT_GENERATOR_CLASS": "huntaze.schema.Generator",
    "POSTPROCESSING_HOOKS": ["huntaze.schema.tidied"],
    "ENUM_GENERATE_CHOICE_DESCRIPTION": False,
    "SERVE_INCLUDE_SCHEMA": False,
    "SERVE_AUTHENTICATION": [],
    "SERVE_PERMISSIONS": ["rest_framework.permissions.AllowAny"],
    # The browser's files come with the package drf-spectacular-sidecar, nothing from elsewhere.
    "SWAGGER_UI_DIST": "SIDECAR",
    "SWAGGER_UI_FAVICON_HREF": "SIDECAR",
}
DRF_STANDARDIZED_ERRORS = {"EXCEPTION_FORMATTER_CLASS": "huntaze.problems.ProblemFormatter"}
SIMPLE_JWT = {
    "ACCESS_TOKEN_LIFETIME": timedelta(minutes=10),
    "REFRESH_TOKEN_LIFETIME": timedelta(days=14),
    "SIGNING_KEY": env("JWT_SIGNING_KEY", default=SECRET_KEY),
    "ISSUER": "huntaze",
    "AUDIENCE": "huntaze-api",
}

# --- Gate

#: The Redis that holds the buckets: ``host:port`` or an address (ratelimit/server.py).
REDIS_ENDPOINT = env("REDIS_ENDPOINT", default="127.0.0.1:6379")
#: The pace of a creator who has none of their own; crm/pace.py says how it is written.
HUNTAZE_PACE = env("HUNTAZE_PACE", default="10/60")
#: Seconds that stay between two messages of a burst: what the platform itself tolerates. 0 is for tests.
HUNTAZE_BURST_GAP_SECONDS = env.float("HUNTAZE_BURST_GAP_SECONDS", 3.0)
#: Off, with DEBUG only: nothing is sent and nothing is limited.
RATE_LIMITER_ENABLED = env.bool("RATE_LIMITER_ENABLED", True)
#: Requests per caller and period, by scope (ratelimit/throttles.py); empty is no limit.
THROTTLE_RATES = {
    "writes": env("THROTTLE_WRITES", default="60/min"),
    "bulk": env("THROTTLE_BULK", default="5/hour"),
    "imports": env("THROTTLE_IMPORTS", default="10/hour"),
    "anonymous": env("THROTTLE_ANONYMOUS", default="20/min"),
    # Attempts that failed: by the name that was tried, by where they came from.
    "sign-in-account": env("THROTTLE_SIGN_IN_ACCOUNT", default="10/min"),
    "sign-in-address": env("THROTTLE_SIGN_IN_ADDRESS", default="20/min"),
}
REST_FRAMEWORK |= {
    "DEFAULT_THROTTLE_CLASSES": ["ratelimit.throttles.BucketThrottle"],
    "DEFAULT_THROTTLE_RATES": THROTTLE_RATES if RATE_LIMITER_ENABLED else dict.fromkeys(THROTTLE_RATES, ""),
    # Proxies of our own in front: whatever else X-Forwarded-For says was written by the caller.
    "NUM_PROXIES": env.int("NUM_PROXIES", int(BEHIND_TLS_PROXY)),
}

# --- Queue: Amazon SQS, or a stand-in at AWS_ENDPOINT_URL. Credentials come by the usual AWS chain.

AWS_REGION = env("AWS_REGION", default="")
AWS_ENDPOINT_URL = env("AWS_ENDPOINT_URL", default="")
SQS_RATE_LIMITER_QUEUE_URL = env("SQS_RATE_LIMITER_QUEUE_URL", default="")
SQS_RATE_LIMITER_DLQ_URL = env("SQS_RATE_LIMITER_DLQ_URL", default="")
#: Dispatch publishes five metrics a minute; Amazon bills them.
CLOUDWATCH_ENABLED = env.bool("CLOUDWATCH_ENABLED", False)
CLOUDWATCH_NAMESPACE = env("CLOUDWATCH_NAMESPACE", default="Huntaze/OnlyFans")

CELERY_BROKER_URL = "sqs://"
CELERY_BROKER_TRANSPORT = "onlyfans.broker:Transport"
CELERY_TASK_DEFAULT_QUEUE = "huntaze-rate-limiter-queue"
CELERY_BROKER_TRANSPORT_OPTIONS = {
    "region": AWS_REGION or "us-east-1",
    "predefined_queues": {CELERY_TASK_DEFAULT_QUEUE: {"url": SQS_RATE_LIMITER_QUEUE_URL}},
    "wait_time_seconds": env.int("SQS_WAIT_TIME_SECONDS", 5),
    # A publish in the dispatch loop may cost at most a few seconds, whatever the network does.
    "client-config": {"connect_timeout": 2, "read_timeout": 3, "retries": {"total_max_attempts": 1}},
}
CELERY_TASK_SERIALIZER = "json"
CELERY_ACCEPT_CONTENT = ["json"]
# A message leaves the queue only when its task has come back without an exception.
CELERY_TASK_ACKS_LATE = True
CELERY_TASK_ACKS_ON_FAILURE_OR_TIMEOUT = False
CELERY_TASK_REJECT_ON_WORKER_LOST = True
CELERY_TASK_IGNORE_RESULT = True
# Far above any call's deadline and below the queue's visibility timeout of 120 s.
CELERY_TASK_TIME_LIMIT = 90
CELERY_TASK_PUBLISH_RETRY = False
CELERY_WORKER_PREFETCH_MULTIPLIER = 1
# With one process and a prefetch of one the worker takes about one message a second (docs/broker.md).
CELERY_WORKER_CONCURRENCY = max(2, env.int("WORKER_CONCURRENCY", 4))
# SQS has no broadcast: remote control and events would only cost requests.
CELERY_WORKER_ENABLE_REMOTE_CONTROL = False
CELERY_WORKER_SEND_TASK_EVENTS = False
CELERY_WORKER_HIJACK_ROOT_LOGGER = False
CELERY_BROKER_CONNECTION_RETRY_ON_STARTUP = True
CELERY_TIMEZONE = "UTC"

# --- Courier

#: ``id:base64 of 32 bytes``, several separated by commas; the first encrypts, all decrypt.
HUNTAZE_KEYRING = env("HUNTAZE_KEYRING", default="")
OFAPI_BASE_URL = env("OFAPI_BASE_URL", default="https://app.onlyfansapi.com/api")
OFAUTH_BASE_URL = env("OFAUTH_BASE_URL", default="https://api-next.ofauth.com")
#: Seconds a call to the platform may take in all.
GATEWAY_DEADLINE_SECONDS = env.float("GATEWAY_DEADLINE_SECONDS", 15.0)
#: Seconds a hand-over may lie unnoticed in SQS the first time; it doubles to ten minutes.
HAND_OVER_LEASE_SECONDS = env.float("HAND_OVER_LEASE_SECONDS", 30.0)
#: Nobody finds a message of unknown outcome in the chat: seconds after the call before such a reading counts, and
#: between the two readings after which a person decides.
RECONCILE_ABSENT_AFTER_SECONDS = env.float("RECONCILE_ABSENT_AFTER_SECONDS", 180.0)
RECONCILE_ABSENT_AGAIN_SECONDS = env.float("RECONCILE_ABSENT_AGAIN_SECONDS", 60.0)
#: Minutes between two readings of an account's chats; 0 reads none.
SYNC_MINUTES = env.float("SYNC_MINUTES", 15.0)
#: Days of old messages that the first reading of an account goes back.
SYNC_HISTORY_DAYS = env.int("SYNC_HISTORY_DAYS", 90)
#: Seconds between two sweeps of the dispatch loop.
SWEEP_SECONDS = env.float("SWEEP_SECONDS", 30.0)

#: What keeps more of a fan than the ledger, and forgets it in the transaction that erases the fan.
ALSO_FORGET = ["onlyfans.erasing.forget"]
#: Who knows in how many seconds a line's next message may go; None when it does not know.
ASK_THE_GATE = "onlyfans.gate.opens_in"

# --- Watching. Logs are one JSON object a line, or readable lines in DEBUG. Never a message text, never a secret.

#: What a program shows to read /metrics and /api/monitoring/onlyfans; empty opens them to staff only.
MONITORING_TOKEN = env("MONITORING_TOKEN", default="")
LOG_LEVEL = env("LOG_LEVEL", default="INFO")
_SHARED_PROCESSORS: list[structlog.typing.Processor] = [
    structlog.contextvars.merge_contextvars,
    structlog.stdlib.add_logger_name,
    structlog.stdlib.add_log_level,
    structlog.processors.TimeStamper(fmt="iso", utc=True),
]
LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {
        "structured": {
            "()": "structlog.stdlib.ProcessorFormatter",
            "foreign_pre_chain": _SHARED_PROCESSORS,
            "processors": [
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                *(
                    # Plain: the other ones print every local variable, and with them texts and secrets.
                    [structlog.dev.ConsoleRenderer(colors=False, exception_formatter=structlog.dev.plain_traceback)]
                    if DEBUG
                    else [structlog.processors.format_exc_info, structlog.processors.JSONRenderer()]
                ),
            ],
        }
    },
    "handlers": {"stderr": {"class": "logging.StreamHandler", "formatter": "structured"}},
    "root": {"handlers": ["stderr"], "level": LOG_LEVEL},
    "loggers": {
        "django": {"handlers": [], "propagate": True},
        "django.server": {"handlers": [], "propagate": True},
        "botocore": {"level": "WARNING"},
        "celery.worker.strategy": {"level": "WARNING"},
        "celery.app.trace": {"level": "WARNING"},
    },
}
structlog.configure(
    processors=[
        structlog.stdlib.filter_by_level,
        *_SHARED_PROCESSORS,
        structlog.stdlib.PositionalArgumentsFormatter(),
        structlog.processors.StackInfoRenderer(),
        structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
    ],
    logger_factory=structlog.stdlib.LoggerFactory(),
    wrapper_class=structlog.stdlib.BoundLogger,
    cache_logger_on_first_use=True,
)
