"""What the services of orders raise."""


class Conflict(Exception):
    """The call is well-formed, but the order's state does not allow it. Its text is a sentence for the caller."""
