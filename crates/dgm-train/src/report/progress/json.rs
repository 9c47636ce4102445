//! One JSON object per line, for programs. Losses have the names that they have in `metrics.jsonl`.

use super::{Course, Report, RunStart, WindowMeans};
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

/// The keys of a likelihood of so many elements, where there is one.
fn likelihood(nats: Option<f64>, numbers: f64, tokens: bool) -> impl Iterator<Item = (String, Value)> {
    let keys = nats.into_iter().flat_map(move |nats| {
        let of_token = tokens.then(|| ("nats_per_token", nats / numbers));
        [Some(("nats_per_example", nats)), Some(("bits_per_dim", bits_per_dim(nats, numbers))), of_token]
    });
    keys.flatten().map(|(key, value)| (key.to_owned(), json!(value)))
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

impl<W: Write + Send> Report for Json<W> {
    fn begin(&mut self, run: &RunStart<'_>) {
        let &RunStart { model, dataset, parameters, steps, step, .. } = run;
        let course = Course::new(run);
        self.course = Some(course);
        self.line(&json!({
            "kind": "begin",
            "folder": self.folder,
            "backend": self.backend,
            "model": model,
            "data": dataset.name,
            "parameters": parameters,
            "examples": [dataset.train.len(), dataset.validation.len(), dataset.test.len()],
            "epochs": course.epochs,
            "steps": steps,
            "step": step,
        }));
    }

    fn train(&mut self, window: &WindowMeans<'_>) {
        let &WindowMeans { step, loss, nats, terms, learning_rate, examples_per_second } = window;
        let Some(course) = self.course else { return };
        let mut line = json!({
            "kind": "train",
            "folder": self.folder,
            "step": step,
            "steps": course.steps,
            "epoch": course.epoch(step),
            "epochs": course.epochs,
            "learning_rate": learning_rate,
            "examples_per_second": examples_per_second,
            "seconds_left": course.seconds_left(step),
        });
        if let Some(line) = line.as_object_mut() {
            line.extend(terms.iter().map(|(name, mean)| (name.clone(), json!(mean))));
            line.extend(likelihood(nats, course.bits.train, course.bits.tokens));
            line.extend(loss.filter(|_| nats.is_none()).map(|loss| ("loss".into(), json!(loss))));
        }
        self.line(&line);
    }

    fn validation(&mut self, epoch: u64, loss: Option<f64>, best: bool) {
        if best {
            self.best = loss.map(|loss| (epoch, loss));
        }
        let mut line = json!({ "kind": "validation", "folder": self.folder, "epoch": epoch, "best": best });
        let (Some(line), Some(course)) = (line.as_object_mut(), self.course) else { return };
        line.extend(self.best.map(|(epoch, _)| ("best_epoch".into(), json!(epoch))));
        let best = self.best.map(|(_, loss)| loss);
        if course.likelihood {
            line.extend(likelihood(loss, course.bits.validation, course.bits.tokens));
            line.extend(best.map(|nats| ("best_nats_per_example".into(), json!(nats))));
        } else {
            line.extend(loss.map(|loss| ("loss".into(), json!(loss))));
            line.extend(best.map(|loss| ("best_loss".into(), json!(loss))));
        }
        self.line(&Value::Object(std::mem::take(line)));
    }

    fn warn(&mut self, text: &str) {
        self.line(&json!({ "kind": "warning", "folder": self.folder, "message": text }));
    }

    fn end(&mut self, why: &str) {
        self.line(&json!({ "kind": "end", "why": why, "folder": self.folder }));
    }
}
