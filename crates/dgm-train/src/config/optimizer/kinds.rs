//! The optimisers that `[optimizer] kind` may name: one entry each, with its keys, their defaults and their ranges.

use super::GroupConfig;
use super::{LearningRateSchedule, OptimizerConfig, fraction, non_negative, positive, rate};
use crate::check::{Invalid, require};
use serde::{Deserialize, Deserializer, Serialize};

macro_rules! registry {
    ($(
        $(#[$doc:meta])*
        $kind:literal => $variant:ident($config:ident), learning_rate = $learning_rate:literal, weight_decay = $decay:literal {
            $($(#[$key_doc:meta])* $key:ident: $type:ty = $default:expr, $range:ident;)*
        }
    )+) => {
        /// The optimiser, with the keys that it alone has; the key `kind` of `[optimizer]` picks the variant.
        ///
        /// All of Burn's that take a step from a gradient, and Adamax. L-BFGS is not among them: its step evaluates the
        /// loss again along a line, which needs the same batch and the same noise each time, and its model of the
        /// curvature comes from differences of gradients, which the noise of mini-batches drowns.
        #[derive(Clone, Debug, PartialEq, Serialize)]
        #[serde(tag = "kind")]
        pub enum OptimizerKind {
            $(
                #[doc = concat!("`kind = \"", $kind, "\"`; `learning_rate = ", stringify!($learning_rate),
                    "`, `weight_decay = ", stringify!($decay), "`.\n")]
                $(#[$doc])*
                #[serde(rename = $kind)]
                $variant($config),
            )+
        }

        $(
            #[doc = concat!("The keys that `kind = \"", $kind, "\"` alone has.")]
            #[derive(Clone, Debug, PartialEq, Serialize)]
            pub struct $config {
                $(
                    $(#[$key_doc])*
                    #[doc = concat!("Default: ", stringify!($default), ".")]
                    pub $key: $type,
                )*
            }

            impl Default for $config {
                fn default() -> Self {
                    Self { $($key: $default),* }
                }
            }
        )+

        impl OptimizerKind {
            /// The names that `kind` may have.
            pub const KINDS: &[&str] = &[$($kind),+];

            /// The name of this optimiser.
            pub fn name(&self) -> &'static str {
                match self { $(Self::$variant(_) => $kind,)+ }
            }

            /// The learning rate where the configuration has none.
            pub fn default_learning_rate(&self) -> f64 {
                match self { $(Self::$variant(_) => $learning_rate,)+ }
            }

            /// The weight decay where the configuration has none.
            pub fn default_weight_decay(&self) -> f64 {
                match self { $(Self::$variant(_) => $decay,)+ }
            }

            /// Whether the optimiser's own keys are in range.
            pub(super) fn validate(&self) -> Result<(), Invalid> {
                match self {
                    $(Self::$variant(keys) => {
                        let $config { $($key),* } = keys;
                        $($range(*$key, stringify!($key))?;)*
                    })+
                }
                self.validate_together()
            }
        }

        impl OptimizerConfig {
            /// Reads the keys of the optimiser `kind` (the table without the key `kind` itself), its own and the common
            /// ones, keeping the positions that a TOML error points to. `None`: there is no optimiser of that name.
            pub(crate) fn deserialize_kind<'de, D: Deserializer<'de>>(
                kind: &str,
                table: D,
            ) -> Option<Result<Self, D::Error>> {
                match kind {
                    $($kind => Some({
                        #[derive(Deserialize)]
                        #[serde(default, deny_unknown_fields)]
                        struct Table {
                            learning_rate: f64,
                            weight_decay: f64,
                            $($key: $type,)*
                            gradient_clip_norm: Option<f64>,
                            warmup_steps: u64,
                            schedule: LearningRateSchedule,
                            groups: Vec<GroupConfig>,
                        }
                        impl Default for Table {
                            fn default() -> Self {
                                Self {
                                    learning_rate: $learning_rate,
                                    weight_decay: $decay,
                                    $($key: $default,)*
                                    gradient_clip_norm: None,
                                    warmup_steps: 0,
                                    schedule: LearningRateSchedule::Constant,
                                    groups: Vec::new(),
                                }
                            }
                        }
                        Table::deserialize(table).map(|table| Self {
                            kind: OptimizerKind::$variant($config { $($key: table.$key),* }),
                            learning_rate: table.learning_rate,
                            weight_decay: table.weight_decay,
                            gradient_clip_norm: table.gradient_clip_norm,
                            warmup_steps: table.warmup_steps,
                            schedule: table.schedule,
                            groups: table.groups,
                            players: Default::default(),
                        })
                    }),)+
                    _ => None,
                }
            }
        }
    };
}

registry! {
    /// Adam (Kingma and Ba 2015); with `amsgrad` that of Reddi et al. 2018. The decay is a penalty.
    "adam" => Adam(AdamConfig), learning_rate = 1e-3, weight_decay = 0.0 {
        /// Decay rate of the gradient's mean.
        beta_1: f64 = 0.9, rate;
        /// Decay rate of the gradient's second moment.
        beta_2: f64 = 0.999, rate;
        /// What is added to the denominator.
        epsilon: f64 = 1e-8, positive;
        /// Whether the second moment is the greatest so far.
        amsgrad: bool = false, either;
    }
    /// Adam with decoupled decay (Loshchilov and Hutter 2019).
    "adamw" => AdamW(AdamWConfig), learning_rate = 1e-3, weight_decay = 0.01 {
        /// Decay rate of the gradient's mean.
        beta_1: f64 = 0.9, rate;
        /// Decay rate of the gradient's second moment.
        beta_2: f64 = 0.999, rate;
        /// What is added to the denominator.
        epsilon: f64 = 1e-8, positive;
        /// Whether the second moment is the greatest so far.
        amsgrad: bool = false, either;
        /// Whether only those weights decay that the step shrinks too (Chen et al. 2025, arXiv 2510.12402).
        cautious_weight_decay: bool = false, either;
    }
    /// Adamax (Kingma and Ba 2015, algorithm 2). The decay is a penalty.
    "adamax" => Adamax(AdamaxConfig), learning_rate = 2e-3, weight_decay = 0.0 {
        /// Decay rate of the gradient's mean.
        beta_1: f64 = 0.9, rate;
        /// Decay rate of the gradient's infinity norm.
        beta_2: f64 = 0.999, rate;
        /// What is added to the denominator.
        epsilon: f64 = 1e-8, positive;
    }
    /// Stochastic gradient descent. The decay is a penalty.
    "sgd" => Sgd(SgdConfig), learning_rate = 1e-3, weight_decay = 0.0 {
        /// Part of the last step that is taken again.
        momentum: f64 = 0.0, rate;
        /// Part of the gradient that does not enter the momentum.
        dampening: f64 = 0.0, fraction;
        /// Whether the momentum is Nesterov's (Sutskever et al. 2013).
        nesterov: bool = false, either;
    }
    /// Adan (Xie et al. 2022). The decay is decoupled.
    "adan" => Adan(AdanConfig), learning_rate = 1e-3, weight_decay = 0.0 {
        /// Decay rate of the gradient's mean.
        beta_1: f64 = 0.98, rate;
        /// Decay rate of the mean of the gradient's differences.
        beta_2: f64 = 0.92, rate;
        /// Decay rate of the second moment.
        beta_3: f64 = 0.99, rate;
        /// What is added to the denominator.
        epsilon: f64 = 1e-8, positive;
        /// Whether the decay is (1 − lr · λ)θ before the step instead of the proximal θ / (1 + lr · λ) after it.
        no_prox: bool = false, either;
    }
    /// AdaGrad (Duchi et al. 2011). The decay is a penalty.
    "adagrad" => AdaGrad(AdaGradConfig), learning_rate = 1e-2, weight_decay = 0.0 {
        /// d in lr / (1 + d · t), on top of the schedule.
        learning_rate_decay: f64 = 0.0, non_negative;
        /// What is added to the denominator.
        epsilon: f64 = 1e-10, positive;
    }
    /// RMSProp (Tieleman and Hinton 2012); `centered` by Graves 2013. The decay is a penalty.
    "rmsprop" => RmsProp(RmsPropConfig), learning_rate = 1e-2, weight_decay = 0.0 {
        /// Decay rate of the gradient's second moment.
        alpha: f64 = 0.99, rate;
        /// Part of the last step that is taken again.
        momentum: f64 = 0.0, rate;
        /// What is added to the denominator.
        epsilon: f64 = 1e-8, positive;
        /// Whether the gradient's mean is taken out of its second moment.
        centered: bool = false, either;
    }
    /// Adafactor (Shazeer and Stern 2018), without a first moment. The decay is decoupled.
    "adafactor" => Adafactor(AdafactorConfig), learning_rate = 1e-2, weight_decay = 0.0 {
        /// What is added to the squared gradient.
        epsilon_1: f64 = 1e-30, positive;
        /// The least root mean square of a parameter for `scale_parameter`.
        epsilon_2: f64 = 1e-3, positive;
        /// The greatest root mean square of an update.
        clip_threshold: f64 = 1.0, positive;
        /// c in the decay rate of the second moment at step t, 1 − t^c.
        decay_rate: f64 = -0.8, negative;
        /// Whether the learning rate is at most 1 / √t.
        relative_step: bool = true, either;
        /// Whether the learning rate is multiplied by the parameter's root mean square.
        scale_parameter: bool = true, either;
    }
    /// LAMB (You et al. 2020). The decay is decoupled from the moments, but within the norm of the step.
    "lamb" => Lamb(LambConfig), learning_rate = 1e-3, weight_decay = 0.0 {
        /// Decay rate of the gradient's mean.
        beta_1: f64 = 0.9, rate;
        /// Decay rate of the gradient's second moment.
        beta_2: f64 = 0.999, rate;
        /// What is added to the denominator.
        epsilon: f64 = 1e-6, positive;
        /// Whether the step of each parameter is scaled to the parameter's norm.
        use_trust_ratio: bool = true, either;
    }
    /// Lion (Chen et al. 2023). The decay is decoupled.
    "lion" => Lion(LionConfig), learning_rate = 1e-4, weight_decay = 0.0 {
        /// The momentum's part in the step.
        beta_1: f64 = 0.9, rate;
        /// Decay rate of the momentum.
        beta_2: f64 = 0.99, rate;
    }
    /// Muon (Jordan et al. 2024) for the weights of linear layers and convolutions, AdamW for every other parameter. The
    /// decay is decoupled.
    "muon" => Muon(MuonConfig), learning_rate = 1e-3, weight_decay = 0.1 {
        /// Part of the last step that is taken again.
        momentum: f64 = 0.95, rate;
        /// Whether the momentum is Nesterov's.
        nesterov: bool = true, either;
        /// Newton–Schulz iterations that make a step orthogonal.
        newton_schulz_steps: u64 = 5, some_steps;
        /// How the step depends on the matrix's size. That of AdamW, as both share one learning rate.
        adjust_learning_rate: MuonAdjustment = MuonAdjustment::MatchRmsAdamw, either;
        /// AdamW's decay rate of the gradient's mean.
        beta_1: f64 = 0.9, rate;
        /// AdamW's decay rate of the gradient's second moment.
        beta_2: f64 = 0.999, rate;
        /// What AdamW adds to the denominator.
        epsilon: f64 = 1e-8, positive;
    }
}

/// What Muon multiplies the learning rate of an `[a, b]` matrix by, a its outputs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum MuonAdjustment {
    /// √max(1, a / b): Jordan et al. 2024.
    Original,
    /// 0.2 √max(a, b): steps of the size of AdamW's (Liu et al. 2025, arXiv 2502.16982).
    #[default]
    MatchRmsAdamw,
}

impl Default for OptimizerKind {
    fn default() -> Self {
        Self::Adam(AdamConfig::default())
    }
}

impl OptimizerKind {
    /// Whether keys that need each other agree.
    fn validate_together(&self) -> Result<(), Invalid> {
        match self {
            Self::Sgd(SgdConfig { momentum, dampening, nesterov: true }) => {
                require(*momentum > 0.0, "momentum", "a number above 0, which `nesterov` needs")?;
                require(*dampening == 0.0, "dampening", "0, which `nesterov` needs")
            }
            _ => Ok(()),
        }
    }
}

/// Every value is in range.
fn either<T>(_: T, _: &'static str) -> Result<(), Invalid> {
    Ok(())
}

fn negative(value: f64, key: &'static str) -> Result<(), Invalid> {
    require(value.is_finite() && value < 0.0, key, "a finite number below 0")
}

fn some_steps(value: u64, key: &'static str) -> Result<(), Invalid> {
    require((1..=100).contains(&value), key, "a whole number from 1 to 100")
}
