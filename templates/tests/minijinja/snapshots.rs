//! Each file `inputs/NAME.txt` has a context and templates, of which the first is rendered twice; `inputs/NAME.out` is
//! what came of it. With `UPDATE_SNAPSHOTS=1` the latter are written anew.

use std::fmt::Write;
use std::fs;
use std::path::Path;

use minijinja::Value;
use minijinja::value::Serde;

use crate::logged::logged;
use crate::support::Fixture;

#[test]
fn inputs_give_what_their_snapshots_say() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/minijinja/inputs");
    let mut inputs: Vec<_> = fs::read_dir(&folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|ending| ending == "txt"))
        .collect();
    inputs.sort();
    assert!(!inputs.is_empty());
    let mut differ = String::new();
    for input in inputs {
        let found = outcome(&fs::read_to_string(&input).unwrap());
        let snapshot = input.with_extension("out");
        if std::env::var_os("UPDATE_SNAPSHOTS").is_some() {
            fs::write(&snapshot, &found).unwrap();
        }
        let expected = fs::read_to_string(&snapshot).unwrap_or_default();
        if found != expected {
            let name = input.display();
            writeln!(differ, "{name}\nexpected:\n{expected}\nfound:\n{found}").unwrap();
        }
    }
    assert!(differ.is_empty(), "{differ}");
}

fn outcome(input: &str) -> String {
    let mut parts = input.split("=== ");
    let context: serde_json::Value = serde_json::from_str(parts.next().unwrap()).unwrap();
    let context = Value::from(Serde(context));
    let templates: Vec<(&str, &str)> = parts
        .map(|part| part.split_once('\n').unwrap())
        .map(|(name, source)| (name.trim(), source.trim_end()))
        .collect();
    let fixture = Fixture::new(&templates);
    let template = fixture.env.get_template(templates[0].0).unwrap();
    let mut found = String::new();
    let log = logged(|| {
        for time in ["first", "second"] {
            let text = match template.render(context.clone()) {
                Ok(text) => text,
                Err(error) => format!("error: {error}"),
            };
            writeln!(found, "=== {time}: {} bodies ran\n{text}", fixture.ran()).unwrap();
        }
    });
    if !log.is_empty() {
        writeln!(found, "=== log\n{}", log.trim_end()).unwrap();
    }
    found
}
