//! What `--json` prints, against docs/command.md.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use serde_json::Value;

use crate::support::{Exec, Folder, PAGES, wait};

/// The fields that the page has for a command.
fn documented(command: &str) -> BTreeSet<String> {
    let page = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/command.md");
    let page = fs::read_to_string(page).unwrap();
    let heading = format!("\n### `dogpile {command}`\n");
    let section = page.split(&heading).nth(1);
    let section = section.unwrap_or_else(|| panic!("docs/command.md lacks {command}"));
    let section = section.split("\n#").next().unwrap();
    let rows = section.lines().filter_map(|line| line.strip_prefix("| `"));
    rows.map(|row| row.split('`').next().unwrap().to_owned())
        .collect()
}

/// Adds the fields that are in a value: `a.b`, `list[].b`. What is documented as `a{}` may have any.
fn collect(
    value: &Value,
    path: &str,
    documented: &BTreeSet<String>,
    fields: &mut BTreeSet<String>,
) {
    let any = format!("{path}{{}}");
    if documented.contains(&any) {
        assert!(value.is_object() || value.is_null(), "{path}: {value}");
        fields.insert(any);
        return;
    }
    match value {
        // What has a row as a whole may be one of several things, which the row tells.
        Value::Object(members) if !documented.contains(path) => {
            for (name, member) in members {
                let path = match path {
                    "" => name.clone(),
                    path => format!("{path}.{name}"),
                };
                collect(member, &path, documented, fields);
            }
        }
        Value::Array(items) => {
            let path = format!("{path}[]");
            fields.insert(path.clone());
            for item in items {
                collect(item, &path, documented, fields);
            }
        }
        _ => {
            fields.insert(path.to_owned());
        }
    }
}

/// All that several runs printed are the documented fields, and all of these were printed.
#[track_caller]
fn are_documented(command: &str, printed: &[String]) {
    let documented = documented(command);
    let mut fields = BTreeSet::new();
    for text in printed {
        let value: Value =
            serde_json::from_str(text).unwrap_or_else(|error| panic!("{error}: {text}"));
        collect(&value, "", &documented, &mut fields);
    }
    // What has fields of its own was null or empty elsewhere.
    let all = fields.clone();
    let has_more = |field: &String| {
        let within = |other: &String| other.len() > field.len() && other.starts_with(field);
        all.iter()
            .any(|other| within(other) && other[field.len()..].starts_with(['.', '[']))
    };
    fields.retain(|field| !has_more(field) || documented.contains(field));
    let missing: Vec<_> = fields.difference(&documented).collect();
    let unseen: Vec<_> = documented.difference(&fields).collect();
    assert!(
        missing.is_empty() && unseen.is_empty(),
        "{command}: not in docs/command.md: {missing:?}; not printed: {unseen:?}"
    );
}

fn printed(folder: &Folder, arguments: &[&str]) -> String {
    let run = folder.dogpile(arguments);
    assert_eq!(run.stderr, "", "{arguments:?}");
    run.stdout
}

#[test]
fn check() {
    let folder = Folder::new(PAGES);
    folder.add_site();
    let right = printed(&folder, &["check", "--json", "--site", "site"]);
    let warned = PAGES.replace("expiration_time = \"1h\"\n", "[plugins.absent]\n");
    folder.write("dogpile.toml", &warned);
    let wrong = printed(&folder, &["check", "--json"]);
    folder.write(
        "dogpile.toml",
        &format!("{PAGES}arguments.max_entries = 0\n"),
    );
    folder.write("site/templates/index.html", "{{ ");
    let refused = printed(&folder, &["check", "--json", "--site", "site"]);
    let as_value: Value = serde_json::from_str(&refused).unwrap();
    assert_eq!(
        (&as_value["ok"], &as_value["errors"][0]["line"]),
        (&false.into(), &11.into())
    );
    are_documented("check --json", &[right, wrong, refused]);
}

#[test]
fn plugins() {
    let folder = Folder::new(&PAGES.replace(
        "[plugins.memory]",
        "[plugins.memory]\n[plugins.absent]\n[plugins.manglers]\n\
         [plugins.proxies]\n[plugins.template-cache]",
    ));
    folder.add_plugin("proxies");
    folder.add_plugin("template_cache");
    are_documented(
        "plugins --json",
        &[printed(&folder, &["plugins", "--json"])],
    );
}

#[test]
fn pinning() {
    let folder = Folder::new(PAGES);
    let pinned = printed(&folder, &["plugins", "--pin", "--json"]);
    are_documented("plugins --pin --json", &[pinned]);
}

#[test]
fn what_changes_values() {
    let folder = Folder::on_dbm("");
    for (command, words) in [
        ("set", &["users", "a", "1"][..]),
        ("delete", &["users", "a", "b"]),
        ("invalidate", &["users", "--soft", "--tag", "t"]),
        ("clear", &["users"]),
    ] {
        let all = [&[command], words, &["--json"]].concat();
        are_documented(&format!("{command} --json"), &[printed(&folder, &all)]);
    }
}

#[test]
fn get_and_explain() {
    let folder = Folder::on_dbm("");
    folder.dogpile(&["set", "users", "a", "1"]).is(0, "", "");
    let metadata = printed(&folder, &["get", "users", "a", "--metadata", "--json"]);
    are_documented("get --metadata --json", &[metadata]);
    let fresh = printed(&folder, &["explain", "users", "a", "--json"]);
    folder.dogpile(&["invalidate", "users"]).is(0, "", "");
    let outdated = printed(&folder, &["explain", "users", "a", "--json"]);
    are_documented("explain --json", &[fresh, outdated]);
}

#[test]
fn status_and_reload() {
    let templates = "[plugins.template-cache]\n[templates]\nplugin = \"template-cache\"\n";
    let folder = Folder::new(&format!("{PAGES}{templates}"));
    folder.add_plugin("template_cache");
    folder.add_site();
    let _server = folder.serve();
    folder.write(
        "dogpile.toml",
        &format!("{PAGES}arguments.max_entries = 7\n{templates}arguments.region = \"pages\"\n"),
    );
    let dry = printed(&folder, &["reload", "--dry-run", "--json"]);
    let reloaded = printed(&folder, &["reload", "--json"]);
    let status = printed(&folder, &["status", "--json"]);
    eprintln!("{dry}{reloaded}{status}");
    are_documented("reload --json", &[dry, reloaded]);
    are_documented("status --json", &[status]);
}

#[test]
fn exec_list() {
    let exec = Exec::new();
    wait(exec.command(&["--", "echo", "a"]).spawn().unwrap()).is(0, "a\n", "");
    let ended = wait(exec.command(&["--list", "--json"]).spawn().unwrap());
    are_documented(
        "exec --list --json",
        &[String::from_utf8(ended.stdout).unwrap()],
    );
}
