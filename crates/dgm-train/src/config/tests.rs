//! Tests of the configuration: what is read, and how errors read.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use super::*;
use dgm_core::schedule::{Annealing, Schedule};
use dgm_models::ObjectiveKind;
use dgm_models::objective::ElboConfig;

pub(super) const SMALL: &str = "[data]\nsource = \"digits\"\n[model]\nkind = \"vae\"\n";

pub(super) fn parse(text: &str, overrides: &[&str]) -> Result<Config> {
    let overrides: Vec<String> = overrides.iter().map(|&text| text.to_owned()).collect();
    Config::from_toml(text, "vae.toml", &overrides)
}

/// The message of the error that this gives after the smallest configuration.
pub(super) fn error(more: &str, overrides: &[&str]) -> String {
    let error = parse(&format!("{SMALL}{more}"), overrides).expect_err("an error");
    let message = error.to_string();
    assert_eq!(error.exit_code(), 2);
    assert!(!message.contains('\n'), "one line: {message}");
    message
}

#[test]
fn defaults_are_filled_in() {
    let config = parse(SMALL, &[]).unwrap();
    assert_eq!(config.seed, 0);
    assert_eq!(config.objective.kind, ObjectiveKind::Elbo(ElboConfig::default()));
    assert_eq!(config.optimizer, OptimizerConfig::default());
    assert_eq!(config.training, TrainingConfig::default());
    assert_eq!(config.evaluation, EvaluationConfig::default());
}

#[test]
fn what_is_written_is_read_back_equal() {
    let full = "seed = 18446744073709551615\n[data]\nsource = \"csv\"\npath = \"a b.csv\"\ntarget = [\"y\", 3]\nheader = true\n\
                delimiter = \"whitespace\"\n[model]\nkind = \"vae\"\nencoder = { kind = \"mlp\", dropout = 0.25 }\n[objective]\n\
                beta = { schedule = \"cyclical\", from = 0, to = 1.0, period = 10, ramp = 0.5 }\n[optimizer]\nkind = \"adamw\"\n\
                learning_rate = 3e-4\ngradient_clip_norm = 1.0\nschedule = \"cosine\"\n\
                groups = [{ match = \"encoder.*\", learning_rate_factor = 0 }, { match = \"*\", weight_decay = 0.5 }]\n[training]\nema_decay = 0.999\n\
                early_stopping = { patience = 20 }\n";
    let idx = SMALL.replace("\"digits\"", "\"idx\"\ntrain_images = 'a'\ntest_images = 'b'\nbinarize = 'dynamic'");
    for text in [SMALL, full, &idx] {
        let config = parse(text, &[]).unwrap();
        let written = config.to_toml().unwrap();
        assert_eq!(parse(&written, &[]).unwrap(), config, "{written}");
        assert_eq!(parse(&written, &[]).unwrap().to_toml().unwrap(), written);
    }
    let written = parse(SMALL, &[]).unwrap().to_toml().unwrap();
    for key in ["seed = 0", "learning_rate = 0.001", "epochs = 100", "evaluate_every = 1", "target = \"image\""] {
        assert!(written.contains(key), "{key} in:\n{written}");
    }
}

#[test]
fn overrides_lie_on_top() {
    let config = parse(
        &format!("{SMALL}[training]\nepochs = 7\n"),
        &[
            "training.epochs=5",
            "seed = 3",
            "optimizer.kind=sgd",
            "training.early_stopping.patience=2",
            "objective.beta={schedule='linear',from=0,to=1,steps=5}",
            "model.latent=5",
        ],
    )
    .unwrap();
    assert_eq!((config.training.epochs, config.seed, config.optimizer.kind.name()), (5, 3, "sgd"));
    assert_eq!(config.training.early_stopping, Some(EarlyStopping { patience: 2 }));
    let annealed = |annealing| ObjectiveKind::Elbo(ElboConfig { beta: Schedule::Annealed(annealing), free_bits: None });
    assert_eq!(config.objective.kind, annealed(Annealing::Linear { from: 0.0, to: 1.0, steps: 5 }));
    let sigmoid = "objective.beta={schedule='sigmoid',from=0,to=1,midpoint=100,width=20}";
    let expected = Annealing::Sigmoid { from: 0.0, to: 1.0, midpoint: 100, width: 20.0 };
    assert_eq!(parse(SMALL, &[sigmoid]).unwrap().objective.kind, annealed(expected));
    let error = parse(SMALL, &[&sigmoid.replace("width=20", "width=0")]).unwrap_err().to_string();
    assert!(error.contains("beta.width") && error.contains("above 0"), "{error}");
    let config = parse("", &["data.source=digits", "model.kind=\"vae\""]).unwrap();
    assert_eq!(config.model.kind(), "vae");
}

