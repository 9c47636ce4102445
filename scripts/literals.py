#!/usr/bin/env python3
"""Makes crates/dgm-core/tests/literals.json: densities, divergences and their gradients to 50 digits.

Every input is a number that f32 holds exactly, so a difference in the tests is an error of the code and never of the
input. Moderate inputs are computed a second time by SciPy and PyTorch in float64, and have to agree to 1e-9.

    pip install mpmath numpy scipy torch
    python scripts/literals.py            write the file
    python scripts/literals.py --check    only compare the file that is there

An entry: `inputs` and `gradients` (of the sum of the values) by name, flat, each of `shape`; `value` with one number for
each element or row. `value_scale` and `gradient_scales` are the sizes of what cancels in the formula: 0 where nothing
does and f32 can be held to a relative error alone.
"""

import json
import sys
from pathlib import Path

import mpmath as mp
import numpy as np
import scipy.stats
import torch

mp.mp.dps = 50
OUTPUT = Path(__file__).resolve().parent.parent / "crates" / "dgm-core" / "tests" / "literals.json"
AGREEMENT = 1e-9


def f32(x) -> float:
    return float(np.float32(x))


# ---- formulas, each written from its textbook definition ---------------------


def softplus(x):
    return mp.log1p(mp.exp(x)) if x < 0 else x + mp.log1p(mp.exp(-x))


def sigmoid(x):
    return 1 / (1 + mp.exp(-x))


def log_sum_exp(a):
    top = max(a)
    return top + mp.log(mp.fsum(mp.exp(x - top) for x in a))


def softmax(a):
    total = log_sum_exp(a)
    return [mp.exp(x - total) for x in a]


def bernoulli_log_prob(logit, x):
    return x * logit - softplus(logit)


def bernoulli_entropy(logit):
    return softplus(logit) - logit * sigmoid(logit)


def bernoulli_kl(a, b):
    return sigmoid(a) * (a - b) - softplus(a) + softplus(b)


def normal_log_prob(mean, log_var, x):
    return -(mp.log(2 * mp.pi) + log_var + (x - mean) ** 2 * mp.exp(-log_var)) / 2


def normal_entropy(log_var):
    return (1 + mp.log(2 * mp.pi) + log_var) / 2


def normal_kl(mean_q, log_var_q, mean_p, log_var_p):
    distance = (mean_q - mean_p) ** 2 * mp.exp(-log_var_p)
    return (distance + mp.exp(log_var_q - log_var_p) - 1 - log_var_q + log_var_p) / 2


def categorical_entropy(logits):
    return -mp.fsum(p * mp.log(p) for p in softmax(logits))


def categorical_mean(logits):
    return mp.fsum(k * p for k, p in enumerate(softmax(logits)))


def categorical_kl(a, b):
    p, q = softmax(a), softmax(b)
    return mp.fsum(p * (mp.log(p) - mp.log(q)) for p, q in zip(p, q))


def log_mean_exp(a):
    return log_sum_exp(a) - mp.log(len(a))


def beta_binomial_mixture(weights, log_alpha, log_beta, x, n):
    # Through log-gamma: another way than the finite products of the code.
    terms = []
    for weight, log_a, log_b in zip(weights, log_alpha, log_beta):
        a, b = mp.exp(log_a), mp.exp(log_b)
        log_beta_of = lambda a, b: mp.loggamma(a) + mp.loggamma(b) - mp.loggamma(a + b)
        terms.append(weight + log_beta_of(a + x, b + n - x) - log_beta_of(a, b))
    choose = mp.loggamma(n + 1) - mp.loggamma(x + 1) - mp.loggamma(n - x + 1)
    return log_sum_exp(terms) - log_sum_exp(list(weights)) + choose


# ---- gradients ---------------------------------------------------------------


def partial(function, arguments, i):
    """∂/∂argument i by a central difference at twice the precision: exact in all digits that are written."""
    with mp.workdps(150):
        step = mp.mpf(10) ** -40
        up, down = list(arguments), list(arguments)
        up[i] = arguments[i] + step
        down[i] = arguments[i] - step
        return (function(*up) - function(*down)) / (2 * step)


