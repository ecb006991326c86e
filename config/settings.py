"""Settings of Tidings. Everything that differs between installations comes from the environment.

The table in docs/settings.md documents each variable; `config.environment` says how values are read.
"""

import zoneinfo
from datetime import timedelta
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import structlog
from django.core.exceptions import ImproperlyConfigured
from django.templatetags.static import static
from django.urls import reverse_lazy
from redis.backoff import NoBackoff
from redis.retry import Retry

from backoffice import content_security
from config import environment, log_lines, redis_url, sub_path
from config.connection_urls import refuse_unencoded
from config.database import url as database_url
from config.email_url import email_settings
from config.web.limits import LONGEST_BODY

BASE_DIR = Path(__file__).resolve().parent.parent
VERSION = "0.1.0"
env = environment.load(BASE_DIR)

DATA_DIR = Path(env.str("DATA_DIR", default=str(BASE_DIR / ".data"))).resolve()
DEBUG = environment.boolean(env, "DEBUG")
DEMO = environment.boolean(env, "DEMO")
LOG_LEVEL = environment.choice(
    "LOG_LEVEL", env.str("LOG_LEVEL", default="INFO").upper(), ["DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL"]
)

# Keys. Production refuses to start without its own; DEBUG and DEMO may run on a key that everybody knows.
_DEMO_SECRET_KEY = "demo-only-secret-key-that-protects-nothing"
_DEMO_ENCRYPTION_KEY = "ZGVtby1vbmx5LWtleS10aGF0LXByb3RlY3RzLW5vbmU="
SECRET_KEY = environment.literal("SECRET_KEY")
SECRETS_ENCRYPTION_KEYS = environment.fernet_keys("SECRETS_ENCRYPTION_KEYS")
if DEBUG or DEMO:
    SECRET_KEY = SECRET_KEY or _DEMO_SECRET_KEY
    SECRETS_ENCRYPTION_KEYS = SECRETS_ENCRYPTION_KEYS or [_DEMO_ENCRYPTION_KEY]
elif SECRET_KEY in {"", _DEMO_SECRET_KEY}:
    raise ImproperlyConfigured("SECRET_KEY must be set to a secret of its own unless DEBUG or DEMO is on.")
elif not SECRETS_ENCRYPTION_KEYS or _DEMO_ENCRYPTION_KEY in SECRETS_ENCRYPTION_KEYS:
    raise ImproperlyConfigured("SECRETS_ENCRYPTION_KEYS must be set to keys of its own unless DEBUG or DEMO is on.")

# Where people reach this installation.
PUBLIC_URL = environment.uri("PUBLIC_URL", env.str("PUBLIC_URL", default="")).rstrip("/")
_public = urlsplit(PUBLIC_URL)
if PUBLIC_URL and (_public.scheme not in {"http", "https"} or not _public.hostname):
    raise ImproperlyConfigured(f"PUBLIC_URL must be like https://notify.example.com, not {PUBLIC_URL!r}.")
# The path below which everything is, such as /tidings; "" for none.
SUB_PATH = sub_path.of_url("PUBLIC_URL", PUBLIC_URL)
FORCE_SCRIPT_NAME = SUB_PATH or None
ALLOWED_HOSTS = env.list(
    "ALLOWED_HOSTS", default=[host for host in (_public.hostname, "localhost", "127.0.0.1", "[::1]") if host]
)
CSRF_TRUSTED_ORIGINS = [f"{_public.scheme}://{_public.netloc}"] if PUBLIC_URL else []
TRUSTED_PROXY_COUNT = environment.integer(env, "TRUSTED_PROXY_COUNT", 0, 0, 10)

