//! Progress for people: bars on a terminal, plain lines elsewhere.

use crate::config::Config;
use crate::data::Dataset;
use dgm_core::estimate::bits_per_dim;
use indicatif::{ProgressBar, ProgressStyle};
use std::io::IsTerminal;
use std::time::Instant;

/// What training tells about itself.
pub trait Report {
    /// Training begins, at `step` of `steps`.
    fn begin(&mut self, config: &Config, dataset: &Dataset, parameters: usize, steps: u64, step: u64);
    /// A window of steps ended.
    fn train(&mut self, window: &Window<'_>);
    /// The model was validated after this many epochs: nats an example, and whether it is the best so far.
    fn validation(&mut self, epoch: u64, nats: f64, best: bool);
    /// Something that is worth a line: a step that was skipped, a checkpoint that could not be written.
    fn warn(&mut self, text: &str);
    /// Training ended, and why.
    fn end(&mut self, why: &str);
}

/// The steps since the last report.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Window<'a> {
    /// Steps taken, from the beginning of the run.
    pub step: u64,
    /// Mean of the loss's terms without their weights, in nats an example.
    pub nats: f64,
    /// Mean of each term, in nats an example.
    pub terms: &'a [(&'static str, f64)],
    /// The learning rate of the last step.
    pub learning_rate: f64,
    /// Throughput.
    pub examples_per_second: f64,
}

/// The report for standard error as it is: a bar on a terminal, otherwise lines.
pub fn for_terminal(quiet: bool) -> Box<dyn Report> {
    match (quiet, std::io::stderr().is_terminal()) {
        (true, _) => Box::new(Quiet),
        (false, true) => Box::new(Bar::default()),
        (false, false) => Box::new(Lines::default()),
    }
}

/// Tells nothing.
pub struct Quiet;

impl Report for Quiet {
    fn begin(&mut self, _: &Config, _: &Dataset, _: usize, _: u64, _: u64) {}
    fn train(&mut self, _: &Window<'_>) {}
    fn validation(&mut self, _: u64, _: f64, _: bool) {}
    fn warn(&mut self, _: &str) {}
    fn end(&mut self, _: &str) {}
}

fn headline(config: &Config, dataset: &Dataset, parameters: usize) -> String {
    format!(
        "{} on {}: {parameters} parameters; {} training, {} validation, {} test examples",
        config.model.kind(),
        dataset.name,
        dataset.train.len(),
        dataset.validation.len(),
        dataset.test.len()
    )
}

/// "12.3 nats, 1.93 bits/dim" and the terms.
fn loss_text(nats: f64, event: usize, terms: &[(&'static str, f64)]) -> String {
    let mut text = format!("{nats:.3} nats ({:.4} bits/dim)", bits_per_dim(nats, event));
    if terms.len() > 1 {
        text.extend(terms.iter().map(|(name, nats)| format!("  {name} {nats:.2}")));
    }
    text
}

/// One bar: position, loss, the validation loss and its best, the time left.
#[derive(Default)]
struct Bar {
    bar: Option<ProgressBar>,
    event: usize,
    train: String,
    validation: String,
    best: Option<(u64, f64)>,
}

impl Bar {
    fn show(&self) {
        if let Some(bar) = &self.bar {
            bar.set_message(format!("train {}\n  {}", self.train, self.validation));
        }
    }
}

impl Report for Bar {
    fn begin(&mut self, config: &Config, dataset: &Dataset, parameters: usize, steps: u64, step: u64) {
        eprintln!("{}", headline(config, dataset, parameters));
        self.event = dataset.spec.event();
        let template = "{bar:32.cyan/blue} step {pos}/{len}  {elapsed} elapsed, {eta} left\n  {msg}";
        let style = ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar());
        let bar = ProgressBar::new(steps).with_style(style).with_position(step);
        bar.reset_eta();
        bar.set_message("first steps: compiling kernels, warming up");
        bar.enable_steady_tick(std::time::Duration::from_millis(200));
        self.bar = Some(bar);
    }

    fn train(&mut self, &Window { step, nats, terms, .. }: &Window<'_>) {
        self.train = loss_text(nats, self.event, terms);
        if let Some(bar) = &self.bar {
            bar.set_position(step);
        }
        self.show();
    }

    fn validation(&mut self, epoch: u64, nats: f64, best: bool) {
        if best {
            self.best = Some((epoch, nats));
        }
        let best = self.best.map_or(String::new(), |(epoch, nats)| format!(", best {nats:.3} after epoch {epoch}"));
        self.validation = format!("validation after epoch {epoch}: {nats:.3} nats{best}");
        self.show();
    }

    fn warn(&mut self, text: &str) {
        match &self.bar {
            Some(bar) => bar.println(format!("warning: {text}")),
            None => eprintln!("warning: {text}"),
        }
    }

    fn end(&mut self, why: &str) {
        if let Some(bar) = self.bar.take() {
            bar.abandon();
        }
        eprintln!("{why}");
    }
}

/// A line every few seconds, with the last validation and the best.
#[derive(Default)]
struct Lines {
    event: usize,
    steps: u64,
    began: Option<(Instant, u64)>,
    last: Option<Instant>,
    validation: String,
    best: Option<f64>,
}

/// Seconds from one plain line to the next.
const QUIET_SECONDS: u64 = 5;

impl Report for Lines {
    fn begin(&mut self, config: &Config, dataset: &Dataset, parameters: usize, steps: u64, step: u64) {
        eprintln!("{}", headline(config, dataset, parameters));
        (self.event, self.steps, self.began) = (dataset.spec.event(), steps, Some((Instant::now(), step)));
    }

    fn train(&mut self, &Window { step, nats, terms, .. }: &Window<'_>) {
        // The first window at once, and the last; in between every few seconds.
        if step < self.steps && self.last.is_some_and(|last| last.elapsed().as_secs() < QUIET_SECONDS) {
            return;
        }
        self.last = Some(Instant::now());
        let left = self.began.map_or(0.0, |(began, first)| {
            let done = step.saturating_sub(first).max(1) as f64;
            began.elapsed().as_secs_f64() / done * self.steps.saturating_sub(step) as f64
        });
        let train = loss_text(nats, self.event, terms);
        eprintln!("step {step}/{}  train {train}{}  about {left:.0} s left", self.steps, self.validation);
    }

    fn validation(&mut self, epoch: u64, nats: f64, best: bool) {
        if best {
            self.best = Some(nats);
        }
        let best = self.best.map_or(String::new(), |best| format!(", best {best:.3}"));
        self.validation = format!("  validation after epoch {epoch} {nats:.3}{best}");
    }

    fn warn(&mut self, text: &str) {
        eprintln!("warning: {text}");
    }

    fn end(&mut self, why: &str) {
        eprintln!("{why}{}", self.validation);
    }
}
