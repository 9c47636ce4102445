//! Against literals of mpmath, and its samples against its moments.

#![allow(clippy::unwrap_used)]
use super::*;
use crate::divergence::kl;
use crate::estimate::Mean;
use crate::random::Seed;
use burn::tensor::Device;

/// d, κ, and of 40 digits (mpmath): A from besseli; the KL from the uniform density and (asserted equal to A) E[cos θ], both by quadrature
/// over θ; log p at an angle of 0.7; A′.
const LITERALS: &[(usize, f64, f64, f64, f64, f64)] = &[
    (2, 0.05, 0.024_992_190_753_8, 0.000_624_707_166_823, -1.800_259_859_42, 0.499_531_575_325),
    (2, 1.0, 0.446_389_965_897, 0.210_475_607_389, -1.308_949_237_63, 0.354_346_032_45),
    (2, 10.0, 0.948_599_825_955, 1.543_026_176_43, -2.132_427_276_68, 0.005_298_387_602_95),
    (2, 200.0, 0.997_496_859_252, 3.066_842_496_11, -45.301_968_963_7, 1.253_148_684_86e-5),
    (3, 0.05, 0.016_663_889_550_1, 0.000_416_562_527_55, -2.493_198_769_56, 0.333_166_732_781),
    (3, 1.0, 0.313_035_285_499, 0.151_595_923_928, -1.927_621_421_26, 0.275_938_339_034),
    (3, 10.0, 0.900_000_004_122, 1.995_732_316_84, -1.886_870_098_51, 0.009_999_991_755_39),
    (3, 200.0, 0.995, 4.991_464_547_11, -43.571_122_243, 2.5e-5),
    (5, 0.05, 0.009_999_285_793_64, 0.000_249_973_217_592, -3.232_296_906_42, 0.199_957_150_792),
    (5, 1.0, 0.194_528_049_465, 0.095_915_760_797_2, -2.604_059_126_09, 0.184_046_640_11),
    (5, 10.0, 0.811_111_106_022, 2.416_176_651_24, -1.316_801_560_85, 0.017_654_331_279_3),
    (5, 200.0, 0.990_025_125_628, 8.201_207_292_44, -40.105_669_401, 4.974_811_242_14e-5),
    (10, 0.05, 0.004_999_895_837_05, 0.000_124_996_093_905, -3.200_625_668_79, 0.099_993_750_372),
    (10, 1.0, 0.099_178_382_399_7, 0.049_384_755_313_4, -2.523_694_219_26, 0.097_558_206_867_2),
    (10, 10.0, 0.633_668_391_623, 2.484_469_586_78, 0.557_464_763_937, 0.028_162_816_996_6),
    (10, 200.0, 0.977_697_847_062, 14.389_766_164_4, -31.420_108_570_6, 0.000_110_516_732_22),
    (50, 0.05, 0.000_999_999_038_463, 2.499_996_394_24e-5, 25.511_552_180_7, 0.019_999_942_307_9),
    (50, 1.0, 0.019_992_313_385_2, 0.009_994_235_513_09, 26.228_179_180_7, 0.019_976_951_531_1),
    (50, 10.0, 0.192_830_801_652, 0.946_648_552_844, 32.140_097_480_5, 0.017_945_353_839_7),
    (50, 200.0, 0.884_706_899_597, 37.690_078_661_4, 39.190_471_270_2, 0.000_540_511_404_618),
];

/// Around the first axis, n times.
fn density(n: usize, d: usize, kappa: f64, device: &Device) -> VonMisesFisher {
    let mut towards = vec![0.0f32; d];
    towards[0] = 3.0;
    let towards = Tensor::from_data(TensorData::new(towards.repeat(n), [n, d]), device);
    VonMisesFisher::new(towards, Tensor::ones([n], device).mul_scalar(kappa))
}

fn close(found: f64, expected: f64, what: &str) {
    assert!((found - expected).abs() <= 2e-6 * expected.abs().max(1e-2), "{what}: {found} {expected}");
}

