//! Pullbacks of [`ObjectiveOps`] for `Autodiff<B, C>`: each operation is one node of the graph.

use super::ObjectiveOps;
use burn::backend::Autodiff;
use burn::backend::autodiff::checkpoint::{base::Checkpointer, strategy::CheckpointStrategy};
use burn::backend::autodiff::grads::Gradients;
use burn::backend::autodiff::ops::{Backward, Ops, OpsKind, binary, unary};
use burn::backend::tensor::{FloatTensor, IntTensor};

#[derive(Debug)]
struct BernoulliLogProb;

impl<B: ObjectiveOps> Backward<B, 2> for BernoulliLogProb {
    type State = (FloatTensor<B>, FloatTensor<B>);

    fn backward(self, ops: Ops<Self::State, 2>, grads: &mut Gradients, _: &mut Checkpointer) {
        let (logits, x) = ops.state;
        binary::<B, _, _>(
            ops.parents,
            ops.node,
            grads,
            |grad| B::bernoulli_log_prob_pullback(logits.clone(), x, grad),
            // ∂/∂x of x·l − softplus(l): relaxed samples may carry a gradient.
            |grad| B::float_mul(grad, logits.clone()),
        );
    }
}

#[derive(Debug)]
struct CategoricalLogProb;

impl<B: ObjectiveOps> Backward<B, 1> for CategoricalLogProb {
    type State = (FloatTensor<B>, IntTensor<B>);

    fn backward(self, ops: Ops<Self::State, 1>, grads: &mut Gradients, _: &mut Checkpointer) {
        let (logits, class) = ops.state;
        unary::<B, _>(ops.parents, ops.node, grads, |grad| B::categorical_log_prob_pullback(logits, class, grad));
    }
}

#[derive(Debug)]
struct BetaBinomialLogProb;

impl<B: ObjectiveOps> Backward<B, 2> for BetaBinomialLogProb {
    type State = ([FloatTensor<B>; 3], usize);

    fn backward(self, ops: Ops<Self::State, 2>, grads: &mut Gradients, _: &mut Checkpointer) {
        let ([log_alpha, log_beta, x], trials) = ops.state;
        let grad = grads.consume::<B>(&ops.node);
        let pulled = B::beta_binomial_log_prob_pullback(log_alpha, log_beta, x, grad, trials);
        for (parent, grad) in ops.parents.into_iter().zip([pulled.0, pulled.1]) {
            if let Some(node) = parent {
                grads.register::<B>(node.id, grad);
            }
        }
    }
}

#[derive(Debug)]
struct DiscretizedLogisticMixtureLogProb;

impl<B: ObjectiveOps> Backward<B, 3> for DiscretizedLogisticMixtureLogProb {
    type State = ([FloatTensor<B>; 4], usize);

    fn backward(self, ops: Ops<Self::State, 3>, grads: &mut Gradients, _: &mut Checkpointer) {
        let ([weight_logits, mean, log_scale, x], levels) = ops.state;
        let grad = grads.consume::<B>(&ops.node);
        let pulled = B::discretized_logistic_mixture_log_prob_pullback(weight_logits, mean, log_scale, x, grad, levels);
        for (parent, grad) in ops.parents.into_iter().zip([pulled.0, pulled.1, pulled.2]) {
            if let Some(node) = parent {
                grads.register::<B>(node.id, grad);
            }
        }
    }
}

impl<B: ObjectiveOps, C: CheckpointStrategy> ObjectiveOps for Autodiff<B, C> {
    fn bernoulli_log_prob(logits: FloatTensor<Self>, x: FloatTensor<Self>) -> FloatTensor<Self> {
        let prepared = BernoulliLogProb.prepare::<C>([logits.node(), x.node()]).compute_bound().stateful();
        let (logits, x) = (logits.into_primitive(), x.into_primitive());
        match prepared {
            OpsKind::Tracked(prep) => prep.finish((logits.clone(), x.clone()), B::bernoulli_log_prob(logits, x)),
            OpsKind::UnTracked(prep) => prep.finish(B::bernoulli_log_prob(logits, x)),
        }
    }

    fn categorical_log_prob(logits: FloatTensor<Self>, class: IntTensor<Self>) -> FloatTensor<Self> {
        let prepared = CategoricalLogProb.prepare::<C>([logits.node()]).compute_bound().stateful();
        let logits = logits.into_primitive();
        match prepared {
            OpsKind::Tracked(prep) => {
                prep.finish((logits.clone(), class.clone()), B::categorical_log_prob(logits, class))
            }
            OpsKind::UnTracked(prep) => prep.finish(B::categorical_log_prob(logits, class)),
        }
    }

    fn beta_binomial_log_prob(
        log_alpha: FloatTensor<Self>,
        log_beta: FloatTensor<Self>,
        x: FloatTensor<Self>,
        trials: usize,
    ) -> FloatTensor<Self> {
        let nodes = [log_alpha.node(), log_beta.node()];
        let prepared = BetaBinomialLogProb.prepare::<C>(nodes).compute_bound().stateful();
        let [a, b, x] = [log_alpha, log_beta, x].map(|tensor| tensor.into_primitive());
        match prepared {
            OpsKind::Tracked(prep) => {
                let state = ([a.clone(), b.clone(), x.clone()], trials);
                prep.finish(state, B::beta_binomial_log_prob(a, b, x, trials))
            }
            OpsKind::UnTracked(prep) => prep.finish(B::beta_binomial_log_prob(a, b, x, trials)),
        }
    }

    fn discretized_logistic_mixture_log_prob(
        weight_logits: FloatTensor<Self>,
        mean: FloatTensor<Self>,
        log_scale: FloatTensor<Self>,
        x: FloatTensor<Self>,
        levels: usize,
    ) -> FloatTensor<Self> {
        let nodes = [weight_logits.node(), mean.node(), log_scale.node()];
        let prepared = DiscretizedLogisticMixtureLogProb.prepare::<C>(nodes).compute_bound().stateful();
        let [w, m, s, x] = [weight_logits, mean, log_scale, x].map(|tensor| tensor.into_primitive());
        match prepared {
            OpsKind::Tracked(prep) => {
                let state = ([w.clone(), m.clone(), s.clone(), x.clone()], levels);
                prep.finish(state, B::discretized_logistic_mixture_log_prob(w, m, s, x, levels))
            }
            OpsKind::UnTracked(prep) => prep.finish(B::discretized_logistic_mixture_log_prob(w, m, s, x, levels)),
        }
    }
}
