//! The suites in a child: what it tells, and who goes on where it dies.

use std::collections::HashSet;
use std::io::{BufRead, BufReader, Read, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError};
use std::time::Duration;
use std::{fs, io, thread};

use anyhow::{Context, Result};
use dogpile::loader::Loader;
use dogpile::manifest::without_secrets;
use dogpile_plugin_api::testing::{Conformance, Offered, Progress, Suite};
use rustix::io::dup;
use rustix::stdio::{dup2_stdout, stderr, stdout};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::process::{Died, OURSELVES, died};

/// The case that all others need, which is always there.
pub(crate) const OPENS: &str = "it_opens_and_answers";

/// How much later than its limit a child may tell that a case has ended.
const LATE: Duration = Duration::from_secs(30);

/// What a child is to look at, as it reads it from its standard input.
#[derive(Clone, Serialize, Deserialize)]
pub(crate) struct Task {
    /// The child's argument: JSON has no path that is not UTF-8.
    #[serde(skip)]
    pub(crate) file: PathBuf,
    pub(crate) backend: String,
    /// A JSON object.
    pub(crate) arguments: String,
    pub(crate) cases: Vec<String>,
    pub(crate) largest_value: usize,
    pub(crate) limit: Duration,
}

/// What came of a case.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Row {
    pub(crate) suite: String,
    pub(crate) case: String,
    /// `passed`, `failed`, `not supported` or `skipped`.
    pub(crate) outcome: String,
    /// What was seen, or why nothing was; null if it passed.
    pub(crate) detail: Option<String>,
    pub(crate) seconds: f64,
}

/// A line of the child's.
#[derive(Serialize, Deserialize)]
enum Told {
    Begins(String),
    Ended(Row),
    Done,
}

/// What the child does. What the plugin prints goes to the standard error.
pub(super) fn child(file: &Path) -> Result<()> {
    let mut text = String::new();
    io::stdin().read_to_string(&mut text)?;
    let task: Task = serde_json::from_str(&text)?;
    let mut ours = fs::File::from(dup(stdout())?);
    dup2_stdout(stderr())?;
    let loaded = Loader::new().load(file)?;
    let backend = Offered {
        plugin: loaded.plugin,
        name: &task.backend,
        arguments: &task.arguments,
    };
    let given: Map<String, Value> = serde_json::from_str(&task.arguments)?;
    let mut tell = |told: &Told| {
        // In one piece. If the parent is gone there is nobody to tell.
        let line = serde_json::to_string(told).map(|line| line + "\n");
        let _gone = line.map(|line| ours.write_all(line.as_bytes()));
    };
    let suites = Conformance::of(backend)
        .cases(&task.cases)
        .largest_value(task.largest_value)
        .limit(task.limit);
    let _told = suites.run_telling(|progress| match progress {
        Progress::Begins(name) => tell(&Told::Begins(name.to_owned())),
        Progress::Ended(case) => tell(&Told::Ended(Row {
            suite: case.suite.name().to_owned(),
            case: case.name.to_owned(),
            outcome: case.outcome.name().to_owned(),
            detail: case
                .outcome
                .detail()
                .map(|text| without_secrets(text, &given)),
            seconds: (case.took.as_secs_f64() * 1000.0).round() / 1000.0,
        })),
        _ => {}
    });
    tell(&Told::Done);
    Ok(())
}

/// Runs the task's cases, in as many children as it takes, and says how far it is. The first row is of the case that all
/// others need; then they come in the order of the suites.
pub(crate) fn conformance(task: &Task, progress: impl FnMut(usize, &str)) -> Result<Vec<Row>> {
    let mut run = Run {
        task,
        rows: Vec::new(),
        progress,
    };
    let mut left = vec![task.cases.clone()];
    while let Some(cases) = left.pop() {
        if !run.opens() && !run.rows.is_empty() {
            run.skip(&cases);
            continue;
        }
        left.extend(run.one_child(cases)?);
    }
    Ok(run.sorted())
}

struct Run<'t, P> {
    task: &'t Task,
    rows: Vec<Row>,
    progress: P,
}

