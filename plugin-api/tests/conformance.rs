//! The conformance suite passes what is right, and finds each of the bugs planted in a backend.

#![forbid(unsafe_code)]

#[path = "conformance/bugs.rs"]
mod bugs;
#[path = "conformance/least.rs"]
mod least;
#[path = "conformance/map.rs"]
mod map;
#[path = "conformance/mutex.rs"]
mod mutex;

use std::time::Duration;

use dogpile_plugin_api::export_plugin;
use dogpile_plugin_api::testing::{
    Conformance, Offered, Outcome, Progress, Suite, backend_suite, mutex_suite, serializer_suite,
};

use self::bugs::Bug;
use self::least::Least;
use self::map::Map;

export_plugin! { backends: { "map" => Map, "least" => Least } }

fn with(bug: Bug) -> String {
    format!(r#"{{"bug": "{}"}}"#, bug.name())
}

/// Some cases of one suite on the map.
fn some<'a>(arguments: &'a str, suite: Suite, cases: &[&str]) -> Conformance<'a> {
    let backend = Offered {
        plugin: plugin(),
        name: "map",
        arguments,
    };
    let cases = cases.iter().copied();
    Conformance::of(backend).suites(&[suite]).cases(cases)
}

/// The bug is found by the case that is about it.
#[track_caller]
fn finds(arguments: &str, suite: Suite, bug: Bug, case: &str) {
    let report = some(arguments, suite, &[case]).run();
    // A backend that cannot even be opened fails the first one.
    let failed = report.failures().next().map(|(name, _)| name);
    assert_eq!(failed, Some(case), "{bug:?} was not found:\n{report}");
}

