//! Pullbacks of [`ConvOps`] for `Autodiff<B, C>`: each operation is one node of the graph.

use super::{Before, ConvOps, Tap};
use burn::backend::autodiff::NodeId;
use burn::backend::autodiff::checkpoint::{base::Checkpointer, strategy::CheckpointStrategy};
use burn::backend::autodiff::grads::Gradients;
use burn::backend::autodiff::ops::{Backward, Ops, OpsKind, unary};
use burn::backend::tensor::FloatTensor;
use burn::backend::{Autodiff, Backend, TensorMetadata};

/// What the pullbacks read.
#[derive(Clone, Debug)]
struct State<B: Backend> {
    x: FloatTensor<B>,
    weight: FloatTensor<B>,
    taps: Vec<Tap>,
    before: Before,
}

impl<B: ConvOps> State<B> {
    /// Registers the pullbacks of `grad` that are wanted, to x, weight and bias.
    fn pull(self, parents: [Option<NodeId>; 3], grad: FloatTensor<B>, residual: bool, grads: &mut Gradients) {
        let Self { x, weight, taps, before } = self;
        let [of_x, of_weight, of_bias] = parents;
        let wants_weights = of_weight.is_some() || of_bias.is_some();
        let mut register = |node: Option<NodeId>, grad| {
            if let Some(node) = node {
                grads.register::<B>(node, grad);
            }
        };
        // The image itself, which a first layer reads, has no gradient.
        let pulled = match (of_x, wants_weights) {
            (Some(_), true) => {
                let (x, weight, bias) = B::tap_conv2d_pullback(x, weight, grad, taps, before, residual);
                register(of_x, x);
                (weight, bias)
            }
            (Some(_), false) => {
                return register(of_x, B::tap_conv2d_pullback_input(x, weight, grad, taps, before, residual));
            }
            (None, _) => B::tap_conv2d_pullback_weight(x, grad, taps, before),
        };
        register(of_weight, pulled.0);
        register(of_bias, pulled.1);
    }
}

#[derive(Debug)]
struct TapConv2d;

impl<B: ConvOps> Backward<B, 3> for TapConv2d {
    type State = State<B>;

    fn backward(self, ops: Ops<Self::State, 3>, grads: &mut Gradients, _: &mut Checkpointer) {
        let grad = grads.consume::<B>(&ops.node);
        ops.state.pull(ops.parents.map(|node| node.map(|node| node.id)), grad, false, grads);
    }
}

/// With a base.
#[derive(Debug)]
struct TapConv2dOnto;

impl<B: ConvOps> Backward<B, 4> for TapConv2dOnto {
    /// And whether there is one base for all images.
    type State = (State<B>, bool);

    fn backward(self, ops: Ops<Self::State, 4>, grads: &mut Gradients, _: &mut Checkpointer) {
        let grad = grads.consume::<B>(&ops.node);
        let [of_x, of_weight, of_bias, of_base] = ops.parents.map(|node| node.map(|node| node.id));
        let (state, one_for_all) = ops.state;
        let residual = of_x.is_some() && of_x == of_base;
        if let Some(node) = of_base.filter(|_| !residual) {
            let grad = grad.clone();
            grads.register::<B>(node, if one_for_all { B::sum_of_images(grad) } else { grad });
        }
        state.pull([of_x, of_weight, of_bias], grad, residual, grads);
    }
}

#[derive(Debug)]
struct Gate;

impl<B: ConvOps> Backward<B, 1> for Gate {
    type State = FloatTensor<B>;

    fn backward(self, ops: Ops<Self::State, 1>, grads: &mut Gradients, _: &mut Checkpointer) {
        unary::<B, _>(ops.parents, ops.node, grads, |grad| B::gate_pullback(ops.state, grad));
    }
}

impl<B: ConvOps, C: CheckpointStrategy> ConvOps for Autodiff<B, C> {
    fn tap_conv2d(
        x: FloatTensor<Self>,
        weight: FloatTensor<Self>,
        bias: FloatTensor<Self>,
        taps: Vec<Tap>,
        before: Before,
    ) -> FloatTensor<Self> {
        let prepared = TapConv2d.prepare::<C>([x.node(), weight.node(), bias.node()]).compute_bound().stateful();
        let (x, weight, bias) = (x.into_primitive(), weight.into_primitive(), bias.into_primitive());
        match prepared {
            OpsKind::Tracked(prep) => {
                let state = State { x: x.clone(), weight: weight.clone(), taps: taps.clone(), before };
                prep.finish(state, B::tap_conv2d(x, weight, bias, taps, before))
            }
            OpsKind::UnTracked(prep) => prep.finish(B::tap_conv2d(x, weight, bias, taps, before)),
        }
    }

    fn tap_conv2d_onto(
        base: FloatTensor<Self>,
        x: FloatTensor<Self>,
        weight: FloatTensor<Self>,
        bias: FloatTensor<Self>,
        taps: Vec<Tap>,
        before: Before,
    ) -> FloatTensor<Self> {
        let nodes = [x.node(), weight.node(), bias.node(), base.node()];
        let prepared = TapConv2dOnto.prepare::<C>(nodes).compute_bound().stateful();
        let (x, weight, bias) = (x.into_primitive(), weight.into_primitive(), bias.into_primitive());
        let base = base.into_primitive();
        match prepared {
            OpsKind::Tracked(prep) => {
                let one_for_all = base.shape()[0] == 1 && x.shape()[0] != 1;
                let state = State { x: x.clone(), weight: weight.clone(), taps: taps.clone(), before };
                prep.finish((state, one_for_all), B::tap_conv2d_onto(base, x, weight, bias, taps, before))
            }
            OpsKind::UnTracked(prep) => prep.finish(B::tap_conv2d_onto(base, x, weight, bias, taps, before)),
        }
    }

    fn gate(x: FloatTensor<Self>) -> FloatTensor<Self> {
        let prepared = Gate.prepare::<C>([x.node()]).compute_bound().stateful();
        let x = x.into_primitive();
        match prepared {
            OpsKind::Tracked(prep) => prep.finish(x.clone(), B::gate(x)),
            OpsKind::UnTracked(prep) => prep.finish(B::gate(x)),
        }
    }
}
