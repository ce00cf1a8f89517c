"""ADL's LRS from its source, with one user: `adl_server.py SOURCE USERNAME PASSWORD`.

Run by the Python of its own environment. `SOURCE`: the folder it was cloned to. Settings are environment variables:
`PORT`, and `POSTGRESQL_HOST` and `POSTGRESQL_DATABASE` of an empty database. What it does beside statements and
documents is left out: it asks no Redis whom it had to lock out, and does itself what it leaves to workers behind
RabbitMQ.
"""

from __future__ import annotations

import os
import sys
from configparser import RawConfigParser

INI = {
    "database": {
        "NAME": os.environ["POSTGRESQL_DATABASE"],
        "USER": "postgres",
        "PASSWORD": "",
        "HOST": os.environ["POSTGRESQL_HOST"],
        "PORT": "5432",
    },
    "email": {
        "EMAIL_BACKEND": "django.core.mail.backends.dummy.EmailBackend",
        "EMAIL_HOST": "localhost",
        "EMAIL_PORT": "25",
        "EMAIL_HOST_USER": "",
        "EMAIL_HOST_PASSWORD": "",
        "EMAIL_USE_TLS": "False",
        "EMAIL_USE_SSL": "False",
    },
    "site": {"SITE_ID": "1"},
    "recaptcha": {"USE_GOOGLE_RECAPTCHA": "False", "RECAPTCHA_PUBLIC_KEY": "", "RECAPTCHA_PRIVATE_KEY": ""},
    "debug": {"DEBUG": "False"},
    "auth": {"ALLOW_EMPTY_HTTP_AUTH": "False", "OAUTH_ENABLED": "False"},
    "hooks": {"USE_HOOKS": "False"},
    "preferences": {
        "SERVER_STMT_LIMIT": "100",
        "STMTS_PER_PAGE": "10",
        "TIME_ZONE": "UTC",
        "LANGUAGE_CODE": "en-US",
    },
    "secrets": {"SECRET_KEY": "of a test"},
    "ampq": {"USERNAME": "", "PASSWORD": "", "HOST": "localhost", "PORT": "5672", "VHOST": "/"},
    "redis": {"URL": ""},
}


def read_settings(parser: RawConfigParser, _path: str) -> list[str]:
    """Give the settings above to whoever reads a file of settings."""
    parser.read_dict(INI)
    return []


def main(source: str, username: str, password: str) -> None:
    """Create the tables and the user, and serve until the process is ended."""
    RawConfigParser.read = read_settings  # type: ignore[assignment,method-assign]  # its settings name one fixed file
    sys.path.insert(0, source)
    os.environ["DJANGO_SETTINGS_MODULE"] = "adl_lrs.settings"
    from adl_lrs import settings  # noqa: PLC0415 -- it reads its file as it is imported

    settings.MIDDLEWARE = [name for name in settings.MIDDLEWARE if "defender" not in name]
    settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
    settings.CELERY_ALWAYS_EAGER = True
    settings.LOGGING = {}
    local = "django.core.cache.backends.locmem.LocMemCache"
    settings.CACHES = {name: {"BACKEND": local, "LOCATION": name} for name in ("default", "attachment_cache")}
    import django  # noqa: PLC0415

    django.setup()
    from django.contrib.auth import get_user_model  # noqa: PLC0415
    from django.core.management import call_command  # noqa: PLC0415
    from django.core.servers.basehttp import run  # noqa: PLC0415
    from django.core.wsgi import get_wsgi_application  # noqa: PLC0415

    call_command("migrate", verbosity=0)
    call_command("migrate", run_syncdb=True, verbosity=0)  # its own tables, which have no migrations, point to others
    get_user_model().objects.create_user(username, "tester@example.org", password)
    run("127.0.0.1", int(os.environ["PORT"]), get_wsgi_application(), threading=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