def elementwise(name, function, names, columns, differentiable, value_scale=None, gradient_scales=None):
    """An entry of independent numbers: columns[i] holds the values of argument names[i]."""
    columns = [[f32(x) for x in column] for column in columns]
    rows = [[mp.mpf(x) for x in row] for row in zip(*columns)]
    entry = {
        "name": name,
        "shape": [len(rows)],
        "inputs": dict(zip(names, columns)),
        "value": [function(*row) for row in rows],
        "value_scale": [value_scale(*row) for row in rows] if value_scale else 0,
        "gradients": {},
        "gradient_scales": {},
    }
    for wanted in differentiable:
        i = names.index(wanted)
        entry["gradients"][wanted] = [partial(function, row, i) for row in rows]
        scale = (gradient_scales or {}).get(wanted)
        entry["gradient_scales"][wanted] = [scale(*row) for row in rows] if scale else 0
    return entry


def rowwise(name, function, names, matrices, value_scale=None, gradient_scale=None, **extra):
    """An entry with one value a row: matrices[i] is the [n, k] argument names[i]; `extra` are further columns [n]."""
    matrices = [[[f32(x) for x in row] for row in matrix] for matrix in matrices]
    n, k = len(matrices[0]), len(matrices[0][0])
    entry = {
        "name": name,
        "shape": [n, k],
        "inputs": {name: sum(matrix, []) for name, matrix in zip(names, matrices)},
        **extra,
        "value": [],
        "value_scale": [] if value_scale else 0,
        "gradients": {name: [] for name in names},
        "gradient_scales": {name: [] if gradient_scale else 0 for name in names},
    }
    for row in range(n):
        more = {key: values[row] if isinstance(values, list) else values for key, values in extra.items()}
        flat = [mp.mpf(x) for matrix in matrices for x in matrix[row]]

        def of_flat(*flat):
            return function(*[list(flat[i * k : (i + 1) * k]) for i in range(len(names))], **more)

        entry["value"].append(of_flat(*flat))
        if value_scale:
            entry["value_scale"].append(value_scale(*[list(flat[i * k : (i + 1) * k]) for i in range(len(names))]))
        for i, name in enumerate(names):
            for column in range(k):
                entry["gradients"][name].append(partial(of_flat, flat, i * k + column))
                if gradient_scale:
                    entry["gradient_scales"][name].append(gradient_scale(column, **more))
    return entry


# ---- entries -----------------------------------------------------------------


def bernoulli_entries():
    logits = [0, 0.5, -0.5, 3, -3, 20, -20, 80, -80, 1e4, -1e4]
    yield elementwise(
        "bernoulli_log_prob", bernoulli_log_prob, ["logits", "x"], [logits * 2, [0] * 11 + [1] * 11], ["logits"]
    )
    # Burn differentiates the sigmoid as y (1 - y), where 1 - y rounds.
    yield elementwise(
        "bernoulli_mean", sigmoid, ["logits"], [logits], ["logits"], gradient_scales={"logits": lambda _: 1}
    )
    yield elementwise("bernoulli_entropy", bernoulli_entropy, ["logits"], [logits], ["logits"])
    pairs = [
        (0, 0), (0, 0.5), (0.5, 0), (-0.5, 0.5), (3, -3), (0.5, 0.501), (-3, -3.0625), (3, 3), (1, 1.25), (1, 1.375),
        (20, 19), (-20, -3), (20, 20.5), (-20, 20), (80, 80), (80, 79), (-80, -79), (80, -80), (-80, 80), (-80, 0),
        (0, 80), (0, 1e-3), (0, 1e-6), (1e4, 1e4), (1e4, -1e4), (-1e4, 0), (0, -1e4), (2, 2.00001),
    ]  # fmt: skip
    # ∂/∂a = σ(a) σ(−a) (a − b) is what two shares as large as ∂/∂b = σ(b) − σ(a) leave.
    yield elementwise(
        "kl_bernoulli", bernoulli_kl, ["a", "b"], list(zip(*pairs)), ["a", "b"],
        gradient_scales={"a": lambda a, b: abs(sigmoid(b) - sigmoid(a))},
    )  # fmt: skip


