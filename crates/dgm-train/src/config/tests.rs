//! Tests of the configuration: what is read, and how errors read.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use super::*;

const SMALL: &str = "[data]\nsource = \"digits\"\n[model]\nkind = \"vae\"\n";

fn parse(text: &str, overrides: &[&str]) -> Result<Config> {
    let overrides: Vec<String> = overrides.iter().map(|&text| text.to_owned()).collect();
    Config::from_toml(text, "vae.toml", &overrides)
}

/// The message of the error that this gives after the smallest configuration.
fn error(more: &str, overrides: &[&str]) -> String {
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
    assert_eq!(config.objective.beta, Schedule::Constant(1.0));
    assert_eq!(config.optimizer, OptimizerConfig::default());
    assert_eq!(config.training, TrainingConfig::default());
    assert_eq!(config.evaluation, EvaluationConfig { importance_samples: 0, samples: 64 });
}

#[test]
fn what_is_written_is_read_back_equal() {
    let full = "seed = 18446744073709551615\n[data]\nsource = \"csv\"\npath = \"a b.csv\"\ntarget = [\"y\", 3]\nheader = true\n\
                delimiter = \"whitespace\"\n[model]\nkind = \"vae\"\ndropout = 0.25\n[objective]\n\
                beta = { schedule = \"cyclical\", from = 0, to = 1.0, period = 10, ramp = 0.5 }\n[optimizer]\nkind = \"adamw\"\n\
                learning_rate = 3e-4\ngradient_clip_norm = 1.0\nschedule = \"cosine\"\n[training]\nema_decay = 0.999\n\
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
            "model.dropout=0.5",
        ],
    )
    .unwrap();
    assert_eq!((config.training.epochs, config.seed, config.optimizer.kind), (5, 3, OptimizerKind::Sgd));
    assert_eq!(config.training.early_stopping, Some(EarlyStopping { patience: 2 }));
    assert_eq!(config.objective.beta, Schedule::Annealed(Annealing::Linear { from: 0.0, to: 1.0, steps: 5 }));
    let sigmoid = "objective.beta={schedule='sigmoid',from=0,to=1,midpoint=100,width=20}";
    let expected = Annealing::Sigmoid { from: 0.0, to: 1.0, midpoint: 100, width: 20.0 };
    assert_eq!(parse(SMALL, &[sigmoid]).unwrap().objective.beta, Schedule::Annealed(expected));
    let error = parse(SMALL, &[&sigmoid.replace("width=20", "width=0")]).unwrap_err().to_string();
    assert!(error.contains("beta.width") && error.contains("above 0"), "{error}");
    let config = parse("", &["data.source=digits", "model.kind=\"vae\""]).unwrap();
    assert_eq!(config.model.kind(), "vae");
}

#[test]
fn errors_of_the_file_name_line_and_key() {
    for (more, expected) in [
        (
            "[training]\nepoch = 5\n",
            "vae.toml:6: unknown key `epoch` in [training]; did you mean `epochs`? (allowed: epochs, batch_size, \
             early_stopping, ema_decay, evaluate_every, checkpoint_every)",
        ),
        ("[training]\n\nepochs = 0\n", "vae.toml:7: training.epochs is 0; expected a whole number of at least 1"),
        (
            "[training]\nepochs = -1\n",
            "vae.toml:6: training.epochs: found integer -1; expected a whole number of at least 0",
        ),
        (
            "[training]\nepochs = \"x\"\n",
            "vae.toml:6: training.epochs: found string \"x\"; expected a whole number of at least 0",
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
            "vae.toml:6: optimizer.kind: there is no `adma`; did you mean `adam`? (known: adam, adamw, sgd)",
        ),
        (
            "[objective]\nbeta = \"linear\"\n",
            "vae.toml:6: objective.beta: found string \"linear\"; expected a number, or a table such as { schedule = \
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
            "vae.toml:5: unknown key `optimiser`; did you mean `optimizer`? (allowed at the top: seed, [data], [model], \
             [objective], [optimizer], [training], [evaluation])",
        ),
        (
            "droput = 0.1\n",
            "vae.toml:5: unknown key `droput` in [model] with kind = \"vae\"; did you mean `dropout`? (allowed: ",
        ),
        ("dropout = true\n", "vae.toml:5: model.dropout: found boolean true; expected a number"),
    ] {
        let message = error(more, &[]);
        assert!(message.starts_with(expected), "\n   found: {message}\nexpected: {expected}");
    }
    let message = parse("seed = -1", &[]).unwrap_err().to_string();
    assert_eq!(message, "vae.toml:1: seed: found integer -1; expected a whole number of at least 0");
    let message = parse("[data\n", &[]).unwrap_err().to_string();
    assert!(message.starts_with("vae.toml:1: not valid TOML: "), "{message}");
    let message = parse("training = 3\n[data]\nsource='digits'\n[model]\nkind='vae'", &[]).unwrap_err().to_string();
    assert_eq!(message, "vae.toml:1: `training` is a table, [training]; found: integer");
}