# What is set for browsers. Scripts need neither cookie: forms carry the token of the second.
SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = _public.scheme == "https"
SESSION_COOKIE_HTTPONLY = CSRF_COOKIE_HTTPONLY = True
SESSION_COOKIE_SAMESITE = CSRF_COOKIE_SAMESITE = "Lax"
if SUB_PATH:
    SESSION_COOKIE_PATH = CSRF_COOKIE_PATH = SUB_PATH
    # Browsers send those of the whole host here as well, and another Django there has Django's own names.
    SESSION_COOKIE_NAME, CSRF_COOKIE_NAME = "tidings_session", "tidings_csrf"
MESSAGE_STORAGE = "backoffice.message_storage.MessageStorage"
if _public.scheme == "https":
    SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https")
    SECURE_HSTS_SECONDS = int(timedelta(days=365).total_seconds())
# What `check --deploy` would warn of, and is meant. W005, W021: whether HSTS speaks of other hosts, or is built into
# browsers, is for whoever has those hosts. W008: the proxy redirects; health checks and monitoring come by http.
SILENCED_SYSTEM_CHECKS = ["security.W005", "security.W008", "security.W021"]
SECURE_HSTS_INCLUDE_SUBDOMAINS = environment.boolean(env, "HSTS_INCLUDE_SUBDOMAINS")
X_FRAME_OPTIONS = "DENY"
SECURE_REFERRER_POLICY = "same-origin"
SECURE_CONTENT_TYPE_NOSNIFF = True
SECURE_CROSS_ORIGIN_OPENER_POLICY = "same-origin"
CONTENT_SECURITY_POLICY = {"DIRECTIVES": content_security.PLAIN}
# Nothing takes files, so none is read, kept or written to a disk. Fields of a form: a thousand, which is Django's own.
DATA_UPLOAD_MAX_MEMORY_SIZE = LONGEST_BODY
DATA_UPLOAD_MAX_NUMBER_FILES = 0
FILE_UPLOAD_HANDLERS: list[str] = []
CSRF_FAILURE_VIEW = "backoffice.error_pages.csrf_failure"
DEFAULT_EXCEPTION_REPORTER_FILTER = "config.error_reports.NoValues"

INSTALLED_APPS = [
    "unfold.apps.BasicAppConfig",
    "config.apps.TidingsAdminConfig",
    "config.apps.InstallationConfig",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    "django.contrib.postgres",
    "axes",
    "django_structlog",
    "ninja",
    "backoffice",
    "backoffice.accounts",
    "api",
    "backoffice.submitting",
    "orders",
    "channels_app",
    "notifications",
    # Its receivers, its outbox and their tables are where they are wanted alone.
    *(["demo"] if DEMO else []),
]
MIDDLEWARE = [
    # Outermost, since they speak of every answer.
    "config.request_log.RequestLogMiddleware",
    "config.http_metrics.HttpMetricsMiddleware",
    "config.security_headers.SecurityHeadersMiddleware",
    "django.middleware.security.SecurityMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "backoffice.content_security.ContentSecurityMiddleware",
    "config.compression.CompressionMiddleware",
    "api.problems.ProblemMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "config.middleware.BoundedBodyMiddleware",
    "config.statement_limit.StatementLimitMiddleware",
    "config.middleware.ReadableAddressMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "config.middleware.PeopleTimeZoneMiddleware",
    "axes.middleware.AxesMiddleware",  # last: it puts the lockout in the place of the login page
]
ROOT_URLCONF = "config.urls"
WSGI_APPLICATION = "config.wsgi.application"
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
            "builtins": ["backoffice.submitting.templatetags.form_token"],
        },
    }
]

# PostgreSQL, the queue of record.
DATABASES = {
    "default": database_url.parse(
        "DATABASE_URL",
        environment.literal("DATABASE_URL") or "postgres:///tidings",
        pool_size=environment.integer(env, "DATABASE_POOL_SIZE", 12, 1, 1000),
    )
}
# Of one statement of a web request. What takes longer is stopped and answered 503.
WEB_STATEMENT_SECONDS = 15.0
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

