//! Random views of an example: what a contrastive encoder is to overlook.

use crate::data::{DataSpec, Values};
use crate::error::ModelError;
use burn::tensor::{Device, Int, Tensor, TensorData};
use dgm_core::random::Stream;
use serde::{Deserialize, Serialize};

/// `views = { rotate = 15, zoom = 0.2, shift = 0.1, erase = 0.3, noise = 0.1 }`: how far two views of an example may differ. Each is drawn
/// uniformly for each view.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ViewsConfig {
    /// Images: the largest turn, in degrees. Default: 15.
    pub rotate: f64,
    /// Images: the largest share by which a side grows or shrinks, each side on its own. Default: 0.2.
    pub zoom: f64,
    /// Images: the largest slant of a side, as a share of it. Default: 0.1.
    pub shear: f64,
    /// Images: the largest shift, as a share of a side. Default: 0.1.
    pub shift: f64,
    /// Images: whether half of the views are mirrored left to right. Default: false.
    pub mirror: bool,
    /// Images: the largest side of a rectangle that is left blank, as a share of the image's; of other data the largest share of numbers that
    /// are hidden. Default: 0.3.
    pub erase: f64,
    /// Images: the largest share by which all that is not blank grows or shrinks, at most to the last level. Default: 0.
    pub brightness: f64,
    /// Images of levels: g, where levels as shares of the last one are raised to a power between 1/(1 + g) and 1 + g. Default: 0.
    pub gamma: f64,
    /// Standard deviation of normal noise, where levels go from −1 to 1 and real numbers are standardised. Default: 0.1.
    pub noise: f64,
}

impl Default for ViewsConfig {
    fn default() -> Self {
        Self {
            rotate: 15.0,
            zoom: 0.2,
            shear: 0.1,
            shift: 0.1,
            mirror: false,
            erase: 0.3,
            brightness: 0.0,
            gamma: 0.0,
            noise: 0.1,
        }
    }
}

impl ViewsConfig {
    /// Whether the values are in range, and nothing is asked for that views of such data do not have.
    pub(super) fn check(&self, spec: &DataSpec) -> Result<(), ModelError> {
        let angle = (0.0..=180.0).contains(&self.rotate);
        ModelError::check(angle, "views.rotate", self.rotate, "degrees from 0 to 180")?;
        let share = "a share from 0 up to, not including, 1";
        for (key, value) in [
            ("views.zoom", self.zoom),
            ("views.shear", self.shear),
            ("views.shift", self.shift),
            ("views.erase", self.erase),
            ("views.brightness", self.brightness),
        ] {
            ModelError::check((0.0..1.0).contains(&value), key, value, share)?;
        }
        // Far beyond that, a power so small that it is 0 in 32 bits would make what is blank bright.
        ModelError::check((0.0..=100.0).contains(&self.gamma), "views.gamma", self.gamma, "a number from 0 to 100")?;
        let noisy = self.noise.is_finite() && self.noise >= 0.0;
        ModelError::check(noisy, "views.noise", self.noise, "a finite number of at least 0")?;
        if spec.is_grid() {
            return Ok(());
        }
        let usual = Self::default();
        for (key, value, usual) in [
            ("views.rotate", self.rotate, usual.rotate),
            ("views.zoom", self.zoom, usual.zoom),
            ("views.shear", self.shear, usual.shear),
            ("views.shift", self.shift, usual.shift),
            ("views.brightness", self.brightness, usual.brightness),
            ("views.gamma", self.gamma, usual.gamma),
        ] {
            ModelError::check([0.0, usual].contains(&value), key, value, OF_ROWS)?;
        }
        ModelError::check(!self.mirror, "views.mirror", self.mirror, OF_ROWS)
    }

    /// A view of each example as a network sees them, `[n, event]`. What comes in from outside of an image, and what is left blank, is level 0, or
    /// the mean of real numbers.
    pub(super) fn of(&self, spec: &DataSpec, x: Tensor<2>, rng: &mut Stream) -> Tensor<2> {
        let levels = matches!(spec.values, Values::Levels(_));
        let blank = if levels { -1.0 } else { 0.0 };
        let x = x.sub_scalar(blank);
        let x = match spec.is_grid() {
            true => self.lit(levels, self.warped(spec.shape, x, rng), rng),
            false => self.hidden(x, rng),
        };
        let x = x.add_scalar(blank);
        if self.noise == 0.0 {
            return x;
        }
        let noise: Tensor<2> = rng.normal_tensor(x.dims(), &x.device());
        x + noise.mul_scalar(self.noise)
    }

