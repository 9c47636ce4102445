//! Bars on a terminal: the epoch, the run, and what is known of the losses.

use super::{Course, Report, RunStart, WindowMeans, duration_text, headline, loss_text, rate_text, terms_text};
use crate::report::sparkline::sparkline;
use crate::report::tell;
use indicatif::{ProgressBar, ProgressState, ProgressStyle};
use std::fmt::Write;
use std::time::Duration;

/// Columns that a line may fill: a terminal of 80 does not wrap it, and so redraws it in place.
const COLUMNS: usize = 78;

/// Cells of the curve of validation losses.
const CURVE: usize = 60;

/// A bar for the run, one for the epoch where it is long, and under them a line each for the training loss, its terms, the validation with its curve, and the pace.
#[derive(Default)]
pub(super) struct Bar {
    bar: Option<ProgressBar>,
    course: Option<Course>,
    text: Text,
}

/// What stands under the bars.
#[derive(Clone, Debug, Default)]
pub(super) struct Text {
    pub(super) train: String,
    pub(super) terms: String,
    pub(super) validation: String,
    pub(super) best: Option<(u64, f64)>,
    pub(super) pace: String,
    /// Validation losses so far.
    pub(super) losses: Vec<f64>,
}

impl Text {
    pub(super) fn train(&mut self, window: &WindowMeans<'_>, course: &Course) {
        self.train = loss_text(window, course.bits);
        self.terms = terms_text(window);
        let (rate, speed) = (rate_text(window.learning_rate), window.examples_per_second);
        self.pace = format!("{speed:.0} examples/s, learning rate {rate}");
        if window.step < course.steps {
            let left = duration_text(course.seconds_left(window.step));
            let _ = write!(self.pace, ", about {left} left");
        }
    }

    /// `unit` stands behind the number.
    pub(super) fn validation(&mut self, epoch: u64, nats: f64, unit: &str, best: bool) {
        if best {
            self.best = Some((epoch, nats));
        }
        self.losses.push(nats);
        self.validation = match self.best {
            _ if best => format!("{nats:.3}{unit} in epoch {epoch}, the best"),
            Some((at, best)) => format!("{nats:.3}{unit} in epoch {epoch}; best {best:.3} in epoch {at}"),
            None => format!("{nats:.3}{unit} in epoch {epoch}"),
        };
    }

    /// The lines that have something to say, none longer than [`COLUMNS`].
    pub(super) fn lines(&self) -> String {
        let curve = if self.losses.len() > 1 { sparkline(&self.losses, CURVE) } else { String::new() };
        let all = [
            ("train      ", &self.train),
            ("           ", &self.terms),
            ("validation ", &self.validation),
            ("           ", &curve),
            ("pace       ", &self.pace),
        ];
        let lines = all.into_iter().filter(|(_, text)| !text.is_empty()).map(|(label, text)| {
            let line = format!("{label}{text}");
            if line.chars().count() > COLUMNS { line.chars().take(COLUMNS - 1).chain(['…']).collect() } else { line }
        });
        lines.collect::<Vec<_>>().join("\n")
    }
}

/// Steps per epoch from which it has a bar of its own: shorter ones end with the window that they are reported in, and
/// a bar that is always full tells nothing.
const LONG_EPOCH: u64 = 100;

/// Cells of a bar.
const CELLS: u64 = 24;

/// The bar of the epoch, out of the position in the run: "██████░░░░░░ step 50/100 of the epoch".
fn epoch_bar(course: &Course, step: u64) -> String {
    let all = course.steps_per_epoch();
    let done = course.step_in_epoch(step).min(all);
    let filled = (done * CELLS / all) as usize;
    format!("{}{} step {done}/{all} of the epoch", "█".repeat(filled), "░".repeat(CELLS as usize - filled))
}

impl Bar {
    fn show(&self) {
        if let Some(bar) = &self.bar {
            bar.set_message(self.text.lines());
        }
    }
}

impl Report for Bar {
    fn begin(&mut self, begun: &RunStart<'_>) {
        tell(headline(begun).replace("; ", "\n"));
        if begun.steps == 0 {
            return;
        }
        let (course, step, steps) = (Course::new(begun), begun.step, begun.steps);
        let run =
            format!("run        {{bar:{CELLS}.cyan}} epoch {{epoch}}, step {{pos}}/{{len}}, {{elapsed}}\n{{msg}}");
        let template = match course.steps_per_epoch() {
            0..LONG_EPOCH => run,
            _ => format!("epoch      {{epoch_bar:.cyan}}\n{run}"),
        };
        let style = ProgressStyle::with_template(&template).unwrap_or_else(|_| ProgressStyle::default_bar());
        let style = style
            .progress_chars("█░")
            .with_key("epoch", move |state: &ProgressState, out: &mut dyn Write| {
                let _ = write!(out, "{}/{}", course.epoch(state.pos()), course.epochs);
            })
            .with_key("epoch_bar", move |state: &ProgressState, out: &mut dyn Write| {
                let _ = out.write_str(&epoch_bar(&course, state.pos()));
            });
        let bar = ProgressBar::new(steps).with_style(style).with_position(step);
        bar.set_message("first steps: compiling kernels, warming up");
        bar.enable_steady_tick(Duration::from_millis(200));
        (self.bar, self.course) = (Some(bar), Some(course));
    }

    fn train(&mut self, window: &WindowMeans<'_>) {
        let Some(course) = self.course else { return };
        self.text.train(window, &course);
        if let Some(bar) = &self.bar {
            bar.set_position(window.step);
        }
        self.show();
    }

    fn validation(&mut self, epoch: u64, loss: Option<f64>, best: bool) {
        let unit = if self.course.is_none_or(|course| course.likelihood) { " nats" } else { "" };
        loss.into_iter().for_each(|loss| self.text.validation(epoch, loss, unit, best));
        self.show();
    }

    fn warn(&mut self, text: &str) {
        match &self.bar {
            Some(bar) => bar.println(format!("warning: {text}")),
            None => tell(format_args!("warning: {text}")),
        }
    }

    fn end(&mut self, why: &str) {
        if let Some(bar) = self.bar.take() {
            bar.abandon();
        }
        tell(why);
    }
}
