"""All fixed points of a polynomial system, each with a proof where there is one."""

from __future__ import annotations

from typing import Any

import numpy as np

from takens.core import Finding, InvalidInput, Status
from takens.dynamics.door import a_system, an_input, counts
from takens.dynamics.fixed_points import FixedPoints, assembled, autonomous
from takens.dynamics.krawczyk import certified_radius
from takens.dynamics.polynomials import PolynomialSystem, Roots, all_roots, polynomial_system
from takens.dynamics.rescaled import unit_of

ATTEMPTS = 3


def all_fixed_points(
    system: Any, *, u: Any = None, max_paths: int = 4096, seed: int = 0
) -> FixedPoints:
    r"""All fixed points of a system whose rule is a polynomial in the state.

    The rule is read as polynomials of degrees :math:`d_i`. Their complex roots are the ends of
    :math:`\prod_i d_i` paths of a homotopy from a system with known roots, tracked as one batch in
    projective space. Real roots are polished, and existence and uniqueness of each is proven by
    the Krawczyk test in interval arithmetic.

    Parameters
    ----------
    system : AbstractMap or AbstractFlow
        Known or learned, with a polynomial rule that does not depend on time.
    u : array, shape (input,), optional
        A constant input.
    max_paths : int
        Refuse when the product of the degrees is larger.
    seed : int
        Of the random constants of the homotopy.

    Returns
    -------
    FixedPoints
        `certified` for each point; `complete` where every path is accounted for. No point at all
        is an answer too. Status NOT_APPLICABLE with a caution where a component never changes, so
        that fixed points fill curves or more.

    Raises
    ------
    WrongKind
        If the rule is no polynomial or depends on time, or the system is a diffusion.
    InvalidInput
        If there would be more than `max_paths` paths.

    Notes
    -----
    Cost: some hundred evaluations of the polynomials on each path. What is proven: that exactly
    one root lies within `error` of a certified point, for the polynomial with the coefficients
    read off. What is only almost certain: completeness, which holds for almost every random
    constant and is checked by the count: every path ends on a root of its own or at infinity.
    Roots that coincide, or that fill a curve, are not certified; they raise a caution, and the
    list is then not called complete.

    References
    ----------
    Sommese and Wampler, The Numerical Solution of Systems of Polynomials (2005), chapters 7, 8;
    Krawczyk, Computing 4, 187 (1969).

    Examples
    --------
    >>> from takens.systems import Lorenz63
    >>> found = all_fixed_points(Lorenz63())
    >>> len(found), found.complete, bool(found.certified.all())
    (3, True, True)
    """
    a_system(system)
    counts(max_paths=max_paths, seed=seed)
    u = an_input(system, u)
    autonomous(system, np.random.default_rng(seed).normal(size=(2, system.dim)), u)
    polynomials = polynomial_system(system, u)
    degrees = polynomials.degrees
    if degrees.min() == 0:
        return _without_a_variable(system, polynomials, u)
    if np.prod(degrees.astype(float)) > max_paths:
        listed = ", ".join(str(d) for d in degrees[:8]) + (", ..." if len(degrees) > 8 else "")
        raise InvalidInput(
            f"The degrees {listed} need {np.prod(degrees.astype(float)):.3g} paths; "
            f"max_paths = {max_paths}. Allow more, or search with `fixed_points`."
        )
    for attempt in range(ATTEMPTS):
        roots = all_roots(polynomials, seed + 1000 * attempt)
        if roots.clean:
            break
    points, radii = _real(polynomials, roots.simple, roots.scale)
    doubtful, _ = _real(polynomials, roots.multiple, roots.scale)
    doubtful = _distinct(doubtful, points, roots.scale)
    everything = np.concatenate([points, doubtful])
    return assembled(
        system, everything, np.ones(len(everything), dtype=int), u, Status.OK, _cautions(roots),
        {"n_paths": roots.n_paths, "n_complex": len(roots.simple),
         "n_infinite": roots.n_infinite, "seed": seed},
        complete=roots.clean and not len(roots.multiple),
        radii=np.concatenate([radii, np.full(len(doubtful), np.inf)]), unit=unit_of(everything),
    )  # fmt: skip


def _real(
    system: PolynomialSystem, roots: np.ndarray, scale: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Real roots among complex ones, polished, with certified radii."""
    points, radii = [], []
    for root in roots:
        x = root.real.copy()
        for _ in range(4):
            f, slope = (a[0] for a in system.values(x[None]))
            step = np.linalg.lstsq(slope, -f, rcond=1e-12)[0]
            x = x + step
        # A root that is not real lies as far from the real space as its imaginary part is long.
        slack = 1e-6 * (scale + np.abs(root))
        if np.all(np.abs(root.imag) <= slack) and np.all(np.abs(x - root) <= slack):
            points.append(x)
            radii.append(certified_radius(system, x))
    return np.array(points).reshape(-1, roots.shape[1]), np.array(radii)


def _distinct(candidates: np.ndarray, known: np.ndarray, scale: np.ndarray) -> np.ndarray:
    kept: list[np.ndarray] = []
    for x in candidates:
        reach = 1e-4 * (scale + np.abs(x))
        if all(np.any(np.abs(x - other) > reach) for other in [*kept, *known]):
            kept.append(x)
    return np.array(kept).reshape(-1, known.shape[1])


def _without_a_variable(system: Any, polynomials: PolynomialSystem, u: Any) -> FixedPoints:
    """A component of the rule is constant: no point if it is not zero, else no isolated one."""
    constant = polynomials.coefficients[polynomials.degrees == 0]
    none = bool(np.abs(constant).max() > 0)
    cautions = [] if none else [_everywhere(polynomials)]
    empty = np.zeros((0, system.dim))
    return assembled(system, empty, np.zeros(0, dtype=int), u,
                     Status.OK if none else Status.NOT_APPLICABLE, cautions, {}, complete=none)  # fmt: skip


def _cautions(roots: Roots) -> list[Finding]:
    found = []
    if len(roots.multiple):
        found.append(_not_isolated(len(roots.multiple)))
    if not roots.clean:
        found.append(Finding(
            code="paths-met",
            text="Two paths of the homotopy ended on one simple root.",
            action="A root may be missing; try another seed.",
            level="serious",
        ))  # fmt: skip
    return found


def _everywhere(polynomials: PolynomialSystem) -> Finding:
    """Components that vanish for every state leave too few equations for isolated points."""
    idle = int(np.sum(~polynomials.coefficients.any(axis=1)))
    if idle == len(polynomials.coefficients):
        text = "Every state is a fixed point: the rule never moves it."
    else:
        text = (
            f"{idle} of {len(polynomials.coefficients)} components never change: fixed points, if "
            "there are any, are not isolated but fill curves or more."
        )
    return Finding(
        code="not-isolated", text=text, level="serious",
        action="There is no list of them. Take the idle components out of the state as parameters.",
    )  # fmt: skip


def _not_isolated(n: int) -> Finding:
    return Finding(
        code="singular-roots",
        text=f"{n} path(s) ended where the Jacobian is singular.",
        action="Roots there coincide or fill a curve; their number and place are not certified.",
    )
