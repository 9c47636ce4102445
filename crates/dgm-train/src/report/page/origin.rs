//! Where a run comes from, how it was configured, and the commands that repeat it.

use super::run::RunPage;
use super::scrolling;
use crate::listing::State;
use crate::report::shell_quoted;
use chrono::DateTime;
use dgm_models::Values;
use maud::{Markup, html};

/// `config.toml`, every value written out.
pub(super) fn configuration(run: &RunPage) -> Markup {
    let text = scrolling(&format!("config.toml of {}", run.name), html! { pre { code { (run.config_text) } } });
    html! { details { summary { "config.toml, with every value written out" } (text) } }
}

/// What was done, as commands.
pub(super) fn commands(run: &RunPage) -> Markup {
    let path = run.path.to_string_lossy();
    let quoted = run.quoted();
    let again = shell_quoted(&format!("{}-again", path.trim_end_matches('/')));
    let config = shell_quoted(&run.path.join("config.toml").to_string_lossy());
    let from = run.provenance.from.as_ref();
    let from = from.map_or(String::new(), |from| format!(" --from {}", shell_quoted(&from.run.to_string_lossy())));
    let backend = shell_quoted(&run.provenance.backend);
    let first = match &run.provenance.imported {
        Some(file) => {
            let weights = shell_quoted(&file.file.to_string_lossy());
            (
                "Import it again",
                format!("dgm-train import --config {config} --backend {backend} --weights {weights} --out {again}"),
            )
        }
        None => ("Train it again", format!("dgm-train --config {config} --backend {backend}{from} --out {again}")),
    };
    let mut all = vec![first];
    match run.listed.state {
        State::Complete => {
            all.push(("Evaluate it again", format!("dgm-train evaluate {quoted}")));
            all.push(("Draw its figures", format!("dgm-train evaluate {quoted} --figures")));
        }
        State::Running => all.push(("Follow it", format!("dgm-train watch {quoted}"))),
        State::Interrupted | State::Broken => all.push(("Resume it", format!("dgm-train --resume {quoted}"))),
    }
    html! {
        @for (what, command) in &all {
            p.small { (what) }
            (scrolling(&format!("{what}: {}", run.name), html! { pre { code { (command) } } }))
        }
        p.small {
            "With the same data, version and kind of CPU the weights are the same to the last bit on flex, and so is their SHA-256; elsewhere they are "
            "equal to rounding."
        }
    }
}

/// `provenance.json`, and what was made.
pub(super) fn provenance(run: &RunPage) -> Markup {
    let of = &run.provenance;
    let [train, validation, test] = of.examples;
    let began = DateTime::from_timestamp(i64::try_from(of.began).unwrap_or(0), 0);
    let values = match &of.spec.values {
        Values::Levels(levels) => format!("{levels} levels"),
        Values::Real(_) => "real numbers".to_owned(),
        Values::Columns(_) => "columns of real numbers and of levels".to_owned(),
    };
    let condition = of.spec.condition.as_ref().map(|condition| match condition.classes {
        Some(classes) => format!("a label, one of {classes} classes"),
        None if condition.augmentation == condition.width() => "the augmentation".to_owned(),
        None => format!("{} numbers", condition.width()),
    });
    let names = |columns: &[crate::data::ColumnSpec]| {
        let names: Vec<&str> = columns.iter().map(|column| column.name.as_str()).collect();
        (!names.is_empty()).then(|| names.join(", "))
    };
    let [channels, rows, columns] = of.spec.shape;
    let results = run.results.as_ref().map(|written| &written.results);
    let facts: Vec<(&str, Option<String>)> = vec![
        ("Model", Some(run.listed.model.clone())),
        ("Parameters", results.map(|results| results.parameters.to_string())),
        ("SHA-256 of the weights", results.map(|results| results.weights_sha256.clone())),
        ("dgm-train", Some(of.version.clone())),
        ("Burn", Some(of.burn.clone())),
        ("Backend", Some(of.backend.clone())),
        ("Adapter", Some(of.adapter.clone())),
        ("CPU", of.cpu.clone()),
        ("Seed", Some(of.seed.to_string())),
        ("Data", Some(of.data.clone())),
        ("SHA-256 of the data", Some(of.data_sha256.clone())),
        ("Examples", Some(format!("{train} for training, {validation} for validation, {test} for test"))),
        ("Target", Some(format!("{channels} × {rows} × {columns} (channels × rows × columns), {values}"))),
        ("Columns of the target", names(&of.names.target)),
        ("Condition", condition),
        ("Columns of the condition", names(&of.names.condition)),
        ("Classes", (!of.names.classes.is_empty()).then(|| of.names.classes.join(", "))),
        ("Symbols", of.vocabulary.as_ref().map(|vocabulary| vocabulary.len().to_string())),
        ("Transforms", (!of.transforms.is_empty()).then(|| of.transforms.join("; "))),
        ("Warnings", (!of.warnings.is_empty()).then(|| of.warnings.join("; "))),
        ("Entropy of the data", of.entropy.map(|entropy| format!("{entropy:.4} nats per example"))),
        ("Fine-tuned from", of.from.as_ref().map(|from| from.run.display().to_string())),
        ("Weights it began at", of.from.as_ref().map(|from| from.weights_sha256.clone())),
        ("Weights read from", of.imported.as_ref().map(|from| from.file.display().to_string())),
        ("SHA-256 of that file", of.imported.as_ref().map(|from| from.sha256.clone())),
        ("Began", began.map(|time| time.format("%Y-%m-%d %H:%M:%S UTC").to_string())),
    ];
    let table = html! {
        table.facts {
            caption { "provenance.json, and the model" }
            tbody {
                @for (what, value) in &facts {
                    @if let Some(value) = value { tr { th scope="row" { (what) } td { (value) } } }
                }
            }
        }
    };
    scrolling(&format!("Provenance of {}", run.name), table)
}