#[test]
fn moments_divergence_and_density_are_those_of_the_literals() {
    let device = Device::flex();
    for &(d, kappa, length, divergence, log_p, slope) in LITERALS {
        let what = format!("d = {d}, κ = {kappa}");
        let q = density(1, d, kappa, &device);
        close(host(q.mean_resultant_length())[0], length, &what);
        close(host(q.mean())[0], length, &what);
        // κ in f32 is not κ: what κ²/2d is off by.
        close(host(kl::von_mises_fisher_uniform(&q))[0], divergence, &what);
        let mut x = vec![0.0f32; d];
        (x[0], x[1]) = (0.7f32.cos(), 0.7f32.sin());
        let x = Tensor::<2>::from_data(TensorData::new(x, [1, d]), &device);
        let found = host(q.log_prob(x))[0];
        assert!((found - log_p).abs() < 4e-7 * kappa.max(log_p.abs()).max(1.0), "{what}: {found} {log_p}");
        close(slope_of_length(d as f64, kappa), slope, &what);
    }
}

#[test]
fn gradients_are_those_of_the_formulas() {
    let device = Device::flex().autodiff();
    for &(d, kappa, length, _, _, slope) in LITERALS {
        let concentration = Tensor::<1>::from_floats([kappa as f32], &device).require_grad();
        let gradient = |of: &dyn Fn(VonMisesFisher) -> Tensor<1>| {
            let q = VonMisesFisher::new(density(1, d, kappa, &device).direction(), concentration.clone());
            host(concentration.grad(&of(q).sum().backward()).unwrap())[0]
        };
        let what = format!("d = {d}, κ = {kappa}");
        close(gradient(&|q| q.mean_resultant_length()), slope, &what);
        close(gradient(&|q| kl::von_mises_fisher_uniform(&q)), kappa * slope, &what);
        let x = density(1, d, kappa, &device).direction();
        close(gradient(&|q| q.log_prob(x.clone())), 1.0 - length, &what);
    }
}

/// E\[w\] = A and E\[∂w/∂κ\] = A′: within five standard errors. All samples have length 1.
#[test]
fn samples_follow_the_density_and_so_do_their_gradients() {
    let device = Device::flex().autodiff();
    let n = 4000;
    for &(d, kappa, length, _, _, slope) in LITERALS {
        let concentration = Tensor::<1>::ones([n], &device).mul_scalar(kappa).require_grad();
        let q = VonMisesFisher::new(density(n, d, kappa, &device).direction(), concentration.clone());
        let x = q.sample(&mut Seed(1).stream("sampling", d as u64));
        for norm in host(x.clone().square().sum_dim(1)) {
            assert!((norm - 1.0).abs() < 1e-5, "{norm}");
        }
        let along = x.clone().slice([0..n, 0..1]);
        let gradients = host(concentration.grad(&along.clone().sum().backward()).unwrap());
        for (found, expected, what) in [(Mean::of(&host(along)), length, "w"), (Mean::of(&gradients), slope, "∂w/∂κ")]
        {
            let allowed = 5.0 * found.standard_error + 1e-6;
            assert!((found.mean - expected).abs() < allowed, "d = {d}, κ = {kappa}: {what} {found:?}, not {expected}");
        }
        // At right angles to the mean direction there is no preferred one.
        let second = Mean::of(&host(x.slice([0..n, 1..2])));
        assert!(second.mean.abs() < 5.0 * second.standard_error, "{second:?}");
    }
}

/// The uniform density is one over the surface: 2π of the circle, 4π of the sphere.
#[test]
fn the_uniform_density_is_one_over_the_surface() {
    let pi = std::f64::consts::PI;
    assert!((VonMisesFisher::log_uniform(2) + (2.0 * pi).ln()).abs() < 1e-12);
    assert!((VonMisesFisher::log_uniform(3) + (4.0 * pi).ln()).abs() < 1e-12);
}