#[test]
fn keys_of_earlier_versions_are_refused_with_the_new_ones() {
    for (old, expected) in [
        (
            "components = 3",
            "model.components: its place has changed; write likelihood = { kind = \"beta_binomial\", components = 3 }",
        ),
        (
            "hidden = [8]",
            "model.hidden: its place has changed; write encoder = { kind = \"mlp\", hidden = [8] }, and decoder with them",
        ),
        ("dropout = 0.5", "model.dropout: its place has changed; write encoder = { kind = \"mlp\", dropout = 0.5 }"),
        (
            "decoder_dropout = 0.5",
            "model.decoder_dropout: its place has changed; write decoder = { kind = \"mlp\", dropout = 0.5 }",
        ),
    ] {
        let message = error(&format!("{old}\n"), &[]);
        assert!(message.starts_with(&format!("vae.toml:5: {expected}")), "{message}");
    }
    // Of another kind they are as they were.
    let mlp = SMALL.replace("vae", "conditional_mlp") + "hidden = [8]\ndropout = 0.5\n";
    assert!(parse(&mlp, &[]).is_ok());
}

#[test]
fn a_key_is_set_in_the_short_form_of_a_part() {
    let set = |sets: &[&str]| parse(SMALL, sets).unwrap().model;
    let long = set(&["model.prior={kind=\"vamp\",components=3}"]);
    assert_eq!(set(&["model.prior=vamp", "model.prior.components=3"]), long);
    let text = SMALL.replace("[model]\n", "[model]\nprior = \"vamp\"\n");
    assert_eq!(parse(&text, &["model.prior.components=3"]).unwrap().model, long);
    let message = parse(SMALL, &["model.latent=3", "model.latent.a=1"]).unwrap_err().to_string();
    let expected = "--set model.latent.a=1: model.latent is neither a table nor a name there; set it as a whole, --set model.latent=…";
    assert_eq!(message, expected);
}

#[test]
fn a_wrong_value_inside_a_part_names_its_key() {
    let prior = |value: &str| format!("[model]\nprior = {{ kind = \"vamp\", components = {value} }}\n");
    let whole = "expected a whole number, not negative";
    for (found, expected) in
        [("-1", "-1"), ("1.5", "1.5"), ("\"x\"", "\"x\""), ("[]", "a list"), ("{ a = 1 }", "a table")]
    {
        let text = SMALL.replace("[model]\n", &prior(found));
        let message = parse(&text, &[]).unwrap_err().to_string();
        assert_eq!(message, format!("vae.toml:4: model.prior.components: found {expected}; {whole}"));
    }
    for (set, expected) in [
        ("model.prior.components=x", format!("model.prior.components: found \"x\"; {whole}")),
        (
            "model.prior.component=3",
            "unknown key `component` in model.prior; did you mean `components`? (allowed: ".into(),
        ),
        ("objective.beta.steps=-1", format!("objective.beta.steps: found -1; {whole}")),
        ("objective.beta.from=true", "objective.beta.from: found true; expected a number".into()),
        ("model.encoder.hidden=[8, -1]", format!("model.encoder.hidden: found -1; {whole}")),
    ] {
        let text = SMALL.replace("[model]\n", &prior("3"));
        let text =
            text + "encoder = \"mlp\"\n[objective]\nbeta = { schedule = \"linear\", from = 0, to = 1, steps = 5 }\n";
        let message = parse(&text, &[set]).unwrap_err().to_string();
        assert!(message.starts_with(&format!("--set {set}: {expected}")), "{message}");
    }
}

