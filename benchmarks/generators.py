"""The generators behind `signals`: (length, step, random generator) to samples of shape (n,)."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

Array = np.ndarray

# --- chaos -------------------------------------------------------------------------------------


def _logistic(n: int, dt: float, rng: np.random.Generator) -> Array:
    # x -> 4x(1-x) iterated in floating point loses a bit per step and falls into short cycles.
    # x = sin^2(pi theta) turns it into theta -> 2 theta mod 1, a shift of random binary digits,
    # which is followed exactly.
    bits = rng.integers(0, 2, n + 53).astype(float)
    theta = np.zeros(n)
    for place in range(53):
        theta += bits[place : place + n] * 2.0 ** -(place + 1)
    return np.sin(np.pi * theta) ** 2


def _henon(n: int, dt: float, rng: np.random.Generator) -> Array:
    x, y = rng.uniform(-0.1, 0.1, 2)
    orbit = np.empty(n)
    for i in range(-200, n):
        x, y = 1 - 1.4 * x * x + y, 0.3 * x
        if i >= 0:
            orbit[i] = x
    return orbit


def _ikeda(n: int, dt: float, rng: np.random.Generator) -> Array:
    z = complex(*rng.uniform(-0.1, 0.1, 2))
    orbit = np.empty(n)
    for i in range(-500, n):
        z = ikeda_step(z)
        if i >= 0:
            orbit[i] = z.real
    return orbit


def ikeda_step(z: Any, u: float = 0.9) -> Any:
    """z -> 1 + u z exp(i (0.4 - 6 / (1 + |z|^2))), elementwise."""
    return 1.0 + u * z * np.exp(1j * (0.4 - 6.0 / (1.0 + abs(z) ** 2)))


State3 = tuple[float, float, float]


def lorenz_field(x: float, y: float, z: float) -> State3:
    return 10.0 * (y - x), x * (28.0 - z) - y, x * y - 8.0 / 3.0 * z


def rossler_field(x: float, y: float, z: float) -> State3:
    return -y - z, x + 0.2 * y, 0.2 + z * (x - 5.7)


def _van_der_pol_field(x: float, y: float, z: float) -> State3:
    return y, (1.0 - x * x) * y - x, 0.0


def _orbit3(
    field: Callable[[float, float, float], State3],
    start: State3,
    dt: float,
    h_max: float,
    n_transient: int,
    n: int,
) -> Array:
    """First coordinate of a three-dimensional flow at steps of `dt`, by RK4 in plain floats."""
    per_sample = max(1, math.ceil(dt / h_max))
    h = dt / per_sample
    x, y, z = start
    orbit = np.empty(n)
    for i in range(-n_transient, n):
        if i >= 0:
            orbit[i] = x
        for _ in range(per_sample):
            a1, b1, c1 = field(x, y, z)
            g = 0.5 * h
            a2, b2, c2 = field(x + g * a1, y + g * b1, z + g * c1)
            a3, b3, c3 = field(x + g * a2, y + g * b2, z + g * c2)
            a4, b4, c4 = field(x + h * a3, y + h * b3, z + h * c3)
            x += h / 6 * (a1 + 2 * (a2 + a3) + a4)
            y += h / 6 * (b1 + 2 * (b2 + b3) + b4)
            z += h / 6 * (c1 + 2 * (c2 + c3) + c4)
    return orbit


def _lorenz(n: int, dt: float, rng: np.random.Generator) -> Array:
    x, y, z = rng.normal(size=3) * 5
    return _orbit3(lorenz_field, (x, y, z + 25.0), dt, 0.004, math.ceil(30 / dt), n)


def _rossler(n: int, dt: float, rng: np.random.Generator) -> Array:
    x, y = rng.normal(size=2)
    wait = 200 + rng.uniform(0, 60)  # spreads the phase
    return _orbit3(rossler_field, (x, y - 4.0, 0.1), dt, 0.02, math.ceil(wait / dt), n)


def _mackey_glass(n: int, dt: float, rng: np.random.Generator) -> Array:
    # dx/dt = 0.2 x(t-17) / (1 + x(t-17)^10) - 0.1 x, RK4 with the delayed value interpolated
    # cubically at half steps.
    per_unit = 10
    h = 1.0 / per_unit
    lag = 17 * per_unit
    stride = dt * per_unit
    if abs(stride - round(stride)) > 1e-9:
        raise ValueError(f"dt = {dt:g}; Mackey-Glass needs a multiple of {h:g}.")
    stride = round(stride)
    skip = 1000 * per_unit
    total = lag + 2 + skip + stride * n
    x = [0.0] * (total + 1)
    level = rng.uniform(0.6, 1.2)
    ripple = rng.normal() * 0.1
    for i in range(lag + 2):
        x[i] = level + ripple * math.sin(0.1 * i * h)
    for i in range(lag + 1, total):
        k = i - lag
        d0, d1 = x[k], x[k + 1]
        half = (9 * (d0 + d1) - x[k - 1] - x[k + 2]) / 16 if k > 0 else (d0 + d1) / 2
        f0 = 0.2 * d0 / (1 + d0**10)
        fm = 0.2 * half / (1 + half**10)
        f1 = 0.2 * d1 / (1 + d1**10)
        v = x[i]
        k1 = f0 - 0.1 * v
        k2 = fm - 0.1 * (v + 0.5 * h * k1)
        k3 = fm - 0.1 * (v + 0.5 * h * k2)
        k4 = f1 - 0.1 * (v + h * k3)
        x[i + 1] = v + h / 6 * (k1 + 2 * (k2 + k3) + k4)
    first = lag + 2 + skip
    return np.array(x[first : first + stride * n : stride])


def lorenz96_field(x: Array) -> Array:
    return (np.roll(x, -1, 0) - np.roll(x, 2, 0)) * np.roll(x, 1, 0) - x + 8.0


def _lorenz96(n: int, dt: float, rng: np.random.Generator) -> Array:
    per_sample = max(1, math.ceil(dt / 0.0125))
    h = dt / per_sample
    x = 8.0 + rng.normal(size=8)
    orbit = np.empty(n)
    for i in range(-math.ceil(20 / dt), n):
        if i >= 0:
            orbit[i] = x[0]
        for _ in range(per_sample):
            x = rk4(lorenz96_field, x, h)
    return orbit


def rk4(field: Callable[[Array], Array], x: Array, h: float) -> Array:
    k1 = field(x)
    k2 = field(x + 0.5 * h * k1)
    k3 = field(x + 0.5 * h * k2)
    k4 = field(x + h * k3)
    return x + h / 6 * (k1 + 2 * (k2 + k3) + k4)


# --- regular motion ----------------------------------------------------------------------------


def _points_per_period(rng: np.random.Generator) -> float:
    """Between 10 and 60, and far from any simple fraction with probability one."""
    return float(np.exp(rng.uniform(np.log(10), np.log(60))))


def _sine(n: int, dt: float, rng: np.random.Generator) -> Array:
    period, phase = _points_per_period(rng), rng.uniform(0, 2 * np.pi)
    return np.sin(2 * np.pi * np.arange(n) * dt / period + phase)


_RATIOS = ((1 + 5**0.5) / 2, 2**0.5, 3**0.5, math.e - 1, math.pi - 2)


def _two_angles(n: int, dt: float, rng: np.random.Generator) -> tuple[Array, Array]:
    slow = 2 * np.pi * np.arange(n) * dt / (2 * _points_per_period(rng) / 1.5)
    ratio = _RATIOS[rng.integers(len(_RATIOS))]
    first, second = rng.uniform(0, 2 * np.pi, 2)
    return slow + first, ratio * slow + second


def _two_torus(n: int, dt: float, rng: np.random.Generator) -> Array:
    a, b = _two_angles(n, dt, rng)
    return np.sin(a) + rng.uniform(0.5, 1.0) * np.sin(b)


def _nonlinear_torus(n: int, dt: float, rng: np.random.Generator) -> Array:
    a, b = _two_angles(n, dt, rng)
    return np.exp(0.8 * np.sin(a)) * (1 + 0.6 * np.cos(b)) + 0.3 * np.sin(a + b)


def _van_der_pol(n: int, dt: float, rng: np.random.Generator) -> Array:
    # One sampling step is a random fraction of the cycle of length 6.6633 (mu = 1).
    step = dt * 6.6633 / _points_per_period(rng)
    wait = 60 + rng.uniform(0, 7)
    return _orbit3(_van_der_pol_field, (1.0, 0.0, 0.0), step, 0.05, math.ceil(wait / step), n)


# Periodically forced Duffing oscillators x'' = -0.3 x' + x - x^3 + g cos(w t) that settle on a cycle:
# of one period in one well, of two periods, and one around both wells.
_FORCED = ((0.2, 1.0), (0.28, 1.2), (0.65, 1.2))


def _forced_cycle(n: int, dt: float, rng: np.random.Generator) -> Array:
    strength, frequency = _FORCED[rng.integers(len(_FORCED))]

    def field(x: float, y: float, phase: float) -> State3:
        return y, -0.3 * y + x - x**3 + strength * math.cos(phase), frequency

    step = dt * 2 * np.pi / frequency / _points_per_period(rng)
    start = (1.0 + 0.05 * rng.normal(), 0.05 * rng.normal(), rng.uniform(0, 2 * np.pi))
    return _orbit3(field, start, step, 0.05, math.ceil(400 / step), n)


# --- noise of every colour ---------------------------------------------------------------------


def _white(n: int, dt: float, rng: np.random.Generator) -> Array:
    return rng.normal(size=n)


def autoregression(coefficients: tuple[float, ...], shocks: Array, n: int) -> Array:
    """Last `n` values of x_t = sum_k a_k x_(t-k) + e_t, started from rest."""
    past = [0.0] * len(coefficients)
    values = np.empty(shocks.size)
    for i, shock in enumerate(shocks.tolist()):
        value = shock + sum(a * p for a, p in zip(coefficients, past, strict=True))
        past = [value, *past[:-1]]
        values[i] = value
    return values[shocks.size - n :]


def _ar1(coefficient: float) -> Callable[[int, float, np.random.Generator], Array]:
    def run(n: int, dt: float, rng: np.random.Generator) -> Array:
        return autoregression((coefficient,), rng.normal(size=n + 500), n)

    return run


def _random_walk(n: int, dt: float, rng: np.random.Generator) -> Array:
    return np.cumsum(rng.normal(size=n))


def iaaft(values: Array, rng: np.random.Generator, n_sweeps: int = 200) -> Array:
    """A surrogate with the distribution of `values` and nearly its spectrum."""
    ordered = np.sort(values)
    amplitude = np.abs(np.fft.rfft(values))
    current = rng.permutation(values)
    ranks = np.argsort(np.argsort(current))
    for _ in range(n_sweeps):
        phases = np.angle(np.fft.rfft(current))
        shaped = np.fft.irfft(amplitude * np.exp(1j * phases), values.size)
        new_ranks = np.argsort(np.argsort(shaped))
        current = ordered[new_ranks]
        if np.array_equal(ranks, new_ranks):
            break
        ranks = new_ranks
    return current


def _iaaft_lorenz(n: int, dt: float, rng: np.random.Generator) -> Array:
    # The piece is cut where its ends meet in value and slope: a jump between them would put a
    # broad-band floor into the spectrum that Lorenz does not have.
    spare = max(100, n // 10)
    orbit = _lorenz(n + spare + 1, dt, rng)
    starts = np.arange(spare)
    slope = np.diff(orbit)
    mismatch = (orbit[starts] - orbit[starts + n]) ** 2
    mismatch += (slope[starts] - slope[starts + n]) ** 2
    start = int(np.argmin(mismatch))
    return iaaft(orbit[start : start + n], rng)


def _garch(n: int, dt: float, rng: np.random.Generator) -> Array:
    # Bollerslev 1986: s2 = omega + alpha r^2 + beta s2, with the persistence of daily returns.
    omega, alpha, beta = 0.03, 0.1, 0.87
    variance = omega / (1 - alpha - beta)
    shocks = rng.normal(size=n + 1000)
    returns = np.empty(shocks.size)
    for i, shock in enumerate(shocks.tolist()):
        value = math.sqrt(variance) * shock
        returns[i] = value
        variance = omega + alpha * value * value + beta * variance
    return returns[-n:]


def _pink(n: int, dt: float, rng: np.random.Generator) -> Array:
    # Synthesised four times as long and cut, because a synthesised record is periodic.
    frequencies = np.fft.rfftfreq(4 * n)
    frequencies[0] = np.inf
    size = frequencies.size
    spectrum = (rng.normal(size=size) + 1j * rng.normal(size=size)) / np.sqrt(frequencies)
    long = np.fft.irfft(spectrum, 4 * n)[:n]
    return long / long.std()


def _ar2_oscillator(n: int, dt: float, rng: np.random.Generator) -> Array:
    period, decay = _points_per_period(rng), 0.97
    coefficients = (2 * decay * math.cos(2 * math.pi / period), -(decay**2))
    return autoregression(coefficients, rng.normal(size=n + 1000), n)


def _seasonal_ar(n: int, dt: float, rng: np.random.Generator) -> Array:
    # (1 - 0.9 B^12)(1 - 0.5 B) x = e
    coefficients = [0.0] * 13
    coefficients[0], coefficients[11], coefficients[12] = 0.5, 0.9, -0.45
    return autoregression(tuple(coefficients), rng.normal(size=n + 1500), n)


def _exp_ar(n: int, dt: float, rng: np.random.Generator) -> Array:
    linear = autoregression((0.8,), rng.normal(size=n + 500), n)
    return np.exp(0.8 * linear * 0.6)  # 0.6 brings the linear process to unit variance


def _cube_ar(n: int, dt: float, rng: np.random.Generator) -> Array:
    return autoregression((0.9,), rng.normal(size=n + 500), n) ** 3


def _double_well(n: int, dt: float, rng: np.random.Generator) -> Array:
    # dx = (x - x^3) dt + 0.6 dW by Euler-Maruyama at a tenth of the sampling step of 0.3.
    h, x = 0.03, 1.0
    shocks = (0.6 * math.sqrt(h) * rng.normal(size=(n + 200) * 10)).tolist()
    values = np.empty(n + 200)
    for i in range(n + 200):
        for j in range(10):
            x += h * (x - x**3) + shocks[10 * i + j]
        values[i] = x
    return values[200:]


def _trend(n: int, dt: float, rng: np.random.Generator) -> Array:
    return np.linspace(0, 6 * rng.choice([-1.0, 1.0]), n) + rng.normal(size=n)


def _cycle_red_noise(n: int, dt: float, rng: np.random.Generator) -> Array:
    period, phase = _points_per_period(rng), rng.uniform(0, 2 * np.pi)
    red = autoregression((0.7,), rng.normal(size=n + 500), n) * 0.714
    return np.sin(2 * np.pi * np.arange(n) / period + phase) + red


MAKERS: dict[str, Callable[[int, float, np.random.Generator], Array]] = {
    "logistic": _logistic,
    "henon": _henon,
    "lorenz": _lorenz,
    "rossler": _rossler,
    "ikeda": _ikeda,
    "mackey_glass": _mackey_glass,
    "lorenz96": _lorenz96,
    "sine": _sine,
    "two_torus": _two_torus,
    "nonlinear_torus": _nonlinear_torus,
    "van_der_pol": _van_der_pol,
    "forced_cycle": _forced_cycle,
    "white": _white,
    "ar1_0.5": _ar1(0.5),
    "ar1_0.95": _ar1(0.95),
    "random_walk": _random_walk,
    "iaaft_lorenz": _iaaft_lorenz,
    "garch": _garch,
    "pink": _pink,
    "ar2_oscillator": _ar2_oscillator,
    "seasonal_ar": _seasonal_ar,
    "exp_ar": _exp_ar,
    "cube_ar": _cube_ar,
    "double_well": _double_well,
    "trend": _trend,
    "cycle_red_noise": _cycle_red_noise,
}
