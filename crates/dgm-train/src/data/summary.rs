//! What a data set holds, counted: ranges, levels, classes.

use std::fmt::Write;

use dgm_models::{DataSpec, Values};
use serde::Serialize;

use super::names::{class_name, column_of};
use super::{ColumnSpec, Dataset, Names, Split, Unit};
use crate::error::Result;

/// Numbers of an example and classes that are shown one by one; of more there is a range.
const MOST_SHOWN: usize = 32;

/// What a data set holds.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Summary {
    /// A short name.
    pub name: String,
    /// SHA-256 over the uncompressed sources.
    pub fingerprint: String,
    /// Channels, rows and columns of a target.
    pub shape: [usize; 3],
    /// Number of levels of each dimension of a target; `None`: they are real.
    pub levels: Option<usize>,
    /// Elements of a condition; 0: there is none.
    pub condition_width: usize,
    /// Classes, where the condition is a label.
    pub condition_classes: Option<usize>,
    /// How many of a condition's elements encode the augmentation.
    #[serde(rename = "condition_told", skip_serializing_if = "is_zero")]
    pub condition_augmentation: usize,
    /// What an element of a target is, where it is a token: `byte` or `character`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub token: Option<&'static str>,
    /// Training, validation, test.
    pub splits: Vec<SplitSummary>,
    /// What columns and classes are called.
    #[serde(skip_serializing_if = "Names::is_empty")]
    pub names: Names,
    /// What is odd about the data, so that a result may mislead.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub warnings: Vec<String>,
    /// What was done to the examples that changes what their likelihood means.
    pub transforms: Vec<String>,
    /// Entropy of the distribution that the examples were drawn from, in nats per example, where it is known.
    pub entropy: Option<f64>,
}

fn is_zero(n: &usize) -> bool {
    *n == 0
}

/// What a split holds. Random steps are those of epoch 0.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct SplitSummary {
    /// `training`, `validation` or `test`.
    pub split: &'static str,
    /// Number of examples.
    pub examples: usize,
    /// How many tokens are scored, where the targets are tokens; of training, in the first epoch.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tokens: Option<u64>,
    /// All elements of the targets that are scored.
    pub target: Range,
    /// Each dimension of a target by itself, where they are real and no more than 32.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub target_numbers: Option<Vec<Range>>,
    /// Number of levels that occur in the targets.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub levels_used: Option<usize>,
    /// All elements of the conditions.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub condition: Option<Range>,
    /// Examples of each class, where the condition or the target is a label.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub class_counts: Option<Vec<usize>>,
}

/// Where numbers lie.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Range {
    /// The smallest.
    pub min: f64,
    /// The largest.
    pub max: f64,
    /// Their mean.
    pub mean: f64,
    /// Their standard deviation (of these numbers: divided by n).
    pub std: f64,
}

/// Welford's running mean and sum of squares.
#[derive(Clone, Copy, Debug)]
struct Running {
    n: f64,
    mean: f64,
    squares: f64,
    min: f64,
    max: f64,
}

impl Running {
    const NONE: Self = Self { n: 0.0, mean: 0.0, squares: 0.0, min: f64::INFINITY, max: f64::NEG_INFINITY };

    fn add(&mut self, x: f64) {
        self.n += 1.0;
        let off = x - self.mean;
        self.mean += off / self.n;
        self.squares += off * (x - self.mean);
        self.min = self.min.min(x);
        self.max = self.max.max(x);
    }

    fn range(&self) -> Range {
        Range { min: self.min, max: self.max, mean: self.mean, std: (self.squares / self.n.max(1.0)).sqrt() }
    }
}

/// Calls `f` with each row of the targets as it is in epoch 0, and whether each of its elements is scored.
fn each_target(split: &Split, mut f: impl FnMut(&[f64], &dyn Fn(usize) -> bool)) -> Result<()> {
    let Some(mask) = &split.mask else { return split.target.each_row(|_, row| f(row, &|_| true)) };
    for (part, mask) in split.target.chunks().zip(mask.chunks()) {
        let (part, mask) = (part?, mask?);
        part.iter().zip(mask.iter()).for_each(|(row, mask)| f(row, &|at| mask.get(at).is_some_and(|&one| one > 0.5)));
    }
    Ok(())
}

