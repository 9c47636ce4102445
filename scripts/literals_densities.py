"""The grids of the densities of one number: what is asked, and the size of what cancels there."""

import mpmath as mp

from literals_entry import elementwise
from literals_formulas import *


def columns(rows):
    return [list(column) for column in zip(*rows)]


def bernoulli_entries():
    logits = [0, 0.5, -0.5, 3, -3, 20, -20, 80, -80, 1e4, -1e4]
    twice = [logits * 2, [0] * 11 + [1] * 11]
    yield elementwise("bernoulli_log_prob", bernoulli_log_prob, ["logits", "x"], twice, ["logits"])
    yield elementwise("bernoulli_mean", sigmoid, ["logits"], [logits], ["logits"])
    yield elementwise("bernoulli_entropy", bernoulli_entropy, ["logits"], [logits], ["logits"])
    yield elementwise("bernoulli_cdf", bernoulli_cdf, ["logits", "x"], twice, ["logits"])


def continuous_bernoulli_entries():
    rows = [
        (0, 0), (0, 0.5), (0, 1), (0, 0.3), (1e-4, 0), (1e-4, 1), (1e-4, 0.25), (-1e-4, 0.7), (-1e-4, 0.5),
        (0.01, 0.9), (-0.01, 0), (0.3, 0.6), (-0.3, 1), (0.5, 0.1), (-0.75, 0.5), (0.99, 1), (1.01, 0), (-1, 0.2),
        (2.5, 0.75), (-2.5, 0), (8, 0.999), (-8, 1), (20, 1), (20, 0.5), (-20, 0), (-20, 1e-3), (80, 0), (80, 1),
        (-80, 1), (-80, 0.01), (1e4, 1), (1e4, 0), (1e4, 0.5), (1e4, 0.9999), (-1e4, 0), (-1e4, 1), (-1e4, 1e-4),
    ]  # fmt: skip

    # Written from the middle, l (x − ½) − log(sinh(l/2) / (l/2)), or from the edge that l favours,
    # −|l| y + log(|l| / (1 − e^−|l|)): two terms, and what the better way of the two loses between them.
    def value_scale(l, x):
        y = 1 - x if l > 0 else x
        edge = mp.log(abs(l) / -mp.expm1(-abs(l))) if l else 0
        middle = edge - abs(l) / 2
        return min(abs(l) * y + abs(edge), abs(l * (x - mp.mpf(1) / 2)) + abs(middle))

    def gradient_scale(l, x):
        y, mean = (1 - x, 1 - continuous_bernoulli_mean(l)) if l > 0 else (x, continuous_bernoulli_mean(l))
        return min(y + mean, abs(y - mp.mpf(1) / 2) + abs(mean - mp.mpf(1) / 2))

    name = "continuous_bernoulli"
    yield elementwise(
        f"{name}_log_prob", continuous_bernoulli_log_prob, ["logits", "x"], columns(rows), ["logits", "x"],
        value_scale=value_scale, gradient_scales={"logits": gradient_scale},
    )  # fmt: skip
    yield elementwise(f"{name}_cdf", continuous_bernoulli_cdf, ["logits", "x"], columns(rows), ["x"])
    logits = [0, 1e-4, -1e-4, 0.01, 0.1, -0.3, 0.99, -1.01, 2.5, -4, 8, -20, 20, 80, -80, 1e4, -1e4]
    yield elementwise(f"{name}_mean", continuous_bernoulli_mean, ["logits"], [logits], ["logits"])
    # H falls from 0 as −l²/24 and then as −log |l|: −log(|l| / (1 − e^−|l|)) + |l| y has two terms of either sign.
    entropy_scale = lambda l: min(1, abs(l))
    yield elementwise(
        f"{name}_entropy", continuous_bernoulli_entropy, ["logits"], [logits], ["logits"],
        value_scale=lambda l: entropy_scale(l) if abs(l) > 1 else 0,
    )  # fmt: skip