#[test]
fn a_custom_model_may_have_a_key_of_earlier_versions() {
    #[derive(Clone, Debug, PartialEq, serde::Serialize, serde::Deserialize)]
    #[serde(tag = "kind", rename = "own", deny_unknown_fields)]
    struct Own {
        components: usize,
    }
    impl dgm_models::ModelFactory for Own {
        type Model = dgm_models::AnyModel;
        const KINDS: &'static [&'static str] = &["own"];

        fn init(
            &self,
            _: &dgm_models::DataSpec,
            _: &mut dgm_core::random::Stream,
            _: &burn::tensor::Device,
        ) -> std::result::Result<Self::Model, dgm_models::ModelError> {
            unreachable!("it is only read")
        }
    }
    let text = "[data]\nsource = \"digits\"\n[model]\nkind = \"own\"\ncomponents = 3\n";
    assert_eq!(Config::<Own>::from_toml(text, "own.toml", &[]).unwrap().model, Own { components: 3 });
}

#[test]
fn errors_of_the_file_name_line_and_key() {
    for (more, expected) in [
        (
            "[training]\nepoch = 5\n",
            "vae.toml:6: unknown key `epoch` in [training]; did you mean `epochs`? (allowed: epochs, batch_size, \
             micro_batch_size, early_stopping, max_minutes, ema_decay, evaluate_every, report_every, \
             checkpoint_every, keep_checkpoints, ensemble, nonfinite, tensorboard)",
        ),
        ("[training]\n\nepochs = 0\n", "vae.toml:7: training.epochs is 0; expected a whole number of at least 1"),
        ("[training]\nepochs = -1\n", "vae.toml:6: training.epochs: found -1; expected a whole number, not negative"),
        (
            "[training]\nepochs = \"x\"\n",
            "vae.toml:6: training.epochs: found \"x\"; expected a whole number, not negative",
        ),
        (
            "[training]\nearly_stopping = { patience = 0 }\n",
            "vae.toml:6: training.early_stopping.patience is 0; expected a whole number of at least 1",
        ),
        (
            "[training]\nearly_stopping = { patince = 1 }\n",
            "vae.toml:6: unknown key `patince` in training.early_stopping; did you mean `patience`? (allowed: patience)",
        ),
        ("[training.early_stopping]\n", "vae.toml:5: training.early_stopping needs the key `patience`"),
        (
            "[training]\nema_decay = 1.0\n",
            "vae.toml:6: training.ema_decay is 1.0; expected a number of at least 0 and below 1",
        ),
        (
            "[optimizer]\nlearning_rate = nan\n",
            "vae.toml:6: optimizer.learning_rate is nan; expected a finite number above 0",
        ),
        (
            "[optimizer]\nkind = \"adma\"\n",
            "vae.toml:6: optimizer.kind: there is no `adma`; did you mean `adam`? (known: adam, adamw, adamax, sgd, adan, \
             adagrad, rmsprop, adafactor, lamb, lion, muon)",
        ),
        (
            "[objective]\nbeta = \"linear\"\n",
            "vae.toml:6: objective.beta: found \"linear\"; expected a number, or a table such as { schedule = \
             \"linear\", from = 0.0, to = 1.0, steps = 500 }",
        ),
        (
            "[objective]\nbeta = { schedule = \"linaer\", from = 0.0 }\n",
            "vae.toml:6: objective.beta.schedule: there is no `linaer`; did you mean `linear`? (known: linear, cosine, sigmoid, cyclical)",
        ),
        (
            "[objective]\nbeta = { schedule = \"linear\", from = 0.0, to = 1.0 }\n",
            "vae.toml:6: objective.beta needs the key `steps`",
        ),
        (
            "[objective]\nbeta = { schedule = \"linear\", from = -1.0, to = 1.0, steps = 5 }\n",
            "vae.toml:6: objective.beta.from is -1.0; expected a finite number of at least 0",
        ),
        (
            "[evaluation]\nsamples = 0\n",
            "vae.toml:6: evaluation.samples is 0; expected a whole number from 1 to 100000",
        ),
        (
            "[optimiser]\nkind = \"adam\"\n",
            "vae.toml:5: unknown key `optimiser`; did you mean `optimizer`? (allowed at the top: seed, data_seed, [data], [model], \
             [objective], [optimizer], [training], [evaluation], [tune])",
        ),
        (
            "latnt = 3\n",
            "vae.toml:5: unknown key `latnt` in [model] with kind = \"vae\"; did you mean `latent`? (allowed: ",
        ),
        ("latent = true\n", "vae.toml:5: model.latent: found true; expected a whole number, not negative"),
    ] {
        let message = error(more, &[]);
        assert!(message.starts_with(expected), "\n   found: {message}\nexpected: {expected}");
    }
    let message = parse("seed = -1", &[]).unwrap_err().to_string();
    assert_eq!(message, "vae.toml:1: seed: found -1; expected a whole number, not negative");
    let message = parse("[data\n", &[]).unwrap_err().to_string();
    assert!(message.starts_with("vae.toml:1: not valid TOML: "), "{message}");
    let message = parse("training = 3\n[data]\nsource='digits'\n[model]\nkind='vae'", &[]).unwrap_err().to_string();
    assert_eq!(
        message,
        "vae.toml:1: `training` is a table, [training]; found: integer; write [training] and below it its keys"
    );
}

