//! Plain lines, for logs and pipes.

use super::{Course, Report, RunStart, WindowMeans, duration_text, headline, loss_text, rate_text, terms_text};
use std::io::Write;
use std::time::Instant;

/// Seconds from one line to the next.
const SECONDS: u64 = 5;

/// A line every few seconds, with the last validation and the best.
pub(super) struct Lines<W> {
    out: W,
    /// What each line begins with.
    name: String,
    course: Option<Course>,
    last: Option<Instant>,
    validation: String,
    best: Option<f64>,
}

impl<W: Write> Lines<W> {
    /// Lines of the one that trains, or of the one of this name among several.
    pub(super) fn new(out: W, name: &str) -> Self {
        let name = if name.is_empty() { String::new() } else { format!("{name}: ") };
        Self { out, name, course: None, last: None, validation: String::new(), best: None }
    }

    fn line(&mut self, text: &str) {
        // Nobody is left to tell when standard error is gone; training goes on.
        let _ = writeln!(self.out, "{}{text}", self.name);
    }

    #[cfg(test)]
    pub(super) fn into_inner(self) -> W {
        self.out
    }
}

impl<W: Write + Send> Report for Lines<W> {
    fn begin(&mut self, run: &RunStart<'_>) {
        self.course = Some(Course::new(run));
        self.line(&headline(run));
    }

    fn train(&mut self, window: &WindowMeans<'_>) {
        let &WindowMeans { step, learning_rate, examples_per_second, .. } = window;
        let Some(course) = self.course else { return };
        // The first window at once, and the last; in between every few seconds.
        if step < course.steps && self.last.is_some_and(|last| last.elapsed().as_secs() < SECONDS) {
            return;
        }
        self.last = Some(Instant::now());
        let apart = |text: String, by: &str| if text.is_empty() { text } else { format!("{by}{text}") };
        let (loss, terms) = (apart(loss_text(window, course.bits), " "), apart(terms_text(window), "  "));
        let left = match course.steps.saturating_sub(step) {
            0 => String::new(),
            _ => format!("  about {} left", duration_text(course.seconds_left(step))),
        };
        self.line(&format!(
            "epoch {}/{}, step {step}/{}  train{loss}{terms}{}  rate {}  {examples_per_second:.0} examples/s{left}",
            course.epoch(step),
            course.epochs,
            course.steps,
            self.validation,
            rate_text(learning_rate),
        ));
    }

    fn validation(&mut self, epoch: u64, loss: Option<f64>, best: bool) {
        let Some(nats) = loss else { return };
        if best {
            self.best = Some(nats);
        }
        let best = self.best.map_or(String::new(), |best| format!(", best {best:.3}"));
        self.validation = format!("  validation in epoch {epoch} {nats:.3}{best}");
    }

    fn warn(&mut self, text: &str) {
        self.line(&format!("warning: {text}"));
    }

    fn end(&mut self, why: &str) {
        let text = format!("{why}{}", self.validation);
        self.line(&text);
    }
}
