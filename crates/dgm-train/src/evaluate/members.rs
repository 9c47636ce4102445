//! Ensembles: the mixture's estimator in words, and the results of the single members.

use super::Results;
use crate::data::Split;
use crate::error::{Error, Result};
use crate::run_folder::RunFolder;
use burn::tensor::Device;
use dgm_core::estimate::Mean;
use dgm_models::{Density, Ensemble};
use serde::{Deserialize, Serialize};
use std::fs;

/// Results of an ensemble's single members, which the mixture is to improve on.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Members {
    /// Number of members.
    pub count: usize,
    /// Their `test`.
    pub test: MemberFigure,
    /// Their `validation`.
    pub validation: MemberFigure,
    /// Their `test_label_mixture`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub test_label_mixture: Option<MemberFigure>,
    /// Their `validation_label_mixture`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub validation_label_mixture: Option<MemberFigure>,
}

/// One figure of all members.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct MemberFigure {
    /// As in the members' results.
    pub quantity: String,
    /// What was computed of each member by itself.
    pub estimator: String,
    /// Mean over members, in nats per example.
    pub nats_per_example: f64,
    /// Of that mean, as an estimate of the mean over all seeds: the deviation between members / √members.
    pub standard_error: f64,
    /// The same in bits per number.
    pub bits_per_dim: f64,
    /// The best member's, in nats per example.
    pub lowest: f64,
    /// The worst member's, in nats per example.
    pub highest: f64,
    /// Number of examples.
    pub examples: usize,
}

/// What is read of a member's `result.json`.
#[derive(Deserialize)]
struct OfMember {
    test: Figure,
    validation: Figure,
    test_label_mixture: Option<Figure>,
    validation_label_mixture: Option<Figure>,
}

/// What is read of one of its figures.
#[derive(Deserialize)]
struct Figure {
    quantity: String,
    estimator: String,
    nats_per_example: f64,
    bits_per_dim: f64,
    examples: usize,
}

impl Members {
    /// From the results that the folders of an ensemble's members hold.
    ///
    /// # Errors
    /// A result that is not there, or that somebody changed.
    pub fn read(ensemble: &RunFolder, count: usize) -> Result<Self> {
        let read = |index: usize| -> Result<OfMember> {
            let path = ensemble.member(index).path().join("result.json");
            let text = fs::read_to_string(&path).map_err(|error| {
                Error::input(format!("{}: cannot be read: {error}; put it back as the run wrote it", path.display()))
            })?;
            serde_json::from_str(&text)
                .map_err(|error| Error::input(format!("{}: {error}; put it back as the run wrote it", path.display())))
        };
        let all: Vec<OfMember> = (0..count).map(read).collect::<Result<_>>()?;
        // A row that some do not have, as `[evaluation]` was another when they were trained, has no mean.
        let figure = |row: fn(&OfMember) -> Option<&Figure>| {
            let rows: Vec<&Figure> = all.iter().map(row).collect::<Option<_>>()?;
            let first = rows.first()?;
            let nats: Vec<f64> = rows.iter().map(|row| row.nats_per_example).collect();
            let Mean { mean, standard_error, .. } = Mean::of(&nats);
            let bits: Vec<f64> = rows.iter().map(|row| row.bits_per_dim).collect();
            Some(MemberFigure {
                quantity: first.quantity.clone(),
                estimator: first.estimator.clone(),
                nats_per_example: mean,
                standard_error,
                bits_per_dim: Mean::of(&bits).mean,
                lowest: nats.iter().copied().fold(f64::INFINITY, f64::min),
                highest: nats.iter().copied().fold(f64::NEG_INFINITY, f64::max),
                examples: first.examples,
            })
        };
        let none = || Error::run("an ensemble has no members");
        Ok(Self {
            count,
            test: figure(|member| Some(&member.test)).ok_or_else(none)?,
            validation: figure(|member| Some(&member.validation)).ok_or_else(none)?,
            test_label_mixture: figure(|member| member.test_label_mixture.as_ref()),
            validation_label_mixture: figure(|member| member.validation_label_mixture.as_ref()),
        })
    }

    /// Lines of the table for a terminal.
    pub(super) fn table(&self) -> String {
        let rows = [
            ("test", Some(&self.test)),
            ("test", self.test_label_mixture.as_ref()),
            ("validation", Some(&self.validation)),
            ("validation", self.validation_label_mixture.as_ref()),
        ];
        let line = |(split, figure): (&str, &MemberFigure)| {
            let MemberFigure { quantity, estimator, nats_per_example, standard_error, .. } = figure;
            let MemberFigure { bits_per_dim, lowest, highest, examples, .. } = figure;
            format!(
                "{split:<11} {quantity:<8} {nats_per_example:>12.4} {standard_error:>9.4} {bits_per_dim:>10.4} {examples:>9}  \
                 {estimator}: mean of the {} members by themselves, {lowest:.4} to {highest:.4}\n",
                self.count
            )
        };
        rows.into_iter().filter_map(|(split, figure)| Some(line((split, figure?)))).collect()
    }
}

impl Results {
    /// Says in every estimator how the members of an ensemble are mixed; of one model nothing.
    pub(super) fn name_mixture(
        &mut self,
        ensemble: &Ensemble,
        density: &dyn Density,
        test: &Split,
        device: &Device,
    ) -> Result<()> {
        let count = ensemble.count();
        if count == 1 {
            return Ok(());
        }
        // Whether the models say their factors does not depend on the example.
        let by_number = density.log_prob_elementwise(&test.batch(&[0], 0, device)?).is_some();
        let mixed = match (by_number, density.estimator().is_exact()) {
            (true, _) => format!("mixture of {count} models, number by number"),
            (false, true) => format!("mixture of {count} models"),
            (false, false) => format!("bound of the mixture of {count} models"),
        };
        let rows = [Some(&mut self.test), Some(&mut self.validation), self.test_importance_weighted.as_mut()];
        let more = [self.test_label_mixture.as_mut(), self.validation_label_mixture.as_mut()];
        for row in rows.into_iter().chain(more).flatten() {
            row.estimator = format!("{}, {mixed}", row.estimator);
        }
        Ok(())
    }
}
