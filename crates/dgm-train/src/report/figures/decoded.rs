//! Pictures of what is decoded from codes: reconstructions, interpolations and traversals of test examples.

use crate::data::Split;
use crate::error::Result;
use crate::measure::Subject;
use crate::report::grid::{Band, is_image, png};
use crate::represent::{self, SPAN, STEPS, VARIABLES};
use dgm_models::latent::Path;

/// Examples that are reconstructed.
const EXAMPLES: usize = 16;

/// Images, so many in a row.
type Rows = (usize, Vec<Vec<f64>>);

/// Their picture; none of a model that does not decode images.
fn picture(subject: &Subject<'_>, rows: impl FnOnce(&Subject<'_>, &Split) -> Result<Rows>) -> Result<Option<Vec<u8>>> {
    let spec = subject.model.spec();
    if subject.model.decoder().is_none() || !is_image(spec) {
        return Ok(None);
    }
    let (columns, images) = rows(subject, subject.reported().1)?;
    let cells: Vec<_> = images.into_iter().map(Some).collect();
    if cells.is_empty() { Ok(None) } else { png(&[Band { columns, cells }], spec).map(Some) }
}

pub(super) fn reconstructions(subject: &Subject<'_>) -> Result<Option<Vec<u8>>> {
    picture(subject, |of, split| {
        let rows: Vec<usize> = (0..split.len().min(EXAMPLES)).collect();
        let mut all = represent::originals(of.model, split, &rows, of.device())?;
        let codes = represent::codes(of.model, split, &rows, of.device())?;
        all.extend(represent::decode(of.model, &codes, split, &rows, of.device())?);
        Ok((rows.len(), all))
    })
}

pub(super) fn interpolations(subject: &Subject<'_>) -> Result<Option<Vec<u8>>> {
    picture(subject, |of, split| {
        let rows: Vec<usize> = (0..split.len().min(EXAMPLES)).collect();
        let pairs: Vec<[usize; 2]> = rows.chunks_exact(2).filter_map(|two| two.try_into().ok()).collect();
        Ok((STEPS, represent::interpolate(of.model, split, &pairs, STEPS, Path::Linear, of.device())?))
    })
}

pub(super) fn traversals(subject: &Subject<'_>) -> Result<Option<Vec<u8>>> {
    // The code of a flow is as long as the example, and no number of it stands for much.
    if subject.model.latent().is_some_and(|latent| latent.layers().is_empty()) {
        return Ok(None);
    }
    picture(subject, |of, split| {
        let found = represent::traverse(of.model, split, 0, [VARIABLES, STEPS], SPAN, of.device())?;
        Ok((found.steps, found.decoded))
    })
}
