"""Sections of the page, each from the content of ``results.json`` alone."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from takens.report.markup import Markup, bullets, counted, escaped, interval, number, table, tag
from takens.report.verdict import WITHOUT_A_RULE

_NOTHING = Markup("")


def p_value(value: Any) -> Markup:
    """A p-value; one below the smallest number a machine holds is shown as a bound."""
    if value == 0:
        return tag("data", "< 1e-300", value="0.0")
    return number(value)


def sentence(text: str) -> str:
    """`text` with a full stop at its end.

    Examples
    --------
    >>> sentence("Measure longer"), sentence("Enough.")
    ('Measure longer.', 'Enough.')
    """
    return text if text.endswith((".", "!", "?")) else text + "."


def _holds(evidence: dict[str, Any]) -> Markup:
    """Whether the value lies on the side of the threshold that the evidence speaks of."""
    value, threshold = evidence["value"], evidence["threshold"]
    if value is None or threshold is None:
        return tag("span", "no value", class_="neutral")
    says = evidence["supports"]
    below = "below" in says
    met = value < threshold if below else value > threshold
    met = met or ("at or" in says and value == threshold)
    return tag("span", "yes" if met else "no", class_="for" if met else "neutral")


def evidence_section(content: dict[str, Any], figures: Markup) -> Markup:
    """Each number behind the verdict beside its threshold; the surrogate tests."""
    rows = [
        (e["name"], number(e["value"]), number(e["threshold"]), e["supports"], _holds(e), e["text"])
        for e in content["evidence"]
    ]
    tests = [
        (t["statistic"], number(t["observed"]), interval(t["null_low"], t["null_high"]),
         number(t["p_value"]), number(t["n_surrogates"]), t["null_text"])
        for t in content["surrogates"]
    ]  # fmt: skip
    if not rows and not tests:
        return _NOTHING
    return tag(
        "section", tag("h2", "Evidence and null hypotheses"),
        tag("p", "The tests are made in this order; the verdict is the first that the evidence "
            "carries. A rejected null hypothesis says that it is wrong, not which alternative is "
            "right. The last four rows count together: a random walk needs both of the first two, a "
            "drift has to be significant, and a variance has to grow or shrink along the record."),
        table("Each number behind the verdict, beside its threshold",
              ("Evidence", "Value", "Threshold", "Reading", "Holds", "How"), rows, numeric=(1, 2)),
        table("Surrogate tests: the data against what the null hypothesis would give",
              ("Statistic", "Data", "Null, 5 to 95 %", "p-value", "Surrogates", "Null hypothesis"),
              tests, numeric=(1, 2, 3, 4)),
        figures, id="evidence",
    )  # fmt: skip


def numbers_section(content: dict[str, Any], figures: Markup) -> Markup:
    """Every estimate with its interval and origin."""
    rows = [
        (q["name"], number(q["value"]), interval(*q["interval"]), f"{q['level']:.0%}",
         q["unit"], q["method"])
        for q in content["quantities"]
    ]  # fmt: skip
    if not rows:
        return _NOTHING
    periods = [
        (number(p["period"]["value"], unit="steps" if p["period"]["unit"] == "1" else
                p["period"]["unit"]),
         interval(*p["period"]["interval"]),
         tag("data", f"{p['share']:.1%}", value=repr(p["share"])), p_value(p["p_value"]))
        for p in content["periods"]
    ]  # fmt: skip
    return tag(
        "section", tag("h2", "Numbers with intervals"),
        tag("p", "Intervals span the blocks of the record and the admissible settings. A dash "
            "means that these data give no such number."),
        tag("p", "Exponent, doubling time, horizon and dimension describe a motion that follows a "
            "rule. No such rule is established here; they are listed for completeness.")
        if content["verdict"]["kind"] in WITHOUT_A_RULE else "",
        table("Estimates", ("Quantity", "Value", "Interval", "Level", "Unit", "Interval from"),
              rows, numeric=(1, 2, 3)),
        table("Periods that stand out of a red-noise background",
              ("Period", "Interval", "Share of variance", "p-value"), periods, numeric=(1, 2, 3)),
        figures, id="numbers",
    )  # fmt: skip


def data_section(content: dict[str, Any], figures: Markup) -> Markup:
    """What was read, column by column and record by record."""
    source = content["source"]
    columns = [
        (c["name"], c["unit"] or "–", c["role"], number(c["values"]), number(c["missing"]),
         number(c["smallest"]), number(c["median"]), number(c["largest"]),
         number(c["standard_deviation"]))
        for c in source["columns"][:40]
    ]  # fmt: skip
    records = [
        (r["label"] or f"record {i}", number(r["rows"]), number(r["start"]), number(r["end"]),
         number(r["median_step"]), number(r["largest_step"]), number(r["gaps"]))
        for i, r in enumerate(source["records"][:40], start=1)
    ]  # fmt: skip
    from takens.report.page import findings_html

    parts = [
        tag("h2", "What was read"),
        figures,
        table("Columns", ("Column", "Unit", "Role", "Values", "Missing", "Smallest", "Median",
                          "Largest", "Std. deviation"), columns, numeric=range(3, 9)),
        table("Records" + ("" if len(source["records"]) <= 40 else ": the first 40"),
              ("Record", "Rows", "Start", "End", "Median step", "Largest step", "Gaps"),
              records, numeric=range(1, 7)),
        tag("h3", "What was noticed, and what was done"),
        findings_html(source["findings"]),
    ]  # fmt: skip
    return tag("section", *parts, id="data")


def _pairs(caption: str, found: dict[str, Any] | None, rows: Iterable[tuple[str, str]]) -> Markup:
    """A table of fields of one result: name and value."""
    if found is None:
        return _NOTHING
    cells = [(name, number(found.get(key))) for key, name in rows]
    return table(caption, ("Quantity", "Value"), cells, numeric=(1,))


def sufficiency_section(content: dict[str, Any]) -> Markup:
    """Length, sampling, noise and stationarity against what the questions need."""
    enough = content["analyses"].get("sufficiency")
    steady = content["analyses"].get("stationarity")
    if enough is None and steady is None:
        return _NOTHING
    needs = [] if enough is None else [sentence(need) for need in enough["needs"]]
    return tag(
        "section", tag("h2", "Can these data answer?"),
        tag("p", "What more data would be needed:") if needs else "", bullets(needs),
        tag("div",
            _pairs("Length, sampling and noise", enough, (
                ("n_samples", "samples analysed"),
                ("length_in_periods", "length in turns"),
                ("samples_per_period", "samples a turn"),
                ("samples_per_fast_period", "samples a period of the fastest motion"),
                ("noise_level", "noise, at most (share of the standard deviation)"),
                ("largest_dimension", "largest dimension that could be resolved"),
                ("enough_for_chaos", "enough to claim chaos"),
            )),
            _pairs("Stationarity", steady, (
                ("unit_root_statistic", "unit root: statistic (augmented Dickey–Fuller)"),
                ("unit_root_p", "unit root: p-value; large means it is not ruled out"),
                ("kpss_statistic", "constant level: KPSS; above 0.739 rejected at 1 %"),
                ("drift", "drift over the record (standard deviations)"),
                ("drift_p", "drift: p-value"),
                ("variance_ratio", "largest over smallest block variance"),
                ("variance_p", "equal variances: p-value"),
                ("correlation_time", "correlation time (time units)"),
            )), class_="pair"), id="sufficiency",
    )  # fmt: skip


def space_section(content: dict[str, Any], figures: Markup) -> Markup:
    """Delay, dimension and the ensemble of settings that is carried forward."""
    found = content["analyses"].get("embedding")
    if found is None:
        return _NOTHING
    settings = found.get("settings") or []
    rows = [(f"setting {i}", number(m), number(d), number(d * found["dt"]))
            for i, (m, d) in enumerate(settings, start=1)]  # fmt: skip
    return tag(
        "section", tag("h2", "State space"),
        tag("p", f"Delay {counted(found['delay'], 'sample')}, dimension ",
            number(found["dimension"]), "; states within ",
            counted(found["theiler"], "sample"), " of each other are never compared."),
        figures,
        table("Admissible settings, all carried forward",
              ("Setting", "Dimension", "Delay (samples)", "Delay (time units)"), rows,
              numeric=(1, 2, 3)), id="space",
    )  # fmt: skip


def models_part(backtest: dict[str, Any] | None) -> Markup:
    """One line on the models, for the verdict."""
    if backtest is None:
        return _NOTHING
    best = backtest["best"][:1].upper() + backtest["best"][1:]
    useful = (
        f"{best} forecasts held-out data better than persistence and climatology."
        if backtest["useful"]
        else "No model beats both persistence and climatology on held-out data."
    )
    return escaped([tag("h3", "Can it be foretold?"), tag("p", useful)])


def _estimate(found: dict[str, Any]) -> Markup:
    if found["value"] is None:
        return number(None)
    low, high = found["interval"]
    shown = number(found["value"])
    return shown if low is None else escaped([shown, " (", interval(low, high), ")"])


def backtest_section(content: dict[str, Any], figures: Markup) -> Markup:
    """Models on held-out data, and the best one's long run."""
    found, run = content["backtest"], content["long_run"]
    if found is None:
        why = (
            "at rest there is nothing to foretell"
            if content["verdict"]["kind"] == "equilibrium"
            else "the record cannot be split into a past to learn from and a future to judge by"
        )
        return tag(
            "section", tag("h2", "Models"), tag("p", f"No model was judged: {why}."), id="models"
        )
    useful = set(found["useful_models"])
    rows = [
        (name, "yes" if name in useful else "no", _estimate(found["valid_time"][i]),
         _estimate(found["valid_time_periods"][i]), _estimate(found["valid_time_lyapunov"][i]),
         _estimate(found["blow_up_rate"][i]))
        for i, name in enumerate(found["models"])
    ]  # fmt: skip
    unit = "steps" if found["time_unit"] == "1" else found["time_unit"]
    parts = [
        tag("h2", "Models, judged on held-out data"),
        tag("p", f"Rolling origin: {found['n_origins']} forecasts in {found['n_folds']} folds; "
            "every model is fitted on what lies before."),
        bullets(found["reasons"]),
        table(f"Models; intervals at {found['level']:.0%}",
              ("Model", "Useful", f"Valid time ({unit})", "in periods", "in Lyapunov times",
               "Blow-up rate"), rows, numeric=(2, 3, 4, 5)),
        _skill_table(found), figures,
    ]  # fmt: skip
    if run is not None:
        parts += [tag("h3", "The best model's own behaviour beside the data's"),
                  tag("p", "The model is left alone, once without noise and once driven by its own "
                      "residuals. Distances are 0 for equal distributions or spectra; two halves "
                      "of the data differ by what stands in brackets, and no model can be asked "
                      "to do better."),
                  *(tag("p", line) for line in run["summary"].splitlines())]  # fmt: skip
    return tag("section", *parts, id="models")


