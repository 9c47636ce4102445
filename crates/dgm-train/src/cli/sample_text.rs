//! What `dgm-train sample` does for texts: continues a prompt, several texts at once, and prints the first as it comes.

use super::output::heard;
use crate::data::Vocabulary;
use crate::error::{Error, Result};
use burn::tensor::{Device, Tensor, TensorData};
use dgm_core::random::Stream;
use dgm_models::Autoregressive;
use dgm_models::autoregressive::sampling::{Given, SamplingParams, complete};
use std::io::Write;
use std::ops::ControlFlow;

/// What to write.
pub(super) struct Wanted<'a> {
    /// What is given, and printed first.
    pub(super) prompt: &'a str,
    /// Symbols to sample after it; less where the text has an end and it comes.
    pub(super) length: usize,
    pub(super) choice: SamplingParams,
}

/// Texts that are sampled together.
const AT_ONCE: usize = 64;

/// Writes `n` texts with a line of dashes between two, the first symbol by symbol as it is sampled; `false`: whoever reads them has
/// had enough. `sampled` hears of each symbol of each text.
///
/// A model has a window. When it is full, the last half of it is what the next one begins with; where examples are lines, which
/// all begin in the model's first place, the text ends there.
pub(super) fn write(
    model: &dyn Autoregressive,
    vocabulary: &Vocabulary,
    wanted: &Wanted<'_>,
    n: usize,
    rng: &mut Stream,
    out: &mut dyn Write,
    sampled: &mut dyn FnMut(u64),
) -> Result<bool> {
    let window = model.order().len();
    let prompt = vocabulary.encode(wanted.prompt)?;
    let mut length = wanted.length;
    if let Some(end) = vocabulary.end() {
        if prompt.len() >= window || prompt.contains(&(end as f32)) {
            return Err(Error::input(format!(
                "--prompt: found {} symbols; this model writes one line of at most {window}: give the beginning of one, without \
                 its newline",
                prompt.len()
            )));
        }
        length = length.min(window - prompt.len());
    }
    let mut write = || -> std::io::Result<()> {
        for first in (0..n).step_by(AT_ONCE) {
            if first > 0 {
                out.write_all(BETWEEN)?;
            }
            let mut texts = vec![prompt.clone(); AT_ONCE.min(n - first)];
            continue_texts(model, vocabulary, &mut texts, length, &wanted.choice, rng, out, sampled)?;
            for text in texts.get(1..).unwrap_or_default() {
                out.write_all(BETWEEN)?;
                out.write_all(&vocabulary.decode(line(text, vocabulary)))?;
            }
        }
        out.write_all(b"\n")?;
        out.flush()
    };
    heard(write())
}

const BETWEEN: &[u8] = b"\n----\n";

/// The text up to what ends it, if anything does.
fn line<'a>(text: &'a [f32], vocabulary: &Vocabulary) -> &'a [f32] {
    let end = vocabulary.end().and_then(|end| text.iter().position(|&level| level == end as f32));
    end.and_then(|end| text.get(..=end)).unwrap_or(text)
}

/// Samples up to `length` more symbols of each text, all of which have as many, and writes the first text meanwhile.
#[allow(clippy::too_many_arguments)] // what to sample from, how, and where to
fn continue_texts(
    model: &dyn Autoregressive,
    vocabulary: &Vocabulary,
    texts: &mut [Vec<f32>],
    length: usize,
    choice: &SamplingParams,
    rng: &mut Stream,
    out: &mut dyn Write,
    sampled: &mut dyn FnMut(u64),
) -> std::io::Result<()> {
    let (n, window) = (texts.len(), model.order().len());
    let begun = texts.first().map_or(0, Vec::len);
    let mut written = 0;
    let mut show = |texts: &[Vec<f32>]| {
        let text = texts.first().map_or(&[][..], |text| line(text, vocabulary));
        let new = vocabulary.decode(text.get(written..).unwrap_or_default());
        written = text.len();
        out.write_all(&new).and_then(|()| out.flush())
    };
    let mut outcome = show(texts);
    let mut done = 0;
    while done < length && outcome.is_ok() {
        let so_far = begun + done;
        let known = if so_far < window { so_far } else { window / 2 };
        let given = given(texts, known, window, &model.device());
        let mut each = |rank: usize, value: &Tensor<2>| {
            if rank < known {
                return ControlFlow::Continue(());
            }
            for (text, level) in texts.iter_mut().zip(value.clone().into_data().iter::<f32>()) {
                text.push(level);
            }
            outcome = show(texts);
            done += 1;
            sampled(n as u64);
            let ended = |text: &Vec<f32>| vocabulary.end().is_some_and(|end| text.contains(&(end as f32)));
            if texts.iter().all(ended) {
                done = length;
            }
            if done == length || outcome.is_err() { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
        };
        complete(model, n, None, Some(&given), choice, rng, &mut each);
    }
    outcome
}

/// The last `known` symbols of each text as the beginning of a window.
fn given(texts: &[Vec<f32>], known: usize, window: usize, device: &Device) -> Given {
    let mut values = Vec::with_capacity(texts.len() * window);
    for text in texts {
        values.extend_from_slice(text.get(text.len() - known..).unwrap_or_default());
        values.resize(values.len() + window - known, 0.0);
    }
    Given { values: Tensor::from_data(TensorData::new(values, [texts.len(), window]), device), count: known }
}