#[test]
fn errors_of_sources_and_kinds_name_what_there_is() {
    let with =
        |data: &str, model: &str| parse(&format!("[data]\n{data}\n[model]\n{model}\n"), &[]).unwrap_err().to_string();
    let sources = DataConfig::SOURCES.join(", ");
    assert_eq!(
        with("", "kind='vae'"),
        format!("vae.toml:1: [data] needs the key `source`; set it to one of: {sources}")
    );
    assert_eq!(
        with("source='digit'", "kind='vae'"),
        format!(
            "vae.toml:2: data.source: there is no `digit`; did you mean `digits`? (known: {sources}); name one of them"
        )
    );
    assert!(with("source='digits'", "").starts_with("vae.toml:3: [model] needs the key `kind`; set it to one of: "));
    assert!(with("source='digits'", "kind='vea'").contains("there is no `vea`; did you mean `vae`? (known: "));
    assert_eq!(
        with("source='idx'", "kind='vae'"),
        "vae.toml:1: [data] with source = \"idx\" needs the key `train_images`; set it"
    );
    assert_eq!(
        with("source='digits'\ntarget='label'\ncondition='label'", "kind='vae'"),
        "vae.toml:4: data.condition is \"label\"; expected something else than data.target"
    );
    assert_eq!(
        with("source='csv'\npath='a'\ntarget=[0]\ntest_fraction=1.5", "kind='vae'"),
        "vae.toml:5: data.test_fraction is 1.5; expected a number above 0 and below 1"
    );
    assert_eq!(
        with("source='csv'\npath='a'\ntarget=[0.5]", "kind='vae'"),
        "vae.toml:4: data.target: found 0.5; expected the index of a column (0, 1, …) or its name in quotes"
    );
    let nothing = parse("", &[]).unwrap_err().to_string();
    assert_eq!(nothing, format!("vae.toml: [data] needs the key `source`; set it to one of: {sources}"));
}