/// The class of a condition in one-hot form.
fn class_of(one_hot: &[f64]) -> Option<usize> {
    one_hot.iter().position(|&one| one == 1.0)
}

impl Summary {
    /// Reads every example once.
    ///
    /// # Errors
    /// A file that cannot be read any more.
    pub fn of(dataset: &Dataset) -> Result<Self> {
        let spec = &dataset.spec;
        let splits =
            [("training", &dataset.train), ("validation", &dataset.validation), ("test", &dataset.test)].into_iter();
        Ok(Self {
            name: dataset.name.clone(),
            fingerprint: dataset.fingerprint.clone(),
            shape: spec.shape,
            levels: match spec.values {
                Values::Levels(levels) => Some(levels),
                Values::Real(_) | Values::Columns(_) => None,
            },
            condition_width: spec.condition_width(),
            condition_classes: spec.condition.as_ref().and_then(|condition| condition.classes),
            condition_augmentation: spec.condition.as_ref().map_or(0, |condition| condition.augmentation),
            token: dataset.tokens().map(Unit::name),
            splits: splits.map(|(name, split)| SplitSummary::of(name, split, spec)).collect::<Result<_>>()?,
            names: dataset.names.clone(),
            warnings: dataset.warnings.clone(),
            transforms: dataset.transforms.clone(),
            entropy: dataset.entropy,
        })
    }
}

impl SplitSummary {
    fn of(name: &'static str, split: &Split, spec: &DataSpec) -> Result<Self> {
        let levels = match spec.values {
            Values::Levels(levels) => levels,
            Values::Real(_) | Values::Columns(_) => 0,
        };
        let mut used = vec![0usize; levels];
        let singly = levels == 0 && spec.event() <= MOST_SHOWN;
        let mut numbers = vec![Running::NONE; if singly { spec.event() } else { 0 }];
        let mut all = Running::NONE;
        each_target(split, |row, scored| {
            for (_, &x) in row.iter().enumerate().filter(|(place, _)| scored(*place)) {
                all.add(x);
                if let Some(count) = used.get_mut(x as usize) {
                    *count += 1;
                }
            }
            numbers.iter_mut().zip(row).for_each(|(number, &x)| number.add(x));
        })?;
        let classes = spec.condition.as_ref().and_then(|condition| condition.classes);
        let mut counts = classes.map(|classes| vec![0usize; classes]);
        let mut conditions = Running::NONE;
        if let Some(field) = &split.condition {
            field.each_row(|_, row| {
                let counted = counts.as_mut().zip(class_of(row)).and_then(|(counts, class)| counts.get_mut(class));
                counted.into_iter().for_each(|count| *count += 1);
                row.iter().for_each(|&x| conditions.add(x));
            })?;
        }
        let label = levels > 0 && spec.shape == [1, 1, 1];
        Ok(Self {
            split: name,
            examples: split.len(),
            tokens: split.tokens.map(|tokens| tokens.scored),
            target: all.range(),
            target_numbers: singly.then(|| numbers.iter().map(Running::range).collect()),
            levels_used: (levels > 0).then(|| used.iter().filter(|count| **count > 0).count()),
            condition: split.condition.is_some().then(|| conditions.range()),
            class_counts: if label { Some(used) } else { counts },
        })
    }
}

