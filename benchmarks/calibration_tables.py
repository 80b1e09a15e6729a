"""Tables and figure of the verdict's calibration, from the lines of `calibrate_verdict`."""

from __future__ import annotations

import math
import re
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import numpy as np
import signals

Line = dict[str, Any]
DOCS = Path(__file__).resolve().parent.parent / "docs"
KINDS = (
    "chaotic",
    "periodic",
    "quasiperiodic",
    "stochastic-linear",
    "stochastic-nonlinear",
    "nonstationary",
    "undetermined",
    "equilibrium",
    "error",
)


def wilson(count: int, total: int, z: float = 1.645) -> tuple[float, float]:
    """90 % interval of a share (Wilson 1927)."""
    if not total:
        return math.nan, math.nan
    share, z2 = count / total, z * z
    centre = (share + z2 / (2 * total)) / (1 + z2 / total)
    half = z / (1 + z2 / total) * math.sqrt(share * (1 - share) / total + z2 / (4 * total**2))
    return max(0.0, centre - half), min(1.0, centre + half)


def share(count: int, total: int) -> str:
    low, high = wilson(count, total)
    return (
        f"{count}/{total} = {count / total:.1%} ({low:.1%} to {high:.1%})" if total else "no runs"
    )


def table(header: Iterable[str], rows: Iterable[Iterable[object]]) -> str:
    header = list(header)
    lines = ["| " + " | ".join(header) + " |", "|" + " --- |" * len(header)]
    lines += ["| " + " | ".join(str(cell) for cell in row) + " |" for row in rows]
    return "\n".join(lines)


def right(line: Line) -> bool:
    return line["kind"] in signals.SIGNALS[line["signal"]].kinds


def is_core(line: Line) -> bool:
    signal = signals.SIGNALS[line["signal"]]
    if not signal.core or line["noise"] not in signals.CORE_NOISE.get(signal.name, (0.0,)):
        return False
    return signal.family != "chaotic" or line["n"] == 5000


def label(line: Line) -> str:
    return line["signal"] + (f" + {line['noise']:.0%} noise" if line["noise"] else "")


def grouped(lines: Iterable[Line], by: Callable[[Line], Any]) -> dict[Any, list[Line]]:
    groups: dict[Any, list[Line]] = defaultdict(list)
    for line in lines:
        groups[by(line)].append(line)
    return dict(groups)


def _order(line: Line) -> int:
    return list(signals.SIGNALS).index(line["signal"])


def exponents(lines: Iterable[Line]) -> tuple[np.ndarray, np.ndarray, int]:
    """Relative errors, whether the interval covers the truth, and how many runs gave no number."""
    errors, covered, absent = [], [], 0
    for line in lines:
        truth = signals.SIGNALS[line["signal"]].exponent
        value, low, high = line.get("exponent") or (None, None, None)
        if value is None:
            absent += 1
            continue
        errors.append(abs(value / truth - 1))
        covered.append(low is not None and low <= truth <= high)
    return np.array(errors), np.array(covered, bool), absent


def pass_marks(lines: list[Line]) -> str:
    core = [line for line in lines if is_core(line)]
    family = grouped(core, lambda r: signals.SIGNALS[r["signal"]].family)
    rows: list[tuple[str, str, str, str]] = []

    def row(
        what: str, runs: list[Line], test: Callable[[Line], bool], mark: float, up: bool
    ) -> None:
        count = sum(test(r) for r in runs)
        if runs:
            met = count / len(runs) >= mark if up else count / len(runs) <= mark
            sign = "at least" if up else "at most"
            rows.append(
                (what, f"{sign} {mark:.0%}", share(count, len(runs)), "yes" if met else "NO")
            )

    def chaos(line: Line) -> bool:
        return bool(line["kind"] == "chaotic")

    chaotic = family.get("chaotic", [])
    row("logistic, Hénon, Lorenz, Rössler: `chaotic`", chaotic, chaos, 0.9, True)
    if chaotic:
        errors, covered, absent = exponents(chaotic)
        median = float(np.median(errors)) if errors.size else math.nan
        note = f"{median:.1%}" + (f"; {absent} without a number" if absent else "")
        rows.append(
            (
                "median error of their exponent",
                "at most 10%",
                note,
                "yes" if median <= 0.1 else "NO",
            )
        )
        # A run without a number does not cover.
        hits, total = int(covered.sum()), len(chaotic)
        met = "yes" if hits / total >= 0.8 else "NO"
        rows.append(("90 % interval covers the truth", "at least 80%", share(hits, total), met))
    regular = family.get("regular", [])
    for name, runs in grouped(sorted(regular, key=_order), lambda r: r["signal"]).items():
        levels = ", ".join(f"{100 * level:.0f}" for level in sorted({r["noise"] for r in runs}))
        row(f"{name} ({levels} % noise): regular", runs, right, 0.95, True)
    row("all of these: `chaotic`", regular, chaos, 0.01, False)
    noises = grouped(sorted(family.get("noise", []), key=_order), label)
    for name, runs in noises.items():
        row(f"{name}: `chaotic`", runs, chaos, 0.01, False)
    row("all kinds of noise: `chaotic`", family.get("noise", []), chaos, 0.01, False)
    return table(("what", "pass mark", "measured (90 % interval)", "met"), rows)


