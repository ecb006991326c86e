"""`docs/verifying.md` says what the code does: its samples are the files that the tests run, its example fits."""

import re
from datetime import UTC, datetime
from pathlib import Path

from django.conf import settings
from standardwebhooks import Webhook

from backoffice.notifications.channel_help import EXAMPLE_SECRET
from channels_app import verification
from channels_app.transports.postback.signature import sign

ROOT = Path(__file__).resolve().parents[3]
GUIDE = (ROOT / "docs" / "verifying.md").read_text(encoding="utf-8")
FENCES = {"Python": "python", "JavaScript": "javascript", "PHP": "php", "Ruby": "ruby", "Go": "go"}


def test_the_samples_are_the_very_files_in_the_order_of_the_pages() -> None:
    shown = re.findall(r"^### (\w+)\n\n```(\w+)\n(.*?)^```$", GUIDE, re.MULTILINE | re.DOTALL)
    assert shown == [(sample.language, FENCES[sample.language], sample.code) for sample in verification.samples()]


def test_the_example_can_be_verified() -> None:
    rows = dict(re.findall(r"^  \| `?([\w -]+?)`? \| `(.+?)` \|$", GUIDE, re.MULTILINE))
    assert set(rows) == {"signing secret", "webhook-id", "webhook-timestamp", "body", "webhook-signature"}
    assert rows["signing secret"] == EXAMPLE_SECRET
    made = sign(rows["signing secret"], rows["webhook-id"], int(rows["webhook-timestamp"]), rows["body"].encode())
    assert made == rows["webhook-signature"]
    at = datetime.fromtimestamp(int(rows["webhook-timestamp"]), UTC)
    assert Webhook(EXAMPLE_SECRET).sign(rows["webhook-id"], at, rows["body"]) == made


def test_the_numbers_are_those_of_the_settings() -> None:
    codes = ", ".join(map(str, sorted(settings.POSTBACK_RETRY_STATUS_CODES)))
    assert f"After {codes}, and where no" in " ".join(GUIDE.split())
    assert f"within {settings.POSTBACK_TIMEOUT_SECONDS:g} seconds" in GUIDE
    assert len(settings.POSTBACK_RETRY_DELAYS_SECONDS) == 3
    assert "at most three times" in GUIDE


def test_the_readme_leads_to_it() -> None:
    assert "(docs/verifying.md)" in (ROOT / "README.md").read_text(encoding="utf-8")
