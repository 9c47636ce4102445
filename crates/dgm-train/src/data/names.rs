//! The names of a data set's columns and classes, which live on in every file of a run.

use serde::{Deserialize, Serialize};

use super::table::{DateFormat, write_number};

/// What the elements of an example are called, and how they are written.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Names {
    /// The columns of the target; empty where its elements have no names, such as pixels.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub target: Vec<ColumnSpec>,
    /// The columns of the condition.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub condition: Vec<ColumnSpec>,
    /// The classes, where the target or the condition is a label; empty where they are called 0, 1, ….
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub classes: Vec<String>,
    /// Columns of the whole table, whatever part they have.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub columns: Option<usize>,
}

/// A column of a table as a part of every example: its name, and how its cells become numbers and numbers its cells.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ColumnSpec {
    /// The name in the header, or `column 3` where there is none.
    pub name: String,
    /// What a cell is.
    #[serde(flatten)]
    pub kind: ColumnKind,
    /// What stands for a missing cell: the mean, or the number of the most frequent level, over the training rows. One more number
    /// of the example is 1 where the cell is missing. `None`: no cell is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub imputed: Option<f64>,
}

/// What a cell of a column is.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum ColumnKind {
    /// A real number.
    Number {
        /// Digits behind the point, where all cells have at most so many.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        decimals: Option<u8>,
    },
    /// A whole number.
    Integer,
    /// One of two words, as 0 and 1.
    Boolean {
        /// The words of 0 and of 1.
        words: [String; 2],
    },
    /// A date, a time of the day or both: days, or seconds, as a number.
    Time {
        /// How it is written.
        format: DateFormat,
    },
    /// One of several words, in one-hot form as a part of the condition. One more place there stands for words that no training row has.
    Category {
        /// The words.
        levels: Vec<String>,
    },
    /// One of several words, as the number of its level: a column of the target among others.
    Word {
        /// The words.
        levels: Vec<String>,
    },
    /// One of several words, as a label: the number of its class.
    Label,
}

impl ColumnSpec {
    /// Numbers of an example that the column becomes.
    pub fn width(&self) -> usize {
        let own = match &self.kind {
            ColumnKind::Category { levels } => levels.len() + 1,
            _ => 1,
        };
        own + usize::from(self.imputed.is_some())
    }

    /// What the column's numbers mean to a model: its name, its type and its levels, and whether one of them says what is missing.
    pub fn meaning(&self) -> (String, ColumnKind, bool) {
        let kind = match &self.kind {
            ColumnKind::Number { .. } | ColumnKind::Integer => ColumnKind::Number { decimals: None },
            kind => kind.clone(),
        };
        (self.name.clone(), kind, self.imputed.is_some())
    }

    /// Appends what stands for a cell of this value: a number, the number of a level (of one that is not there, its count), or
    /// nothing where the cell is missing: then it is what the column imputes, NaN if that is nothing.
    pub fn append(&self, value: Option<f64>, numbers: &mut Vec<f64>) {
        let filled = value.or(self.imputed).unwrap_or(f64::NAN);
        match &self.kind {
            ColumnKind::Category { levels } => {
                let level = (filled as usize).min(levels.len());
                numbers.extend((0..=levels.len()).map(|place| f64::from(u8::from(place == level))));
            }
            _ => numbers.push(filled),
        }
        if self.imputed.is_some() {
            numbers.push(f64::from(u8::from(value.is_none())));
        }
    }

    /// The cell that these numbers stand for, `width` of them; `classes`: the names of labels.
    pub fn cell(&self, numbers: &[f64], classes: &[String]) -> String {
        if self.imputed.is_some() && numbers.last() == Some(&1.0) {
            return String::new();
        }
        let value = numbers.first().copied().unwrap_or(f64::NAN);
        if value.is_nan() {
            return String::new();
        }
        match &self.kind {
            // −0 is 0.
            ColumnKind::Number { decimals: Some(decimals) } => plain(format!("{value:.0$}", usize::from(*decimals))),
            ColumnKind::Number { decimals: None } => write_number(value),
            ColumnKind::Integer => plain(format!("{value:.0}")),
            ColumnKind::Boolean { words } => words[usize::from(value >= 0.5)].clone(),
            ColumnKind::Time { format } => format.write(value),
            ColumnKind::Category { levels } => {
                let level = numbers.iter().position(|&one| one == 1.0);
                level.and_then(|level| levels.get(level)).cloned().unwrap_or_default()
            }
            ColumnKind::Word { levels } => levels.get(value as usize).cloned().unwrap_or_default(),
            ColumnKind::Label => class_name(classes, value as usize),
        }
    }
}

