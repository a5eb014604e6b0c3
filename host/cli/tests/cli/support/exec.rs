use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::Write;
use std::os::unix::fs::{DirBuilderExt, MetadataExt};
use std::os::unix::process::ExitStatusExt;
use std::path::PathBuf;
use std::process::{Child, Command, Output, Stdio};
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant, UNIX_EPOCH};

use rustix::fs::{CWD, FileType, Mode, mknodat};
use rustix::time::{ClockId, clock_gettime};
use tempfile::TempDir;

/// Longer than anything takes that is waited for.
const LIMIT: Duration = Duration::from_mins(1);

/// A folder with a cache of its own, in which commands are run. They write a line to `runs` each time.
pub struct Exec {
    root: TempDir,
}

/// How a call ended and what it printed. Of a signal the status is 128 and its number, as for a shell.
#[derive(Debug, PartialEq, Eq)]
pub struct Ended {
    pub status: i32,
    pub stdout: Vec<u8>,
    pub stderr: Vec<u8>,
}

impl Exec {
    pub fn new() -> Self {
        let root = tempfile::tempdir().unwrap();
        DirBuilder::new()
            .mode(0o700)
            .create(root.path().join("cache"))
            .unwrap();
        Self { root }
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.root.path().join(name)
    }

    /// A file of the cache.
    pub fn cached(&self, name: &str) -> PathBuf {
        self.path("cache/dogpile").join(name)
    }

    /// `dogpile exec` with these arguments.
    pub fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_dogpile"));
        command
            .arg("exec")
            .args(arguments)
            .current_dir(self.root.path())
            .env("XDG_CACHE_HOME", self.path("cache"))
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        for variable in [
            "DOGPILE_EXEC",
            "DOGPILE_EXEC_WITHIN",
            "DOGPILE_MANIFEST",
            "RUST_LOG",
        ] {
            command.env_remove(variable);
        }
        command
    }

    /// The same, of a script that first writes a line to `runs`.
    pub fn script(&self, options: &[&str], script: &str) -> Command {
        let script = format!("echo run >> runs; {script}");
        self.command(&[options, &["--", "sh", "-c", &script]].concat())
    }

    /// The same, started by a shell that executes it in that way.
    pub fn through(&self, exec: &str, script: &str) -> Command {
        self.through_shell(exec, &self.script(&[], script))
    }

    /// A call, started by a shell that executes it in that way.
    pub fn through_shell(&self, exec: &str, inner: &Command) -> Command {
        let mut command = Command::new("sh");
        command
            .args(["-c", &format!("{exec} \"$@\""), "sh"])
            .arg(inner.get_program())
            .args(inner.get_args())
            .current_dir(self.path(""))
            .env("XDG_CACHE_HOME", self.path("cache"))
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        command
    }

    /// Runs a script to its end.
    pub fn run(&self, options: &[&str], script: &str) -> Ended {
        ended(self.script(options, script).output().unwrap())
    }

    /// How often scripts were run.
    pub fn runs(&self) -> usize {
        fs::read_to_string(self.path("runs")).map_or(0, |runs| runs.lines().count())
    }

    /// A gate: a script waits at it with `read go < NAME`.
    pub fn gate(&self, name: &str) {
        let mode = Mode::RUSR | Mode::WUSR;
        mknodat(CWD, self.path(name), FileType::Fifo, mode, 0).unwrap();
    }

    /// Waits until a script is at the gate, and lets it pass.
    pub fn open(&self, name: &str) {
        self.meet(name).pass(1);
    }

    /// Waits until a script is at the gate, which stays closed until this is dropped.
    pub fn meet(&self, name: &str) -> Gate {
        let path = self.path(name);
        let opened = within(move || OpenOptions::new().write(true).open(path).unwrap());
        Gate(opened)
    }

    /// How many calls wait for another's run: for the kernel's lock of the key.
    pub fn waiting(&self) -> usize {
        let Ok(lock) = fs::metadata(self.cached("exec.dbm.dogpile.lock")) else {
            return 0;
        };
        let inode = format!(":{} ", lock.ino());
        let locks = fs::read_to_string("/proc/locks").unwrap();
        locks
            .lines()
            .filter(|line| line.contains(" -> ") && line.contains(&inode))
            .count()
    }

    /// Waits until no process is in the folder any more: runs behind have ended.
    pub fn until_alone(&self) {
        let root = self.root.path().canonicalize().unwrap();
        until("nobody is left", || {
            let mut all = fs::read_dir("/proc").unwrap().map(Result::unwrap);
            !all.any(|process| fs::read_link(process.path().join("cwd")).is_ok_and(|is| is == root))
        });
    }

    /// Waits until so many do.
    pub fn until_waiting(&self, number: usize) {
        until(&format!("{number} calls wait"), || self.waiting() == number);
    }
}

/// An open gate, with nobody through yet.
pub struct Gate(File);

impl Gate {
    /// Lets so many through, also those who come later, as long as it is kept.
    pub fn pass(&self, number: usize) {
        (&self.0)
            .write_all("go\n".repeat(number).as_bytes())
            .unwrap();
    }
}

impl Ended {
    #[track_caller]
    pub fn is(&self, status: i32, stdout: &str, stderr: &str) {
        let found = (
            self.status,
            String::from_utf8_lossy(&self.stdout),
            String::from_utf8_lossy(&self.stderr),
        );
        assert_eq!(found, (status, stdout.into(), stderr.into()));
    }
}

pub fn ended(output: Output) -> Ended {
    let status = output.status;
    Ended {
        status: status
            .code()
            .unwrap_or_else(|| 128 + status.signal().unwrap()),
        stdout: output.stdout,
        stderr: output.stderr,
    }
}

/// Waits for the end of a child, for a minute at most.
pub fn wait(child: Child) -> Ended {
    within(|| ended(child.wait_with_output().unwrap()))
}

/// Waits until the clock by which values are judged has ticked: what is there is older than nothing then.
pub fn tick() {
    let now = UNIX_EPOCH.elapsed().unwrap();
    until("a tick", || {
        let ticked = clock_gettime(ClockId::RealtimeCoarse);
        Duration::try_from(ticked).unwrap() > now
    });
}

/// What blocks, for a minute at most.
pub fn within<T: Send + 'static>(call: impl FnOnce() -> T + Send + 'static) -> T {
    let (send, done) = mpsc::channel();
    thread::spawn(move || {
        // The test may have given up.
        let _gone = send.send(call());
    });
    done.recv_timeout(LIMIT).expect("it does not end")
}

/// Looks until it is so: other processes tell nobody.
pub fn until(what: &str, mut is_so: impl FnMut() -> bool) {
    let deadline = Instant::now() + LIMIT;
    while !is_so() {
        assert!(Instant::now() < deadline, "not after a minute: {what}");
        thread::sleep(Duration::from_millis(2));
    }
}
