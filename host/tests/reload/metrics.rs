//! The metrics over reloads.

use std::collections::BTreeMap;

use dogpile::Host;

use crate::support::Site;

/// All samples that only count up.
fn counters(host: &Host) -> BTreeMap<String, f64> {
    let text = host.metrics_text();
    let samples = text.lines().filter(|line| !line.starts_with('#'));
    let samples = samples.map(|line| line.rsplit_once(' ').unwrap());
    let samples = samples.filter(|(sample, _)| {
        let family = sample.split('{').next().unwrap();
        ["_total", "_bucket", "_sum", "_count"]
            .iter()
            .any(|end| family.ends_with(end))
    });
    let number = |text: &str| text.parse().unwrap();
    samples
        .map(|(sample, text)| (sample.to_owned(), number(text)))
        .collect()
}

fn sample(host: &Host, name: &str) -> Option<String> {
    let text = host.metrics_text();
    let of = |line: &str| Some(line.strip_prefix(name)?.strip_prefix(' ')?.to_owned());
    text.lines().find_map(of)
}

#[test]
fn counters_never_go_backwards_whatever_becomes_of_a_region() {
    let users = "[regions.users]\nbackend = \"memory\"\nexpiration_time = 100\n";
    let small = format!("{users}arguments = {{ max_entries = 10 }}\n");
    let other = "[regions.other]\nbackend = \"memory\"\nexpiration_time = 100\n";
    let site = Site::new(&format!("{small}{other}"));
    let host = site.open_unwatched();
    let evictions = "dogpile_evictions_total{region=\"users\"}";
    let mut last = counters(&host);
    let swapped = small
        .replace("\"memory\"", "\"null\"")
        .replace("max_entries = 10 ", "");
    let manifests = [
        format!("{small}{other}"),
        format!("{}{other}", small.replace("10 }", "20 }")),
        format!("{swapped}{other}"),
        "nonsense".to_owned(),
        format!("{small}{other}"),
        other.to_owned(),
        format!("{small}{other}"),
        small.clone(),
    ];
    for (round, manifest) in manifests.iter().enumerate() {
        if let Ok(users) = host.region("users") {
            for key in 0..100 {
                users.get_or_create(format!("{round} {key}"), || 1).unwrap();
                users.get_or_create(format!("{round} {key}"), || 1).unwrap();
            }
        }
        // What was evicted is known if it was read before the instance goes.
        let before = counters(&host);
        site.save(manifest);
        assert_eq!(host.reload().is_err(), manifest == "nonsense");
        let after = counters(&host);
        for now in [before, after] {
            for (name, number) in &now {
                let was = last.get(name).copied().unwrap_or_default();
                assert!(*number >= was, "{round}: {name} was {was} and is {number}");
            }
            last.extend(now);
        }
    }
    assert!(last[evictions] >= 300.0, "{}", last[evictions]);
    let created = "dogpile_creations_total{region=\"users\",outcome=\"created\"}";
    // In two of seven rounds on `null`, where each value is created twice.
    assert_eq!(last[created].to_string(), "900");
}

#[test]
fn a_region_that_is_removed_is_not_told_of_any_more() {
    let one = |name: &str| format!("[regions.{name}]\nbackend = \"memory\"\nexpiration_time = 1\n");
    let site = Site::new(&format!("{}{}", one("users"), one("other")));
    let host = site.open_unwatched();
    assert!(host.metrics_text().contains("\"users\""));
    site.save(&one("other"));
    host.reload().unwrap();
    let text = host.metrics_text();
    assert!(
        !text.contains("\"users\"") && text.contains("\"other\""),
        "{text}"
    );
}

#[test]
fn reloads_are_counted_by_outcome_and_the_newest_is_told() {
    let users = "[regions.users]\nbackend = \"memory\"\nexpiration_time = 100\n";
    let site = Site::new(users);
    let host = site.open_unwatched();
    let told = |name: &str| sample(&host, &format!("dogpile_{name}")).unwrap();
    let time = || {
        told("config_last_reload_success_timestamp_seconds")
            .parse::<f64>()
            .unwrap()
    };
    let started = time();
    assert!(started > 1.7e9, "{started}");
    assert_eq!(told("config_last_reload_successful"), "1");
    assert_eq!(told("config_last_reload_changes{kind=\"added\"}"), "1");
    assert_eq!(told("generation"), "1");

    site.save("nonsense");
    host.reload().unwrap_err();
    assert_eq!(told("config_last_reload_successful"), "0");
    assert!(sample(&host, "dogpile_config_last_reload_changes{kind=\"added\"}").is_none());
    assert_eq!(
        (time().to_bits(), &*told("generation")),
        (started.to_bits(), "1")
    );

    let hash = |host: &Host| host.status().manifest_hash.unwrap();
    assert_eq!(
        told(&format!("config_info{{hash=\"{}\"}}", hash(&host))),
        "1"
    );
    site.save(&users.replace("100", "200"));
    host.reload().unwrap();
    host.reload().unwrap();
    assert_eq!(told("config_last_reload_successful"), "1");
    assert!(time() > started);
    assert_eq!(told("config_last_reload_changes{kind=\"kept\"}"), "1");
    assert_eq!(told("generation"), "2");
    assert_eq!(
        told(&format!("config_info{{hash=\"{}\"}}", hash(&host))),
        "1"
    );
    for outcome in ["applied", "unchanged", "refused"] {
        assert_eq!(
            told(&format!("reloads_total{{outcome=\"{outcome}\"}}")),
            "1"
        );
    }
    let plugin = host
        .status()
        .plugins
        .into_iter()
        .find(|one| one.name == "memory")
        .unwrap();
    let generation = told("plugin_generation{plugin=\"memory\"}");
    assert_eq!(generation, plugin.generation.to_string());
}
