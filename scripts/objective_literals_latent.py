"""Entries of objective_literals.json for models with latent variables: ELBO, free bits, IWAE, DReG, InfoVAE.

z = mean + exp(½ log_var)·ε with ε given, so the gradients to mean and log_var run through z. The importance-weighted
entries use a small model: z ~ N(0, I), x | z ~ N(Σ_d (z_d + z_d²/4) θ_d, I).
"""

import mpmath as mp
import numpy as np
import torch
from literals_entry import partial
from literals_formulas import inverse_multiquadric, log_mean_exp, normal_kl, normal_log_prob, rbf, softmax, squared_mmd
from objective_literals_entry import entry, round64, row_weight

KERNELS = {"rbf": rbf, "inverse_multiquadric": inverse_multiquadric}

# ---- formulas, each written from its textbook definition ---------------------


def each(function, *matrices):
    return [[function(*numbers) for numbers in zip(*rows)] for rows in zip(*matrices)]


def reparameterised(mean, log_var, epsilon):
    return mean + mp.exp(log_var / 2) * epsilon


def closed_form_kl(mean, log_var):
    return each(lambda m, v: normal_kl(m, v, 0, 0), mean, log_var)


def sampled_kl(mean, log_var, epsilon):
    z = each(reparameterised, mean, log_var, epsilon)
    return each(lambda m, v, z: normal_log_prob(m, v, z) - normal_log_prob(0, 0, z), mean, log_var, z)


def of_groups(kl, group):
    return [[mp.fsum(row[i : i + group]) for i in range(0, len(row), group)] for row in kl]


def below_floor(kl, nats, group):
    """Which groups have a mean over the batch below the floor."""
    means = [mp.fsum(column) / len(column) for column in zip(*of_groups(kl, group))]
    assert all(abs(mean - nats) > 1e-3 for mean in means), "too close for f32 to tell"
    return [mean < nats for mean in means]


def floored(kl, nats, group):
    below = below_floor(kl, nats, group)
    return [mp.fsum(mp.mpf(nats) if low else k for k, low in zip(row, below)) for row in of_groups(kl, group)]


def elbo(log_likelihood, kl, beta, nats=None, group=1):
    kl = floored(kl, nats, group) if nats is not None else [mp.fsum(row) for row in kl]
    return [-ll + mp.mpf(beta) * k for ll, k in zip(log_likelihood, kl)]


def log_weight_terms(mean, log_var, theta, x, z):
    """log p(x, z) − log q(z) of one sample, as a list of terms; lists of numbers, theta [latent][observed]."""
    features = [a + a * a / 4 for a in z]
    mean_x = [mp.fsum(f * row[o] for f, row in zip(features, theta)) for o in range(len(x))]
    prior = [normal_log_prob(0, 0, a) for a in z]
    likelihood = [normal_log_prob(m, 0, a) for m, a in zip(mean_x, x)]
    return [*prior, *likelihood, *(-normal_log_prob(m, v, a) for m, v, a in zip(mean, log_var, z))]


def log_weights(mean, log_var, theta, x, epsilon):
    """Of one example, epsilon [k][latent]: log wᵢ, with z between as a function of mean and log_var."""
    z = lambda row: [reparameterised(*numbers) for numbers in zip(mean, log_var, row)]
    return [mp.fsum(log_weight_terms(mean, log_var, theta, x, z(row))) for row in epsilon]


def iwae_model(mean, log_var, theta, x, epsilon):
    return [-log_mean_exp(log_weights(m, v, theta, a, e)) for m, v, a, e in zip(mean, log_var, x, epsilon)]


