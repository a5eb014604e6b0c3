//! dogpile.cache, in processes of Python that stay for the whole benchmark.

use std::cell::RefCell;
use std::path::Path;
use std::process::Command;

use super::calls::{Contender, KEYS, LENGTH, SEVERAL, What};
use crate::told::Told;

const SCRIPT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/src/server/peer.py");

/// A process with a region on this backend, whose arguments are in JSON.
pub(crate) fn process(python: &Path, backend: &str, arguments: &str) -> Told {
    let numbers = [KEYS, SEVERAL, LENGTH].map(|number| number.to_string());
    let mut command = Command::new(python);
    command.args([SCRIPT, backend, arguments]).args(numbers);
    Told::start(&mut command)
}

/// Both contenders, for so many callers at most.
pub(crate) fn contenders(start: impl Fn() -> Told, most: usize) -> [Box<dyn Contender>; 2] {
    let children = (0..most).map(|_| start()).collect();
    [
        Box::new(Threads(RefCell::new(start()))),
        Box::new(Processes(RefCell::new(children))),
    ]
}

/// Callers are threads of one process.
struct Threads(RefCell<Told>);

impl Contender for Threads {
    fn name(&self) -> &'static str {
        "dogpile.cache, threads"
    }

    fn turn(&self, what: What, callers: usize, calls: usize) -> f64 {
        let mut told = self.0.borrow_mut();
        told.tell(&format!("{} {callers} {calls}", what.name()));
        let span = told.numbers();
        span[1] - span[0]
    }
}

/// Callers are processes.
struct Processes(RefCell<Vec<Told>>);

impl Contender for Processes {
    fn name(&self) -> &'static str {
        "dogpile.cache, processes"
    }

    fn turn(&self, what: What, callers: usize, calls: usize) -> f64 {
        let mut all = self.0.borrow_mut();
        let children = &mut all[..callers];
        for child in &mut *children {
            child.tell(&format!("{} 1 {calls}", what.name()));
        }
        let spans: Vec<_> = children.iter_mut().map(Told::numbers).collect();
        let start = spans.iter().map(|span| span[0]).fold(f64::MAX, f64::min);
        let end = spans.iter().map(|span| span[1]).fold(0.0, f64::max);
        end - start
    }
}
