//! A real Prometheus reads the metrics, and answers every query of the board and of the alerts.

use std::collections::BTreeSet;

use dogpile_tests::prometheus_server::{PrometheusServer, promtool};
use dogpile_tests::until::until;

use crate::board::{Board, alerts};
use crate::live::Live;
use crate::served::Served;

#[test]
fn every_query_of_the_board_and_of_the_alerts_has_an_answer() {
    let (served, live) = (Served::start(), Live::new());
    let targets = [served.address.clone(), live.serve()];
    let prometheus = PrometheusServer::start(&targets, &alerts());
    // What is counted before it is first read does not count as a change.
    until("both are read", || {
        prometheus.query("dogpile_generation").len() == 2
    });
    let active = prometheus.ask("/api/v1/targets");
    for target in active["activeTargets"].as_array().unwrap() {
        assert_eq!(
            (&target["health"], &target["lastError"]),
            (&"up".into(), &"".into())
        );
    }
    served.traffic();
    live.traffic();

    let rules = prometheus.ask("/api/v1/rules");
    let rules = rules["groups"].as_array().unwrap().iter();
    let rules = rules.flat_map(|group| group["rules"].as_array().unwrap());
    let rules: Vec<_> = rules
        .map(|rule| rule["query"].as_str().unwrap().to_owned())
        .collect();
    assert!(rules.len() >= 7, "{rules:?}");
    let board = Board::read().queries();
    assert!(board.len() >= 35, "{}", board.len());
    for query in board.iter().chain(&rules) {
        until(query, || {
            prometheus
                .query(query)
                .iter()
                .any(|number| !number.is_nan())
        });
    }
    let told = prometheus.ask("/api/v1/rules").to_string();
    assert!(!told.contains("\"health\":\"err\""), "{told}");
    let mut pending = Vec::new();
    until("each rule has an alert", || {
        pending = prometheus.ask("/api/v1/alerts")["alerts"]
            .as_array()
            .unwrap()
            .clone();
        let names = pending
            .iter()
            .map(|alert| alert["labels"]["alertname"].to_string());
        names.collect::<BTreeSet<_>>().len() == rules.len()
    });
    for alert in pending {
        let told = alert["annotations"].to_string();
        let wrong = ["<error", "<no value>", "{{", "Inf", "NaN", "=&", "=\""];
        let is_filled_in = wrong.iter().all(|part| !told.contains(part));
        assert!(is_filled_in, "{alert}");
    }
}

#[test]
fn where_all_is_well_no_panel_is_empty_and_each_variable_has_a_choice() {
    let served = Served::start();
    let prometheus = PrometheusServer::start(std::slice::from_ref(&served.address), &alerts());
    until("it is read", || {
        prometheus
            .query("count_over_time(dogpile_generation[1m]) > 1")
            .len()
            == 1
    });
    let board = Board::read();
    for (panel, queries) in board.panels_with_queries() {
        let mut answers = queries.iter().map(|query| prometheus.query(query).len());
        assert!(answers.any(|series| series > 0), "{panel}: {queries:?}");
    }
    for (label, series) in board.choices() {
        assert_eq!(
            prometheus.values(&label, &series).len(),
            1,
            "{label} of {series}"
        );
    }
    // Nothing has happened yet.
    for mark in board.marks() {
        assert!(prometheus.query(&mark).is_empty(), "{mark}");
    }
}

#[test]
fn promtool_has_no_objection_to_the_metrics_and_the_rules() {
    let (served, live) = (Served::start(), Live::new());
    for text in [served.metrics(), live.host.metrics_text()] {
        promtool(&["check", "metrics"], &text).unwrap();
    }
    promtool(&["check", "rules", alerts().to_str().unwrap()], "").unwrap();
    promtool(&["check", "metrics"], "# TYPE a_total gauge\na_total 1\n").unwrap_err();
}