# Certificate authorities that are trusted besides the public ones, whomever Tidings calls.
EXTRA_CA_BUNDLE = env.str("EXTRA_CA_BUNDLE", default="")
if EXTRA_CA_BUNDLE and not Path(EXTRA_CA_BUNDLE).is_file():
    raise ImproperlyConfigured(f"EXTRA_CA_BUNDLE names no file: {EXTRA_CA_BUNDLE}.")

# Redis or Valkey: the doorbell's broker and the cache. Nothing in it is needed to deliver.
_redis = redis_url.parse(
    "REDIS_URL", environment.literal("REDIS_URL") or "redis://127.0.0.1:6379/0", extra_ca_bundle=EXTRA_CA_BUNDLE
)
# For `redis.Redis.from_url`, together.
REDIS_URL = _redis.url
REDIS_TLS = _redis.tls or {}
# Other applications, and other installations of Tidings, may share the Redis.
REDIS_KEY_PREFIX = redis_url.key_prefix(SECRET_KEY)
CACHES = {
    "default": {
        "BACKEND": "django.core.cache.backends.redis.RedisCache",
        "LOCATION": REDIS_URL,
        "KEY_PREFIX": f"{REDIS_KEY_PREFIX}cache",
        "OPTIONS": {
            **REDIS_TLS,
            "socket_timeout": 0.5,
            "socket_connect_timeout": 0.5,
            "retry": Retry(NoBackoff(), 0),
        },
    }
}

CELERY_BROKER_URL = _redis.broker_url
CELERY_BROKER_USE_SSL = _redis.tls
CELERY_BROKER_TRANSPORT_OPTIONS = {
    "global_keyprefix": REDIS_KEY_PREFIX,
    "socket_timeout": 0.5,
    "socket_connect_timeout": 0.5,
    "retry_on_timeout": False,
    # A worker that waits for a message of a broker which is gone without a word notices within some ten seconds.
    "health_check_interval": 5,
}
CELERY_TASK_DEFAULT_QUEUE = "tidings"
CELERY_BROKER_CONNECTION_RETRY_ON_STARTUP = True
CELERY_BROKER_CONNECTION_MAX_RETRIES = None
CELERY_BROKER_CHANNEL_ERROR_RETRY = True  # a broker that is full is no reason to end
CELERY_TASK_PUBLISH_RETRY = False
CELERY_TASK_IGNORE_RESULT = True
CELERY_RESULT_BACKEND = None
CELERY_TASK_SERIALIZER = "json"
CELERY_ACCEPT_CONTENT = ["json"]
CELERY_WORKER_POOL = "threads"
CELERY_WORKER_PREFETCH_MULTIPLIER = 1
CELERY_WORKER_HIJACK_ROOT_LOGGER = False
CELERY_WORKER_SEND_TASK_EVENTS = False
CELERY_BEAT_SCHEDULER = "config.beat.MemoryScheduler"
# Without `expires`: that compares the clock of beat's host with that of the worker's, which then does nothing at all if
# it is some seconds ahead. Messages that have piled up while no worker ran cost little: each task does one thing at a
# time, and ends at once where nothing is to be done. Names of tasks stay, wherever their modules are: during an upgrade
# beat and web of one version speak to workers of another.
CELERY_BEAT_SCHEDULE: dict[str, dict[str, Any]] = {
    "complete-stale-funnel-orders": {"task": "orders.tasks.complete_stale_funnel_orders", "schedule": 5.0},
    "record-beat": {"task": "notifications.tasks.record_beat", "schedule": 10.0},
    "send-alerts": {"task": "notifications.tasks.send_alerts", "schedule": 10.0},
    "recount": {"task": "notifications.tasks.recount", "schedule": 60.0},
    "send-password-links": {"task": "config.accounts.tasks.send_password_links", "schedule": 10.0},
    "purge": {"task": "notifications.tasks.purge", "schedule": 3600.0},
    "purge-submissions": {"task": "config.submitting.tasks.purge_submissions", "schedule": 600.0},
    "purge-idempotency-records": {"task": "config.api.tasks.purge_idempotency_records", "schedule": 3600.0},
}
# Threads of a worker process: each of beat's tasks holds one at most, which leaves some for the doorbell.
CELERY_WORKER_CONCURRENCY = len(CELERY_BEAT_SCHEDULE) + 3

