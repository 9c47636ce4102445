//! Ensembles: how their members are mixed, in words, and what the members reach by themselves.

use super::{CLOSED_KL, Results};
use crate::data::Split;
use crate::error::{Error, Result};
use crate::run_folder::RunFolder;
use burn::tensor::Device;
use dgm_models::{Density, Ensemble};
use serde::{Deserialize, Serialize};
use std::fs;

/// What the members of an ensemble reach by themselves: what mixing is to improve on.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Members {
    /// Number of members.
    pub count: usize,
    /// Their `test`.
    pub test: MemberFigure,
    /// Their `validation`.
    pub validation: MemberFigure,
}

/// One figure of all members.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct MemberFigure {
    /// As in the members' results.
    pub quantity: String,
    /// Mean over members, in nats an example.
    pub nats_per_example: f64,
    /// The same in bits a number.
    pub bits_per_dim: f64,
    /// The best member's, in nats an example.
    pub lowest: f64,
    /// The worst member's, in nats an example.
    pub highest: f64,
    /// Number of examples.
    pub examples: usize,
}

/// What is read of a member's `result.json`.
#[derive(Deserialize)]
struct OfMember {
    test: Figure,
    validation: Figure,
}

/// What is read of one of its figures.
#[derive(Deserialize)]
struct Figure {
    quantity: String,
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
            let text = fs::read_to_string(&path)
                .map_err(|error| Error::input(format!("{}: cannot be read: {error}", path.display())))?;
            serde_json::from_str(&text).map_err(|error| Error::input(format!("{}: {error}", path.display())))
        };
        let all: Vec<OfMember> = (0..count).map(read).collect::<Result<_>>()?;
        let figure = |row: fn(&OfMember) -> &Figure| {
            let rows: Vec<&Figure> = all.iter().map(row).collect();
            let mean =
                |value: fn(&Figure) -> f64| rows.iter().map(|row| value(row)).sum::<f64>() / rows.len().max(1) as f64;
            let nats = || rows.iter().map(|row| row.nats_per_example);
            MemberFigure {
                quantity: rows.first().map_or(String::new(), |row| row.quantity.clone()),
                nats_per_example: mean(|row| row.nats_per_example),
                bits_per_dim: mean(|row| row.bits_per_dim),
                lowest: nats().fold(f64::INFINITY, f64::min),
                highest: nats().fold(f64::NEG_INFINITY, f64::max),
                examples: rows.first().map_or(0, |row| row.examples),
            }
        };
        Ok(Self { count, test: figure(|member| &member.test), validation: figure(|member| &member.validation) })
    }

    /// Lines of the table for a terminal.
    pub(super) fn table(&self) -> String {
        let line = |split: &str, figure: &MemberFigure| {
            let MemberFigure { quantity, nats_per_example, bits_per_dim, lowest, highest, examples } = figure;
            format!(
                "{split:<11} {quantity:<8} {nats_per_example:>12.4} {:>9} {bits_per_dim:>10.4} {examples:>9}  mean of the {} \
                 members by themselves, {lowest:.4} to {highest:.4}\n",
                "", self.count
            )
        };
        line("test", &self.test) + &line("validation", &self.validation)
    }
}

impl Results {
    /// Says in every estimator how the members of an ensemble are mixed; of one model nothing.
    pub(super) fn name_mixture(&mut self, ensemble: &Ensemble, test: &Split, device: &Device) -> Result<()> {
        let count = ensemble.count();
        if count == 1 {
            return Ok(());
        }
        // Whether the models say their factors does not depend on the example.
        let by_number = ensemble.log_prob_elementwise(&test.batch(&[0], 0, device)?).is_some();
        let mixed = match (by_number, ensemble.is_exact()) {
            (true, _) => format!("mixture of {count} models, number by number"),
            (false, true) => format!("mixture of {count} models"),
            (false, false) => format!("bound of the mixture of {count} models"),
        };
        let rows = [Some(&mut self.test), Some(&mut self.validation), self.test_importance_weighted.as_mut()];
        let more = [self.test_label_mixture.as_mut(), self.validation_label_mixture.as_mut()];
        for row in rows.into_iter().chain(more).flatten() {
            // Of several models a bound takes importance weights, see `Ensemble`.
            let estimator = row.estimator.replace(CLOSED_KL, "one importance weight of each member");
            row.estimator = format!("{estimator}, {mixed}");
        }
        Ok(())
    }
}
