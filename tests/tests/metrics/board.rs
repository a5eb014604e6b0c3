//! The board of Grafana and the rules of alerts, as files.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use serde_json::Value;

use crate::page::documented;

pub(crate) fn docs(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../docs")
        .join(name)
}

pub(crate) fn alerts() -> PathBuf {
    fs::canonicalize(docs("alerts.yml")).unwrap()
}

pub(crate) struct Board(Value);

impl Board {
    pub(crate) fn read() -> Self {
        let text = fs::read_to_string(docs("grafana/dogpile.json")).unwrap();
        Self(serde_json::from_str(&text).unwrap())
    }

    fn panels(&self) -> impl Iterator<Item = &Value> {
        self.0["panels"].as_array().unwrap().iter()
    }

    fn variables(&self) -> impl Iterator<Item = &Value> {
        self.0["templating"]["list"].as_array().unwrap().iter()
    }

    fn targets(&self) -> impl Iterator<Item = &Value> {
        let queried = self.panels().filter(|panel| panel["type"] != "row");
        queried.flat_map(|panel| panel["targets"].as_array().unwrap())
    }

    /// What its panels ask, with its variables as Grafana sets them when all is chosen.
    pub(crate) fn queries(&self) -> Vec<String> {
        let queries = self
            .targets()
            .map(|target| target["expr"].as_str().unwrap());
        queries
            .map(|query| {
                let query = query.replace("$__rate_interval", "1m");
                let mut names = ["$job", "$instance", "$region"].iter();
                let query = names.try_fold(query, |query, name| Some(query.replace(name, ".*")));
                let query = query.unwrap();
                assert!(!query.contains('$'), "a variable is left in {query}");
                query
            })
            .collect()
    }
}

/// The names of metrics in a text.
fn metrics(text: &str) -> BTreeSet<&str> {
    let words = text.split(|of: char| !of.is_ascii_alphanumeric() && of != '_');
    words.filter(|word| word.starts_with("dogpile_")).collect()
}

#[test]
fn the_board_has_panels_of_their_own_numbers_and_a_variable_for_the_data_source() {
    let board = Board::read();
    let ids: Vec<_> = board
        .panels()
        .map(|panel| panel["id"].as_u64().unwrap())
        .collect();
    let unique: BTreeSet<_> = ids.iter().collect();
    assert_eq!(unique.len(), ids.len(), "{ids:?}");
    let source = board
        .variables()
        .find(|variable| variable["type"] == "datasource")
        .unwrap();
    assert_eq!(
        (&source["name"], &source["query"]),
        (&"datasource".into(), &"prometheus".into())
    );
    let places = board.panels().map(|panel| panel["gridPos"].to_string());
    assert_eq!(
        places.collect::<BTreeSet<_>>().len(),
        ids.len(),
        "none lies on another"
    );
    let queried = board.panels().filter(|panel| panel["type"] != "row");
    let of_variables = board
        .variables()
        .filter(|variable| variable["type"] == "query");
    for asks in queried.chain(board.targets()).chain(of_variables) {
        assert_eq!(asks["datasource"]["uid"], "${datasource}", "{asks}");
    }
    for panel in board.panels() {
        let described = panel["type"] == "row" || panel["description"].is_string();
        assert!(described && panel["title"].is_string(), "{panel}");
    }
}

#[test]
fn the_board_and_the_alerts_name_only_metrics_that_there_are() {
    let documented = documented();
    let is_known = |name: &str| {
        let ends = ["_bucket", "_sum", "_count"];
        let of_histogram = ends.iter().filter_map(|end| name.strip_suffix(end));
        documented.contains_key(name)
            || of_histogram
                .filter_map(|name| documented.get(name))
                .any(|family| family.kind == "histogram")
    };
    let board = Board::read();
    let alerts = fs::read_to_string(alerts()).unwrap();
    let texts = [board.0.to_string(), alerts];
    for text in &texts {
        let unknown: Vec<_> = metrics(text)
            .into_iter()
            .filter(|name| !is_known(name))
            .collect();
        assert_eq!(unknown, [""; 0]);
    }
    assert!(metrics(&texts[0]).len() > 30);
}
