//! Figures of a trained model on its test split, charts as SVG and pictures as PNG: one file each, one line each in `FIGURES`. Each asks for what it
//! needs and draws nothing of a model that lacks it.

mod band;
mod curves;
mod decoded;
mod importance;
mod latent_map;
mod pit;
mod pixel_bits;
mod reliability;
#[cfg(feature = "cli")]
pub(crate) mod scores;

use crate::config::Config;
use crate::data::Dataset;
use crate::error::{Error, Result};
use crate::files::write_atomic;
use crate::measure::Subject;
use crate::metrics::Line;
use crate::report::series::with_room;
use burn::tensor::Device;
use dgm_models::Model;
use plotters::coord::types::RangedCoordf64;
use plotters::prelude::*;
use std::ops::Range;
use std::path::{Path, PathBuf};

/// How a figure is drawn of a model: as the text of an SVG, or the bytes of a PNG.
enum Figure {
    Chart(fn(&Subject<'_>) -> Result<Option<String>>),
    Picture(fn(&Subject<'_>) -> Result<Option<Vec<u8>>>),
}

use Figure::{Chart, Picture};

/// The file of each figure, what it shows, and how it is drawn.
const FIGURES: &[(&str, &str, Figure)] = &[
    (CURVES, "Training and validation loss over steps", Chart(curves::losses)),
    (TERMS, "Terms of the training loss over steps", Chart(curves::terms)),
    (
        "reliability.svg",
        "Reliability: how often the predicted label is right, over its predicted probability",
        Chart(reliability::draw),
    ),
    ("pit.svg", "Histogram of the probability integral transform of the targets; flat if calibrated", Chart(pit::draw)),
    ("band.svg", "Prediction with its intervals over the condition, and the test examples", Chart(band::draw)),
    ("importance.svg", "Permutation importance of each column of the condition", Chart(importance::draw)),
    ("latent_map.svg", "Map of the codes of test examples", Chart(latent_map::draw)),
    ("pixel_bits.svg", "Bits that the model spends on each pixel, mean over test examples", Chart(pixel_bits::draw)),
    (
        "reconstructions.png",
        "Test examples, and below them what the model makes of their codes",
        Picture(decoded::reconstructions),
    ),
    (
        "interpolations.png",
        "From one test example to another by way of their codes, a row for each pair",
        Picture(decoded::interpolations),
    ),
    ("traversals.png", "The latent variables that vary most, each moved alone in a row", Picture(decoded::traversals)),
];

/// Of these two a page draws its own.
pub(crate) const CURVES: &str = "curves.svg";
pub(crate) const TERMS: &str = "terms.svg";

/// The file that `score --figure` may put beside them.
const SCORES: (&str, &str) = ("scores.svg", "Histogram of the scored examples beside that of the validation examples");

/// What the figure in a file of this name shows.
pub(crate) fn described(name: &str) -> Option<&'static str> {
    let drawn = FIGURES.iter().map(|(file, what, _)| (*file, *what));
    drawn.chain([SCORES]).find(|(file, _)| *file == name).map(|(_, what)| what)
}

/// Width and height of a figure.
const SIZE: (u32, u32) = (640, 440);

/// What the model says.
const BLUE: RGBColor = RGBColor(31, 102, 173);

/// What it is compared with.
const ORANGE: RGBColor = RGBColor(214, 110, 20);

/// What the truth, or a perfect model, would be.
const GREY: RGBColor = RGBColor(110, 110, 110);

/// Writes every figure that there is to be drawn of the model, and of the lines that its training wrote, into a folder, and returns their paths.
///
/// # Errors
/// Data that cannot be read any more, a folder that cannot be written.
pub fn write_all<C>(
    folder: &Path,
    model: &dyn Model,
    config: &Config<C>,
    dataset: &Dataset,
    lines: &[Line],
    device: &Device,
) -> Result<Vec<PathBuf>> {
    let subject = Subject::new(model, config, dataset, device).with_lines(lines);
    let mut written = Vec::new();
    for (name, _, draw) in FIGURES {
        let drawn = match draw {
            Chart(draw) => draw(&subject)?.map(String::into_bytes),
            Picture(draw) => draw(&subject)?,
        };
        let Some(bytes) = drawn else { continue };
        let path = folder.join(name);
        std::fs::create_dir_all(folder).map_err(|error| {
            Error::input(format!("{}: cannot be made: {error}; make it, or see that there is room", folder.display()))
        })?;
        write_atomic(&path, &bytes)?;
        written.push(path);
    }
    Ok(written)
}

/// Colours that are told apart on white, dark ones and light ones alike.
const COLORS: [RGBColor; 10] = [
    RGBColor(31, 119, 180),
    RGBColor(255, 127, 14),
    RGBColor(44, 160, 44),
    RGBColor(214, 39, 40),
    RGBColor(148, 103, 189),
    RGBColor(140, 86, 75),
    RGBColor(227, 119, 194),
    RGBColor(90, 90, 90),
    RGBColor(160, 160, 20),
    RGBColor(23, 190, 207),
];

/// Of a class, or another number of a series: its own colour, and of more than ten one of a longer list.
fn color_of(class: usize) -> RGBAColor {
    COLORS.get(class).map_or_else(|| Palette99::pick(class).to_rgba(), |color| color.to_rgba())
}

/// What a drawing may end with.
type Drawn = std::result::Result<(), Box<dyn std::error::Error>>;

/// A part of a figure.
type Area<'a> = DrawingArea<SVGBackend<'a>, plotters::coord::Shift>;

/// Axes over two ranges of numbers.
type Axes<'a, 'b> = ChartContext<'a, SVGBackend<'b>, Cartesian2d<RangedCoordf64, RangedCoordf64>>;

/// The SVG of a drawing on white.
fn svg(draw: impl FnOnce(&Area<'_>) -> Drawn) -> Result<String> {
    let mut text = String::new();
    {
        let root = SVGBackend::with_string(&mut text, SIZE).into_drawing_area();
        let done = root.fill(&WHITE).map_err(Into::into).and_then(|()| draw(&root));
        done.and_then(|()| root.present().map_err(Into::into))
            .map_err(|error| Error::run(format!("a figure cannot be drawn: {error}")))?;
    }
    Ok(text)
}

/// Axes with a title and the names of what is on them, and about so many numbers beside the vertical one.
fn axes<'a, 'b>(
    area: &'a Area<'b>,
    title: &str,
    [x, y]: [&str; 2],
    [x_range, y_range]: [Range<f64>; 2],
    y_labels: usize,
) -> std::result::Result<Axes<'a, 'b>, Box<dyn std::error::Error>> {
    let mut builder = ChartBuilder::on(area);
    builder.margin(14).x_label_area_size(46).y_label_area_size(64);
    if !title.is_empty() {
        builder.caption(title, ("sans-serif", 17));
    }
    let mut chart = builder.build_cartesian_2d(x_range, y_range)?;
    // Whole numbers without a point.
    let number = |value: &f64| format!("{}", (value * 1e6).round() / 1e6 + 0.0);
    let mut mesh = chart.configure_mesh();
    mesh.x_label_formatter(&number).y_label_formatter(&number);
    if y_labels == 0 {
        mesh.disable_y_mesh().disable_y_axis();
    }
    mesh.light_line_style(TRANSPARENT)
        .bold_line_style(BLACK.mix(0.08))
        .axis_style(BLACK.mix(0.5))
        .label_style(("sans-serif", 13))
        .axis_desc_style(("sans-serif", 14))
        .x_labels(7)
        .y_labels(y_labels)
        .x_desc(x)
        .y_desc(y)
        .draw()?;
    Ok(chart)
}

/// A legend in this corner.
fn legend<'a, 'b: 'a>(chart: &mut Axes<'a, 'b>, corner: SeriesLabelPosition) -> Drawn {
    chart
        .configure_series_labels()
        .position(corner)
        .background_style(WHITE.mix(0.85))
        .border_style(BLACK.mix(0.2))
        .label_font(("sans-serif", 13))
        .draw()?;
    Ok(())
}

/// The sample of a series in a legend.
fn sample(color: RGBColor) -> impl Fn((i32, i32)) -> PathElement<(i32, i32)> {
    move |(x, y)| PathElement::new(vec![(x, y), (x + 18, y)], color.stroke_width(3))
}