    /// A share of the numbers, up to `erase`, is 0.
    fn hidden(&self, x: Tensor<2>, rng: &mut Stream) -> Tensor<2> {
        let ([n, _], device) = (x.dims(), x.device());
        let share: Tensor<2> = rng.uniform_tensor([n, 1], &device).mul_scalar(self.erase);
        let seen = rng.uniform_tensor::<2>(x.dims(), &device).greater_equal(share.expand(x.dims())).float();
        x * seen
    }

    /// In another light: what is not blank brighter or darker, and of levels, from 0 to 2 here, the middle ones nearer to either end.
    fn lit(&self, levels: bool, mut x: Tensor<2>, rng: &mut Stream) -> Tensor<2> {
        let (dims, device) = (x.dims(), x.device());
        let mut within = |most: f64| {
            let shares: Tensor<2> = rng.uniform_tensor([dims[0], 1], &device);
            shares.mul_scalar(2.0).sub_scalar(1.0).mul_scalar(most).expand(dims)
        };
        if levels && self.gamma > 0.0 {
            let exponent = within(self.gamma.ln_1p()).exp();
            x = x.div_scalar(2.0).clamp(0.0, 1.0).powf(exponent).mul_scalar(2.0);
        }
        if self.brightness > 0.0 {
            x = x * within(self.brightness).add_scalar(1.0);
            x = if levels { x.clamp(0.0, 2.0) } else { x };
        }
        x
    }

    /// Turned, scaled, slanted, moved, mirrored, with a blank rectangle: bilinear interpolation, 0 outside.
    fn warped(&self, [channels, h, w]: [usize; 3], x: Tensor<2>, rng: &mut Stream) -> Tensor<2> {
        let ([n, _], device) = (x.dims(), x.device());
        let warps: Vec<Warp> = (0..n).map(|_| Warp::sample(self, [h, w], rng)).collect();
        let planes = x.reshape([n * channels, h * w]);
        let corners = (0..4).map(|corner| {
            let (mut places, mut weights) = (Vec::with_capacity(n * h * w), Vec::with_capacity(n * h * w));
            for warp in &warps {
                for _ in 0..channels {
                    warp.corner(corner, [h, w], &mut places, &mut weights);
                }
            }
            let shape = [n * channels, h * w];
            planes.clone().gather(1, indices(places, shape, &device)) * numbers(weights, shape, &device)
        });
        let sum = corners.reduce(|sum, corner| sum + corner).unwrap_or_else(|| planes.clone());
        sum.reshape([n, channels * h * w])
    }
}

/// What a key for images is to be where there are none.
const OF_ROWS: &str = "0, false or no such key: it is for images, and views of rows only hide numbers (erase) and add noise; leave it out";

fn indices(values: Vec<i32>, shape: [usize; 2], device: &Device) -> Tensor<2, Int> {
    Tensor::from_data(TensorData::new(values, shape), device)
}

fn numbers(values: Vec<f32>, shape: [usize; 2], device: &Device) -> Tensor<2> {
    Tensor::from_data(TensorData::new(values, shape), device)
}

/// Where each pixel of a view comes from.
struct Warp {
    /// The linear map from a place of the view to one of the image, both around the middle.
    map: [[f32; 2]; 2],
    /// And the shift after it, in pixels.
    by: [f32; 2],
    /// Rows and columns of the blank rectangle.
    blank: [std::ops::Range<usize>; 2],
}

impl Warp {
    fn sample(views: &ViewsConfig, [h, w]: [usize; 2], rng: &mut Stream) -> Self {
        let mut within = |most: f64| (2.0 * rng.uniform() - 1.0) * most as f32;
        let (sin, cos) = within(views.rotate.to_radians()).sin_cos();
        let (zoom_y, zoom_x) = (1.0 + within(views.zoom), 1.0 + within(views.zoom));
        let slant = within(views.shear);
        let by = [within(views.shift) * h as f32, within(views.shift) * w as f32];
        let mirror = if views.mirror && rng.uniform() < 0.5 { -1.0 } else { 1.0 };
        let mut blank = |side: usize| {
            let length = (rng.uniform() * views.erase as f32 * side as f32).round() as usize;
            let start = rng.below((side - length.min(side) + 1) as u32) as usize;
            start..start + length
        };
        // Rotation · scale · shear.
        let map = [
            [cos * zoom_y, (cos * slant - sin) * zoom_x * mirror],
            [sin * zoom_y, (sin * slant + cos) * zoom_x * mirror],
        ];
        Self { map, by, blank: [blank(h), blank(w)] }
    }

