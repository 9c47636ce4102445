"""The grids of the divergences."""

import mpmath as mp
import numpy as np

from literals_densities import columns
from literals_entry import VALUE_DIGITS, elementwise, f32, partial, rowwise
from literals_formulas import *
from literals_rows import logit_rows, moved


def kl_entries():
    pairs = [
        (0, 0), (0, 0.5), (0.5, 0), (-0.5, 0.5), (3, -3), (0.5, 0.501), (-3, -3.0625), (3, 3), (1, 1.25), (1, 1.375),
        (20, 19), (-20, -3), (20, 20.5), (-20, 20), (80, 80), (80, 79), (-80, -79), (80, -80), (-80, 80), (-80, 0),
        (0, 80), (0, 1e-3), (0, 1e-6), (1e4, 1e4), (1e4, -1e4), (-1e4, 0), (0, -1e4), (2, 2.00001), (-1e4, -1.1),
        (1e4, 0.3), (-80.3, -1.1), (1e4, 9999), (-9990, -1e4), (80, 80.5), (-30.25, -30),
    ]  # fmt: skip
    yield elementwise("kl_bernoulli", bernoulli_kl, ["a", "b"], columns(pairs), ["a", "b"])
    yield elementwise(
        "js_bernoulli", bernoulli_jensen_shannon, ["a", "b"], columns(pairs), ["a", "b"],
        gradient_scales={"a": lambda a, b: sigmoid(a) * sigmoid(-a), "b": lambda a, b: sigmoid(b) * sigmoid(-b)},
    )  # fmt: skip

    small = [0, 1e-6, -1e-6, 1e-3, -1e-3, 0.299, 0.3, 0.301, -0.299, -0.301, 1, -1, 5, -5, 30, -30]
    means = [0, 0, 1e-3, 0, 1e-6, 0, 0, 0.5, 0, -0.5, 3, 0, 0, -100, 0, 0]
    yield elementwise(
        "kl_normal_standard", lambda m, v: normal_kl(m, v, 0, 0), ["mean", "log_var"], [means, small],
        ["mean", "log_var"],
    )  # fmt: skip
    pairs = [
        (0, 0, 0, 0), (1, 0.5, 1, 0.5), (0, 1e-3, 0, 0), (0, 0, 0, 1e-3), (0, 1e-6, 0, 0), (0, 0, 0, -1e-6),
        (2, 1.001, 2, 1), (2, -1, 2.001, -1), (0, 30, 0, 30), (0, 30, 0, -30), (0, -30, 0, 30), (1e3, 30, -1e3, 30),
        (1, -30, 1, -29.75), (1e-6, -30, 0, -30), (1e4, 0, -1e4, 0), (3, -2, -1, 1), (-7, 2, 5, -1),
    ]  # fmt: skip
    shrink = lambda mq, vq, mp_, vp: (mq - mp_) ** 2 * mp.exp(-vp) + abs(mp.expm1(vq - vp))
    names = ["mean_q", "log_var_q", "mean_p", "log_var_p"]
    # ∂/∂log σ₂² is the difference of the distance's share and the ratio's.
    yield elementwise(
        "kl_normal_normal", normal_kl, names, columns(pairs), names,
        gradient_scales={"log_var_p": lambda *row: shrink(*row) if row[0] != row[2] else 0},
    )  # fmt: skip
    pairs = [
        (0, 0, 0, 0), (1, 0.5, 1, 0.5), (0, 1e-3, 0, 0), (0, 0, 0, -1e-3), (0, 0.2, 0, -0.2), (2, 0, 2.001, 0),
        (0, 0, 0.25, 0), (0, 0, -0.31, 0.1), (1, -1, 3, 1), (-7, 2, 5, -1), (0, 15, 0, 15), (0, 15, 0, -15),
        (0, -15, 0, 15), (1e4, 0, -1e4, 0), (1e-7, -15, 0, -15), (1e4, -15, 0, -15), (1e6, 15, -1e6, 14.75),
        (0, 0, 1e4, 5),         (3, 0.001, 3.0001, 0),
    ]  # fmt: skip

    # KL = (r − 1 − log r) + r (e^−δ − 1 + δ), r = b₁/b₂ and δ = |Δμ|/b₁, and no term of the two is negative. Their
    # derivatives to the scales are of either sign.
    def scale_terms(mq, sq, mp_, sp):
        r, delta = mp.exp(sq - sp), abs(mq - mp_) * mp.exp(-sq)
        away = r * (mp.expm1(-delta) + delta)
        return abs(r - 1), away, r * delta * -mp.expm1(-delta) - away

    def q_scale(*row):
        ratio, away, moved = scale_terms(*row)
        return min(ratio, moved) if row[0] != row[2] else 0

    def p_scale(*row):
        ratio, away, _ = scale_terms(*row)
        return min(ratio, away) if row[0] != row[2] else 0

    names = ["mean_q", "log_scale_q", "mean_p", "log_scale_p"]
    yield elementwise(
        "kl_laplace_laplace", laplace_kl, names, columns(pairs), names,
        gradient_scales={"log_scale_q": q_scale, "log_scale_p": p_scale},
    )  # fmt: skip


