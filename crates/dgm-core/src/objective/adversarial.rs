//! Adversarial objectives: a discriminator's scores of real and of generated examples.
//!
//! A score is a logit of "real" for [`NonSaturating`], and a number without a unit for [`Hinge`]. Each player minimises
//! its own objective; the other's parameters are the caller's to leave out (for the discriminator's step, detach what
//! the generator made).

use super::Objective;
use crate::density::Bernoulli;
use burn::tensor::Tensor;
use burn::tensor::activation::relu;

/// The game of Goodfellow et al. 2014 ("Generative adversarial nets", eq. 1) with the generator's non-saturating loss
/// (their section 3), in nats.
///
/// Against the best discriminator the mean of its loss is 2 log 2 − 2 JSD(data ‖ generator).
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct NonSaturating;

impl NonSaturating {
    /// L_D = −log σ(real) − log(1 − σ(fake)) = softplus(−real) + softplus(fake), from logits `[batch]` each.
    ///
    /// Terms: `real` = softplus(−real) and `fake` = softplus(fake).
    ///
    /// # Panics
    /// If the shapes of `real` and `fake` differ.
    pub fn discriminator(&self, real: Tensor<1>, fake: Tensor<1>) -> Objective {
        check_pair("NonSaturating::discriminator", &real, &fake);
        both(softplus(real.neg()), softplus(fake))
    }

    /// L_G = −log σ(fake) = softplus(−fake), from the logits `[batch]` of what it generated. Terms: `generator`.
    pub fn generator(&self, fake: Tensor<1>) -> Objective {
        one(softplus(fake.neg()))
    }
}

/// The hinge game (Lim and Ye 2017, "Geometric GAN"; Miyato et al. 2018, "Spectral normalization", eq. 16 and 17);
/// without a unit.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Hinge;

impl Hinge {
    /// L_D = max(0, 1 − real) + max(0, 1 + fake), from scores `[batch]` each; at its corners the gradient is 0.
    ///
    /// Terms: `real` and `fake`, the two parts.
    ///
    /// # Panics
    /// If the shapes of `real` and `fake` differ.
    pub fn discriminator(&self, real: Tensor<1>, fake: Tensor<1>) -> Objective {
        check_pair("Hinge::discriminator", &real, &fake);
        both(relu(real.neg().add_scalar(1.0)), relu(fake.add_scalar(1.0)))
    }

    /// L_G = −fake, from the scores `[batch]` of what it generated. Terms: `generator`.
    pub fn generator(&self, fake: Tensor<1>) -> Objective {
        one(fake.neg())
    }
}

/// log(1 + exp x) = −log P(0) of a coin with logit x, which is exact in both tails.
fn softplus(x: Tensor<1>) -> Tensor<1> {
    let off = x.clone().detach().zeros_like();
    Bernoulli::from_logits(x).log_prob(off).neg()
}

fn both(real: Tensor<1>, fake: Tensor<1>) -> Objective {
    Objective { loss: real.clone() + fake.clone(), terms: vec![("real", real), ("fake", fake)] }
}

fn one(loss: Tensor<1>) -> Objective {
    Objective { loss: loss.clone(), terms: vec![("generator", loss)] }
}

fn check_pair(name: &str, real: &Tensor<1>, fake: &Tensor<1>) {
    let (real, fake) = (real.dims(), fake.dims());
    assert_eq!(real, fake, "{name}: `real` has shape {real:?} and `fake` {fake:?}");
}