#[test]
fn a_right_backend_passes_every_case() {
    for storage in ["objects", "bytes"] {
        let arguments = format!(r#"{{"storage": "{storage}"}}"#);
        backend_suite(plugin(), "map", &arguments).assert_passed();
        serializer_suite(plugin(), "map", &arguments).assert_passed();
    }
    mutex_suite(plugin(), "map", "{}").assert_passed();
}

#[test]
fn a_backend_that_leaves_all_else_to_the_defaults_passes_every_case() {
    for report in [
        backend_suite(plugin(), "least", "{}"),
        serializer_suite(plugin(), "least", "{}"),
        mutex_suite(plugin(), "least", "{}"),
    ] {
        report.assert_passed();
    }
}

#[test]
fn a_right_and_shared_backend_passes_every_case_and_is_spared_none() {
    let shared = r#"{"shared": true}"#;
    for report in [
        backend_suite(plugin(), "map", shared),
        mutex_suite(plugin(), "map", shared),
    ] {
        assert!(
            report
                .cases
                .iter()
                .all(|case| case.outcome == Outcome::Passed),
            "{report}"
        );
    }
}

#[test]
fn a_backend_without_a_mutex_is_told_so_and_passes() {
    let report = mutex_suite(plugin(), "map", &with(Bug::NoMutex));
    report.assert_passed();
    assert!(
        report
            .cases
            .iter()
            .skip(1)
            .all(|case| matches!(case.outcome, Outcome::NotSupported(_))),
        "{report}"
    );
}

#[test]
fn bugs_in_storing_are_found() {
    for (bug, case) in [
        (Bug::ForgetsAll, "what_was_stored_is_found"),
        (Bug::KeepsFirst, "a_second_store_replaces_the_first"),
        (Bug::KeepsDeleted, "what_was_deleted_is_not_found"),
        (Bug::DeletesAll, "other_keys_stay_when_one_is_deleted"),
        (Bug::FailsToDeleteNothing, "deleting_nothing_is_no_error"),
        (Bug::StaleFresh, "a_fresh_read_finds_the_last_store"),
        (Bug::DropsWhatEnds, "what_ends_later_is_found_until_then"),
        (Bug::CopiesObjects, "an_object_comes_back_as_itself"),
        (Bug::LeaksObjects, "an_object_comes_back_as_itself"),
        (Bug::ClearsNothing, "what_was_cleared_is_not_found"),
        (Bug::CountsNothing, "its_statistics_count_what_is_there"),
        (Bug::FailsPing, "it_answers_a_ping"),
        (Bug::Panics, "it_opens_and_answers"),
        (Bug::PanicsInClear, "what_was_cleared_is_not_found"),
        (
            Bug::KeepsWhatEnded,
            "what_has_ended_is_found_no_more_and_not_before",
        ),
    ] {
        finds(&with(bug), Suite::Backend, bug, case);
    }
}

#[test]
fn bugs_with_many_keys_are_found() {
    for (bug, case) in [
        (Bug::MixesOrder, "many_are_found_in_the_order_of_their_keys"),
        (
            Bug::ClosesGaps,
            "what_is_missing_among_many_leaves_its_place_empty",
        ),
        (Bug::AnswersOnce, "a_key_asked_for_twice_is_found_twice"),
        (Bug::StoresOne, "many_stored_at_once_are_found_one_by_one"),
        (
            Bug::StoresFirstOfTwo,
            "of_two_values_for_a_key_the_last_is_stored",
        ),
        (Bug::DeletesOne, "many_deleted_at_once_are_gone"),
        (Bug::FailsOnNothing, "nothing_at_once_is_no_error"),
        (
            Bug::MixesFresh,
            "a_fresh_read_of_many_finds_the_last_stores",
        ),
    ] {
        finds(&with(bug), Suite::Backend, bug, case);
    }
}

#[test]
fn bugs_with_keys_instances_and_threads_are_found() {
    for (bug, case) in [
        (Bug::FoldsCase, "keys_that_look_alike_are_different"),
        (Bug::AsciiKeys, "keys_in_many_scripts_are_different"),
        (Bug::TrimsKeys, "keys_with_odd_characters_are_different"),
        (Bug::CutsKeys, "keys_of_many_lengths_are_different"),
        (
            Bug::CutsKeysAt250,
            "keys_at_the_usual_limits_are_whole_or_refused",
        ),
        (Bug::TrustsHashes, "two_keys_with_one_hash_are_different"),
        (
            Bug::SaysShared,
            "instances_of_a_shared_storage_see_the_same",
        ),
        (
            Bug::EmptiesOnReconfigure,
            "reconfiguring_with_the_same_arguments_keeps_what_is_stored",
        ),
        (
            Bug::TearsValues,
            "a_key_that_all_write_has_one_of_their_values_whole",
        ),
    ] {
        finds(&with(bug), Suite::Backend, bug, case);
    }
}

#[test]
fn bugs_in_values_are_found() {
    for (bug, case) in [
        (Bug::LosesEmpty, "no_bytes_survive"),
        (Bug::DropsLastByte, "bytes_of_many_lengths_survive"),
        (Bug::EndsAtZero, "every_byte_survives"),
        (Bug::TrimsValues, "bytes_that_end_lines_and_strings_survive"),
        (Bug::AsciiValues, "text_in_many_scripts_survives"),
        (Bug::CutsAtBar, "dogpile_envelopes_survive"),
        (Bug::CutsAt64Ki, "bytes_of_many_lengths_survive"),
        (Bug::DamagesLong, "a_mebibyte_survives"),
        (Bug::DamagesLong, "sixteen_mebibytes_survive"),
        (Bug::ReadsNumbers, "values_of_foreign_formats_survive"),
    ] {
        finds(&with(bug), Suite::Serializer, bug, case);
    }
}

#[test]
fn bugs_in_a_mutex_are_found() {
    // Each suite waits for leases; together they wait once.
    std::thread::scope(|scope| {
        for (bug, case) in [
            (Bug::NoExclusion, "one_at_a_time_is_inside"),
            (Bug::Reentrant, "a_held_mutex_is_not_taken_again"),
            (Bug::OneForAll, "each_key_has_a_mutex_of_its_own"),
            (Bug::KeepsHeld, "a_free_mutex_is_taken_and_given_back"),
            (Bug::SaysFree, "a_free_mutex_is_taken_and_given_back"),
            (
                Bug::ReleasesStrangers,
                "the_release_of_a_stranger_does_nothing",
            ),
            (Bug::ReleasesStrangers, "a_lost_lease_releases_nobody_else"),
            (Bug::SameToken, "the_release_of_an_old_lease_does_nothing"),
            (Bug::BoundToThread, "another_thread_may_release"),
            (
                Bug::DiesWithValue,
                "a_mutex_and_the_value_of_its_key_do_not_mix",
            ),
            (
                Bug::PassesAtOnce,
                "a_dead_holder_is_followed_when_its_lease_has_passed",
            ),
            (
                Bug::RenewsNothing,
                "a_renewed_lease_lasts_its_full_length_again",
            ),
            (Bug::RenewsLost, "a_lost_lease_cannot_be_renewed"),
            (
                Bug::RefusesMany,
                "each_of_many_guarded_stores_comes_to_what_it_would_alone",
            ),
            (
                Bug::GuardsByFirst,
                "each_of_many_guarded_stores_comes_to_what_it_would_alone",
            ),
            (
                Bug::RefusesGuarded,
                "a_guarded_store_is_done_while_the_lease_is_held",
            ),
            (Bug::LeavesUnguarded, "a_lost_lease_stores_nothing"),
            (
                Bug::NeverPasses,
                "a_dead_holder_is_followed_when_its_lease_has_passed",
            ),
            (Bug::SleepsOn, "a_waiter_gets_in_after_the_release"),
        ] {
            scope.spawn(move || finds(&with(bug), Suite::Mutex, bug, case));
        }
    });
}

#[test]
fn bugs_with_deletions_under_a_lease_are_found() {
    std::thread::scope(|scope| {
        for (bug, case) in [
            (
                Bug::StoresDeleted,
                "a_guarded_store_is_refused_once_another_deleted_the_key",
            ),
            (
                Bug::RefusesForEver,
                "a_deletion_concerns_no_lease_but_the_one_held_then",
            ),
            (
                Bug::ForgetsDeletions,
                "a_deletion_is_remembered_for_as_long_as_its_lease_is_renewed",
            ),
        ] {
            let shared = format!(r#"{{"bug": "{}", "shared": true}}"#, bug.name());
            scope.spawn(move || finds(&shared, Suite::Mutex, bug, case));
        }
    });
}

#[test]
fn a_shared_storage_that_forgets_what_it_held_when_it_is_closed_is_found() {
    let bug = Bug::ForgetsWhenClosed;
    let shared = format!(r#"{{"bug": "{}", "shared": true}}"#, bug.name());
    for case in [
        "it_opens_again_after_it_was_closed",
        "what_a_shared_storage_holds_survives_its_instance",
    ] {
        finds(&shared, Suite::Backend, bug, case);
    }
}

#[test]
fn a_case_that_hangs_fails_and_the_others_go_on() {
    let arguments = with(Bug::HangsInPing);
    let cases = [
        "it_answers_a_ping",
        "what_was_stored_is_found",
        "it_can_be_opened_and_closed_many_times",
    ];
    let mut told = Vec::new();
    let report = some(&arguments, Suite::Backend, &cases)
        .limit(Duration::from_secs(2))
        .run_telling(|progress| {
            told.push(match progress {
                Progress::Ended(case) => format!("{}: {}", case.name, case.outcome.name()),
                begins => format!("{begins:?}"),
            });
        });
    assert_eq!(
        told,
        [
            r#"Begins("it_opens_and_answers")"#,
            "it_opens_and_answers: passed",
            r#"Begins("what_was_stored_is_found")"#,
            "what_was_stored_is_found: passed",
            r#"Begins("it_answers_a_ping")"#,
            "it_answers_a_ping: failed",
            r#"Begins("it_can_be_opened_and_closed_many_times")"#,
            "it_can_be_opened_and_closed_many_times: failed",
        ]
    );
    let text = report.to_string();
    assert!(text.contains("did not end within 2s"), "{text}");
    assert!(
        text.ends_with("backend map: 2 passed, 2 failed, 0 not supported, 0 skipped"),
        "{text}"
    );
}

#[test]
fn what_cannot_be_looked_at_is_skipped_with_the_reason() {
    // It does not open.
    let report = some("[]", Suite::Backend, &["it_answers_a_ping"]).run();
    assert_eq!(report.failures().count(), 1, "{report}");
    let why = "it_opens_and_answers failed, without which nothing can be looked at";
    assert_eq!(report.cases[1].outcome, Outcome::Skipped(why.to_owned()));
    // Its values are not to be so long.
    let cases = ["sixteen_mebibytes_survive", "a_mebibyte_survives"];
    let report = some("{}", Suite::Serializer, &cases)
        .largest_value(1 << 20)
        .run();
    let outcomes: Vec<_> = report
        .cases
        .iter()
        .map(|case| case.outcome.name())
        .collect();
    assert_eq!(outcomes, ["passed", "passed", "skipped"], "{report}");
}

#[test]
fn a_case_has_a_name_of_its_own() {
    let mut names: Vec<_> = Suite::ALL.into_iter().flat_map(Suite::case_names).collect();
    let all = names.len();
    names.sort_unstable();
    names.dedup();
    assert_eq!(names.len(), all);
}
