//! What the lines say.
#![allow(clippy::unwrap_used, clippy::panic)]

use super::*;
use serde_json::{Value, json};

fn dataset() -> Dataset {
    let digits = crate::data::DataConfig::Digits(crate::data::DigitsConfig::default());
    crate::data::load(&digits, dgm_core::random::Seed(0)).unwrap()
}

fn terms() -> [(String, f64); 2] {
    [("nll".into(), 3.0), ("kl".into(), 1.0)]
}

/// 10 epochs of 16 steps, from this step on.
fn beginning(dataset: &Dataset, step: u64) -> RunStart<'_> {
    RunStart { model: "vae", dataset, parameters: 123, epochs: 10, steps: 160, step, likelihood: true }
}

/// 10 epochs of 16 steps, resumed at step 16: a window in the third epoch, its end, and what comes after.
fn told(report: &mut dyn Report) {
    report.begin(&beginning(&dataset(), 16));
    // 64 values, 64 ln 2 nats: one bit per value.
    let nats = 64.0 * std::f64::consts::LN_2;
    let terms = terms();
    let window = WindowMeans {
        step: 40,
        loss: Some(1.5),
        nats: Some(nats),
        terms: &terms,
        learning_rate: 2.5e-5,
        examples_per_second: 1234.4,
    };
    report.train(&window);
    report.validation(3, Some(5.0), true);
    report.validation(4, Some(6.5), false);
    report.warn("a step was skipped\nand another");
    report.train(&WindowMeans { step: 160, learning_rate: 0.001, ..window });
    report.end("done");
}

#[test]
fn plain_lines_have_position_losses_pace_and_time_left() {
    let mut lines = Lines::new(Vec::new(), "");
    told(&mut lines);
    let text = String::from_utf8(lines.into_inner()).unwrap();
    let expected = "vae on digits: 123 parameters; 1000 training, 350 validation, 447 test examples\n\
        epoch 3/10, step 40/160  train 44.361 nats (1.0000 bits/dim)  nll 3.00  kl 1.00  rate 2.5e-5  1234 examples/s  \
        about 0 s left\n\
        warning: a step was skipped\nand another\n\
        epoch 10/10, step 160/160  train 44.361 nats (1.0000 bits/dim)  nll 3.00  kl 1.00  validation in epoch 4 \
        6.500, best 5.000  rate 0.001  1234 examples/s\n\
        done  validation in epoch 4 6.500, best 5.000\n";
    assert_eq!(text, expected);
}

/// A single term is told where it is not the loss once more: the bound of a contrastive encoder, not the squared error of an autoencoder.
#[test]
fn a_term_that_is_the_loss_is_told_once() {
    let told = |term: f64, nats| {
        let terms = [("term".to_owned(), term)];
        let (loss, learning_rate, examples_per_second) = (Some(1.5), 0.1, 1.0);
        terms_text(&WindowMeans { step: 1, loss, nats, terms: &terms, learning_rate, examples_per_second })
    };
    assert_eq!([told(1.5, None), told(2.0, None), told(3.0, Some(3.0))], ["", "term 2.00", ""]);
}

#[test]
fn json_has_one_object_per_line() {
    let mut log = Json::new(Vec::new(), "runs/a", "flex");
    told(&mut log);
    let text = String::from_utf8(log.into_inner()).unwrap();
    let lines: Vec<Value> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let kinds: Vec<&str> = lines.iter().map(|line| line["kind"].as_str().unwrap()).collect();
    assert_eq!(kinds, ["begin", "train", "validation", "validation", "warning", "train", "end"]);
    assert_eq!(
        lines[0],
        json!({
            "kind": "begin", "folder": "runs/a", "backend": "flex", "model": "vae", "data": "digits",
            "parameters": 123, "examples": [1000, 350, 447], "epochs": 10, "steps": 160, "step": 16,
        })
    );
    let train = &lines[1];
    assert_eq!((&train["step"], &train["epoch"], &train["kl"]), (&json!(40), &json!(3), &json!(1.0)));
    assert_eq!((&train["bits_per_dim"], &train["learning_rate"]), (&json!(1.0), &json!(2.5e-5)));
    assert!(train["seconds_left"].as_f64().unwrap() > 0.0);
    assert_eq!(lines[5]["seconds_left"], json!(0.0));
    assert_eq!((&lines[3]["best"], &lines[3]["best_epoch"]), (&json!(false), &json!(3)));
    assert_eq!(lines[4]["message"], "a step was skipped\nand another");
    assert_eq!(lines[6], json!({ "kind": "end", "why": "done", "folder": "runs/a" }));
    let error = error_line(&crate::error::Error::input("a \"quoted\" key"));
    assert_eq!(
        serde_json::from_str::<Value>(&error).unwrap(),
        json!({ "kind": "error", "message": "a \"quoted\" key", "exit_code": 2 })
    );
}