def path_gradients(mean, log_var, theta, x, epsilon, power):
    """−Σᵢ w̃ᵢ ∂log wᵢ/∂(θ, x) at fixed z, −Σᵢ w̃ᵢᵖ ∂log wᵢ/∂zᵢ ∂zᵢ/∂(mean, log_var, ε), q's own parameters fixed.

    With p = 2 DReG (Tucker et al. 2019, eq. 8); with p = 1 the importance-weighted gradient without its score.
    Each is the sum over the examples, with their weights; and the same with every term's absolute value: the size of
    what cancels.
    """
    shapes = {"mean": mean, "log_var": log_var, "theta": theta, "x": x, "epsilon": epsilon}
    gradients = {key: np.full(np.shape(value), mp.mpf(0)) for key, value in shapes.items()}
    sizes = {key: np.full(np.shape(value), mp.mpf(0)) for key, value in shapes.items()}
    d, flat_theta = len(mean[0]), [a for row in theta for a in row]
    for n, (m, v, a, e) in enumerate(zip(mean, log_var, x, epsilon)):
        normalised = softmax(log_weights(m, v, theta, a, e))
        for i, w in enumerate(normalised):
            z = [reparameterised(*numbers) for numbers in zip(m, v, e[i])]
            arguments = [*z, *flat_theta, *a]

            def terms(*arguments):
                z, theta, x = arguments[:d], arguments[d : d + len(flat_theta)], arguments[d + len(flat_theta) :]
                rows = [theta[j : j + len(a)] for j in range(0, len(theta), len(a))]
                return log_weight_terms(m, v, rows, x, z)

            def add(key, index, position, factor):
                count = len(terms(*arguments))
                slopes = [partial(lambda *at: terms(*at)[term], arguments, position) for term in range(count)]
                gradients[key][index] -= row_weight(n) * factor * mp.fsum(slopes)
                sizes[key][index] += row_weight(n) * abs(factor) * mp.fsum(abs(slope) for slope in slopes)

            for j in range(d):
                deviation = mp.exp(v[j] / 2)
                add("mean", (n, j), j, w**power)
                add("log_var", (n, j), j, w**power * deviation * e[i][j] / 2)
                add("epsilon", (n, i, j), j, w**power * deviation)
            for j in range(len(flat_theta)):
                add("theta", divmod(j, len(a)), d + j, w)
            for j in range(len(a)):
                add("x", (n, j), d + len(flat_theta) + j, w)
    flat = lambda numbers: {key: list(value.ravel()) for key, value in numbers.items()}
    return flat(gradients), flat(sizes)


def info_vae(log_likelihood, mean, log_var, epsilon, prior, alpha, lambda_, kernel, size, unbiased):
    z = each(reparameterised, mean, log_var, epsilon)
    mmd = squared_mmd(z, prior, lambda a, b: KERNELS[kernel](a, b, mp.mpf(size)), unbiased)
    kl = [mp.fsum(row) for row in closed_form_kl(mean, log_var)]
    alpha, lambda_ = mp.mpf(alpha), mp.mpf(lambda_)
    return [-ll + (1 - alpha) * k + (alpha + lambda_ - 1) * mmd for ll, k in zip(log_likelihood, kl)]


# ---- entries -------------------------------------------------------------------


def row_weights(n):
    return np.array([float(row_weight(i)) for i in range(n)])


def elbo_entries():
    rng = np.random.default_rng(5)
    n, d = 5, 6
    log_likelihood = round64(-np.abs(rng.normal(size=n)) * 30)
    mean, log_var = round64(rng.normal(size=(n, d)) * 1.5), round64(rng.normal(size=(n, d)) * 1.5 - 1)
    # Three latent variables that hardly tell anything, and so are below a floor.
    mean[:, 3:], log_var[:, 3:] = round64(mean[:, 3:] / 8), round64(log_var[:, 3:] / 16)
    settings = [dict(beta=1), dict(beta=0.25), dict(beta=4), dict(beta=0)]
    settings += [dict(beta=beta, nats=0.25, group=group) for beta in (1, 2) for group in (1, 3)]
    settings += [dict(beta=1, nats=nats, group=2) for nats in (1e-3, 0.75, 100)]
    # The floor comes from the batch's mean: at a single example, and with groups of everything.
    settings += [dict(beta=0.5, nats=3, group=6)]
    mild = {"log_likelihood": log_likelihood, "mean": mean, "log_var": log_var}
    for setting in settings:
        yield entry("elbo", mild, lambda ll, m, v: elbo(ll, closed_form_kl(m, v), **setting), **setting)
    one = {key: value[:1] for key, value in mild.items()}
    yield entry("elbo", one, lambda ll, m, v: elbo(ll, closed_form_kl(m, v), 1, 0.25, 1), beta=1, nats=0.25, group=1)
    # Log-variances at ±30, means far out; next to the prior, where the KL is tiny.
    extreme = {
        "log_likelihood": [-1e4, 0, -0.5, -1e4],
        "mean": [[0, 1e4, 0], [1e-3, 0, -1e-6], [0, 0, 0], [-1e4, 80, 0]],
        "log_var": [[30, 0, -30], [0, 1e-6, -1e-3], [0, 0, 0], [-30, 30, 0]],
    }
    for setting in (dict(beta=1), dict(beta=1, nats=100, group=1), dict(beta=2, nats=1e6, group=3)):
        yield entry("elbo", extreme, lambda ll, m, v: elbo(ll, closed_form_kl(m, v), **setting), **setting)


