use std::collections::BTreeMap;
use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::api::core::v1::{ConfigMap, PodSpec, Service, Volume};
use serde::{Serialize, de::DeserializeOwned};
use serde_json::Value;
use tempfile::TempDir;

use crate::{built, command, project, read};

const FOLDER: &str = "docs/kubernetes";

/// The document of a file, if all of it is what that kind of object has. Deserialising leaves out what it does not know,
/// so that what was left out is missing when it is written again.
fn typed<T: Serialize + DeserializeOwned>(text: &str) -> Result<T, String> {
    let said: Value = yaml_serde::from_str(text).map_err(|error| error.to_string())?;
    let object: T = serde_json::from_value(said.clone()).map_err(|error| error.to_string())?;
    let known = serde_json::to_value(&object).map_err(|error| error.to_string())?;
    if said == known {
        Ok(object)
    } else {
        Err(format!(
            "not all of it is known: {said:#}\nis taken for {known:#}"
        ))
    }
}

fn object<T: Serialize + DeserializeOwned>(name: &str) -> T {
    let file = format!("{FOLDER}/{name}.yaml");
    typed(&read(&file)).unwrap_or_else(|error| panic!("{file}: {error}"))
}

fn pod() -> PodSpec {
    let deployment: Deployment = object("deployment");
    let template = deployment.spec.template;
    template.spec.expect("it has one")
}

fn volume<'a>(pod: &'a PodSpec, name: &str) -> &'a Volume {
    let mut volumes = pod.volumes.iter().flatten();
    let named = volumes.find(|volume| volume.name == name);
    named.unwrap_or_else(|| panic!("no volume `{name}`"))
}

/// Where the pod mounts that volume. Never by `subPath`, which is not updated.
fn mounted<'a>(pod: &'a PodSpec, name: &str) -> &'a str {
    let mounts = pod.containers[0].volume_mounts.iter().flatten();
    let mount = mounts.into_iter().find(|mount| mount.name == name);
    let mount = mount.unwrap_or_else(|| panic!("`{name}` is not mounted"));
    assert_eq!(
        (&mount.sub_path, &mount.sub_path_expr),
        (&None, &None),
        "{name}"
    );
    &mount.mount_path
}

fn variable<'a>(pod: &'a PodSpec, name: &str) -> &'a str {
    let mut variables = pod.containers[0].env.iter().flatten();
    let variable = variables.find(|variable| variable.name == name);
    let value = variable.and_then(|variable| variable.value.as_deref());
    value.unwrap_or_else(|| panic!("{name} is not set"))
}

/// A pod's file system, as far as the manifest names it, under another root.
struct Root {
    folder: TempDir,
    manifest: PathBuf,
}

impl Root {
    fn of(pod: &PodSpec) -> Self {
        let folder = tempfile::tempdir().expect("there is room");
        let under = |path: &str| folder.path().join(path.trim_start_matches('/'));
        let map: ConfigMap = object("configmap");
        let files: BTreeMap<_, _> = map.data.expect("it has data");
        let secrets = mounted(pod, "redis");
        let plugins = "/opt/dogpile/plugins";
        for path in [secrets, mounted(pod, "manifest"), mounted(pod, "run")] {
            fs::create_dir_all(under(path)).expect("there is room");
        }
        fs::write(under(secrets).join("password"), "letmein").expect("there is room");
        for (name, text) in &files {
            assert!(text.contains(plugins) && text.contains(secrets), "{text}");
            let text = text.replace(plugins, &built().display().to_string());
            let text = text.replace(secrets, &under(secrets).display().to_string());
            fs::write(under(mounted(pod, "manifest")).join(name), text).expect("there is room");
        }
        let manifest = under(variable(pod, "DOGPILE_MANIFEST"));
        Self { folder, manifest }
    }

    fn dogpile(&self) -> Command {
        let mut dogpile = Command::new(command());
        dogpile
            .env("DOGPILE_MANIFEST", &self.manifest)
            .env("XDG_RUNTIME_DIR", self.folder.path().join("run/dogpile"))
            .env_remove("RUST_LOG");
        dogpile
    }
}

/// The server, which ends with the test.
struct Server(Child);

