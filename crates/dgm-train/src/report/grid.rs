//! A grid of images as one PNG.

use crate::error::{Error, Result};
use crate::files::write_atomic;
use dgm_models::DataSpec;
use std::path::Path;

/// The shorter side of the picture is at least this many pixels, so that an 8×8 digit can be looked at, unless the longer
/// side would then have more than [`MAX_SIDE`].
const MIN_SIDE: usize = 512;

/// The longer side is not enlarged to more pixels than this, so that long, thin images do not fill the memory.
const MAX_SIDE: usize = 8192;

/// Pixels between two images, before enlarging.
const GAP: usize = 1;

/// Paper between the images, a light blue that no grey level has.
const PAPER: [u8; 3] = [222, 230, 240];

/// Whether samples of this kind are images: more than one row, one or three channels, levels (also where they were dequantised).
pub fn is_image(spec: &DataSpec) -> bool {
    let [channels, _, _] = spec.shape;
    spec.sample_levels().is_some() && matches!(channels, 1 | 3) && spec.is_grid()
}

/// Images side by side, row by row.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Band {
    /// Images in a row.
    pub columns: usize,
    /// `[event]` each, levels; `None` leaves the place empty.
    pub cells: Vec<Option<Vec<f64>>>,
}

impl Band {
    fn rows(&self) -> usize {
        self.cells.len().div_ceil(self.columns.max(1))
    }
}

/// Writes images `[n][event]` (levels) as a near-square grid.
///
/// # Errors
/// Targets that are not images, or a file that cannot be written.
pub fn write_png(path: &Path, images: &[Vec<f64>], spec: &DataSpec) -> Result<()> {
    write_atomic(path, &square_png(images, spec)?)
}

/// Images `[n][event]` (levels) as a near-square grid, as the bytes of a PNG.
///
/// # Errors
/// Targets that are not images.
pub fn square_png(images: &[Vec<f64>], spec: &DataSpec) -> Result<Vec<u8>> {
    // Classes take turns, so a column per class where there are classes.
    let square = (images.len() as f64).sqrt().ceil() as usize;
    let classes = spec.condition.as_ref().and_then(|condition| condition.classes);
    let columns = classes.unwrap_or(square).min(images.len());
    png(&[Band { columns, cells: images.iter().cloned().map(Some).collect() }], spec)
}

/// Bands of images one above the other, as the bytes of a PNG.
///
/// Colours are as they are. Grey images whose background is black, with a third of their pixels in the darkest fifth at least, are
/// drawn dark on light, like ink; others, such as photographs, as they are.
///
/// # Errors
/// Targets that are not images.
pub fn png(bands: &[Band], spec: &DataSpec) -> Result<Vec<u8>> {
    let Some(levels) = spec.sample_levels() else {
        return Err(Error::input("the target is not an image: its values are real numbers; write a .csv instead"));
    };
    if !is_image(spec) || bands.iter().all(|band| band.cells.is_empty()) {
        return Err(Error::input(format!("targets of shape {:?} are not images; write a .csv instead", spec.shape)));
    }
    let [channels, height, width] = spec.shape;
    let ink = channels == 1 && is_ink(bands.iter().flat_map(|band| band.cells.iter().flatten()), levels);
    let (cell_h, cell_w) = (height + GAP, width + GAP);
    // Half an image of paper between two bands.
    let between = (height / 2).max(2 * GAP);
    let columns = bands.iter().map(|band| band.columns).max().unwrap_or(0);
    let rows: usize = bands.iter().map(Band::rows).sum();
    let h = rows * cell_h + GAP + (bands.len() - 1) * between;
    let w = columns * cell_w + GAP;
    let zoom = zoom(h, w);

    let mut pixels = vec![PAPER; h * w];
    let mut start = GAP;
    for band in bands {
        for (index, image) in band.cells.iter().enumerate() {
            let Some(image) = image else { continue };
            let (top, left) = (start + index / band.columns * cell_h, GAP + index % band.columns * cell_w);
            for y in 0..height {
                for x in 0..width {
                    let level = |channel: usize| {
                        let value = image.get((channel * height + y) * width + x).copied().unwrap_or(0.0);
                        // A level that was dequantised; a mean of levels is none.
                        let value = if spec.levels().is_some() { value } else { value.floor() };
                        let light = (255.0 * value / (levels as f64 - 1.0)).round().clamp(0.0, 255.0) as u8;
                        if ink { 255 - light } else { light }
                    };
                    // One channel stands for all three.
                    pixels[(top + y) * w + left + x] = [0, 1, 2].map(|channel| level(channel.min(channels - 1)));
                }
            }
        }
        start += band.rows() * cell_h + between;
    }
    let mut bytes = Vec::with_capacity(3 * pixels.len() * zoom * zoom);
    for line in pixels.chunks(w) {
        let enlarged: Vec<u8> = line.iter().flat_map(|pixel| std::iter::repeat_n(*pixel, zoom).flatten()).collect();
        (0..zoom).for_each(|_| bytes.extend(&enlarged));
    }
    let failed = |error: png::EncodingError| Error::run(format!("a picture cannot be encoded: {error}"));
    let mut file = Vec::new();
    let mut encoder = png::Encoder::new(&mut file, (w * zoom) as u32, (h * zoom) as u32);
    encoder.set_color(png::ColorType::Rgb);
    encoder.set_depth(png::BitDepth::Eight);
    let mut writer = encoder.write_header().map_err(failed)?;
    writer.write_image_data(&bytes).map_err(failed)?;
    writer.finish().map_err(failed)?;
    Ok(file)
}

