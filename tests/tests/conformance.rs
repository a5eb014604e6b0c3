//! `dogpile conformance` on files: it finds what is wrong with a plugin, and nothing wrong with ours. Those that need a
//! server are in `redis` and `memcached`.

#![forbid(unsafe_code)]

use std::fs;
use std::path::{Path, PathBuf};
use std::thread;

use dogpile_tests::command::Conformance;
use dogpile_tests::outside::{Builder, share_versions, workspace};
use dogpile_tests::plugin_file;

/// A bug of the plugin `wrong`, and the cases that find it.
const BUGS: [(&str, &[&str]); 15] = [
    (
        "DropsLastByte",
        &[
            "a_mebibyte_survives",
            "bytes_of_many_lengths_survive",
            "sixteen_mebibytes_survive",
        ],
    ),
    (
        "KeepsDeleted",
        &[
            "an_object_comes_back_as_itself",
            "instances_of_a_shared_storage_see_the_same",
            "keys_in_many_scripts_are_different",
            "keys_of_many_lengths_are_different",
            "keys_that_look_alike_are_different",
            "keys_with_odd_characters_are_different",
            "many_deleted_at_once_are_gone",
            "other_keys_stay_when_one_is_deleted",
            "threads_with_keys_of_their_own_do_not_disturb_each_other",
            "two_keys_with_one_hash_are_different",
            "what_was_deleted_can_be_stored_again",
            "what_was_deleted_is_not_found",
        ],
    ),
    (
        "MixesOrder",
        &[
            "many_are_found_in_the_order_of_their_keys",
            "many_at_once_from_many_threads_keep_their_order",
            "many_deleted_at_once_are_gone",
            "many_stored_at_once_are_found_one_by_one",
            "what_is_missing_among_many_leaves_its_place_empty",
        ],
    ),
    (
        "KeepsWhatEnded",
        &["what_has_ended_is_found_no_more_and_not_before"],
    ),
    (
        "NoExclusion",
        &[
            "a_dead_holder_is_followed_when_its_lease_has_passed",
            "a_held_mutex_is_not_taken_again",
            "a_lost_lease_cannot_be_renewed",
            "a_lost_lease_releases_nobody_else",
            "a_lost_lease_stores_nothing",
            "a_renewed_lease_lasts_its_full_length_again",
            "a_waiter_gets_in_after_the_release",
            "instances_of_a_shared_storage_share_mutexes",
            "one_at_a_time_is_inside",
            "the_release_of_a_stranger_does_nothing",
        ],
    ),
    (
        "NeverPasses",
        &[
            "a_dead_holder_is_followed_when_its_lease_has_passed",
            "a_lost_lease_cannot_be_renewed",
            "a_lost_lease_releases_nobody_else",
            "a_lost_lease_stores_nothing",
            "a_renewed_lease_lasts_its_full_length_again",
        ],
    ),
    (
        "ReleasesStrangers",
        &[
            "a_lost_lease_releases_nobody_else",
            "the_release_of_a_stranger_does_nothing",
            "the_release_of_an_old_lease_does_nothing",
        ],
    ),
    (
        "LeavesUnguarded",
        &[
            "a_deletion_is_remembered_for_as_long_as_its_lease_is_renewed",
            "a_guarded_store_is_refused_once_another_deleted_the_key",
            "a_lost_lease_stores_nothing",
        ],
    ),
    (
        "CutsKeysAt250",
        &[
            "keys_at_the_usual_limits_are_whole_or_refused",
            "keys_of_many_lengths_are_different",
        ],
    ),
    (
        "TearsValues",
        &["a_key_that_all_write_has_one_of_their_values_whole"],
    ),
    ("SleepsOn", &["a_waiter_gets_in_after_the_release"]),
    (
        "LosesEmpty",
        &[
            "a_second_store_replaces_the_first",
            "bytes_of_many_lengths_survive",
            "no_bytes_survive",
        ],
    ),
    (
        "StoresFirstOfTwo",
        &["of_two_values_for_a_key_the_last_is_stored"],
    ),
    // It ends the process: whoever comes after has another.
    (
        "Aborts",
        &[
            "a_guarded_store_is_refused_once_another_deleted_the_key",
            "what_was_cleared_is_not_found",
        ],
    ),
    // Some of these run at once: each is tried again alone.
    (
        "AbortsInRenew",
        &[
            "a_deletion_is_remembered_for_as_long_as_its_lease_is_renewed",
            "a_lost_lease_cannot_be_renewed",
            "a_renewed_lease_lasts_its_full_length_again",
            "the_release_of_a_stranger_does_nothing",
        ],
    ),
];

