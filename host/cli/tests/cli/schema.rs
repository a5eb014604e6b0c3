//! The schema, by a validator of draft 7, over the manifests that there are.

use std::fs;
use std::path::{Path, PathBuf};

use boon::{Compiler, Draft, SchemaIndex, Schemas};
use serde_json::{Value, json};

use crate::support::{Folder, PAGES};

/// With every plugin of ours listed.
const LISTED: &str = "version = 1\n[plugins.dbm]\n[plugins.manglers]\n[plugins.memcached]\n[plugins.memory]\n[plugins.null]\n\
                      [plugins.proxies]\n[plugins.redis]\n[plugins.template-cache]\n";

fn repository(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../..")
        .join(path)
}

fn manifests(folder: &str) -> Vec<PathBuf> {
    let files = fs::read_dir(repository(folder)).unwrap();
    let files = files.map(|file| file.unwrap().path());
    let mut files: Vec<_> = files
        .filter(|file| {
            file.extension()
                .is_some_and(|extension| extension == "toml")
        })
        .collect();
    files.sort();
    files
}

/// As a language server reads it; none of what is no TOML.
fn json_of(text: &str) -> Option<Value> {
    let table: toml::Table = text.parse().ok()?;
    Some(json_value(toml::Value::Table(table)))
}

fn json_value(value: toml::Value) -> Value {
    match value {
        toml::Value::String(text) => text.into(),
        toml::Value::Integer(number) => number.into(),
        toml::Value::Float(number) => number.into(),
        toml::Value::Boolean(truth) => truth.into(),
        toml::Value::Datetime(time) => time.to_string().into(),
        toml::Value::Array(items) => items.into_iter().map(json_value).collect(),
        toml::Value::Table(table) => {
            let members = table.into_iter();
            Value::Object(
                members
                    .map(|(key, value)| (key, json_value(value)))
                    .collect(),
            )
        }
    }
}

struct Validator {
    schemas: Schemas,
    index: SchemaIndex,
}

impl Validator {
    fn new(schema: Value) -> Self {
        assert_eq!(schema["$schema"], "http://json-schema.org/draft-07/schema#");
        let (mut schemas, mut compiler) = (Schemas::new(), Compiler::new());
        compiler.set_default_draft(Draft::V7);
        compiler.add_resource("schema.json", schema).unwrap();
        let index = compiler.compile("schema.json", &mut schemas).unwrap();
        Self { schemas, index }
    }

    /// What the command prints for a manifest.
    fn printed(folder: &Folder, arguments: &[&str]) -> Self {
        let run = folder.dogpile(arguments);
        assert_eq!((run.status, run.stderr.as_str()), (Some(0), ""), "{run:?}");
        Self::new(serde_json::from_str(&run.stdout).unwrap())
    }

    fn with_all_plugins() -> Self {
        let folder = Folder::new(LISTED);
        for name in ["dbm", "memcached", "proxies", "redis", "template_cache"] {
            folder.add_plugin(name);
        }
        Self::printed(&folder, &["schema"])
    }

    fn check(&self, manifest: &Value) -> Result<(), String> {
        let checked = self.schemas.validate(manifest, self.index);
        checked.map_err(|error| format!("{error:#}"))
    }

    /// Of the text of a manifest.
    fn takes(&self, text: &str) -> bool {
        self.check(&json_of(text).expect(text)).is_ok()
    }
}

#[test]
fn every_example_in_the_repository_is_right_by_it() {
    let whole = Validator::with_all_plugins();
    let own = Validator::printed(&Folder::without_plugins(PAGES), &["schema", "--no-plugins"]);
    let demo = fs::read_to_string(repository("templates/dogpile.toml")).unwrap();
    let template = fs::read_to_string(repository("host/cli/plugin-template/dogpile.toml")).unwrap();
    let mut examples = vec![demo, template];
    let mut pages = vec![repository("README.md")];
    let docs = fs::read_dir(repository("docs")).unwrap();
    pages.extend(docs.map(|page| page.unwrap().path()));
    pages.retain(|page| page.extension().is_some_and(|ending| ending == "md"));
    for page in pages {
        let page = fs::read_to_string(page).unwrap();
        let blocks = page.split("```toml\n").skip(1);
        examples.extend(blocks.map(|block| block.split("```").next().unwrap().to_owned()));
    }
    let mut manifests = 0;
    for example in examples {
        // Others are parts of one, or of something else.
        let Some(mut manifest) = json_of(&example).filter(|found| found.get("regions").is_some())
        else {
            continue;
        };
        manifest["version"] = 1.into();
        // Some are about a plugin of one's own.
        let plugins = manifest["plugins"].as_object().into_iter().flatten();
        let are_ours = plugins
            .into_iter()
            .all(|(name, _)| LISTED.contains(&format!("[plugins.{name}]")));
        let schema = if are_ours { &whole } else { &own };
        let checked = schema.check(&manifest);
        // One shows what is told of mistakes.
        let is_wrong = example.starts_with("# wrong.toml\n");
        assert_eq!(checked.is_err(), is_wrong, "{checked:?}\n{example}");
        manifests += 1;
    }
    assert!(manifests >= 12, "only {manifests}");
}

#[test]
fn right_manifests_are_right_by_it_whatever_plugins_they_name() {
    let own = Validator::printed(&Folder::without_plugins(PAGES), &["schema", "--no-plugins"]);
    let good = manifests("host/tests/manifest/good");
    assert!(good.len() >= 3);
    for path in good {
        let manifest = json_of(&fs::read_to_string(&path).unwrap()).unwrap();
        if let Err(error) = own.check(&manifest) {
            panic!("{}: {error}", path.display());
        }
    }
}