/// How much a picture of these sides is enlarged.
fn zoom(height: usize, width: usize) -> usize {
    MIN_SIDE.div_ceil(height.min(width)).min(MAX_SIDE / height.max(width)).max(1)
}

/// Whether grey images are drawn as ink: a third of their pixels are in the darkest fifth, also of means and samples, which are hardly ever 0.
fn is_ink<'a>(images: impl Iterator<Item = &'a Vec<f64>>, levels: usize) -> bool {
    let dark = (levels as f64 - 1.0) / 5.0;
    let (darkest, all) =
        images.flatten().fold((0usize, 0usize), |(darkest, all), &x| (darkest + usize::from(x <= dark), all + 1));
    3 * darkest >= all
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn the_grid_has_the_images_where_they_belong() {
        let spec = DataSpec { shape: [1, 2, 2], values: dgm_models::Values::Levels(3), condition: None };
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("grid.png");
        write_png(&path, &[vec![0.0, 1.0, 2.0, 0.0], vec![2.0, 2.0, 2.0, 0.0]], &spec).unwrap();
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
    fn long_thin_images_are_not_enlarged_beyond_bounds() {
        assert_eq!([zoom(4, 7), zoom(511, 600), zoom(512, 600)], [128, 2, 1]);
        // 64 targets of 2 × 65536, and sides at which the bound begins.
        assert_eq!([zoom(25, 524_297), zoom(8, 128), zoom(128, 8), zoom(8, 129)], [1, 64, 64, 63]);
    }

    /// The colours at the middles of the enlarged pixels.
    fn read(path: &Path, zoom: usize) -> (usize, Vec<[u8; 3]>) {
        let mut reader = png::Decoder::new(std::io::Cursor::new(std::fs::read(path).unwrap())).read_info().unwrap();
        let mut pixels = vec![0; reader.output_buffer_size().unwrap()];
        let info = reader.next_frame(&mut pixels).unwrap();
        let (w, h) = (info.width as usize, info.height as usize);
        let at = |x: usize, y: usize| pixels[3 * (y * w + x)..3 * (y * w + x) + 3].try_into().unwrap();
        let rows = (zoom / 2..h).step_by(zoom);
        (w / zoom, rows.flat_map(|y| (zoom / 2..w).step_by(zoom).map(move |x| at(x, y)).collect::<Vec<_>>()).collect())
    }

    #[test]
    fn bands_of_colour_stand_one_above_the_other() {
        let spec = DataSpec { shape: [3, 2, 2], values: dgm_models::Values::Levels(256), condition: None };
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("bands.png");
        // Red 10 … 13, green 20 … 23, blue 30 … 33.
        let image: Vec<f64> = [10.0, 20.0, 30.0].into_iter().flat_map(|c| (0..4).map(move |i| c + i as f64)).collect();
        let bands = [
            Band { columns: 2, cells: vec![Some(image.clone()), None] },
            Band { columns: 1, cells: vec![Some(vec![0.0; 12])] },
        ];
        write_atomic(&path, &png(&bands, &spec).unwrap()).unwrap();
        // 7 × 9: two images with gaps wide; two high, and two between the bands.
        let (width, pixels) = read(&path, 74);
        assert_eq!((width, pixels.len()), (7, 7 * 9));
        let at = |x: usize, y: usize| pixels[y * width + x];
        assert_eq!([at(1, 1), at(2, 1), at(1, 2)], [[10, 20, 30], [11, 21, 31], [12, 22, 32]]);
        assert_eq!([at(4, 1), at(0, 0), at(1, 4)], [PAPER; 3]);
        assert_eq!([at(1, 6), at(2, 7), at(1, 8)], [[0; 3], [0; 3], PAPER]);
    }

    #[test]
    fn photographs_are_as_they_are_and_drawings_are_ink() {
        let spec = DataSpec { shape: [1, 2, 2], values: dgm_models::Values::Levels(256), condition: None };
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("one.png");
        let first = |image: &[f64]| {
            write_png(&path, &[image.to_vec()], &spec).unwrap();
            let (width, pixels) = read(&path, 128);
            pixels[width + 1][0]
        };
        assert_eq!(first(&[200.0, 60.0, 90.0, 10.0]), 200);
        assert_eq!(first(&[200.0, 0.0, 0.0, 10.0]), 55);
        // Means, of which none is 0.
        assert_eq!(first(&[200.0, 3.5, 120.0, 20.0]), 55);
        let binary = DataSpec { values: dgm_models::Values::Levels(2), ..spec.clone() };
        write_png(&path, &[vec![0.9, 0.1, 0.0, 0.4]], &binary).unwrap();
        let (width, pixels) = read(&path, 128);
        assert_eq!([pixels[width + 1][0], pixels[width + 2][0], pixels[2 * width + 2][0]], [25, 229, 153]);
    }

    #[test]
    fn a_table_is_not_an_image() {
        let values = dgm_models::Values::Real(dgm_models::Scale::identity(1));
        let spec = DataSpec { shape: [1, 1, 1], values, condition: None };
        assert!(write_png(Path::new("x.png"), &[vec![0.0]], &spec).unwrap_err().to_string().contains(".csv"));
    }
}
