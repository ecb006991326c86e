"""`python -m tests.embedded -m tests.lint_migrations`: may a migration run while the version before is at work?

What is found in a migration is written into `JUDGED` with the reason why it may stay, or the migration is changed.
"""

import logging
import os
import sys

import django

# Older than the first version: who ran such a commit stops the old processes before these.
_BEFORE_THE_FIRST = "older than the first version"
JUDGED = {
    "0003_attempt_connection": f"{_BEFORE_THE_FIRST}; a column that workers of before do not fill",
    "0005_alerts_in_copies": f"{_BEFORE_THE_FIRST}; alerts move into a table of copies, and columns go",
    "0003_money_of_every_currency": "numeric columns become wider, table by table; old processes write two decimals",
    "0005_contact_idna_key": f"{_BEFORE_THE_FIRST}; a constraint on an expression, which has to look at each contact",
    "0002_apikey_made_by": "an index on the table of API keys, which are few",
}
APPS = ["accounts", "api", "channels_app", "config", "demo", "notifications", "orders", "submitting"]


def main() -> int:
    from django_migration_linter import MigrationLinter

    linter = MigrationLinter(
        include_apps=APPS,
        ignore_name=list(JUDGED),
        all_warnings_as_errors=True,
        analyser_string="postgresql",
        no_cache=True,
        quiet=["ok", "ignore"],
    )
    linter.lint_all_migrations()
    examined = linter.nb_total - linter.nb_ignored
    print(f"{examined} migrations examined, {len(JUDGED)} judged by people, {linter.nb_erroneous} with faults.")
    return 1 if linter.has_errors else 0


if __name__ == "__main__":
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")
    django.setup()
    logging.getLogger("django_migration_linter").setLevel(logging.WARNING)
    sys.exit(main())
