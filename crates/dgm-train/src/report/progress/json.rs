//! One JSON object a line, for programs. Losses have the names that they have in `metrics.jsonl`.

use super::{Course, Report, Window};
use crate::config::Config;
use crate::data::Dataset;
use crate::error::Error;
use dgm_core::estimate::bits_per_dim;
use serde_json::{Value, json};
use std::io::Write;

/// The line of an error: its message, and the exit code of the process.
pub fn error_line(error: &Error) -> String {
    json!({ "kind": "error", "message": error.to_string(), "exit_code": error.exit_code() }).to_string()
}

/// The line of a warning.
pub fn warning_line(text: &str) -> String {
    json!({ "kind": "warning", "message": text }).to_string()
}

/// Every event as a line, at once.
pub(super) struct Json<W> {
    out: W,
    folder: String,
    backend: String,
    course: Option<Course>,
    best: Option<(u64, f64)>,
}

impl<W: Write> Json<W> {
    pub(super) fn new(out: W, folder: &str, backend: &str) -> Self {
        Self { out, folder: folder.into(), backend: backend.into(), course: None, best: None }
    }

    fn line(&mut self, value: &Value) {
        self.text(&value.to_string());
    }

    fn text(&mut self, line: &str) {
        // Nobody is left to tell when standard error is gone; training goes on.
        let _ = writeln!(self.out, "{line}");
    }

    #[cfg(test)]
    pub(super) fn into_inner(self) -> W {
        self.out
    }
}

impl<W: Write> Report for Json<W> {
    fn begin(&mut self, config: &Config, dataset: &Dataset, parameters: usize, steps: u64, step: u64) {
        let course = Course::new(config, dataset, steps, step);
        self.course = Some(course);
        self.line(&json!({
            "kind": "begin",
            "folder": self.folder,
            "backend": self.backend,
            "model": config.model.kind(),
            "data": dataset.name,
            "parameters": parameters,
            "examples": [dataset.train.len(), dataset.validation.len(), dataset.test.len()],
            "epochs": course.epochs,
            "steps": steps,
            "step": step,
        }));
    }

    fn train(&mut self, &Window { step, nats, terms, learning_rate, examples_per_second }: &Window<'_>) {
        let Some(course) = self.course else { return };
        let mut line = json!({
            "kind": "train",
            "step": step,
            "steps": course.steps,
            "epoch": course.epoch(step),
            "epochs": course.epochs,
            "nats_per_example": nats,
            "bits_per_dim": bits_per_dim(nats, course.bits.train),
            "learning_rate": learning_rate,
            "examples_per_second": examples_per_second,
            "seconds_left": course.seconds_left(step),
        });
        if let Some(line) = line.as_object_mut() {
            line.extend(terms.iter().map(|(name, nats)| ((*name).to_string(), json!(nats))));
            if course.bits.tokens {
                line.insert("nats_per_token".into(), json!(nats / course.bits.train));
            }
        }
        self.line(&line);
    }

    fn validation(&mut self, epoch: u64, nats: f64, best: bool) {
        if best {
            self.best = Some((epoch, nats));
        }
        let bits = self.course.map(|course| course.bits);
        let mut line = json!({
            "kind": "validation",
            "epoch": epoch,
            "nats_per_example": nats,
            "bits_per_dim": bits.map(|bits| bits_per_dim(nats, bits.validation)),
            "best": best,
            "best_epoch": self.best.map(|(epoch, _)| epoch),
            "best_nats_per_example": self.best.map(|(_, nats)| nats),
        });
        if let (Some(line), Some(bits)) = (line.as_object_mut(), bits.filter(|bits| bits.tokens)) {
            line.insert("nats_per_token".into(), json!(nats / bits.validation));
        }
        self.line(&line);
    }

    fn warn(&mut self, text: &str) {
        self.text(&warning_line(text));
    }

    fn end(&mut self, why: &str) {
        self.line(&json!({ "kind": "end", "why": why, "folder": self.folder }));
    }
}
