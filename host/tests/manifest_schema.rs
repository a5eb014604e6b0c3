//! The schema against the reader, both of which have their keys from the same tables.

#![forbid(unsafe_code)]

use std::fs;

use dogpile::manifest::{Manifest, ManifestErrors, Offer, OfferKind, plain_schema, schema};
use serde_json::{Value, json};

fn load(text: &str) -> Result<Manifest, ManifestErrors> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("dogpile.toml");
    fs::write(&path, text).unwrap();
    Manifest::load_with(&path, &|_| None)
}

/// The tables of the schema, each with the text of a manifest before a key of it.
fn tables() -> Vec<(Value, &'static str)> {
    let schema = schema(&[]);
    let region = "version = 1\n[regions.a]\nbackend = \"memory\"\n";
    vec![
        (schema.clone(), ""),
        (
            schema["properties"]["host"].clone(),
            "version = 1\n[host]\n",
        ),
        (
            schema["properties"]["plugins"]["additionalProperties"].clone(),
            "version = 1\n[plugins.a]\n",
        ),
        (schema["definitions"]["region"].clone(), region),
        (
            schema["definitions"]["templates"].clone(),
            "version = 1\n[templates]\nplugin = \"a\"\n",
        ),
        (
            schema["definitions"]["key_mangler"].clone(),
            "version = 1\n[regions.a]\nbackend = \"memory\"\n[[regions.a.key_mangler]]\nmangler = \"a\"\n",
        ),
        (
            schema["definitions"]["proxy"].clone(),
            "version = 1\n[regions.a]\nbackend = \"memory\"\n[[regions.a.proxies]]\nproxy = \"a\"\n",
        ),
    ]
}

/// What a table holds when it is read.
fn meaning(text: &str) -> String {
    let manifest = load(text).unwrap_or_else(|errors| panic!("{text}{errors}"));
    format!(
        "{:?}{:?}{:?}",
        manifest.plugins(),
        manifest.regions(),
        manifest.templates()
    ) + &manifest.masked_toml()
}

#[test]
fn a_key_with_its_default_says_what_leaving_it_out_does() {
    let mut tried = 0;
    for (table, before) in tables() {
        for (key, property) in table["properties"].as_object().unwrap() {
            let Some(default) = property.get("default") else {
                continue;
            };
            // JSON's strings, numbers, booleans and empty lists and tables are TOML's.
            let with = format!("{before}{key} = {default}\n");
            let with = if before.is_empty() {
                format!("version = 1\n{with}")
            } else {
                with
            };
            let without = if before.is_empty() {
                "version = 1\n"
            } else {
                before
            };
            let same = meaning(&with) == meaning(without);
            // Folders differ from one manifest to the other.
            assert!(same || key == "plugin_dir", "{with}");
            tried += 1;
        }
    }
    assert!(tried >= 25, "only {tried}");
}

#[test]
fn every_key_of_the_schema_is_read_and_no_other() {
    for (table, before) in tables() {
        let keys: Vec<&String> = table["properties"].as_object().unwrap().keys().collect();
        assert_eq!(table["additionalProperties"], false);
        // Of a type that none of them has.
        for key in &keys {
            let errors = load(&format!("{key} = 1979-05-27\n")).err();
            let is_known = |text: &str| !text.contains("unknown key");
            if before.is_empty() {
                let text = errors.unwrap().to_string();
                assert!(is_known(&text), "{key}: {text}");
                continue;
            }
            let text = load(&format!("{before}{key} = 1979-05-27\n")).err();
            let text = text.map_or(String::new(), |errors| errors.to_string());
            assert!(is_known(&text), "{key}: {text}");
            assert!(!text.is_empty(), "{key} takes a date");
        }
        // What the reader names as the keys that there are are these.
        let text = load(&format!("{before}qqqqqqqqqqqq = 1\n"))
            .err()
            .unwrap()
            .to_string();
        let named = text.split("the keys here are ").nth(1).unwrap();
        let named = named.split(['\n', ';']).next().unwrap();
        let mut named: Vec<_> = named.split(", ").map(str::to_owned).collect();
        named.sort();
        assert_eq!(named, keys.into_iter().cloned().collect::<Vec<_>>());
    }
}

