"""What walks choose from. The numbers are small, so that few deliveries come past every limit."""

from datetime import timedelta

from hypothesis import strategies

from channels_app.transports import Answer, Outcome

CONCURRENCY = 3
REPLAYED_AT_ONCE = 2
ANSWERS = [
    Answer(Outcome.SUCCEEDED, status_code=200),
    Answer(Outcome.HTTP_ERROR, status_code=503),
    Answer(Outcome.HTTP_ERROR, status_code=429, retry_after=500),
    Answer(Outcome.HTTP_ERROR, status_code=404),
    Answer(Outcome.TIMEOUT),
    Answer(Outcome.CONNECTION_ERROR),
    Answer(Outcome.PROTOCOL_ERROR, status_code=200),
    Answer(Outcome.BLOCKED),
    Answer(Outcome.INTERNAL_ERROR),
    Answer(Outcome.GONE, status_code=410),
]
# As far as the channel becomes slow, the lease runs out, the first and the last retry come due, the log is forgotten.
PAUSES = [timedelta(seconds=seconds) for seconds in (6, 61, 70, 2000)] + [timedelta(days=31)]
TYPES = ["order.completed", "contact.created"]
CHANGES = [*["pause", "resume"] * 3, "probe", "probe", "archive"]
# Success and timeout more often: only together do they lower and raise a channel's cap.
answers = strategies.sampled_from([*ANSWERS[:1] * 4, *ANSWERS, *ANSWERS[4:5] * 3])
numbers = strategies.integers(0, 7)
pairs = strategies.lists(strategies.tuples(numbers, answers), min_size=1, max_size=3)
