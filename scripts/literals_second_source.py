"""The second source: SciPy and PyTorch in float64, at moderate inputs."""

import numpy as np
import scipy.spatial.distance
import scipy.special
import scipy.stats
import torch

AGREEMENT = 1e-9
# What counts as moderate: there float64 keeps its digits in formulas that cancel.
MODERATE = 20
MODERATE_BY_NAME = {
    # Beyond, float64 loses the difference of the log-gammas.
    "log_alpha": 8,
    "log_beta": 8,
    "x": 1000, "log_dof": 7, "negative_binomial_log_prob/log_count": 6,
    "discretized_logistic_log_prob/log_scale": 4, "discretized_logistic_mixture_log_prob/log_scale": 4,
}  # fmt: skip

dist = torch.distributions


def normal(mean, log_var):
    return dist.Normal(mean, torch.exp(log_var / 2))


def mixture(weights, mean, log_var):
    return dist.MixtureSameFamily(dist.Categorical(logits=weights), normal(mean, log_var))


def js(p, q, kl):
    return lambda m: (kl(p, m) + kl(q, m)) / 2


def js_bernoulli(a, b):
    p, q = dist.Bernoulli(logits=a), dist.Bernoulli(logits=b)
    return js(p, q, dist.kl_divergence)(dist.Bernoulli(probs=(p.probs + q.probs) / 2))


def js_categorical(a, b):
    p, q = dist.Categorical(logits=a), dist.Categorical(logits=b)
    return js(p, q, dist.kl_divergence)(dist.Categorical(probs=(p.probs + q.probs) / 2))


def negative_binomial(log_mean, log_count, x):
    return dist.NegativeBinomial(torch.exp(log_count), logits=log_mean - log_count).log_prob(x)


def level_probs(mean, log_scale, levels):
    """[..., levels] probabilities as differences of logistic cdfs."""
    edges = (2 * torch.arange(levels - 1, dtype=torch.float64) + 1) / (levels - 1) - 1
    inner = torch.sigmoid((edges - mean[..., None]) / torch.exp(log_scale)[..., None])
    ends = torch.zeros_like(inner[..., :1])
    cdf = torch.cat([ends, inner, ends + 1], -1)
    return cdf[..., 1:] - cdf[..., :-1]


def pick(probs, x):
    return torch.gather(probs, -1, x.long()[..., None])[..., 0]


def beta_binomial_probs(weights, log_alpha, log_beta, levels):
    weights = torch.softmax(weights, 1).detach().numpy()[:, :, None]
    alpha, beta = (np.exp(shape.detach().numpy())[:, :, None] for shape in (log_alpha, log_beta))
    pmf = scipy.stats.betabinom.pmf(np.arange(levels), levels - 1, alpha, beta)
    return torch.tensor((weights * pmf).sum(1))


def squared_mmd(x, y, kernel, size, unbiased):
    x, y = x.detach().numpy(), y.detach().numpy()

    def gram(a, b):
        squared = scipy.spatial.distance.cdist(a, b, "sqeuclidean")
        return np.exp(-squared / (2 * size**2)) if kernel == "rbf" else size / (size + squared)

    def within(a):
        whole, n = gram(a, a), len(a)
        return (whole.sum() - np.trace(whole)) / (n * (n - 1)) if unbiased else whole.mean()

    return torch.tensor([within(x) + within(y) - 2 * gram(x, y).mean()])


