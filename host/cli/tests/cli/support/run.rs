use std::io::Write;
use std::path::Path;
use std::process::{Command, Output, Stdio};

/// What a command printed, and how it ended. Paths start at the folder, which is `[DIR]` itself.
#[derive(Debug)]
pub struct Run {
    pub status: Option<i32>,
    pub stdout: String,
    pub stderr: String,
}

impl Run {
    pub(super) fn of(mut command: Command, stdin: &str, folder: &Path) -> Self {
        let mut child = command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut input = child.stdin.take().unwrap();
        input.write_all(stdin.as_bytes()).unwrap();
        drop(input);
        let Output {
            status,
            stdout,
            stderr,
        } = child.wait_with_output().unwrap();
        let text = |bytes: Vec<u8>| {
            let text = String::from_utf8(bytes).unwrap();
            normalised(&without_folder(&text, folder))
        };
        Self {
            status: status.code(),
            stdout: text(stdout),
            stderr: text(stderr),
        }
    }

    #[track_caller]
    pub fn is(&self, status: i32, stdout: &str, stderr: &str) {
        let expected = (Some(status), stdout, stderr);
        let found = (self.status, &*self.stdout, &*self.stderr);
        assert!(
            found == expected,
            "expected {}\n--- stdout\n{stdout}--- stderr\n{stderr}\nfound {:?}\n--- stdout\n{}--- stderr\n{}",
            status,
            self.status,
            self.stdout,
            self.stderr
        );
    }
}

/// `text` with the paths in it as they are seen from `folder`.
pub fn without_folder(text: &str, folder: &Path) -> String {
    let folder = folder.to_string_lossy();
    text.replace(&format!("{folder}/"), "")
        .replace(&*folder, "[DIR]")
}

/// Where the command says that it looked for a host.
pub fn looked_for() -> String {
    let user = rustix::process::getuid().as_raw();
    format!(
        "its socket was looked for in run/dogpile, /run/user/{user}/dogpile, /tmp/dogpile-{user}"
    )
}

/// Times, digests and compilers differ from run to run.
fn normalised(text: &str) -> String {
    let mut whole = String::new();
    for line in text.split_inclusive('\n') {
        if line.trim_start().starts_with("compiler: ") {
            whole.push_str("  compiler: [RUSTC]\n");
            continue;
        }
        let (words, end) = match line.strip_suffix('\n') {
            Some(words) => (words, "\n"),
            None => (line, ""),
        };
        let words: Vec<_> = words.split(' ').map(word).collect();
        whole.push_str(&words.join(" "));
        whole.push_str(end);
    }
    whole
}

fn word(word: &str) -> &str {
    let bytes = word.as_bytes();
    let is_time = bytes.len() >= 20
        && bytes[4] == b'-'
        && bytes[10] == b'T'
        && word.ends_with('Z')
        && bytes[..4].iter().all(u8::is_ascii_digit);
    if is_time {
        "[TIME]"
    } else if bytes.len() == 64 && bytes.iter().all(u8::is_ascii_hexdigit) {
        "[SHA256]"
    } else {
        word
    }
}