def normal_entries():
    rows = [
        (0, 0, 0), (0.5, 0, -1.25), (-3, 1.5, 2), (0, -30, 1e-6), (0, -30, 0), (1, -30, 1.0000001), (0, 30, 1e6),
        (0, 30, 1e-3), (1e4, 2, -1e4), (0, -10, 300), (0, 1e-3, 1), (5, -1e-6, 5.5), (-1, 30, 1e8), (1e-3, -30, -1e3),
    ]  # fmt: skip
    z_squared = lambda mean, log_var, x: (x - mean) ** 2 * mp.exp(-log_var)
    # Sums of numbers of both signs: log 2π, log σ² and z²; then 1 and z².
    yield elementwise(
        "normal_log_prob", normal_log_prob, ["mean", "log_var", "x"], list(zip(*rows)), ["mean", "log_var", "x"],
        value_scale=lambda *row: abs(row[1]) + z_squared(*row) + 2,
        gradient_scales={"log_var": lambda *row: 1 + z_squared(*row)},
    )  # fmt: skip
    log_vars = [-30, -3, -1e-6, 0, 1e-3, 2, 30]
    yield elementwise("normal_entropy", normal_entropy, ["log_var"], [log_vars], ["log_var"])

    small = [0, 1e-6, -1e-6, 1e-3, -1e-3, 0.299, 0.3, 0.301, -0.299, -0.301, 1, -1, 5, -5, 30, -30]
    means = [0, 0, 1e-3, 0, 1e-6, 0, 0, 0.5, 0, -0.5, 3, 0, 0, -100, 0, 0]
    yield elementwise(
        "kl_normal_standard", lambda m, v: normal_kl(m, v, 0, 0), ["mean", "log_var"], [means, small], ["mean", "log_var"]
    )
    pairs = [
        (0, 0, 0, 0), (1, 0.5, 1, 0.5), (0, 1e-3, 0, 0), (0, 0, 0, 1e-3), (0, 1e-6, 0, 0), (0, 0, 0, -1e-6),
        (2, 1.001, 2, 1), (2, -1, 2.001, -1), (0, 30, 0, 30), (0, 30, 0, -30), (0, -30, 0, 30), (1e3, 30, -1e3, 30),
        (1, -30, 1, -29.75), (1e-6, -30, 0, -30), (1e4, 0, -1e4, 0), (3, -2, -1, 1), (-7, 2, 5, -1),
    ]  # fmt: skip
    shrink = lambda mq, vq, mp_, vp: (mq - mp_) ** 2 * mp.exp(-vp) + abs(mp.expm1(vq - vp))
    names = ["mean_q", "log_var_q", "mean_p", "log_var_p"]
    # ∂/∂log σ₂² is the difference of the distance's share and the ratio's.
    yield elementwise(
        "kl_normal_normal", normal_kl, names, list(zip(*pairs)), names,
        gradient_scales={"log_var_p": lambda *row: shrink(*row) if row[0] != row[2] else 0},
    )  # fmt: skip


def logit_rows(k, rng):
    """Mild, one class ahead, and ±80 and ±20 mixed."""
    mild = rng.normal(size=k)
    wide = rng.normal(size=k) * 6
    mixed = rng.choice([-80.0, -20.0, 0.0, 20.0, 80.0], size=k) + rng.normal(size=k)
    level = np.full(k, 0.25)
    return [np.round(row * 64) / 64 for row in (mild, wide, mixed, level)]


