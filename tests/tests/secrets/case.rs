//! One manifest, and everything that can be asked of it.

use std::fs::{self, DirBuilder, File};
use std::io::{BufRead, BufReader};
use std::os::unix::fs::DirBuilderExt;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};

use dogpile::manifest::Manifest;
use dogpile::{Host, Region, Trust};
use dogpile_tests::plugin_file;
use dogpile_tests::prometheus_server::get;
use tempfile::TempDir;

use crate::outputs::{CANARY, Log, Outputs};

/// The variable that holds a secret.
pub(crate) const VARIABLE: &str = "DOGPILE_TEST_SECRET";

/// A folder with a manifest, the plugins, and a file with a secret.
pub(crate) struct Case {
    folder: TempDir,
    pub(crate) outputs: Outputs,
}

impl Case {
    pub(crate) fn new(manifest: &str) -> Self {
        Log::start();
        let case = Self {
            folder: tempfile::tempdir().unwrap(),
            outputs: Outputs::default(),
        };
        let plugins = plugin_file("memory");
        std::os::unix::fs::symlink(plugins.parent().unwrap(), case.path("plugins")).unwrap();
        DirBuilder::new()
            .mode(0o700)
            .create(case.path("run"))
            .unwrap();
        fs::write(case.path("secret"), format!("{CANARY}-of-file\n")).unwrap();
        case.save(manifest);
        case
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub(crate) fn save(&self, manifest: &str) {
        let aside = self.path("aside");
        fs::write(&aside, manifest).unwrap();
        fs::rename(aside, self.path("dogpile.toml")).unwrap();
    }

    /// What the manifest says of itself, right or wrong.
    pub(crate) fn read(&mut self) {
        let variable = |name: &str| (name == VARIABLE).then(|| format!("{CANARY}-of-variable"));
        let outputs = &mut self.outputs;
        match Manifest::load_with(&self.folder.path().join("dogpile.toml"), &variable) {
            Ok(manifest) => {
                outputs.debug("manifest", &manifest);
                outputs.add("masked manifest", manifest.masked_toml());
                for region in manifest.regions().values() {
                    outputs.debug("region's configuration", region);
                }
                let error = manifest.error_at(&["regions"], "wrong", "right");
                outputs.debug("manifest's error", &error);
            }
            Err(errors) => {
                outputs.error("manifest's errors", &errors);
                for error in &errors {
                    outputs.add("manifest's errors", serde_json::to_string(error).unwrap());
                }
                if let Some(manifest) = errors.readable() {
                    outputs.debug("readable manifest", manifest);
                    outputs.add("readable manifest", manifest.masked_toml());
                }
            }
        }
    }

    /// What a host in this process says: of the manifest, and of calls; `next` is the manifest for which it plans, and
    /// which it applies.
    pub(crate) fn host(&mut self, next: &str) {
        let builder = Host::builder().manifest(self.path("dogpile.toml"));
        let built = builder.watch(false).trust(Trust::Off).build();
        match built {
            Ok(host) => {
                self.tells(&host);
                self.save(next);
                match host.plan() {
                    Ok(plan) => {
                        self.outputs.debug("plan", &plan);
                        self.outputs
                            .add("plan", serde_json::to_string(&plan).unwrap());
                    }
                    Err(error) => self.outputs.error("plan's error", &error),
                }
                match host.reload() {
                    Ok(reload) => self.outputs.debug("reload", &reload),
                    Err(error) => self.outputs.error("reload's error", &error),
                }
                self.tells(&host);
            }
            Err(error) => self.outputs.error("host's error", &error),
        }
        self.outputs.add("log", Log::all());
    }

    fn tells(&mut self, host: &Host) {
        let status = host.status();
        self.outputs.debug("status", &status);
        self.outputs
            .add("status", serde_json::to_string(&status).unwrap());
        self.outputs.debug("plugins", &host.plugins());
        self.outputs.add("metrics", host.metrics_text());
        for region in &status.regions {
            self.calls(&host.region(&region.name).unwrap());
        }
        self.outputs.debug("status", &host.status());
    }

    fn calls(&mut self, region: &Region) {
        let outputs = &mut self.outputs;
        outputs.debug("region", region);
        let mut results = vec![
            region.ping().err(),
            region.get::<u32>("k").err(),
            region.set("k", 1_u32).err(),
            region.delete("k").err(),
            region.get_or_create("k", || 1_u32).err(),
            region.clear().err(),
        ];
        for error in results.drain(..).flatten() {
            outputs.error("calls", &error);
        }
    }

    /// What the command says of the manifest, without a host.
    pub(crate) fn checks(&mut self) {
        for arguments in [
            &["check", "--no-connect"][..],
            &["check"],
            &["plugins"],
            &["plugins", "--json"],
            &["schema"],
            &["status"],
            &["get", crate::outputs::MARKER, "k"],
        ] {
            self.command(&arguments.join(" "), arguments);
        }
    }

    /// What a host that serves says by itself and by the command, while `next` is saved and applied.
    pub(crate) fn serves(&mut self, next: &str) {
        let log = self.path("serve.log");
        let mut server = self.dogpile(&["serve", "--listen", "127.0.0.1:0"]);
        let errors = File::create(&log).unwrap();
        let server = server
            .stdout(Stdio::piped())
            .stderr(errors)
            .spawn()
            .unwrap();
        let mut server = Served(server);
        let mut line = String::new();
        let stdout = server.0.stdout.take().unwrap();
        BufReader::new(stdout).read_line(&mut line).unwrap();
        self.outputs.add("serve", &line);
        let address = line.trim_end().trim_start_matches("http://");
        let address = address.trim_end_matches('/').to_owned();
        let ask = |case: &mut Self| {
            let (_, metrics) = get(&address, "/metrics").unwrap();
            case.outputs.add("served metrics", metrics);
            case.command("served status", &["status"]);
            case.command("served status --json", &["status", "--json"]);
            case.command("served plugins --json", &["plugins", "--json"]);
            case.command("served get", &["get", crate::outputs::MARKER, "k"]);
            case.command("served set", &["set", crate::outputs::MARKER, "k", "1"]);
        };
        ask(self);
        self.save(next);
        self.command("served plan", &["reload", "--dry-run"]);
        self.command("served plan --json", &["reload", "--dry-run", "--json"]);
        self.command("served reload", &["reload"]);
        ask(self);
        drop(server);
        let log = fs::read_to_string(log).unwrap();
        self.outputs.add("serve's log", log);
    }

    fn command(&mut self, from: &str, arguments: &[&str]) {
        let output = self.dogpile(arguments).output().unwrap();
        let text = [output.stdout, output.stderr].concat();
        self.outputs.add(from, String::from_utf8_lossy(&text));
    }

    /// The command, with a secret in its environment and the loudest log.
    pub(crate) fn dogpile(&self, arguments: &[&str]) -> Command {
        let program = plugin_file("memory").with_file_name("dogpile");
        let mut command = Command::new(program);
        command
            .args(arguments)
            .current_dir(&self.folder)
            .env(VARIABLE, format!("{CANARY}-of-variable"))
            .env("XDG_RUNTIME_DIR", self.path("run"))
            .env("RUST_LOG", "trace")
            .env("DOGPILE_TRUST", "off")
            .env_remove("DOGPILE_MANIFEST")
            .stdin(Stdio::null());
        command
    }
}

/// A host that serves, ended with this.
struct Served(Child);

impl Drop for Served {
    fn drop(&mut self) {
        // It may have ended already.
        let _gone = self.0.kill();
        let _waited = self.0.wait();
    }
}
