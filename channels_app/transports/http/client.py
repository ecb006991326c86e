"""One POST and what came of it: the only place that calls a receiver over HTTP."""

from collections.abc import Collection, Mapping
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
from channels_app.transports.net.deadline import DeadlineContext, Exchange
from channels_app.transports.net.dialing import (
    CONNECT_SECONDS,
    LOOKUP_SECONDS,
    Dialer,
    literal_address,
    refused_sentence,
)
from channels_app.transports.net.faults import is_for_another_host
from channels_app.transports.net.lookup import Lookups, Resolve
from channels_app.transports.net.tls import named_instead, tls_context
from channels_app.transports.redactor import Redactor
from channels_app.transports.rules import DEFAULT_PORTS, MASK, check_url

log = structlog.get_logger(__name__)

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
        sentences = Redactor(hidden)
        try:
            call = self._prepared(url, body, headers, masked)
        except _Refused as refused:
            return Answer(Outcome.BLOCKED, url=refused.url, error=sentences.of_text(str(refused)))
        dialer = Dialer(
            exchange,
            self.resolve,
            allowed=None if call.proxy else settings.POSTBACK_ALLOWED_NETWORKS,
            lookup_seconds=self.lookup_seconds,
            connect_seconds=self.connect_seconds,
        )
        context = tls_context(settings.EXTRA_CA_BUNDLE)
        try:
            response = self._sent(call, dialer, context, channel)
        except FAILURES as error:
            return _failed(call, dialer, error, sentences)
        return _answered(call, exchange, response, Redactor([*hidden, *call.credentials]), now)

    def _prepared(self, url: str, body: bytes, headers: Mapping[str, str], masked: Collection[str]) -> "_Call":
        """The request to `url`. Raises `_Refused` for one that may not be called, and `ImproperlyConfigured`."""
        try:
            url = check_url(url)
        except ValueError as error:
            raise _Refused(url, str(error)) from error
        parts = urlsplit(url)
        proxy = _usable_proxy()
        literal = literal_address(parts.hostname or "") if proxy else None
        if literal and (reason := refusal(literal, settings.POSTBACK_ALLOWED_NETWORKS)):
            raise _Refused(url, refused_sentence(literal, reason))
        request = _request(parts, body, headers)
        sent = dict(request.headers.items())  # once: going through those of `requests` takes its time
        return _Call(url, parts, proxy, request, sent, frozenset(name.lower() for name in masked))

    def _sent(self, call: "_Call", dialer: Dialer, context: DeadlineContext, channel: str) -> requests.Response:
        """The answer, its body still to be read: over a kept connection, and once more over a fresh one if that was
        closed meanwhile. Raises `FAILURES`.
        """
        exchange = dialer.exchange
        proxies = {call.parts.scheme: call.proxy} if call.proxy else None
        try:
            return ExchangeAdapter(self._pool, dialer, context, channel=channel).send(call.request, proxies=proxies)
        except FAILURES as error:
            if not (exchange.was_stale or (exchange.is_open and is_no_answer(error))):
                raise
        log.info("connection_was_stale", host=call.host)
        exchange.begin_again()
        fresh = ExchangeAdapter(self._pool, dialer, context, channel=channel, fresh=True)
        return fresh.send(call.request, proxies=proxies)


class _Refused(Exception):
    """The URL may not be called. The message is a sentence for people."""

    def __init__(self, url: str, sentence: str) -> None:
        super().__init__(sentence)
        self.url = url


@dataclass(frozen=True)
class _Call:
    """A request that may be sent. `sent` are its headers, `masked` the names (lower case) of those not to be shown."""

    url: str
    parts: SplitResult
    proxy: str
    request: requests.PreparedRequest
    sent: dict[str, str]
    masked: frozenset[str]

    @property
    def host(self) -> str:
        return self.parts.hostname or ""

    @property
    def recorded(self) -> dict[str, str]:
        """The headers as the log keeps them."""
        return {name: MASK if name.lower() in self.masked else value for name, value in self.sent.items()}

    @property
    def credentials(self) -> list[str]:
        """The values of masked headers. What is accepted is no secret."""
        private = (name for name in self.sent if name.lower() in self.masked and not name.lower().startswith("accept"))
        return [self.sent[name] for name in private]


def _failed(call: _Call, dialer: Dialer, error: Exception, sentences: Redactor) -> Answer:
    """The answer for an exchange that ended before a whole status line and headers had come."""
    exchange, host = dialer.exchange, call.host
    port = call.parts.port or DEFAULT_PORTS[call.parts.scheme]
    plain_proxy = bool(call.proxy) and call.parts.scheme == "http"
    outcome, sentence = of_failure(error, exchange, host, port, plain_proxy=plain_proxy)
    if not call.proxy and is_for_another_host(error):
        names = named_instead(dialer, host, port, settings.EXTRA_CA_BUNDLE)
        sentence = f"The certificate is for {names}, not for {host}." if names else sentence
    return Answer(
        outcome,
        url=call.url,
        request_headers=call.recorded,
        error=sentences.of_text(sentence),
        connection=exchange.as_connection(),
    )


def _answered(
    call: _Call, exchange: Exchange, response: requests.Response, redactor: Redactor, now: datetime
) -> Answer:
    """Read the body, and tell what came. Of what the receiver sent back nothing is kept that `redactor` takes out."""
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
        url=call.url,
        status_code=response.status_code,
        request_headers=call.recorded,
        response_headers=headers_text({name: redactor.of_text(value) for name, value in response.headers.items()}),
        response_body=body_text(bytes(content), response.headers, redactor.of_bytes),
        retry_after=retry_after(response.headers.get("Retry-After"), now=now),
        error=sentence,
        connection=exchange.as_connection(),
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
