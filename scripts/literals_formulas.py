"""Densities and divergences from their textbook definitions, for mpmath numbers; not for speed and not for floats."""

import mpmath as mp

# ---- elementary ----------------------------------------------------------------


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


def log_softmax(a):
    total = log_sum_exp(a)
    return [x - total for x in a]


def log_mean_exp(a):
    return log_sum_exp(a) - mp.log(len(a))


# ---- densities -----------------------------------------------------------------


def bernoulli_log_prob(logit, x):
    return x * logit - softplus(logit)


def bernoulli_entropy(logit):
    return softplus(logit) - logit * sigmoid(logit)


def bernoulli_cdf(logit, x):
    return mp.mpf(1) if x >= 1 else sigmoid(-logit)


def continuous_bernoulli_integral(l, x):
    """∫₀ˣ exp(l·t) dt."""
    return mp.expm1(l * x) / l if l else x


def continuous_bernoulli_log_prob(l, x):
    return l * x - mp.log(continuous_bernoulli_integral(l, 1))


def continuous_bernoulli_mean(l):
    return 1 / (1 - mp.exp(-l)) - 1 / l if l else mp.mpf(1) / 2


def continuous_bernoulli_entropy(l):
    return mp.log(continuous_bernoulli_integral(l, 1)) - l * continuous_bernoulli_mean(l)


def continuous_bernoulli_cdf(l, x):
    return continuous_bernoulli_integral(l, x) / continuous_bernoulli_integral(l, 1)


def normal_log_prob(mean, log_var, x):
    return -(mp.log(2 * mp.pi) + log_var + (x - mean) ** 2 * mp.exp(-log_var)) / 2


def normal_entropy(log_var):
    return (1 + mp.log(2 * mp.pi) + log_var) / 2


def normal_cdf(mean, log_var, x):
    return mp.erfc((mean - x) * mp.exp(-log_var / 2) / mp.sqrt(2)) / 2


def laplace_log_prob(mean, log_scale, x):
    return -mp.log(2) - log_scale - abs(x - mean) * mp.exp(-log_scale)


def laplace_entropy(log_scale):
    return 1 + mp.log(2) + log_scale


def laplace_cdf(mean, log_scale, x):
    z = (x - mean) * mp.exp(-log_scale)
    return mp.exp(z) / 2 if z < 0 else 1 - mp.exp(-z) / 2


def student_t_log_prob(mean, log_scale, log_dof, x):
    dof = mp.exp(log_dof)
    z = (x - mean) * mp.exp(-log_scale)
    constant = mp.loggamma((dof + 1) / 2) - mp.loggamma(dof / 2) - mp.log(dof * mp.pi) / 2
    return constant - log_scale - (dof + 1) / 2 * mp.log1p(z**2 / dof)


def student_t_entropy(log_scale, log_dof):
    dof = mp.exp(log_dof)
    log_beta = mp.loggamma(dof / 2) + mp.loggamma(mp.mpf(1) / 2) - mp.loggamma((dof + 1) / 2)
    return log_scale + (dof + 1) / 2 * (mp.psi(0, (dof + 1) / 2) - mp.psi(0, dof / 2)) + log_dof / 2 + log_beta


def poisson_log_prob(log_rate, x):
    return x * log_rate - mp.exp(log_rate) - mp.loggamma(x + 1)


def negative_binomial_log_prob(log_mean, log_count, x):
    mean, count = mp.exp(log_mean), mp.exp(log_count)
    choose = mp.loggamma(x + count) - mp.loggamma(count) - mp.loggamma(x + 1)
    return choose + count * mp.log(count / (count + mean)) + x * mp.log(mean / (count + mean))


def logistic_between(low, high):
    """σ(high) − σ(low), from whichever side does not cancel."""
    if low + high > 0:
        low, high = -high, -low
    return sigmoid(high) - sigmoid(low)


def level_edges(mean, log_scale, x, levels):
    """The edges of a level's bin in scales; `None` for those at infinity."""
    value = 2 * mp.mpf(x) / (levels - 1) - 1
    half = mp.mpf(1) / (levels - 1)
    low = (value - half - mean) * mp.exp(-log_scale) if x > 0 else None
    high = (value + half - mean) * mp.exp(-log_scale) if x < levels - 1 else None
    return low, high


def discretized_logistic_log_prob(mean, log_scale, x, levels):
    low, high = level_edges(mean, log_scale, x, levels)
    if low is None:
        return -softplus(-high)
    return -softplus(low) if high is None else mp.log(logistic_between(low, high))


def discretized_logistic_cdf(mean, log_scale, x, levels):
    _, high = level_edges(mean, log_scale, x, levels)
    return mp.mpf(1) if high is None else sigmoid(high)


def categorical_log_prob(logits, classes):
    return logits[classes] - log_sum_exp(logits)


def categorical_entropy(logits):
    return -mp.fsum(p * mp.log(p) for p in softmax(logits))


def categorical_mean(logits):
    return mp.fsum(k * p for k, p in enumerate(softmax(logits)))


def categorical_cdf(logits, classes):
    return mp.fsum(softmax(logits)[: classes + 1])


