"""`python3 deploy/make_env.py PUBLIC_URL FILE`: writes env.example to FILE, with fresh keys and passwords.

Needs nothing but Python. FILE can be read by its owner alone. One that is there is never written over: with its keys
everything that they protect would be lost.
"""

import base64
import os
import secrets
import sys
from pathlib import Path
from urllib.parse import urlsplit

EXAMPLE = Path(__file__).with_name("env.example")
ADDRESS = "https://notify.example.com"


def filled_in(public_url: str) -> str:
    """The text of env.example for this address. Raises ValueError where that is no address of https."""
    address = urlsplit(public_url)
    if address.scheme != "https" or not address.hostname:
        raise ValueError(f"The address must be like {ADDRESS}, not {public_url!r}.")
    text = EXAMPLE.read_text().replace("tidings@notify.example.com", f"tidings@{address.hostname}")
    text = text.replace(f"={ADDRESS}\n", f"={public_url.rstrip('/')}\n")
    for name, value in {
        "SECRET_KEY": secrets.token_urlsafe(50),
        "SECRETS_ENCRYPTION_KEYS": base64.urlsafe_b64encode(secrets.token_bytes(32)).decode(),
        "POSTGRES_PASSWORD": secrets.token_urlsafe(24),
        "VALKEY_PASSWORD": secrets.token_urlsafe(24),
        "METRICS_TOKEN": secrets.token_urlsafe(32),
    }.items():
        text = text.replace(f"\n{name}=\n", f"\n{name}={value}\n").replace(f":{name}@", f":{value}@")
    return text


def main() -> None:
    if len(sys.argv) != 3:
        sys.exit(f"Usage: python3 deploy/make_env.py {ADDRESS} FILE")
    try:
        text = filled_in(sys.argv[1])
        target = os.open(sys.argv[2], os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except (OSError, ValueError) as error:
        sys.exit(str(error))
    with os.fdopen(target, "w") as file:
        file.write(text)


if __name__ == "__main__":
    main()
