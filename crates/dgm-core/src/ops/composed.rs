//! Default bodies of [`ObjectiveOps`](super::ObjectiveOps), in terms of `Backend`'s own operations.

use crate::special::EXPM1_OVER;
use burn::backend::tensor::{FloatTensor, IntTensor};
use burn::backend::{Backend, TensorMetadata, get_or_init_device_settings};
use burn::tensor::{IndexingUpdateOp, Shape};

/// x·l − max(l, 0) − log1p(exp(−|l|)).
pub(super) fn bernoulli_log_prob<B: Backend>(logits: FloatTensor<B>, x: FloatTensor<B>) -> FloatTensor<B> {
    let decay = B::float_log1p(B::float_exp(B::float_neg(B::float_abs(logits.clone()))));
    // In this order: x·l − max(l, 0) is 0 where x is met, and a small remainder is not rounded away against l.
    let met = B::float_sub(B::float_mul(x, logits.clone()), B::float_clamp_min(logits, 0.0f32.into()));
    B::float_sub(met, decay)
}

/// g·(x − σ(l)), as g·(x·σ(−l) − (1 − x)·σ(l)): for x = 1 and a large logit x − σ(l) would round to 0.
pub(super) fn bernoulli_log_prob_pullback<B: Backend>(
    logits: FloatTensor<B>,
    x: FloatTensor<B>,
    grad: FloatTensor<B>,
) -> FloatTensor<B> {
    let (on, off) = (B::sigmoid(logits.clone()), B::sigmoid(B::float_neg(logits)));
    let not_x = B::float_add_scalar(B::float_neg(x.clone()), 1.0f32.into());
    B::float_mul(grad, B::float_sub(B::float_mul(x, off), B::float_mul(not_x, on)))
}

/// Rows shifted by their maximum, and the logarithm of their sum of exponentials: `[n, k]` and `[n, 1]`.
fn shift_and_log_sum<B: Backend>(logits: FloatTensor<B>) -> (FloatTensor<B>, FloatTensor<B>) {
    let max = B::float_max_dim(B::float_detach(logits.clone()), 1);
    let shifted = B::float_sub(logits, max);
    let log_sum = B::float_log(B::float_sum_dim(B::float_exp(shifted.clone()), 1));
    (shifted, log_sum)
}

/// l\[class\] − m − log Σₖ exp(lₖ − m).
pub(super) fn categorical_log_prob<B: Backend>(logits: FloatTensor<B>, class: IntTensor<B>) -> FloatTensor<B> {
    let rows = logits.shape()[0];
    let (shifted, log_sum) = shift_and_log_sum::<B>(logits);
    let class = B::int_reshape(class, Shape::new([rows, 1]));
    let picked = B::float_gather(1, shifted, class);
    B::float_reshape(B::float_sub(picked, log_sum), Shape::new([rows]))
}

/// g·(onehot(class) − softmax(l)).
pub(super) fn categorical_log_prob_pullback<B: Backend>(
    logits: FloatTensor<B>,
    class: IntTensor<B>,
    grad: FloatTensor<B>,
) -> FloatTensor<B> {
    let rows = logits.shape()[0];
    let (shifted, log_sum) = shift_and_log_sum::<B>(logits);
    let softmax = B::float_exp(B::float_sub(shifted, log_sum));
    let class = B::int_reshape(class, Shape::new([rows, 1]));
    let grad = B::float_reshape(grad, Shape::new([rows, 1]));
    let spread = B::float_neg(B::float_mul(softmax, grad.clone()));
    B::float_scatter(1, spread, class, grad, IndexingUpdateOp::Add)
}

