//! docs/manifest.md, which is generated: `UPDATE_EXPECT=1 cargo test` writes it anew.

use std::fmt::Write;
use std::path::Path;
use std::{env, fs};

use serde_json::Value;

use crate::support::Folder;

const PLUGINS: [&str; 7] = [
    "dbm",
    "manglers",
    "memcached",
    "memory",
    "null",
    "proxies",
    "redis",
];

const HEAD: &str = "\
# The manifest

<!-- Generated from `dogpile schema` by host/cli/tests/cli/manifest_page.rs: UPDATE_EXPECT=1 writes it anew. -->

A TOML file that says which plugins are loaded and which regions there are. The host follows it: each save that is right is
applied, and one that is wrong changes nothing. `dogpile check` finds all that is wrong with it, `dogpile check --print` shows
it with all defaults, and `dogpile schema` prints the schema of which these tables are made, for editors:

```console
$ dogpile schema > dogpile.schema.json
```

With `#:schema ./dogpile.schema.json` as its first line, a language server for TOML, such as taplo's (\"Even Better TOML\"
in VS Code), completes the keys and what plugins take, shows what is said here, and marks what is wrong.

A duration is a number of seconds (`300`, `0.25`) or a string with units (`\"250ms\"`, `\"5m\"`, `\"1h30m\"`; us, ms, s, m, h, d, w).
Strings may hold `${NAME}`, `${NAME:-default}`, `${NAME:?message}` and `${file:PATH}`; `$$` is a dollar. Where something else
than a string is wanted, one that is wholly an interpolation stands for it.
";

struct Page {
    schema: Value,
    text: String,
}

impl Page {
    /// One line for each key of a table.
    fn table(&mut self, table: &Value) {
        let required = table["required"].as_array().cloned().unwrap_or_default();
        let Some(properties) = table["properties"]
            .as_object()
            .filter(|keys| !keys.is_empty())
        else {
            self.text.push_str("\nNone.\n");
            return;
        };
        self.text
            .push_str("\n| key | value | default | meaning |\n|---|---|---|---|\n");
        for (key, property) in properties {
            let doc = property["description"].as_str().unwrap_or_default();
            let doc = doc.replace('\n', " ");
            // Where words alone tell the default, the schema has it in the description.
            let (doc, told) = match doc.rsplit_once(" Default: ") {
                Some((doc, told)) => (doc, Some(told.trim_end_matches('.'))),
                None => (&*doc, None),
            };
            let default = match (&property["default"], told) {
                _ if required.iter().any(|one| one == key) => "must be given".to_owned(),
                (Value::Null, told) => told.unwrap_or_default().to_owned(),
                (default, _) => format!("`{default}`"),
            };
            let value = value(property);
            let cells = [format!("`{key}`"), value, default, doc.to_owned()];
            let cells = cells.map(|cell| cell.replace('|', "\\|"));
            writeln!(self.text, "| {} |", cells.join(" | ")).unwrap();
        }
    }

    fn section(&mut self, title: &str, table: &Value) {
        write!(self.text, "\n## {title}\n").unwrap();
        self.table(table);
    }

    /// Each plugin's own arguments.
    fn offers(&mut self, kind: &str, title: &str) {
        write!(self.text, "\n## {title}\n").unwrap();
        let definitions = self.schema["definitions"].as_object().cloned().unwrap();
        for (name, definition) in &definitions {
            let Some(offer) = name.strip_prefix(&format!("{kind}.")) else {
                continue;
            };
            let (plugin, _) = offer.split_once('.').unwrap();
            let names = self.names_of(name);
            write!(self.text, "\n### {names}\n\nOf the plugin `{plugin}`.\n").unwrap();
            self.table(definition);
        }
    }

