//! Pullbacks of [`ConvOps`] for `Autodiff<B, C>`: each operation is one node of the graph.

use super::{ConvOps, Tap};
use burn::backend::Autodiff;
use burn::backend::autodiff::checkpoint::{base::Checkpointer, strategy::CheckpointStrategy};
use burn::backend::autodiff::grads::Gradients;
use burn::backend::autodiff::ops::{Backward, Ops, OpsKind, unary};
use burn::backend::tensor::FloatTensor;

#[derive(Debug)]
struct TapConv2d;

impl<B: ConvOps> Backward<B, 3> for TapConv2d {
    type State = (FloatTensor<B>, FloatTensor<B>, Vec<Tap>);

    fn backward(self, ops: Ops<Self::State, 3>, grads: &mut Gradients, _: &mut Checkpointer) {
        let grad = grads.consume::<B>(&ops.node);
        let (x, weight, taps) = ops.state;
        let [of_x, of_weight, of_bias] = ops.parents;
        // The image itself, which a first layer reads, has no gradient.
        if let Some(node) = of_x {
            grads.register::<B>(node.id, B::tap_conv2d_pullback_input(weight, grad.clone(), taps.clone()));
        }
        if of_weight.is_none() && of_bias.is_none() {
            return;
        }
        let pulled = B::tap_conv2d_pullback_weight(x, grad, taps);
        for (parent, grad) in [(of_weight, pulled.0), (of_bias, pulled.1)] {
            if let Some(node) = parent {
                grads.register::<B>(node.id, grad);
            }
        }
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
    ) -> FloatTensor<Self> {
        let prepared = TapConv2d.prepare::<C>([x.node(), weight.node(), bias.node()]).compute_bound().stateful();
        let (x, weight, bias) = (x.into_primitive(), weight.into_primitive(), bias.into_primitive());
        match prepared {
            OpsKind::Tracked(prep) => {
                let state = (x.clone(), weight.clone(), taps.clone());
                prep.finish(state, B::tap_conv2d(x, weight, bias, taps))
            }
            OpsKind::UnTracked(prep) => prep.finish(B::tap_conv2d(x, weight, bias, taps)),
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