# Delivery. The rules behind each value stand in docs/decisions/.
POSTBACK_TIMEOUT_SECONDS = environment.number(env, "POSTBACK_TIMEOUT_SECONDS", 30, 0.1, 300)
# The 52x and 530 are words of a CDN: it did not reach the receiver behind it.
_RETRIED = "408 425 429 500 502 503 504 520 521 522 523 525 530"
POSTBACK_RETRY_STATUS_CODES = environment.status_codes(env, "POSTBACK_RETRY_STATUS_CODES", _RETRIED.split())
POSTBACK_RETRY_DELAYS_SECONDS = environment.numbers(
    env, "POSTBACK_RETRY_DELAYS_SECONDS", ["60", "300", "1800"], maximum=86400, at_most=3
)
POSTBACK_ALLOWED_NETWORKS = environment.networks(env, "POSTBACK_ALLOWED_NETWORKS")
EGRESS_PROXY_URL = env.str("EGRESS_PROXY_URL", default="")
refuse_unencoded("EGRESS_PROXY_URL", EGRESS_PROXY_URL)
if EGRESS_PROXY_URL and urlsplit(EGRESS_PROXY_URL).scheme not in {"http", "https"}:
    raise ImproperlyConfigured("EGRESS_PROXY_URL must be like http://proxy.example.com:3128.")
PAUSE_FAILING_AFTER_DAYS = environment.number(env, "PAUSE_FAILING_AFTER_DAYS", 5, 0, 365)
FUNNEL_COMPLETION_SECONDS = environment.number(env, "FUNNEL_COMPLETION_SECONDS", 1800, 1, 86400 * 30)
DELIVERY_CONCURRENCY = environment.integer(env, "DELIVERY_CONCURRENCY", 64, 1, 1000)
CHANNEL_CONCURRENCY = environment.integer(env, "CHANNEL_CONCURRENCY", 8, 1, 1000)
SWEEP_INTERVAL_SECONDS = environment.number(env, "SWEEP_INTERVAL_SECONDS", 1, 0.05, 60)
RETENTION_DAYS = environment.integer(env, "RETENTION_DAYS", 90, 1, 36500)
DEFAULT_CURRENCY = environment.currency("DEFAULT_CURRENCY", env.str("DEFAULT_CURRENCY", default="USD"))
METRICS_TOKEN = environment.literal("METRICS_TOKEN")
API_RATE_PER_MINUTE = environment.integer(env, "API_RATE_PER_MINUTE", 6000, 0, 10_000_000)

NINJA_PAGINATION_CLASS = "api.pagination.CursorPagination"

globals().update(email_settings("EMAIL_URL", env.str("EMAIL_URL", default="consolemail://")))
if DEMO and not env.str("EMAIL_URL", default=""):
    EMAIL_BACKEND = "demo.outbox.OutboxBackend"  # kept for /demo/outbox/, not sent
EMAIL_TIMEOUT = 10  # a silent mail server holds no caller up for longer
DEFAULT_FROM_EMAIL = SERVER_EMAIL = environment.mailbox(
    env, "EMAIL_FROM", f"Tidings <tidings@{_public.hostname or 'localhost'}>"
)