# By name: of the inputs (tensors in float64) and what else the entry says. SciPy's have no gradient.
SOURCES = {
    "bernoulli_log_prob": lambda logits, x: dist.Bernoulli(logits=logits).log_prob(x.detach()),
    "bernoulli_mean": lambda logits: dist.Bernoulli(logits=logits).mean,
    "bernoulli_entropy": lambda logits: dist.Bernoulli(logits=logits).entropy(),
    "bernoulli_cdf": lambda logits, x: torch.tensor(
        scipy.stats.bernoulli.cdf(x.detach().numpy(), scipy.special.expit(logits.detach().numpy()))
    ),
    "continuous_bernoulli_log_prob": lambda logits, x: dist.ContinuousBernoulli(logits=logits).log_prob(x),
    "continuous_bernoulli_mean": lambda logits: dist.ContinuousBernoulli(logits=logits).mean,
    "continuous_bernoulli_entropy": lambda logits: dist.ContinuousBernoulli(logits=logits).entropy(),
    # Between `lims` PyTorch's cdf is that of the uniform density: its own limits are too wide for 1e-9. At 0 and 1 it
    # has no gradient.
    "continuous_bernoulli_cdf": lambda logits, x: (
        dist.ContinuousBernoulli(logits=logits, lims=(0.499999, 0.500001)).cdf(x).detach()
    ),
    "kl_bernoulli": lambda a, b: dist.kl_divergence(dist.Bernoulli(logits=a), dist.Bernoulli(logits=b)),
    "js_bernoulli": js_bernoulli,
    "normal_log_prob": lambda mean, log_var, x: normal(mean, log_var).log_prob(x),
    "normal_entropy": lambda log_var: normal(torch.zeros_like(log_var), log_var).entropy(),
    "normal_cdf": lambda mean, log_var, x: torch.special.ndtr((x - mean) * torch.exp(-log_var / 2)),
    "kl_normal_standard": lambda mean, log_var: dist.kl_divergence(
        normal(mean, log_var), normal(torch.zeros_like(mean), torch.zeros_like(mean))
    ),
    "kl_normal_normal": lambda mean_q, log_var_q, mean_p, log_var_p: dist.kl_divergence(
        normal(mean_q, log_var_q), normal(mean_p, log_var_p)
    ),
    "laplace_log_prob": lambda mean, log_scale, x: dist.Laplace(mean, torch.exp(log_scale)).log_prob(x),
    "laplace_entropy": lambda log_scale: dist.Laplace(torch.zeros_like(log_scale), torch.exp(log_scale)).entropy(),
    # PyTorch's has a gradient of 0 at the mean.
    "laplace_cdf": lambda mean, log_scale, x: dist.Laplace(mean, torch.exp(log_scale)).cdf(x).detach(),
    "kl_laplace_laplace": lambda mean_q, log_scale_q, mean_p, log_scale_p: dist.kl_divergence(
        dist.Laplace(mean_q, torch.exp(log_scale_q)), dist.Laplace(mean_p, torch.exp(log_scale_p))
    ),
    "student_t_log_prob": lambda mean, log_scale, log_dof, x: dist.StudentT(
        torch.exp(log_dof), mean, torch.exp(log_scale)
    ).log_prob(x),
    "student_t_entropy": lambda log_scale, log_dof: dist.StudentT(
        torch.exp(log_dof), torch.zeros_like(log_dof), torch.exp(log_scale)
    ).entropy(),
    "poisson_log_prob": lambda log_rate, x: dist.Poisson(torch.exp(log_rate)).log_prob(x),
    "negative_binomial_log_prob": negative_binomial,
    "discretized_logistic_log_prob": lambda mean, log_scale, x, levels: pick(
        level_probs(mean, log_scale, levels), x
    ).log(),
    "discretized_logistic_cdf": lambda mean, log_scale, x, levels: pick(
        level_probs(mean, log_scale, levels).cumsum(-1), x
    ),
    "discretized_logistic_mixture_log_prob": lambda weights, mean, log_scale, x, levels: (
        pick(level_probs(mean, log_scale, levels), x[:, None].expand(mean.shape)) * torch.softmax(weights, 1)
    ).sum(1).log(),
    "discretized_logistic_mixture_cdf": lambda weights, mean, log_scale, x, levels: (
        pick(level_probs(mean, log_scale, levels).cumsum(-1), x[:, None].expand(mean.shape)) * torch.softmax(weights, 1)
    ).sum(1),
    "categorical_log_prob": lambda logits, classes: dist.Categorical(logits=logits).log_prob(classes),
    "categorical_entropy": lambda logits: dist.Categorical(logits=logits).entropy(),
    "categorical_mean": lambda logits: (torch.softmax(logits, 1) * torch.arange(logits.shape[1])).sum(1),
    "categorical_cdf": lambda logits, classes: pick(torch.softmax(logits, 1).cumsum(1), classes),
    "kl_categorical": lambda a, b: dist.kl_divergence(dist.Categorical(logits=a), dist.Categorical(logits=b)),
    "js_categorical": js_categorical,
    "log_mean_exp": lambda a: torch.logsumexp(a, 1) - np.log(a.shape[1]),
    "normal_mixture_log_prob": lambda *row: mixture(*row[:3]).log_prob(row[3][:, 0]),
    "normal_mixture_cdf": lambda *row: mixture(*row[:3]).cdf(row[3][:, 0]),
    "normal_mixture_mean": lambda *row: mixture(*row).mean,
    "normal_mixture_variance": lambda *row: mixture(*row).variance,
    "beta_binomial_log_prob": lambda *row, x, levels: pick(beta_binomial_probs(*row, levels), x).log(),
    "beta_binomial_cdf": lambda *row, x, levels: pick(beta_binomial_probs(*row, levels).cumsum(1), x),
    "beta_binomial_mean": lambda *row, levels: (beta_binomial_probs(*row, levels) * torch.arange(levels)).sum(1),
    "beta_binomial_entropy": lambda *row, levels: torch.special.entr(beta_binomial_probs(*row, levels)).sum(1),
    "mmd": squared_mmd,
}