def normal_entries():
    rows = [
        (0, 0, 0), (0.5, 0, -1.25), (-3, 1.5, 2), (0, -30, 1e-6), (0, -30, 0), (1, -30, 1.0000001), (0, 30, 1e6),
        (0, 30, 1e-3), (1e4, 2, -1e4), (0, -10, 300), (0, 1e-3, 1), (5, -1e-6, 5.5), (-1, 30, 1e8), (1e-3, -30, -1e3),
    ]  # fmt: skip
    z_squared = lambda mean, log_var, x: (x - mean) ** 2 * mp.exp(-log_var)
    names = ["mean", "log_var", "x"]
    # Sums of numbers of both signs: log 2π, log σ² and z²; then 1 and z².
    yield elementwise(
        "normal_log_prob", normal_log_prob, names, columns(rows), names,
        value_scale=lambda *row: abs(row[1]) + z_squared(*row) + 2,
        gradient_scales={"log_var": lambda *row: 1 + z_squared(*row)},
    )  # fmt: skip
    log_vars = [-30, -3, -1e-6, 0, 1e-3, 2, 30]
    yield elementwise("normal_entropy", normal_entropy, ["log_var"], [log_vars], ["log_var"])
    z = [0, 0.5, -0.5, 1, -1, -1.75, 2.5, -2.5, 4, -4, -6.25, -9.125, 9, -11, -12.5, 13, -30, 1e4, -1e4]
    rows = [(0, 0, z) for z in z] + [
        (0.5, 1, 0.75), (-3, 1.5, -18.3), (1e3, 2, 970), (0, -30, 1e-6), (0, -30, -3e-6), (1, -30, 1), (0, 30, 1e6),
        (0, 30, -3.5e7), (-1, 30, 1e8), (1e-3, -30, -1e3), (7, -3.3, 5.1),
    ]  # fmt: skip
    # e^(−z²/2) multiplies a rounded z by z²; where nothing is subtracted or divided, z is not rounded.
    tail = lambda f: lambda *row: abs(f(*row)) * z_squared(*row) / 4 if row[0] or row[1] else 0
    density = lambda *row: mp.exp(normal_log_prob(*row))
    # The lower tail for small numbers alone: near 1 the error is that of the complement.
    below = lambda mean, log_var, x: normal_cdf(mean, log_var, min(x, 2 * mean - x))
    yield elementwise(
        "normal_cdf", normal_cdf, names, columns(rows), names,
        value_scale=tail(below),
        gradient_scales={
            "mean": tail(density), "x": tail(density),
            "log_var": tail(lambda mean, log_var, x: (x - mean) * density(mean, log_var, x) / 2),
        },
    )  # fmt: skip


def laplace_entries():
    rows = [
        (0, 0, 0), (0.5, 0, -1.25), (-3, 1.5, 2), (0, -15, 1e-7), (0, -15, -1e-6), (1, -15, 1.0000001), (0, 15, 1e6),
        (0, 15, -1e-3), (1e4, 2, -1e4), (0, 0, 1e4), (0, 0, -1e4), (0, 1e-3, -20), (5, -1e-6, 5.5), (-1, 15, 1e8),
        (1e-3, -15, -1e3), (0, 0, -80), (0, 0, 80), (2, -0.693, 2.5), (-7, 3, -7),
    ]  # fmt: skip
    z = lambda mean, log_scale, x: abs(x - mean) * mp.exp(-log_scale)
    names = ["mean", "log_scale", "x"]
    yield elementwise(
        "laplace_log_prob", laplace_log_prob, names, columns(rows), names,
        value_scale=lambda *row: abs(row[1]) + z(*row) + 1, gradient_scales={"log_scale": lambda *row: 1},
    )  # fmt: skip
    yield elementwise("laplace_entropy", laplace_entropy, ["log_scale"], [[-15, -3, 0, 1e-3, 2, 15]], ["log_scale"])
    # e^−z multiplies the rounding of z by z; 0 where z is exact.
    tail = lambda size: lambda *row: size(*row) * mp.exp(-z(*row)) * z(*row) / 2 if row[0] or row[1] else 0
    at = lambda *row: mp.exp(-row[1])
    yield elementwise(
        "laplace_cdf", laplace_cdf, names, columns(rows), names,
        value_scale=tail(lambda *_: 1), gradient_scales={"mean": tail(at), "x": tail(at), "log_scale": tail(z)},
    )  # fmt: skip


