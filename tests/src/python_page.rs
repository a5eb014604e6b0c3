//! A page with programs in Python and manifests for Rust, which tests run.

use std::fs::{self, Permissions};
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::process::Command;

use dogpile::Host;
use tempfile::TempDir;

use crate::plugin_file;
use crate::python_process::DOCS;

/// The page, in a place of the test's own.
#[derive(Debug)]
pub struct Page {
    text: String,
    plugin: &'static str,
    interpreter: PathBuf,
    folder: TempDir,
}

/// A test wants a page that works: anything else is the end of the test.
#[expect(clippy::missing_panics_doc, reason = "said once, above")]
impl Page {
    /// Of that text, with the page's servers replaced by the test's, for hosts with that plugin.
    pub fn new(
        text: &str,
        servers: &[(&str, &str)],
        plugin: &'static str,
        interpreter: PathBuf,
    ) -> Self {
        let mut text = text.to_owned();
        for (of_page, of_test) in servers {
            text = text.replace(of_page, of_test);
        }
        Self {
            text,
            plugin,
            interpreter,
            folder: tempfile::tempdir().unwrap(),
        }
    }

    /// The fenced blocks of that language.
    pub fn blocks(&self, language: &str) -> Vec<&str> {
        let blocks = self.text.split("```").skip(1).step_by(2);
        let start = format!("{language}\n");
        blocks
            .filter_map(|block| block.strip_prefix(&start))
            .collect()
    }

    /// A Python program whose `myapp/users.py` is that block.
    pub fn program(&self, name: &str, users: &str) -> PathBuf {
        let folder = self.folder.path().join(name);
        fs::create_dir_all(folder.join("myapp")).unwrap();
        fs::write(folder.join("myapp/users.py"), users).unwrap();
        let shared = format!("{DOCS}/dogpile_shared.py");
        fs::copy(shared, folder.join("dogpile_shared.py")).unwrap();
        folder
    }

    /// A host of the page's manifest.
    pub fn host(&self, name: &str, manifest: &str) -> Host {
        let file = self.folder.path().join(name);
        let plugins = plugin_file(self.plugin);
        let plugins = plugins.parent().unwrap().display();
        let host = format!("version = 1\n[host]\nplugin_dir = \"{plugins}\"\n");
        fs::write(&file, manifest.replacen("version = 1\n", &host, 1)).unwrap();
        Host::open(file).unwrap()
    }

    /// What a program prints that runs this.
    #[track_caller]
    pub fn run(&self, program: &Path, code: &str) -> String {
        let output = Command::new(&self.interpreter)
            .args(["-B", "-W", "error", "-c", code])
            .current_dir(program)
            .output()
            .unwrap();
        let told = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{code}: {told}");
        String::from_utf8(output.stdout)
            .unwrap()
            .trim_end()
            .to_owned()
    }

    /// Types the page's commands, each in a line, where that program is, with that manifest and `both`, the Rust program: each
    /// prints what the page shows.
    pub fn types(&self, program: &Path, manifest: &str, both: &str) {
        let bin = program.join("bin");
        fs::create_dir(&bin).unwrap();
        let cargo = format!("#!/bin/sh\nshift 3 # run --quiet --\nexec '{both}' \"$@\"\n");
        fs::write(bin.join("cargo"), cargo).unwrap();
        let executable = Permissions::from_mode(0o755);
        fs::set_permissions(bin.join("cargo"), executable).unwrap();
        let environment = self.interpreter.ancestors().nth(2).unwrap();
        symlink(environment, program.join("venv")).unwrap();
        let plugins = plugin_file(self.plugin);
        symlink(plugins.parent().unwrap(), program.join("plugins")).unwrap();
        fs::write(program.join("dogpile.toml"), manifest).unwrap();
        let path = format!("{}:{}", bin.display(), std::env::var("PATH").unwrap());
        let mut typed = 0;
        for block in self.blocks("console") {
            for step in block.split("$ ").skip(1) {
                let (command, expected) = step.split_once('\n').unwrap();
                let mut shell = Command::new("sh");
                shell.args(["-c", command]).current_dir(program);
                let output = shell.env("PATH", &path).output().unwrap();
                let told = String::from_utf8_lossy(&output.stderr);
                let printed = String::from_utf8_lossy(&output.stdout);
                assert!(output.status.success(), "{command}: {told}");
                assert_eq!(printed, expected, "{command}: {told}");
                typed += 1;
            }
        }
        assert!(typed >= 7, "{typed} commands were typed");
    }

    /// What a program gets that loads one.
    #[track_caller]
    pub fn loads(&self, program: &Path, id: u64) {
        let code = format!("from myapp.users import load; print(load({id}))");
        assert_eq!(
            self.run(program, &code),
            format!("{{'id': {id}, 'name': 'Ada'}}")
        );
    }
}
