//! Peak memory of the one-operation forms against the composed ones, forward and backward, on flex.
#![cfg(feature = "flex")]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use burn::tensor::{Device, Int, Tensor, TensorData};
use dgm_core::ops;
use dgm_core::random::Seed;
use std::alloc::{GlobalAlloc, Layout, System};
use std::sync::atomic::{AtomicUsize, Ordering};

/// The system's allocator, with the bytes in use and the most that were.
struct Counting;

static IN_USE: AtomicUsize = AtomicUsize::new(0);
static PEAK: AtomicUsize = AtomicUsize::new(0);

// SAFETY: every call goes to the system's allocator unchanged.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        let now = IN_USE.fetch_add(layout.size(), Ordering::Relaxed) + layout.size();
        PEAK.fetch_max(now, Ordering::Relaxed);
        // SAFETY: the caller's promise about `layout`.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        IN_USE.fetch_sub(layout.size(), Ordering::Relaxed);
        // SAFETY: the caller's promise about `pointer` and `layout`.
        unsafe { System.dealloc(pointer, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// Bytes beyond those in use before, at the most, of a value's sum and its gradients.
fn peak(parameters: &[Tensor<2>], log_prob: impl Fn(&[Tensor<2>]) -> Tensor<1>) -> usize {
    let run = || {
        let leaves: Vec<Tensor<2>> = parameters.iter().map(|leaf| leaf.clone().require_grad()).collect();
        let gradients = log_prob(&leaves).sum().backward();
        assert!(leaves.iter().all(|leaf| leaf.grad(&gradients).is_some()));
    };
    // Thread pools and the like are made once.
    run();
    let before = IN_USE.load(Ordering::Relaxed);
    PEAK.store(before, Ordering::Relaxed);
    run();
    PEAK.load(Ordering::Relaxed) - before
}

/// One test, so that no other allocates beside it.
#[test]
fn one_operation_needs_less_memory() {
    let device = Device::flex().autodiff();
    let noise = &mut Seed(1).stream("memory", 0);
    let check = |what: &str, fused: usize, composed: usize| {
        println!("{what}: {:.1} MB as one operation, {:.1} MB composed", fused as f64 / 1e6, composed as f64 / 1e6);
        assert!(fused * 3 < composed * 2, "{what}: {fused} bytes as one operation, {composed} composed");
    };

    let logits: Tensor<2> = noise.normal_tensor([128, 784], &device);
    let x: Tensor<2> = noise.uniform_tensor([128, 784], &device).greater_elem(0.7).float();
    check(
        "bernoulli (128, 784)",
        peak(std::slice::from_ref(&logits), |v| ops::bernoulli_log_prob(v[0].clone(), x.clone()).flatten(0, 1)),
        peak(&[logits], |v| ops::composed_bernoulli_log_prob(v[0].clone(), x.clone()).flatten(0, 1)),
    );
    for [rows, classes] in [[64 * 64, 17], [32 * 784, 256]] {
        let logits: Tensor<2> = noise.normal_tensor([rows, classes], &device);
        let class: Vec<i32> = (0..rows).map(|_| noise.below(classes as u32) as i32).collect();
        let class: Tensor<1, Int> = Tensor::from_data(TensorData::new(class, [rows]), &device);
        check(
            &format!("categorical ({rows}, {classes})"),
            peak(std::slice::from_ref(&logits), |v| ops::categorical_log_prob(v[0].clone(), class.clone())),
            peak(&[logits], |v| ops::composed_categorical_log_prob(v[0].clone(), class.clone())),
        );
    }
    let parameters = [0.0, 0.0, -2.0].map(|centre| {
        let all: Tensor<2> = noise.normal_tensor([64 * 784, 10], &device);
        all.mul_scalar(0.5).add_scalar(centre)
    });
    let x: Vec<f32> = (0..64 * 784).map(|_| noise.below(256) as f32).collect();
    let x: Tensor<1> = Tensor::from_data(TensorData::new(x, [64 * 784]), &device);
    let fused = |v: &[Tensor<2>]| {
        ops::discretized_logistic_mixture_log_prob(v[0].clone(), v[1].clone(), v[2].clone(), x.clone(), 256)
    };
    let composed = |v: &[Tensor<2>]| {
        ops::composed_discretized_logistic_mixture_log_prob(v[0].clone(), v[1].clone(), v[2].clone(), x.clone(), 256)
    };
    check("discretised logistic mixture (50176, 10)", peak(&parameters, fused), peak(&parameters, composed));
}