#[test]
fn a_loss_that_is_not_a_number_is_still_json() {
    let mut log = Json::new(Vec::new(), "", "");
    log.begin(&beginning(&dataset(), 0));
    let (loss, nats) = (None, Some(f64::NAN));
    log.train(&WindowMeans { step: 1, loss, nats, terms: &[], learning_rate: 1.0, examples_per_second: f64::INFINITY });
    let text = String::from_utf8(log.into_inner()).unwrap();
    let line: Value = serde_json::from_str(text.lines().nth(1).unwrap()).unwrap();
    assert!(line["nats_per_example"].is_null() && line["examples_per_second"].is_null(), "{line}");
}

#[test]
fn the_bar_s_lines_fit_a_terminal_of_80_columns() {
    let course = Course::new(&beginning(&dataset(), 0));
    let mut text = bar::Text::default();
    let terms = terms();
    let window = WindowMeans {
        step: 40,
        loss: None,
        nats: Some(40.0),
        terms: &terms,
        learning_rate: 0.001,
        examples_per_second: 1234.4,
    };
    text.train(&window, &course);
    text.validation(3, 5.0, " nats", true);
    text.validation(4, 6.5, " nats", false);
    assert_eq!(
        text.lines(),
        "train      40.000 nats (0.9017 bits/dim)\n           nll 3.00  kl 1.00\n\
         validation 6.500 nats in epoch 4; best 5.000 in epoch 3\n           ▁█\n\
         pace       1234 examples/s, learning rate 0.001, about 0 s left"
    );
    let terms: Vec<(String, f64)> = (0..9).map(|_| ("divergence".into(), 123456.0)).collect();
    text.train(&WindowMeans { nats: Some(1e12), terms: &terms, ..window }, &course);
    text.validation(123_456, 1e12, " nats", false);
    assert!(text.lines().lines().all(|line| line.chars().count() <= 78), "{}", text.lines());
    assert!(text.lines().contains('…'));
}

#[test]
fn steps_belong_to_epochs() {
    let course = Course::new(&beginning(&dataset(), 0));
    let at = |step| (course.epoch(step), course.step_in_epoch(step));
    assert_eq!([at(0), at(1), at(16), at(17), at(160)], [(1, 0), (1, 1), (1, 16), (2, 1), (10, 16)]);
}

#[test]
fn numbers_are_short() {
    let rates = [0.0, 1e-3, 0.0025, 1.0, 2.5e-5, 1e-30, 1234567.0].map(rate_text);
    assert_eq!(rates, ["0", "0.001", "0.0025", "1", "2.5e-5", "1e-30", "1.235e6"]);
    let durations = [0.2, 59.4, 59.6, 187.0, 3600.0, 7530.0].map(duration_text);
    assert_eq!(durations, ["0 s", "59 s", "1 min 00 s", "3 min 07 s", "1 h 00 min", "2 h 05 min"]);
}

#[test]
fn a_loss_that_is_no_likelihood_is_called_a_loss() {
    let dataset = dataset();
    let game = RunStart { model: "toy", likelihood: false, ..beginning(&dataset, 0) };
    let terms = [("critic.loss".to_owned(), 1.25), ("generator.loss".to_owned(), 0.75)];
    let window = WindowMeans {
        step: 160,
        loss: None,
        nats: None,
        terms: &terms,
        learning_rate: 0.001,
        examples_per_second: 10.0,
    };
    let mut lines = Lines::new(Vec::new(), "");
    lines.begin(&game);
    lines.train(&window);
    lines.validation(10, None, true);
    lines.end("done");
    let text = String::from_utf8(lines.into_inner()).unwrap();
    assert!(!text.contains("nats") && !text.contains("validation in"), "{text}");
    assert!(text.contains("train  critic.loss 1.25  generator.loss 0.75  rate 0.001"), "{text}");
    let mut log = Json::new(Vec::new(), "", "");
    log.begin(&game);
    log.train(&WindowMeans { loss: Some(0.5), terms: &[], ..window });
    log.validation(10, Some(0.5), true);
    log.validation(11, None, true);
    let text = String::from_utf8(log.into_inner()).unwrap();
    let lines: Vec<Value> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!((&lines[1]["loss"], &lines[2]["loss"], &lines[2]["best_loss"]), (&json!(0.5), &json!(0.5), &json!(0.5)));
    assert!(text.lines().all(|line| !line.contains("nats")), "{text}");
}