/// What no schema can see: other files, variables, what plugins and servers say to it, two things that
/// are right alone, and which bytes it was.
const UNSEEN: [&str; 19] = [
    "arguments_of_memcached",
    "backend_ambiguous",
    "include_circle",
    "include_duplicates",
    "include_duplicates_by_glob",
    "include_holds_more",
    "include_itself",
    "include_missing",
    "include_of_no_manifest",
    "include_outside",
    "interpolated_wrong_types",
    "latin1_in_a_comment",
    "login_of_memcached",
    "password_twice_for_redis",
    "plugin_not_listed",
    "regions_on_the_same_keys",
    "url_of_redis",
    "variable_not_set",
    "zero_where_none_can_be",
];

#[test]
fn wrong_manifests_are_wrong_by_it() {
    let whole = Validator::with_all_plugins();
    let mut refused = 0;
    let mut unseen = Vec::new();
    let bad = manifests("host/tests/manifest/bad");
    for path in bad
        .into_iter()
        .chain(manifests("tests/tests/wrong_manifests/fixtures"))
    {
        let text = String::from_utf8_lossy(&fs::read(&path).unwrap()).into_owned();
        // A version of 1.0 is 1 to JSON.
        let name = path.file_stem().unwrap().to_str().unwrap().to_owned();
        let Some(manifest) = json_of(&text).filter(|_| name != "version_is_a_float") else {
            continue;
        };
        match whole.check(&manifest) {
            Ok(()) => unseen.push(name),
            Err(_) => refused += 1,
        }
    }
    assert_eq!(
        unseen
            .iter()
            .filter(|name| !UNSEEN.contains(&&***name))
            .count(),
        0,
        "{unseen:?}"
    );
    assert!(refused >= 55, "only {refused}");
}

#[test]
fn arguments_are_those_of_the_regions_backend() {
    let whole = Validator::with_all_plugins();
    let region = |backend: &str, arguments: &str| {
        let text = format!("version = 1\n[regions.a]\nbackend = \"{backend}\"\n{arguments}\n");
        whole.takes(&text)
    };
    for (backend, arguments, right) in [
        ("memory", "arguments.max_entries = 5", true),
        (
            "memory/memory",
            "arguments.max_entries = \"unbounded\"",
            true,
        ),
        ("memory", "arguments.max_entries = \"${N}\"", true),
        ("memory", "arguments.max_entries = 0", false),
        ("memory/memory", "arguments.max_entry = 5", false),
        ("null", "arguments.max_entries = 5", false),
        ("${BACKEND}", "arguments.max_entries = 5", true),
        ("memory", "arguments.storage = \"byte\"", false),
        // Its own argument must be given.
        ("dbm", "", false),
        ("dbm", "arguments.filename = \"a\"", true),
        // These are the host's, whatever the backend.
        ("null", "arguments.lock_timeout = 3", true),
        ("null", "arguments.lock_timeout = \"never\"", false),
        ("memori", "", false),
        (
            "null",
            "key_mangler = [\"sha1\", { mangler = \"length\", arguments.max = 50 }]",
            true,
        ),
        (
            "null",
            "key_mangler = { mangler = \"length\", arguments.most = 50 }",
            false,
        ),
        ("null", "key_mangler = true", false),
        ("null", "wrap = { proxy = \"zstd\" }", true),
        (
            "null",
            "proxies = [{ proxy = \"log\", arguments.level = \"loud\" }]",
            false,
        ),
        ("null", "expiration_time = \"5 m\"", true),
        ("null", "expiration_time = \"5 months\"", false),
        ("null", "early_refresh = true", false),
        ("null", "jitter = \"${JITTER}\"", true),
    ] {
        assert_eq!(region(backend, arguments), right, "{backend}: {arguments}");
    }
    let templates = "version = 1\n[templates]\nplugin = \"template-cache\"\narguments.";
    assert!(whole.takes(&format!("{templates}rules = [{{ part = \"page\" }}]\n")));
    assert!(!whole.takes(&format!("{templates}rules = [{{ part = \"leaf\" }}]\n")));
}

#[test]
fn without_a_manifest_it_is_that_of_the_own_keys() {
    let folder = Folder::without_plugins(PAGES);
    let own = folder.dogpile(&["schema", "--no-plugins"]);
    fs::remove_file(folder.path("dogpile.toml")).unwrap();
    folder.dogpile(&["schema"]).is(0, &own.stdout, "");
    let own: Value = serde_json::from_str(&own.stdout).unwrap();
    let region = &own["definitions"]["region"]["properties"];
    assert_eq!(region["expiration_time"]["default"], "never");
    assert_eq!(region["arguments"]["properties"], json!(null));
    // One that was named must be there.
    let run = folder.dogpile(&["--manifest", "other.toml", "schema"]);
    assert_eq!((run.status, run.stdout.as_str()), (Some(1), ""));
    assert!(run.stderr.starts_with("other.toml: error: "), "{run:?}");
}

#[test]
fn it_helps_with_a_region_that_is_wrong_and_refuses_what_lacks_a_plugin() {
    let folder = Folder::new(&PAGES.replace("backend =", "backnd ="));
    let run = folder.dogpile(&["schema"]);
    assert_eq!((run.status, run.stderr.as_str()), (Some(0), ""));
    assert!(run.stdout.contains("\"backend.memory.memory\""), "{run:?}");
    folder.write(
        "dogpile.toml",
        &PAGES.replace("[plugins.memory]", "[plugins.absent]"),
    );
    let run = folder.dogpile(&["schema"]);
    assert_eq!((run.status, run.stdout.as_str()), (Some(1), ""));
    assert!(
        run.stderr
            .starts_with("dogpile.toml:6:1: error[file-not-found]: "),
        "{run:?}"
    );
}