def confusion(lines: list[Line]) -> str:
    ordered = sorted(lines, key=lambda r: (_order(r), r["noise"], r["n"], r["dt"]))
    rows = []
    for (name, n, dt), runs in grouped(ordered, lambda r: (label(r), r["n"], r["dt"])).items():
        count = Counter(r["kind"] for r in runs)
        verdicts = ", ".join(f"{kind} {count[kind]}" for kind in KINDS if count[kind])
        correct = f"{sum(map(right, runs)) / len(runs):.0%}"
        rows.append((name, f"{n:,}", f"{dt:g}", len(runs), verdicts, correct))
    return table(("signal", "N", "step", "runs", "verdicts", "right"), rows)


def exponent_table(lines: list[Line]) -> str:
    chaotic = [r for r in lines if signals.SIGNALS[r["signal"]].family == "chaotic"]
    ordered = sorted(chaotic, key=lambda r: (_order(r), r["noise"], r["n"], r["dt"]))
    rows = []
    for (name, n, dt), runs in grouped(ordered, lambda r: (label(r), r["n"], r["dt"])).items():
        errors, covered, absent = exponents(runs)
        values = [r["exponent"][0] for r in runs if (r.get("exponent") or [None])[0] is not None]
        median = f"{np.median(values):.4g}" if values else "none"
        error = f"{np.median(errors):.1%}" if errors.size else "none"
        truth = f"{signals.SIGNALS[runs[0]['signal']].exponent:.4g}"
        cover = f"{covered.sum()}/{len(runs)}"
        rows.append((name, f"{n:,}", f"{dt:g}", truth, median, error, cover, absent))
    header = ("signal", "N", "step", "truth", "median", "median error", "covered", "no number")
    return table(header, rows)


def cost_table(lines: list[Line]) -> str:
    rows = []
    for n, runs in sorted(grouped(lines, lambda r: r["n"]).items()):
        cpu = np.array([r["cpu"] for r in runs if "cpu" in r])
        if cpu.size:
            worst = f"{cpu.max():.1f}"
            rows.append(
                (
                    f"{n:,}",
                    len(runs),
                    f"{np.median(cpu):.2f}",
                    f"{np.quantile(cpu, 0.95):.2f}",
                    worst,
                )
            )
    return table(("N", "runs", "median CPU s", "95 %", "most"), rows)


def misses(lines: list[Line]) -> str:
    """Every wrong verdict with its evidence, and the shares by cell."""
    wrong = sorted((r for r in lines if not right(r)), key=lambda r: (_order(r), r["n"], r["seed"]))
    parts = [pass_marks(lines), "", confusion(lines), "", exponent_table(lines), ""]
    parts.append(cost_table(lines))
    for r in wrong:
        name = f"{label(r)} N={r['n']} dt={r['dt']:g} seed={r['seed']}"
        parts.append(f"\n{name}: {r['kind']}  exponent {r.get('exponent')} {r.get('error', '')}")
        parts.append("   " + "; ".join(f"{k} {v}" for k, v in r.get("evidence", {}).items()))
        parts.append("   " + " ".join(r.get("reasons", [])))
    return "\n".join(parts)


