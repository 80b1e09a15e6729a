"""From the simplest answer up, until what is left is noise."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any

import numpy as np

from takens.core import AbstractResult, Finding, InvalidInput
from takens.learn.partly.gaussian import GaussianProcess
from takens.learn.partly.network import Network
from takens.learn.partly.problem import WHITE, Problem
from takens.learn.partly.unknown import AbstractUnknown, MissingTerms, Nothing, Rung

if TYPE_CHECKING:
    import xarray as xr


@dataclasses.dataclass(frozen=True)
class Ladder(AbstractUnknown):
    """The simplest unknown part that leaves noise alone.

    Each rung is fitted in turn. The first whose residuals are no more correlated than noise (Ljung
    and Box), and no larger than the differences of the data allow, ends the climb (probability above
    0.01); where none does, the one of the lowest criterion is taken, with the caution that something
    is missing still.

    Parameters
    ----------
    rungs : tuple of AbstractUnknown
        From the simplest up.

    Raises
    ------
    InvalidInput
        If there is no rung.

    Notes
    -----
    ``fit.diagnostics["rungs"]`` is a `Rungs`: every rung that was tried, and why it was left. That
    residuals are noise says that nothing more can be learned from these data, not that the unknown
    part is the mechanism. Of records with nothing missing, one to three in a hundred are taken a rung
    too far.

    References
    ----------
    Ljung and Box, Biometrika 65, 297 (1978).

    Examples
    --------
    >>> import numpy as np
    >>> from takens.learn import known
    >>> data = np.exp(-0.3 * np.arange(40)) + 0.01 * np.random.default_rng(0).normal(size=40)
    >>> fit = (known("dx/dt = -k*x") + Ladder()).fit(data)
    >>> fit.diagnostics["rungs"].unknown
    ('nothing',)
    """

    rungs: tuple[AbstractUnknown, ...] = (
        Nothing(),
        MissingTerms(),
        GaussianProcess(),
        Network(),
    )

    def __post_init__(self) -> None:
        if not self.rungs or not all(isinstance(r, AbstractUnknown) for r in self.rungs):
            raise InvalidInput(f"rungs = {self.rungs!r}; expected one or more, as (Nothing(),).")

    def rung(self, problem: Problem) -> Rung:
        """Climb."""
        tried: list[Rung] = []
        for unknown in self.rungs:
            tried.append(unknown.rung(problem))
            if tried[-1].orbit is not None and tried[-1].whiteness >= WHITE:
                break
        best = tried[-1]
        if best.orbit is None or best.whiteness < WHITE:
            best = min(tried, key=lambda rung: rung.criterion)
        return dataclasses.replace(best, tried=tuple(tried))


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class Rungs(AbstractResult):
    """What was tried, from the simplest up.

    Parameters
    ----------
    unknown : tuple of str
        What each rung allowed beside the known part.
    numbers : array, shape (rung,)
        That the data had to give: of a residual with a prior, their effective number.
    noise : array, shape (rung, dim)
        Standard deviation of what the orbits leave, in the units of the columns; NaN without orbit.
    whiteness, criterion : array, shape (rung,)
        See `PartlyKnownLaw`.
    reasons : tuple of str
        Why each was left, or kept.
    kept : int
        Place of the one that is the answer.
    names : tuple of str
        Columns.
    """

    unknown: tuple[str, ...]
    numbers: np.ndarray
    noise: np.ndarray
    whiteness: np.ndarray
    criterion: np.ndarray
    reasons: tuple[str, ...]
    kept: int
    names: tuple[str, ...]

    def summary(self) -> str:
        """One line for each rung."""
        return "\n".join(
            f"{'* ' if i == self.kept else '  '}{name}: {self.numbers[i]:.3g} numbers, {reason}"
            for i, (name, reason) in enumerate(zip(self.unknown, self.reasons, strict=True))
        )

    def plot(self, ax: Any = None) -> Any:
        """Noise left of each column, over that of the first rung."""
        from takens.plot import axes, labels

        ax = axes(ax)
        for j, name in enumerate(self.names):
            ax.plot(self.unknown, self.noise[:, j] / self.noise[0, j], "o-", label=name)
        ax.legend()
        return labels(ax, ylabel="noise left, over the first rung's")

    def to_xarray(self) -> xr.Dataset:
        """By rung."""
        import xarray as xr

        return xr.Dataset(
            {
                "numbers": ("rung", self.numbers),
                "noise": (("rung", "equation"), self.noise),
                "whiteness": ("rung", self.whiteness),
                "criterion": ("rung", self.criterion),
            },
            coords={"rung": list(self.unknown), "equation": list(self.names)},
            attrs={"kept": self.unknown[self.kept]},
        )


def rungs_of(problem: Problem, end: Rung) -> Rungs:
    """The account of a climb."""
    nodes = problem.nodes
    kept = next(i for i, rung in enumerate(end.tried) if rung.orbit is end.orbit)
    reasons, findings = [], []
    for i, rung in enumerate(end.tried):
        if rung.orbit is None:
            reasons.append("no orbit follows the data")
        elif rung.whiteness >= WHITE:
            reasons.append(f"what is left is noise (probability {rung.whiteness:.2g})")
        else:
            reason = f"what is left is no noise (probability {rung.whiteness:.1g})"
            reasons.append(reason + (", but no rung does better" if i == kept else ""))
    if end.whiteness < WHITE:
        findings.append(
            Finding(
                code="ladder-ends",
                text="No rung leaves noise alone.",
                action="Something is missing still, or there is noise in the dynamics.",
                level="serious",
            )
        )
    blank = np.full(nodes.dim, np.nan)
    return Rungs(
        unknown=tuple(rung.unknown for rung in end.tried),
        numbers=np.array([np.nan if r.orbit is None else r.orbit.n_effective for r in end.tried]),
        noise=np.array([
            blank if r.orbit is None else np.sqrt(r.orbit.noise.measurement) for r in end.tried
        ]),
        whiteness=np.array([r.whiteness for r in end.tried]),
        criterion=np.array([r.criterion for r in end.tried]),
        reasons=tuple(reasons),
        kept=kept,
        names=nodes.names,
        cautions=tuple(findings),
    )  # fmt: skip
