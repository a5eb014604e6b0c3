//! Each alert fires in the trouble that it tells of, after its time, and no other does; by promtool, on series made up.

use std::fmt::Write as _;
use std::fs;

use dogpile_tests::prometheus_server::promtool;

use crate::board::alerts;

/// A number of a host, and how it goes: each 15 seconds, for half an hour.
type Series = (&'static str, &'static str);

/// When the trouble begins.
const BEGIN: u32 = 10;

/// All that alerts look at, on a host that is well.
const WELL: &[Series] = &[
    ("dogpile_config_last_reload_successful", "1x120"),
    ("dogpile_unconfigured_calls_total", "0x120"),
    (r#"dogpile_region_state{state="open"}"#, "1x120"),
    (r#"dogpile_region_state{state="breaker_open"}"#, "0x120"),
    (r#"dogpile_region_state{state="retired"}"#, "0x120"),
    (r#"dogpile_template_cache_state{state="open"}"#, "1x120"),
    (r#"dogpile_template_cache_state{state="retired"}"#, "0x120"),
    ("dogpile_stuck_calls", "0x120"),
    (r#"dogpile_draining_instances{state="draining"}"#, "1x120"),
    (r#"dogpile_draining_instances{state="stuck"}"#, "0x120"),
    ("dogpile_hits_total", "0+900x120"),
    (r#"dogpile_misses_total{reason="absent"}"#, "0+100x120"),
    (r#"dogpile_misses_total{reason="backend_error"}"#, "0x120"),
    (r#"dogpile_misses_total{reason="bypass"}"#, "0x120"),
    (r#"dogpile_errors_total{kind="backend"}"#, "0x120"),
    (r#"dogpile_errors_total{kind="creator"}"#, "0x120"),
    (r#"dogpile_creations_total{outcome="created"}"#, "0+100x120"),
    (r#"dogpile_creations_total{outcome="failed"}"#, "0x120"),
    ("dogpile_store_errors_total", "0x120"),
];

/// An alert, what is otherwise than on a host that is well, and after how many minutes of it the alert fires.
const TROUBLE: &[(&str, &[Series], u32)] = &[
    (
        "DogpileManifestRefused",
        &[("dogpile_config_last_reload_successful", "1x40 0x80")],
        5,
    ),
    (
        "DogpileRegionNotConfigured",
        &[("dogpile_unconfigured_calls_total", "0x39 0+1x80")],
        2,
    ),
    (
        "DogpileBackendOut",
        &[
            (r#"dogpile_region_state{state="open"}"#, "1x40 0x80"),
            (r#"dogpile_region_state{state="retired"}"#, "0x40 1x80"),
        ],
        1,
    ),
    // It answers pings: its breaker closes and opens.
    (
        "DogpileBackendFails",
        &[
            (
                r#"dogpile_misses_total{reason="backend_error"}"#,
                "0x39 0+40x80",
            ),
            (r#"dogpile_misses_total{reason="bypass"}"#, "0x39 0+60x80"),
            (
                r#"dogpile_region_state{state="breaker_open"}"#,
                "0x40 1 0 0 1 0 1 1 0 0 1 0 0x70",
            ),
        ],
        5,
    ),
    (
        "DogpileTemplateCacheOut",
        &[(
            r#"dogpile_template_cache_state{state="retired"}"#,
            "0x40 1x80",
        )],
        1,
    ),
    (
        "DogpileStuckCalls",
        &[("dogpile_stuck_calls", "0x40 3x80")],
        1,
    ),
    (
        "DogpileInstancesStuck",
        &[(r#"dogpile_draining_instances{state="stuck"}"#, "0x40 1x80")],
        5,
    ),
    (
        "DogpileErrors",
        &[(r#"dogpile_errors_total{kind="creator"}"#, "0x39 0+20x80")],
        5,
    ),
    // Nobody reads, and all that is written fails.
    (
        "DogpileErrors",
        &[
            ("dogpile_hits_total", "9x120"),
            (r#"dogpile_misses_total{reason="absent"}"#, "9x120"),
            (r#"dogpile_errors_total{kind="backend"}"#, "0x39 0+1x80"),
        ],
        5,
    ),
    (
        "DogpileCreationsFail",
        &[(
            r#"dogpile_creations_total{outcome="failed"}"#,
            "0x39 0+20x80",
        )],
        5,
    ),
    (
        "DogpileValuesNotStored",
        &[("dogpile_store_errors_total", "0x39 0+1x80")],
        5,
    ),
];

/// What is no reason to wake anybody.
const NO_TROUBLE: &[(&str, &[Series])] = &[
    ("all is well", &[]),
    (
        "one call has failed",
        &[
            (r#"dogpile_errors_total{kind="backend"}"#, "0x40 1x80"),
            ("dogpile_store_errors_total", "0x40 1x80"),
        ],
    ),
    (
        "for two minutes everything failed",
        &[
            (
                r#"dogpile_region_state{state="breaker_open"}"#,
                "0x40 1x3 0x76",
            ),
            (
                r#"dogpile_misses_total{reason="backend_error"}"#,
                "0x39 0+900x8 7200x72",
            ),
            (
                r#"dogpile_errors_total{kind="backend"}"#,
                "0x39 0+900x8 7200x72",
            ),
            (
                r#"dogpile_creations_total{outcome="failed"}"#,
                "0x39 0+900x8 7200x72",
            ),
            ("dogpile_store_errors_total", "0x39 0+900x8 7200x72"),
        ],
    ),
    (
        "the host restarts",
        &[
            ("dogpile_hits_total", "0+900x39 0+900x80"),
            (
                r#"dogpile_misses_total{reason="absent"}"#,
                "0+100x39 0+100x80",
            ),
            (r#"dogpile_errors_total{kind="backend"}"#, "5000x39 0x80"),
            ("dogpile_store_errors_total", "5000x39 0x80"),
        ],
    ),
    (
        "nobody calls",
        &[
            ("dogpile_hits_total", "0x120"),
            (r#"dogpile_misses_total{reason="absent"}"#, "0x120"),
            (r#"dogpile_creations_total{outcome="created"}"#, "0x120"),
        ],
    ),
];

/// A test of promtool: at each of these minutes those alerts fire, and no other.
fn test(name: &str, otherwise: &[Series], when: &[(u32, &[&str])]) -> String {
    let mut text = format!("  - name: {name:?}\n    interval: 15s\n    input_series:\n");
    let of_well = WELL.iter().map(|(series, goes)| {
        let other = otherwise.iter().find(|(other, _)| other == series);
        (series, other.map_or(goes, |(_, goes)| goes))
    });
    for (series, goes) in of_well {
        let labels = r#"job="shop",instance="one",region="users""#;
        let labelled = match series.split_once('{') {
            Some((name, rest)) => format!("{name}{{{labels},{rest}"),
            None => format!("{series}{{{labels}}}"),
        };
        writeln!(
            text,
            "      - series: '{labelled}'\n        values: '{goes}'"
        )
        .unwrap();
    }
    text.push_str("    promql_expr_test:\n");
    for (minute, firing) in when {
        let expression = r#"group by (alertname) (ALERTS{alertstate="firing"})"#;
        writeln!(text, "      - expr: '{expression}'").unwrap();
        writeln!(text, "        eval_time: {minute}m\n        exp_samples:").unwrap();
        for alert in *firing {
            writeln!(text, "          - labels: '{{alertname=\"{alert}\"}}'").unwrap();
            writeln!(text, "            value: 1").unwrap();
        }
    }
    text
}

/// Runs tests on the rules that are given as text.
fn run(rules: &str, tests: &str) -> Result<(), String> {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("alerts.yml"), rules).unwrap();
    let file = folder.path().join("tests.yml");
    let head = "rule_files: [alerts.yml]\nevaluation_interval: 15s\ntests:\n";
    fs::write(&file, format!("{head}{tests}")).unwrap();
    promtool(&["test", "rules", file.to_str().unwrap()], "")
}

fn rules() -> String {
    fs::read_to_string(alerts()).unwrap()
}

fn of_trouble() -> String {
    let tests = TROUBLE.iter().map(|(alert, series, after)| {
        let fires = BEGIN + after;
        let when: &[(u32, &[&str])] = &[
            (BEGIN, &[]),
            (fires - 1, &[]),
            // A rate has to get over its bound first.
            (fires + 2, &[alert]),
            (fires + 10, &[alert]),
        ];
        test(alert, series, when)
    });
    tests.collect()
}

#[test]
fn each_alert_fires_in_its_trouble_after_its_time_and_no_other_does() {
    run(&rules(), &of_trouble()).unwrap();
    let text = rules();
    let names = text
        .lines()
        .filter_map(|line| line.trim().strip_prefix("- alert: "));
    let untested: Vec<_> = names
        .filter(|name| !TROUBLE.iter().any(|(alert, ..)| alert == name))
        .collect();
    assert_eq!(untested, [""; 0]);
}

#[test]
fn no_alert_fires_where_there_is_no_trouble_or_it_has_passed() {
    let minutes: Vec<(u32, &[&str])> = (1..30).map(|minute| (minute, &[][..])).collect();
    let tests = NO_TROUBLE
        .iter()
        .map(|(name, series)| test(name, series, &minutes));
    run(&rules(), &tests.collect::<String>()).unwrap();
}

#[test]
fn an_alert_that_never_fires_or_fires_too_soon_is_found() {
    for (right, wrong) in [("== 0", "== 2"), ("for: 5m", "for: 1s")] {
        let rules = rules();
        assert!(rules.contains(right), "{right}");
        run(&rules.replacen(right, wrong, 1), &of_trouble()).unwrap_err();
    }
}

#[test]
fn each_alert_says_what_to_do_and_leads_to_a_page_and_to_the_board() {
    let text = rules();
    let alerts: Vec<_> = text.split("- alert: ").skip(1).collect();
    assert!(alerts.len() >= 10, "{}", alerts.len());
    for alert in alerts {
        for part in ["summary: \"", "description: >-", "severity: "] {
            assert!(alert.contains(part), "{part} {alert}");
        }
        let page = alert.split("runbook: \"docs/").nth(1).unwrap();
        let (page, anchor) = page.split('"').next().unwrap().split_once('#').unwrap();
        let page = fs::read_to_string(crate::board::docs(page)).unwrap();
        let mut titles = page.lines().filter_map(|line| line.strip_prefix("### "));
        let found = titles.any(|title| title.to_lowercase().replace(' ', "-") == anchor);
        assert!(found, "{anchor}");
        let board = alert.split("board: \"").nth(1).unwrap();
        assert!(board.starts_with("/d/dogpile?var-job={{ $labels.job }}&var-instance="));
        assert_eq!(
            alert.contains("$labels.region"),
            board.contains("&var-region="),
            "{alert}"
        );
    }
}
