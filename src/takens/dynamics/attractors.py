"""The attractors that given starts reach, found without knowing them beforehand."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from takens.core import AbstractResult, Estimate, Finding, InvalidInput, Status, require
from takens.core.system import AbstractSystem
from takens.dynamics.door import (
    a_number,
    an_input,
    counts,
    describe,
    evolution,
    fraction,
    states,
)
from takens.dynamics.places import LOST, UNDECIDED, Attractor, Search, Space
from takens.dynamics.settling import explore

if TYPE_CHECKING:
    import xarray as xr

MANY = 32  # attractors, beyond which a resolution too fine is likelier than so many


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class Attractors(AbstractResult):
    """Attractors, and which start goes where.

    Parameters
    ----------
    components : tuple of str
        Names of the state components.
    attractors : tuple of Attractor
        Ordered by their centres, the first component first.
    starts : array, shape (sample, dim)
        In state units.
    labels : array, shape (sample,)
        Number of the attractor that each start reaches; -1 diverged, -2 undecided.
    steps : array, shape (sample,)
        Steps after which that was certain; NaN where undecided.
    shares : tuple of Estimate
        Fraction of the starts at each attractor.
    diverged, undecided : Estimate
        Fraction of the starts that were lost, and that reached nothing in time.
    """

    components: tuple[str, ...]
    attractors: tuple[Attractor, ...]
    starts: np.ndarray
    labels: np.ndarray
    steps: np.ndarray
    shares: tuple[Estimate, ...]
    diverged: Estimate
    undecided: Estimate

    def summary(self) -> str:
        """Each attractor with its share."""
        return listed(self.attractors, self.shares, self.diverged, self.undecided)

    def plot(self, ax: Any = None) -> Any:
        """The points of each attractor in its colour, in the first two components."""
        from takens import plot

        ax = plot.axes(ax)
        draw(ax, self.attractors, 0, min(1, len(self.components) - 1), legend=True)
        return plot.labels(
            ax, self.components[0], self.components[min(1, len(self.components) - 1)]
        )

    def to_xarray(self) -> xr.Dataset:
        """Starts with labels and steps, and all attractor points with the number of their owner."""
        import xarray as xr

        return xr.Dataset(
            {
                "start": (("sample", "component"), self.starts),
                "label": ("sample", self.labels),
                "steps": ("sample", self.steps),
            }
            | points_table(self.attractors, len(self.components)),
            {"component": list(self.components)},
            attrs={"status": self.status.name},
        )


def attractors(
    system: Any,
    x0: Any,
    *,
    dt: float = 1.0,
    n_transient: int = 500,
    n_steps: int = 500,
    n_pilots: int = 128,
    tolerance: float = 0.005,
    wrap: Mapping[str, float] | None = None,
    escape: float = 1e8,
    u: Any = None,
    level: float = 0.9,
    seed: int = 0,
    throw: bool = True,
    progress: Callable[[float], None] | None = None,
) -> Attractors:
    """The attractors that a set of starts reaches, told apart by recurrence.

    Pilot orbits pass a transient and are recorded. A record on which the later half returns to the
    earlier half lies on an attractor; records that overlap lie on the same. Then every start runs
    until it has stayed at one of them, or is lost; starts that reach none are recorded in turn.

    Parameters
    ----------
    system : AbstractMap or AbstractFlow
        Known, learned or derived.
    x0 : array, shape (sample, dim)
        Starts, in state units. Their range in each component is its scale.
    dt : float
        Time between looks, in time units; 1 for a map. For a forced flow, the period of the force.
    n_transient, n_steps : int
        Steps that a pilot drops, and records. A start is followed for as many together, up to
        four times.
    n_pilots : int
        Number of recorded orbits.
    tolerance : float
        Two states are one when they differ by less than this fraction of the scale in every
        component. Attractors closer than this are taken for one.
    wrap : mapping of str to float, optional
        Components that are angles, with their period in state units, such as ``{"angle": 2 * pi}``.
    escape : float
        A start is lost when it is this many scales away from the middle, or non-finite.
    u : array, shape (input,), optional
        A constant input.
    level : float
        Coverage of the intervals.
    seed : int
        For the choice of pilots.
    throw : bool
        Whether to raise when no start reaches an attractor.
    progress : callable, optional
        Called with the fraction done.

    Returns
    -------
    Attractors

    Raises
    ------
    WrongKind
        If `system` is a diffusion or no system.
    InvalidInput
        If a shape is wrong, a number out of range or an angle unknown.
    NumericalFailure
        If all starts diverge, or none is decided, and `throw`.

    Notes
    -----
    Cost: for each start the steps to its attractor and about a fifth more; for the pilots
    ``n_pilots * (n_transient + n_steps)`` steps. Memory ``(sample + n_pilots * n_steps) * dim``.
    *What this does not establish*: an attractor that no start reaches is not found; motion that
    creeps by less than `tolerance` in `n_steps` steps looks like a point, and a long chaotic
    transient like an attractor; on a chaotic attractor of many dimensions no orbit of affordable
    length returns, and its starts stay undecided. So does a start exactly on an unstable point.

    References
    ----------
    Datseris and Wagemakers, Chaos 32, 023104 (2022), for recurrence as the only criterion.

    Examples
    --------
    >>> from takens.systems import LogisticMap
    >>> found = attractors(LogisticMap(r=3.2), [[0.1], [0.4], [2.0]])
    >>> print(found)
    One attractor: cycle of period 2 at (0.6562), share 0.6667 (90%: 0.2535 to 0.9217). Diverged 0.3333.
    """
    evolution(system, dt)
    starts = states(system, x0)
    fraction(level=level)
    search = prepared(
        system, starts, dt=dt, n_transient=n_transient, n_steps=n_steps, n_pilots=n_pilots,
        tolerance=tolerance, wrap=wrap, escape=escape, u=u, seed=seed, progress=progress,
    )  # fmt: skip
    found, labels, steps = explore(search, starts, seed)
    shares, diverged, undecided = counted_shares(
        labels, len(found), level, "Wilson interval, the starts taken as independent draws"
    )
    status = outcome(labels)
    require(status, throw=throw)
    return Attractors(
        components=tuple(system.names),
        attractors=found,
        starts=starts,
        labels=labels,
        steps=steps,
        shares=shares,
        diverged=diverged,
        undecided=undecided,
        status=status,
        cautions=doubts(found, labels),
        provenance=describe(system) | settings(search, dt, seed),
    )


def prepared(
    system: AbstractSystem, starts: np.ndarray, *, dt: float, n_transient: int, n_steps: int,
    n_pilots: int, tolerance: float, wrap: Mapping[str, float] | None, escape: float, u: Any,
    seed: int, progress: Callable[[float], None] | None, scale: np.ndarray | None = None,
) -> Search:  # fmt: skip
    """The search for given starts (sample, dim), with everything checked.

    The scale (dim,) is the range of the starts when it is not given.

    Raises
    ------
    InvalidInput
        If a number is out of range or an angle unknown.
    """
    counts(n_transient=n_transient, n_steps=n_steps, n_pilots=n_pilots, seed=seed)
    a_number(escape=escape)
    u = an_input(system, u)
    fraction(tolerance=tolerance)
    if n_steps < 20:
        raise InvalidInput(f"n_steps = {n_steps}; a return needs 20 recorded steps or more.")
    if not escape > 1:
        raise InvalidInput(f"escape = {escape}; expected a number of scales above 1.")
    low, high = starts.min(axis=0), starts.max(axis=0)
    middle = 0.5 * (low + high)
    if scale is None:
        # A component that does not vary is measured by itself, or as the others are.
        usual = min(1.0, float(np.maximum(high - low, np.abs(middle)).max())) or 1.0
        scale = np.where(high > low, high - low, np.maximum(np.abs(middle), usual))
    turns = np.zeros(system.dim)
    if wrap is not None and not isinstance(wrap, Mapping):
        raise InvalidInput(
            f"wrap is {type(wrap).__name__}; expected a mapping from names of angles to their periods."
        )
    for name, period in (wrap or {}).items():
        a_number(**{f"wrap[{name!r}]": period})
        if name not in system.names or not (np.isfinite(period) and period > 0):
            raise InvalidInput(
                f"wrap holds {name!r}: {period!r}. Give names among {', '.join(system.names)}, "
                "each with the positive period of its angle."
            )
        index = list(system.names).index(name)
        scale[index] = min(scale[index], period)
        turns[index] = period / scale[index]
    space = Space(centre=middle, scale=scale, wrap=turns, tolerance=tolerance, escape=escape)
    return Search(
        evolution=evolution(system, dt), u=u, space=space, n_transient=n_transient,
        n_steps=n_steps, n_pilots=n_pilots, progress=progress,
    )  # fmt: skip


def settings(search: Search, dt: float, seed: int) -> dict[str, Any]:
    """What a result's provenance says of the search."""
    return {
        "dt": dt, "n_transient": search.n_transient, "n_steps": search.n_steps,
        "n_pilots": search.n_pilots, "tolerance": search.space.tolerance,
        "escape": search.space.escape, "scale": search.space.scale.tolist(), "seed": seed,
    }  # fmt: skip


