//! Tests of `[optimizer]`: kinds, schedules, groups and players.
#![allow(clippy::unwrap_used)]

use super::*;
use crate::config::tests::{SMALL, error, parse};

#[test]
fn a_player_has_an_optimizer_of_its_own() {
    let text = format!(
        "{SMALL}[optimizer]\nlearning_rate = 0.01\n[optimizer.players.critic]\nkind = \"rmsprop\"\nlearning_rate = 0.5\n"
    );
    let config = parse(&text, &[]).unwrap();
    assert_eq!(config.optimizer.of_player("critic").kind.name(), "rmsprop");
    assert_eq!(config.optimizer.of_player("generator"), &config.optimizer);
    let written = config.to_toml().unwrap();
    assert_eq!(parse(&written, &[]).unwrap(), config, "{written}");
    for (keys, expected) in [
        ("players = 3", "vae.toml:6: optimizer.players: expected a table for each player"),
        ("[optimizer.players.critic]\nrate = 1", "vae.toml:7: unknown key `rate` in"),
        (
            "[optimizer.players.critic]\nlearning_rate = 0",
            "vae.toml:7: optimizer.players.critic.learning_rate is 0; expected",
        ),
        (
            "[optimizer.players.critic]\nkind = \"adma\"",
            "vae.toml:7: optimizer.players.critic.kind: there is no `adma`; did you mean `adam`",
        ),
    ] {
        let message = error(&format!("[optimizer]\n{keys}\n"), &[]);
        assert!(message.starts_with(expected), "{message}\n{expected}");
    }
}

#[test]
fn every_optimiser_round_trips_with_its_keys_and_defaults() {
    for kind in OptimizerKind::KINDS {
        let config = parse(&format!("{SMALL}[optimizer]\nkind = \"{kind}\"\n"), &[]).unwrap();
        assert_eq!(config.optimizer.kind.name(), *kind);
        assert_eq!(config.optimizer, OptimizerConfig::of_kind(config.optimizer.kind.clone()));
        let written = config.to_toml().unwrap();
        assert!(written.contains(&format!("kind = \"{kind}\"")), "{written}");
        assert_eq!(parse(&written, &[]).unwrap(), config, "{written}");
    }
    let written = parse(&format!("{SMALL}[optimizer]\nkind = \"muon\"\n"), &[]).unwrap().to_toml().unwrap();
    for key in ["weight_decay = 0.1", "momentum = 0.95", "adjust_learning_rate = \"match_rms_adamw\""] {
        assert!(written.contains(key), "{key} in:\n{written}");
    }
}

#[test]
fn a_schedule_is_a_name_or_a_table() {
    let schedule = |value: &str| {
        let config = parse(&format!("{SMALL}[optimizer]\nschedule = {value}\n"), &[]).unwrap();
        assert_eq!(parse(&config.to_toml().unwrap(), &[]).unwrap(), config);
        config.optimizer.schedule
    };
    use LearningRateSchedule as Is;
    for (value, expected) in [
        ("\"constant\"", Is::Constant),
        ("\"cosine\"", Is::Cosine { final_fraction: 0.0 }),
        ("{ kind = \"cosine\", final_fraction = 0.02 }", Is::Cosine { final_fraction: 0.02 }),
        ("\"linear\"", Is::Linear { final_fraction: 0.0 }),
        ("{ kind = \"step\", every = 1000, factor = 0.5 }", Is::Step { every: 1000, factor: 0.5 }),
        ("{ kind = \"exponential\", every = 10, factor = 1 }", Is::Exponential { every: 10, factor: 1.0 }),
        ("\"plateau\"", Is::Plateau { factor: 0.1, patience: 10, threshold: 1e-4, minimum: 0.0 }),
        (
            "{ kind = \"plateau\", factor = 0.5, patience = 5, minimum = 1e-6 }",
            Is::Plateau { factor: 0.5, patience: 5, threshold: 1e-4, minimum: 1e-6 },
        ),
    ] {
        assert_eq!(schedule(value), expected, "{value}");
    }
}

