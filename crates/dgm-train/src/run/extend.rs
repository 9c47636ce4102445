//! Extending a run beyond its end: with more epochs, more time or more patience than its checkpoint knew of.

use super::Watch;
use crate::checkpoint::{Checkpoint, PlateauState, TrainingProgress};
use crate::config::{Config, LearningRateSchedule};
use crate::error::{Error, Result};
use crate::run_folder::RunFolder;
use crate::train::plan::Plan;
use crate::train::rate::learning_rate;
use dgm_models::ModelFactory;

/// The keys whose values may change when a run is resumed, to extend it.
pub(crate) const EXTENDABLE: [&str; 4] =
    ["training.epochs", "training.max_minutes", "training.early_stopping", "training.ensemble"];

/// A checkpoint as this configuration sees it, whose end may be another one than that of the run that wrote it, `before`; and what
/// there is to say about it. `examples`: those for training.
///
/// Where training had ended and now has not, the checkpoint stands where a run that never ended there would stand: what the end alone
/// asked for, the last evaluation and the last window, is taken back.
///
/// # Errors
/// The new end lies before what has been done; `run` names the run in the message.
pub(crate) fn continued<M: ModelFactory>(
    mut checkpoint: Checkpoint,
    config: &Config<M>,
    before: &Config<M>,
    examples: usize,
    run: &str,
) -> Result<(Checkpoint, Vec<String>)> {
    let [plan, old] = [config, before].map(|config| Plan::of(&config.training, examples));
    let (training, progress) = (&config.training, &checkpoint.progress);
    let step = progress.step;
    if plan.steps != old.steps && (plan.steps < step || plan.steps == step && !progress.complete) {
        let done = plan.epoch(step - 1) + 1;
        let least = if progress.complete { done } else { done + 1 };
        return Err(Error::input(format!(
            "{run}: training.epochs is {}, and the run has trained for {step} steps, {done} epochs; give {least} or more, or begin \
             a new run with --config and --out",
            training.epochs
        )));
    }
    let mut notes = Vec::new();
    if progress.complete {
        let before_end = progress.before_end.as_deref().unwrap_or(progress);
        let (waited, patience) = (before_end.evaluations_since_best, training.early_stopping.map(|stop| stop.patience));
        let time_is_up = training.max_minutes.filter(|minutes| progress.seconds >= 60.0 * minutes);
        match (patience.filter(|&patience| waited >= patience), time_is_up) {
            // A fit in closed form ends before the first step, and no other run does.
            _ if step >= plan.steps || step == 0 => {}
            (None, None) => {
                let seconds = progress.seconds;
                checkpoint.progress = TrainingProgress { complete: false, seconds, before_end: None, ..before_end.clone() };
            }
            // Nobody asked for another end.
            _ if training == &before.training => {}
            (Some(patience), _) => notes.push(format!(
                "early stopping has ended the run: {waited} evaluations in a row without a lower validation loss; to continue, raise \
                 training.early_stopping.patience above {waited} (it is {patience})"
            )),
            (None, Some(minutes)) => notes.push(format!(
                "training.max_minutes is reached after {:.2} minutes; to continue, raise it above that (it is {minutes})",
                progress.seconds / 60.0
            )),
        }
    }
    let progress = &checkpoint.progress;
    if plan.steps != old.steps && step > 0 && !progress.complete {
        let own =
            config.optimizer.players.iter().map(|(name, optimizer)| (format!(" of the player {name:?}"), optimizer));
        for (whose, optimizer) in own.chain([(String::new(), &config.optimizer)]) {
            let name = match optimizer.schedule {
                LearningRateSchedule::Linear { .. } => "linear",
                LearningRateSchedule::Cosine { .. } => "cosine",
                _ => continue,
            };
            // The schedule is not one that looks at the validation loss.
            let rate = |step, steps| {
                short(learning_rate(optimizer, step, steps, &PlateauState::default()) * progress.rate_factor)
            };
            notes.push(format!(
                "the {name} schedule{whose} now ends at epoch {} instead of {}: the learning rate jumps from {} to {}; the weights are not \
                 those of a run that had {} epochs from its beginning",
                training.epochs,
                before.training.epochs,
                rate(step - 1, old.steps),
                rate(step, plan.steps),
                training.epochs
            ));
        }
    }
    Ok((checkpoint, notes))
}

/// The checkpoint from which a run of one model resumes, after a look at whether it may, and with everything after it taken away.
/// `None`: killed before its first checkpoint, a run starts again from its beginning.
pub(super) fn where_it_stands<C: ModelFactory>(
    folder: &RunFolder,
    config: &Config<C>,
    examples: usize,
    watch: &mut dyn Watch,
) -> Result<Option<Checkpoint>> {
    let run = folder.path().display().to_string();
    let found = folder.continued(config, examples)?;
    if found.is_none() {
        let provenance = folder.provenance()?;
        if let Some(from) = provenance.imported {
            return Err(Error::input(format!(
                "{run}: the run's weights were read from {}, and its checkpoints are gone; make the run again with dgm-train import",
                from.file.display()
            )));
        }
        if let Some(from) = provenance.from {
            return Err(Error::input(format!(
                "{run}: the run began at the weights of {}, and its checkpoints are gone; begin a new run with --config, --from and \
                 --out",
                from.run.display()
            )));
        }
        watch.warn(&format!("{run}: there is no checkpoint: the run starts over"));
    }
    let (from, notes) = found.unzip();
    notes.iter().flatten().for_each(|note| watch.warn(note));
    // Evaluated again, a run stays as it is. What resumes first writes down how far: killed from here on, it is found so.
    if !from.as_ref().is_some_and(|checkpoint| checkpoint.progress.complete) {
        folder.remove_results()?;
        if *config != folder.config()? {
            folder.write_config(config)?;
        }
        folder.checkpoints().restore_best_before_end()?;
    }
    folder.checkpoints().tidy()?;
    folder.cut_metrics(from.as_ref().map(|checkpoint| &checkpoint.progress))?;
    Ok(from)
}

