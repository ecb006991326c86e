"""One POST and what came of it: the only place that calls a receiver over HTTP."""

import json
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from urllib.parse import SplitResult, urlsplit

import requests
import structlog
from django.conf import settings
from django.core.exceptions import ImproperlyConfigured
from requests.structures import CaseInsensitiveDict

from channels_app.transports.base import Answer, Outcome
from channels_app.transports.http.adapter import ExchangeAdapter, read_body
from channels_app.transports.http.answers import body_text, headers_text, retry_after
from channels_app.transports.http.faults import FAILURES, is_no_answer, of_broken_body, of_failure
from channels_app.transports.http.pool import Pool
from channels_app.transports.http.proxies import egress_proxy
from channels_app.transports.http.statuses import outcome_of
from channels_app.transports.net.addresses import refusal
from channels_app.transports.net.certificates import named_instead
from channels_app.transports.net.deadline import Exchange
from channels_app.transports.net.dialing import (
    CONNECT_SECONDS,
    LOOKUP_SECONDS,
    Dialer,
    literal_address,
    refused_sentence,
)
from channels_app.transports.net.faults import is_for_somebody_else
from channels_app.transports.net.lookup import Lookups, Resolve
from channels_app.transports.net.tls import tls_context
from channels_app.transports.rules import MASK, check_url

log = structlog.get_logger(__name__)

SHORTEST_CREDENTIAL = 8
_LOOKUPS = Lookups()


@dataclass(frozen=True)
class Client:
    """Posts within a deadline, to permitted addresses only, in bounded memory. Safe to share between threads.

    The request goes straight to a `requests` adapter, without a `Session`: so there are no cookies, no netrc, no proxy
    or certificate settings from the environment (`trust_env`) and no redirects. (A session reads the whole body of
    a redirect even where it may not follow it.)

    `settings.POSTBACK_ALLOWED_NETWORKS` lets networks through that are not public, `settings.EXTRA_CA_BUNDLE` adds
    certificate authorities. With `settings.EGRESS_PROXY_URL` every request goes through that HTTP proxy. **The proxy
    then guards the addresses**: it resolves the names, so Tidings can only refuse addresses written in the URL itself.
    """

    resolve: Resolve = _LOOKUPS
    lookup_seconds: float = LOOKUP_SECONDS
    connect_seconds: float = CONNECT_SECONDS
    _pool: Pool = field(default_factory=Pool, repr=False)

    def post(
        self,
        url: str,
        body: bytes,
        headers: Mapping[str, str],
        *,
        now: datetime,
        timeout: float,
        channel: str = "",
        masked: Collection[str] = (),
        hidden: Collection[str] = (),
    ) -> Answer:
        """POST `body` once. Answers for every failure of the network or the receiver; `timeout` is in seconds.

        Raises only for what an operator must mend: an unusable `EGRESS_PROXY_URL` or `EXTRA_CA_BUNDLE`.

        `headers` are added to `Host`, `User-Agent` and `Accept-Encoding: identity`; the values of those in `masked` are
        left out of the answer, also where the receiver sends them back. So is what is `hidden`, also out of sentences;
        `url` of the answer is the whole one all the same.

        A connection is kept for the next exchange of the same `channel`. Where such a one turns out to have been closed
        meanwhile, before a single byte of an answer, the request is sent again at once over a connection of its own. So
        it is where what came is no answer at all, but what a receiver had still to say of the one before.
        """
        exchange = Exchange(timeout)
        unsaid = _Telling(hidden)
        try:
            url = check_url(url)
        except ValueError as error:
            return Answer(Outcome.BLOCKED, url=url, error=unsaid.of_text(str(error)))
        parts = urlsplit(url)
        host = parts.hostname or ""
        proxy = _usable_proxy()
        literal = literal_address(host) if proxy else None
        if literal and (reason := refusal(literal, settings.POSTBACK_ALLOWED_NETWORKS)):
            return Answer(Outcome.BLOCKED, url=url, error=refused_sentence(literal, reason))
        request = _request(parts, body, headers)
        private = {name.lower() for name in masked}
        sent = dict(request.headers.items())  # once: going through those of `requests` takes its time
        recorded = {name: MASK if name.lower() in private else value for name, value in sent.items()}
        dialer = Dialer(
            exchange,
            self.resolve,
            allowed=None if proxy else settings.POSTBACK_ALLOWED_NETWORKS,
            lookup_seconds=self.lookup_seconds,
            connect_seconds=self.connect_seconds,
        )
        bundle = settings.EXTRA_CA_BUNDLE
        context = tls_context(bundle)
        adapter = ExchangeAdapter(self._pool, dialer, context, channel=channel)
        proxies = {parts.scheme: proxy} if proxy else None
        credentials = (
            value for name, value in sent.items() if name.lower() in private and not name.lower().startswith("accept")
        )
        told = _Telling([*hidden, *credentials])
        sent_again = False
        try:
            try:
                response = adapter.send(request, proxies=proxies)
            except FAILURES as error:
                if not (exchange.was_stale or (exchange.is_open and is_no_answer(error))):
                    raise
                log.info("connection_was_stale", host=host)
                exchange.begin()
                sent_again = True
                adapter = ExchangeAdapter(self._pool, dialer, context, channel=channel, fresh=True)
                response = adapter.send(request, proxies=proxies)
        except FAILURES as error:
            port = parts.port or (443 if parts.scheme == "https" else 80)
            plain_proxy = bool(proxy) and parts.scheme == "http"
            outcome, sentence = of_failure(error, exchange, host, port, plain_proxy=plain_proxy)
            if not proxy and is_for_somebody_else(error) and (names := named_instead(dialer, host, port, bundle)):
                sentence = f"The certificate is for {names}, not for {host}."
            return Answer(
                outcome,
                url=url,
                request_headers=recorded,
                error=unsaid.of_text(sentence),
                connection=exchange.as_connection(sent_again=sent_again),
            )
        content = bytearray()
        try:
            read_body(response, content)
            outcome, sentence = outcome_of(response.status_code)
        except FAILURES as error:
            outcome, sentence = of_broken_body(error, exchange, response.status_code)
        finally:
            response.close()
        return Answer(
            outcome,
            url=url,
            status_code=response.status_code,
            request_headers=recorded,
            response_headers=headers_text({name: told.of_text(value) for name, value in response.headers.items()}),
            response_body=body_text(bytes(content), response.headers, told.of_bytes),
            retry_after=retry_after(response.headers.get("Retry-After"), now=now),
            error=sentence,
            connection=exchange.as_connection(sent_again=sent_again),
        )