def sampled_elbo_entries():
    rng = np.random.default_rng(6)
    n, d = 5, 4
    inputs = {
        "log_likelihood": round64(rng.normal(size=n) * 3 - 2),
        "mean": round64(rng.normal(size=(n, d))),
        "log_var": round64(rng.normal(size=(n, d)) - 1),
        "epsilon": round64(rng.normal(size=(n, d))),
    }
    # Two that draw about as the prior does, so that the floor is above them.
    for key in ("mean", "log_var"):
        inputs[key][:, 2:] /= 16
    mean, log_var, epsilon = (inputs[key] for key in ("mean", "log_var", "epsilon"))
    deviation = np.exp(log_var / 2)
    z = mean + deviation * epsilon
    # (z − mean)/σ finds ε back with the rounding of z/σ; ½ε² of log q then stands against ½z² of log p. The slopes
    # through z and past it, ε/σ and ½ε² and ε, cancel.
    lost = 1 + np.abs(z) / deviation
    for setting in (dict(beta=1), dict(beta=0.5), dict(beta=2, nats=0.25, group=1), dict(beta=1, nats=0.75, group=2)):
        weights = setting["beta"] * row_weights(n)[:, None]
        size = np.abs(epsilon) * (np.abs(epsilon) + lost)
        value_scale = np.abs(inputs["log_likelihood"]) + setting["beta"] * (size + z**2 + np.abs(log_var)).sum(1)
        scales = {
            "mean": weights * (np.abs(z) + (np.abs(epsilon) + lost) / deviation),
            "log_var": weights * (1 + size + np.abs(z * deviation * epsilon)),
            "epsilon": weights * (np.abs(epsilon) + np.abs(z) * deviation + lost),
        }
        below = setting.get("nats") and below_floor(sampled_kl(*mp_lists(mean, log_var, epsilon)), **floor_of(setting))
        if below:
            # Exactly 0 there.
            kept = np.repeat(~np.array(below), setting["group"])
            scales = {key: scale * kept for key, scale in scales.items()}
        yield entry(
            "elbo_sampled", inputs, lambda ll, m, v, e: elbo(ll, sampled_kl(m, v, e), **setting),
            value_scale=list(value_scale), gradient_scales={key: list(value.ravel()) for key, value in scales.items()},
            **setting,
        )  # fmt: skip


def mp_lists(*matrices):
    return [[[mp.mpf(float(x)) for x in row] for row in matrix] for matrix in matrices]


def floor_of(setting):
    return {key: setting[key] for key in ("nats", "group")}


def free_bits_entries():
    rng = np.random.default_rng(7)
    kl = round64(np.abs(rng.normal(size=(4, 6))) * [0.5, 8, 0.125, 2, 0.5, 30])
    for group in (1, 2, 3, 6):
        for nats in (0, 0.75, 3, 1e4):
            yield entry("free_bits", {"kl": kl}, lambda kl: floored(kl, nats, group), nats=nats, group=group)
    # Sampled KLs may be negative: then nothing but the mean counts.
    mixed = round64(rng.normal(size=(4, 6)) * 4 + [0, 1, 2, 3, -3, 4])
    for group in (1, 3):
        yield entry(
            "free_bits", {"kl": mixed}, lambda kl: floored(kl, 0.75, group),
            value_scale=list(np.abs(mixed).sum(1)), nats=0.75, group=group,
        )  # fmt: skip


