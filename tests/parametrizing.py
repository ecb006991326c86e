"""Parametrizations whose cases cost many pages each."""

from collections.abc import Sequence
from typing import Any

import pytest


def quick_first(cases: Sequence[Any], quick: int = 1) -> list[Any]:
    """All cases, of which `make check` runs the first alone, or the first few: the others go the same way again.

    A case of several arguments is a tuple, as for `pytest.mark.parametrize`.
    """
    slow = [case if isinstance(case, tuple) else (case,) for case in cases[quick:]]
    return [*cases[:quick], *(pytest.param(*case, marks=pytest.mark.slow) for case in slow)]