def normal_mixture_log_prob(weights, mean, log_var, x):
    terms = [w + normal_log_prob(m, v, x) for w, m, v in zip(log_softmax(weights), mean, log_var)]
    return log_sum_exp(terms)


def normal_mixture_cdf(weights, mean, log_var, x):
    return mp.fsum(w * normal_cdf(m, v, x) for w, m, v in zip(softmax(weights), mean, log_var))


def normal_mixture_mean(weights, mean, log_var):
    return mp.fsum(w * m for w, m in zip(softmax(weights), mean))


def normal_mixture_variance(weights, mean, log_var):
    second = mp.fsum(w * (mp.exp(v) + m**2) for w, m, v in zip(softmax(weights), mean, log_var))
    return second - normal_mixture_mean(weights, mean, log_var) ** 2


def discretized_logistic_mixture_log_prob(weights, mean, log_scale, x, levels):
    parameters = zip(log_softmax(weights), mean, log_scale)
    return log_sum_exp([w + discretized_logistic_log_prob(m, s, x, levels) for w, m, s in parameters])


def discretized_logistic_mixture_cdf(weights, mean, log_scale, x, levels):
    parameters = zip(softmax(weights), mean, log_scale)
    return mp.fsum(w * discretized_logistic_cdf(m, s, x, levels) for w, m, s in parameters)


def beta_binomial_mixture_log_prob(weights, log_alpha, log_beta, x, levels):
    # Through log-gamma: another way than the finite products of the code.
    n = levels - 1
    log_beta_of = lambda a, b: mp.loggamma(a) + mp.loggamma(b) - mp.loggamma(a + b)
    terms = []
    for weight, log_a, log_b in zip(weights, log_alpha, log_beta):
        a, b = mp.exp(log_a), mp.exp(log_b)
        terms.append(weight + log_beta_of(a + x, b + n - x) - log_beta_of(a, b))
    choose = mp.loggamma(n + 1) - mp.loggamma(x + 1) - mp.loggamma(n - x + 1)
    return log_sum_exp(terms) - log_sum_exp(list(weights)) + choose


def beta_binomial_mixture_log_probs(weights, log_alpha, log_beta, levels):
    return [beta_binomial_mixture_log_prob(weights, log_alpha, log_beta, x, levels) for x in range(levels)]


def beta_binomial_mixture_mean(*parameters, levels):
    log_probs = beta_binomial_mixture_log_probs(*parameters, levels)
    return mp.fsum(x * mp.exp(log_prob) for x, log_prob in enumerate(log_probs))


def beta_binomial_mixture_entropy(*parameters, levels):
    return -mp.fsum(mp.exp(l) * l for l in beta_binomial_mixture_log_probs(*parameters, levels))


def beta_binomial_mixture_cdf(*parameters, x, levels):
    return mp.fsum(mp.exp(l) for l in beta_binomial_mixture_log_probs(*parameters, levels)[: x + 1])


# ---- divergences ---------------------------------------------------------------


def bernoulli_kl(a, b):
    return sigmoid(a) * (a - b) - softplus(a) + softplus(b)


def normal_kl(mean_q, log_var_q, mean_p, log_var_p):
    distance = (mean_q - mean_p) ** 2 * mp.exp(-log_var_p)
    return (distance + mp.exp(log_var_q - log_var_p) - 1 - log_var_q + log_var_p) / 2


def laplace_kl(mean_q, log_scale_q, mean_p, log_scale_p):
    distance = abs(mean_q - mean_p)
    scale_q, scale_p = mp.exp(log_scale_q), mp.exp(log_scale_p)
    overlap = scale_q * mp.exp(-distance / scale_q)
    return log_scale_p - log_scale_q + (distance + overlap) / scale_p - 1


def categorical_kl(a, b):
    p, q = softmax(a), softmax(b)
    return mp.fsum(p * (mp.log(p) - mp.log(q)) for p, q in zip(p, q))


def categorical_jensen_shannon(a, b):
    total = mp.mpf(0)
    for p, q in zip(softmax(a), softmax(b)):
        m = (p + q) / 2
        total += p * mp.log(p / m) + q * mp.log(q / m)
    return total / 2


def bernoulli_jensen_shannon(a, b):
    return categorical_jensen_shannon([a, mp.mpf(0)], [b, mp.mpf(0)])


def rbf(x, y, size):
    return mp.exp(-mp.fsum((a - b) ** 2 for a, b in zip(x, y)) / (2 * size**2))


def inverse_multiquadric(x, y, size):
    return size / (size + mp.fsum((a - b) ** 2 for a, b in zip(x, y)))


def squared_mmd(x, y, kernel, unbiased):
    within = mp.mpf(0)
    for points in (x, y):
        n = len(points)
        pairs = [(i, j) for i in range(n) for j in range(n) if i != j or not unbiased]
        within += mp.fsum(kernel(points[i], points[j]) for i, j in pairs) / len(pairs)
    return within - 2 * mp.fsum(kernel(a, b) for a in x for b in y) / (len(x) * len(y))
