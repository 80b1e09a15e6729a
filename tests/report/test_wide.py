"""Tables too wide for a page are refused with the likely cause."""

from __future__ import annotations

import numpy as np
import pytest

import takens
from takens.core import InvalidInput


def test_a_transposed_table_is_refused() -> None:
    with pytest.raises(InvalidInput, match="Transpose"):
        takens.analyse(np.ones((3, 6_000)))
