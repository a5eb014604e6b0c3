//! A page with programs in Python and manifests for Rust, which tests run.

use std::fs;
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
