"""What one process of a parallel run makes in a row: a file, or a room whose tests share a system.

Pinned pytest and pytest-xdist disagree on where the group of `--dist loadgroup` is kept, so that each test would be a
group of its own: both processes would start every system and make the fixtures of every module.
"""

from pathlib import PurePath

from xdist.scheduler import LoadScopeScheduling

# Their systems take long to start.
ROOMS_OF_ONE_SYSTEM = {"browser", "faults", "production"}


class FilesAndRooms(LoadScopeScheduling):
    """Hands out whole files, and whole rooms of one system, in the order in which they were collected."""

    def _split_scope(self, nodeid: str) -> str:
        file = PurePath(nodeid.partition("::")[0])
        return room if (room := file.parts[1]) in ROOMS_OF_ONE_SYSTEM else str(file)