    /// By which names what has that definition is named, without the plugin's.
    fn names_of(&self, definition: &str) -> String {
        let reference = format!("#/definitions/{definition}");
        let definitions = self.schema["definitions"].as_object().into_iter().flatten();
        let cases = definitions.filter_map(|(_, one)| one["allOf"].as_array());
        let mut cases = cases
            .flatten()
            .filter(|case| case["then"]["properties"]["arguments"]["$ref"] == reference);
        let case = cases.next().expect("it is named");
        let condition = case["if"]["properties"].as_object().unwrap();
        let names = condition.values().next().unwrap()["enum"]
            .as_array()
            .unwrap();
        let names = names.iter().filter_map(Value::as_str);
        let bare: Vec<_> = names.filter(|name| !name.contains('/')).collect();
        format!("`{}`", bare.join("`, `"))
    }
}

/// What a value may be: as the schema calls it, or its types.
fn value(property: &Value) -> String {
    if property.get("$ref").is_some() {
        return "table".to_owned();
    }
    if let Some(title) = property["title"].as_str() {
        return title.to_owned();
    }
    // Anything may be interpolated, which is said once.
    let is_interpolation = |one: &Value| one["pattern"] == r"\$\{";
    if let Some(several) = property["anyOf"].as_array() {
        let several = several
            .iter()
            .filter(|one| !is_interpolation(one) || one["type"] != "string");
        let mut told: Vec<String> = several.map(value).collect();
        told.dedup();
        return told.join(" or ");
    }
    if let Some(words) = property["enum"].as_array() {
        let words: Vec<_> = words.iter().map(ToString::to_string).collect();
        return words.join(" or ");
    }
    if let Some(word) = property.get("const") {
        return word.to_string();
    }
    match &property["type"] {
        Value::String(name) if name == "array" && property["items"].is_object() => {
            format!("array of {}", value(&property["items"]))
        }
        Value::String(name) if name == "object" => "table".to_owned(),
        Value::String(name) => name.clone(),
        Value::Array(names) => {
            let names = names.iter().filter_map(Value::as_str);
            let names: Vec<_> = names
                .filter(|name| *name != "string" || !is_interpolation(property))
                .collect();
            names.join(" or ")
        }
        _ => "anything".to_owned(),
    }
}

fn page(schema: &Value) -> String {
    let definition = |name: &str| schema["definitions"][name].clone();
    let tables = [
        ("`[host]`", schema["properties"]["host"].clone()),
        (
            "`[plugins.NAME]`",
            schema["properties"]["plugins"]["additionalProperties"].clone(),
        ),
        ("`[regions.NAME]`", definition("region_keys")),
        ("A key mangler as a table", definition("key_mangler_keys")),
        ("A proxy as a table", definition("proxy_keys")),
        ("`[templates]`", definition("templates_keys")),
    ];
    let mut page = Page {
        schema: schema.clone(),
        text: HEAD.to_owned(),
    };
    page.section("The whole", schema);
    for (title, table) in tables {
        page.section(title, &table);
    }
    page.offers("backend", "Arguments of backends");
    page.offers("key_mangler", "Arguments of key manglers");
    page.offers("proxy", "Arguments of proxies");
    page.offers("template_cache", "Arguments of template caches");
    page.text
}

#[test]
fn the_page_of_the_manifest_is_what_the_schema_says() {
    let mut manifest = "version = 1\n[plugins.template-cache]\n".to_owned();
    for name in PLUGINS {
        writeln!(manifest, "[plugins.{name}]").unwrap();
    }
    let folder = Folder::without_plugins(&manifest);
    for name in PLUGINS.iter().chain(["template_cache"].iter()) {
        folder.add_plugin(name);
    }
    let run = folder.dogpile(&["schema"]);
    assert_eq!((run.status, run.stderr.as_str()), (Some(0), ""));
    let page = page(&serde_json::from_str(&run.stdout).unwrap());
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/manifest.md");
    if env::var_os("UPDATE_EXPECT").is_some() {
        fs::write(path, page).unwrap();
        return;
    }
    let there = fs::read_to_string(path).unwrap_or_default();
    let differs = there
        .lines()
        .zip(page.lines())
        .find(|(old, new)| old != new);
    assert!(
        there == page,
        "docs/manifest.md is not what the schema says; UPDATE_EXPECT=1 writes it anew; first: {differs:#?}"
    );
}
