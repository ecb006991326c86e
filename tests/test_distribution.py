"""The tests of a file are made by one process, however many there are."""

import pytest

MADE_HERE: list[int] = []


@pytest.mark.parametrize("number", range(6))
def test_a_file_is_made_in_one_piece(number: int, request: pytest.FixtureRequest) -> None:
    MADE_HERE.append(number)
    chosen = [item for item in request.session.items if item.path == request.node.path]
    assert [request.node.name.replace(f"[{number}]", f"[{made}]") for made in MADE_HERE] == [
        item.name for item in chosen[: chosen.index(request.node) + 1]
    ]
