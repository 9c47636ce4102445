"""The grids of what has a row of parameters for one value: categoricals and mixtures."""

import mpmath as mp
import numpy as np

from literals_densities import (
    level_cdf_log_scale_scale,
    level_cdf_mean_scale,
    level_cdf_scale,
    level_log_scale_scale,
    level_mean_scale,
    level_value_scale,
)
from literals_entry import partial, rowwise
from literals_formulas import *


def logit_rows(k, rng):
    """Mild, one class ahead, and ±80 and ±20 mixed."""
    mild = rng.normal(size=k)
    wide = rng.normal(size=k) * 6
    mixed = rng.choice([-80.0, -20.0, 0.0, 20.0, 80.0], size=k) + rng.normal(size=k)
    level = np.full(k, 0.25)
    return [np.round(row * 64) / 64 for row in (mild, wide, mixed, level)]


def moved(rows, rng):
    """The rows of `logit_rows` a little off, not at all, and more."""
    steps = [rng.normal(size=len(row)) * scale for row, scale in zip(rows, (1e-3, 0, 1, 0.1))]
    return [row + np.round(step * 2**20) / 2**20 for row, step in zip(rows, steps)]


def categorical_entries():
    rng = np.random.default_rng(0)
    log_prob = ["categorical_log_prob", categorical_log_prob, ["logits"]]
    # log Σ exp rounds like a number near 1, however close to 0 it comes, and so does 1 - p of the class.
    scales = {"value_scale": lambda *_, **__: 1, "gradient_scale": lambda column, classes: float(column == classes)}
    for k in (3, 5, 10, 17):
        rows = logit_rows(k, rng)
        logits = [rows[0], rows[1], rows[2], rows[2], rows[3]]
        classes = [0, k - 1, int(np.argmax(rows[2])), int(np.argmin(rows[2])), k // 2]
        yield rowwise(*log_prob, [logits], **scales, classes=classes)
    for k in (3, 17):
        rows = logit_rows(k, rng)
        yield rowwise(
            "categorical_entropy", categorical_entropy, ["logits"], [rows],
            value_scale=lambda _: 1, gradient_scale=lambda column: 1,
        )  # fmt: skip
        # Σ k·pₖ does not cancel; its gradient pₖ (k - mean) does.
        yield rowwise("categorical_mean", categorical_mean, ["logits"], [rows], gradient_scale=lambda column: k)
        close = moved(rows, rng)
        others = logit_rows(k, rng)
        # pₖ − qₖ and pₖ (…) cancel class by class.
        yield rowwise(
            "kl_categorical", categorical_kl, ["a", "b"], [rows + rows[:3], close + others[:3]],
            gradient_scale=lambda column: 1,
        )  # fmt: skip
    extreme = [[1e4, -1e4, 0], [-1e4, 0, 0], [80, 80, -80], [0, 0, 0]]
    yield rowwise(*log_prob, [extreme], **scales, classes=[1, 2, 2, 0])
    yield rowwise(
        "kl_categorical", categorical_kl, ["a", "b"], [extreme, [extreme[i] for i in (1, 0, 3, 2)]],
        gradient_scale=lambda column: 1,
    )  # fmt: skip
    # Classes that one side rules out, a common offset, and wide logits that hardly differ.
    a = [[0.25, -1e4, 1], [5000.5, 5001, 4999.5], [0, -20, 20], [-1e4, -9999, -9998.5], [0.5, -80, -81]]
    b = [[0.125, -1.5, 1.25], [0.5, 1.25, -0.5], [0.01, -20, 20], [3, 4, 4.625], [0.5, -79, -83]]
    yield rowwise("kl_categorical", categorical_kl, ["a", "b"], [a, b], gradient_scale=lambda column: 1)
    yield rowwise("kl_categorical", categorical_kl, ["a", "b"], [b, a], gradient_scale=lambda column: 1)
    a = [[0.5, -3, 80, 79.5], [-80, -81, -79.5, -80], [-1e4, 1e4, 0, 1e4], [0, 0, 0, 0], [-1e4, -1e4, -10001, -1e4]]
    yield rowwise("log_mean_exp", log_mean_exp, ["a"], [a], value_scale=lambda row: abs(max(row)) + 2)

    rng = np.random.default_rng(2)
    cdf = ["categorical_cdf", categorical_cdf, ["logits"]]
    # pⱼ (1 − F) of the classes up to it; −pⱼ F of the others, one product.
    cdf_scales = {"logits": lambda l, classes: [p if j <= classes else 0 for j, p in enumerate(softmax(l))]}
    for k in (3, 17):
        rows = logit_rows(k, rng)
        logits = [rows[0], rows[0], rows[1], rows[2], rows[2], rows[3], rows[0]]
        classes = [0, 1, k // 2, 0, k - 2, k // 2, k - 1]
        yield rowwise(*cdf, [logits], gradient_scales=cdf_scales, classes=classes)
    classes = [0, 0, 0, 0, 1, 1, 1, 2]
    yield rowwise(*cdf, [extreme * 2], gradient_scales=cdf_scales, classes=classes)


def beta_binomial_entries():
    rng = np.random.default_rng(1)
    names = ["weights", "log_alpha", "log_beta"]
    for levels, components in ((2, 1), (2, 3), (17, 1), (17, 3)):
        n = levels - 1
        xs = [0, n] * 4 if levels == 2 else [0, n, 1, 8, 15, 0, n, 5]
        shapes = rng.uniform(-3, 3, size=(2, 8, components))
        # Both spiked, both binomial, and steep to either side; inside ±30, where the clamp begins.
        corners = [(-12, -12), (20, 20), (20, -7.75), (-7.75, 12.5)]
        for row, (a, b) in zip((0, 1, 2, 5), corners):
            shapes[:, row, 0] = a, b
        log_alpha, log_beta = np.round(shapes * 64) / 64
        weights = np.round(rng.normal(size=(8, components)) * 64) / 64
        parameters = [weights, log_alpha, log_beta]
        # Sums of `n` logarithms of either sign, each up to 8; of `n` numbers up to 1 in the gradients.
        yield rowwise(
            "beta_binomial_log_prob", beta_binomial_mixture_log_prob, names, parameters,
            value_scale=lambda *_, **__: max(8, n), gradient_scale=lambda column, **_: n, x=xs, levels=levels,
        )  # fmt: skip
        if components == 1 and levels == 17:
            continue
        # πₘ (meanₘ − mean) cancels.
        yield rowwise(
            "beta_binomial_mean", beta_binomial_mixture_mean, names, parameters,
            gradient_scales={"weights": lambda w, *_, levels: [n * p for p in softmax(w)]}, levels=levels,
        )  # fmt: skip
        yield rowwise(
            "beta_binomial_entropy", beta_binomial_mixture_entropy, names, parameters,
            value_scale=lambda *_, **__: max(8, n), gradient_scale=lambda column, **_: n, levels=levels,
        )  # fmt: skip
        yield rowwise(
            "beta_binomial_cdf", beta_binomial_mixture_cdf, names, parameters,
            value_scale=lambda *row, x, levels: n * beta_binomial_mixture_cdf(*row, x=x, levels=levels),
            gradient_scale=lambda column, **_: n, x=xs, levels=levels,
        )  # fmt: skip


# ---- mixtures of continuous and of discretised components ------------------------


def mixture_scales(component, component_scale, gradient_scales, names):
    """Scales of log Σₘ πₘ pₘ(x) and its gradients, from those of the components.

    An error e of log pₘ moves the responsibility rₘ by rₘ (1 − rₘ) e, and every gradient is one of rₘ.
    """

    def parts(*row, **extra):
        weights, *parameters, x = row
        log_weights = log_softmax(weights)
        terms = [(*(p[m] for p in parameters), x) for m in range(len(weights))]
        joint = [w + component(*term, **extra) for w, term in zip(log_weights, terms)]
        shares = softmax(joint)
        # Of what log πₘ + log pₘ is summed.
        sizes = [
            component_scale(*term, **extra) + abs(w) + abs(j) + 1 for w, term, j in zip(log_weights, terms, joint)
        ]
        moves = [
            r * mp.fsum(shares[j] * (sizes[j] + sizes[m]) for j in range(len(shares)) if j != m)
            for m, r in enumerate(shares)
        ]
        return shares, sizes, moves, terms, softmax(weights)

    def value_scale(*row, **extra):
        shares, sizes, *_ = parts(*row, **extra)
        return mp.fsum(r * size for r, size in zip(shares, sizes))

    def weight_scale(*row, **extra):
        shares, _, moves, _, weights = parts(*row, **extra)
        return [min(r, p) + move for r, p, move in zip(shares, weights, moves)]

    def parameter_scale(i, name):
        def scale(*row, **extra):
            shares, _, moves, terms, _ = parts(*row, **extra)
            scales = []
            for r, move, term in zip(shares, moves, terms):
                slope = partial(lambda *term: component(*term, **extra), term, i)
                own = gradient_scales[name](*term, **extra) if name in gradient_scales else 0
                scales.append(r * own + move * abs(slope))
            # The gradient to x is the sum over the components.
            return mp.fsum(scales) + mp.fsum(r * abs(s) for r, s in zip(shares, scales)) if name == "x" else scales

        return scale

    scales = {name: parameter_scale(i, name) for i, name in enumerate(names)}
    return {"value_scale": value_scale, "gradient_scales": {"weights": weight_scale, **scales}}


def normal_mixture_entries():
    weights = [
        (0.5, -1, 0), (0, 0, 0), (1e4, -1e4, 0), (-1e4, 1e4, 1e4), (2, -3, 1), (0, 0, 0), (80, 0, 79), (0.25, 0.5, -2),
        (0, 0, 0), (1, 2, 3), (0, -20, 0),
    ]  # fmt: skip
    mean = [
        (0, 1, -2), (-1, 0, 1), (0.5, 3, 7), (100, -1, 1), (1e4, -1e4, 0), (0, 0.5, 1), (1, 2, 3), (0, 0, 0),
        (-3, 0.5, 0.5), (1000, 1001, 999.5), (0, 3, -5),
    ]  # fmt: skip
    log_var = [
        (0, -1, 1), (0, 0, 0), (0, 30, -30), (0, -4, -4), (30, 30, -30), (-30, -20, -10), (0, 1, -1), (-2, 0, 2),
        (1, -30, 30), (0, -2, 3), (-3, 1, 0),
    ]  # fmt: skip
    x = [(0.25,), (-1e4,), (0.75,), (0.5,), (3,), (0.5,), (1.5,), (1e3,), (0.50001,), (1000.25,), (-25,)]
    parameters = [weights, mean, log_var, x]
    names = ["weights", "mean", "log_var", "x"]
    z_squared = lambda mean, log_var, x: (x - mean) ** 2 * mp.exp(-log_var)
    yield rowwise(
        "normal_mixture_log_prob", normal_mixture_log_prob, names, parameters,
        **mixture_scales(
            normal_log_prob, lambda *row: abs(row[1]) / 2 + z_squared(*row) / 2 + 1,
            {"log_var": lambda *row: (1 + z_squared(*row)) / 2}, ["mean", "log_var", "x"],
        ),
    )  # fmt: skip

    # e^(−z²/2) multiplies a rounded z by z².
    def tail(size, summed):
        def of_row(w, means, log_vars, x):
            terms = zip(softmax(w), means, log_vars)
            each = [p * abs(size(m, v, x)) * z_squared(m, v, x) / 4 for p, m, v in terms]
            return mp.fsum(each) if summed else each

        return of_row

    below = lambda mean, log_var, x: normal_cdf(mean, log_var, min(x, 2 * mean - x))
    density = lambda *row: mp.exp(normal_log_prob(*row))
    slope = lambda mean, log_var, x: (x - mean) * density(mean, log_var, x) / 2

    # πₘ (Φₘ − F) cancels.
    def cdf_weight_scale(w, means, log_vars, x):
        whole, all_tails = normal_mixture_cdf(w, means, log_vars, x), tail(below, True)(w, means, log_vars, x)
        tails = tail(below, False)(w, means, log_vars, x)
        terms = zip(softmax(w), means, log_vars, tails)
        return [p * (min(normal_cdf(m, v, x), whole) + all_tails) + own for p, m, v, own in terms]

    yield rowwise(
        "normal_mixture_cdf", normal_mixture_cdf, names, parameters,
        value_scale=tail(below, True),
        gradient_scales={
            "weights": cdf_weight_scale, "mean": tail(density, False), "log_var": tail(slope, False),
            "x": tail(density, True),
        },
    )  # fmt: skip
    magnitude = lambda w, m: mp.fsum(p * abs(mean) for p, mean in zip(softmax(w), m))
    yield rowwise(
        "normal_mixture_mean", normal_mixture_mean, names[:3], parameters[:3], ["weights", "mean"],
        value_scale=lambda w, m, v: magnitude(w, m),
        gradient_scales={
            "weights": lambda w, m, v: [p * (abs(mean) + magnitude(w, m)) for p, mean in zip(softmax(w), m)]
        },
    )  # fmt: skip

    # Σ πₘ (σₘ² + (μₘ − mean)²): only μₘ − mean cancels, and rounds like the larger of the two.
    def distances(w, m):
        mean, size = normal_mixture_mean(w, m, m), magnitude(w, m)
        return [(p, abs(x - mean), max(abs(x), size)) for p, x in zip(softmax(w), m)]

    yield rowwise(
        "normal_mixture_variance", normal_mixture_variance, names[:3], parameters[:3],
        value_scale=lambda w, m, v: mp.fsum(2 * p * d * size for p, d, size in distances(w, m)),
        gradient_scales={
            "mean": lambda w, m, v: [2 * p * size for p, d, size in distances(w, m)],
            "weights": lambda w, m, v: [
                p * (mp.exp(s) + d * (d + 2 * size) + normal_mixture_variance(w, m, v))
                for s, (p, d, size) in zip(v, distances(w, m))
            ],
        },
    )  # fmt: skip


def discretized_logistic_mixture_entries():
    name, names = "discretized_logistic_mixture", ["weights", "mean", "log_scale"]
    grids = {
        256: (
            [(0.5, -1, 0), (0, 0, 0), (1e4, -1e4, 0), (-1e4, 1e4, 1e4), (2, -3, 1), (0, 0, 0), (3, 0, 1), (0, 0, 0)],
            [
                (0, 0.5, -0.5), (-1, 0, 1), (0.5, 3, 7), (9, -1, 1), (0.25, -2, 1e4), (0, 0, 0), (-50, 50, 0.3),
                (0.1, 0.12, 0.7),
            ],
            [
                (-3, -2, -1), (-5, -5, -5), (-1, 12, -12), (0, -3, -4), (12, -12, 0), (-12, 0, 12), (-3, -3, -3),
                (-7, -6, -4),
            ],
            [(100,), (255,), (191,), (0,), (77,), (128,), (20,), (141,)],
        ),
        2: (
            [(0.5, -1), (0, 0), (1, 2)],
            [(0, 0.5), (-3, 3), (1e4, 0)],
            [(0, -1), (-2, 2), (0, 12)],
            [(0,), (1,), (0,)],
        ),
        16: (
            [(0,), (7,), (1e4,), (0,)],
            [(0,), (0.5,), (-1,), (3,)],
            [(-1,), (-4,), (-12,), (12,)],
            [(3,), (11,), (0,), (15,)],
        ),
    }  # fmt: skip
    scales = mixture_scales(
        discretized_logistic_log_prob, level_value_scale,
        {"mean": level_mean_scale, "log_scale": level_log_scale_scale}, ["mean", "log_scale"],
    )  # fmt: skip

    def of_components(scale, summed):
        def of_row(weights, mean, log_scale, x, levels):
            each = [p * scale(m, s, x, levels) for p, m, s in zip(softmax(weights), mean, log_scale)]
            return mp.fsum(each) if summed else each

        return of_row

    # πₘ (Fₘ − F) cancels.
    def cdf_weight_scale(weights, mean, log_scale, x, levels):
        row = (weights, mean, log_scale)
        whole = discretized_logistic_mixture_cdf(*row, x=x, levels=levels)
        moved = of_components(level_cdf_scale, True)(*row, x=x, levels=levels)
        own = of_components(level_cdf_scale, False)(*row, x=x, levels=levels)
        terms = zip(softmax(weights), mean, log_scale, own)
        return [p * (min(discretized_logistic_cdf(m, s, x, levels), whole) + moved) + e for p, m, s, e in terms]

    for levels, (*parameters, x) in grids.items():
        xs = [x for (x,) in x]
        with_x = {
            "value_scale": lambda *row, x, levels: scales["value_scale"](*row, x, levels=levels),
            "gradient_scales": {
                name: lambda *row, x, levels, scale=scale: scale(*row, x, levels=levels)
                for name, scale in scales["gradient_scales"].items()
            },
        }
        yield rowwise(
            f"{name}_log_prob", discretized_logistic_mixture_log_prob, names, parameters, **with_x, x=xs, levels=levels
        )
        if levels != 2:
            yield rowwise(
                f"{name}_cdf", discretized_logistic_mixture_cdf, names, parameters,
                value_scale=of_components(level_cdf_scale, True),
                gradient_scales={
                    "weights": cdf_weight_scale, "mean": of_components(level_cdf_mean_scale, False),
                    "log_scale": of_components(level_cdf_log_scale_scale, False),
                },
                x=xs, levels=levels,
            )  # fmt: skip
