"""Quotients of sparse sums from noisy records: kinetics, switches, refusal."""

import numpy as np
import pytest
from scipy.integrate import solve_ivp

from takens.core import InvalidInput, Status, Trajectory
from takens.learn import RationalSINDy
from takens.learn.laws.quotient import QuotientField
from takens.learn.sparse.fields import FlowAdvance
from takens.learn.terms import Delays, Expressions, Polynomials


def records(rate, starts, times, share, seed=0, names=("x",)):
    rng = np.random.default_rng(seed)
    runs = [
        solve_ivp(rate, (0, times[-1]), x0, t_eval=times, rtol=1e-10, atol=1e-10).y.T
        for x0 in starts
    ]
    spread = np.concatenate(runs).std(axis=0)
    return [
        Trajectory(times=times, states=x + share * spread * rng.normal(size=x.shape), names=names)
        for x in runs
    ]


def uptake(t, s):
    """Inflow 0.6, Michaelis-Menten uptake of at most 1.5, half of it at 0.3."""
    return [0.6 - 1.5 * s[0] / (0.3 + s[0])]


UPTAKE = {("1", "s"): 0.6, ("s", "s"): -3.0, ("/s", "s"): 1 / 0.3}
UPTAKE_TIMES = 0.05 * np.arange(120)
UPTAKE_STARTS = [[0.02], [1.0], [3.0], [6.0]]


def places(law):
    return {(law.terms[k], law.names[i]) for k, i in np.argwhere(law.support)}


def assert_law(law, truth, within=4.0):
    assert places(law) == set(truth)
    for (term, name), value in truth.items():
        found = law.coefficient(term, name)
        assert abs(found.value - value) < within * found.standard_error


def test_michaelis_menten_uptake():
    data = records(uptake, UPTAKE_STARTS, UPTAKE_TIMES, 0.02, names=("s",))
    fit = RationalSINDy().fit(data)
    law = fit.diagnostics["law"]
    assert fit.status is Status.OK
    assert_law(law, UPTAKE)
    assert law.equations[0].startswith("ds/dt = (0.6")
    assert ")/(1 + 3." in law.equations[0]
    s = np.array([0.7])
    upper, lower = fit.model.terms(s), fit.model.lower_terms(s)
    split = len(fit.model.terms)
    expected = (upper @ law.coefficients[:split, 0]) / (1 + lower @ law.coefficients[split:, 0])
    assert float(fit.model.vector_field(0.0, s)[0]) == pytest.approx(float(expected), rel=1e-12)


def test_clean_data_give_the_law_closely():
    data = records(uptake, UPTAKE_STARTS, UPTAKE_TIMES, 0.0, names=("s",))
    law = RationalSINDy().fit(data).diagnostics["law"]
    for (term, name), value in UPTAKE.items():
        assert law.coefficient(term, name).value == pytest.approx(value, rel=1e-4)


def test_a_bistable_hill_switch():
    def switch(t, x):
        return [0.1 + 2 * x[0] ** 2 / (1 + x[0] ** 2) - x[0]]

    starts = [[0.0], [0.4], [0.6], [1.0], [3.0]]
    data = records(switch, starts, 0.1 * np.arange(100), 0.03)
    law = RationalSINDy(library=Polynomials(3)).fit(data).diagnostics["law"]
    truth = {("1", "x"): 0.1, ("x", "x"): -1.0, ("x^2", "x"): 2.1, ("x^3", "x"): -1.0,
             ("/x^2", "x"): 1.0}  # fmt: skip
    assert_law(law, truth)


def test_predation_that_saturates():
    def rate(t, x):
        eaten = x[0] * x[1] / (1 + x[0])
        return [x[0] * (1 - x[0] / 5) - 2 * eaten, -0.6 * x[1] + 1.4 * eaten]

    data = records(rate, [[1.0, 1.0], [4.0, 0.3]], 0.1 * np.arange(200), 0.02, names=("x", "y"))
    settings = RationalSINDy(library=Polynomials(3), below=Polynomials(1))
    truth = {("x", "x"): 1.0, ("x^2", "x"): 0.8, ("x^3", "x"): -0.2, ("x*y", "x"): -2.0,
             ("/x", "x"): 1.0, ("y", "y"): -0.6, ("x*y", "y"): 0.8, ("/x", "y"): 1.0}  # fmt: skip
    assert_law(settings.fit(data).diagnostics["law"], truth)


