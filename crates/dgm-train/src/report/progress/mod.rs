//! Progress on standard error: what training tells about itself, and the forms in which it is shown, one file each.

mod bar;
mod json;
mod lines;
mod quiet;

pub use json::{error_line, warning_line};

use crate::data::{Dataset, Unit};
use crate::report::tell;
use bar::Bar;
use dgm_core::estimate::bits_per_dim;
use indicatif::{DecimalBytes, ProgressBar, ProgressFinish, ProgressStyle};
use json::Json;
use lines::Lines;
use quiet::Quiet;
use std::io::IsTerminal;
use std::time::Instant;

/// Receives the events of training.
pub trait Report: Send {
    /// Training begins.
    fn begin(&mut self, run: &RunStart<'_>);
    /// A window of steps ended.
    fn train(&mut self, window: &WindowMeans<'_>);
    /// The model was validated after this many epochs: the loss, where it has a criterion, and whether it is the best so far.
    fn validation(&mut self, epoch: u64, loss: Option<f64>, best: bool);
    /// A warning: a step was skipped, the learning rate was lowered.
    fn warn(&mut self, text: &str);
    /// Training ended, and why.
    fn end(&mut self, why: &str);
}

/// What a run is about.
#[derive(Clone, Copy, Debug)]
pub struct RunStart<'a> {
    /// The kind of its model.
    pub model: &'a str,
    /// What it learns from.
    pub dataset: &'a Dataset,
    /// Number of parameters.
    pub parameters: usize,
    /// Its length in epochs.
    pub epochs: u64,
    /// The same in steps; 0 where the model is fitted in closed form.
    pub steps: u64,
    /// Steps taken before.
    pub step: u64,
    /// Whether the model is a density, so that losses are nats of its likelihood.
    pub likelihood: bool,
}

/// The steps since the last report.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct WindowMeans<'a> {
    /// Steps taken, from the beginning of the run.
    pub step: u64,
    /// Mean of what is minimised, where there is one player.
    pub loss: Option<f64>,
    /// Mean of −log p or a bound of it, whatever the weights of the loss, in nats per example; `None`: the loss says nothing of it.
    pub nats: Option<f64>,
    /// Mean of each term, in nats per example.
    pub terms: &'a [(String, f64)],
    /// The learning rate of the last step.
    pub learning_rate: f64,
    /// Throughput.
    pub examples_per_second: f64,
}

/// The form of what goes to standard error.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "cli", derive(clap::ValueEnum))]
pub enum LogFormat {
    /// Progress bars on a terminal, plain lines elsewhere
    #[default]
    Auto,
    /// Plain lines
    Plain,
    /// One JSON object per line, errors included; results as JSON on standard output
    Json,
}

/// The report for standard error in this form. `folder` and `backend` are what a JSON log names at its beginning.
pub fn to_stderr(format: LogFormat, quiet: bool, folder: &str, backend: &str) -> Box<dyn Report> {
    match format {
        _ if quiet => Box::new(Quiet),
        LogFormat::Json => Box::new(Json::new(std::io::stderr(), folder, backend)),
        LogFormat::Auto if std::io::stderr().is_terminal() => Box::new(Bar::default()),
        LogFormat::Auto | LogFormat::Plain => Box::new(Lines::new(std::io::stderr(), "")),
    }
}

/// The same for a member of an ensemble that trains beside others: a bar would be drawn over theirs, so its lines begin with its name.
pub fn beside_to_stderr(format: LogFormat, quiet: bool, folder: &str, backend: &str, name: &str) -> Box<dyn Report> {
    match format {
        LogFormat::Auto | LogFormat::Plain if !quiet => Box::new(Lines::new(std::io::stderr(), name)),
        _ => to_stderr(format, quiet, folder, backend),
    }
}

/// A bar on standard error for work of `total` steps, such as sampling; nothing where that is no terminal.
pub fn counter(total: u64, what: &'static str) -> ProgressBar {
    bar(total, &format!("{{bar:40}} {{pos}} of {{len}} {what}, {{eta}} left"))
}

/// What is counted on standard error, where nobody knows how many there will be.
pub fn open_counter(what: &'static str) -> ProgressBar {
    bar(0, &format!("{{spinner}} {{pos}} {what}, {{per_sec}}"))
}

/// A bar on standard error for a file of so many bytes that is being received, the first `here` of which are there; a line
/// where that is no terminal.
pub fn download(name: &str, bytes: u64, here: u64) -> ProgressBar {
    let bar = bar(
        bytes,
        "{msg}  {bar:32.cyan/blue} {decimal_bytes}/{decimal_total_bytes}  {decimal_bytes_per_sec}, {eta} left",
    );
    if bar.is_hidden() {
        let rest = if here > 0 { format!(", resumed after {}", DecimalBytes(here)) } else { String::new() };
        tell(format_args!("{name}: {}{rest}", DecimalBytes(bytes)));
    }
    let bar = bar.with_message(name.to_owned()).with_position(here).with_finish(ProgressFinish::Abandon);
    // What is there already is not part of the rate.
    bar.reset_eta();
    bar
}