/// What the value and the pullback of a mixture of discretised logistics share; all `[n, m]` but the first two.
struct Bins<B: Backend> {
    /// 0 for the first level, else 1, `[n, 1]`: whether the bin ends below.
    below: FloatTensor<B>,
    /// 0 for the last level, else 1, `[n, 1]`: whether the bin ends above.
    above: FloatTensor<B>,
    precision: FloatTensor<B>,
    /// The bin's edges a and b, standardised.
    lower: FloatTensor<B>,
    upper: FloatTensor<B>,
    /// b − a.
    width: FloatTensor<B>,
    /// log πₘ + log P(x; μₘ, sₘ).
    joint: FloatTensor<B>,
    /// log πₘ.
    log_weight: FloatTensor<B>,
}

impl<B: Backend> Bins<B> {
    fn new(
        weight_logits: FloatTensor<B>,
        mean: FloatTensor<B>,
        log_scale: FloatTensor<B>,
        x: FloatTensor<B>,
        levels: usize,
    ) -> Self {
        let intervals = (levels - 1) as f32;
        let rows = x.shape()[0];
        let x = B::float_reshape(x, Shape::new([rows, 1]));
        let from_last = B::float_add_scalar(B::float_neg(x.clone()), intervals.into());
        let [below, above] = [x.clone(), from_last].map(|steps| B::float_clamp(steps, 0.0f32.into(), 1.0f32.into()));
        let precision = B::float_exp(B::float_neg(log_scale));
        let edge = |side: f32| {
            let twice = B::float_mul_scalar(x.clone(), 2.0f32.into());
            let edge = B::float_div_scalar(B::float_add_scalar(twice, (side - intervals).into()), intervals.into());
            B::float_mul(B::float_sub(edge, mean.clone()), precision.clone())
        };
        let (lower, upper) = (edge(-1.0), edge(1.0));
        let width = B::float_mul_scalar(precision.clone(), (2.0 / intervals).into());
        let ends = B::float_add(
            B::float_mul(log_sigmoid::<B>(upper.clone()), above.clone()),
            B::float_mul(log_sigmoid::<B>(B::float_neg(lower.clone())), below.clone()),
        );
        let inner = B::float_mul(below.clone(), above.clone());
        let log_prob = B::float_add(ends, B::float_mul(log1m_exp_neg::<B>(width.clone()), inner));
        let (shifted, log_sum) = shift_and_log_sum::<B>(weight_logits);
        let log_weight = B::float_sub(shifted, log_sum);
        let joint = B::float_add(log_prob, log_weight.clone());
        Self { below, above, precision, lower, upper, width, joint, log_weight }
    }
}

/// log σ(x) = min(x, 0) − log1p(exp(−|x|)): `Backend`'s own default has no log1p.
fn log_sigmoid<B: Backend>(x: FloatTensor<B>) -> FloatTensor<B> {
    let decay = B::float_exp(B::float_neg(B::float_abs(x.clone())));
    B::float_sub(B::float_clamp_max(x, 0.0f32.into()), B::float_log1p(decay))
}

/// 1 − exp(−d) for d > 0, from its power series where d is small.
fn one_minus_exp_neg<B: Backend>(d: FloatTensor<B>, decay: FloatTensor<B>) -> FloatTensor<B> {
    const NEAR: f32 = 0.7;
    let small = B::float_clamp_max(d.clone(), NEAR.into());
    let v = B::float_neg(small.clone());
    let series = EXPM1_OVER[1..].iter().fold(None, |series, &next| {
        let scaled = match series {
            Some(series) => B::float_mul(series, v.clone()),
            None => B::float_mul_scalar(v.clone(), (EXPM1_OVER[0] as f32).into()),
        };
        Some(B::float_add_scalar(scaled, (next as f32).into()))
    });
    let far = B::float_add_scalar(B::float_neg(decay), 1.0f32.into());
    let Some(series) = series else { return far };
    let bools = get_or_init_device_settings::<B>(&d.device()).bool_dtype;
    let is_small = B::float_lower_elem(d, NEAR.into(), bools);
    B::float_mask_where(far, is_small, B::float_mul(series, small))
}