def _request(parts: SplitResult, body: bytes, headers: Mapping[str, str]) -> requests.PreparedRequest:
    """As `requests` would prepare it, of a URL and headers that have been checked already."""
    request = requests.PreparedRequest()
    request.method, request.url, request.body = "POST", parts.geturl(), body
    request.headers = CaseInsensitiveDict(
        {
            "Host": _host_header(parts),
            "User-Agent": f"Tidings/{settings.VERSION}",
            "Accept-Encoding": "identity",
        }
    )
    request.headers.update(headers)
    request.headers["Content-Length"] = str(len(body))
    return request


class _Telling:
    """Leaves credentials out of what a receiver sent back: each whole value, and what in it is long enough to be one.

    A short word is left, since it would stand for itself anywhere else, too.
    """

    def __init__(self, values: Iterable[str]) -> None:
        parts = {part for value in values for part in (value, *value.split()) if len(part) >= SHORTEST_CREDENTIAL}
        in_json = {json.dumps(part)[1:-1] for part in parts}
        # Some write a slash with a backslash in JSON.
        parts |= in_json | {part.replace("/", r"\/") for part in in_json}
        self._parts = sorted(parts, key=len, reverse=True)

    def of_text(self, text: str) -> str:
        for part in self._parts:
            text = text.replace(part, MASK)
        return text

    def of_bytes(self, data: bytes) -> bytes:
        for part in self._parts:
            data = data.replace(part.encode(), MASK.encode())
        return self._whole(data)

    def _whole(self, data: bytes) -> bytes:
        """Without the beginning of a credential that the end of a cut body has parted."""
        for part in self._parts:
            for length in range(len(part) - 1, SHORTEST_CREDENTIAL - 1, -1):
                if data.endswith(part[:length].encode()):
                    return data[:-length] + MASK.encode()
        return data


def _usable_proxy() -> str:
    """The URL of the egress proxy, or "". Raises `ImproperlyConfigured` for one that cannot be used."""
    proxy: str = settings.EGRESS_PROXY_URL
    if proxy:
        try:
            egress_proxy(proxy)
        except ValueError as error:
            raise ImproperlyConfigured(f"EGRESS_PROXY_URL cannot be used. {error}") from None
    return proxy


def _host_header(parts: SplitResult) -> str:
    return parts.netloc.removesuffix(":443" if parts.scheme == "https" else ":80")
