#!/usr/bin/env python3
"""Makes crates/dgm-core/tests/objective_literals.json: objectives and their gradients to 50 digits.

As scripts/literals.py does for densities: every input is a number that f32 holds exactly, and rows with moderate inputs
are computed a second time by PyTorch in float64, and have to agree to 1e-9.

    pip install mpmath numpy scipy torch
    python scripts/objective_literals.py            write the file
    python scripts/objective_literals.py --check    only compare the file that is there

An entry: `inputs` by name, flat, each of its own shape in `shapes`; `value` with a number for each example;
`gradients` of Σᵢ wᵢ valueᵢ with wᵢ = 1/2 + (i mod 7)/4, so that a factor in the wrong row shows; further keys are the
objective's settings. DReG's `gradients` are those of its estimator, not the derivatives of its value. `value_scale` and
`gradient_scales` are the sizes of what cancels in the formula, as in literals.json.

Objectives with latent variables stand in objective_literals_latent.py.
"""

from pathlib import Path

import mpmath as mp
import numpy as np
import objective_literals_latent as latent
import torch
import torch.nn.functional as F
from literals import to_text
from literals_entry import f32, write_or_check
from literals_formulas import log_sum_exp, softplus
from literals_second_source import agree
from objective_literals_entry import entry, round64, row_weight

OUTPUT = Path(__file__).resolve().parent.parent / "crates" / "dgm-core" / "tests" / "objective_literals.json"
# PyTorch's own forms lose digits beyond this size of an input.
MODERATE = 20


# ---- formulas, each written from its textbook definition ---------------------


def nll(logits, y):
    return log_sum_exp(logits) - logits[y]


def label_smoothing(logits, y, epsilon):
    log_p = [-nll(logits, k) for k in range(len(logits))]
    return -(1 - mp.mpf(epsilon)) * log_p[y] - mp.mpf(epsilon) / len(logits) * mp.fsum(log_p)


def focal(logits, y, gamma):
    if gamma == 0:
        return nll(logits, y)
    log_others = log_sum_exp([x for k, x in enumerate(logits) if k != y])
    # 1 − p by its own logits: 50 digits are not enough for 1 − exp(−exp(-20000)).
    return nll(logits, y) * mp.exp(gamma * (log_others - log_sum_exp(logits)))


def adaptive(hidden, head, tails, y):
    """tails: (projection, weight); all matrices as lists of rows, [in][out]."""
    times = lambda h, m: [mp.fsum(x * row[j] for x, row in zip(h, m)) for j in range(len(m[0]))]
    head_logits = times(hidden, head)
    frequent = len(head_logits) - len(tails)
    if y < frequent:
        return -nll(head_logits, y)
    start = frequent
    for i, (projection, weight) in enumerate(tails):
        size = len(weight[0])
        if y < start + size:
            return -nll(head_logits, frequent + i) - nll(times(times(hidden, projection), weight), y - start)
        start += size
    raise ValueError(f"class {y} of {start}")


EPSILON = mp.mpf("1e-6")


def nt_xent(first, second, temperature):
    z = first + second
    n = len(first)
    length = lambda a: max(mp.sqrt(mp.fsum(x * x for x in a)), EPSILON)
    similarity = lambda a, b: mp.fsum(x * y for x, y in zip(a, b)) / (length(a) * length(b)) / mp.mpf(temperature)
    row = lambda i, j: log_sum_exp([similarity(z[i], z[k]) for k in range(2 * n) if k != i]) - similarity(z[i], z[j])
    return [(row(i, i + n) + row(i + n, i)) / 2 for i in range(n)]


# ---- entries -------------------------------------------------------------------


