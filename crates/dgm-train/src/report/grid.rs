//! A grid of images as one PNG.

use crate::error::{Error, Result};
use crate::files::write_atomic;
use dgm_models::{DataSpec, Values};
use std::path::Path;

/// The shorter side of the picture is at least this many pixels, so that an 8×8 digit can be looked at.
const MIN_SIDE: usize = 512;

/// Pixels between two images, before enlarging.
const GAP: usize = 1;

/// Paper between the images, a light blue that no grey level has.
const PAPER: [u8; 3] = [222, 230, 240];

/// Whether targets of this kind are images: more than one row, one or three channels, levels.
pub fn is_image(spec: &DataSpec) -> bool {
    let [channels, rows, columns] = spec.shape;
    matches!(spec.values, Values::Levels(_)) && matches!(channels, 1 | 3) && rows > 1 && columns > 1
}

/// Writes images `[n][event]` (levels) as a near-square grid; grey images dark on light, like ink.
///
/// # Errors
/// Targets that are not images, or a file that cannot be written.
pub fn write_png(path: &Path, images: &[Vec<f32>], spec: &DataSpec) -> Result<()> {
    let Values::Levels(levels) = spec.values else {
        return Err(Error::input("the target is not an image: its numbers are real; write a .csv instead"));
    };
    if !is_image(spec) || images.is_empty() {
        return Err(Error::input(format!("targets of shape {:?} are not images; write a .csv instead", spec.shape)));
    }
    let [channels, height, width] = spec.shape;
    // Classes take turns, so a column a class where there are classes.
    let square = (images.len() as f64).sqrt().ceil() as usize;
    let classes = spec.condition.as_ref().and_then(|condition| condition.classes);
    let columns = classes.unwrap_or(square).min(images.len());
    let rows = images.len().div_ceil(columns);
    let (cell_h, cell_w) = (height + GAP, width + GAP);
    let (h, w) = (rows * cell_h + GAP, columns * cell_w + GAP);
    let zoom = MIN_SIDE.div_ceil(h.min(w)).max(1);

    let mut pixels = vec![PAPER; h * w];
    for (index, image) in images.iter().enumerate() {
        let (top, left) = (GAP + index / columns * cell_h, GAP + index % columns * cell_w);
        for y in 0..height {
            for x in 0..width {
                let level = |channel: usize| {
                    let value = image.get((channel * height + y) * width + x).copied().unwrap_or(0.0);
                    (255.0 * value / (levels as f32 - 1.0)).round().clamp(0.0, 255.0) as u8
                };
                let ink = 255 - level(0);
                pixels[(top + y) * w + left + x] =
                    if channels == 3 { [level(0), level(1), level(2)] } else { [ink, ink, ink] };
            }
        }
    }
    let mut bytes = Vec::with_capacity(3 * pixels.len() * zoom * zoom);
    for line in pixels.chunks(w) {
        let enlarged: Vec<u8> = line.iter().flat_map(|pixel| std::iter::repeat_n(*pixel, zoom).flatten()).collect();
        (0..zoom).for_each(|_| bytes.extend(&enlarged));
    }
    let failed = |error: png::EncodingError| Error::run(format!("{}: cannot be encoded: {error}", path.display()));
    let mut file = Vec::new();
    let mut encoder = png::Encoder::new(&mut file, (w * zoom) as u32, (h * zoom) as u32);
    encoder.set_color(png::ColorType::Rgb);
    encoder.set_depth(png::BitDepth::Eight);
    let mut writer = encoder.write_header().map_err(failed)?;
    writer.write_image_data(&bytes).map_err(failed)?;
    writer.finish().map_err(failed)?;
    write_atomic(path, &file)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn the_grid_has_the_images_where_they_belong() {
        let spec = DataSpec { shape: [1, 2, 2], values: Values::Levels(3), condition: None };
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("grid.png");
        write_png(&path, &[vec![0.0, 1.0, 2.0, 0.0], vec![2.0; 4]], &spec).unwrap();
        let mut reader = png::Decoder::new(std::io::Cursor::new(std::fs::read(&path).unwrap())).read_info().unwrap();
        let mut pixels = vec![0; reader.output_buffer_size().unwrap()];
        let info = reader.next_frame(&mut pixels).unwrap();
        // 4 × 7 cells, enlarged so that the shorter side is at least 512.
        assert_eq!((info.width, info.height), (7 * 128, 4 * 128));
        let at = |x: usize, y: usize| pixels[3 * ((y * 128 + 64) * info.width as usize + x * 128 + 64)];
        assert_eq!([at(1, 1), at(2, 1), at(1, 2), at(2, 2)], [255, 127, 0, 255]);
        assert_eq!([at(4, 1), at(0, 0)], [0, PAPER[0]]);
    }

    #[test]
    fn a_table_is_not_an_image() {
        let values = Values::Real { mean: vec![0.0], std: vec![1.0] };
        let spec = DataSpec { shape: [1, 1, 1], values, condition: None };
        assert!(write_png(Path::new("x.png"), &[vec![0.0]], &spec).unwrap_err().to_string().contains(".csv"));
    }
}
