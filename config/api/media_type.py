"""The one thing that must be put right before Django makes a request of what the server hands over."""

from collections.abc import Callable, Iterable
from typing import Any

from config.api.problems import PREFIX

Application = Callable[[dict[str, Any], Any], Iterable[bytes]]


def without_parameters(application: Application) -> Application:
    """Take the parameters off the Content-Type of API calls, before `application` sees them.

    JSON defines none (RFC 8259, section 11: a charset has no effect), but Django reads the query in the charset named
    there while it makes the request object: with `charset=rot13` it fails where no middleware can answer.
    """

    def call(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        if environ.get("PATH_INFO", "").startswith(f"{PREFIX}/"):
            environ["CONTENT_TYPE"] = environ.get("CONTENT_TYPE", "").partition(";")[0].strip()
        return application(environ, start_response)

    return call
