import ipaddress
from collections.abc import Iterator
from pathlib import Path

import pytest
import trustme
from django.conf import settings
from django.test import override_settings

from channels_app.transports.postback.signature import new_secret

LOOPBACK = [ipaddress.ip_network("127.0.0.0/8"), ipaddress.ip_network("::1/128")]


@pytest.fixture(scope="session")
def ca() -> trustme.CA:
    return trustme.CA()


@pytest.fixture(scope="session")
def ca_bundle(ca: trustme.CA, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("ca") / "bundle.pem"
    ca.cert_pem.write_to_path(str(path))
    return path


@pytest.fixture(autouse=True)
def _local_receivers(ca_bundle: Path) -> Iterator[None]:
    assert settings.VERSION
    with override_settings(POSTBACK_ALLOWED_NETWORKS=LOOPBACK, EXTRA_CA_BUNDLE=str(ca_bundle), EGRESS_PROXY_URL=""):
        yield


@pytest.fixture(scope="session")
def secret() -> str:
    return new_secret()