AUTHENTICATION_BACKENDS = [
    "axes.backends.AxesStandaloneBackend",  # first: it refuses a locked out client before it checks a password
    "backoffice.accounts.refusals.RememberingBackend",
]
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": "django.contrib.auth.password_validation.UserAttributeSimilarityValidator"},
    {"NAME": "django.contrib.auth.password_validation.MinimumLengthValidator"},
    {"NAME": "django.contrib.auth.password_validation.CommonPasswordValidator"},
    {"NAME": "django.contrib.auth.password_validation.NumericPasswordValidator"},
    {"NAME": "backoffice.accounts.demo_login.NotOfTheDemo"},
]
PASSWORD_RESET_TIMEOUT = int(timedelta(hours=1).total_seconds())
LOGIN_URL = reverse_lazy("admin:login")
LOGIN_REDIRECT_URL = reverse_lazy("admin:index")

# Guessing passwords: the fifth failure in a row for one name from one address locks that pair out until a quarter of
# an hour after it. Counted in the database, so over all processes; asked at a login and at no other request. The
# address is that of the connection. Behind proxies it would be theirs, the same for all, and so any client could
# lock a colleague out: TRUSTED_PROXY_COUNT says how many there are, and only so far X-Forwarded-For is believed.
# API keys have 256 random bits: guessing them is slowed down (`api.rate`), and no client is locked out.
# A client that tries one password with many names reaches no such limit: fifty failures of an address within the
# same time lock it out with every name. Of IPv6 a whole /64 counts as one.
AXES_FAILURE_LIMIT = 5
LOGIN_FAILURES_OF_AN_ADDRESS = 50
AXES_HANDLER = "backoffice.accounts.login.ThrottleHandler"
AXES_COOLOFF_TIME = timedelta(minutes=15)
AXES_LOCKOUT_PARAMETERS = [["username", "ip_address"]]
AXES_RESET_ON_SUCCESS = True
AXES_RESET_COOL_OFF_ON_FAILURE_DURING_LOCKOUT = False  # the wait that the page tells does not grow
AXES_CLIENT_IP_CALLABLE = "api.client_address.counted_address"
AXES_LOCKOUT_CALLABLE = "backoffice.accounts.login.locked_out"
AXES_SENSITIVE_PARAMETERS = ["username", "ip_address", "csrfmiddlewaretoken"]
AXES_DISABLE_ACCESS_LOG = True  # it would grow for ever; a user's last login is kept by Django
AXES_ENABLE_ADMIN = False  # `axes_list_attempts` shows what is counted, `axes_reset_username` unlocks
AXES_VERBOSE = False

LANGUAGE_CODE = "en-us"
TIME_ZONE = environment.choice("TIME_ZONE", env.str("TIME_ZONE", default="UTC"), zoneinfo.available_timezones())
USE_I18N = True
USE_TZ = True

# With the sub-path in it: Django would add that by itself, but only in threads that it has told of it.
STATIC_URL = f"{SUB_PATH}/static/"
STATIC_ROOT = BASE_DIR / "staticfiles"
STORAGES = {
    "default": {"BACKEND": "django.core.files.storage.FileSystemStorage"},
    "staticfiles": {"BACKEND": "whitenoise.storage.CompressedManifestStaticFilesStorage"},
}
WHITENOISE_USE_FINDERS = DEBUG
WHITENOISE_ALLOW_ALL_ORIGINS = False

UNFOLD = {
    "SITE_TITLE": "Tidings",
    "SITE_HEADER": "Tidings",
    "SITE_SUBHEADER": "System notifications",
    "SITE_SYMBOL": "campaign",
    "SITE_FAVICONS": [
        {"rel": "icon", "type": "image/svg+xml", "href": lambda _request: static("notifications/icon.svg")},
    ],
    "SITE_URL": None,
    "SHOW_HISTORY": True,
    "SHOW_VIEW_ON_SITE": False,
    "ENVIRONMENT": "backoffice.site.environment",
    "STYLES": [
        lambda _request: static("notifications/ui.css"),
        lambda _request: static("notifications/shell.css"),
    ],
    "SCRIPTS": [
        lambda _request: static("notifications/ui.js"),
        lambda _request: static("notifications/shell.js"),
    ],
    "DASHBOARD_CALLBACK": "backoffice.notifications.dashboard.dashboard",
    "LOGIN": {"form": "backoffice.accounts.login.LoginForm"},
    "SIDEBAR": {"navigation": "backoffice.site.navigation"},
}

