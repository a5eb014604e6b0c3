use std::fs::{self, DirBuilder};
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use tempfile::TempDir;

use super::{Run, Server};

/// A folder with `dogpile.toml`, `plugins/` and a runtime directory of its own.
pub struct Folder {
    root: TempDir,
}

impl Folder {
    /// With a manifest and a copy of the three plugins.
    pub fn new(manifest: &str) -> Self {
        let folder = Self::without_plugins(manifest);
        for name in ["memory", "null", "manglers"] {
            folder.add_plugin(name);
        }
        folder
    }

    /// A region `users` in a file that processes share, with more keys for it.
    pub fn on_dbm(more: &str) -> Self {
        let folder = Self::new(&format!(
            "version = 1\n[plugins.dbm]\n[plugins.manglers]\n[regions.users]\nbackend = \"dbm\"\nexpiration_time = \
             \"5m\"\n{more}[regions.users.arguments]\nfilename = \"users.dbm\"\nmax_bytes = \"${{MAX:-64MiB}}\"\n"
        ));
        folder.add_plugin("dbm");
        folder
    }

    pub fn add_plugin(&self, name: &str) {
        let library = format!("libdogpile_plugin_{name}.so");
        let from = built().join(&library);
        let to = self.path("plugins").join(&library);
        fs::copy(&from, to).unwrap_or_else(|error| {
            panic!(
                "{}: {error}; build the plugin: cargo build -p dogpile-plugin-{name}",
                from.display()
            )
        });
    }

    pub fn without_plugins(manifest: &str) -> Self {
        let folder = Self {
            root: tempfile::tempdir().unwrap(),
        };
        fs::create_dir(folder.path("plugins")).unwrap();
        DirBuilder::new()
            .mode(0o700)
            .create(folder.path("run"))
            .unwrap();
        folder.write("dogpile.toml", manifest);
        folder
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.root.path().join(name)
    }

    /// Writes a file as editors do: aside, then in its place.
    pub fn write(&self, name: &str, text: &str) {
        let path = self.path(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        let aside = path.with_extension("aside");
        fs::write(&aside, text).unwrap();
        fs::rename(&aside, &path).unwrap();
    }

    /// The command, started in the folder.
    pub fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_dogpile"));
        command
            .args(arguments)
            .current_dir(self.root.path())
            .env("XDG_RUNTIME_DIR", self.path("run"));
        for variable in ["DOGPILE_MANIFEST", "RUST_LOG", "NO_COLOR"] {
            command.env_remove(variable);
        }
        command
    }

    /// Runs the command to its end.
    pub fn dogpile(&self, arguments: &[&str]) -> Run {
        self.run(self.command(arguments))
    }

    /// Runs one of its commands, whatever was set for it.
    pub fn run(&self, command: Command) -> Run {
        Run::of(command, "", self.root.path())
    }

    /// The same, with something on the standard input.
    pub fn dogpile_with(&self, arguments: &[&str], stdin: &str) -> Run {
        Run::of(self.command(arguments), stdin, self.root.path())
    }

    /// The same where no file can be longer than so many blocks of 512 bytes, or of 1024 by some shells.
    pub fn dogpile_limited(&self, blocks: u32, arguments: &[&str]) -> Run {
        let unlimited = self.command(arguments);
        let script = format!("trap '' XFSZ; ulimit -f {blocks}; exec \"$@\"");
        let mut command = Command::new("sh");
        command
            .args(["-c", &script, "sh"])
            .arg(unlimited.get_program())
            .args(unlimited.get_args())
            .current_dir(self.root.path());
        for (name, value) in unlimited.get_envs() {
            match value {
                Some(value) => command.env(name, value),
                None => command.env_remove(name),
            };
        }
        Run::of(command, "", self.root.path())
    }

    /// A site of one page, `/`, which shows `query.name` and `data.numbers.one`.
    pub fn add_site(&self) {
        self.write(
            "site/templates/index.html",
            "<p>{{ query.name | default(value=\"nobody\") }} {{ data.numbers.one }}</p>\n",
        );
        self.write("site/data/numbers.json", r#"{ "one": 1 }"#);
        self.write("site/static/plain.txt", "static\n");
    }

    /// Serves no site, only the command.
    pub fn serve_alone(&self) -> Server {
        Server::start(self.command(&["serve", "--listen", "127.0.0.1:0"]))
    }

    /// Serves the site on a free port.
    pub fn serve(&self) -> Server {
        self.serve_with(&[])
    }

    pub fn serve_with(&self, more: &[&str]) -> Server {
        let mut arguments = vec!["serve", "--listen", "127.0.0.1:0", "--site", "site"];
        arguments.extend(more);
        Server::start(self.command(&arguments))
    }
}

/// Where the plugins were built: as the task runner says, or beside this test's own binary.
fn built() -> PathBuf {
    std::env::var_os("DOGPILE_TEST_PLUGINS").map_or_else(
        || {
            let own = std::env::current_exe().unwrap();
            let profile = own.ancestors().nth(2).expect("target/debug/deps/this");
            profile.to_owned()
        },
        |folder| Path::new(&folder).to_owned(),
    )
}
