"""The checks of `manage.py doctor`, in the order in which they are told."""

from config.doctor import broker, database, delivering, exposure, keys, machine, mail
from config.doctor.examination import Check, Status

DATABASE = "database"


def all_checks() -> list[Check]:
    """Each with a short name of its own, which stays: scripts read it in the JSON."""
    return [
        Check("versions", machine.look_at_versions),
        Check("packages", machine.look_at_packages),
        Check("mode", exposure.look_at_mode),
        Check("settings", exposure.look_at_settings),
        Check("address", exposure.look_at_address),
        Check("proxies", exposure.look_at_proxies),
        Check("static files", machine.look_at_static_files),
        Check(
            DATABASE,
            database.look_at_server,
            when_silent=Status.FAULT,
            do_when_silent="Look at the server and the way there, or mend DATABASE_URL.",
        ),
        Check("migrations", database.look_at_migrations, needs_database=True),
        Check("role", database.look_at_role, needs_database=True),
        Check("connections", database.look_at_connections, needs_database=True),
        Check("clock", database.look_at_clock, needs_database=True),
        Check("database size", database.look_at_size, needs_database=True),
        Check(
            "broker",
            broker.look_at_broker,
            when_silent=Status.FAULT,
            do_when_silent="Look at the server and the way there, or mend REDIS_URL.",
        ),
        *delivering.checks(),
        Check("secrets", keys.look_at_secrets, needs_database=True),
        Check("kept answers", keys.look_at_kept_answers, needs_database=True),
        Check(
            "mail",
            mail.look_at_mail,
            when_silent=Status.FAULT,
            do_when_silent="Look at the mail server and the way there, or mend EMAIL_URL.",
        ),
        Check("disk", machine.look_at_disk),
    ]