impl<P: FnMut(usize, &str)> Run<'_, P> {
    /// Runs these cases in a child. If it dies, gives those that are to be run in others.
    fn one_child(&mut self, cases: Vec<String>) -> Result<Vec<Vec<String>>> {
        let task = Task {
            cases,
            ..self.task.clone()
        };
        let mut child = Speaking::start(&task)?;
        let mut begun: Vec<String> = Vec::new();
        let mut last = None;
        let died = loop {
            match child.next(task.limit + LATE) {
                Ok(Told::Begins(name)) => {
                    (self.progress)(self.rows.len(), &name);
                    begun.push(name);
                }
                Ok(Told::Ended(row)) => {
                    begun.retain(|name| *name != row.case);
                    last = Some(row.case.clone());
                    self.add(row);
                }
                // It is killed: what the plugin does at its end is nobody's matter.
                Ok(Told::Done) => return Ok(Vec::new()),
                Err(died) => break died,
            }
        };
        let told: HashSet<&str> = self.rows.iter().map(|row| &*row.case).collect();
        let (under_way, left): (Vec<_>, Vec<_>) = task
            .cases
            .into_iter()
            .filter(|case| !told.contains(&**case))
            .partition(|case| begun.contains(case));
        let mut again = vec![left];
        match (&under_way[..], last) {
            _ if begun.iter().any(|name| name == OPENS) => self.add(failed(OPENS, &died)),
            ([], None) => self.add(failed(OPENS, &died)),
            ([], Some(last)) => self.died_after(&last, &died),
            ([one], _) => self.add(failed(one, &died)),
            // One of those that ran at once: each in its own.
            (several, _) => again.extend(several.iter().map(|case| vec![case.clone()])),
        }
        again.retain(|cases| !cases.is_empty());
        Ok(again)
    }

    /// Each child looks whether it opens; the first that cannot decides.
    fn add(&mut self, row: Row) {
        match self.rows.iter_mut().find(|known| known.case == row.case) {
            Some(known) if row.outcome == "failed" => *known = row,
            Some(_) => {}
            None => self.rows.push(row),
        }
    }

    fn opens(&self) -> bool {
        let first = self.rows.iter().find(|row| row.case == OPENS);
        first.is_some_and(|row| row.outcome == "passed")
    }

    fn skip(&mut self, cases: &[String]) {
        for case in cases {
            let why = format!("{OPENS} failed, without which nothing can be looked at");
            self.add(row(case, "skipped", why));
        }
    }

    /// The process died when nothing was under way: a thread of the plugin's, most likely.
    fn died_after(&mut self, last: &str, died: &Died) {
        let why = format!("after it had ended, the plugin {died}");
        match self.rows.iter_mut().find(|row| row.case == last) {
            Some(row) if row.outcome == "failed" => {
                row.detail = row.detail.take().map(|detail| format!("{detail}; {why}"));
            }
            Some(row) => {
                row.outcome = String::from("failed");
                row.detail = Some(why);
            }
            None => {}
        }
    }

    fn sorted(mut self) -> Vec<Row> {
        let place = |row: &Row| self.task.cases.iter().position(|case| *case == row.case);
        // What is no case of the task is the one before all.
        self.rows.sort_by_key(place);
        self.rows
    }
}

fn failed(case: &str, died: &Died) -> Row {
    row(case, "failed", format!("the plugin {died}"))
}

fn row(case: &str, outcome: &str, detail: String) -> Row {
    let suite = Suite::ALL
        .into_iter()
        .find(|suite| suite.case_names().contains(&case));
    Row {
        suite: suite.unwrap_or(Suite::Backend).name().to_owned(),
        case: case.to_owned(),
        outcome: outcome.to_owned(),
        detail: Some(detail),
        seconds: 0.0,
    }
}

/// A child that tells how it goes. Killed when it is dropped.
struct Speaking {
    child: Child,
    told: Receiver<Told>,
}

impl Speaking {
    fn start(task: &Task) -> Result<Self> {
        let mut child = Command::new(OURSELVES)
            .args(["probe", "conformance"])
            .arg(&task.file)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .context("the suites cannot be run in a process of their own")?;
        let input = child.stdin.take().context("its standard input is a pipe")?;
        let output = child
            .stdout
            .take()
            .context("its standard output is a pipe")?;
        let (tell, told) = mpsc::channel();
        // From here on the child does not outlive this.
        let speaking = Self { child, told };
        // If it is dead already, what it told ends at once.
        let _dead = serde_json::to_writer(input, task);
        thread::Builder::new()
            .name("dogpile-probe".to_owned())
            .spawn(move || {
                let lines = BufReader::new(output).lines().map_while(io::Result::ok);
                for told in lines.filter_map(|line| serde_json::from_str(&line).ok()) {
                    if tell.send(told).is_err() {
                        return;
                    }
                }
            })?;
        Ok(speaking)
    }

    fn next(&mut self, limit: Duration) -> Result<Told, Died> {
        match self.told.recv_timeout(limit) {
            Ok(told) => Ok(told),
            Err(RecvTimeoutError::Timeout) => Err(Died::TooSlow(limit)),
            Err(RecvTimeoutError::Disconnected) => match self.child.wait() {
                Ok(status) => Err(died(status)),
                Err(error) => Err(Died::NotStarted(error)),
            },
        }
    }
}

impl Drop for Speaking {
    fn drop(&mut self) {
        // It may have ended already.
        let _ended = self.child.kill();
        let _waited = self.child.wait();
    }
}
