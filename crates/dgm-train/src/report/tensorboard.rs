//! Event files of TensorBoard: the lines of `metrics.jsonl` as scalars, results, and the picture of samples.
//!
//! A file is a sequence of records: length (u64), masked CRC-32C of it, an `Event` as Protocol Buffers, masked CRC-32C of that, all
//! little-endian. Of the messages in TensorFlow's `event.proto` and `summary.proto` only these
//! fields are written: a compiler of Protocol Buffers would be a dependency of every build.

use crate::error::{Error, Result};
use crate::evaluate::Results;
use crate::files::write_atomic;
use crate::metrics::{Line, TrainLine, ValidationLine};
use chrono::Utc;
use std::fs::{self, OpenOptions};
use std::io::Write;
use std::path::{Path, PathBuf};

/// `Event`: field 1 the time, 2 the step, and one of what else it can hold.
struct Event {
    step: u64,
    what: What,
}

enum What {
    /// Field 3: the version of the file, its first event.
    Version,
    /// Field 5: a `Summary` of values.
    Values(Vec<Value>),
    /// Field 7: a `SessionLog` that says START, which takes back what another session wrote from this step on.
    Start,
}

/// `Summary.Value`: field 1 the tag, and a number in field 2 or an `Image` in field 4.
struct Value {
    tag: String,
    what: Shown,
}

enum Shown {
    Scalar(f32),
    /// A PNG of this height and width.
    Image([u32; 2], Vec<u8>),
}

impl Event {
    fn encode(&self, wall_time: f64) -> Vec<u8> {
        let mut bytes = Fields::default();
        bytes.fixed(1, &wall_time.to_le_bytes());
        bytes.number(2, self.step);
        match &self.what {
            What::Version => bytes.bytes(3, b"brain.Event:2"),
            What::Values(values) => {
                let mut summary = Fields::default();
                values.iter().for_each(|value| summary.bytes(1, &value.encode()));
                bytes.bytes(5, &summary.0);
            }
            What::Start => {
                let mut log = Fields::default();
                log.number(1, 1);
                bytes.bytes(7, &log.0);
            }
        }
        bytes.0
    }
}

impl Value {
    fn encode(&self) -> Vec<u8> {
        let mut bytes = Fields::default();
        bytes.bytes(1, self.tag.as_bytes());
        match &self.what {
            Shown::Scalar(value) => bytes.fixed(2, &value.to_le_bytes()),
            Shown::Image([height, width], png) => {
                let mut image = Fields::default();
                image.number(1, u64::from(*height));
                image.number(2, u64::from(*width));
                // Channels.
                image.number(3, 3);
                image.bytes(4, png);
                bytes.bytes(4, &image.0);
            }
        }
        bytes.0
    }
}

/// A message of Protocol Buffers, field by field: its number and how it is written, then what it holds.
#[derive(Default)]
struct Fields(Vec<u8>);

impl Fields {
    /// Seven bits a byte, the lowest first; the eighth says that more come.
    fn varint(&mut self, mut number: u64) {
        while number >= 0x80 {
            self.0.push(number as u8 | 0x80);
            number >>= 7;
        }
        self.0.push(number as u8);
    }

    /// A zero is what is not there.
    fn number(&mut self, field: u8, value: u64) {
        if value == 0 {
            return;
        }
        self.0.push(field << 3);
        self.varint(value);
    }

    fn bytes(&mut self, field: u8, value: &[u8]) {
        self.0.push(field << 3 | 2);
        self.varint(value.len() as u64);
        self.0.extend(value);
    }

    /// Of four bytes or eight.
    fn fixed(&mut self, field: u8, value: &[u8]) {
        self.0.push(field << 3 | if value.len() == 4 { 5 } else { 1 });
        self.0.extend(value);
    }
}

/// The event file of one session of a run: a run that resumes writes another, since a crash may have cut the last record of the one before.
#[derive(Debug)]
pub struct EventFile {
    path: PathBuf,
}

impl EventFile {
    /// A new file in this folder, of a run that has taken so many steps.
    ///
    /// # Errors
    /// A folder that cannot be written.
    pub fn create(folder: &Path, steps: u64) -> Result<Self> {
        fs::create_dir_all(folder)
            .map_err(|error| Error::run(format!("{}: cannot be written: {error}", folder.display())))?;
        // TensorBoard looks for the first part of the name, and reads files in the order of their names.
        let file = Self { path: folder.join(format!("events.out.tfevents.{:017.6}.dgm", now())) };
        write_atomic(&file.path, &record(&Event { step: 0, what: What::Version }))?;
        file.go_on_from(steps)?;
        Ok(file)
    }

    /// Takes back what was written of later steps.
    ///
    /// # Errors
    /// A folder that cannot be written.
    pub fn go_on_from(&self, steps: u64) -> Result<()> {
        self.write(&Event { step: steps + 1, what: What::Start })
    }

    /// Appends what a line says.
    ///
    /// # Errors
    /// A folder that cannot be written.
    pub fn append(&self, line: &Line) -> Result<()> {
        let values = match line {
            Line::Train(line) => of_training(line),
            Line::Validation(line) => of_validation(line),
            Line::Nonfinite(_) => return Ok(()),
        };
        if values.is_empty() { Ok(()) } else { self.write_values(line.step(), values) }
    }