impl Drop for Server {
    fn drop(&mut self) {
        // It may have ended.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// The first line of the answer.
fn get(address: &str, path: &str) -> String {
    let mut stream = TcpStream::connect(address).expect("it listens");
    write!(stream, "GET {path} HTTP/1.0\r\nhost: {address}\r\n\r\n").expect("it reads");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).expect("it answers");
    answer.lines().next().unwrap_or_default().to_owned()
}

#[test]
fn each_file_is_of_its_kind_and_they_name_each_other() {
    let (pod, map, service): (_, ConfigMap, Service) =
        (pod(), object("configmap"), object("service"));
    let yaml = fs::read_dir(project().join(FOLDER)).expect("there is one");
    let yaml = yaml.filter(|file| {
        let name = file.as_ref().expect("it can be listed").file_name();
        Path::new(&name).extension() == Some("yaml".as_ref())
    });
    assert_eq!(yaml.count(), 3, "those above are all");

    let source = volume(&pod, "manifest").config_map.as_ref();
    assert_eq!(
        source.map(|source| &source.name),
        map.metadata.name.as_ref()
    );
    let names = map.data.iter().flatten().map(|(name, _)| name);
    let mut files = names.map(|name| format!("{}/{name}", mounted(&pod, "manifest")));
    let manifest = variable(&pod, "DOGPILE_MANIFEST");
    assert!(files.any(|file| file == manifest), "{manifest}");
    assert_eq!(mounted(&pod, "run"), variable(&pod, "XDG_RUNTIME_DIR"));

    let deployment: Deployment = object("deployment");
    let template = deployment.spec.template;
    let labels = template.metadata.and_then(|metadata| metadata.labels);
    let service = service.spec.expect("it has one");
    assert_eq!(service.selector, labels);
    let container = &pod.containers[0];
    let image = read(&format!("{FOLDER}/Dockerfile"));
    let args = container.args.as_ref().expect("it has some");
    assert!(image.contains(&format!("CMD {args:?}")), "{args:?}");
    let user = pod
        .security_context
        .as_ref()
        .and_then(|context| context.run_as_user);
    assert!(image.contains(&format!("USER {}:", user.expect("it has one"))));
    assert!(
        image.contains("COPY --from=build /opt/dogpile /opt/dogpile\n"),
        "{image}"
    );
    let context = container.security_context.as_ref().expect("it has one");
    assert_eq!(context.read_only_root_filesystem, Some(true));
}

#[test]
fn what_kubernetes_does_not_know_is_found() {
    let text = read(&format!("{FOLDER}/deployment.yaml"));
    for (right, wrong) in [
        ("readOnlyRootFilesystem", "readOnlyRootFileSystem"),
        ("replicas: 2", "replicas: two"),
        ("    spec:", "    specs:"),
    ] {
        assert!(text.contains(right), "{right}");
        let wrong = typed::<Deployment>(&text.replacen(right, wrong, 1));
        assert!(wrong.is_err(), "{right}");
    }
}

#[test]
fn the_manifest_is_right_and_the_probes_are_answered() {
    let pod = pod();
    let root = Root::of(&pod);
    let check = root.dogpile().args(["check", "--no-connect"]).output();
    let check = check.expect("it can be run");
    let told = [check.stdout, check.stderr].concat();
    let told = String::from_utf8_lossy(&told);
    assert!(check.status.success(), "{told}");
    assert_eq!(told, "ok: 2 regions, 2 plugins\n");

    // Its Redis is nowhere, which keeps nothing from starting.
    let container = &pod.containers[0];
    let args = container
        .args
        .iter()
        .flatten()
        .map(|one| one.replace("0.0.0.0:8000", "127.0.0.1:0"));
    let mut server = root.dogpile();
    server
        .args(args)
        .stdout(Stdio::piped())
        .stderr(Stdio::null());
    let mut server = Server(server.spawn().expect("it can be run"));
    let mut address = String::new();
    let output = server.0.stdout.take().expect("it is piped");
    BufReader::new(output)
        .read_line(&mut address)
        .expect("it tells");
    let address = address
        .trim()
        .trim_start_matches("http://")
        .trim_end_matches('/');

    let probes = [
        &container.startup_probe,
        &container.readiness_probe,
        &container.liveness_probe,
    ];
    let mut paths: Vec<String> = probes
        .into_iter()
        .map(|probe| {
            let probe = probe.as_ref().and_then(|probe| probe.http_get.as_ref());
            probe
                .and_then(|get| get.path.clone())
                .expect("it asks for a path")
        })
        .collect();
    let deployment = read(&format!("{FOLDER}/deployment.yaml"));
    assert!(deployment.contains("prometheus.io/path: /metrics\n"));
    paths.push("/metrics".to_owned());
    for path in paths {
        assert_eq!(get(address, &path), "HTTP/1.0 200 OK", "{path}");
    }
}
