//! Estimators: what is reported. On the host, in f64, so that a sum over a test set loses nothing.
//!
//! | file | what it answers |
//! | --- | --- |
//! | `mean` | what is the mean over examples, and how well is it known? [`Mean`] |
//! | `ratio` | what is a ratio of two sums over examples, such as nats per token, and how well is it known? [`Ratio`] |
//! | `likelihood` | nats in other units, and the gap to the entropy of the data: [`bits_per_dim`], [`divergence_from_data`] |
//! | `importance` | log p(x) of a latent-variable model from log-weights: [`importance_weighted`], [`LogMeanExp`] |
//! | `calibration` | is a classifier as sure as it is right? [`Reliability`] |
//! | `pit` | are predicted distributions calibrated? [`pit_histogram`], [`interval_coverage`] |
//! | `crps` | how far are predicted distributions from the outcomes? [`crps_normal`], [`crps_ensemble`] |
//! | `roc` | does a score tell two classes apart? [`Auroc`] |
//! | `frechet` | how far apart are two sets of features? [`frechet_distance`] |
//! | `generation` | the same by a kernel; how much of each is within the other? [`kernel_distance`], [`Manifolds`] |
//! | `neighbours` | which rows are nearest? [`nearest`], [`neighbours_vote`] |
//! | `softmax_regression` | what is linear in features? `SoftmaxRegression`, `SoftmaxFits` (feature `optim`) |
//! | `clusters` | do clusters agree with labels? [`k_means`], [`Agreement`] |
//! | `representation` | how much does z hold of x? [`active_units`], [`mutual_information_lower`] |
//!
//! What is wrong with arguments comes back as an [`EstimateError`].

mod annealed;
mod calibration;
mod clusters;
mod crps;
mod error;
mod frechet;
mod generation;
mod importance;
mod likelihood;
mod mean;
mod neighbours;
mod pit;
mod principal;
mod ratio;
mod representation;
mod roc;
mod rotations;
#[cfg(feature = "optim")]
mod softmax_regression;

pub use crate::special::log_sum_exp;
pub use annealed::{Annealed, LogJoint, StepSizes};
pub use calibration::{Binning, Reliability, ReliabilityBin, top_label};
pub use clusters::{Agreement, k_means};
pub use crps::{crps_ensemble, crps_ensemble_fair, crps_normal, crps_normal_mixture};
pub use error::EstimateError;
pub use frechet::{frechet_distance, frechet_distance_error};
pub use generation::{Manifolds, kernel_distance};
pub use importance::{ImportanceWeighted, LogMeanExp, importance_weighted, log_mean_exp};
pub use likelihood::{bits_per_dim, divergence_from_data, perplexity};
pub use mean::Mean;
pub use neighbours::{Neighbour, nearest, neighbours_vote};
pub use pit::{interval_coverage, kolmogorov_smirnov_uniform, pit_histogram, randomised_pit};
pub use principal::{PrincipalAxes, PrincipalComponents, principal_components};
pub use ratio::Ratio;
pub use representation::{
    ACTIVE_UNIT_VARIANCE, active_units, mutual_information_lower, mutual_information_upper, posterior_mean_variances,
};
pub use roc::Auroc;
#[cfg(feature = "optim")]
pub use softmax_regression::{Scaling, SoftmaxFits, SoftmaxRegression};
