//! A real Prometheus reads the metrics, and answers every query of the board and of the alerts.

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
    let rules = prometheus.ask("/api/v1/rules").to_string();
    assert!(!rules.contains("\"health\":\"err\""), "{rules}");
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
