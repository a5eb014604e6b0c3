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
        self.targets().map(query).collect()
    }

    /// The titles of panels, each with what it asks.
    pub(crate) fn panels_with_queries(&self) -> Vec<(String, Vec<String>)> {
        let panels = self.panels().filter(|panel| panel["type"] != "row");
        let asks = |panel: &Value| {
            panel["targets"]
                .as_array()
                .unwrap()
                .iter()
                .map(query)
                .collect()
        };
        panels
            .map(|panel| (panel["title"].as_str().unwrap().to_owned(), asks(panel)))
            .collect()
    }

    /// What marks reloads and restarts in all graphs.
    pub(crate) fn marks(&self) -> Vec<String> {
        let marks = self.0["annotations"]["list"].as_array().unwrap();
        marks.iter().map(query).collect()
    }

    /// For each variable that is asked for: the label of which it has the values, and the series that have it.
    pub(crate) fn choices(&self) -> Vec<(String, String)> {
        let asked = self
            .variables()
            .filter(|variable| variable["type"] == "query");
        let choices = asked.map(|variable| {
            let asks = filled_in(variable["query"]["query"].as_str().unwrap());
            let asks = asks.strip_prefix("label_values(").unwrap();
            let (series, label) = asks.strip_suffix(')').unwrap().rsplit_once(", ").unwrap();
            (label.to_owned(), series.to_owned())
        });
        choices.collect()
    }
}

/// What a target or a mark asks.
fn query(target: &Value) -> String {
    filled_in(target["expr"].as_str().unwrap())
}

/// With the variables as Grafana sets them when all is chosen.
fn filled_in(query: &str) -> String {
    let query = query.replace("$__rate_interval", "1m");
    let names = ["$job", "$instance", "$region"].iter();
    let query = names.fold(query, |query, name| query.replace(name, ".*"));
    assert!(!query.contains('$'), "a variable is left in {query}");
    query
}

/// The fields of the board's grid that a panel covers.
fn covers(panel: &Value) -> impl Iterator<Item = (u64, u64)> {
    let [x, y, w, h] = ["x", "y", "w", "h"].map(|side| panel["gridPos"][side].as_u64().unwrap());
    (x..x + w).flat_map(move |x| (y..y + h).map(move |y| (x, y)))
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
    let mut covered = BTreeSet::new();
    for (panel, (x, y)) in board
        .panels()
        .flat_map(|panel| covers(panel).map(move |at| (panel, at)))
    {
        let (title, is_free) = (&panel["title"], covered.insert((x, y)));
        assert!(x < 24 && is_free, "{title} lies on another, or outside");
    }
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

/// What Grafana takes where a board says nothing is for other numbers than these: red from 80 on, an axis to 100 where all
/// is 0, a column of times in each table, and of several answers only the first.
#[test]
fn the_board_leaves_nothing_to_defaults_that_mislead() {
    let board = Board::read();
    for panel in board.panels().filter(|panel| panel["type"] != "row") {
        let (title, options) = (&panel["title"], &panel["options"]);
        let defaults = &panel["fieldConfig"]["defaults"];
        assert!(defaults["unit"].is_string(), "{title}");
        let targets = panel["targets"].as_array().unwrap();
        let names: BTreeSet<_> = targets.iter().map(|one| one["refId"].as_str()).collect();
        assert_eq!(names.len(), targets.len(), "{title}");
        let is_of_now = panel["type"] != "timeseries";
        for target in targets {
            assert_eq!(target["instant"] == true, is_of_now, "{title}");
        }
        match panel["type"].as_str().unwrap() {
            "stat" => {
                assert!(defaults["thresholds"]["steps"].is_array(), "{title}");
                let divides = targets[0]["expr"].as_str().unwrap().contains(" / ");
                let says = &defaults["mappings"][0]["options"];
                assert!(!divides || says["match"] == "nan", "{title}");
            }
            "timeseries" => {
                assert_eq!(options["legend"]["showLegend"], true, "{title}");
                assert!(options["legend"]["sortBy"].is_string(), "{title}");
                let soft = &defaults["custom"]["axisSoftMax"];
                let is_bounded = defaults["max"].is_number() || soft.is_number();
                assert!(is_bounded || defaults["unit"] == "s", "{title}");
            }
            "table" => {
                let steps = panel["transformations"].as_array().unwrap();
                let first = steps[0]["id"].as_str().unwrap();
                assert_eq!(first == "merge", targets.len() > 1, "{title}");
                let hides_times = steps.last().unwrap()["options"]["excludeByName"]["Time"] == true;
                assert!(hides_times || first == "groupingToMatrix", "{title}");
            }
            other => panic!("{title} is a {other}"),
        }
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
