"""What can be wrong with an answer, or with the way to it, beside what sockets raise."""


class AnswerError(Exception):
    """What came is not, or not a whole, answer."""


class NotHTTPError(AnswerError):
    """What came is not HTTP/1.x, or contradicts itself."""


class NoAnswerError(NotHTTPError):
    """What came does not even begin like an answer."""


class HeadCutOffError(AnswerError):
    """The receiver closed the connection within the status line or the headers, or before them."""


class BodyCutOffError(AnswerError):
    """The receiver closed the connection within the body."""


class EgressProxyError(Exception):
    """The egress proxy stands in the way. The message is a sentence for people."""
