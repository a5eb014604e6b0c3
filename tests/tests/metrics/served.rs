//! A running `dogpile serve`.

use std::fs;
use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};

use dogpile_tests::plugin_file;
use dogpile_tests::prometheus_server::get;
use dogpile_tests::until::until;
use tempfile::TempDir;

pub(crate) struct Served {
    child: Child,
    pub(crate) address: String,
    folder: TempDir,
}

impl Served {
    pub(crate) fn start() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let plugins = plugin_file("memory");
        let plugins = plugins.parent().unwrap();
        let manifest = format!(
            "version = 1\n[host]\nplugin_dir = \"{}\"\n[plugins.memory]\n[regions.pages]\nbackend = \"memory\"\n\
             expiration_time = \"1h\"\n",
            plugins.display()
        );
        fs::write(folder.path().join("dogpile.toml"), manifest).unwrap();
        let mut child = command(&folder, &["serve", "--listen", "127.0.0.1:0"])
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let mut url = String::new();
        let stdout = child.stdout.take().unwrap();
        BufReader::new(stdout).read_line(&mut url).unwrap();
        let address = url.trim_end().trim_start_matches("http://");
        Self {
            child,
            address: address.trim_end_matches('/').to_owned(),
            folder,
        }
    }

    pub(crate) fn metrics(&self) -> String {
        let (status, body) = get(&self.address, "/metrics").unwrap();
        assert_eq!(status, 200);
        body
    }

    /// Calls by the command, and a manifest that is refused.
    pub(crate) fn traffic(&self) {
        for arguments in [&["set", "pages", "a", "1"][..], &["get", "pages", "a"]] {
            let status = command(&self.folder, arguments)
                .stdout(Stdio::null())
                .status();
            assert!(status.unwrap().success(), "{arguments:?}");
        }
        fs::write(self.folder.path().join("dogpile.toml"), "nonsense").unwrap();
        until("the manifest is refused", || {
            self.metrics()
                .contains("dogpile_config_last_reload_successful 0\n")
        });
    }
}

fn command(folder: &TempDir, arguments: &[&str]) -> Command {
    let mut command = Command::new(plugin_file("memory").with_file_name("dogpile"));
    command
        .args(arguments)
        .current_dir(folder)
        .env("XDG_RUNTIME_DIR", folder.path())
        .env("DOGPILE_TRUST", "off")
        .env_remove("DOGPILE_MANIFEST")
        .stdin(Stdio::null());
    command
}

impl Drop for Served {
    fn drop(&mut self) {
        // It may have ended already.
        let _gone = self.child.kill();
        let _waited = self.child.wait();
    }
}
