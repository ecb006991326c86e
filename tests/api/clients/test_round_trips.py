"""Clients that generators make of the OpenAPI document, each on a round trip with the running API.

In TypeScript, Python and Go: a funnel's order with a decline, an upsell and the thank-you page, then what an
administrator's script reads of it. The amounts are those that floats of 32 bits would change. A client whose tools are
not on the machine is skipped, with the reason.
"""

import json
import os
import shutil
import subprocess
import sys
import urllib.request
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from api.keys import create_key
from notifications import services
from notifications.events import EVENT_TYPES
from orders.models import Funnel, Order, Product

pytestmark = [pytest.mark.slow, pytest.mark.django_db(transaction=True), pytest.mark.timeout(300)]

HERE = Path(__file__).parent
Client = Callable[[Path, Path], list[str]]


def run(*command: str | Path, cwd: Path, **environment: str) -> str:
    done = subprocess.run(
        command, cwd=cwd, env={**os.environ, **environment}, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )
    assert done.returncode == 0, done.stdout
    return done.stdout


def python_client(document: Path, folder: Path) -> list[str]:
    """openapi-python-client comes with requirements-dev.txt."""
    generator = Path(sys.executable).with_name("openapi-python-client")
    path = f"{generator.parent}{os.pathsep}{os.environ['PATH']}"  # it formats with the ruff that it finds there
    said = run(
        *(generator, "generate", "--meta", "none", "--fail-on-warning"),
        *("--path", document, "--output-path", folder / "tidings_client"),
        cwd=folder,
        PATH=path,
    )
    assert "arning" not in said, said
    shutil.copy(HERE / "python" / "round_trip.py", folder)
    return [sys.executable, str(folder / "round_trip.py")]


def typescript_client(document: Path, folder: Path) -> list[str]:
    """Compiled as strictly as TypeScript knows how to; what is wrong about a type ends the test here."""
    tools = HERE / "typescript" / "node_modules"
    node = shutil.which("node")
    if node is None or not (tools / ".bin" / "tsc").exists():
        pytest.skip(f"needs Node.js and `npm ci` in {(HERE / 'typescript').relative_to(HERE.parents[2])}")
    for name in ("package.json", "tsconfig.json", "round_trip.ts"):
        shutil.copy(HERE / "typescript" / name, folder)
    (folder / "node_modules").symlink_to(tools)
    run(tools / ".bin" / "openapi-typescript", document, "-o", folder / "tidings.d.ts", cwd=folder)
    run(tools / ".bin" / "tsc", "-p", folder, cwd=folder)
    return [node, str(folder / "built" / "round_trip.js")]


def go_client(document: Path, folder: Path) -> list[str]:
    """oapi-codegen is a tool of the Go module here. Nothing is fetched: the modules are there already, or not."""
    go = shutil.which("go")
    offline = {"GOPROXY": "off", "GOFLAGS": "-mod=mod -buildvcs=false", "GOTOOLCHAIN": "local"}
    for name in ("go.mod", "go.sum", "main.go"):
        shutil.copy(HERE / "go" / name, folder)
    if (
        go is None
        or subprocess.run(
            [go, "mod", "verify"], cwd=folder, env={**os.environ, **offline}, capture_output=True
        ).returncode
    ):
        pytest.skip(f"needs Go and `go mod download` in {(HERE / 'go').relative_to(HERE.parents[2])}")
    generate = ("-package", "main", "-generate", "types,client", "-o", "tidings.go", str(document))
    run(go, "tool", "oapi-codegen", *generate, cwd=folder, **offline)
    run(go, "build", "-o", "round_trip", ".", cwd=folder, **offline)
    return [str(folder / "round_trip")]


@pytest.fixture
def shop(transactional_db: None) -> str:
    """A shop with a funnel, whose events are told. Returns a key of both scopes."""
    Product.objects.create(sku="course", title="Course", kind="digital", unit_price=Decimal("9999999.99"))
    Product.objects.create(sku="mug", title="Mug", kind="physical", unit_price=Decimal("14.50"))
    Funnel.objects.create(name="Spring launch", slug="spring-launch")
    for event_type in EVENT_TYPES.values():
        services.set_event_type_enabled(event_type=event_type, enabled=True, by="test")
    return create_key(name="Client", scopes=["storefront", "manage"])[1]


@pytest.mark.parametrize("client", [python_client, typescript_client, go_client], ids=["python", "typescript", "go"])
def test_a_generated_client_plays_a_round_trip(client: Client, shop: str, live_server: Any, tmp_path: Path) -> None:
    document = tmp_path / "openapi.json"
    with urllib.request.urlopen(f"{live_server.url}/api/v1/openapi.json") as answer:
        document.write_bytes(answer.read())
    folder = tmp_path / "client"
    folder.mkdir()

    told = json.loads(run(*client(document, folder), live_server.url, shop, cwd=folder))

    order = Order.objects.get()
    assert (order.total, order.paid_total, order.refunded_total) == (
        Decimal("10000029.06"),
        Decimal("10000029.06"),
        Decimal("0.07"),
    )
    assert told == {
        "number": order.number,
        "declined": "declined",
        "thanked": "completed",
        "total": "10000029.06",
        "paid_total": "10000029.06",
        "refund": "0.07",
        "items": [["course", 1, False, True], ["mug", 2, True, True]],
        "missing": 404,
        "completed": "10000029.06",
        "events": sorted(
            [
                "transaction.declined",
                "transaction.approved",
                "customer.created",
                "transaction.approved",
                "order.completed",
                "refund.applied",
            ]
        ),
        "deliveries": ["order.completed"],
    }
