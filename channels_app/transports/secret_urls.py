"""URLs that are credentials by themselves: those of Slack, and of postback channels that are marked so."""

from urllib.parse import quote, unquote_plus, urlsplit

SHORTEST_KEY = 16


def secrets_of(url: str) -> list[str]:
    """The texts that must not be shown: the URL, its path with and without the query, the last part of the path and
    each part that is long enough to be a key, and the values of the query, each as it is written, as it is read and as
    a part of another address.
    """
    parts = urlsplit(url)
    written = [
        url,
        f"{parts.path}?{parts.query}",
        parts.path,
        parts.path.rstrip("/").rpartition("/")[2],
        *(part for part in parts.path.split("/") if len(part) >= SHORTEST_KEY),
        *(pair.partition("=")[2] for pair in parts.query.split("&")),
    ]
    return [*written, *map(unquote_plus, written), *(quote(each, safe="") for each in written)]
