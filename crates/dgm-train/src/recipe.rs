//! A configuration that suits a data set: which model, how large, how long, as text with comments.
//!
//! The sizes follow those of the shipped configurations, between few examples and many; they are a place to start from, not the end
//! of a search.

use dgm_models::{DataSpec, Values};

use crate::data::Dataset;
use crate::report::grid;

/// What a model of the data is asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Task {
    /// One real number given a condition.
    Regression,
    /// A label given a condition.
    Classification,
    /// Images of levels.
    Images,
    /// Tokens of a text.
    Text,
    /// Real numbers without a condition.
    Density,
    /// Several real numbers, jointly, given a condition.
    ConditionalDensity,
    /// Rows of numbers and words, of which some may be missing.
    Rows,
}

impl Task {
    /// What these data are for.
    pub fn of(dataset: &Dataset) -> Self {
        let DataSpec { shape, values, condition } = &dataset.spec;
        match (values, condition) {
            _ if dataset.tokens().is_some() => Self::Text,
            (Values::Levels(_), Some(_)) if *shape == [1, 1, 1] => Self::Classification,
            (Values::Levels(_), _) => Self::Images,
            (Values::Real(_), Some(_)) if dataset.spec.event() == 1 => Self::Regression,
            (Values::Real(_), Some(_)) => Self::ConditionalDensity,
            (Values::Real(_), None) => Self::Density,
            (Values::Columns(_), _) => Self::Rows,
        }
    }

    /// In a comment.
    fn name(self) -> &'static str {
        match self {
            Self::Regression => "Heteroscedastic regression",
            Self::Classification => "Classification",
            Self::Images => "Density of images",
            Self::Text => "Language model",
            Self::Density => "Density of real numbers",
            Self::Rows => "Density of rows",
            Self::ConditionalDensity => "Joint density of real numbers given a condition",
        }
    }
}

/// Training examples → a number between two, evenly on a logarithmic scale between 500 and 50000 of them.
fn between(n: usize, small: f64, large: f64) -> f64 {
    let part = ((n as f64 / 500.0).ln() / 100f64.ln()).clamp(0.0, 1.0);
    small * (large / small).powf(part)
}

/// The power of two that is next to x.
fn power_of_two(x: f64) -> usize {
    1 << x.max(1.0).log2().round() as u32
}

/// Everything below `[data]` for this data set, with a comment beside each choice.
pub fn recipe(dataset: &Dataset) -> String {
    let n = dataset.train.len();
    let batch = power_of_two(between(n, 32.0, 256.0));
    match Task::of(dataset) {
        Task::Regression => conditional(n, batch, "normal", "a mean and a standard deviation for each condition"),
        Task::Classification => conditional(n, batch, "categorical", "a probability for each class"),
        Task::Images => images(dataset, batch),
        Task::Text => text(dataset),
        Task::Density => density(dataset, batch),
        Task::ConditionalDensity if dataset.spec.shape[1] > 1 => density(dataset, batch),
        Task::Rows | Task::ConditionalDensity => rows(n, batch),
    }
}

/// The first line of the file.
pub fn headline(dataset: &Dataset) -> String {
    format!("# {} of {}, written by `dgm-train new`.\n", Task::of(dataset).name(), dataset.name)
}

/// Epochs that make about so many steps.
fn epochs(n: usize, batch: usize, steps: f64) -> usize {
    let per_epoch = n.div_ceil(batch).max(1) as f64;
    ((steps / per_epoch).round() as usize).clamp(10, 1000)
}

/// What trains a network on a table: AdamW with a cosine, early stopping, an average of the weights.
fn training(rate: &str, decay: &str, ema: &str, epochs: usize, batch: usize) -> String {
    format!(
        "\n\
         [optimizer]\n\
         kind = \"adamw\"\n\
         learning_rate = {rate}\n\
         weight_decay = {decay}\n\
         schedule = \"cosine\"\n\
         gradient_clip_norm = 10.0\n\
         \n\
         [training]\n\
         epochs = {epochs}                # the most; early stopping may end before\n\
         batch_size = {batch}\n\
         ema_decay = {ema:<15} # the moving average of the weights is what is evaluated\n\
         early_stopping = {{ patience = {} }}\n",
        (epochs / 5).max(5)
    )
}

fn conditional(n: usize, batch: usize, likelihood: &str, what: &str) -> String {
    let width = power_of_two(between(n, 64.0, 256.0));
    let epochs = epochs(n, batch, between(n, 6000.0, 20_000.0));
    format!(
        "[model]\n\
         kind = \"conditional_mlp\"\n\
         hidden = [{width}, {width}]         # widths of the hidden layers; more for more rows\n\
         dropout = 0.1               # more where validation is much worse than training\n\
         likelihood = \"{likelihood}\"   # {what}\n{}",
        training(if n < 5000 { "3e-3" } else { "1e-3" }, "0.01", "0.99", epochs, batch)
    )
}