    /// One of the four pixels around where each pixel of the view comes from, and its weight: 0 outside and in the rectangle.
    fn corner(&self, corner: usize, [h, w]: [usize; 2], places: &mut Vec<i32>, weights: &mut Vec<f32>) {
        let middle = [(h as f32 - 1.0) / 2.0, (w as f32 - 1.0) / 2.0];
        let [rows, columns] = &self.blank;
        for row in 0..h {
            for column in 0..w {
                let (y, x) = (row as f32 - middle[0], column as f32 - middle[1]);
                let from = [0, 1].map(|axis| {
                    let [along_y, along_x] = self.map[axis];
                    along_y * y + along_x * x + self.by[axis] + middle[axis]
                });
                let upper = [corner / 2, corner % 2];
                let (mut weight, mut place) = (1.0, [0i64; 2]);
                for axis in [0, 1] {
                    let low = from[axis].floor();
                    let part = from[axis] - low;
                    weight *= if upper[axis] == 1 { part } else { 1.0 - part };
                    place[axis] = low as i64 + upper[axis] as i64;
                }
                let inside = (0..h as i64).contains(&place[0]) && (0..w as i64).contains(&place[1]);
                let blank = rows.contains(&row) && columns.contains(&column);
                places.push(if inside { (place[0] * w as i64 + place[1]) as i32 } else { 0 });
                weights.push(if inside && !blank { weight } else { 0.0 });
            }
        }
    }
}

#[cfg(all(test, feature = "flex"))]
mod tests {
    use super::*;
    use crate::data::Scale;
    use dgm_core::host;
    use dgm_core::random::Seed;

    const NONE: ViewsConfig = ViewsConfig {
        rotate: 0.0,
        zoom: 0.0,
        shear: 0.0,
        shift: 0.0,
        mirror: false,
        erase: 0.0,
        brightness: 0.0,
        gamma: 0.0,
        noise: 0.0,
    };

    fn image(rows: usize) -> DataSpec {
        DataSpec { shape: [1, rows, 5], values: Values::Levels(3), condition: None }
    }

    fn picture(n: usize) -> Tensor<2> {
        let values: Vec<f32> = (0..n * 20).map(|i| ((i * 7 + i / 3) % 5) as f32 / 2.0 - 1.0).collect();
        Tensor::from_data(TensorData::new(values, [n, 20]), &Device::flex())
    }

    #[test]
    fn without_changes_a_view_is_the_example() {
        let (x, mut rng) = (picture(3), Seed(0).stream("views", 0));
        for (found, expected) in host(NONE.of(&image(4), x.clone(), &mut rng)).iter().zip(host(x)) {
            assert!((found - expected).abs() < 1e-6);
        }
    }

    /// By a whole number of pixels, and by half a turn: every pixel of the view is one of the image, or blank.
    #[test]
    fn warps_move_pixels() {
        let x: Vec<f64> = host(picture(1));
        let of = |map, by| {
            let warp = Warp { map, by, blank: [0..0, 0..0] };
            let mut sum = [0.0; 20];
            for corner in 0..4 {
                let (mut places, mut weights) = (Vec::new(), Vec::new());
                warp.corner(corner, [4, 5], &mut places, &mut weights);
                for (to, (place, weight)) in sum.iter_mut().zip(places.iter().zip(&weights)) {
                    *to += x[*place as usize] * f64::from(*weight);
                }
            }
            sum
        };
        let moved = of([[1.0, 0.0], [0.0, 1.0]], [1.0, -2.0]);
        let turned = of([[-1.0, 0.0], [0.0, -1.0]], [0.0, 0.0]);
        for row in 0..4 {
            for column in 0..5 {
                let from = if row < 3 && column >= 2 { x[(row + 1) * 5 + column - 2] } else { 0.0 };
                assert_eq!(moved[row * 5 + column], from);
                assert_eq!(turned[row * 5 + column], x[(3 - row) * 5 + 4 - column]);
            }
        }
    }