#[test]
fn errors_of_an_override_name_the_override() {
    for (assignment, expected) in [
        ("training.epochs=0", "--set training.epochs=0: training.epochs is 0; expected a whole number of at least 1"),
        (
            "training.epoch=1",
            "--set training.epoch=1: unknown key `epoch` in [training]; did you mean `epochs`? (allowed: ",
        ),
        (
            "training.early_stopping={}",
            "--set training.early_stopping={}: training.early_stopping needs the key `patience`",
        ),
        ("training.epochs", "--set training.epochs: no `=` in it; write key=value, such as training.epochs=5"),
        ("=5", "--set =5: `` is not a key; write key=value, such as training.epochs=5"),
        ("a..b=5", "--set a..b=5: `a..b` is not a key; "),
        ("modle.kind=vae", "--set modle.kind=vae: unknown key `modle`; did you mean `model`? (allowed at the top: "),
        ("model.kind=vea", "--set model.kind=vea: model.kind: there is no `vea`; did you mean `vae`?"),
        ("data.source.a=1", "--set data.source.a=1: data.source: expected a string, found: table; set it to one of: "),
        ("model.prior={kind=\"vamp\"", "--set model.prior={kind=\"vamp\": not valid TOML: "),
        ("model.prior={kind=3}", "--set model.prior={kind=3}: model.prior.kind: found 3; expected the name of a kind"),
        ("optimizer.kind=", "--set optimizer.kind=: optimizer.kind: there is no ``"),
        (
            "a.b.c.d.e.f.g.h.i=1",
            "--set a.b.c.d.e.f.g.h.i=1: found a key of 9 parts, more than any has; write key=value",
        ),
        (
            "model.prior={kind=\"mixtur\"}",
            "--set model.prior={kind=\"mixtur\"}: model.prior.kind: there is no `mixtur`; did you mean `mixture`?",
        ),
        (
            "training.nonfinite={limit=3, policy=\"skp\"}",
            "--set training.nonfinite={limit=3, policy=\"skp\"}: training.nonfinite.policy: there is no `skp`; did you mean `skip`?",
        ),
        (
            "optimizer.groups=[{match=\"*\", weight_decay=1}, {match=\"a\", weightdecay=1}]",
            "--set optimizer.groups=[{match=\"*\", weight_decay=1}, {match=\"a\", weightdecay=1}]: unknown key `weightdecay` in \
             optimizer.groups; did you mean `weight_decay`?",
        ),
        (
            "optimizer.schedule.kind=step",
            "--set optimizer.schedule.kind=step: optimizer.schedule needs the key `every`; set it",
        ),
        (
            "optimizer.players.critic={knd=1}",
            "--set optimizer.players.critic={knd=1}: unknown key `knd` in [optimizer.players.critic] with kind = \"adam\"; did you mean \
             `kind`? (allowed: kind, ",
        ),
        ("seed=x", "--set seed=x: seed: found \"x\"; expected a whole number, not negative"),
    ] {
        let message = error("[training]\nbatch_size = 3\n", &[assignment]);
        assert!(message.starts_with(expected), "\n   found: {message}\nexpected: {expected}");
    }
}

#[test]
fn errors_name_the_override_that_they_are_of() {
    let wrong = "evaluation = { samples = 0 }";
    for sets in
        [[wrong, "seed=3", "training.epochs=5"], ["seed=3", wrong, "training.epochs=5"], ["seed=3", "seed=4", wrong]]
    {
        let message = error("", &sets);
        assert!(message.starts_with(&format!("--set {wrong}: evaluation.samples is 0; ")), "{sets:?}: {message}");
    }
    let sets = ["model.prior={kind='vamp'}".to_owned(), " optimizer . learning_rate = 1.0".to_owned()];
    for (key, expected) in [
        (["model", "prior"], "--set model.prior={kind='vamp'}: "),
        (["model", "prior.kind"], "--set model.prior={kind='vamp'}: "),
        (["optimizer", "learning_rate"], "--set  optimizer . learning_rate = 1.0: "),
        (["data", "source"], "vae.toml:2: "),
        (["training", "epochs"], ""),
    ] {
        assert_eq!(place_of(SMALL, "vae.toml", &sets, &key), expected, "{key:?}");
    }
}