def test_a_sum_stays_a_sum():
    """Where no denominator is needed, none is reported."""
    data = records(lambda t, x: [x[0] * (1 - x[0])], [[0.05], [1.8]], 0.1 * np.arange(100), 0.02)
    law = RationalSINDy().fit(data).diagnostics["law"]
    assert_law(law, {("x", "x"): 1.0, ("x^2", "x"): -1.0})
    assert "/(" not in law.equations[0]


def test_noise_has_no_law():
    fit = RationalSINDy().fit(np.random.default_rng(2).normal(size=(300, 1)).cumsum(axis=0))
    assert fit.status is Status.NO_LAW
    assert np.isnan(np.asarray(fit.model.numerator)).all()


def test_known_and_excluded_terms_below():
    data = records(uptake, UPTAKE_STARTS, UPTAKE_TIMES, 0.02, names=("s",))
    law = RationalSINDy(excluded=(("/s", "s"),)).fit(data).diagnostics["law"]
    assert ("/s", "s") not in places(law)
    law = RationalSINDy(known=(("/s^2", "s"),)).fit(data).diagnostics["law"]
    assert ("/s^2", "s") in places(law)


def test_a_pole_beside_the_data_is_told():
    """On a circle 1 - 1.2 x y is positive; in two corners of its box it is not."""

    def rate(t, x):
        pull = 1 / (1 - 1.2 * x[0] * x[1])
        return [x[1] * pull, -x[0] * pull]

    data = records(rate, [[1.0, 0.0]], 0.05 * np.arange(400), 0.005, names=("x", "y"))
    settings = RationalSINDy(library=Polynomials(1), below=Expressions("x*y", "x^2"))
    fit = settings.fit(data)
    assert ("/x*y", "x") in places(fit.diagnostics["law"])
    assert "pole-in-range" in {f.code for f in fit.cautions}


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"below": Polynomials(0)}, "constant alone"),
        ({"library": Delays(3)}, "DelaySINDy"),
        ({"known": (("/q", "s"),)}, "one of the terms"),
    ],
)
def test_settings_that_do_not_fit_are_refused(settings, message):
    data = records(uptake, UPTAKE_STARTS, UPTAKE_TIMES, 0.02, names=("s",))
    with pytest.raises(InvalidInput, match=message):
        RationalSINDy(**settings).fit(data)


def test_sensitivities_against_differences():
    upper = Polynomials(2).over(("x", "y"), inputs=("u",))
    lower = Polynomials(2, constant=False).over(("x", "y"), inputs=("u",))
    rng = np.random.default_rng(0)
    support = rng.random((len(upper) + len(lower), 2)) < 0.5
    field = QuotientField(upper, lower, support)
    w = 0.05 * rng.normal(size=field.n_parameters)
    x, u = rng.normal(size=(5, 2)), (rng.normal(size=(5, 1)), rng.normal(size=(5, 1)))
    t, h = np.zeros(5), np.full(5, 0.01)
    advance = FlowAdvance(substeps=2)

    def moved(x, w):
        return advance(field, w, x, u, t, h, derivatives=False)[0]

    _, tangent, response = advance(field, w, x, u, t, h)
    small = 1e-6
    for j in range(2):
        shift = small * np.eye(2)[j]
        slope = (moved(x + shift, w) - moved(x - shift, w)) / (2 * small)
        np.testing.assert_allclose(tangent[:, :, j], slope, rtol=1e-6, atol=1e-8)
    for k in range(field.n_parameters):
        shift = small * np.eye(field.n_parameters)[k]
        slope = (moved(x, w + shift) - moved(x, w - shift)) / (2 * small)
        np.testing.assert_allclose(response[:, :, k], slope, rtol=1e-5, atol=1e-7)