fn bar(total: u64, template: &str) -> ProgressBar {
    let style = ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar());
    ProgressBar::new(total).with_style(style)
}

/// Elements of an example that are scored, in the mean over training and over validation, and what one is called.
#[derive(Clone, Copy, Debug)]
struct Bits {
    train: f64,
    validation: f64,
    name: &'static str,
    /// Whether they are tokens.
    tokens: bool,
}

impl Bits {
    fn of(dataset: &Dataset) -> Self {
        let tokens = dataset.tokens();
        Self {
            train: dataset.train.mean_scored(),
            validation: dataset.validation.mean_scored(),
            name: tokens.map_or("dim", Unit::name),
            tokens: tokens.is_some(),
        }
    }
}

/// How long a run is, and where it stands.
#[derive(Clone, Copy, Debug)]
struct Course {
    steps: u64,
    epochs: u64,
    /// What bits are counted for: the elements of an example that are scored.
    bits: Bits,
    /// Whether losses are nats of a likelihood.
    likelihood: bool,
    /// When this process began to train, and at which step.
    began: (Instant, u64),
}

impl Course {
    fn new(&RunStart { dataset, epochs, steps, step, likelihood, .. }: &RunStart<'_>) -> Self {
        Self { steps, epochs, bits: Bits::of(dataset), likelihood, began: (Instant::now(), step) }
    }

    fn steps_per_epoch(&self) -> u64 {
        (self.steps / self.epochs.max(1)).max(1)
    }

    /// The epoch to which a step that was taken belongs, from 1 on.
    fn epoch(&self, step: u64) -> u64 {
        step.div_ceil(self.steps_per_epoch()).clamp(1, self.epochs.max(1))
    }

    /// Steps of that epoch that were taken.
    fn step_in_epoch(&self, step: u64) -> u64 {
        step.saturating_sub((self.epoch(step) - 1) * self.steps_per_epoch())
    }

    /// Seconds to the last step at the mean pace of this process, validations included.
    fn seconds_left(&self, step: u64) -> f64 {
        let (began, first) = self.began;
        let done = step.saturating_sub(first).max(1) as f64;
        began.elapsed().as_secs_f64() / done * self.steps.saturating_sub(step) as f64
    }
}

fn headline(&RunStart { model, dataset, parameters, .. }: &RunStart<'_>) -> String {
    format!(
        "{model} on {}: {parameters} parameters; {} training, {} validation, {} test examples",
        dataset.name,
        dataset.train.len(),
        dataset.validation.len(),
        dataset.test.len()
    )
}

/// "85.123 nats (1.9188 bits/dim)", of training; "loss 0.693" of a loss that is no likelihood.
fn loss_text(window: &WindowMeans<'_>, bits: Bits) -> String {
    match (window.nats, window.loss) {
        (Some(nats), _) => format!("{nats:.3} nats ({:.4} bits/{})", bits_per_dim(nats, bits.train), bits.name),
        (None, Some(loss)) => format!("loss {loss:.3}"),
        (None, None) => String::new(),
    }
}

/// "nll 80.12  kl 5.00"; nothing where there is one term, which is the loss itself.
fn terms_text(window: &WindowMeans<'_>) -> String {
    let loss = window.nats.or(window.loss).unwrap_or(f64::NAN);
    let terms = match window.terms {
        [(_, only)] if (only - loss).abs() <= 1e-6 * loss.abs() => &[],
        all => all,
    };
    terms.iter().map(|(name, nats)| format!("{name} {nats:.2}")).collect::<Vec<_>>().join("  ")
}

/// "0.001", "2.5e-5": four digits at most, in the shorter form.
fn rate_text(rate: f64) -> String {
    if rate == 0.0 || (1e-3..1e3).contains(&rate) {
        let text = format!("{rate:.6}");
        return text.trim_end_matches('0').trim_end_matches('.').into();
    }
    let text = format!("{rate:.3e}");
    text.split_once('e').map_or(text.clone(), |(digits, exponent)| {
        format!("{}e{exponent}", digits.trim_end_matches('0').trim_end_matches('.'))
    })
}

/// "45 s", "3 min 07 s", "2 h 05 min".
pub(crate) fn duration_text(seconds: f64) -> String {
    let s = seconds.round() as u64;
    match s {
        0..60 => format!("{s} s"),
        60..3600 => format!("{} min {:02} s", s / 60, s % 60),
        _ => format!("{} h {:02} min", s / 3600, s % 3600 / 60),
    }
}

#[cfg(test)]
mod tests;
