"""What the services of notifications raise."""


class Conflict(Exception):
    """The state of things forbids the call; the message is a sentence for people."""