def classification_entries():
    rng = np.random.default_rng(2)
    for k in (2, 3, 17):
        rows = [rng.normal(size=k), rng.normal(size=k) * 6, np.full(k, 0.25), rng.normal(size=k) * 4]
        rows = round64(rows)
        # One class far ahead, right and wrong: p → 1 and p → 0.
        ahead = np.zeros(k)
        ahead[0] = 18
        wide = round64(rng.normal(size=k))
        wide[1] = 80
        extreme = np.full(k, -1e4)
        extreme[k - 1] = 1e4
        logits = np.array([*rows, ahead, ahead, wide, wide, extreme, extreme])
        classes = [0, k - 1, k // 2, 1, 0, 1, 1, 0, k - 1, 0]
        each = lambda f: lambda logits: [f(row, y) for row, y in zip(logits, classes)]
        for epsilon in (0, 0.1, 0.5):
            # Rounding of the log-sum-exp, which is like that of a number near 1; and of 1 − p.
            yield entry(
                "label_smoothing", {"logits": logits}, each(lambda l, y: label_smoothing(l, y, epsilon)),
                value_scale=1, gradient_scales={"logits": 2}, classes=classes, epsilon=epsilon,
            )  # fmt: skip
        for gamma in (0, 0.5, 1, 2, 5):
            # γ = 0 is the plain NLL; else nothing cancels.
            scale = 1 if gamma == 0 else 0
            yield entry(
                "focal", {"logits": logits}, each(lambda l, y: focal(l, y, gamma)),
                value_scale=scale, gradient_scales={"logits": 2 * scale}, classes=classes, gamma=gamma,
            )  # fmt: skip
        weights = [f32(0.25 + 0.5 * (j % 3)) for j in range(k)]
        yield entry(
            "class_weights", {"logits": logits, "weights": weights},
            lambda logits, weights: [weights[y] * nll(row, y) for row, y in zip(logits, classes)],
            value_scale=2, gradient_scales={"logits": 4, "weights": 4}, classes=classes,
        )  # fmt: skip


def adaptive_entries():
    rng = np.random.default_rng(3)
    shapes = {"hidden": (7, 4), "head": (4, 5), "projection_0": (4, 2), "weight_0": (2, 3),
              "projection_1": (4, 1), "weight_1": (1, 4)}  # fmt: skip
    classes = [0, 9, 3, 2, 6, 5, 4]
    function = lambda hidden, head, p0, w0, p1, w1: [
        adaptive(row, head, [(p0, w0), (p1, w1)], y) for row, y in zip(hidden, classes)
    ]
    mild = {key: round64(rng.normal(size=shape)) for key, shape in shapes.items()}
    yield entry(
        "adaptive", mild, function, value_scale=2, gradient_scales={key: 2 for key in shapes}, classes=classes,
    )  # fmt: skip
    # Logits up to ±1e4 and beyond, exact in f32: products of small whole numbers and powers of two.
    scale = {"hidden": 64, "head": 64, "projection_0": 8, "weight_0": 16, "projection_1": 8, "weight_1": 16}
    steep = {key: rng.integers(-2, 3, size=shape) * scale[key] for key, shape in shapes.items()}
    yield entry(
        "adaptive", steep, function, value_scale=2, gradient_scales={key: 2 for key in shapes}, classes=classes,
    )  # fmt: skip


def contrastive_entries():
    rng = np.random.default_rng(4)
    diagonal = lambda scores: [nll(row, i) for i, row in enumerate(scores)]
    for n in (1, 2, 5):
        mild = round64(rng.normal(size=(n, n)) * 3)
        yield entry("info_nce", {"scores": mild}, diagonal, value_scale=1, gradient_scales={"scores": 2})
    extreme = [[1e4, -1e4, 0], [1e4, -1e4, 1e4], [80, -80, 79.5]]
    yield entry("info_nce", {"scores": extreme}, diagonal, value_scale=1, gradient_scales={"scores": 2})
    for n, d, temperature in ((1, 3, 0.5), (4, 3, 0.5), (3, 5, 0.0625)):
        first, second = round64(rng.normal(size=(2, n, d)))
        if n == 4:
            # Equal, opposite and orthogonal vectors, and lengths far apart.
            second[0], second[1] = first[0], -2 * first[1]
            first[2], second[2] = [1e-3, 0, 0], [0, 1e3, 0]
        function = lambda first, second: nt_xent(first, second, temperature)
        # A slope is a difference of unit vectors over the length; the cosines come to 1e-7 absolutely, over τ.
        slope = lambda rows: [2 / temperature / np.linalg.norm(row) for row in rows for _ in row]
        yield entry(
            "nt_xent", {"first": first, "second": second}, function, value_scale=1 / temperature,
            gradient_scales={"first": slope(first), "second": slope(second)}, temperature=temperature,
        )  # fmt: skip
    # A vector of length 0 has cosine 0 with every other, and the slope of z/ε.
    first, second = [[0, 0], [1, 2]], [[0.5, -1], [0, 0]]
    slope = lambda rows: [4 / max(np.linalg.norm(row), 1e-6) for row in rows for _ in row]
    yield entry(
        "nt_xent", {"first": first, "second": second}, lambda first, second: nt_xent(first, second, 0.5), value_scale=2,
        gradient_scales={"first": slope(first), "second": slope(second)}, temperature=0.5,
    )  # fmt: skip


def adversarial_entries():
    scores = [0, 0.5, -0.5, 3, -3, 20, -20, 80, -80, 1e4, -1e4]
    real, fake = zip(*[(a, b) for a in scores for b in (-2.5, 0.25, 1e4, -1e4)])
    yield entry(
        "non_saturating_discriminator", {"real": real, "fake": fake},
        lambda real, fake: [softplus(-a) + softplus(b) for a, b in zip(real, fake)],
    )  # fmt: skip
    yield entry("non_saturating_generator", {"fake": scores}, lambda fake: [softplus(-b) for b in fake])
    yield entry(
        "hinge_discriminator", {"real": real, "fake": fake},
        lambda real, fake: [max(0, 1 - a) + max(0, 1 + b) for a, b in zip(real, fake)],
    )  # fmt: skip
    yield entry("hinge_generator", {"fake": scores}, lambda fake: [-b for b in fake])


# ---- the second source -----------------------------------------------------------


def torch_value(name, given, inputs):
    """The objective's values by PyTorch, for the rows that `given` keeps."""
    if name in latent.NAMES:
        return latent.torch_value(name, given, inputs)
    classes = torch.tensor(given.get("classes", []))
    if name == "label_smoothing":
        return F.cross_entropy(inputs["logits"], classes, label_smoothing=given["epsilon"], reduction="none")
    if name == "focal":
        log_p = F.log_softmax(inputs["logits"], 1).gather(1, classes[:, None])[:, 0]
        return -((-torch.expm1(log_p)) ** given["gamma"]) * log_p
    if name == "class_weights":
        return F.cross_entropy(inputs["logits"], classes, weight=inputs["weights"].detach(), reduction="none")
    if name == "adaptive":
        # The same matrices under PyTorch's own module, whose classes come in the same order.
        module = torch.nn.AdaptiveLogSoftmaxWithLoss(4, 10, [3, 6], div_value=2.0).double()
        parameters = dict(module.named_parameters())
        named = {"head": "head.weight", "projection_0": "tail.0.0.weight", "weight_0": "tail.0.1.weight",
                 "projection_1": "tail.1.0.weight", "weight_1": "tail.1.1.weight"}  # fmt: skip
        swapped = {theirs: inputs[ours].T for ours, theirs in named.items()}
        assert set(parameters) == set(swapped)
        return torch.func.functional_call(module, swapped, (inputs["hidden"], classes)).output
    if name == "info_nce":
        return F.cross_entropy(inputs["scores"], torch.arange(len(inputs["scores"])), reduction="none")
    if name == "nt_xent":
        z = torch.cat([inputs["first"], inputs["second"]])
        n = len(inputs["first"])
        similarity = F.cosine_similarity(z[:, None], z[None], dim=2, eps=1e-12) / given["temperature"]
        similarity = similarity.masked_fill(torch.eye(2 * n, dtype=torch.bool), -torch.inf)
        loss = F.cross_entropy(similarity, (torch.arange(2 * n) + n) % (2 * n), reduction="none")
        return (loss[:n] + loss[n:]) / 2
    bce = F.binary_cross_entropy_with_logits
    ones = lambda key: torch.ones_like(inputs[key])
    if name == "non_saturating_discriminator":
        real = bce(inputs["real"], ones("real"), reduction="none")
        return real + bce(inputs["fake"], 0 * ones("fake"), reduction="none")
    if name == "non_saturating_generator":
        return bce(inputs["fake"], ones("fake"), reduction="none")
    if name == "hinge_discriminator":
        return F.relu(1 - inputs["real"]) + F.relu(1 + inputs["fake"])
    assert name == "hinge_generator", name
    return -inputs["fake"]


# An example depends on more than its own row; or all of an entry is moderate, or nothing.
WHOLE = ("adaptive", "info_nce", "nt_xent", *latent.NAMES)
MODERATE_WHOLE = {name: 120 for name in latent.NAMES} | {"nt_xent": np.inf}


def cross_check(entries):
    checked = set()
    for given in entries:
        name, n = given["name"], len(given["value"])
        shaped = {key: np.reshape(given["inputs"][key], shape) for key, shape in given["shapes"].items()}
        rows = np.arange(n)
        per_row = [key for key in shaped if key != "weights"]
        if name in WHOLE:
            zero = name == "nt_xent" and any(not row.any() for value in shaped.values() for row in value)
            limit = MODERATE_WHOLE.get(name, MODERATE)
            if zero or any(np.abs(value).max() > limit for value in shaped.values()):
                continue
        else:
            rows = rows[[all(np.abs(shaped[key][i]).max() <= MODERATE for key in per_row) for i in rows]]
        settings = {**given, "classes": [given["classes"][i] for i in rows] if "classes" in given else []}
        keep = lambda key: shaped[key] if name in WHOLE or key not in per_row else shaped[key][rows]
        inputs = {key: torch.tensor(keep(key), dtype=torch.float64, requires_grad=True) for key in shaped}
        value = torch_value(name, settings, inputs)
        agree(name, value.detach(), [given["value"][i] for i in rows])
        # Where every group is below its floor, the loss is a constant.
        if value.requires_grad:
            (value * torch.tensor([float(row_weight(i)) for i in rows])).sum().backward()
        for key, expected in given["gradients"].items():
            if key == "weights":
                continue
            expected = np.array([float(g) for g in expected]).reshape(given["shapes"][key])
            found = inputs[key].grad if inputs[key].grad is not None else torch.zeros_like(inputs[key])
            agree(f"{name}, gradient to {key}", found, expected if name in WHOLE else expected[rows])
        checked.add(name)
    missing = {given["name"] for given in entries} - checked
    assert not missing, f"no second source for {missing}"


def make():
    families = [classification_entries, adaptive_entries, contrastive_entries, adversarial_entries, *latent.FAMILIES]
    entries = [entry for family in families for entry in family()]
    cross_check(entries)
    return to_text(entries), len(entries)


if __name__ == "__main__":
    write_or_check(OUTPUT, make)
