"""The site of docs/deployment.md, in Debian's nginx."""

import os
import re
import shutil
import ssl
import subprocess
import urllib.error
import urllib.request
from pathlib import Path

import pytest
import trustme

from tests.config.serving import Server
from tests.demo.local.launching import PROJECT, free_port
from tests.waiting import wait_until

pytestmark = [pytest.mark.slow, pytest.mark.django_db(transaction=True)]


def test_the_documented_site_passes_calls_on(server: Server, key: dict[str, str], tmp_path: Path) -> None:
    nginx = shutil.which("nginx")
    if nginx is None:
        pytest.skip("nginx is not installed (apt-get install nginx).")
    authority = trustme.CA()
    certificate = authority.issue_cert("localhost")
    certificate.cert_chain_pems[0].write_to_path(tmp_path / "site.pem")
    certificate.private_key_pem.write_to_path(tmp_path / "site.key")
    (site,) = re.findall(r"```nginx\n(.*?)```", (PROJECT / "docs" / "deployment.md").read_text(), re.DOTALL)
    port = free_port()
    for documented, here in (
        ("listen 443 ssl", f"listen 127.0.0.1:{port} ssl"),
        ("127.0.0.1:8000", f"127.0.0.1:{server.port}"),
        ("/etc/ssl/notify.example.com", str(tmp_path / "site")),
        ("notify.example.com", "localhost"),
    ):
        assert documented in site
        site = site.replace(documented, here)
    kept = "".join(
        f"{kind}_temp_path {tmp_path}/{kind};\n" for kind in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    )
    user = "user root;" if os.getuid() == 0 else ""
    (tmp_path / "nginx.conf").write_text(
        f"{user} daemon off; pid {tmp_path}/pid; error_log stderr; events {{}}\n"
        f"http {{ access_log off;\n{kept}{site} }}\n"
    )
    with subprocess.Popen([nginx, "-p", str(tmp_path), "-c", str(tmp_path / "nginx.conf"), "-e", "stderr"]) as process:
        try:
            trust = ssl.create_default_context(cadata=authority.cert_pem.bytes().decode())

            def ask(path: str, body: bytes | None = None) -> int:
                request = urllib.request.Request(f"https://localhost:{port}{path}", body, key)
                try:
                    with urllib.request.urlopen(request, timeout=20, context=trust) as answer:
                        return int(answer.status)
                except urllib.error.HTTPError as error:
                    with error:
                        return error.code

            def up() -> bool:
                try:
                    return ask("/healthz") == 200
                except OSError:
                    return False

            wait_until(up)
            contact = b'{"source": "shop", "email": "a@example.com", "first_name": "A", "last_name": "B"}'
            for _ in range(20):
                assert ask("/api/v1/contacts", contact) in {200, 201}
            assert ask("/api/v1/contacts", b" " * (256 * 1024 + 1)) == 413
            assert (ask("/metrics"), ask("/healthz/deliveries")) == (403, 403)
            assert ask("/readyz") == 200
        finally:
            process.terminate()
