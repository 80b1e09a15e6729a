"""Recompute what is true of the known systems: Lyapunov exponents, dimension, exact identities.

python benchmarks/known_systems.py            recompute everything and write the numbers
python benchmarks/known_systems.py HenonMap   recompute some and compare with the stored numbers
                                              (with --write: and store these)
python benchmarks/known_systems.py --page     only write the page of the documentation again

Numbers go to src/takens/systems/truths.py, from where the classes take them, and the page is
written from these.
"""

from __future__ import annotations

import dataclasses
import math
import sys
import textwrap
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from takens import dynamics, systems
from takens.systems import Reference
from takens.systems.truths import TRUTHS

ROOT = Path(__file__).resolve().parents[1]
NUMBERS = ROOT / "src" / "takens" / "systems" / "truths.py"
PAGE = ROOT / "docs" / "systems.md"


@dataclasses.dataclass(frozen=True, kw_only=True)
class Case:
    """How one system is measured, and what is known of it beforehand.

    `span` and `every` are in time units (iterates of a map); `exact` gives exponents in closed
    form, and then nothing is measured.
    """

    span: float = 0.0
    every: float = 1.0
    exact: Callable[[Any], list[float]] | None = None
    total: Callable[[Any], float] | None = None
    identity: str = ""
    dimension: float | None = None
    agrees_with: str = ""


def _eigenvalues(system: Any) -> list[float]:
    """Real parts at the state of rest to which the start leads."""
    import jax
    import jax.numpy as jnp

    rest = dynamics.lyapunov_spectrum(system, system.x0, n_steps=40, n_transient=1000).last_state
    tangent = jax.jacfwd(lambda x: system.vector_field(0.0, x))(jnp.array(rest))
    return sorted(np.linalg.eigvals(np.asarray(tangent)).real, reverse=True)


SPROTT = "Sprott, Chaos and Time-Series Analysis (2003)"
HAMILTONIAN = "pairs of opposite sign; the inner pair is zero, reached as ln T / T"
CASES = {
    "Lorenz63": Case(
        span=1e5, every=0.5, total=lambda s: -float(s.sigma + s.beta + 1),
        identity="sum = −(σ + β + 1)", agrees_with=f"{SPROTT}: 0.9056, 0, −14.5723",
    ),
    "Lorenz84": Case(span=5e4, every=0.5),
    "Lorenz96": Case(
        span=4000, every=0.25, total=lambda s: -float(s.n_sites),
        identity="sum = −N", agrees_with="Lorenz and Emanuel, J. Atmos. Sci. 55, 399 (1998): 13 positive, D = 27.1",
    ),
    "Rossler": Case(span=2e5, agrees_with=f"{SPROTT}: 0.0714, 0, −5.3943"),
    "Chua": Case(span=5e4, every=0.5),
    "Thomas": Case(
        span=2e5, every=2.0, total=lambda s: -3 * float(s.b), identity="sum = −3 b",
        agrees_with=f"{SPROTT}: 0.0349, 0, −0.5749",
    ),
    "SprottJerk": Case(
        span=2e5, total=lambda s: -float(s.damping), identity="sum = −A",
        agrees_with=f"{SPROTT}: 0.0551, 0, −2.0721",
    ),
    "Duffing": Case(
        span=1e5, total=lambda s: -float(s.damping), identity="sum = −δ"
    ),
    "ForcedVanDerPol": Case(span=1e4, every=0.5),
    "ForcedPendulum": Case(span=1e5, total=lambda s: -float(s.damping), identity="sum = −γ"),
    "HastingsPowell": Case(span=4e5, every=5.0),
    "HindmarshRose": Case(span=4e4),
    "Kuramoto": Case(
        span=4000, identity="two exponents zero: time, and a common shift of the phases"
    ),
    "HenonHeiles": Case(span=1e5, dimension=math.nan, identity=HAMILTONIAN, total=lambda s: 0.0),
    "DoublePendulum": Case(span=2e4, dimension=math.nan, identity=HAMILTONIAN),
    "SeasonalSEIR": Case(span=5000, every=0.25),
    "SeasonalSIR": Case(span=2000, every=0.5, dimension=0.0, identity="a cycle of two years"),
    "VanDerPol": Case(span=1e4, dimension=1.0, identity="a limit cycle: one exponent zero"),
    "FastSlowVanDerPol": Case(
        span=400, every=0.1, dimension=1.0, identity="a limit cycle: one exponent zero"
    ),
    "FitzHughNagumo": Case(span=2e4, dimension=1.0, identity="a limit cycle: one exponent zero"),
    "Brusselator": Case(span=1e4, dimension=1.0, identity="a limit cycle: one exponent zero"),
    "HodgkinHuxley": Case(span=5000, dimension=1.0, identity="a limit cycle: one exponent zero"),
    "StuartLandau": Case(
        exact=lambda s: [0.0, -2 * float(s.mu)], dimension=1.0, identity="0 and −2 μ"
    ),
    "Pendulum": Case(exact=lambda s: [0.0, 0.0], identity="integrable: both zero"),
    "LotkaVolterra": Case(exact=lambda s: [0.0, 0.0], identity="integrable: both zero"),
    "LinearFlow": Case(exact=_eigenvalues, dimension=0.0, identity="real parts of eigenvalues"),
    "DoubleWell": Case(exact=_eigenvalues, dimension=0.0, identity="−2 a, at rest in a well"),
    "StommelBox": Case(exact=_eigenvalues, dimension=0.0, identity="eigenvalues at rest"),
    "LogisticMap": Case(
        exact=lambda s: [math.log(2)], dimension=1.0, identity="ln 2, conjugate to the tent map"
    ),
    "TentMap": Case(exact=lambda s: [math.log(s.slope)], dimension=1.0, identity="ln s"),
    "BernoulliMap": Case(exact=lambda s: [math.log(s.slope)], dimension=1.0, identity="ln s"),
    "RickerMap": Case(span=1e7, dimension=1.0),
    "HenonMap": Case(
        span=2e7, total=lambda s: math.log(s.b), identity="sum = ln b",
        agrees_with=f"{SPROTT}: 0.41922, −1.62319",
    ),
    "LoziMap": Case(span=1e7, total=lambda s: math.log(s.b), identity="sum = ln b"),
    "IkedaMap": Case(
        span=1e7, total=lambda s: 2 * math.log(s.feedback), identity="sum = 2 ln B",
    ),
    "StandardMap": Case(
        span=1e7, dimension=2.0, total=lambda s: 0.0, identity="area is preserved",
        agrees_with="Chirikov, Phys. Rep. 52, 263 (1979): near ln(K / 2) = 1.0986",
    ),
    "ArnoldCat": Case(
        exact=lambda s: [math.log((3 + 5**0.5) / 2), -math.log((3 + 5**0.5) / 2)], dimension=2.0,
        total=lambda s: 0.0, identity="± ln((3 + √5) / 2)",
    ),
    "LeslieRicker": Case(span=1e7),
    "CoupledLogistic": Case(span=1e6),
    "LinearMap": Case(
        exact=lambda s: sorted(np.log(np.abs(np.linalg.eigvals(s.matrix))), reverse=True),
        dimension=0.0, identity="logarithms of moduli of eigenvalues",
    ),
}  # fmt: skip