impl Summary {
    /// As text for a terminal.
    pub fn text(&self) -> String {
        let values = self.levels.map_or("real numbers".to_owned(), |levels| format!("{levels} levels"));
        let values = values + &listed(&self.names.target);
        let augmentation = format!("{} elements that encode the augmentation", self.condition_augmentation);
        let condition = match (self.condition_width, self.condition_classes, self.condition_augmentation) {
            (0, _, _) => "none".to_owned(),
            (_, Some(classes), 0) => format!("a label, one of {classes} classes"),
            (_, Some(classes), _) => format!("a label, one of {classes} classes, and {augmentation}"),
            (width, None, of_these) if of_these == width => augmentation,
            (width, None, _) => format!("{width} numbers{}", listed(&self.names.condition)),
        };
        let target = match self.shape {
            [1, 1, 1] => "1 dimension".to_owned(),
            [1, 1, dimensions] => format!("{dimensions} dimensions"),
            [channels, rows, columns] => format!("{channels} × {rows} × {columns} (channels × rows × columns)"),
        };
        let mut text = format!(
            "name         {}\ntarget       {target}, {values}\ncondition    {condition}\nfingerprint  {}\n",
            self.name, self.fingerprint
        );
        if let Some(token) = self.token {
            let scored = |split: &SplitSummary| format!("{} {}", split.tokens.unwrap_or(0), split.split);
            let scored = self.splits.iter().map(scored).collect::<Vec<_>>().join(", ");
            let _ = writeln!(text, "tokens       {token}s; scored: {scored}");
        }
        if let Some(entropy) = self.entropy {
            let _ = writeln!(text, "entropy      {entropy:.4} nats/example: no model can be better on average");
        }
        for warning in &self.warnings {
            let _ = writeln!(text, "warning      {warning}");
        }
        for (index, transform) in self.transforms.iter().enumerate() {
            let _ = writeln!(text, "{:<12} {transform}", if index == 0 { "transforms" } else { "" });
        }
        let used = if self.levels.is_some() { "  levels used" } else { "" };
        let _ = writeln!(
            text,
            "\n{:<24} {:>9} {:>11} {:>11} {:>11} {:>11}{used}",
            "split", "examples", "min", "max", "mean", "std"
        );
        let mut line = |name: &str, examples: String, range: &Range, used: Option<usize>| {
            let Range { min, max, mean, std } = *range;
            let used = used.map_or(String::new(), |used| used.to_string());
            let line = format!(
                "{name:<24} {examples:>9} {:>11} {:>11} {:>11} {:>11}  {used}",
                short(min),
                short(max),
                short(mean),
                short(std)
            );
            let _ = writeln!(text, "{}", line.trim_end());
        };
        for split in &self.splits {
            line(split.split, split.examples.to_string(), &split.target, split.levels_used);
            let numbers = split.target_numbers.iter().flatten().filter(|_| self.shape != [1, 1, 1]);
            numbers.enumerate().for_each(|(i, range)| {
                line(&format!("  {}", column_of(&self.names.target, i)), String::new(), range, None)
            });
            // Columns have units of their own: one range for all of them says nothing.
            let pooled = self.condition_classes.is_none() && self.names.condition.is_empty();
            if let Some(range) = split.condition.as_ref().filter(|_| pooled) {
                line("  condition", String::new(), range, None);
            }
        }
        let counts: Vec<_> =
            self.splits.iter().filter_map(|split| Some((split.split, split.class_counts.as_ref()?))).collect();
        if let Some((_, first)) = counts.first() {
            let each = first.len() <= MOST_SHOWN;
            let _ = writeln!(text);
            if each {
                let name = |class| format!(" {:>6}", class_name(&self.names.classes, class));
                let _ = writeln!(text, "{:<24}{}", "class", (0..first.len()).map(name).collect::<String>());
            }
            for (split, counts) in counts {
                let shown = match each {
                    true => {
                        let width = |class| class_name(&self.names.classes, class).chars().count().max(6);
                        counts.iter().enumerate().map(|(class, count)| format!(" {count:>0$}", width(class))).collect()
                    }
                    false => format!(
                        " {} classes with {} to {} examples",
                        counts.len(),
                        counts.iter().min().unwrap_or(&0),
                        counts.iter().max().unwrap_or(&0)
                    ),
                };
                let _ = writeln!(text, "{split:<24}{shown}");
            }
        }
        text
    }
}