/// log(1 − exp(−d)) for d > 0.
fn log1m_exp_neg<B: Backend>(d: FloatTensor<B>) -> FloatTensor<B> {
    let decay = B::float_exp(B::float_neg(d.clone()));
    let near = B::float_log(one_minus_exp_neg::<B>(d.clone(), decay.clone()));
    let bools = get_or_init_device_settings::<B>(&d.device()).bool_dtype;
    let far = B::float_greater_elem(d, std::f32::consts::LN_2.into(), bools);
    B::float_mask_where(near, far, B::float_log1p(B::float_neg(decay)))
}

/// log Σₘ exp(log πₘ + log P(x; μₘ, sₘ)).
pub(super) fn discretized_logistic_mixture_log_prob<B: Backend>(
    weight_logits: FloatTensor<B>,
    mean: FloatTensor<B>,
    log_scale: FloatTensor<B>,
    x: FloatTensor<B>,
    levels: usize,
) -> FloatTensor<B> {
    let shape = x.shape();
    let joint = Bins::<B>::new(weight_logits, mean, log_scale, x, levels).joint;
    let max = B::float_max_dim(joint.clone(), 1);
    let sum = B::float_sum_dim(B::float_exp(B::float_sub(joint, max.clone())), 1);
    B::float_reshape(B::float_add(B::float_log(sum), max), shape)
}

/// With ρ the posterior weights of the components, the slopes of log P to a bin's ends being σ(−b) and −σ(a), and
/// d / (exp(d) − 1) that of log(1 − exp(−d)) to log d:
///
/// g·(ρ − π), g·ρ·(σ(a) − σ(−b))/s, g·ρ·(a·σ(a) − b·σ(−b) − d / (exp(d) − 1)), the absent ends left out.
pub(super) fn discretized_logistic_mixture_log_prob_pullback<B: Backend>(
    weight_logits: FloatTensor<B>,
    mean: FloatTensor<B>,
    log_scale: FloatTensor<B>,
    x: FloatTensor<B>,
    grad: FloatTensor<B>,
    levels: usize,
) -> (FloatTensor<B>, FloatTensor<B>, FloatTensor<B>) {
    let rows = x.shape()[0];
    let bins = Bins::<B>::new(weight_logits, mean, log_scale, x, levels);
    let grad = B::float_reshape(grad, Shape::new([rows, 1]));
    let (shifted, log_sum) = shift_and_log_sum::<B>(bins.joint);
    let posterior = B::float_exp(B::float_sub(shifted, log_sum));
    let to_weights = B::float_mul(B::float_sub(posterior.clone(), B::float_exp(bins.log_weight)), grad.clone());
    let scaled = B::float_mul(posterior, grad);

    let low = B::float_mul(B::sigmoid(bins.lower.clone()), bins.below.clone());
    let high = B::float_mul(B::sigmoid(B::float_neg(bins.upper.clone())), bins.above.clone());
    let slope = B::float_mul(B::float_sub(low.clone(), high.clone()), bins.precision);
    let to_mean = B::float_mul(scaled.clone(), slope);

    let decay = B::float_exp(B::float_neg(bins.width.clone()));
    // exp(d) − 1 = (1 − exp(−d)) / exp(−d), which does not overflow this way round.
    let gap = one_minus_exp_neg::<B>(bins.width.clone(), decay.clone());
    let inner = B::float_mul(bins.below, bins.above);
    let of_width = B::float_mul(B::float_div(B::float_mul(bins.width, decay), gap), inner);
    let of_ends = B::float_sub(B::float_mul(bins.lower, low), B::float_mul(bins.upper, high));
    let to_log_scale = B::float_mul(scaled, B::float_sub(of_ends, of_width));
    (to_weights, to_mean, to_log_scale)
}

/// What the value and the pullback of a beta-binomial share.
struct Factors<B: Backend> {
    /// `[r, m, 1]`
    alpha: FloatTensor<B>,
    beta: FloatTensor<B>,
    /// (n − i)/(i + 1), the factors of the coefficient, where the factor is one of α's, i < x; 1 where it is one of β's; else 0: `[r, 1, n]`.
    of_alpha: FloatTensor<B>,
    of_beta: FloatTensor<B>,
    /// The factors of the coefficient and α, and of β, and those of α + β, `[r, m, n]`.
    rise: FloatTensor<B>,
    total: FloatTensor<B>,
}

