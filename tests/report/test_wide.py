"""Tables too wide for a page are refused with the likely cause."""

from __future__ import annotations

import numpy as np
import pytest

import takens
from takens.core import InvalidInput
from takens.data.formats import text


def test_a_transposed_table_is_refused() -> None:
    with pytest.raises(InvalidInput, match="Transpose"):
        takens.analyse(np.ones((3, 6_000)))


def test_a_very_wide_file_is_refused_before_its_columns_are_read(tmp_path, monkeypatch) -> None:
    path = tmp_path / "wide.csv"
    path.write_text("".join(",".join([digit] * 6_000) + "\n" for digit in "12"))
    assert takens.analyse(path, columns=["x3"]).recording.names == ("x3",)
    monkeypatch.setattr(text, "_quick", pytest.fail)
    with pytest.raises(InvalidInput, match="6000 columns were given; at most 5000"):
        takens.analyse(path)