/// The names of columns, behind how many there are.
fn listed(columns: &[ColumnSpec]) -> String {
    let names: Vec<&str> = columns.iter().take(MOST_SHOWN).map(|column| column.name.as_str()).collect();
    let more = if columns.len() > MOST_SHOWN { ", …" } else { "" };
    if names.is_empty() { String::new() } else { format!(": {}{more}", names.join(", ")) }
}

/// Five digits, without those that say nothing.
pub(crate) fn short(x: f64) -> String {
    if x == x.trunc() && x.abs() < 1e9 {
        return format!("{x}");
    }
    let digits = (4 - x.abs().log10().floor() as i32).clamp(0, 8) as usize;
    match x.abs() {
        1e-4..1e9 => format!("{x:.digits$}"),
        _ => format!("{x:.4e}"),
    }
}

/// In what order examples are shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Arrangement {
    /// Their own.
    Sequence,
    /// A row for each class.
    ClassRows,
    /// A column for each class.
    ClassColumns,
}

impl Arrangement {
    /// By class where the condition is a label with no more than `n` classes, and so that the picture is wider than high.
    pub fn of(spec: &DataSpec, n: usize) -> Self {
        match spec.condition.as_ref().and_then(|condition| condition.classes) {
            Some(classes) if classes > n => Self::Sequence,
            Some(classes) if classes < n / classes.max(1) => Self::ClassRows,
            Some(_) => Self::ClassColumns,
            None => Self::Sequence,
        }
    }
}

