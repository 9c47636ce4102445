//! Where in an image a model spends its bits: the mean −log p of each pixel given those before it, over the test examples.

use super::{Area, Drawn, SIZE, svg};
use crate::data::chunks::chunks;
use crate::error::Result;
use crate::measure::{Subject, host};
use plotters::prelude::*;

/// At most so many examples are looked at.
const EXAMPLES: usize = 1000;

pub(super) fn draw(subject: &Subject<'_>) -> Result<Option<String>> {
    let spec = subject.model.spec();
    let [channels, h, w] = spec.shape;
    let Some(density) = subject.model.density().filter(|_| spec.is_grid()) else { return Ok(None) };
    let (_, split) = subject.reported();
    let count = split.len().min(EXAMPLES);
    let mut sums = vec![0.0; h * w];
    for rows in chunks(count, 128) {
        let batch = split.unaugmented(&rows, subject.device())?;
        let Some(log_p) = density.log_prob_elementwise(&batch) else { return Ok(None) };
        for example in host(log_p).chunks(channels * h * w) {
            for plane in example.chunks(h * w) {
                sums.iter_mut()
                    .zip(plane)
                    .for_each(|(sum, log_p)| *sum -= log_p / std::f64::consts::LN_2 / count as f64);
            }
        }
    }
    let total: f64 = sums.iter().sum();
    let most = sums.iter().copied().fold(0.0, f64::max).max(1e-9);
    let text = svg(|root| {
        let title = format!(
            "Bits of each pixel given those before it, mean of {count} test examples: {total:.1} bits an image"
        );
        root.draw_text(&title, &("sans-serif", 17).into_text_style(root), (14, 14))?;
        heat(root, &sums, [h, w], most)?;
        scale(root, most)
    })?;
    Ok(Some(text))
}

/// White for none, dark blue for most.
fn shade(share: f64) -> RGBColor {
    let between = |from: f64, to: f64| (from + (to - from) * share.clamp(0.0, 1.0)).round() as u8;
    RGBColor(between(247.0, 8.0), between(251.0, 48.0), between(255.0, 107.0))
}

/// Where the picture begins, and how high it is.
const TOP: i32 = 46;

fn heat(root: &Area<'_>, bits: &[f64], [h, w]: [usize; 2], most: f64) -> Drawn {
    let room = [(SIZE.0 as i32 - 140) / w as i32, (SIZE.1 as i32 - TOP - 16) / h as i32];
    let side = room[0].min(room[1]).max(1);
    let left = (SIZE.0 as i32 - 120 - side * w as i32) / 2;
    for (place, value) in bits.iter().enumerate() {
        let (x, y) = (left + side * (place % w) as i32, TOP + side * (place / w) as i32);
        root.draw(&Rectangle::new([(x, y), (x + side, y + side)], shade(value / most).filled()))?;
    }
    let frame = [(left, TOP), (left + side * w as i32, TOP + side * h as i32)];
    root.draw(&Rectangle::new(frame, BLACK.mix(0.3).stroke_width(1)))?;
    Ok(())
}

/// What the shades stand for.
fn scale(root: &Area<'_>, most: f64) -> Drawn {
    let (left, height, parts) = (SIZE.0 as i32 - 100, 240, 60);
    let text = ("sans-serif", 13).into_text_style(root);
    for part in 0..parts {
        let share = 1.0 - f64::from(part) / f64::from(parts - 1);
        let y = TOP + part * height / parts;
        root.draw(&Rectangle::new([(left, y), (left + 18, y + height / parts)], shade(share).filled()))?;
    }
    for (share, y) in [(1.0, TOP), (0.5, TOP + height / 2 - 7), (0.0, TOP + height - 14)] {
        root.draw_text(&format!("{:.2}", share * most), &text, (left + 26, y))?;
    }
    root.draw_text("bits", &text, (left, TOP + height + 8))?;
    Ok(())
}