def agree(what, found, expected):
    found, expected = np.asarray(found, dtype=float), np.asarray(expected, dtype=float)
    error = np.abs(found - expected) / (1 + np.abs(expected))
    assert np.all(error < AGREEMENT), f"{what}: {found} against {expected}"


def cross_check(entries):
    """Values, and gradients where PyTorch has them, on the rows with moderate inputs."""
    checked = set()
    for entry in entries:
        name, rows = entry["name"], entry["shape"][0]
        whole = name == "mmd"
        inputs = {}
        for key, values in entry["inputs"].items():
            full = len(values) == np.prod(entry["shape"])
            shape = entry["shape"] if full else [-1, entry["shape"][1] if whole else 1]
            inputs[key] = torch.tensor(values, dtype=torch.float64).reshape(shape)
        extra = {
            key: torch.tensor(value) if isinstance(value, list) else value
            for key, value in entry.items()
            if key in ("classes", "x", "levels", "kernel", "size", "unbiased")
        }
        if not whole:
            limit = lambda key: MODERATE_BY_NAME.get(f"{name}/{key}", MODERATE_BY_NAME.get(key, MODERATE))
            keep = torch.stack([(v.abs() <= limit(k)).reshape(rows, -1).all(1) for k, v in inputs.items()]).all(0)
            if not keep.any():
                continue
            inputs = {key: value[keep] for key, value in inputs.items()}
            extra = {key: value[keep] if torch.is_tensor(value) else value for key, value in extra.items()}
        inputs = {key: value.clone().requires_grad_() for key, value in inputs.items()}
        value = SOURCES[name](*inputs.values(), **extra)
        kept = [0] if whole else torch.nonzero(keep)[:, 0].tolist()
        agree(name, value.detach(), [entry["value"][i] for i in kept])
        checked.add(name)
        if not value.requires_grad:
            continue
        value.sum().backward()
        for key, expected in entry["gradients"].items():
            expected = np.array([float(g) for g in expected]).reshape(rows, -1)[kept].reshape(inputs[key].shape)
            agree(f"{name}, gradient to {key}", inputs[key].grad, expected)
    missing = {entry["name"] for entry in entries} - checked
    assert not missing, f"no second source for {missing}"