/// A number to three digits.
fn short(value: f64) -> String {
    let rounded: f64 = format!("{value:.2e}").parse().unwrap_or(value);
    format!("{rounded:e}")
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn config(training: &str, schedule: &str) -> Config {
        let text = format!(
            "[data]\nsource = \"digits\"\n[model]\nkind = \"vae\"\n[optimizer]\nlearning_rate = 0.01\nschedule = \"{schedule}\"\n\
             [training]\nbatch_size = 10\n{training}\n"
        );
        Config::from_toml(&text, "test.toml", &[]).unwrap()
    }

    fn at(step: u64, complete: bool) -> TrainingProgress {
        TrainingProgress { step, complete, seconds: 90.0, evaluations_since_best: 3, ..TrainingProgress::default() }
    }

    /// 100 examples: ten steps per epoch.
    fn extend(
        progress: TrainingProgress,
        [before, now]: [&str; 2],
        schedule: &str,
    ) -> std::result::Result<(TrainingProgress, String), String> {
        let checkpoint = Checkpoint { progress, sections: vec![] };
        let continued = continued(checkpoint, &config(now, schedule), &config(before, schedule), 100, "run");
        continued.map(|(checkpoint, notes)| (checkpoint.progress, notes.join("|"))).map_err(|error| error.to_string())
    }

    #[test]
    fn a_later_end_reopens_a_run_and_an_earlier_one_is_refused() {
        let more = extend(at(20, true), ["epochs = 2", "epochs = 4"], "constant").unwrap();
        assert_eq!(more, (at(20, false), String::new()));
        assert_eq!(
            extend(at(20, true), ["epochs = 2", "epochs = 2"], "cosine").unwrap(),
            (at(20, true), String::new())
        );
        let refused = extend(at(20, true), ["epochs = 2", "epochs = 1"], "constant").unwrap_err();
        assert!(refused.contains("20 steps, 2 epochs; give 2 or more"), "{refused}");
        // Interrupted in the second epoch, and right at its end.
        assert!(extend(at(15, false), ["epochs = 4", "epochs = 2"], "constant").is_ok());
        let refused = extend(at(20, false), ["epochs = 4", "epochs = 2"], "constant").unwrap_err();
        assert!(refused.contains("give 3 or more"), "{refused}");
    }

    #[test]
    fn what_only_the_end_asked_for_is_taken_back() {
        let before_end = Box::new(TrainingProgress { evaluations_since_best: 2, seconds: 80.0, ..at(20, false) });
        let ended = TrainingProgress { before_end: Some(before_end), ..at(20, true) };
        let (progress, _) =
            extend(ended, ["epochs = 2", "epochs = 4\nearly_stopping.patience = 3"], "constant").unwrap();
        assert_eq!(progress, TrainingProgress { evaluations_since_best: 2, ..at(20, false) });
    }

    #[test]
    fn what_still_ends_it_is_named() {
        let early = "epochs = 9\nearly_stopping.patience = 3";
        let (progress, note) =
            extend(at(20, true), ["epochs = 4\nearly_stopping.patience = 3", early], "cosine").unwrap();
        assert!(
            progress.complete && note.contains("3 evaluations in a row") && note.contains("patience above 3"),
            "{note}"
        );
        assert_eq!(extend(at(20, true), [early, early], "cosine").unwrap(), (at(20, true), String::new()));
        assert!(
            !extend(at(20, true), [early, "epochs = 9\nearly_stopping.patience = 4"], "cosine").unwrap().0.complete
        );
        let (progress, note) =
            extend(at(15, true), ["epochs = 4\nmax_minutes = 1", "epochs = 5\nmax_minutes = 1.5"], "cosine").unwrap();
        assert!(
            progress.complete
                && note.contains("training.max_minutes is reached")
                && note.contains("raise it above that (it is 1.5)"),
            "{note}"
        );
        assert!(!extend(at(15, true), ["max_minutes = 1", "max_minutes = 1.6"], "constant").unwrap().0.complete);
    }

    #[test]
    fn extending_a_schedule_says_where_the_learning_rate_goes() {
        let (_, note) = extend(at(20, true), ["epochs = 2", "epochs = 4"], "cosine").unwrap();
        // 0.01 (1 + cos(19π/20)) / 2 and 0.01 (1 + cos(π/2)) / 2.
        let expected =
            "the cosine schedule now ends at epoch 4 instead of 2: the learning rate jumps from 6.16e-5 to 5e-3; ";
        assert!(note.starts_with(expected), "{note}");
        let (_, note) = extend(at(15, false), ["epochs = 2", "epochs = 3"], "linear").unwrap();
        assert!(note.contains("jumps from 3e-3 to 5e-3"), "{note}");
        assert_eq!(extend(at(20, true), ["epochs = 2", "epochs = 4"], "constant").unwrap().1, "");
    }
}
