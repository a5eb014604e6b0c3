//! The text that a host gives, taken apart.

use std::collections::{BTreeMap, BTreeSet};

/// A metric, as its first lines and its samples tell.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Family {
    pub(crate) kind: String,
    pub(crate) labels: BTreeSet<String>,
    pub(crate) help: String,
}

/// A number with its name and its labels. Their values have no quotes in them here.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Sample {
    pub(crate) name: String,
    pub(crate) labels: BTreeMap<String, String>,
    pub(crate) number: f64,
}

pub(crate) fn samples(text: &str) -> Vec<Sample> {
    let lines = text.lines().filter(|line| !line.starts_with('#'));
    lines
        .map(|line| {
            let (sample, number) = line.rsplit_once(' ').unwrap();
            let (name, labels) = sample.split_once('{').unwrap_or((sample, ""));
            let mut labels = labels.trim_end_matches('}');
            let mut all = BTreeMap::new();
            while let Some((label, rest)) = labels.split_once("=\"") {
                let (value, rest) = rest.split_once('"').unwrap();
                all.insert(label.to_owned(), value.to_owned());
                labels = rest.trim_start_matches(',');
            }
            Sample {
                name: name.to_owned(),
                labels: all,
                number: number.parse().unwrap(),
            }
        })
        .collect()
}

/// The metrics of some texts, by name.
pub(crate) fn families(texts: &[String]) -> BTreeMap<String, Family> {
    let mut families: BTreeMap<String, Family> = BTreeMap::new();
    for text in texts {
        for line in text.lines() {
            if let Some((name, help)) = line
                .strip_prefix("# HELP ")
                .and_then(|of| of.split_once(' '))
            {
                help.clone_into(&mut families.entry(name.to_owned()).or_default().help);
            }
            if let Some((name, kind)) = line
                .strip_prefix("# TYPE ")
                .and_then(|of| of.split_once(' '))
            {
                kind.clone_into(&mut families.entry(name.to_owned()).or_default().kind);
            }
        }
        for sample in samples(text) {
            let known = |name: &str| families.contains_key(name);
            let ends = ["_bucket", "_sum", "_count"];
            let name = if known(&sample.name) {
                &*sample.name
            } else {
                ends.iter()
                    .find_map(|end| sample.name.strip_suffix(end))
                    .unwrap()
            };
            let family = families.get_mut(name).expect("it has its lines");
            let labels = sample.labels.into_keys().filter(|label| label != "le");
            family.labels.extend(labels);
        }
    }
    families
}
