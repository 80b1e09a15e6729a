"""Small parts: numbers, thinning, the command line that repeats, gaps."""

import shlex

import numpy as np
import pytest

import takens
from takens.core import InvalidInput, NumericalFailure, Recording, Trajectory
from takens.report.drawing import band, histogram, thinned
from takens.report.markup import number, number_text, table, tag


@pytest.mark.parametrize(
    ("value", "text"),
    [(0.0, "0"), (-0.000123456, "-0.0001235"), (1.5e-9, "1.5e-9"), (float("nan"), "none"),
     (12345.6, "12\u202f346"), (3e300, "3e300"), (True, "yes"), (999_999_999, "999\u202f999\u202f999")],
)  # fmt: skip
def test_number_text(value, text) -> None:
    assert number_text(value) == text


def test_a_number_carries_its_exact_value() -> None:
    assert 'value="0.1234567890123"' in number(0.1234567890123)
    assert "–" in number(None)


def test_attributes_and_cells_are_escaped() -> None:
    assert tag("p", "x", title='"><script>') == '<p title="&quot;&gt;&lt;script&gt;">x</p>'
    assert "<b>" not in table("<b>", ("<b>",), [("<b>",)])


def test_thinning_keeps_extremes_and_gaps() -> None:
    x, y = np.arange(50_000.0), np.zeros(50_000)
    y[12_345], y[40_000], y[20_000:20_010] = 7, -9, np.nan
    kept_x, kept_y = thinned(x, y, 500)
    assert len(kept_x) <= 500
    assert (np.nanmax(kept_y), np.nanmin(kept_y)) == (7, -9)
    assert np.isnan(kept_y).any()
    assert (np.diff(kept_x) > 0).all()


def test_a_band_without_numbers_is_not_drawn() -> None:
    assert band([1, 2], [np.nan] * 2, [1, 2]) == []


def test_a_constant_null_still_has_a_bar() -> None:
    (bars,) = histogram(np.ones(40), 1.0, "null", "")
    assert sum(bars["y"]) == 40


def test_the_command_repeats_the_reading(tmp_path, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)
    path = tmp_path / "-a file; rm.csv"
    values = np.sin(np.arange(300) * 0.3)
    path.write_text("t,a b,c\n" + "\n".join(f"{i},{v},{-v}" for i, v in enumerate(values)))
    report = takens.analyse(path.name, time="t", columns=["a b"], time_unit="s", seed=2, quick=True)
    words = shlex.split(report.command)
    assert words[:2] == ["takens", "analyse"]
    assert words[words.index("--columns") + 1] == "a b"
    assert words[words.index("--time-unit") + 1] == "s"
    assert words[words.index("--seed") + 1] == "2"
    assert words[-2:] == ["--", path.name]


def test_options_for_data_that_are_read_already_are_refused() -> None:
    data = Recording(records=(Trajectory(times=[0, 1], states=[[1], [2]]),))
    with pytest.raises(InvalidInput, match="read already"):
        takens.analyse(data, dt=2.0)


@pytest.mark.parametrize("seed", [-1, 1.5, True, "a"])
def test_a_seed_is_a_whole_number(seed) -> None:
    with pytest.raises(InvalidInput, match="seed"):
        takens.analyse(np.zeros(100), seed=seed)


def test_a_question_without_an_answer_is_a_gap(monkeypatch) -> None:
    import takens.series

    def refuse(*_, **__):
        raise NumericalFailure("nothing came of it")

    monkeypatch.setattr(takens.series, "kind_of_motion", refuse)
    report = takens.analyse(np.sin(np.arange(300.0)))
    assert report.verdict.kind == "undetermined"
    assert "nothing came of it" in report.gaps[0].text
    assert "nothing came of it" in report.to_html()


def test_a_defect_is_not_hidden(monkeypatch) -> None:
    import takens.series

    def broken(*_, **__):
        raise ZeroDivisionError

    monkeypatch.setattr(takens.series, "kind_of_motion", broken)
    with pytest.raises(ZeroDivisionError):
        takens.analyse(np.sin(np.arange(300.0)))


def test_progress_rises_to_one(logistic) -> None:
    told = []
    takens.analyse(logistic[:400], quick=True, progress=lambda part, what: told.append(part))
    assert told == sorted(told)
    assert told[0] == 0.0
    assert told[-1] == 1.0


def test_the_summary_names_verdict_numbers_and_cautions(report) -> None:
    text = report.summary()
    assert "chaotic" in text
    assert "largest Lyapunov exponent" in text


def test_where_no_rule_is_established_the_exponent_is_listed_with_that_remark() -> None:
    report = takens.analyse(np.random.default_rng(0).normal(size=600), quick=True)
    assert report.verdict.kind == "stochastic-linear"
    assert "listed for completeness" in report.to_html()
    on_exponent = [f for f in report.cautions if f.code == "noise-biases-exponent"]
    assert [f.level for f in on_exponent] == ["note"]


def test_the_correlation_figure_of_rounded_data_begins_at_their_resolution(
    logistic: np.ndarray,
) -> None:
    from takens.report.figures import correlation_figures
    from takens.series import correlation_dimension

    found = correlation_dimension(np.round(logistic, 2), throw=False)
    sums, slopes = correlation_figures(found)
    step = 0.01 / logistic.std()
    assert found.radii[0] < 0.01 * step
    assert 0.2 * step < min(sums.data[0]["x"]) < 2 * step
    assert sums.data[0]["x"] == slopes.data[0]["x"]