def student_t_entries():
    rows = [
        (0, 0, 0, 0), (0, 0, 0, 1), (0, 0, -3, 0.5), (0.5, 0, -3, -1e4), (0, 0, -1, 2), (-3, 1.5, 1.0986, 2),
        (0, -15, 2, 1e-7), (0, -15, 1.5, -1e4), (0, 15, 0.7, 1e6), (1, -15, 10, 1.0000001), (0, 0, 5, 1e4),
        (0, 0, 5, 1e-3), (0, 0, 2.3, -3), (0, 0, 10, 3), (0, 0, 10, 1e4), (0, 0, 14, 0.5), (0, 0, 18, 0),
        (0, 0, 18, 1), (0, 0, 18, -6), (0, 0, 18, 1e4), (0, 0, 18, 1e6), (2, -0.5, 18, 2.25), (1e4, 2, -3, -1e4),
        (-7, 3, 4, -7), (0.25, -1, 3, 1.75),
    ]  # fmt: skip
    names = ["mean", "log_scale", "log_dof", "x"]

    def parts(mean, log_scale, log_dof, x):
        dof = mp.exp(log_dof)
        t = ((x - mean) * mp.exp(-log_scale)) ** 2 / dof
        return dof, mp.log1p(t), t / (1 + t)

    def value_scale(*row):
        dof, log_term, _ = parts(*row)
        return abs(row[1]) + 2 + (dof + 1) / 2 * log_term

    # −½ν log(1 + t) and ½(ν+1) t / (1 + t), with t = z²/ν, and ½ from the constants.
    def dof_scale(*row):
        dof, log_term, share = parts(*row)
        return min(dof * log_term, (dof + 1) * share) / 2 + mp.mpf(1) / 2

    yield elementwise(
        "student_t_log_prob", student_t_log_prob, names, columns(rows), names,
        value_scale=value_scale, gradient_scales={"log_scale": lambda *row: 1, "log_dof": dof_scale},
    )  # fmt: skip
    rows = [(0, -3), (0, -1), (0, 0), (-15, 0.5), (15, 1), (0.5, 2), (0, 3.5), (0, 5), (-2, 10), (0, 14), (0, 18)]
    yield elementwise(
        "student_t_entropy", student_t_entropy, ["log_scale", "log_dof"], columns(rows), ["log_scale", "log_dof"],
        value_scale=lambda log_scale, _: abs(log_scale) + 2, gradient_scales={"log_dof": lambda *_: mp.mpf(1) / 2},
    )  # fmt: skip


def poisson_entries():
    rows = [
        (0, 0), (0, 1), (-15, 0), (-15, 1), (-15, 1000), (-15, 1e6), (5, 0), (15, 0), (-80, 0), (-80, 3), (-1e4, 0),
        (-1e4, 1), (80, 0), (80, 1e6), (0.5, 2), (1.1, 3), (1.1, 4), (2.3, 10), (2.3, 40), (3, 1), (6.9, 1000),
        (6.9078, 1000), (7, 1000), (2, 1000), (15, 1000), (13.8155, 1e6), (13.815, 1e6), (13.9, 1e6), (12, 1e6),
        (20, 1e6), (0, 1e6), (-0.01, 1), (4.605, 99), (0, 170),
    ]  # fmt: skip
    # The rate itself is rounded, and the derivative to its logarithm is x − rate.
    yield elementwise(
        "poisson_log_prob", poisson_log_prob, ["log_rate", "x"], columns(rows), ["log_rate"],
        value_scale=lambda log_rate, x: abs(x - mp.exp(log_rate)) if x else 0,
        gradient_scales={"log_rate": lambda log_rate, x: min(x, mp.exp(log_rate))},
    )  # fmt: skip


def negative_binomial_entries():
    rows = [
        (0, 0, 0), (0, 0, 1), (0, 1.5, 3), (-12, -12, 0), (-12, -12, 1), (-12, 18, 0), (-12, 18, 1000),
        (2, -12, 0), (2, -12, 1), (2, -12, 1000), (13.8, -12, 1e6), (13.8, -12, 0), (6.9, 0, 1000),
        (6.9, 6.9, 1000), (6.9, 18, 1000), (7, 18, 1000), (2, 18, 1000), (2.3, 2, 10), (2.3, 18, 10),
        (15, 18, 1e6), (13.8155, 18, 1e6), (13.8, 18, 1e6), (13.8155, 10, 1e6), (13.8, 5, 1e6), (18, 18, 1e6),
        (-3, 18, 1), (15, 2, 0), (15, 18, 0), (0, -3, 1e6), (5, 5, 0), (18, -12, 1), (18, -12, 0),
        (-12, 3, 1e6), (1, 0.5, 2), (4, 12, 60), (-1e4, 0, 0), (-1e4, 2, 3), (80, 1, 5),
    ]  # fmt: skip

    def excess(log_mean, log_count, x):
        mean, count = mp.exp(log_mean), mp.exp(log_count)
        return abs(x - mean) * count / (mean + count)

    def mean_scale(log_mean, log_count, x):
        mean, count = mp.exp(log_mean), mp.exp(log_count)
        return min(x, mean) * count / (mean + count)

    # r (ψ(r + x) − ψ(r) − log(1 + x/r)) is a difference of two numbers near ½; the rest, r (log(1 + t) − t) with
    # t = (x − μ) / (r + μ), has the rounding of μ times its slope to log μ.
    def count_scale(log_mean, log_count, x):
        mean, count = mp.exp(log_mean), mp.exp(log_count)
        return excess(log_mean, log_count, x) * mean / (mean + count) + min(x, 1) / 2

    # As for the Poisson. A count of 0 leaves r log(1 + μ/r), one term.
    yield elementwise(
        "negative_binomial_log_prob", negative_binomial_log_prob, ["log_mean", "log_count", "x"], columns(rows),
        ["log_mean", "log_count"],
        value_scale=lambda *row: excess(*row) if row[2] else 0,
        gradient_scales={"log_mean": mean_scale, "log_count": count_scale},
    )  # fmt: skip


