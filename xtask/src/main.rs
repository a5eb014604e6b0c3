//! The task runner: `cargo xtask COMMAND`. It is the only one; CI and people run the same commands.
#![forbid(unsafe_code)]

mod bench;
mod ci;
mod dependencies;
mod dist;
mod edited;
mod files;
mod install;
mod licence;
mod miri;
mod package;
mod pages;
mod places;
mod ratchet;
mod run;
mod serve;
mod steps;
mod test;
mod third_party;
mod tools;
mod workspace;

use std::process::ExitCode;

use workspace::Workspace;

const USAGE: &str = "\
usage: cargo xtask COMMAND

  dist [--debug] [--reset]
                   build the host and its plugins and lay them out in target/dist; what was edited
                   there stays, unless --reset
  serve [--reset] [ARGS]
                   dist, then serve the demo site on 127.0.0.1:8080; ARGS go to `dogpile serve`,
                   such as --listen 127.0.0.1:8090
  test [STEP...]   every test: unit, integration, documentation, model checks, Miri, examples
  soak [STEP...]   the same tests with their full counts, such as 500 killed writers; takes a while
  ci               format, clippy, documentation, dependencies, then `cargo xtask test`
  package [--built FOLDER]
                   what dist lays out, with documentation, licences and digests, as one archive for this
                   platform in target/archives; --built has what `test build` built, in FOLDER, for a try
  bench [ARGS]     the benchmarks, in a workspace of their own; ARGS go to them
";

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let Some((command, rest)) = arguments.split_first() else {
        eprint!("{USAGE}");
        return ExitCode::from(2);
    };
    if matches!(command.as_str(), "help" | "--help" | "-h") {
        print!("{USAGE}");
        return ExitCode::SUCCESS;
    }
    let task = match command.as_str() {
        "dist" => dist::command,
        "serve" => serve::command,
        "test" => test::command,
        "soak" => test::soak,
        "ci" => ci::command,
        "bench" => bench::command,
        "package" => package::command,
        other => {
            eprint!("xtask: there is no command `{other}`\n\n{USAGE}");
            return ExitCode::from(2);
        }
    };
    match Workspace::find().and_then(|workspace| task(&workspace, rest)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("xtask {command}: {error:#}");
            ExitCode::FAILURE
        }
    }
}
