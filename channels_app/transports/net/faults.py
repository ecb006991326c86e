"""Failures of a connection, whatever the protocol, in sentences for people."""

import ssl

from channels_app.transports.net.deadline import Exchange

# Results of certificate verification (OpenSSL, x509_vfy.h).
_NOT_YET_VALID, _EXPIRED, _HOST_MISMATCH, _ADDRESS_MISMATCH = 9, 10, 62, 64
_ISSUER_NOT_FOUND = frozenset({20, 21})
_UNKNOWN_ISSUER = frozenset({2, 18, 19}) | _ISSUER_NOT_FOUND
# Alerts about a certificate of ours. There is none, so its lack is what they complain about.
_CERTIFICATE_WANTED = frozenset(
    {
        "TLSV13_ALERT_CERTIFICATE_REQUIRED",
        "SSLV3_ALERT_NO_CERTIFICATE",
        "SSLV3_ALERT_BAD_CERTIFICATE",
        "SSLV3_ALERT_UNSUPPORTED_CERTIFICATE",
        "SSLV3_ALERT_CERTIFICATE_UNKNOWN",
        "TLSV1_ALERT_UNKNOWN_CA",
    }
)
CAME_ALONE = (
    "It came alone: if an intermediate authority has signed it, the server does not send its intermediate certificate, "
    "and must be set up to do so."
)


def is_for_another_host(error: BaseException) -> bool:
    """Whether this failure is the refusal of a certificate for another name."""
    return isinstance(error, ssl.SSLCertVerificationError) and error.verify_code in {_HOST_MISMATCH, _ADDRESS_MISMATCH}


def over_time(exchange: Exchange, doing: str = "") -> str:
    """`doing` names the phase where the exchange's own words for it do not fit."""
    return f"The {exchange.timeout:g} s for one attempt were over while {doing or exchange.phase}."


def why_no_tls(error: BaseException, exchange: Exchange, host: str, port: int, *, where_plain: str) -> str:
    """Why TLS was not agreed on; "" where this failure is not one of TLS.

    `where_plain` says what to do where the server does not speak TLS at all.
    """
    if isinstance(error, ssl.SSLCertVerificationError):
        return _why_certificate_refused(error, exchange, host)
    if isinstance(error, ssl.SSLEOFError):
        return f"{host} port {port} closed the connection during the TLS handshake."
    if not isinstance(error, ssl.SSLError):
        return ""
    if error.reason in {"WRONG_VERSION_NUMBER", "HTTP_REQUEST"}:
        return f"{host} port {port} does not speak TLS; {where_plain}."
    # TLS 1.2 has no word of its own for it; with no cipher chosen, it would be that no cipher suits both.
    if error.reason in _CERTIFICATE_WANTED or (
        error.reason == "SSLV3_ALERT_HANDSHAKE_FAILURE" and exchange.cipher_agreed
    ):
        return f"{host} port {port} demands a client certificate, and Tidings has none to show."
    return f"No TLS connection to {host} port {port}: {(error.reason or 'failed').replace('_', ' ').lower()}."


def _why_certificate_refused(error: ssl.SSLCertVerificationError, exchange: Exchange, host: str) -> str:
    if is_for_another_host(error):
        return f"The certificate is not valid for {host}."
    if error.verify_code == _EXPIRED:
        return f"The certificate of {host} has expired."
    if error.verify_code == _NOT_YET_VALID:
        return f"The certificate of {host} is not valid yet."
    if error.verify_code in _UNKNOWN_ISSUER:
        unknown = (
            f"The certificate of {host} is not signed by a known authority; "
            "an operator can add one with EXTRA_CA_BUNDLE."
        )
        # Whether its issuer is an intermediate authority of a known one, or unknown, cannot be seen.
        alone = error.verify_code in _ISSUER_NOT_FOUND and exchange.certificates == 1
        return f"{unknown} {CAME_ALONE}" if alone else unknown
    return f"The certificate of {host} was refused: {error.verify_message}."
