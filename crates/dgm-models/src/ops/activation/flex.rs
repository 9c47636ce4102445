//! φ and the gate in loops over numbers, which become vector instructions.

use super::{Activation, Before};
use dgm_core::ops::elementary::{exp_negative, sigmoid};
use dgm_core::vectorised;
use std::mem::MaybeUninit;

/// NaN stays NaN.
#[inline(always)]
pub(in crate::ops) fn relu(z: f32) -> f32 {
    if z < 0.0 { 0.0 } else { z }
}

#[inline(always)]
pub(in crate::ops) fn leaky_relu(z: f32, slope: f32) -> f32 {
    if z > 0.0 { z } else { slope * z }
}

/// g·φ′(z) for [`relu`], by which even an infinite gradient is cut off.
#[inline(always)]
pub(in crate::ops) fn pull_relu(g: f32, z: f32) -> f32 {
    if z <= 0.0 { 0.0 } else { g }
}

/// g·φ′(z) for [`leaky_relu`].
#[inline(always)]
pub(in crate::ops) fn pull_leaky_relu(g: f32, z: f32, slope: f32) -> f32 {
    if z <= 0.0 { slope * g } else { g }
}

/// g·φ′(z) for z·σ(z).
#[inline(always)]
pub(in crate::ops) fn pull_silu(g: f32, z: f32) -> f32 {
    let s = sigmoid(z);
    g * (s * (1.0 + z * (1.0 - s)))
}

/// max(z, 0)².
#[inline(always)]
pub(in crate::ops) fn squared_relu(z: f32) -> f32 {
    let half = relu(z);
    half * half
}

/// g·φ′(z) for [`squared_relu`].
#[inline(always)]
pub(in crate::ops) fn pull_squared_relu(g: f32, z: f32) -> f32 {
    g * (2.0 * relu(z))
}

impl Before {
    /// Hands what a convolution sees of one image `x` to `see`, channel by channel: from `x` itself, or by way of `scratch`.
    pub(in crate::ops) fn each_channel(
        self,
        x: &[f32],
        positions: usize,
        scratch: &mut Vec<MaybeUninit<f32>>,
        mut see: impl FnMut(usize, &[f32]),
    ) {
        let (seen, rest) = x.split_at(x.len() / self.channels());
        for (i, channel) in seen.chunks(positions.max(1)).enumerate() {
            if self == Self::IDENTITY {
                see(i, channel);
                continue;
            }
            scratch.resize(channel.len(), MaybeUninit::uninit());
            match self {
                Self::Each(activation) => activation.write(channel, scratch),
                Self::Gate => write_gate(channel, &rest[i * positions..(i + 1) * positions], scratch),
            }
            // SAFETY: all of it is written.
            see(i, unsafe { scratch.assume_init_ref() });
        }
    }

    /// The pullback of `grad`, of what is seen, to one image `x`, with `more` added: all of `out` is written.
    pub(in crate::ops) fn pull_image(
        self,
        x: &[f32],
        grad: &[f32],
        more: Option<&[f32]>,
        out: &mut [MaybeUninit<f32>],
    ) {
        match self {
            Self::Each(Activation::Identity) => drop(out.write_copy_of_slice(grad)),
            Self::Each(Activation::Relu) => write_pulled_relu(x, grad, out),
            Self::Each(Activation::LeakyRelu(slope)) => write_pulled_leaky_relu(x, grad, slope, out),
            Self::Each(Activation::Silu) => write_pulled_silu(x, grad, out),
            Self::Each(Activation::SquaredRelu) => write_pulled_squared_relu(x, grad, out),
            Self::Gate => {
                let ((out_a, out_b), (a, b)) = (out.split_at_mut(grad.len()), x.split_at(grad.len()));
                pull_gate([a, b], grad, [out_a, out_b]);
            }
        }
        if let Some(more) = more {
            // SAFETY: just written.
            add(unsafe { out.assume_init_mut() }, more);
        }
    }
}

impl Activation {
    /// φ(z), to all of `out`.
    fn write(self, z: &[f32], out: &mut [MaybeUninit<f32>]) {
        match self {
            Self::Identity => drop(out.write_copy_of_slice(z)),
            Self::Relu => write_relu(z, out),
            Self::LeakyRelu(slope) => write_leaky_relu(z, slope, out),
            Self::Silu => write_silu(z, out),
            Self::SquaredRelu => write_squared_relu(z, out),
        }
    }
}

/// The gate of the two halves `x` of an image, to all of `out`.
pub(in crate::ops) fn gate(x: &[f32], out: &mut [MaybeUninit<f32>]) {
    let (a, b) = x.split_at(out.len());
    write_gate(a, b, out);
}