/// The first examples of a split for a picture, `n` at most: how many stand in a row, and what stands there, row by row.
///
/// # Errors
/// A file that cannot be read any more.
pub fn first_examples(split: &Split, spec: &DataSpec, n: usize) -> Result<(usize, Vec<Option<Vec<f64>>>)> {
    let order = Arrangement::of(spec, n);
    let target = |row: usize| split.target.read(&[row], 0).map(|read| read.values().to_vec());
    let classes = spec.condition.as_ref().and_then(|condition| condition.classes).unwrap_or(1);
    let (Some(condition), true) = (&split.condition, order != Arrangement::Sequence) else {
        // Wider than high: three of these stand one above the other.
        let columns = (2.5 * n as f64).sqrt().ceil() as usize;
        let cells = (0..split.len().min(n)).map(|row| target(row).map(Some)).collect::<Result<_>>()?;
        return Ok((columns.max(1), cells));
    };
    let each = n / classes.max(1);
    let mut rows: Vec<Vec<usize>> = vec![Vec::new(); classes];
    condition.each_row(|row, one_hot| {
        let class = class_of(one_hot).and_then(|class| rows.get_mut(class));
        class.into_iter().filter(|class| class.len() < each).for_each(|class| class.push(row));
    })?;
    let each = rows.iter().map(Vec::len).max().unwrap_or(0);
    let cell =
        |class: usize, i: usize| rows.get(class).and_then(|class| class.get(i)).map(|&row| target(row)).transpose();
    let cells = match order {
        Arrangement::ClassRows => {
            (0..classes * each).map(|place| cell(place / each, place % each)).collect::<Result<_>>()?
        }
        _ => (0..classes * each).map(|place| cell(place % classes, place / classes)).collect::<Result<_>>()?,
    };
    Ok((if order == Arrangement::ClassRows { each.max(1) } else { classes }, cells))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::super::{Augment, Condition, DataConfig, DigitsConfig, Orientation, Target, load};
    use super::*;
    use dgm_core::random::Seed;

    fn digits(target: Target, condition: Condition) -> Dataset {
        load(&DataConfig::Digits(DigitsConfig { target, condition, ..Default::default() }), Seed(0)).unwrap()
    }

    #[test]
    fn the_digits_are_counted() {
        let summary = Summary::of(&digits(Target::Image, Condition::Label)).unwrap();
        assert_eq!((summary.shape, summary.levels, summary.condition_classes), ([1, 8, 8], Some(17), Some(10)));
        let [train, _, test] = &summary.splits[..] else { unreachable!() };
        assert_eq!((train.examples, test.examples, train.levels_used), (1000, 447, Some(17)));
        assert_eq!((train.target.min, train.target.max), (0.0, 16.0));
        // Over all 1797 images the mean is 4.884165 (scikit-learn's copy).
        let sums = summary.splits.iter().map(|split| split.examples as f64 * split.target.mean);
        assert!((sums.sum::<f64>() / 1797.0 - 4.884_164_579).abs() < 1e-8);
        let counts: Vec<usize> =
            (0..10).map(|class| summary.splits.iter().map(|s| s.class_counts.as_ref().unwrap()[class]).sum()).collect();
        assert_eq!(counts, [178, 182, 177, 183, 181, 182, 181, 179, 174, 180]);

        // The same counts where the label is the target.
        let labels = Summary::of(&digits(Target::Label, Condition::Image)).unwrap();
        assert_eq!(labels.splits[0].class_counts, train.class_counts);
        let condition = labels.splits[0].condition.unwrap();
        assert!((condition.mean - train.target.mean).abs() < 1e-12 && (condition.std - train.target.std).abs() < 1e-12);
    }

    #[test]
    fn the_augmentation_is_counted_apart_from_the_labels() {
        let augment = Augment { shift: 1, orientation: Orientation::Dihedral, condition: true, ..Default::default() };
        for (condition, expected) in [
            (Condition::None, "condition    11 elements that encode the augmentation\n"),
            (Condition::Label, "a label, one of 10 classes, and 11 elements that encode the augmentation\n"),
        ] {
            let config = DigitsConfig { condition, augment, ..Default::default() };
            let data = load(&DataConfig::Digits(config), Seed(0)).unwrap();
            let summary = Summary::of(&data).unwrap();
            assert_eq!(summary.condition_augmentation, 11);
            assert!(summary.text().contains(expected), "{}", summary.text());
            let [train, validation, _] = &summary.splits[..] else { unreachable!() };
            let ones = |split: &SplitSummary| split.condition.unwrap().mean * summary.condition_width as f64;
            assert!(ones(train) > ones(validation));
            // Classes are counted as ever, and the picture has its columns.
            let counts = train.class_counts.as_ref().map(|counts| counts.iter().sum::<usize>());
            assert_eq!(counts, (condition == Condition::Label).then_some(1000));
            let (columns, _) = first_examples(&data.train, &data.spec, 40).unwrap();
            assert_eq!(columns, 10);
        }
    }

    #[test]
    fn a_column_or_a_row_for_each_class() {
        let data = digits(Target::Image, Condition::Label);
        let (columns, cells) = first_examples(&data.train, &data.spec, 40).unwrap();
        assert_eq!((columns, cells.len()), (10, 40));
        // The digits begin with 0, 1, …, 9.
        let first = data.train.target.read(&[0, 1], 0).unwrap();
        assert_eq!((cells[0].as_deref(), cells[1].as_deref()), (Some(first.row(0)), Some(first.row(1))));
        // Fewer than one of each class: in their order. More than ten: a row for each.
        let (_, cells) = first_examples(&data.train, &data.spec, 3).unwrap();
        assert_eq!((cells.len(), Arrangement::of(&data.spec, 3)), (3, Arrangement::Sequence));
        let (columns, cells) = first_examples(&data.train, &data.spec, 120).unwrap();
        assert_eq!((columns, cells.len(), cells[12].as_deref()), (12, 120, Some(first.row(1))));
    }

    #[test]
    fn numbers_are_short() {
        let shown = [0.0, -3.0, 4.884_164_6, 123_456.7, 0.001_234_567, 1.5e-7, 3e12].map(short);
        assert_eq!(shown, ["0", "-3", "4.8842", "123457", "0.0012346", "1.5000e-7", "3.0000e12"]);
    }

    #[test]
    fn running_moments() {
        let mut running = Running::NONE;
        [1.0, 2.0, 3.0, 6.0].into_iter().for_each(|x| running.add(x));
        let Range { min, max, mean, std } = running.range();
        assert_eq!((min, max, mean), (1.0, 6.0, 3.0));
        assert!((std - 3.5f64.sqrt()).abs() < 1e-15);
    }
}
