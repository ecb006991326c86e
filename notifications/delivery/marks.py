"""Where a look for due rows may begin while dead rows pile up."""

import json
from datetime import datetime

# A claim that takes longer than this begins at marks from then on, and looks at everything for a twentieth of the time
# at most, though every ten seconds at least.
SLOW_CLAIM_SECONDS = 0.02
SHARE = 20
LONGEST_PAUSE_SECONDS = 10


class Marks:
    """How far each channel's rows were looked through: before the mark is nothing that matters.

    What was sent leaves dead rows, which a look must step over until they are vacuumed, and that is not before the
    last snapshot that may see them has ended: with a backup running they would slow every claim down. So a look may
    begin at the oldest live lease and at the newest row taken. A row that was committed late, with a time before the
    mark, is then not seen: so now and then a look is whole, and always before the engine rests. Where the database's
    clock was stepped back the claim itself leaves the marks aside.
    """

    def __init__(self) -> None:
        self._by_channel: dict[str, tuple[str, str]] = {}
        self._whole_at = 0.0
        self._is_whole = False
        self.set_at: datetime | None = None  # database time

    def __bool__(self) -> bool:
        return bool(self._by_channel)

    def begin_look(self, now: float) -> None:
        """Forget the marks where the next look is to be whole; `now` is in seconds of the monotonic clock."""
        self._is_whole = now >= self._whole_at
        if self._is_whole:
            self._by_channel.clear()

    def end_look(self, now: float, took: float) -> None:
        """A look that began at `now` has taken so many seconds: keep the marks it has set where it was slow."""
        if not self._is_whole:
            return
        if took > SLOW_CLAIM_SECONDS:
            self._whole_at = now + min(SHARE * took, LONGEST_PAUSE_SECONDS)
        else:
            self._by_channel.clear()

    def demand_whole_look(self) -> None:
        self._whole_at = 0.0

    def set(self, channel_id: str, *, leased_from: datetime, due_from: datetime) -> None:
        self._by_channel[channel_id] = (leased_from.isoformat(), due_from.isoformat())

    def as_json(self) -> str:
        return json.dumps(
            [
                {"channel_id": channel_id, "leased_from": leased_from, "due_from": due_from}
                for channel_id, (leased_from, due_from) in self._by_channel.items()
            ]
        )