#[test]
fn errors_of_the_optimiser_name_the_keys_that_there_are() {
    for (more, expected) in [
        (
            "kind = \"sgd\"\nbeta_1 = 0.9\n",
            "vae.toml:7: unknown key `beta_1` in [optimizer] with kind = \"sgd\" (allowed: kind, players, learning_rate, \
             weight_decay, momentum, dampening, nesterov, gradient_clip_norm, warmup_steps, schedule, groups)",
        ),
        ("beta_3 = 0.9\n", "vae.toml:6: unknown key `beta_3` in [optimizer] with kind = \"adam\"; did you mean `beta_"),
        (
            "kind = 3\n",
            "vae.toml:6: optimizer.kind: expected a string, found: integer; set it to one of: adam, adamw, adamax, sgd, ",
        ),
        ("beta_2 = 1.0\n", "vae.toml:6: optimizer.beta_2 is 1.0; expected a number of at least 0 and below 1 (in f32)"),
        (
            "kind = \"adafactor\"\ndecay_rate = 0.8\n",
            "vae.toml:7: optimizer.decay_rate is 0.8; expected a finite number below 0",
        ),
        (
            "kind = \"sgd\"\nnesterov = true\n",
            "vae.toml:5: optimizer.momentum: expected a number above 0, which `nesterov` needs",
        ),
        (
            "kind = \"muon\"\nadjust_learning_rate = \"orignal\"\n",
            "vae.toml:7: optimizer.adjust_learning_rate: there is no `orignal`; did you mean `original`? (known: original, ",
        ),
        (
            "schedule = \"cosine\"\nfinal_fraction = 0.02\n",
            "vae.toml:7: optimizer.final_fraction: it is a key of the schedule; write schedule = { kind = \"cosine\", \
             final_fraction = 0.02 }",
        ),
        (
            "schedule = \"cosin\"\n",
            "vae.toml:6: optimizer.schedule: there is no `cosin`; did you mean `cosine`? (known: constant, linear, cosine, \
             step, exponential, plateau)",
        ),
        ("schedule = \"step\"\n", "vae.toml:6: optimizer.schedule needs the key `every`"),
        (
            "schedule = { kind = \"step\", every = 0, factor = 0.5 }\n",
            "vae.toml:6: optimizer.schedule.every is 0; expected a whole number of at least 1",
        ),
        (
            "schedule = { kind = \"plateau\", patence = 3 }\n",
            "vae.toml:6: unknown key `patence` in optimizer.schedule; did you mean `patience`? (allowed: factor, patience, \
             threshold, minimum)",
        ),
        ("schedule = { every = 3 }\n", "vae.toml:6: optimizer.schedule needs the key `kind`"),
        (
            "schedule = 3\n",
            "vae.toml:6: optimizer.schedule: found 3; expected a name such as \"cosine\", or a table such as",
        ),
        (
            "[[optimizer.groups]]\nmatch = \"*\"\nlearning_rate_factor = -1\n",
            "vae.toml:8: optimizer.groups.learning_rate_factor: found -1.0; expected a finite number of at least 0",
        ),
        (
            "[[optimizer.groups]]\nmatch = \"*\"\nweightdecay = 1\n",
            "vae.toml:8: unknown key `weightdecay` in optimizer.groups; did you mean `weight_decay`? (allowed: match, \
             learning_rate_factor, weight_decay)",
        ),
        (
            "groups = [{ match = \"*\", weight_decay = nan }]\n",
            "vae.toml:6: optimizer.groups.weight_decay: found NaN; expected a finite number of at least 0",
        ),
        (
            "groups = [{ match = \"*\", weight_decay = \"x\" }]\n",
            "vae.toml:6: optimizer.groups.weight_decay: found \"x\"; expected a number",
        ),
        ("[[optimizer.groups]]\nweight_decay = 1\n", "vae.toml:6: optimizer.groups needs the key `match`"),
    ] {
        let message = error(&format!("[optimizer]\n{more}"), &[]);
        assert!(message.starts_with(expected), "\n   found: {message}\nexpected: {expected}");
    }
}
