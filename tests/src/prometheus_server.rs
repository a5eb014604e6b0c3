//! A Prometheus server of a test's own, on a free port, in a folder that goes with it.

use std::fmt::Write as _;
use std::fs::{self, File};
use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use serde_json::Value;
use tempfile::TempDir;

use crate::running::{Running, free_port, log, missing};

/// The package of Debian that has it.
const PACKAGE: &str = "prometheus";

/// Longer than any answer takes.
const LIMIT: Duration = Duration::from_mins(1);

/// A server that runs; ended with this at the latest.
#[derive(Debug)]
pub struct PrometheusServer {
    _running: Running,
    address: String,
    _folder: TempDir,
}

/// A test wants a server that works: anything else is the end of the test.
#[expect(clippy::missing_panics_doc, reason = "said once, above")]
impl PrometheusServer {
    /// Starts one that reads the metrics of these addresses each second, and has these rules; waits until it answers.
    pub fn start(targets: &[String], rules: &Path) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let config = folder.path().join("prometheus.yml");
        let mut text = format!(
            "global:\n  scrape_interval: 1s\n  scrape_timeout: 1s\n  evaluation_interval: 1s\nrule_files:\n  - '{}'\n\
             scrape_configs:\n  - job_name: dogpile\n    static_configs:\n      - targets:\n",
            rules.display()
        );
        for target in targets {
            writeln!(text, "          - '{target}'").unwrap();
        }
        fs::write(&config, text).unwrap();
        // Another program may take the port first.
        for _ in 0..10 {
            let address = format!("127.0.0.1:{}", free_port());
            let mut command = Command::new("prometheus");
            command
                .arg(format!("--config.file={}", config.display()))
                .arg(format!("--web.listen-address={address}"))
                .arg(format!(
                    "--storage.tsdb.path={}",
                    folder.path().join("data").display()
                ))
                .stderr(File::create(folder.path().join("log")).unwrap());
            let answers = || get(&address, "/-/ready").is_some_and(|(status, _)| status == 200);
            if let Some(running) = Running::server(&mut command, PACKAGE, folder.path(), answers) {
                return Self {
                    _running: running,
                    address,
                    _folder: folder,
                };
            }
        }
        panic!("the server does not start: {}", log(folder.path()));
    }

    /// What its interface for programs says, which must be no error.
    pub fn ask(&self, path: &str) -> Value {
        let (_, body) = get(&self.address, path).expect("it answers");
        let answer: Value = serde_json::from_str(&body).expect("it is JSON");
        assert_eq!(answer["status"], "success", "{path}: {body}");
        answer["data"].clone()
    }

    /// The numbers that an expression gives now, with `NaN` for those that are none.
    pub fn query(&self, expression: &str) -> Vec<f64> {
        let data = self.ask(&format!("/api/v1/query?query={}", encoded(expression)));
        let result = data["result"].as_array().expect("it has a result");
        assert_ne!(data["resultType"], "scalar", "{expression}");
        let number = |sample: &Value| sample["value"][1].as_str().unwrap().parse().unwrap();
        result.iter().map(number).collect()
    }

    /// The values that a label has in these series, as Grafana asks for those of a variable.
    pub fn values(&self, label: &str, series: &str) -> Vec<String> {
        let path = format!("/api/v1/label/{label}/values?match[]={}", encoded(series));
        serde_json::from_value(self.ask(&path)).expect("they are texts")
    }
}

/// As a part of an address.
fn encoded(text: &str) -> String {
    let mut encoded = String::new();
    for byte in text.bytes() {
        write!(encoded, "%{byte:02x}").expect("it has room");
    }
    encoded
}

/// Runs `promtool` with this for its input, and gives what it says if it does not like it.
///
/// # Panics
///
/// If it is not there.
pub fn promtool(arguments: &[&str], input: &str) -> Result<(), String> {
    let mut command = Command::new("promtool");
    command.args(arguments).stdin(Stdio::piped());
    let piped = command.stdout(Stdio::piped()).stderr(Stdio::piped());
    let spawned = piped.spawn();
    let mut child =
        spawned.unwrap_or_else(|error| panic!("{}", missing(&command, PACKAGE, &error)));
    let mut stdin = child.stdin.take().expect("it is piped");
    stdin.write_all(input.as_bytes()).expect("it reads");
    drop(stdin);
    let output = child.wait_with_output().expect("it ends");
    let said = [output.stdout, output.stderr].concat();
    let said = String::from_utf8_lossy(&said).into_owned();
    output.status.success().then_some(()).ok_or(said)
}

/// The status and the body of a page; none if nothing answers there yet.
pub fn get(address: &str, path: &str) -> Option<(u16, String)> {
    let mut stream = TcpStream::connect(address).ok()?;
    stream.set_read_timeout(Some(LIMIT)).ok()?;
    // The older version has its answers in one piece.
    write!(stream, "GET {path} HTTP/1.0\r\nhost: {address}\r\n\r\n").ok()?;
    let mut text = String::new();
    stream.read_to_string(&mut text).ok()?;
    let (head, body) = text.split_once("\r\n\r\n")?;
    let status = head.split(' ').nth(1)?.parse().ok()?;
    Some((status, body.to_owned()))
}