def jensen_shannon_entries():
    rng = np.random.default_rng(3)
    extreme = [[1e4, -1e4, 0], [-1e4, 0, 0], [80, 80, -80], [0, 0, 0], [1e4, 0, -1e4]]
    # pₖ (log(pₖ/mₖ) − …)/2: the logarithms are differences of logarithms.
    share = lambda rows: [p * (1 - l) for p, l in zip(softmax(rows), log_softmax(rows))]
    scales = {"a": lambda a, b: share(a), "b": lambda a, b: share(b)}
    for k in (3, 17):
        rows = logit_rows(k, rng)
        close = moved(rows, rng)
        others = logit_rows(k, rng)
        yield rowwise(
            "js_categorical", categorical_jensen_shannon, ["a", "b"], [rows + rows[:3], close + others[:3]],
            gradient_scales=scales,
        )  # fmt: skip
    yield rowwise(
        "js_categorical", categorical_jensen_shannon, ["a", "b"], [extreme, [extreme[i] for i in (1, 0, 3, 2, 0)]],
        gradient_scales=scales,
    )  # fmt: skip


def mmd_entry(kernel, size, unbiased, x, y):
    """The squared MMD of points x [n, d] and y [m, d]: one number."""
    function = {"rbf": rbf, "inverse_multiquadric": inverse_multiquadric}[kernel]
    of_pair = lambda a, b: function(a, b, mp.mpf(f32(size)))
    n, d = len(x), len(x[0])
    points = [[f32(a) for a in row] for row in [*x, *y]]
    flat = [mp.mpf(a) for row in points for a in row]
    rows_of = lambda flat: [list(flat[i : i + d]) for i in range(0, len(flat), d)]
    of_flat = lambda *flat: squared_mmd(rows_of(flat)[:n], rows_of(flat)[n:], of_pair, unbiased)
    with mp.workdps(VALUE_DIGITS):
        value = of_flat(*flat)
    gradients = [partial(of_flat, flat, i) for i in range(len(flat))]
    # Three means of kernels, of which 2 Σ k(x, y) / (n m) is taken off; gradients are sums over the pairs of a point.
    rows = rows_of(flat)
    across = mp.fsum(of_pair(a, b) for a in rows[:n] for b in rows[n:]) / (n * len(y))

    def gradient_scale(i):
        own, mates = (rows[:n], rows[n:]) if i // d < n else (rows[n:], rows[:n])
        point, k = rows[i // d], i % d
        slope = lambda other: abs(partial(lambda *point: of_pair(point, other), point, k))
        within = mp.fsum(slope(other) for other in own if other is not point) * 2 / (len(own) * (len(own) - unbiased))
        return within + mp.fsum(slope(other) for other in mates) * 2 / (len(own) * len(mates))

    scales = [gradient_scale(i) for i in range(len(flat))]
    split = n * d
    return {
        "name": "mmd", "shape": [n, d],
        "inputs": {"x": [a for row in points[:n] for a in row], "y": [a for row in points[n:] for a in row]},
        "kernel": kernel, "size": f32(size), "unbiased": unbiased,
        "value": [value], "value_scale": [across],
        "gradients": {"x": gradients[:split], "y": gradients[split:]},
        "gradient_scales": {"x": scales[:split], "y": scales[split:]},
    }  # fmt: skip


def mmd_entries():
    rng = np.random.default_rng(4)
    near = np.round(rng.normal(size=(5, 3)) * 64) / 64
    other = np.round((rng.normal(size=(4, 3)) * 1.5 + 0.5) * 64) / 64
    for unbiased in (True, False):
        yield mmd_entry("rbf", 1.25, unbiased, near, other)
        yield mmd_entry("inverse_multiquadric", 2.0, unbiased, near, other)
    # Far from the origin, where ‖x‖² + ‖y‖² − 2 x·y would lose the distance; equal points; sets far apart.
    yield mmd_entry("rbf", 0.5, True, near[:3] + 1000, near[1:4] + 1000.25)
    yield mmd_entry("inverse_multiquadric", 0.125, True, near[:3] + 1000, near[1:4] + 1000.25)
    yield mmd_entry("rbf", 1.0, False, near[:2], near[:2])
    yield mmd_entry("rbf", 1.0, True, near[:2, :1], near[2:, :1] + 1e4)
    yield mmd_entry("inverse_multiquadric", 1.0, True, near[:2, :1], near[2:, :1] + 1e4)
    # Points so far apart that the diagonal's ones outweigh what is asked for.
    yield mmd_entry("rbf", 1.0, True, np.array([[0.0], [6.0]]), np.array([[20.0], [25.5]]))