#[test]
fn errors_of_sources_and_kinds_name_what_there_is() {
    let with =
        |data: &str, model: &str| parse(&format!("[data]\n{data}\n[model]\n{model}\n"), &[]).unwrap_err().to_string();
    let sources = DataConfig::SOURCES.join(", ");
    assert_eq!(with("", "kind='vae'"), format!("vae.toml:1: [data] needs the key `source`, one of: {sources}"));
    assert_eq!(
        with("source='digit'", "kind='vae'"),
        format!("vae.toml:2: data.source: there is no `digit`; did you mean `digits`? (known: {sources})")
    );
    assert!(with("source='digits'", "").starts_with("vae.toml:3: [model] needs the key `kind`, one of: "));
    assert!(with("source='digits'", "kind='vea'").contains("there is no `vea`; did you mean `vae`? (known: "));
    assert_eq!(
        with("source='idx'", "kind='vae'"),
        "vae.toml:1: [data] with source = \"idx\" needs the key `train_images`"
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
        "vae.toml:4: data.target: found floating point 0.5; expected the index of a column (0, 1, …) or its name in quotes"
    );
    let nothing = parse("", &[]).unwrap_err().to_string();
    assert_eq!(nothing, format!("vae.toml: [data] needs the key `source`, one of: {sources}"));
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
        ("training.epochs", "--set training.epochs: no `=` in it; expected key=value, such as training.epochs=5"),
        ("=5", "--set =5: `` is not a key; expected key=value, such as training.epochs=5"),
        ("a..b=5", "--set a..b=5: `a..b` is not a key; "),
        ("modle.kind=vae", "--set modle.kind=vae: unknown key `modle`; did you mean `model`? (allowed at the top: "),
        ("model.kind=vea", "--set model.kind=vea: model.kind: there is no `vea`; did you mean `vae`?"),
        ("data.source.a=1", "--set data.source.a=1: `source` holds a value there, not a table; set it as a whole"),
        ("optimizer.kind=", "--set optimizer.kind=: optimizer.kind: there is no ``"),
        ("a.b.c.d.e.f.g.h.i=1", "--set a.b.c.d.e.f.g.h.i=1: a key of 9 parts; expected key=value"),
        ("seed=x", "--set seed=x: seed: found string \"x\"; expected a whole number of at least 0"),
    ] {
        let message = error("[training]\nbatch_size = 3\n", &[assignment]);
        assert!(message.starts_with(expected), "\n   found: {message}\nexpected: {expected}");
    }
}

#[test]
fn nesting_without_end_is_refused() {
    // Deep enough to run over the stack, were it followed to its end.
    let path = "a.".repeat(64_000) + "a";
    for table in ["", "model.", "training.early_stopping."] {
        assert!(error("", &[&format!("{table}{path}=1")]).contains("parts"));
        assert!(error("", &[&format!("seed={}", "[".repeat(64_000))]).contains("seed: found string"));
    }
    for text in [format!("{path}=1"), format!("[{path}]"), "a=".to_owned() + &"[".repeat(64_000), "a={".repeat(64_000)]
    {
        assert!(parse(&text, &[]).unwrap_err().to_string().contains("not valid TOML"));
    }
}

#[test]
fn names_with_line_breaks_stay_on_the_line() {
    for more in ["\"a\\nb\" = 1\n", "[optimizer]\nkind = \"a\\r\\nb\"\n", "[\"a\\u001b[2J\"]\n"] {
        assert!(!error(more, &[]).contains(char::is_control));
    }
    assert!(error("", &["model.kind=a\nb"]).contains("a\\nb"));
}