def law_section(content: dict[str, Any]) -> Markup:
    """Equations of few terms, where they survive judgement; one line where none do."""
    law = content["law"]
    parts: list[Any] = [tag("h2", "Equations")]
    if not law["equations"]:
        return tag("section", *parts, tag("p", *law["reasons"]), id="law")
    rows = [
        (c["equation"], c["term"], number(c["value"], digits=6), interval(*c["interval"]),
         c["unit"] or "–")
        for c in law["coefficients"]
    ]  # fmt: skip
    parts += [
        tag("p", "A law of few terms follows the end of the record to within noise and survives "
            "judgement. ", tag("code", "takens discover"), " looks closer."),
        equations_block(law["equations"]), bullets(law["reasons"]),
        table(f"Coefficients, {law['coefficients'][0]['level']:.0%} intervals",
              ("Equation of", "Term", "Value", "Interval", "Unit"), rows, numeric=(2, 3)),
    ]  # fmt: skip
    return tag("section", *parts, id="law")


def equations_block(equations: list[str]) -> Markup:
    """Equations with their error bars, one a line."""
    block = tag("pre", tag("code", "\n".join(equations)), class_="equations")
    return block if equations else _NOTHING


def _skill_table(found: dict[str, Any]) -> Markup:
    """Skill against climatology at a few leads, where the arrays are short enough."""
    table_of, steps = found.get("skill_climatology"), found.get("steps")
    if not isinstance(table_of, list) or not isinstance(steps, list) or not steps:
        return _NOTHING
    count = len(steps)
    chosen = sorted({0, count // 4, count // 2, 3 * count // 4, count - 1})
    rows = [(name, *(number(table_of[i][k], digits=2) for k in chosen))
            for i, name in enumerate(found["models"])]  # fmt: skip
    heads = ("Model", *(f"{steps[k]} steps" for k in chosen))
    return table("Skill against climatology by lead: 1 is perfect, 0 no better", heads, rows,
                 numeric=range(1, len(heads)))  # fmt: skip


def repeat_section(content: dict[str, Any]) -> Markup:
    """Command, settings, provenance and references."""
    settings = {**content["settings"], **content["provenance"]}
    rows = []
    for key, value in settings.items():
        if isinstance(value, dict):
            text = ", ".join(f"{k} = {v}" for k, v in value.items()) or "none"
            rows.append((key, text))
        elif isinstance(value, (int, float)) and not isinstance(value, bool):
            rows.append((key.replace("_", " "), number(value)))
        else:
            rows.append((key.replace("_", " "), "no" if value is False else str(value)))
    return tag(
        "section", tag("h2", "Repeat this analysis"),
        tag("pre", tag("code", content["command"])),
        table("Settings and provenance", ("What", "Value"), rows),
        tag("h3", "References"), bullets(content["references"]), id="repeat",
    )  # fmt: skip