#[test]
fn how_often_and_what_then() {
    let training = |more: &str| -> std::result::Result<TrainingConfig, String> {
        let text = format!("[data]\nsource = \"digits\"\n[model]\nkind = \"vae\"\n[training]\n{more}\n");
        let config: Config = Config::from_toml(&text, "vae.toml", &[]).map_err(|error| error.to_string())?;
        assert_eq!(Config::from_toml(&config.to_toml().unwrap(), "again", &[]).unwrap(), config, "{more}");
        Ok(config.training)
    };
    let every = |epochs, steps, minutes| CheckpointEvery { epochs, steps, minutes };
    for (value, expected) in [
        ("3", every(Some(3), None, None)),
        ("{ steps = 7 }", every(None, Some(7), None)),
        ("{ epochs = 1, steps = 500, minutes = 0.5 }", every(Some(1), Some(500), Some(0.5))),
    ] {
        assert_eq!(training(&format!("checkpoint_every = {value}")).unwrap().checkpoint_every, expected);
    }
    assert_eq!(training("evaluate_every = 2").unwrap().evaluate_every, EvaluateEvery::Epochs(2));
    assert_eq!(training("evaluate_every = { epochs = 2 }").unwrap().evaluate_every, EvaluateEvery::Epochs(2));
    assert_eq!(training("evaluate_every = { steps = 2 }").unwrap().evaluate_every, EvaluateEvery::Steps { steps: 2 });
    for (value, expected) in [
        ("\"stop\"", NonFinite::Stop),
        ("\"skip\"", NonFinite::Skip { limit: 10 }),
        ("{ policy = \"skip\", limit = 3 }", NonFinite::Skip { limit: 3 }),
        ("\"lower_lr_and_restore\"", NonFinite::LowerLrAndRestore { limit: 5, factor: 0.5 }),
        ("{ policy = \"lower_lr_and_restore\", factor = 0.1 }", NonFinite::LowerLrAndRestore { limit: 5, factor: 0.1 }),
    ] {
        assert_eq!(training(&format!("nonfinite = {value}")).unwrap().nonfinite, expected);
    }
    for (more, expected) in [
        (
            "checkpoint_every = \"often\"",
            "expected a number of epochs, or a table such as { steps = 500, minutes = 10.0 }",
        ),
        ("checkpoint_every = {}", "expected one at least of epochs, steps and minutes"),
        ("checkpoint_every = { hours = 1 }", "unknown key `hours`"),
        ("checkpoint_every = -1", "expected a number of epochs"),
        ("evaluate_every = { minutes = 1 }", "training.evaluate_every: there is no `minutes` (known: epochs, steps)"),
        ("evaluate_every = 0", "expected a whole number of at least 1"),
        ("nonfinite = \"skp\"", "did you mean `skip`? (known: stop, skip, lower_lr_and_restore)"),
        ("nonfinite = 3", "expected \"stop\", \"skip\" or \"lower_lr_and_restore\""),
        ("nonfinite = { policy = \"skip\", factor = 0.5 }", "has a `factor`"),
        ("nonfinite = { policy = \"lower_lr_and_restore\", factor = 2.0 }", "a number above 0 and below 1"),
        ("max_minutes = 0", "expected a finite number above 0"),
        ("micro_batch_size = 0", "expected a whole number of at least 1"),
    ] {
        let text = training(more).unwrap_err();
        assert!(text.starts_with("vae.toml:6: ") && text.contains(expected), "{more}: {text}");
    }
}

#[test]
fn nesting_without_end_is_refused() {
    // Deep enough to run over the stack, were it followed to its end.
    let path = "a.".repeat(64_000) + "a";
    for table in ["", "model.", "training.early_stopping."] {
        assert!(error("", &[&format!("{table}{path}=1")]).contains("parts"));
        assert!(error("", &[&format!("seed={}", "[".repeat(64_000))]).contains("not valid TOML"));
    }
    for text in [format!("{path}=1"), format!("[{path}]"), "a=".to_owned() + &"[".repeat(64_000), "a={".repeat(64_000)]
    {
        assert!(parse(&text, &[]).unwrap_err().to_string().contains("not valid TOML"));
    }
}

