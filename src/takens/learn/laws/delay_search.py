"""Terms and a delay together, from the dips of a scan."""

from __future__ import annotations

import dataclasses

import numpy as np
from scipy.optimize import brentq
from scipy.special import chdtri

from takens.core import Estimate, Finding
from takens.learn.laws.delayed import DelayAdvance, DelayField
from takens.learn.laws.scan import DelayScan, few, terms_at
from takens.learn.sparse.law import Law
from takens.learn.sparse.nodes import Nodes
from takens.learn.sparse.selection import (
    Found,
    Search,
    criterion,
    eliminated,
    exchanged,
    fitted,
    refitted,
    table_of,
)
from takens.learn.sparse.shooting import ALLOWED_BIAS, Noise, Shot, inverse, shoot

FINEST_SUBSTEPS = 8
STRONG = 10.0  # difference of BIC that is very strong evidence (Kass and Raftery 1995)
FARTHEST = 64.0  # standard errors beside the delay within which its interval is looked for


def from_starts(
    search: Search, scan: DelayScan, advance: DelayAdvance, variance: np.ndarray, smooth: np.ndarray
) -> list[Found]:
    """The fits that the starts of a scan lead to: those at rest first, by their criterion."""
    ended: list[Found] = []
    noise = Noise(measurement=variance, dynamical=np.zeros(search.nodes.dim))
    for delay in scan.starts:
        try:
            support, table = _beginning(search, advance, float(delay), smooth)
            found = fitted(search, support, table, smooth[0], noise, advance)
            ended.append(_refined(search, exchanged(search, eliminated(search, found))))
        except np.linalg.LinAlgError:
            continue
    return sorted(ended, key=lambda found: (not found.shot.converged, criterion(search, found)))


def rivals(search: Search, ended: list[Found], estimate: Estimate) -> tuple[Finding, ...]:
    """A caution where fits at other delays are nearly as good."""
    least = criterion(search, ended[0]) + STRONG
    width = max(4 * estimate.standard_error, float(np.median(search.nodes.steps)))
    other = [
        delay
        for delay in (
            _delay(f) for f in ended[1:] if f.shot.converged and criterion(search, f) < least
        )
        if abs(delay - estimate.value) > width
    ]
    if not other:
        return ()
    shown = ", ".join(f"{delay:.4g}" for delay in sorted(other)[:3])
    return (
        Finding(
            code="other-delays",
            text=f"A delay of {shown} explains the data nearly as well as {estimate.value:.4g}.",
            action="A record with more than one period in it may tell them apart.",
        ),
    )


def _delay(found: Found) -> float:
    field = found.shot.field
    assert isinstance(field, DelayField)
    return field.split(found.shot.parameters)[1]


def _beginning(
    search: Search, advance: DelayAdvance, delay: float, smooth: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """What least squares on slopes keeps at a delay, and the delay as the last row."""
    values = terms_at(search.terms, search.nodes, advance.links, smooth[0], delay)
    chosen, numbers = few(search, values, smooth[1][advance.links])
    support, table = np.zeros(search.allowed.shape, dtype=bool), np.zeros(search.allowed.shape)
    support[:-1], table[:-1] = chosen, numbers
    support[-1, 0], table[-1, 0] = True, delay
    return support, table


def _refined(search: Search, found: Found) -> Found:
    """With steps short enough, and the terms that these support."""
    while _coarse(found) and _advance(found).substeps < FINEST_SUBSTEPS:
        finer = dataclasses.replace(found, advance=_advance(found).finer())
        found = refitted(search, finer, finer.support, 30)
        found = exchanged(search, eliminated(search, found))
    return found


def _advance(found: Found) -> DelayAdvance:
    assert isinstance(found.advance, DelayAdvance)
    return found.advance


def _coarse(found: Found) -> bool:
    """Whether steps and interpolation still matter to a coefficient or the delay."""
    shot = found.shot
    with np.errstate(all="ignore"):  # a wild fit overflows, and is then not accepted
        ends = [
            advance.moved(shot.field, shot.parameters, shot.states)[0]
            for advance in (_advance(found), _advance(found).finer())
        ]
    change = (ends[0] - ends[1]).reshape(-1)
    if not np.isfinite(change).all():
        raise np.linalg.LinAlgError("The rule overflows between two samples.")
    bias = inverse(shot.linear.information) @ (shot.linear.weighted[:, 1:].T @ change)
    error = np.sqrt(np.diag(shot.covariance) * found.rise)
    return not (np.abs(bias) <= ALLOWED_BIAS * error).all()


def without_delay(law: Law, found: Found | None) -> Law:
    """The law of a search in which the delay stood as the last row of the table."""
    covariance = law.covariance
    if found is not None and covariance.size:
        field = found.shot.field
        assert isinstance(field, DelayField)
        kept = np.delete(np.arange(len(covariance)), field.place)
        covariance = covariance[np.ix_(kept, kept)]
    return dataclasses.replace(
        law,
        coefficients=law.coefficients[:-1],
        standard_errors=law.standard_errors[:-1],
        covariance=covariance,
    )


def delay_of(search: Search, found: Found, level: float) -> tuple[Estimate, tuple[Finding, ...]]:
    """The delay with the interval of its profile likelihood, and cautions."""
    variance = found.shot.residual_variance(search.nodes)
    noise = dataclasses.replace(found.noise, measurement=variance)
    own = dataclasses.replace(found, noise=noise)
    shot = fitted(search, own.support, table_of(own), own.shot.states, noise, own.advance).shot
    field = shot.field
    assert isinstance(field, DelayField)
    assert field.place is not None
    error = float(np.sqrt(shot.covariance[field.place, field.place]))
    estimate = Estimate(
        value=float(shot.parameters[field.place]),
        interval=_profiled(search.nodes, own, shot, error, level),
        standard_error=error,
        level=level,
        unit=search.nodes.time_unit,
        method="profile likelihood",
    )
    if not _coarse(found):
        return estimate, ()
    finding = Finding(
        code="coarse-integration",
        text="Steps of the integration or of the past between samples still change a number by "
        "more than a fifth of its standard error.",
        action="Take the standard errors as a lower end, or sample faster.",
    )
    return estimate, (finding,)


def _profiled(
    nodes: Nodes, found: Found, best: Shot, error: float, level: float
) -> tuple[float, float]:
    """Where the misfit has risen by the quantile of chi-squared, all else fitted anew.

    NaN on a side on which the likelihood does not bound the delay.
    """
    field, allowed = best.field, float(chdtri(1, 1 - level))
    assert isinstance(field, DelayField)
    numbers, centre = field.split(best.parameters)

    def excess(delay: float) -> float:
        try:
            shot = shoot(
                field.given(delay), numbers, best.states, nodes, found.noise, found.advance
            )
        except np.linalg.LinAlgError:
            return np.inf
        return shot.misfit - best.misfit - allowed

    ends = []
    for side in (-1.0, 1.0):
        far = 2.0
        while far < FARTHEST and excess(centre + side * far * error) < 0:
            far *= 2
        edge = centre + side * far * error
        bounded = 0 < excess(edge) < np.inf
        ends.append(
            float(brentq(excess, centre, edge, xtol=0.01 * error, maxiter=30))
            if bounded
            else np.nan
        )
    return ends[0], ends[1]
