//! `serve`: the demo site, from a fresh `target/dist`.

use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result};

use crate::workspace::Workspace;
use crate::{dist, run};

pub(crate) fn command(workspace: &Workspace, arguments: &[String]) -> Result<()> {
    // That one is ours, all others are the host's.
    let (ours, theirs): (Vec<_>, Vec<_>) = arguments
        .iter()
        .cloned()
        .partition(|word| word == dist::RESET);
    let dist = dist::folder(workspace);
    dist::make(workspace, "release", &dist, !ours.is_empty())?;
    let mut command = run::trusting(Command::new(dist.join("dogpile")));
    command.args(serve_arguments(&dist, &theirs));
    // The host takes this process's place, so that signals reach it.
    Err(command.exec()).with_context(|| format!("cannot start {}", dist.join("dogpile").display()))
}

/// The command line of `dogpile`. An option which the caller gives takes the place of ours.
fn serve_arguments(dist: &Path, given: &[String]) -> Vec<String> {
    let in_dist = |name: &str| dist.join(name).to_string_lossy().into_owned();
    let mut arguments = vec![
        "--manifest".to_owned(),
        in_dist("dogpile.toml"),
        "serve".to_owned(),
    ];
    let ours = [
        ("--site", in_dist("site")),
        ("--listen", "127.0.0.1:8080".to_owned()),
    ];
    for (option, value) in ours {
        let assigned = format!("{option}=");
        if !given
            .iter()
            .any(|word| word == option || word.starts_with(&assigned))
        {
            arguments.extend([option.to_owned(), value]);
        }
    }
    arguments.extend_from_slice(given);
    arguments
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(given: &[&str]) -> String {
        let given: Vec<_> = given.iter().map(|&word| word.to_owned()).collect();
        serve_arguments(Path::new("dist"), &given).join(" ")
    }

    #[test]
    fn without_arguments_the_demo_is_served() {
        let expected =
            "--manifest dist/dogpile.toml serve --site dist/site --listen 127.0.0.1:8080";
        assert_eq!(line(&[]), expected);
    }

    #[test]
    fn a_given_option_takes_the_place_of_the_default() {
        let expected = "--manifest dist/dogpile.toml serve --site dist/site --listen [::]:80 -v";
        assert_eq!(line(&["--listen", "[::]:80", "-v"]), expected);
        let expected = "--manifest dist/dogpile.toml serve --site dist/site --listen=[::]:80";
        assert_eq!(line(&["--listen=[::]:80"]), expected);
    }
}