def iwae_entries():
    rng = np.random.default_rng(8)
    bound = lambda a: [-log_mean_exp(row) for row in a]
    for k in (1, 5):
        rows = round64(rng.normal(size=(3, k)) * [[1], [6], [20]] - [[3], [90], [0]])
        far = round64(rng.choice([-80.0, -20.0, 0.0, 20.0, 80.0], size=(2, k)) + rng.normal(size=(2, k)))
        equal = [np.full(k, value) for value in (-90.25, 0, 7.5)]
        # log k is taken off a logarithm up to log k.
        scale = float(np.log(k))
        for a in (rows, np.array([*far, *equal])):
            yield entry("iwae", {"log_weights": a}, bound, value_scale=scale)
        ends = np.array([*[np.full(k, sign * 1e4) for sign in (-1, 1, -1, 1)], np.linspace(-1e4, 1e4, k)])
        ends[2, k // 2], ends[3, 0] = 1e4, -1e4
        yield entry("iwae", {"log_weights": ends}, bound, value_scale=scale)


def importance_entries():
    rng = np.random.default_rng(9)
    for k in (1, 5):
        n, d, o = 3, 2, 3
        draw = lambda *shape: round64(rng.normal(size=shape))
        inputs = {"mean": draw(n, d) / 2, "log_var": draw(n, d) / 2 - 1, "theta": draw(d, o), "x": draw(n, o),
                  "epsilon": draw(n, k, d)}  # fmt: skip
        lists = [np.vectorize(mp.mpf)(value).tolist() for value in inputs.values()]
        gradients, sizes = path_gradients(*lists, power=2)
        z = inputs["mean"][:, None] + np.exp(inputs["log_var"] / 2)[:, None] * inputs["epsilon"]
        terms = [
            [np.sum(np.abs(np.array(log_weight_terms(m, v, lists[2], x, row), dtype=float))) for row in rows]
            for m, v, x, rows in zip(lists[0], lists[1], lists[3], np.vectorize(mp.mpf)(z).tolist())
        ]
        value_scale = list(np.max(terms, axis=1))
        yield entry(
            "dreg", inputs, iwae_model, value_scale=value_scale, gradients=gradients, gradient_scales=sizes, k=k
        )
        # The whole derivative has the score −∂log q/∂(mean, log_var) besides, and weights w̃ in place of w̃².
        weights = np.vectorize(float)([[w for w in softmax(log_weights(m, v, lists[2], x, e))] for m, v, x, e in
                                       zip(lists[0], lists[1], lists[3], lists[4])])  # fmt: skip
        score = np.abs(inputs["epsilon"]) * weights[:, :, None] * row_weights(n)[:, None, None]
        deviation = np.exp(inputs["log_var"] / 2)
        _, sizes = path_gradients(*lists, power=1)
        scales = {key: np.array(sizes[key], dtype=float).reshape(np.shape(value)) for key, value in inputs.items()}
        scales["mean"] += 2 * score.sum(1) / deviation
        scales["log_var"] += 1 + 2 * (score * np.abs(inputs["epsilon"])).sum(1)
        yield entry(
            "iwae_model", inputs, iwae_model, value_scale=value_scale,
            gradient_scales={key: list(scales[key].ravel()) for key in inputs}, k=k,
        )  # fmt: skip


def info_vae_entries():
    rng = np.random.default_rng(10)
    n, m, d = 5, 4, 3
    inputs = {
        "log_likelihood": round64(-np.abs(rng.normal(size=n)) * 10),
        "mean": round64(rng.normal(size=(n, d))),
        "log_var": round64(rng.normal(size=(n, d)) - 1),
        "epsilon": round64(rng.normal(size=(n, d))),
        "prior": round64(rng.normal(size=(m, d))),
    }
    deviation = np.exp(inputs["log_var"] / 2)
    z = inputs["mean"] + deviation * inputs["epsilon"]
    weights = row_weights(n)
    for alpha, lambda_ in ((1, 1), (0, 1), (0.5, 10), (-1, 3)):
        for kernel, size in (("rbf", 1.25), ("inverse_multiquadric", 6)):
            for unbiased in (False, True):
                setting = dict(alpha=alpha, lambda_=lambda_, kernel=kernel, size=size, unbiased=unbiased)
                of_pair = lambda a, b: float(KERNELS[kernel](a, b, size))
                over = lambda k: size**2 if kernel == "rbf" else size / 2 / k
                slope = lambda a, b: np.abs(a - b) * of_pair(a, b) / over(of_pair(a, b))
                mmd = alpha + lambda_ - 1
                # The three means of kernels, and the slopes at one point of the pairs that it is in.
                across = 2 * np.mean([of_pair(a, b) for a in z for b in inputs["prior"]])
                points = lambda own, mates: np.array([
                    sum(slope(a, b) for b in own) * 2 / len(own) / (len(own) - unbiased)
                    + sum(slope(a, b) for b in mates) * 2 / len(own) / len(mates) for a in own
                ]) * abs(mmd) * weights.sum()  # fmt: skip
                of_z, of_prior = points(z, inputs["prior"]), points(inputs["prior"], z)
                kl = abs(1 - alpha) * weights[:, None]
                scales = {
                    "mean": of_z + kl * np.abs(inputs["mean"]),
                    "log_var": of_z * deviation * np.abs(inputs["epsilon"]) / 2 + kl * (1 + deviation**2) / 2,
                    "epsilon": of_z * deviation,
                    "prior": of_prior,
                }
                yield entry(
                    "info_vae", inputs, lambda *arguments: info_vae(*arguments, **setting),
                    value_scale=abs(mmd) * across,
                    gradient_scales={key: list(scale.ravel()) for key, scale in scales.items()}, **setting,
                )  # fmt: skip


FAMILIES = [
    elbo_entries, sampled_elbo_entries, free_bits_entries, iwae_entries, importance_entries, info_vae_entries,
]  # fmt: skip


# ---- the second source -----------------------------------------------------------


def torch_floored(kl, given):
    if "nats" not in given:
        return kl.sum(1)
    total = 0
    for columns in kl.split(given["group"], dim=1):
        per_row = columns.sum(1)
        total = total + (per_row if per_row.mean() >= given["nats"] else torch.full_like(per_row, given["nats"]))
    return total


def torch_normal(mean, log_var):
    return torch.distributions.Normal(mean, torch.exp(log_var / 2))


STANDARD = torch.distributions.Normal(torch.tensor(0.0).double(), torch.tensor(1.0).double())


def torch_log_weights(inputs, z, mean, log_var):
    likelihood = torch_normal((z + z**2 / 4) @ inputs["theta"], torch.zeros(()).double())
    q = torch_normal(mean[:, None], log_var[:, None])
    log_joint = STANDARD.log_prob(z).sum(2) + likelihood.log_prob(inputs["x"][:, None]).sum(2)
    return log_joint - q.log_prob(z).sum(2)


def torch_value(name, given, inputs):
    """The losses; of DReG they are differentiated in its own way."""
    if name == "free_bits":
        return torch_floored(inputs["kl"], given)
    if name == "iwae":
        return np.log(inputs["log_weights"].shape[1]) - torch.logsumexp(inputs["log_weights"], 1)
    mean, log_var = inputs["mean"], inputs["log_var"]
    q = torch_normal(mean, log_var)
    if name == "elbo":
        kl = torch.distributions.kl_divergence(q, STANDARD)
        return given["beta"] * torch_floored(kl, given) - inputs["log_likelihood"]
    if name in ("dreg", "iwae_model"):
        z = torch_normal(mean[:, None], log_var[:, None]).mean + torch.exp(log_var / 2)[:, None] * inputs["epsilon"]
        if name == "iwae_model":
            return np.log(given["k"]) - torch.logsumexp(torch_log_weights(inputs, z, mean, log_var), 1)
        # As the paper's authors do it: the gradient at z is scaled on its way back.
        a = torch_log_weights(inputs, z, mean.detach(), log_var.detach())
        normalised = torch.softmax(a, 1).detach()
        z.register_hook(lambda gradient: gradient * normalised[:, :, None])
        return np.log(given["k"]) - torch.logsumexp(a, 1)
    z = mean + torch.exp(log_var / 2) * inputs["epsilon"]
    if name == "elbo_sampled":
        kl = q.log_prob(z) - STANDARD.log_prob(z)
        return given["beta"] * torch_floored(kl, given) - inputs["log_likelihood"]
    assert name == "info_vae", name

    def gram(a, b):
        squared = (a * a).sum(1)[:, None] + (b * b).sum(1) - 2 * a @ b.T
        size = given["size"]
        return torch.exp(-squared / (2 * size**2)) if given["kernel"] == "rbf" else 1 / (1 + squared / size)

    def within(a):
        whole, n = gram(a, a), len(a)
        return (whole.sum() - whole.diagonal().sum()) / (n * (n - 1)) if given["unbiased"] else whole.mean()

    mmd = within(z) + within(inputs["prior"]) - 2 * gram(z, inputs["prior"]).mean()
    kl = torch.distributions.kl_divergence(q, STANDARD).sum(1)
    alpha, lambda_ = given["alpha"], given["lambda_"]
    return -inputs["log_likelihood"] + (1 - alpha) * kl + (alpha + lambda_ - 1) * mmd


# A mean over the batch, or a matrix between examples: they depend on more than their own rows.
NAMES = ("elbo", "elbo_sampled", "free_bits", "iwae", "dreg", "iwae_model", "info_vae")