/// Zero has no sign.
fn plain(text: String) -> String {
    match text.strip_prefix('-') {
        Some(rest) if rest.chars().all(|c| c == '0' || c == '.') => rest.to_owned(),
        _ => text,
    }
}

/// The name of the column that number `number` of these columns' belongs to.
pub(super) fn column_of(columns: &[ColumnSpec], number: usize) -> String {
    let mut end = 0;
    let holds = |column: &&ColumnSpec| {
        end += column.width();
        number < end
    };
    columns.iter().find(holds).map_or_else(|| format!("number {number}"), |column| column.name.clone())
}

/// What class `class` is called.
pub fn class_name(classes: &[String], class: usize) -> String {
    classes.get(class).cloned().unwrap_or_else(|| class.to_string())
}

impl Names {
    /// Whether nothing has a name.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// The class that somebody means by this text: its name, or its number.
    pub fn class(&self, text: &str) -> Option<usize> {
        let number = || text.parse().ok().filter(|&class| self.classes.is_empty() || class < self.classes.len());
        self.classes.iter().position(|name| name == text).or_else(number)
    }

    /// The names of all columns of these specifications, as the first line of a CSV file.
    pub fn header(columns: &[&[ColumnSpec]]) -> Vec<String> {
        columns.iter().flat_map(|columns| columns.iter().map(|column| column.name.clone())).collect()
    }

    /// One row of numbers as the cells of these columns.
    pub fn cells(columns: &[ColumnSpec], numbers: &[f64], classes: &[String]) -> Vec<String> {
        let mut rest = numbers;
        let cell = |column: &ColumnSpec| {
            let (own, others) = rest.split_at(column.width().min(rest.len()));
            rest = others;
            column.cell(own, classes)
        };
        columns.iter().map(cell).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn column(kind: ColumnKind, imputed: Option<f64>) -> ColumnSpec {
        ColumnSpec { name: "x".into(), kind, imputed }
    }

    fn numbers(column: &ColumnSpec, value: Option<f64>) -> Vec<f64> {
        let mut numbers = Vec::new();
        column.append(value, &mut numbers);
        assert_eq!(numbers.len(), column.width());
        numbers
    }

    #[test]
    fn a_cell_becomes_numbers_and_numbers_the_cell() {
        let levels = ["a", "b"].map(String::from).to_vec();
        let category = column(ColumnKind::Category { levels }, None);
        assert_eq!(numbers(&category, Some(1.0)), [0.0, 1.0, 0.0]);
        // A level that no training row has.
        assert_eq!(numbers(&category, Some(2.0)), [0.0, 0.0, 1.0]);
        assert_eq!([[1.0, 0.0, 0.0], [0.0, 0.0, 1.0]].map(|x| category.cell(&x, &[])), ["a", ""]);

        let imputed = column(ColumnKind::Number { decimals: Some(2) }, Some(2.5));
        assert_eq!((numbers(&imputed, Some(1.0)), numbers(&imputed, None)), (vec![1.0, 0.0], vec![2.5, 1.0]));
        assert_eq!([[1.256, 0.0], [-0.001, 0.0], [2.5, 1.0]].map(|x| imputed.cell(&x, &[])), ["1.26", "0.00", ""]);

        let integer = column(ColumnKind::Integer, None);
        assert_eq!([3.6, -0.2, 1e12].map(|x| integer.cell(&[x], &[])), ["4", "0", "1000000000000"]);
        let label = column(ColumnKind::Label, None);
        assert_eq!(label.cell(&[1.0], &["no".into(), "yes".into()]), "yes");
        assert_eq!(label.cell(&[1.0], &[]), "1");
    }

    #[test]
    fn a_class_is_meant_by_its_name_or_its_number() {
        let names = Names { classes: ["10", "cat"].map(String::from).to_vec(), ..Names::default() };
        assert_eq!(
            ["cat", "10", "1", "2", "dog"].map(|text| names.class(text)),
            [Some(1), Some(0), Some(1), None, None]
        );
        assert_eq!(Names::default().class("7"), Some(7));
    }
}