impl<B: Backend> Factors<B> {
    fn new(log_alpha: FloatTensor<B>, log_beta: FloatTensor<B>, x: FloatTensor<B>, trials: usize) -> Self {
        let (shape, device, dtype) = (log_alpha.shape(), log_alpha.device(), log_alpha.dtype());
        let settings = get_or_init_device_settings::<B>(&device);
        let (rows, components) = (shape[0], shape[1]);
        let steps = B::int_into_float(B::int_arange(0..trials as i64, &device, settings.int_dtype), dtype.into());
        let steps = B::float_reshape(steps, Shape::new([1, 1, trials]));
        let flipped = B::float_add_scalar(B::float_neg(steps.clone()), (trials as f32 - 1.0).into());
        // x − i clamped to 0 … 1: both are whole numbers.
        let x = B::float_reshape(x, Shape::new([rows, 1, 1]));
        let of_alpha = B::float_clamp(B::float_sub(x, steps.clone()), 0.0f32.into(), 1.0f32.into());
        let of_beta = B::float_add_scalar(B::float_neg(of_alpha.clone()), 1.0f32.into());
        let choice = B::float_div(
            B::float_add_scalar(flipped.clone(), 1.0f32.into()),
            B::float_add_scalar(steps.clone(), 1.0f32.into()),
        );
        let of_alpha = B::float_mul(of_alpha, choice);
        let [alpha, beta] =
            [log_alpha, log_beta].map(|log| B::float_reshape(B::float_exp(log), Shape::new([rows, components, 1])));
        let total = B::float_add(B::float_add(alpha.clone(), beta.clone()), steps.clone());
        let rise = B::float_add(
            B::float_mul(B::float_add(alpha.clone(), steps), of_alpha.clone()),
            B::float_mul(B::float_add(beta.clone(), flipped), of_beta.clone()),
        );
        Self { alpha, beta, of_alpha, of_beta, rise, total }
    }
}

/// Σᵢ log of the ratios: sums of two hundred large logarithms would lose what their difference is.
pub(super) fn beta_binomial_log_prob<B: Backend>(
    log_alpha: FloatTensor<B>,
    log_beta: FloatTensor<B>,
    x: FloatTensor<B>,
    trials: usize,
) -> FloatTensor<B> {
    let shape = log_alpha.shape();
    let factors = Factors::<B>::new(log_alpha, log_beta, x, trials);
    let logs = B::float_log(B::float_div(factors.rise, factors.total));
    B::float_reshape(B::float_sum_dim(logs, 2), shape)
}

/// g·α·Σᵢ (\[i < x\]/(α + i) − 1/(α + β + i)), and so for β.
pub(super) fn beta_binomial_log_prob_pullback<B: Backend>(
    log_alpha: FloatTensor<B>,
    log_beta: FloatTensor<B>,
    x: FloatTensor<B>,
    grad: FloatTensor<B>,
    trials: usize,
) -> (FloatTensor<B>, FloatTensor<B>) {
    let shape = log_alpha.shape();
    let factors = Factors::<B>::new(log_alpha, log_beta, x, trials);
    let [rise, total] = [factors.rise, factors.total].map(B::float_recip);
    let of = |shape_parameter: FloatTensor<B>, own: FloatTensor<B>| {
        let slopes = B::float_sub(B::float_mul(rise.clone(), own), total.clone());
        let slope = B::float_mul(B::float_sum_dim(slopes, 2), shape_parameter);
        B::float_mul(grad.clone(), B::float_reshape(slope, shape.clone()))
    };
    (of(factors.alpha, factors.of_alpha), of(factors.beta, factors.of_beta))
}