    /// Appends results, and samples as the bytes of a PNG, at the step where training ended.
    ///
    /// # Errors
    /// A folder that cannot be written.
    pub fn append_results(&self, results: &Results, samples: Option<Vec<u8>>, step: u64) -> Result<()> {
        let scalar = |metric: &crate::measure::Metric| {
            scalar(format!("{}/{} ({})", metric.split, metric.quantity, metric.unit), metric.value)
        };
        let image = samples.and_then(|png| {
            // Width and height stand in the first chunk of every PNG.
            let number = |at: usize| png.get(at..at + 4)?.try_into().ok().map(u32::from_be_bytes);
            let [width, height] = [number(16)?, number(20)?];
            Some(Value { tag: "samples".into(), what: Shown::Image([height, width], png) })
        });
        let values = results.metrics.iter().map(scalar).chain(image).collect();
        self.write_values(step, values)
    }

    fn write_values(&self, step: u64, values: Vec<Value>) -> Result<()> {
        self.write(&Event { step, what: What::Values(values) })
    }

    fn write(&self, event: &Event) -> Result<()> {
        OpenOptions::new()
            .append(true)
            .open(&self.path)
            .and_then(|mut file| file.write_all(&record(event)))
            .map_err(|error| Error::run(format!("{}: cannot be written: {error}", self.path.display())))
    }
}

/// Seconds since 1970.
fn now() -> f64 {
    Utc::now().timestamp_micros() as f64 / 1e6
}

fn scalar(tag: impl Into<String>, value: f64) -> Value {
    Value { tag: tag.into(), what: Shown::Scalar(value as f32) }
}

/// Training and validation of one quantity stand side by side: TensorBoard groups by what is before the slash.
fn of_training(line: &TrainLine) -> Vec<Value> {
    let some = [
        ("loss/train", line.loss),
        ("nats_per_example/train", line.nats_per_example),
        ("bits_per_dim/train", line.bits_per_dim),
        ("nats_per_token/train", line.nats_per_token),
        ("optimizer/learning_rate", Some(line.learning_rate)),
        ("optimizer/examples_per_second", Some(line.examples_per_second)),
    ];
    let terms = line.terms.iter().map(|(name, &value)| scalar(format!("terms/{name}"), value));
    some.into_iter().filter_map(|(tag, value)| Some(scalar(tag, value?))).chain(terms).collect()
}

fn of_validation(line: &ValidationLine) -> Vec<Value> {
    let some = [
        ("loss/validation", line.loss),
        ("nats_per_example/validation", line.nats_per_example),
        ("bits_per_dim/validation", line.bits_per_dim),
        ("nats_per_token/validation", line.nats_per_token),
    ];
    let mut values: Vec<Value> = some.into_iter().filter_map(|(tag, value)| Some(scalar(tag, value?))).collect();
    let Some(latent) = &line.latent else { return values };
    values.push(scalar("latent/reconstruction", latent.reconstruction));
    values.push(scalar("latent/mutual_information", latent.mutual_information));
    values.push(scalar("latent/marginal_kl", latent.marginal_kl));
    let layers = latent.kl.iter().zip(&latent.active_units).enumerate();
    values.extend(layers.flat_map(|(place, (&kl, &active))| {
        let layer = if latent.kl.len() > 1 { format!("_layer_{}", place + 1) } else { String::new() };
        [scalar(format!("latent/kl{layer}"), kl), scalar(format!("latent/active_units{layer}"), active as f64)]
    }));
    values
}

fn record(event: &Event) -> Vec<u8> {
    let data = event.encode(now());
    let length = (data.len() as u64).to_le_bytes();
    [&length[..], &masked_crc(&length), &data, &masked_crc(&data)].concat()
}

/// CRC-32C, rotated and shifted as TFRecord files have it: the checksum of data that hold their own checksum would be a constant.
fn masked_crc(bytes: &[u8]) -> [u8; 4] {
    crc32c::crc32c(bytes).rotate_right(15).wrapping_add(0xa282_ead8).to_le_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;

    const EVENT: &str = "09000000000000044010ac022a0c0a0a0a03612f62150000c03f";
    const IMAGE: &str = "09000000000000e03f2a110a0f0a0173220a08021003180322020708";
    const START: &str = "09000000000000e03f10053a020801";
    const RECORD: &str = "1a00000000000000129bd82d09000000000000044010ac022a0c0a0a0a03612f62150000c03fd070276f";

    /// What TensorBoard 2.21's own writer makes of the same event: `RecordWriter` and `Event.SerializeToString`.
    #[test]
    fn a_record_is_tensorboards() {
        let value = Value { tag: "a/b".into(), what: Shown::Scalar(1.5) };
        let event = Event { step: 300, what: What::Values(vec![value]) }.encode(2.5);
        assert_eq!(hex(&event), EVENT);
        let png = Value { tag: "s".into(), what: Shown::Image([2, 3], vec![7, 8]) };
        assert_eq!(hex(&Event { step: 0, what: What::Values(vec![png]) }.encode(0.5)), IMAGE);
        assert_eq!(hex(&Event { step: 5, what: What::Start }.encode(0.5)), START);
        let length = (event.len() as u64).to_le_bytes();
        assert_eq!(hex(&[&length[..], &masked_crc(&length), &event, &masked_crc(&event)].concat()), RECORD);
    }

    fn hex(bytes: &[u8]) -> String {
        bytes.iter().map(|byte| format!("{byte:02x}")).collect()
    }
}