fn images(dataset: &Dataset, batch: usize) -> String {
    let [_, rows, columns] = dataset.spec.shape;
    let n = dataset.train.len();
    let Values::Levels(levels) = dataset.spec.values else { return String::new() };
    let likelihood = match levels {
        2 => "likelihood = \"bernoulli\"    # two levels".to_owned(),
        3..=32 => "likelihood = { kind = \"beta_binomial\", components = 3 }   # a mixture over ordered levels".into(),
        _ => {
            "likelihood = { kind = \"discretized_logistic\", components = 5 }   # a mixture over ordered levels".into()
        }
    };
    let small = rows * columns <= 1024 && grid::is_image(&dataset.spec);
    let batch = batch.min(64);
    let model = match small {
        true => format!(
            "kind = \"pixel_cnn\"          # exact likelihoods, pixel by pixel\n\
             channels = {}\n\
             layers = 6\n\
             dropout = {}",
            if rows * columns <= 128 { 64 } else { 32 },
            if n < 5000 { "0.5" } else { "0.1" }
        ),
        false => "kind = \"vae\"                # a bound of the likelihood; a PixelCNN is exact, and slow on images of this size\n\
                  latent = 32\n\
                  encoder = { kind = \"mlp\", hidden = [512, 512], dropout = 0.1 }\n\
                  decoder = { kind = \"mlp\", hidden = [512, 512] }"
            .into(),
    };
    format!(
        "[model]\n{model}\n{likelihood}\n\
         \n\
         [optimizer]\n\
         kind = \"adamw\"\n\
         learning_rate = {}\n\
         weight_decay = 0.05\n\
         warmup_steps = 100\n\
         schedule = {{ kind = \"cosine\", final_fraction = 0.02 }}\n\
         gradient_clip_norm = 10.0\n\
         \n\
         [training]\n\
         epochs = {}                 # the most; early stopping may end before\n\
         batch_size = {batch}\n\
         ema_decay = 0.995           # the moving average of the weights is what is evaluated\n\
         early_stopping = {{ patience = 20 }}\n",
        if small { "2e-3" } else { "1e-3" },
        epochs(n, batch, 5000.0).min(200)
    )
}

fn text(dataset: &Dataset) -> String {
    let n = dataset.train.len();
    let (batch, length) = (16, dataset.spec.event());
    // So many layers see the whole example: 1, 2, 4, … symbols back.
    let cycle = (length.max(2) as f64).log2().ceil() as usize;
    format!(
        "[model]\n\
         kind = \"causal_conv\"\n\
         channels = {}\n\
         layers = {}                 # twice through the dilations 1, 2, 4, …, which reach {length} symbols back\n\
         kernel = 2\n\
         dilation_base = 2\n\
         dilation_cycle = {cycle}\n\
         dropout = 0.1\n\
         \n\
         [optimizer]\n\
         kind = \"muon\"\n\
         learning_rate = 8e-3\n\
         weight_decay = 0.05\n\
         warmup_steps = 100\n\
         gradient_clip_norm = 1.0\n\
         schedule = {{ kind = \"cosine\", final_fraction = 0.02 }}\n\
         \n\
         [training]\n\
         epochs = {}                  # the most; early stopping may end before\n\
         batch_size = {batch}\n\
         ema_decay = 0.99            # the moving average of the weights is what is evaluated\n\
         early_stopping = {{ patience = 10 }}\n",
        power_of_two(between(n, 48.0, 128.0)),
        2 * cycle,
        epochs(n, batch, 2000.0).min(100)
    )
}

fn density(dataset: &Dataset, batch: usize) -> String {
    let n = dataset.train.len();
    let [_, rows, columns] = dataset.spec.shape;
    let model = match rows {
        1 => {
            let cycle = (columns.max(2) as f64).log2().ceil() as usize;
            format!(
                "kind = \"causal_conv\"        # an exact density: each column given those before it\n\
                 channels = {}\n\
                 layers = {}\n\
                 kernel = 2\n\
                 dilation_base = 2\n\
                 dilation_cycle = {cycle}\n\
                 dropout = 0.1",
                power_of_two(between(n, 32.0, 64.0)),
                2 * cycle
            )
        }
        _ => "kind = \"vae\"\nlatent = 16\nencoder = { kind = \"mlp\", hidden = [256, 256], dropout = 0.1 }\n\
              decoder = { kind = \"mlp\", hidden = [256, 256] }"
            .into(),
    };
    let epochs = epochs(n, batch, between(n, 4000.0, 10_000.0));
    format!(
        "[model]\n{model}\n\
         likelihood = \"normal\"\n{}",
        training("2e-3", "0.01", "0.99", epochs, batch)
    )
}

fn rows(n: usize, batch: usize) -> String {
    let width = power_of_two(between(n, 64.0, 256.0));
    let epochs = epochs(n, batch, between(n, 10_000.0, 40_000.0));
    format!(
        "[model]\n\
         kind = \"any_order_mlp\"      # an exact density: each column given any others; samples, scores and fills in\n\
         hidden = [{width}, {width}, {width}]    # width of the network, and of its residual blocks; more for more rows\n\
         dropout = {}               # more where validation is much worse than training\n\
         likelihood = {{ kind = \"normal_mixture\", components = 5 }}   # of the numbers\n{}",
        if n < 5000 { "0.1" } else { "0.0" },
        training("2e-3", "0.02", "0.995", epochs, batch)
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_follow_the_number_of_examples() {
        assert_eq!(
            [10, 500, 5000, 50_000, 1_000_000].map(|n| power_of_two(between(n, 64.0, 256.0))),
            [64, 64, 128, 256, 256]
        );
        // 100 rows in batches of 32 are 4 steps per epoch.
        assert_eq!([epochs(100, 32, 6000.0), epochs(1000, 50, 6000.0), epochs(1 << 20, 256, 6000.0)], [1000, 300, 10]);
    }
}