def measure(name: str, fraction: float = 1.0, seed: int = 0) -> Reference:
    """The invariants of one system, over a `fraction` of its full span."""
    case, system = CASES[name], getattr(systems, name)()
    total = None if case.total is None else case.total(system)
    if case.exact is not None:
        values = [float(value) for value in case.exact(system)]
        return Reference(
            exponents=tuple(round(value, 10) for value in values),
            standard_errors=(0.0,) * len(values),
            dimension=math.nan if case.dimension is None else case.dimension,
            total=total,
            identity=case.identity,
            settings="exact",
            agrees_with=case.agrees_with,
        )
    n_steps = round(case.span * fraction / case.every)
    spectrum = dynamics.lyapunov_spectrum(
        system, system.x0, dt=case.every, n_steps=n_steps,
        n_transient=max(100, n_steps // 50), seed=seed,
    )  # fmt: skip
    if case.dimension is None:
        dimension, error = spectrum.kaplan_yorke.value, spectrum.kaplan_yorke.standard_error
    else:
        dimension, error = case.dimension, 0.0
    if total is not None:
        gap = abs(spectrum.sum.value - total)
        if gap > 1e-5 * max(1, abs(total)):
            raise ArithmeticError(f"{name}: the sum misses its identity by {gap}")
    how = "iterates" if case.every == 1 and not hasattr(system, "integrator") else "time units"
    step = f", steps of at most {system.integrator.max_step:.4g} (order 8)" if how[0] == "t" else ""
    return Reference(
        exponents=_rounded(spectrum.exponents, spectrum.standard_error),
        standard_errors=_rounded(spectrum.standard_error, spectrum.standard_error),
        dimension=_rounded([dimension], [error])[0],
        dimension_error=_rounded([error], [error])[0],
        total=total,
        identity=case.identity,
        settings=f"one orbit of {case.span * fraction:g} {how}, 20 blocks{step}",
        agrees_with=case.agrees_with,
    )


def _rounded(values: Any, errors: Any) -> tuple[float, ...]:
    """To the second digit of the error, and never beyond the sixth decimal."""
    places = [6 if not e > 0 else min(6, 1 - math.floor(math.log10(e))) for e in errors]
    return tuple(round(float(v), p) + 0.0 for v, p in zip(values, places, strict=True))


def distance(new: Reference, old: Reference) -> float:
    """The largest difference of an exponent, in combined standard errors."""
    gaps = np.abs(np.subtract(new.exponents, old.exponents))
    errors = np.hypot(new.standard_errors, old.standard_errors)
    return float(np.max(gaps / np.maximum(errors, 1e-6)))


def write_numbers(found: dict[str, Reference]) -> None:
    lines = [
        '"""Recomputed invariants of the known systems. Written by benchmarks/known_systems.py."""',
        "",
        "from takens.systems.known import Reference",
        "",
        "# fmt: off",
        "TRUTHS = {",
    ]
    for name, reference in sorted(found.items()):
        lines.append(f'    "{name}": Reference(')
        for field in dataclasses.fields(reference):
            value = getattr(reference, field.name)
            if value != field.default and not (isinstance(value, float) and math.isnan(value)):
                entry = f"{field.name}={value!r},".replace("'", '"')
                lines += textwrap.wrap(entry, 100, initial_indent=" " * 8,
                                       subsequent_indent=" " * 12, break_on_hyphens=False)  # fmt: skip
        lines.append("    ),")
    NUMBERS.write_text("\n".join([*lines, "}"]) + "\n", encoding="utf-8")


HEADER = """# Known systems

Every system below is a class of `takens.systems`; called without arguments it has the parameters of
its source, `x0` is a start on its attractor and `dt` an interval at which it can be observed.
`takens.systems.catalogue()` lists them all, {doc}`reference` gives equations and sources.

```python
import takens

system = takens.systems.Lorenz63(rho=40.0)
takens.dynamics.lyapunov_spectrum(system, system.x0, dt=0.5)
```

## Recomputed invariants

Lyapunov exponents are per time unit (per iterate of a map), base e, with the standard error of the
last digits in parentheses; where there is none, the value is exact. Of a forced system they are
those of its state, without the zero of time. Of more than four exponents the first four are shown,
and the last of those computed.
An error comes from the averages over 20 blocks of one orbit. D is the Kaplan-Yorke dimension. An identity holds
exactly, and the computed exponents satisfy it to 1e-5. `System.truth` holds the same numbers with all
digits. `python benchmarks/known_systems.py` computes them anew, and `extended_spectra.py` beside it
those of fields and delays.

| system | dim | exponents | D | known exactly | how | a source that agrees |
| --- | --- | --- | --- | --- | --- | --- |
"""


def bracketed(value: float, error: float) -> str:
    """The value with the error of its last digits, as in 0.9056(4)."""
    if not error > 0:
        return f"{value:.6g}".replace("-", "−")
    places = max(0, min(6, 1 - math.floor(math.log10(error))))
    return f"{value:.{places}f}({round(error * 10**places)})".replace("-", "−")


def page() -> str:
    """The page of the documentation, from the stored numbers."""
    text = HEADER
    others = []
    for entry in systems.catalogue():
        truth = entry.system.truth
        if truth is None:
            others.append(f"| {entry.name} | {entry.kind} | {entry.dim} | {entry.description} |\n")
            continue
        pairs = list(zip(truth.exponents, truth.standard_errors, strict=True))
        shown = ", ".join(bracketed(*pair) for pair in pairs[:4])
        more = f" … {bracketed(*pairs[-1])}" if len(pairs) > 4 else ""
        dimension = "" if math.isnan(truth.dimension) else bracketed(
            truth.dimension, truth.dimension_error
        )  # fmt: skip
        identity = truth.identity
        if truth.total is not None and "sum" in identity:
            identity += f" = {truth.total:.6g}".replace("-", "−")
        text += (
            f"| {entry.name} | {entry.dim} | {shown}{more} | {dimension} | {identity} "
            f"| {truth.settings} | {truth.agrees_with} |\n"
        )
    text += "\n## The others\n\n| system | kind | dim | what it is |\n| --- | --- | --- | --- |\n"
    return text + "".join(others)


def main(arguments: list[str]) -> None:
    if arguments == ["--page"]:
        PAGE.write_text(page(), encoding="utf-8")
        return
    names = [name for name in arguments if name != "--write"]
    found = {}
    for name in names or CASES:
        found[name] = measure(name)
        old = getattr(systems, name).truth
        apart = "" if old is None else f"  {distance(found[name], old):.1f} errors from the stored"
        print(name, found[name].exponents[:4], found[name].standard_errors[:4],
              found[name].dimension, apart, flush=True)  # fmt: skip
    if not names or "--write" in arguments:
        write_numbers(TRUTHS | found)
        print("Written. Now this script with --page.")


if __name__ == "__main__":
    main(sys.argv[1:])
