//! One number given one other: the predictive distribution over the test examples.

use super::{BLUE, GREY, axes, legend, sample, svg, with_room};
use crate::data::Names;
use crate::error::Result;
use crate::measure::Subject;
use crate::predict::Marginals;
use burn::tensor::{Tensor, TensorData};
use dgm_models::{DataSpec, Values};
use plotters::prelude::*;

/// Places of x.
const PLACES: usize = 200;

/// Points that are drawn at the most.
const MOST_POINTS: usize = 1500;

/// The ends of the 90 % and the 50 % interval, and the median.
const LEVELS: [f64; 5] = [0.05, 0.25, 0.5, 0.75, 0.95];

pub(super) fn draw(subject: &Subject<'_>) -> Result<Option<String>> {
    let DataSpec { shape: [1, 1, 1], values: Values::Real(scale), condition: Some(condition) } = subject.model.spec()
    else {
        return Ok(None);
    };
    let Some(marginals) = Marginals::of(subject.model).filter(|_| condition.width() == 1) else { return Ok(None) };
    let (_, split) = subject.reported();
    let rows: Vec<usize> = (0..split.len().min(MOST_POINTS)).collect();
    let y = split.target.read(&rows, 0)?;
    let Some(x) = &split.condition else { return Ok(None) };
    let x = x.read(&rows, 0)?;
    let points: Vec<(f64, f64)> = x.values().iter().copied().zip(y.values().iter().copied()).collect();
    let x_range = with_room(points.iter().map(|point| point.0));
    let step = (x_range.end - x_range.start) / (PLACES - 1) as f64;
    let places: Vec<f64> = (0..PLACES).map(|i| x_range.start + i as f64 * step).collect();
    let device = subject.device();
    let inputs = TensorData::new(condition.scale.standardize(&places), [PLACES, 1]);
    let inputs = Tensor::<2>::from_data(inputs, device);
    let distribution = marginals.distribution(Tensor::zeros([PLACES, 1], device), Some(&inputs));
    let mut curves = Vec::with_capacity(LEVELS.len());
    for level in LEVELS {
        let Some(quantile) = distribution.quantile(Tensor::full([PLACES, 1], level, device)) else { return Ok(None) };
        let values = scale.restore(&quantile.into_data().iter::<f32>().collect::<Vec<_>>());
        curves.push(places.iter().copied().zip(values).collect::<Vec<_>>());
    }
    let Names { target, condition, .. } = &subject.dataset.names;
    let name = |columns: &[crate::data::ColumnSpec], other: &str| {
        columns.first().map_or_else(|| other.to_owned(), |column| column.name.clone())
    };
    let (x_name, y_name) = (name(condition, "x"), name(target, "y"));
    let y_range = with_room(points.iter().map(|point| point.1).chain(curves.iter().flatten().map(|point| point.1)));
    let text = svg(|root| {
        let title = format!("{y_name} given {x_name}: prediction, and {} test examples", points.len());
        let mut chart = axes(root, &title, [&x_name, &y_name], [x_range.clone(), y_range.clone()], 6)?;
        for (low, high, strength, what) in [(0, 4, 0.2, "90 % interval"), (1, 3, 0.4, "50 % interval")] {
            let upper = curves.get(high).into_iter().flatten().rev();
            let outline: Vec<(f64, f64)> = curves.get(low).into_iter().flatten().chain(upper).copied().collect();
            let shade = BLUE.mix(strength);
            chart
                .draw_series([Polygon::new(outline, shade.filled())])?
                .label(what)
                .legend(move |(x, y)| Rectangle::new([(x, y - 5), (x + 18, y + 5)], shade.filled()));
        }
        chart
            .draw_series(LineSeries::new(curves.get(2).into_iter().flatten().copied(), BLUE.stroke_width(2)))?
            .label("median")
            .legend(sample(BLUE));
        chart.draw_series(points.iter().map(|&point| Circle::new(point, 2, GREY.mix(0.6).filled())))?;
        legend(&mut chart, SeriesLabelPosition::UpperLeft)
    })?;
    Ok(Some(text))
}