def wilson(count: int, number: int, level: float, method: str) -> Estimate:
    """A fraction with Wilson's score interval, J. Am. Stat. Assoc. 22, 209 (1927)."""
    from scipy.special import ndtri

    p, z = count / number, float(ndtri(0.5 + level / 2))
    middle = (p + z**2 / (2 * number)) / (1 + z**2 / number)
    reach = z / (1 + z**2 / number) * (p * (1 - p) / number + z**2 / (4 * number**2)) ** 0.5
    return Estimate(
        value=p,
        interval=(max(0.0, min(p, middle - reach)), min(1.0, max(p, middle + reach))),
        standard_error=(p * (1 - p) / number) ** 0.5,
        level=level,
        method=method,
    )


def counted_shares(
    labels: np.ndarray, n_attractors: int, level: float, method: str
) -> tuple[tuple[Estimate, ...], Estimate, Estimate]:
    """Fraction of `labels` at each attractor, diverged and undecided."""

    def share(label: int) -> Estimate:
        return wilson(int(np.sum(labels == label)), labels.size, level, method)

    return tuple(share(i) for i in range(n_attractors)), share(LOST), share(UNDECIDED)


def outcome(labels: np.ndarray) -> Status:
    """Whether any start reached an attractor."""
    if (labels >= 0).any():
        return Status.OK
    return Status.DIVERGED if (labels == LOST).all() else Status.NOT_CONVERGED