def categorical_entries():
    rng = np.random.default_rng(0)
    for k in (3, 5, 10, 17):
        rows = logit_rows(k, rng)
        logits = [rows[0], rows[1], rows[2], rows[2], rows[3]]
        classes = [0, k - 1, int(np.argmax(rows[2])), int(np.argmin(rows[2])), k // 2]
        # log Σ exp rounds like a number near 1, however close to 0 it comes, and so does 1 - p of the class.
        yield rowwise(
            "categorical_log_prob", lambda l, classes: l[classes] - log_sum_exp(l), ["logits"], [logits],
            value_scale=lambda _: 1, gradient_scale=lambda column, classes: float(column == classes), classes=classes,
        )  # fmt: skip
    for k in (3, 17):
        rows = logit_rows(k, rng)
        yield rowwise(
            "categorical_entropy", categorical_entropy, ["logits"], [rows],
            value_scale=lambda _: 1, gradient_scale=lambda column: 1,
        )  # fmt: skip
        # Σ k·pₖ does not cancel; its gradient pₖ (k - mean) does.
        yield rowwise("categorical_mean", categorical_mean, ["logits"], [rows], gradient_scale=lambda column: k)
        close = [row + np.round(rng.normal(size=k) * scale * 2**20) / 2**20 for row, scale in zip(rows, (1e-3, 0, 1, 0.1))]
        others = logit_rows(k, rng)
        # pₖ − qₖ and pₖ (…) cancel class by class.
        yield rowwise(
            "kl_categorical", categorical_kl, ["a", "b"], [rows + rows[:3], close + others[:3]],
            gradient_scale=lambda column: 1,
        )  # fmt: skip
    extreme = [[1e4, -1e4, 0], [-1e4, 0, 0], [80, 80, -80], [0, 0, 0]]
    yield rowwise(
        "categorical_log_prob", lambda l, classes: l[classes] - log_sum_exp(l), ["logits"], [extreme],
        value_scale=lambda _: 1, gradient_scale=lambda column, classes: float(column == classes), classes=[1, 2, 2, 0],
    )  # fmt: skip
    yield rowwise(
        "kl_categorical", categorical_kl, ["a", "b"], [extreme, [extreme[i] for i in (1, 0, 3, 2)]],
        gradient_scale=lambda column: 1,
    )  # fmt: skip
    a = [[0.5, -3, 80, 79.5], [-80, -81, -79.5, -80], [-1e4, 1e4, 0, 1e4], [0, 0, 0, 0], [-1e4, -1e4, -10001, -1e4]]
    yield rowwise("log_mean_exp", log_mean_exp, ["a"], [a], value_scale=lambda row: abs(max(row)) + 2)


def beta_binomial_entries():
    rng = np.random.default_rng(1)
    for levels, components in ((2, 1), (2, 3), (17, 1), (17, 3)):
        n = levels - 1
        xs = [0, n] * 4 if levels == 2 else [0, n, 1, 8, 15, 0, n, 5]
        shapes = rng.uniform(-3, 3, size=(2, 8, components))
        # Both flat, both spiked, and steep to either side; inside ±8, where the clamp begins.
        corners = [(-7.75, -7.75), (7.75, 7.75), (7.75, -7.75), (-7.75, 7.75)]
        for row, (a, b) in zip((0, 1, 2, 5), corners):
            shapes[:, row, 0] = a, b
        log_alpha, log_beta = np.round(shapes * 64) / 64
        weights = np.round(rng.normal(size=(8, components)) * 64) / 64
        # Sums of `n` logarithms of either sign, each up to 8; of `n` numbers up to 1 in the gradients.
        yield rowwise(
            "beta_binomial_log_prob",
            lambda w, a, b, x, levels: beta_binomial_mixture(w, a, b, x, levels - 1),
            ["weights", "log_alpha", "log_beta"],
            [weights, log_alpha, log_beta],
            value_scale=lambda *_: max(8, n), gradient_scale=lambda column, **_: n, x=xs, levels=levels,
        )  # fmt: skip


# ---- the second source ---------------------------------------------------------


def agree(what, found, expected):
    found, expected = np.asarray(found, dtype=float), np.asarray(expected, dtype=float)
    error = np.abs(found - expected) / (1 + np.abs(expected))
    assert np.all(error < AGREEMENT), f"{what}: {found} against {expected}"


def cross_check(entries):
    """SciPy and PyTorch in float64, on the rows with moderate inputs."""
    checked = set()
    for entry in entries:
        name, shape = entry["name"], entry["shape"]
        inputs = {key: torch.tensor(v, dtype=torch.float64).reshape(shape) for key, v in entry["inputs"].items()}
        keep = torch.stack([(v.abs() <= 20).reshape(shape[0], -1).all(1) for v in inputs.values()]).all(0)
        inputs = {key: v[keep].requires_grad_() for key, v in inputs.items()}
        pick = lambda key: inputs[key]
        rows = [i for i, kept in enumerate(keep.tolist()) if kept]
        if not rows:
            continue
        dist = torch.distributions
        normal = lambda mean, log_var: dist.Normal(mean, torch.exp(log_var / 2))
        if name == "bernoulli_log_prob":
            value = dist.Bernoulli(logits=pick("logits")).log_prob(pick("x").detach())
        elif name == "bernoulli_mean":
            value = dist.Bernoulli(logits=pick("logits")).mean
        elif name == "bernoulli_entropy":
            value = dist.Bernoulli(logits=pick("logits")).entropy()
        elif name == "kl_bernoulli":
            value = dist.kl_divergence(dist.Bernoulli(logits=pick("a")), dist.Bernoulli(logits=pick("b")))
        elif name == "normal_log_prob":
            value = normal(pick("mean"), pick("log_var")).log_prob(pick("x"))
        elif name == "normal_entropy":
            value = normal(torch.zeros_like(pick("log_var")), pick("log_var")).entropy()
        elif name == "kl_normal_standard":
            standard = normal(torch.zeros(len(rows), dtype=torch.float64), torch.zeros(len(rows), dtype=torch.float64))
            value = dist.kl_divergence(normal(pick("mean"), pick("log_var")), standard)
        elif name == "kl_normal_normal":
            q, p = normal(pick("mean_q"), pick("log_var_q")), normal(pick("mean_p"), pick("log_var_p"))
            value = dist.kl_divergence(q, p)
        elif name == "categorical_log_prob":
            value = dist.Categorical(logits=pick("logits")).log_prob(torch.tensor([entry["classes"][i] for i in rows]))
        elif name == "categorical_entropy":
            value = dist.Categorical(logits=pick("logits")).entropy()
        elif name == "categorical_mean":
            value = (torch.softmax(pick("logits"), 1) * torch.arange(shape[1])).sum(1)
        elif name == "kl_categorical":
            value = dist.kl_divergence(dist.Categorical(logits=pick("a")), dist.Categorical(logits=pick("b")))
        elif name == "log_mean_exp":
            value = torch.logsumexp(pick("a"), 1) - np.log(shape[1])
        elif name == "beta_binomial_log_prob":
            weights = torch.softmax(pick("weights"), 1).detach().numpy()
            alpha, beta = (np.exp(pick(key).detach().numpy()) for key in ("log_alpha", "log_beta"))
            x = np.array(entry["x"])[:, None]
            log_pmf = scipy.stats.betabinom.logpmf(x, entry["levels"] - 1, alpha, beta)
            agree(name, np.log((weights * np.exp(log_pmf)).sum(1)), entry["value"])
            checked.add(name)
            continue
        agree(name, value.detach(), [entry["value"][i] for i in rows])
        value.sum().backward()
        for key, expected in entry["gradients"].items():
            expected = np.array([float(g) for g in expected]).reshape(shape)[keep.numpy()]
            agree(f"{name}, gradient to {key}", inputs[key].grad, expected)
        checked.add(name)
    missing = {entry["name"] for entry in entries} - checked
    assert not missing, f"no second source for {missing}"


# ---- writing -------------------------------------------------------------------


def number(x, digits) -> str:
    x = float(x)
    if x == int(x) and abs(x) < 1e6:
        return str(int(x))
    # Below what f64 can hold, and far below what f32 can.
    return f"{x:.{digits}g}" if abs(x) > 1e-300 else "0"


def written(entry) -> dict:
    def tidy(value, digits):
        if isinstance(value, dict):
            return {key: tidy(item, digits) for key, item in value.items()}
        if isinstance(value, list):
            return f"[{', '.join(number(x, digits) for x in value)}]"
        return number(value, digits)

    def scales(value):
        if isinstance(value, dict):
            return {key: scales(item) for key, item in value.items()}
        if isinstance(value, list) and len({float(x) for x in value}) == 1:
            return number(value[0], 3)
        return tidy(value, 3)

    digits = {"inputs": 9, "value": 10, "gradients": 10}
    out = {}
    for key, value in entry.items():
        if key in ("value_scale", "gradient_scales"):
            out[key] = scales(value)
        elif key in digits:
            out[key] = tidy(value, digits[key])
        else:
            out[key] = json.dumps(value)
    return out


def to_text(entries) -> str:
    blocks = []
    for entry in entries:
        lines = []
        for key, value in written(entry).items():
            if isinstance(value, dict):
                inner = ",\n".join(f"   {json.dumps(name)}: {item}" for name, item in value.items())
                value = f"{{\n{inner}\n  }}"
            lines.append(f"  {json.dumps(key)}: {value}")
        blocks.append(" {\n" + ",\n".join(lines) + "\n }")
    text = "[\n" + ",\n".join(blocks) + "\n]\n"
    json.loads(text)
    return text


def main() -> None:
    if sys.argv[1:] not in ([], ["--check"]):
        sys.exit(f"unknown arguments {sys.argv[1:]}: expected nothing or --check")
    entries = [*bernoulli_entries(), *normal_entries(), *categorical_entries(), *beta_binomial_entries()]
    cross_check(entries)
    text = to_text(entries)
    if sys.argv[1:]:
        if OUTPUT.read_text(encoding="ascii") != text:
            sys.exit(f"{OUTPUT.name} is not what this script writes")
        print(f"{OUTPUT.name}: as expected")
        return
    OUTPUT.write_text(text, encoding="ascii")
    print(f"{OUTPUT.name}: {len(entries)} entries, {len(text)} bytes")


if __name__ == "__main__":
    main()