def level_parts(mean, log_scale, x, levels):
    """(t, size) of each edge: log p = Σ −softplus(t), + log(1 − e^−width) for two; t = a − b, both up to `size`."""
    low, high = level_edges(mean, log_scale, x, levels)
    size = max(abs(mean), 1) * mp.exp(-log_scale)
    parts = [] if low is None else [(low, size)]
    return parts if high is None else parts + [(-high, size)]


def level_value_scale(*row, levels):
    """log p = log(1 − exp(−width)) − softplus(low) − softplus(−high): nothing cancels but in the edges themselves."""
    return mp.fsum(sigmoid(t) * size for t, size in level_parts(*row, levels))


def level_mean_scale(*row, levels):
    b, parts = mp.exp(row[1]), level_parts(*row, levels)
    edges = mp.fsum(sigmoid(t) * sigmoid(-t) * size for t, size in parts)
    between = min(sigmoid(t) for t, _ in parts) if len(parts) == 2 else 0
    return (edges + between) / b


def level_log_scale_scale(*row, levels):
    parts = level_parts(*row, levels)
    edges = mp.fsum(sigmoid(t) * (1 + abs(t) * sigmoid(-t)) * size for t, size in parts)
    terms = [t * sigmoid(t) for t, _ in parts]
    if len(parts) == 2:
        width = -sum(t for t, _ in parts)
        terms.append(-width / mp.expm1(width))
    return edges + min(mp.fsum(max(t, 0) for t in terms), -mp.fsum(min(t, 0) for t in terms))


def level_cdf_scale(mean, log_scale, x, levels):
    """σ(t), t = (edge − m)/b: the slope σ(t) σ(−t) times what t is rounded by."""
    _, high = level_edges(mean, log_scale, x, levels)
    return sigmoid(high) * sigmoid(-high) * max(abs(mean), 1) * mp.exp(-log_scale) if high is not None else 0


def level_cdf_mean_scale(mean, log_scale, x, levels):
    return level_cdf_scale(mean, log_scale, x, levels) * mp.exp(-log_scale)


def level_cdf_log_scale_scale(mean, log_scale, x, levels):
    _, high = level_edges(mean, log_scale, x, levels)
    return level_cdf_scale(mean, log_scale, x, levels) * (1 + abs(high)) if high is not None else 0


def discretized_logistic_entries():
    names = ["mean", "log_scale", "x"]
    by_levels = {
        256: [
            (0, 0, 0), (0, 0, 255), (0, 0, 128), (0.5, -1, 191), (-0.3, -3, 80), (-0.3, -3, 90), (0.1, -5, 140),
            (0.1, -5, 255), (0.1, -5, 0), (0.1, -7, 139), (0.1, -7, 200), (0, -12, 127), (0, -12, 128), (0, -12, 0),
            (0, -12, 255), (1, -12, 255), (-1, -12, 0), (0.25, -12, 159), (-0.5, -9, 64), (3, -2, 0), (3, -2, 255),
            (3, -2, 100), (-50, -3, 7), (-50, -3, 0), (50, -3, 0), (50, -3, 255), (1e4, 0, 0), (1e4, 0, 254),
            (-1e4, -12, 255), (0, 5, 100), (0.5, 12, 0), (0.5, 12, 255), (0.5, 12, 77), (-20, 12, 3), (1.5, -4, 254),
            (-1.01, -6, 0), (1e4, 12, 128),
        ],
        2: [(0, 0, 0), (0.5, -2, 1), (0.5, -2, 0), (0, -12, 1), (7, 12, 0), (-1e4, 3, 1)],
        16: [(0, 0, 0), (0.2, -3, 9), (0.2, -3, 3), (-1, -12, 0), (1, 12, 15), (2, -1, 14), (0.0666, -12, 8)],
    }  # fmt: skip
    for levels, rows in by_levels.items():
        yield elementwise(
            "discretized_logistic_log_prob", discretized_logistic_log_prob, names, columns(rows), names[:2],
            value_scale=level_value_scale,
            gradient_scales={"mean": level_mean_scale, "log_scale": level_log_scale_scale}, levels=levels,
        )  # fmt: skip

    for levels in (256, 16):
        yield elementwise(
            "discretized_logistic_cdf", discretized_logistic_cdf, names, columns(by_levels[levels]), names[:2],
            value_scale=level_cdf_scale, levels=levels,
            gradient_scales={"mean": level_cdf_mean_scale, "log_scale": level_cdf_log_scale_scale},
        )  # fmt: skip