# Where spans are exported to. All other variables of OpenTelemetry's SDK hold as well, once there is an exporter.
OTEL_EXPORTER_OTLP_ENDPOINT = environment.collector("OTEL_EXPORTER_OTLP_ENDPOINT")
OTEL_EXPORTER_OTLP_TRACES_ENDPOINT = environment.collector("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT")
OTEL_EXPORTER_OTLP_PROTOCOL = environment.choice(
    "OTEL_EXPORTER_OTLP_PROTOCOL", env.str("OTEL_EXPORTER_OTLP_PROTOCOL", default="http/protobuf"), ["http/protobuf"]
)
OTEL_TRACES_EXPORTER = environment.choice(
    "OTEL_TRACES_EXPORTER", env.str("OTEL_TRACES_EXPORTER", default="otlp"), ["otlp", "none"]
)
OTEL_SDK_DISABLED = environment.boolean(env, "OTEL_SDK_DISABLED")
TRACING = (
    bool(OTEL_EXPORTER_OTLP_ENDPOINT or OTEL_EXPORTER_OTLP_TRACES_ENDPOINT)
    and OTEL_TRACES_EXPORTER == "otlp"
    and not OTEL_SDK_DISABLED
)
POSTBACK_TRACEPARENT = environment.boolean(env, "POSTBACK_TRACEPARENT")
if TRACING:  # within the request's line, so that it tells the trace
    MIDDLEWARE.insert(
        MIDDLEWARE.index("config.request_log.RequestLogMiddleware") + 1, "config.tracing.TracingMiddleware"
    )

# Where errors are reported.
SENTRY_DSN = environment.literal("SENTRY_DSN")

# One line a record, on stderr: JSON for machines, plain text where a person looks at the terminal.
_shared_processors: list[Any] = [
    structlog.contextvars.merge_contextvars,
    structlog.stdlib.add_log_level,
    structlog.stdlib.add_logger_name,
    structlog.processors.TimeStamper(fmt="iso", utc=True),
    structlog.processors.format_exc_info,
]
if SENTRY_DSN:
    from config.error_tracking import ErrorTracker  # not imported unless wanted

    # Before the traceback becomes text.
    _shared_processors.insert(
        -1, ErrorTracker(SENTRY_DSN, release=f"tidings@{VERSION}", extra_ca_bundle=EXTRA_CA_BUNDLE)
    )
structlog.configure(
    processors=[*_shared_processors, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
    logger_factory=structlog.stdlib.LoggerFactory(),
    cache_logger_on_first_use=True,
)
LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {
        "line": {
            "()": structlog.stdlib.ProcessorFormatter,
            "processors": [
                log_lines.without_path,
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                structlog.processors.KeyValueRenderer(key_order=["timestamp", "level", "event"])
                if DEBUG or DEMO
                else structlog.processors.JSONRenderer(),
            ],
            "foreign_pre_chain": _shared_processors,
        }
    },
    # Django's own line of a refused request tells its path; `config.request_log` has one of each without.
    "filters": {"requests_once": {"()": "config.log_lines.RequestsOnce"}},
    "handlers": {"stderr": {"class": "logging.StreamHandler", "formatter": "line", "filters": ["requests_once"]}},
    "root": {"handlers": ["stderr"], "level": LOG_LEVEL},
    "loggers": {
        "django.server": {"level": "WARNING"},
        "celery": {"level": "WARNING"},
        "django_structlog": {"level": "WARNING"},
        "axes": {"level": "WARNING"},
        "urllib3": {"level": "ERROR"},  # Sentry's client, whose lines tell each try
    },
}