#[test]
fn the_examples_of_the_documentation_are_valid() {
    let text = include_str!("../../../../docs/optimizers.md");
    for text in [text, include_str!("../../../../docs/training.md")] {
        let examples = text.split("```toml\n").skip(1).map(|rest| rest.split("```").next().unwrap());
        let read = examples.map(|example| parse(example, &[]).unwrap_or_else(|error| panic!("{error}\n{example}")));
        assert!(read.count() > 0);
    }
    // Every optimiser has its line, with every key and its default.
    for kind in OptimizerKind::KINDS {
        let written = parse(&format!("{SMALL}[optimizer]\nkind = \"{kind}\"\n"), &[]).unwrap().to_toml().unwrap();
        let keys = written.split("[optimizer]").nth(1).unwrap().split('[').next().unwrap().lines();
        let row = text.lines().find(|line| line.starts_with(&format!("| `{kind}` ")));
        let row = row.unwrap_or_else(|| panic!("no line for {kind}"));
        let common = ["kind", "warmup_steps", "groups"];
        for key in
            keys.filter_map(|line| line.split_once(" = ").map(|(key, _)| key)).filter(|key| !common.contains(key))
        {
            assert!(row.contains(key) || ["learning_rate", "weight_decay"].contains(&key), "{key} in {row}");
        }
    }
}

#[test]
fn names_with_line_breaks_stay_on_the_line() {
    for more in ["\"a\\nb\" = 1\n", "[optimizer]\nkind = \"a\\r\\nb\"\n", "[\"a\\u001b[2J\"]\n"] {
        assert!(!error(more, &[]).contains(char::is_control));
    }
    assert!(error("", &["model.kind=a\nb"]).contains("a\\nb"));
}

#[test]
fn ensemble_members_are_runs_that_share_the_data() {
    let config = |more: &str, set: &[&str]| {
        let text = format!("seed = 7\n{SMALL}[training]\nepochs = 3\n{more}\n");
        parse(&text, set).unwrap()
    };
    for none in ["", "ensemble = 1"] {
        assert_eq!(config(none, &[]).members(), None);
    }
    let members = config("ensemble = 3", &[]).members().unwrap();
    let seeds: Vec<_> = members.iter().map(|member| (member.seed, member.data_seed)).collect();
    assert_eq!(seeds, [(7, None), (1_000_010, Some(7)), (2_000_013, Some(7))]);
    // The first is the run without the ensemble, and each is read back as it was written.
    assert_eq!(members[0], config("", &[]));
    for member in &members {
        assert_eq!(parse(&member.to_toml().unwrap(), &[]).unwrap(), *member);
    }
    // The greatest seed has members too.
    let members = config("ensemble = 100", &["seed=18446744073709551615", "data_seed=3"]).members().unwrap();
    assert_eq!((members.len(), members[1].seed, members[0].data_seed), (100, 1_000_002, Some(3)));
    assert!(members.iter().all(|member| member.data_seed == Some(3) && member.to_toml().is_ok()));
    for wrong in ["0", "101"] {
        let message = error(&format!("[training]\nensemble = {wrong}\n"), &[]);
        let expected = format!("vae.toml:6: training.ensemble is {wrong}; expected a whole number from 1 to 100");
        assert_eq!(message, expected);
    }
}

#[test]
fn a_list_has_as_many_values_as_are_read() {
    for (size, found) in [("[8, 8, 8]", "3 values"), ("[8]", "1 value"), ("[]", "0 values")] {
        let text =
            format!("[data]\nsource = \"synthetic\"\nkind = \"bernoulli\"\nsize = {size}\n[model]\nkind = \"vae\"\n");
        let error = parse(&text, &[]).unwrap_err().to_string();
        assert_eq!(error, format!("vae.toml:4: data.size: found a list of {found}; expected a list of 2 values"));
    }
}