vectorised! {
    fn write_relu(z: &[f32], out: &mut [MaybeUninit<f32>]) {
        map(z, out, relu);
    }

    fn write_leaky_relu(z: &[f32], slope: f32, out: &mut [MaybeUninit<f32>]) {
        map(z, out, |z| leaky_relu(z, slope));
    }

    fn write_silu(z: &[f32], out: &mut [MaybeUninit<f32>]) {
        map(z, out, |z| z * sigmoid(z));
    }

    fn write_squared_relu(z: &[f32], out: &mut [MaybeUninit<f32>]) {
        map(z, out, squared_relu);
    }

    fn write_pulled_relu(z: &[f32], g: &[f32], out: &mut [MaybeUninit<f32>]) {
        map_two(g, z, out, pull_relu);
    }

    fn write_pulled_leaky_relu(z: &[f32], g: &[f32], slope: f32, out: &mut [MaybeUninit<f32>]) {
        map_two(g, z, out, |g, z| pull_leaky_relu(g, z, slope));
    }

    fn write_pulled_silu(z: &[f32], g: &[f32], out: &mut [MaybeUninit<f32>]) {
        map_two(g, z, out, pull_silu);
    }

    fn write_pulled_squared_relu(z: &[f32], g: &[f32], out: &mut [MaybeUninit<f32>]) {
        map_two(g, z, out, pull_squared_relu);
    }

    /// tanh(a)·σ(b).
    fn write_gate(a: &[f32], b: &[f32], out: &mut [MaybeUninit<f32>]) {
        for ((out, &a), &b) in out.iter_mut().zip(a).zip(b) {
            out.write(Gate::new(a, b).value());
        }
    }

    fn pull_gate(halves: [&[f32]; 2], grad: &[f32], out: [&mut [MaybeUninit<f32>]; 2]) {
        let ([a, b], [out_a, out_b]) = (halves, out);
        for ((((out_a, out_b), &a), &b), &g) in out_a.iter_mut().zip(out_b).zip(a).zip(b).zip(grad) {
            let [of_a, of_b] = Gate::new(a, b).slopes();
            out_a.write(g * of_a);
            out_b.write(g * of_b);
        }
    }

    pub(in crate::ops) fn add(sums: &mut [f32], more: &[f32]) {
        for (sum, more) in sums.iter_mut().zip(more) {
            *sum += more;
        }
    }
}

#[inline(always)]
fn map(x: &[f32], out: &mut [MaybeUninit<f32>], f: impl Fn(f32) -> f32) {
    for (out, &x) in out.iter_mut().zip(x) {
        out.write(f(x));
    }
}

#[inline(always)]
fn map_two(x: &[f32], y: &[f32], out: &mut [MaybeUninit<f32>], f: impl Fn(f32, f32) -> f32) {
    for ((out, &x), &y) in out.iter_mut().zip(x).zip(y) {
        out.write(f(x, y));
    }
}

/// tanh(a)·σ(b) with one division, which is what takes longest: of e = exp(−2|a|) and d = exp(−|b|), tanh |a| = (1 − e)/(1 + e), and σ(b) is
/// 1/(1 + d) or d/(1 + d).
#[derive(Clone, Copy)]
struct Gate {
    /// ±(1 − e), with the sign of a.
    rise: f32,
    e: f32,
    /// The numerator of σ(b), and that of 1 − σ(b).
    open: f32,
    shut: f32,
    d: f32,
}

impl Gate {
    #[inline(always)]
    fn new(a: f32, b: f32) -> Self {
        let (e, d) = (exp_negative(-2.0 * a.abs()), exp_negative(-b.abs()));
        let (open, shut) = if b >= 0.0 { (1.0, d) } else { (d, 1.0) };
        Self { rise: (1.0 - e).copysign(a), e, open, shut, d }
    }

    #[inline(always)]
    fn value(self) -> f32 {
        self.rise * self.open / ((1.0 + self.e) * (1.0 + self.d))
    }

    /// (1 − tanh² a)·σ(b) and tanh(a)·σ(b)·(1 − σ(b)).
    #[inline(always)]
    fn slopes(self) -> [f32; 2] {
        let (of_e, of_d) = (1.0 + self.e, 1.0 + self.d);
        let both = 1.0 / (of_e * of_d);
        // 1/(1 + e) and 1/(1 + d)
        let (r, q) = (both * of_d, both * of_e);
        let s = self.open * q;
        // 1 − tanh² = 4e/(1 + e)²
        [4.0 * self.e * r * r * s, self.rise * r * s * self.shut * q]
    }
}
