"""The errors of an answer, or of the way to it, beside those of sockets."""


class AnswerError(Exception):
    """The bytes received are not, or not a whole, answer."""


class NotHTTPError(AnswerError):
    """The answer is not HTTP/1.x, or contradicts itself."""


class NoAnswerError(NotHTTPError):
    """The bytes received do not even begin like an answer."""


class HeadCutOffError(AnswerError):
    """The receiver closed the connection within the status line or the headers, or before them."""


class BodyCutOffError(AnswerError):
    """The receiver closed the connection within the body."""


class EgressProxyError(Exception):
    """The egress proxy stands in the way. The message is a sentence for people."""
