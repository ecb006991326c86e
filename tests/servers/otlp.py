"""A collector of OpenTelemetry on loopback: takes spans by OTLP over real HTTP, and keeps them."""

from dataclasses import dataclass
from typing import Any

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from tests.servers.collecting import Collecting, unpacked

KINDS = {1: "internal", 2: "server", 3: "client", 4: "producer", 5: "consumer"}


@dataclass(frozen=True)
class Told:
    """A span as it came. Ids are hexadecimal digits; `parent` is empty where a trace begins."""

    name: str
    kind: str
    trace: str
    id: str
    parent: str
    is_error: bool
    attributes: dict[str, Any]
    resource: dict[str, Any]
    began: int
    ended: int


@dataclass
class Collector(Collecting):
    @property
    def bodies(self) -> list[bytes]:
        """The requests."""
        found = list(self.received)
        for each in found:
            assert each.path == "/v1/traces", each.path
            assert each.headers["content-type"] == "application/x-protobuf"
        return [unpacked(each) for each in found]

    @property
    def endpoint(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def spans(self) -> list[Told]:
        """All that were told, in the order of arrival."""
        found = []
        for body in self.bodies:
            for of_resource in ExportTraceServiceRequest.FromString(body).resource_spans:
                resource = _plain(of_resource.resource.attributes)
                found += [_told(span, resource) for scope in of_resource.scope_spans for span in scope.spans]
        return found


def _told(span: Any, resource: dict[str, Any]) -> Told:
    return Told(
        name=span.name,
        kind=KINDS[span.kind],
        trace=span.trace_id.hex(),
        id=span.span_id.hex(),
        parent=span.parent_span_id.hex(),
        is_error=span.status.code == 2,
        attributes=_plain(span.attributes),
        resource=resource,
        began=span.start_time_unix_nano,
        ended=span.end_time_unix_nano,
    )


def _plain(attributes: Any) -> dict[str, Any]:
    return {each.key: getattr(each.value, each.value.WhichOneof("value")) for each in attributes}