def figure(lines: list[Line], path: Path) -> None:
    """Confusion over signals; chaos found against noise and length; exponents against the truth."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot as plt

    fig = plt.figure(figsize=(11, 9), layout="constrained")
    grid = fig.add_gridspec(2, 3, height_ratios=(1.7, 1))
    _draw_confusion(fig, fig.add_subplot(grid[0, :]), lines)
    if any(r["noise"] for r in lines if signals.SIGNALS[r["signal"]].family == "chaotic"):
        noise, length, right_hand = (fig.add_subplot(grid[1, i]) for i in range(3))
        _draw_share(noise, lines, "noise", "noise / signal (standard deviations)")
        _draw_share(length, lines, "n", "samples, no noise")
        _draw_exponents(right_hand, lines)
    else:  # only the set with a pass mark was run
        _draw_exponents(fig.add_subplot(grid[1, :]), lines)
    path.parent.mkdir(parents=True, exist_ok=True)
    fig.savefig(path, dpi=110)
    plt.close(fig)


def _draw_confusion(fig: Any, ax: Any, lines: list[Line]) -> None:
    shown = [r for r in lines if is_core(r) or (r["noise"] == 0 and r["n"] in (500, 2000, 5000))]
    groups = grouped(sorted(shown, key=lambda r: (_order(r), r["noise"])), label)
    kinds = [k for k in KINDS if k not in ("equilibrium", "error")]
    kinds += [k for k in KINDS[-2:] if any(r["kind"] == k for r in shown)]
    shares = np.array(
        [[sum(r["kind"] == k for r in g) / len(g) for g in groups.values()] for k in kinds]
    )
    drawn = ax.imshow(shares, aspect="auto", cmap="Blues", vmin=0, vmax=1)
    for (i, j), value in np.ndenumerate(shares):
        if value > 0:
            colour = "white" if value > 0.6 else "black"
            ax.text(j, i, f"{100 * value:.0f}", ha="center", va="center", fontsize=7, color=colour)
    for j, group in enumerate(groups.values()):
        for kind in signals.SIGNALS[group[0]["signal"]].kinds:
            box = (j - 0.5, kinds.index(kind) - 0.5)
            ax.add_patch(_frame(box))
    ax.set_xticks(range(len(groups)), list(groups), rotation=45, ha="right", fontsize=8)
    ax.set_yticks(range(len(kinds)), kinds, fontsize=8)
    ax.set_title("Verdicts in per cent of runs; framed: right. All lengths and steps together.")
    fig.colorbar(drawn, ax=ax, label="share", pad=0.01)


def _frame(corner: tuple[float, float]) -> Any:
    from matplotlib.patches import Rectangle

    return Rectangle(corner, 1, 1, fill=False, edgecolor="tab:orange", lw=1.5)


def _draw_share(ax: Any, lines: list[Line], axis: str, xlabel: str) -> None:
    default = {name: signal.dt for name, signal in signals.SIGNALS.items()}
    chaotic = [
        r
        for r in lines
        if signals.SIGNALS[r["signal"]].family == "chaotic"
        and r["dt"] == default[r["signal"]]
        and (r["n"] == 5000 if axis == "noise" else r["noise"] == 0)
    ]
    for name, runs in grouped(sorted(chaotic, key=_order), lambda r: r["signal"]).items():
        cells = sorted(grouped(runs, lambda r: r[axis]).items())
        found = [100 * sum(r["kind"] == "chaotic" for r in g) / len(g) for _, g in cells]
        ax.plot([x for x, _ in cells], found, "o-", ms=3, lw=1, label=name)
    ax.set(xlabel=xlabel, ylabel="called chaotic (%)", ylim=(-4, 104))
    if axis == "n":
        ax.set_xscale("log")
        lengths = sorted({r["n"] for r in chaotic})
        ax.set_xticks(lengths, [f"{n:,}" for n in lengths], minor=False)
        ax.minorticks_off()
    else:
        ax.legend(fontsize=6)


def _draw_exponents(ax: Any, lines: list[Line]) -> None:
    core = [r for r in lines if is_core(r) and signals.SIGNALS[r["signal"]].family == "chaotic"]
    groups = grouped(sorted(core, key=_order), lambda r: f"{r['signal']} {r['dt']:g}")
    for j, runs in enumerate(groups.values()):
        known = [r for r in runs if (r.get("exponent") or [None, None])[1] is not None]
        truth = signals.SIGNALS[runs[0]["signal"]].exponent
        for i, r in enumerate(known):
            value, low, high = (e / truth for e in r["exponent"])
            x = j + 0.6 * (i / max(1, len(known) - 1) - 0.5)
            ax.plot([x, x], [low, high], color="tab:blue", lw=0.5)
            ax.plot(x, value, ".", color="tab:blue", ms=2)
    ax.axhline(1, color="black", lw=0.8)
    ax.set_xticks(range(len(groups)), list(groups), rotation=45, ha="right", fontsize=7)
    ax.set(ylabel="exponent / truth", ylim=(0, 2))


def publish(lines: list[Line], key: str) -> None:
    """Print the tables, put them between the marks in docs/calibration.md, draw the figure."""
    if not lines:
        raise SystemExit(f"No runs of code {key} are on file; the page is left as it is.")
    blocks = {
        "code": f"Measured with version and code `{key}`, {len(lines):,} runs.",
        "marks": pass_marks(lines),
        "confusion": confusion(lines),
        "exponents": exponent_table(lines),
        "cost": cost_table(lines),
    }
    page = DOCS / "calibration.md"
    text = page.read_text()
    for name, block in blocks.items():
        print(block, end="\n\n")
        begin, end = f"<!-- begin {name} -->", f"<!-- end {name} -->"
        pattern = re.compile(re.escape(begin) + ".*?" + re.escape(end), re.DOTALL)
        text = pattern.sub(lambda _, a=begin, b=block, c=end: f"{a}\n{b}\n{c}", text)
    page.write_text(text)
    figure(lines, DOCS / "_static" / "calibration.png")
