//! What `dgm-train sample` does for texts: goes on from a prompt, and prints the text as it comes.

use crate::data::Vocabulary;
use crate::error::{Error, Result};
use burn::tensor::{Device, Tensor, TensorData};
use dgm_core::random::Stream;
use dgm_models::Autoregressive;
use dgm_models::autoregressive::sampling::{Choice, Given, complete};
use std::io::{ErrorKind, Write};
use std::ops::ControlFlow;

/// What to write.
pub(super) struct Wanted<'a> {
    /// What is given, and printed first.
    pub(super) prompt: &'a str,
    /// Symbols to draw after it; less where the text has an end and it comes.
    pub(super) length: usize,
    pub(super) choice: Choice,
}

/// Writes one text, each symbol as soon as it is drawn; `false`: whoever reads it has had enough.
///
/// A model has a window. When it is full, the last half of it is what the next one begins with; where examples are lines, which
/// all begin in the model's first place, the text ends there.
pub(super) fn write(
    model: &dyn Autoregressive,
    vocabulary: &Vocabulary,
    wanted: &Wanted<'_>,
    noise: &mut Stream,
    out: &mut dyn Write,
) -> Result<bool> {
    let window = model.spec().event();
    let mut text = vocabulary.encode(wanted.prompt)?;
    let mut left = wanted.length;
    if let Some(end) = vocabulary.end() {
        if text.len() >= window || text.contains(&(end as f32)) {
            return Err(Error::input(format!(
                "--prompt: found {} symbols; this model writes one line of at most {window}: give the beginning of one, without \
                 its newline",
                text.len()
            )));
        }
        left = left.min(window - text.len());
    }
    let mut written = out.write_all(wanted.prompt.as_bytes()).and_then(|()| out.flush());
    while left > 0 && written.is_ok() {
        let known = if text.len() < window { text.len() } else { window / 2 };
        let given = given(text.get(text.len() - known..).unwrap_or_default(), window, &model.device());
        let mut each = |rank: usize, value: &Tensor<2>| {
            if rank < known {
                return ControlFlow::Continue(());
            }
            let level = value.clone().into_data().iter::<f32>().next().unwrap_or(0.0);
            text.push(level);
            written = out.write_all(&vocabulary.decode(&[level])).and_then(|()| out.flush());
            left -= 1;
            if vocabulary.end() == Some(level as usize) {
                left = 0;
            }
            if left == 0 || written.is_err() { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
        };
        complete(model, 1, None, Some(&given), &wanted.choice, noise, &mut each);
    }
    heard(written)
}

/// Writes `text`; `false`: whoever reads it has had enough.
pub(super) fn print(out: &mut dyn Write, text: &str) -> Result<bool> {
    heard(out.write_all(text.as_bytes()).and_then(|()| out.flush()))
}

fn heard(written: std::io::Result<()>) -> Result<bool> {
    match written {
        Ok(()) => Ok(true),
        Err(error) if error.kind() == ErrorKind::BrokenPipe => Ok(false),
        Err(error) => Err(Error::run(format!("the text cannot be written: {error}"))),
    }
}

/// These symbols as the beginning of a window.
fn given(symbols: &[f32], window: usize, device: &Device) -> Given {
    let mut values = symbols.to_vec();
    values.resize(window, 0.0);
    Given { values: Tensor::from_data(TensorData::new(values, [1, window]), device), numbers: symbols.len() }
}