/// The library with the bugs, in a folder of its own.
fn wrong(folder: &Path) -> PathBuf {
    let builder = Builder::new(env!("CARGO_TARGET_TMPDIR"));
    let sources = workspace().join("tests/badplugins");
    share_versions(&sources);
    let (built, _) = builder.cargo(&sources, &["build", "--quiet", "-p", "wrong"]);
    let library = folder.join("libwrong.so");
    fs::copy(built.join("libwrong.so"), &library).unwrap();
    library
}

/// What is found in the library with that bug.
fn found(library: &Path, bug: Option<&str>, words: &[&str]) -> Conformance {
    let bug = bug.map(|bug| format!("bug = \"{bug}\"\n"));
    let arguments = format!("{}shared = true\n", bug.unwrap_or_default());
    let words = [&["--arguments", &arguments], words].concat();
    Conformance::of(library, &words)
}

#[test]
fn each_planted_bug_is_found_by_the_cases_that_it_concerns_and_by_no_other() {
    let folder = tempfile::tempdir().unwrap();
    let library = wrong(folder.path());
    let without = found(&library, None, &[]);
    without.assert_passed(70);
    let one = |(bug, cases): &(&str, &[&str])| {
        let run = found(&library, Some(bug), &[]);
        let failed: Vec<_> = run.cases("failed").into_iter().collect();
        let seen: Vec<_> = failed.iter().map(|case| run.detail(case)).collect();
        assert_eq!(failed, *cases, "{bug}: {seen:#?}");
        assert_eq!(run.status, Some(1));
        let others = run.cases("passed").len() + cases.len();
        assert_eq!(others, without.cases("passed").len(), "{bug}");
        if bug.starts_with("Aborts") {
            let told = "the plugin kills the process by signal 6 (SIGABRT)";
            assert!(seen.iter().all(|seen| *seen == told), "{bug}: {seen:#?}");
        }
    };
    // Most of the time they wait.
    thread::scope(|scope| {
        let runs = BUGS.chunks(BUGS.len().div_ceil(5));
        let runs = runs.map(|bugs| scope.spawn(move || bugs.iter().for_each(one)));
        for run in runs.collect::<Vec<_>>() {
            run.join().unwrap();
        }
    });
}

#[test]
fn a_call_that_hangs_fails_its_cases_and_the_others_go_on() {
    let folder = tempfile::tempdir().unwrap();
    let library = wrong(folder.path());
    let cases = [
        "it_answers_a_ping",
        "it_can_be_opened_and_closed_many_times",
        "no_bytes_survive",
    ];
    let mut words = vec!["--limit", "2s"];
    words.extend(cases.iter().flat_map(|case| ["--case", case]));
    let run = found(&library, Some("HangsInPing"), &words);
    assert_eq!(run.status, Some(1));
    let failed: Vec<_> = run.cases("failed").into_iter().collect();
    assert_eq!(failed, cases[..2], "{:#}", run.report);
    let passed: Vec<_> = run.cases("passed").into_iter().collect();
    assert_eq!(passed, ["it_opens_and_answers", "no_bytes_survive"]);
    assert!(run.detail(cases[0]).starts_with("did not end within 2s"));
}

#[test]
fn memory_null_and_dbm_conform() {
    Conformance::of(&plugin_file("memory"), &[]).assert_passed(40);
    let bytes = ["--arguments", "storage = \"bytes\""];
    Conformance::of(&plugin_file("memory"), &bytes).assert_passed(40);
    Conformance::of(&plugin_file("null"), &[]).assert_passed(40);
    let folder = tempfile::tempdir().unwrap();
    let arguments = format!("filename = {:?}", folder.path().join("cache"));
    Conformance::of(&plugin_file("dbm"), &["--arguments", &arguments]).assert_passed(60);
}
