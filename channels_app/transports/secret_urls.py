"""URLs that are secrets themselves, since whoever knows one may post to it: Slack's, and postbacks' that are marked."""

from urllib.parse import quote, unquote_plus, urlsplit

SHORTEST_KEY = 16


def secrets_of(url: str) -> list[str]:
    """What must not be told: the URL, its path with and without the query, the last part of the path and whatever part
    is long enough to be a key, and the values of the query, each as it is written, as it is read and as a part of
    another address.
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
