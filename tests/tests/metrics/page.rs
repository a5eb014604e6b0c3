//! The page of the metrics has each once, as a host tells it.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::fs;

use crate::board::docs;
use crate::exposition::{Family, families};
use crate::live::Live;
use crate::served::Served;

/// The table of the page.
pub(crate) fn documented() -> BTreeMap<String, Family> {
    let page = fs::read_to_string(docs("metrics.md")).unwrap();
    let rows = page.lines().filter(|line| line.starts_with("| `dogpile_"));
    let mut all = BTreeMap::new();
    for row in rows {
        let cells: Vec<_> = row.split('|').map(str::trim).collect();
        let [_, name, kind, labels, help, _] = cells[..] else {
            panic!("a row has four cells: {row}");
        };
        let labels = labels.split(", ").filter(|label| !label.is_empty());
        let family = Family {
            kind: kind.to_owned(),
            labels: labels
                .map(|label| label.trim_matches('`').to_owned())
                .collect(),
            help: help.to_owned(),
        };
        let twice = all.insert(name.trim_matches('`').to_owned(), family);
        assert_eq!(twice, None, "{name} has two rows");
    }
    all
}

#[test]
fn the_page_has_what_hosts_tell_and_nothing_else() {
    let (served, live) = (Served::start(), Live::new());
    let told = families(&[served.metrics(), live.host.metrics_text()]);
    let mut rows = String::new();
    for (name, Family { kind, labels, help }) in &told {
        let labels: Vec<_> = labels.iter().map(|label| format!("`{label}`")).collect();
        writeln!(
            rows,
            "| `{name}` | {kind} | {} | {help} |",
            labels.join(", ")
        )
        .unwrap();
    }
    assert!(
        documented() == told,
        "docs/metrics.md is to have these rows:\n{rows}"
    );
}
