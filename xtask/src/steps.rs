//! A list of named steps, run in order until one fails, with a summary at the end.

use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};

use crate::workspace::Workspace;

/// One step of a longer task.
pub(crate) struct Step {
    pub(crate) name: &'static str,
    pub(crate) run: fn(&Workspace) -> Result<Outcome>,
}

/// What a step that did not fail has to say.
pub(crate) enum Outcome {
    Done,
    /// Not run, and why: what is missing and how to get it.
    Skipped(String),
}

enum State {
    Ok(Duration),
    Failed(Duration),
    Skipped(String),
    NotRun,
}

/// Runs the steps in order, those named in `only` if any is. The first failure ends the run and is
/// returned with the step's name.
pub(crate) fn run_all(workspace: &Workspace, steps: &[Step], only: &[String]) -> Result<()> {
    if let Some(unknown) = only
        .iter()
        .find(|name| steps.iter().all(|step| step.name != **name))
    {
        let names: Vec<_> = steps
            .iter()
            .map(|step| format!("`{}`", step.name))
            .collect();
        bail!(
            "there is no step `{unknown}`; the steps are {}",
            names.join(", ")
        );
    }
    let mut states = Vec::new();
    let mut result = Ok(());
    for step in steps
        .iter()
        .filter(|step| only.is_empty() || only.iter().any(|o| o == step.name))
    {
        if result.is_err() {
            states.push((step.name, State::NotRun));
            continue;
        }
        eprintln!("\n==> {}", step.name);
        let started = Instant::now();
        let state = match (step.run)(workspace) {
            Ok(Outcome::Done) => State::Ok(started.elapsed()),
            Ok(Outcome::Skipped(why)) => {
                eprintln!("skipped: {why}");
                State::Skipped(why)
            }
            Err(error) => {
                result = Err(error).with_context(|| format!("step `{}`", step.name));
                State::Failed(started.elapsed())
            }
        };
        states.push((step.name, state));
    }
    eprint!("\n{}", summary(&states));
    result
}

fn summary(states: &[(&str, State)]) -> String {
    let mut text = String::new();
    for (name, state) in states {
        let (word, detail) = match state {
            State::Ok(time) => ("ok", format!("{:.1} s", time.as_secs_f64())),
            State::Failed(time) => ("FAILED", format!("{:.1} s", time.as_secs_f64())),
            State::Skipped(why) => ("skipped", why.clone()),
            State::NotRun => ("not run", String::new()),
        };
        let line = format!("{name:20} {word:8} {detail}");
        text.push_str(line.trim_end());
        text.push('\n');
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    const STEPS: &[Step] = &[
        Step {
            name: "first",
            run: |_| Ok(Outcome::Done),
        },
        Step {
            name: "second",
            run: |_| bail!("it broke"),
        },
        Step {
            name: "third",
            run: |_| panic!("must not be reached"),
        },
    ];

    #[test]
    fn the_first_failure_ends_the_run_and_is_named() {
        let error = run_all(&Workspace::find().unwrap(), STEPS, &[]).unwrap_err();
        assert_eq!(format!("{error:#}"), "step `second`: it broke");
    }

    #[test]
    fn steps_can_be_chosen_by_name() {
        let workspace = Workspace::find().unwrap();
        run_all(&workspace, STEPS, &["first".to_owned()]).unwrap();
        let error = run_all(&workspace, STEPS, &["frist".to_owned()]).unwrap_err();
        assert!(
            error
                .to_string()
                .contains("the steps are `first`, `second`, `third`"),
            "{error}"
        );
    }

    #[test]
    fn the_summary_tells_what_was_skipped_and_what_was_not_run() {
        let states = [
            ("a", State::Ok(Duration::from_millis(1250))),
            ("b", State::Skipped("no such tool".to_owned())),
            ("c", State::Failed(Duration::ZERO)),
            ("d", State::NotRun),
        ];
        let expected = "\
a                    ok       1.2 s
b                    skipped  no such tool
c                    FAILED   0.0 s
d                    not run
";
        assert_eq!(summary(&states), expected);
    }
}