#[test]
fn a_manifest_that_was_printed_means_the_same() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("dogpile.toml");
    let text = "version = 1\n[host]\nplugin_dir = \"../plugins\"\nadmin_socket = \"run/a.sock\"\n[plugins.memory]\n\
                [plugins.template-cache]\nfile = \"a.so\"\n[regions.a]\nbackend = \"mine/memory\"\nkey_prefix = \"a$$b\"\n\
                max_stale = \"forever\"\nexpiration_time = 90\nearly_refresh = 0.5\nproxies = \"zstd\"\nkey_mangler = \
                [\"sha1\", { mangler = \"length\", arguments.max = 5 }]\narguments.list = [1, { a = true }]\n[regions.b]\n\
                backend = \"null\"\nkey_mangler = false\ninvalidation = \"local\"\nrequire_healthy = true\n[templates]\n\
                plugin = \"template-cache\"\narguments.region = \"a\"\n";
    fs::write(&path, text).unwrap();
    let before = Manifest::load_with(&path, &|_| None).unwrap();
    let printed = before.masked_toml();
    fs::write(&path, &printed).unwrap();
    let after = Manifest::load_with(&path, &|_| None).unwrap();
    assert_eq!(before.host(), after.host());
    assert_eq!(before.plugins(), after.plugins());
    assert_eq!(before.regions(), after.regions());
    assert_eq!(before.templates(), after.templates());
    assert_eq!(after.masked_toml(), printed);
}

#[test]
fn arguments_lose_references_and_null_and_take_interpolations() {
    let arguments = json!({
        "$defs": {
            "Kept": { "oneOf": [{ "const": "a", "description": "A" }, { "const": "b" }] },
            "Loop": { "type": "object", "properties": { "again": { "$ref": "#/$defs/Loop" } } },
        },
        "type": "object",
        "properties": {
            "kept": { "anyOf": [{ "$ref": "#/$defs/Kept" }, { "type": "null" }], "description": "What is kept." },
            "number": { "type": ["integer", "null"], "format": "uint32", "default": null, "minimum": 1 },
            "pair": { "type": "array", "prefixItems": [{ "type": "string" }, { "type": "integer" }] },
            "within": { "$ref": "#/$defs/Loop" },
        },
        "required": ["kept"],
    });
    let plain = plain_schema(&arguments);
    assert_eq!(
        plain["properties"],
        json!({
            "kept": { "enum": ["a", "b"], "description": "What is kept." },
            "number": { "type": "integer", "minimum": 1 },
            "pair": { "type": "array", "items": [{ "type": "string" }, { "type": "integer" }] },
            "within": { "type": "object", "properties": { "again": {} } },
        })
    );
    let offer = Offer {
        plugin: "mine",
        kind: OfferKind::Backend,
        name: "own",
        arguments: &arguments,
    };
    let schema = schema(&[offer]);
    let own = &schema["definitions"]["backend.mine.own"];
    assert_eq!(
        own["properties"]["number"]["type"],
        json!(["integer", "string"])
    );
    assert_eq!(
        own["properties"]["kept"]["anyOf"][0]["enum"],
        json!(["a", "b"])
    );
    assert_eq!(own["required"], json!(["kept"]));
    let case = &schema["definitions"]["region"]["allOf"][1];
    assert_eq!(
        case["if"]["properties"]["backend"]["enum"],
        json!(["own", "mine/own"])
    );
    assert_eq!(case["then"]["required"], json!(["arguments"]));
}

#[test]
fn two_plugins_that_offer_one_name_are_told_by_theirs() {
    let (one, other) = (
        json!({ "type": "object" }),
        json!({ "type": "object", "properties": {} }),
    );
    let offer = |plugin, arguments| Offer {
        plugin,
        kind: OfferKind::Backend,
        name: "own",
        arguments,
    };
    let schema = schema(&[offer("a", &one), offer("b", &other)]);
    let names = &schema["definitions"]["region_keys"]["properties"]["backend"]["anyOf"][0]["enum"];
    assert_eq!(names, &json!(["a/own", "b/own"]));
}