def doubts(found: Sequence[Attractor], labels: np.ndarray) -> tuple[Finding, ...]:
    """Cautions that hold for every search."""
    cautions = []
    open_ = float(np.mean(labels == UNDECIDED))
    if open_:
        cautions.append(Finding(
            code="starts-undecided",
            text=f"{open_:.3%} of the starts reached no attractor in time.",
            action="Allow a longer n_transient, or a coarser tolerance.",
        ))  # fmt: skip
    if len(found) > MANY:
        cautions.append(Finding(
            code="many-attractors",
            text=f"{len(found)} attractors were told apart.",
            action="If these are phases of one motion, or points of a slow one, choose another dt, "
                   "a longer n_transient or a coarser tolerance; a conservative system has none.",
            level="serious",
        ))  # fmt: skip
    return tuple(cautions)


def listed(
    found: Sequence[Attractor], shares: Sequence[Estimate], diverged: Estimate, undecided: Estimate
) -> str:
    """Attractors with their shares as text."""
    number = {0: "No attractor", 1: "One attractor"}.get(len(found), f"{len(found)} attractors")
    parts = [f"{a}, share {share}" for a, share in list(zip(found, shares, strict=True))[:8]]
    text = number + (": " + "; ".join(parts) if parts else "")
    text += "; ..." if len(found) > 8 else ""
    for what, share in (("Diverged", diverged), ("Undecided", undecided)):
        text += f". {what} {share.value:.4g}" if share.value else ""
    return text + "."


def points_table(found: Sequence[Attractor], dim: int) -> dict[str, Any]:
    """All attractor points with the number of their owner, as variables of a dataset."""
    points = [a.points for a in found] or [np.empty((0, dim))]
    owner = np.repeat(np.arange(len(found)), [len(a.points) for a in found])
    return {
        "attractor_point": (("point", "component"), np.concatenate(points)),
        "owner": ("point", owner),
        "kind": ("attractor", [a.kind for a in found]),
        "period": ("attractor", [a.period for a in found]),
    }


def draw(ax: Any, found: Sequence[Attractor], first: int, second: int, *, legend: bool) -> None:
    """The points of each attractor in two components, rimmed in white so that they show on it."""
    from takens import plot

    for i, attractor in enumerate(found):
        x, y = attractor.points[:, first], attractor.points[:, second]
        label = f"{i}: {attractor.what}" if legend and i < 10 else None
        if len(x) <= 64:
            ax.plot(x, y, "o", ms=7, mfc=plot.category_colour(i), mec="white", label=label)
        else:
            colour = plot.category_colour(i) if legend else "white"
            ax.plot(x, y, ".", ms=2, color=colour, label=label, rasterized=True)
