"""The attempt as a curl command, as a shell reads it."""

import subprocess

import pytest

from backoffice.notifications.deliveries import as_curl
from notifications.models import DeliveryAttempt

BODY = '{"name":"Zoë O\'Hara","note":"$HOME `id` \\\\ \\"x\\" !1 %s","line":"a\\nb"}'


def read_by_a_shell(command: str) -> list[str]:
    """The arguments that curl would get."""
    script = f'curl() {{ printf "%s\\0" "$@"; }}\n{command}\n'
    done = subprocess.run(["sh", "-c", script], capture_output=True, check=True)
    return done.stdout.decode().split("\0")[:-1]


@pytest.mark.parametrize("url", ["https://example.com/hook", "https://[::1]:8/a?b='c'&d=$(id)#{e}"])
def test_a_shell_reads_the_address_the_headers_and_the_bytes_of_the_body(url):
    attempt = DeliveryAttempt(
        url=url,
        request_headers={
            "Host": "example.com",
            "Connection": "close",
            "Content-Length": "99",
            "Content-Type": "application/json; charset=utf-8",
            "webhook-signature": "v1,abc= v1,def=",
            "Authorization": "********",
            "X-Shop": 'O\'Hara "& Sons"',
            "X-Empty": "",
        },
    )
    assert read_by_a_shell(as_curl(attempt, BODY)) == [
        "-gi",
        url,
        "-H",
        "Content-Type: application/json; charset=utf-8",
        "-H",
        "webhook-signature: v1,abc= v1,def=",
        "-H",
        "Authorization: ********",
        "-H",
        'X-Shop: O\'Hara "& Sons"',
        "-H",
        "X-Empty;",
        "--data-raw",
        BODY,
    ]
