//! `source = "given"`: data that a program has given to a run of its own; the configuration only names them.

use super::chunks::{CHUNK, chunks};
use super::file::Fingerprint;
use super::{DataConfig, Dataset, Field, Matrix, Split, VisitPath};
use crate::check::Invalid;
use crate::error::{Error, Result};
use dgm_core::random::Seed;
use dgm_models::DataSpec;
use serde::{Deserialize, Serialize};

/// The keys of `source = "given"`, which a program writes, not a person.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct GivenConfig {
    /// What the program calls them.
    pub name: String,
    /// SHA-256 over their numbers.
    pub sha256: String,
}

impl GivenConfig {
    pub(super) fn visit_paths(&mut self, _: &mut VisitPath<'_>) -> Result<()> {
        Ok(())
    }

    pub(super) fn validate(&self) -> std::result::Result<(), Invalid> {
        Ok(())
    }

    pub(super) fn load(&self, _: Seed) -> Result<Dataset> {
        Err(Error::input(format!(
            "the data {:?} were given to the run by a program (data.source = \"given\"), and are in no file; use that program, which \
             calls Run::resume_with",
            self.name
        )))
    }
}

impl DataConfig {
    /// The table `[data]` of a run on these data of a program's own.
    pub fn given(dataset: &Dataset) -> Self {
        Self::Given(GivenConfig { name: dataset.name.clone(), sha256: dataset.fingerprint.clone() })
    }
}

impl Dataset {
    /// Data that a program has: training, validation and test, each element in its own units as `spec` describes them.
    ///
    /// # Errors
    /// A description that makes no sense, a split without examples, rows of another width, values that are no levels.
    pub fn given(name: impl Into<String>, spec: DataSpec, splits: [Split; 3]) -> Result<Self> {
        let name = name.into();
        let refuse = |what: String| Error::input(format!("{name}: {what}; fix the description, or the data"));
        spec.check().map_err(&refuse)?;
        let mut fingerprint = Fingerprint::default();
        let lengths = splits.each_ref().map(Split::len);
        let description = serde_json::to_string(&(&spec, lengths)).unwrap_or_default();
        fingerprint.update(description.as_bytes());
        for (index, split) in splits.iter().enumerate() {
            let part = ["training", "validation", "test"].get(index).copied().unwrap_or_default();
            split.check_against(&spec, &mut fingerprint).map_err(|what| refuse(format!("{part}: {what}")))?;
        }
        let mut dataset = Self::new(name.clone(), spec, splits, fingerprint.finish());
        dataset.check()?;
        dataset.standardize();
        Ok(dataset)
    }
}

impl Split {
    /// Whether every number is one that the description allows; all of them go into the fingerprint.
    fn check_against(&self, spec: &DataSpec, fingerprint: &mut Fingerprint) -> std::result::Result<(), String> {
        let widths = [self.target.width(), self.condition.as_ref().map_or(0, Field::width)];
        let expected = [spec.event(), spec.condition_width()];
        if widths != expected {
            return Err(format!(
                "found targets of {} elements and conditions of {}, expected {} and {}",
                widths[0], widths[1], expected[0], expected[1]
            ));
        }
        for rows in chunks(self.len(), CHUNK) {
            let read = |field: &Field| field.read(&rows, 0).map_err(|error| error.to_string());
            let target = read(&self.target)?;
            let found = |(at, &value): (usize, &f64)| Some((at, value, spec.expects(at % spec.event().max(1), value)?));
            if let Some((at, value, expected)) = target.values().iter().enumerate().find_map(found) {
                let row = rows.first().map_or(0, |first| first + at / spec.event());
                return Err(format!("example {row}: found {value}, expected {expected}"));
            }
            let condition = self.condition.as_ref().map(read).transpose()?;
            if condition.as_ref().is_some_and(|read| read.values().iter().any(|value| !value.is_finite())) {
                return Err("found a condition that is not finite, expected numbers".into());
            }
            let without = |read: &Matrix| (0..read.rows()).find(|&row| !spec.has_label(read.row(row)));
            if let Some((read, row)) = condition.as_ref().and_then(|read| Some((read, without(read)?))) {
                let row = read.row(row);
                return Err(format!("found the condition {row:?}, expected it to begin with a label in one-hot form"));
            }
            let mask = self.mask.as_ref().map(read).transpose()?;
            for read in [Some(&target), condition.as_ref(), mask.as_ref()].into_iter().flatten() {
                read.values().iter().for_each(|value| fingerprint.update(&value.to_le_bytes()));
            }
        }
        Ok(())
    }
}
