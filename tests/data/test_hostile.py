"""Broken input is a clear error or a recording that says so: never a traceback or a silent number."""

import re
import time
from pathlib import Path

import numpy as np
import pytest

from takens.core import InvalidInput, Recording, TakensError
from takens.data import open_any, read, regular_segments
from tests.data.hostile import _binaries, _texts, hostile_files


@pytest.fixture(scope="module")
def cases(tmp_path_factory):
    return {c.name: c for c in hostile_files(tmp_path_factory.mktemp("hostile"))}


@pytest.fixture(scope="module")
def outcomes(cases):
    """What reading each file gave, and the seconds it took; each file is read once."""
    kept = {}

    def outcome(name):
        if name not in kept:
            case, start = cases[name], time.perf_counter()
            try:
                result = read(case.path, **case.options)
            except TakensError as error:
                result = error
            kept[name] = (result, time.perf_counter() - start)
        return kept[name]

    return outcome


def _names():
    return [*_texts(), *_binaries(), "no such file", "file name too long"]


@pytest.mark.parametrize("name", _names())
def test_each_hostile_file_is_refused_or_reported(cases, outcomes, name):
    case = cases[name]
    result, seconds = outcomes(name)
    assert seconds < 60
    if isinstance(result, TakensError):
        text = str(result)
        assert case.outcome == "error", text
        assert case.says in text
        # What was given, the rule, what to do: at least two sentences, no control characters.
        assert re.search(r"[.)?] \S", text), text
        assert text.isprintable(), text
        assert len(text) < 1000
        return
    assert isinstance(result, Recording)
    assert case.outcome == "finding", result.findings
    assert case.says in [f.code for f in result.findings], result.findings
    assert not any(np.isinf(r.states).any() for r in result)
    for words in (*result.names, *(str(f) for f in result.findings)):
        assert words.isprintable(), words


@pytest.mark.parametrize("name", _names())
def test_what_was_read_becomes_segments_or_a_clear_error(outcomes, name):
    result, _ = outcomes(name)
    if isinstance(result, TakensError):
        return
    segments = _segments(result)
    if isinstance(segments, str):
        assert re.search(r"\. \S", segments)
        return
    assert all(np.isfinite(v).all() for v in segments.values)
    assert all(len(v) >= 16 for v in segments.values)


def _segments(recording):
    try:
        return regular_segments(recording)
    except TakensError as error:
        return str(error)


def test_unknown_names_list_the_bundled_data():
    with pytest.raises(InvalidInput, match=r"Did you mean sunspots\?.*nino34"):
        open_any("sunspot")


def test_pickles_are_never_run(tmp_path):
    class Evil:
        def __reduce__(self):
            return (Path.touch, (tmp_path / "ran",))

    path = tmp_path / "evil.npy"
    np.save(path, np.array([Evil()], dtype=object), allow_pickle=True)
    with pytest.raises(InvalidInput, match="never loaded"):
        read(path)
    assert not (tmp_path / "ran").exists()