    #[test]
    fn blanks_are_level_zero_and_rectangular() {
        let erase = ViewsConfig { erase: 0.9, ..NONE };
        let (x, mut rng) = (Tensor::ones([50, 20], &Device::flex()), Seed(0).stream("views", 0));
        let view = host(erase.of(&image(4), x, &mut rng));
        for one in view.chunks(20) {
            let blank: Vec<usize> = (0..20).filter(|&place| one[place] < 0.0).collect();
            let rows: std::collections::BTreeSet<usize> = blank.iter().map(|place| place / 5).collect();
            let columns: std::collections::BTreeSet<usize> = blank.iter().map(|place| place % 5).collect();
            assert_eq!(blank.len(), rows.len() * columns.len());
            assert!(one.iter().all(|value| (value.abs() - 1.0).abs() < 1e-6));
        }
        assert!(view.iter().any(|&value| value < 0.0) && view.iter().any(|&value| value > 0.0));
    }

    /// One factor and one exponent for a view: what is blank stays so, and of exponents alone what is brightest.
    #[test]
    fn light_changes_all_that_is_not_blank_alike() {
        let x: Vec<f32> = (0..200).flat_map(|_| (0..20).map(|i| [-1.0, -0.5, 0.0, 1.0][i % 4])).collect();
        let x = Tensor::from_data(TensorData::new(x, [200, 20]), &Device::flex());
        let views = |views: ViewsConfig| host(views.of(&image(4), x.clone(), &mut Seed(0).stream("views", 0)));
        let close = |a: f64, b: f64| (a - b).abs() < 1e-5;
        let (mut least, mut most) = (f64::INFINITY, f64::NEG_INFINITY);
        for one in views(ViewsConfig { brightness: 0.5, ..NONE }).chunks(20) {
            let factor = one[2] + 1.0;
            (least, most) = (least.min(factor), most.max(factor));
            for four in one.chunks(4) {
                assert!(close(four[0], -1.0) && close(four[1], 0.5 * factor - 1.0), "{four:?}");
                assert!(close(four[2], factor - 1.0) && close(four[3], (2.0 * factor - 1.0).min(1.0)), "{four:?}");
            }
        }
        assert!((0.5..0.55).contains(&least) && (1.45..1.5).contains(&most), "{least} to {most}");
        (least, most) = (f64::INFINITY, f64::NEG_INFINITY);
        for one in views(ViewsConfig { gamma: 1.0, ..NONE }).chunks(20) {
            let exponent = ((one[2] + 1.0) / 2.0).log(0.5);
            (least, most) = (least.min(exponent), most.max(exponent));
            for four in one.chunks(4) {
                assert!(close(four[0], -1.0) && close(four[1], 2.0 * 0.25f64.powf(exponent) - 1.0), "{four:?}");
                assert!(close(four[2], one[2]) && close(four[3], 1.0), "{four:?}");
            }
        }
        assert!((0.5..0.55).contains(&least) && (1.9..2.0).contains(&most), "{least} to {most}");
    }

    #[test]
    fn of_rows_numbers_are_hidden() {
        let spec = DataSpec { shape: [1, 1, 20], values: Values::Real(Scale::identity(20)), condition: None };
        let erase = ViewsConfig { erase: 0.5, ..ViewsConfig::default() };
        let view = host(erase.of(&spec, Tensor::ones([50, 20], &Device::flex()), &mut Seed(0).stream("views", 0)));
        let hidden = view.iter().filter(|value| value.abs() < 0.5).count();
        // A quarter on average.
        assert!((150..350).contains(&hidden), "{hidden}");
    }

    /// As written by a run, with the defaults, or switched off: but not as if it did something.
    #[test]
    fn of_rows_keys_for_images_are_refused() {
        let rows = DataSpec { shape: [1, 1, 20], values: Values::Real(Scale::identity(20)), condition: None };
        assert!(ViewsConfig::default().check(&rows).is_ok() && NONE.check(&rows).is_ok());
        let turned = ViewsConfig { rotate: 40.0, ..NONE };
        assert!(turned.check(&image(4)).is_ok());
        for (views, expected) in [
            (turned, "views.rotate` is 40"),
            (ViewsConfig { zoom: 0.5, ..NONE }, "views.zoom` is 0.5"),
            (ViewsConfig { shear: 0.5, ..NONE }, "views.shear` is 0.5"),
            (ViewsConfig { shift: 0.5, ..NONE }, "views.shift` is 0.5"),
            (ViewsConfig { brightness: 0.5, ..NONE }, "views.brightness` is 0.5"),
            (ViewsConfig { gamma: 1.0, ..NONE }, "views.gamma` is 1"),
            (ViewsConfig { mirror: true, ..NONE }, "views.mirror` is true"),
        ] {
            let text = views.check(&rows).map_err(|error| error.to_string()).err().unwrap_or_default();
            assert!(text.contains(expected) && text.ends_with("leave it out"), "{expected}: {text}");
        }
    }
}
