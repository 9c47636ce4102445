//! Pictures of what is decoded from codes: reconstructions, interpolations and traversals of test examples.

use crate::error::Result;
use crate::measure::Subject;
use crate::report::grid::{Band, is_image, png};
use crate::represent;
use dgm_models::latent::Path;

/// Examples that are reconstructed.
const EXAMPLES: usize = 16;

/// Steps of an interpolation and of a traversal.
const STEPS: usize = 9;

/// Standard deviations of the codes that a traversal goes to both sides.
const SPAN: f64 = 2.5;

/// Cells of a picture, so many in a row; nothing of a model that does not decode images.
fn picture(
    subject: &Subject<'_>,
    columns: usize,
    cells: impl FnOnce(&Subject<'_>) -> Result<Vec<Vec<f64>>>,
) -> Result<Option<Vec<u8>>> {
    let spec = subject.model.spec();
    if subject.model.decoder().is_none() || !is_image(spec) {
        return Ok(None);
    }
    let cells: Vec<Option<Vec<f64>>> = cells(subject)?.into_iter().map(Some).collect();
    if cells.is_empty() { Ok(None) } else { png(&[Band { columns, cells }], spec).map(Some) }
}

pub(super) fn reconstructions(subject: &Subject<'_>) -> Result<Option<Vec<u8>>> {
    let (_, split) = subject.reported();
    let rows: Vec<usize> = (0..split.len().min(EXAMPLES)).collect();
    picture(subject, rows.len(), |of| {
        let mut all = represent::originals(of.model, split, &rows, of.device())?;
        let codes = represent::codes(of.model, split, &rows, of.device())?;
        all.extend(represent::decode(of.model, &codes, split, &rows, of.device())?);
        Ok(all)
    })
}

pub(super) fn interpolations(subject: &Subject<'_>) -> Result<Option<Vec<u8>>> {
    let (_, split) = subject.reported();
    let rows: Vec<usize> = (0..split.len().min(EXAMPLES)).collect();
    let pairs: Vec<[usize; 2]> = rows.chunks_exact(2).filter_map(|two| two.try_into().ok()).collect();
    picture(subject, STEPS, |of| represent::interpolate(of.model, split, &pairs, STEPS, Path::Linear, of.device()))
}

pub(super) fn traversals(subject: &Subject<'_>) -> Result<Option<Vec<u8>>> {
    let (_, split) = subject.reported();
    // The code of a flow is as long as the example, and no number of it stands for much.
    if split.len() < 2 || subject.model.latent().is_some_and(|latent| latent.layers().is_empty()) {
        return Ok(None);
    }
    let mut columns = STEPS;
    let mut cells = Vec::new();
    if subject.model.decoder().is_some() && is_image(subject.model.spec()) {
        let found = represent::traverse(subject.model, split, 0, [10, STEPS], SPAN, subject.device())?;
        (columns, cells) = (found.steps, found.decoded);
    }
    picture(subject, columns, |_| Ok(cells))
}
