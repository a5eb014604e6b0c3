//! The Python of peers that are written in it.

use std::path::PathBuf;
use std::process::{Command, Stdio};

/// Where a Python is that has what they want.
const PYTHON: &str = "DOGPILE_BENCH_PYTHON";

/// The Python to use, or that it lacks one of two modules.
pub(crate) fn with(modules: [&str; 2]) -> Result<PathBuf, String> {
    let python = std::env::var_os(PYTHON).map_or_else(|| "python3".into(), PathBuf::from);
    let works = Command::new(&python)
        .args(["-c", &format!("import {}", modules.join(", "))])
        .stderr(Stdio::null())
        .status();
    if works.is_ok_and(|status| status.success()) {
        Ok(python)
    } else {
        Err(format!(
            "{} lacks {}: set {PYTHON} to one that has both",
            python.display(),
            modules.join(" or ")
        ))
    }
}
