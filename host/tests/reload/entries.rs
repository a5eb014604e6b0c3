//! How many entries a reload loses.

use dogpile::{EntriesFate, Host, Reload};

use crate::support::{Site, contains};

fn fate(reload: &Reload, region: &str) -> EntriesFate {
    let mut changes = reload.changes.iter();
    changes
        .find(|change| change.region == region)
        .unwrap()
        .entries
}

fn fill(host: &Host, region: &str, entries: u32) {
    let region = host.region(region).unwrap();
    for key in 0..entries {
        region.set(key.to_string(), key).unwrap();
    }
}

fn probe(name: &str, more: &str, last: &str) -> String {
    format!(
        "[regions.{name}]\nbackend = \"probe\"\narguments = {{ log = \"entries\", {more} }}\n{last}"
    )
}

#[test]
fn what_is_lost_is_counted_in_plan_and_outcome() {
    let memory = "[regions.memory]\nbackend = \"memory\"\n";
    let site = Site::new(
        &[
            memory,
            "[regions.gone]\nbackend = \"memory\"\n",
            "[regions.kept]\nbackend = \"memory\"\n",
            &probe("silent", "tag = \"1\"", ""),
            &probe("shared", "tag = \"1\", shared = true, counts = true", ""),
        ]
        .concat(),
    );
    let host = site.open_unwatched();
    for (region, entries) in [
        ("memory", 7),
        ("gone", 1),
        ("kept", 5),
        ("silent", 3),
        ("shared", 4),
    ] {
        fill(&host, region, entries);
    }
    site.save(
        &[
            memory,
            "arguments.storage = \"bytes\"\n",
            "[regions.kept]\nbackend = \"memory\"\n",
            &probe("silent", "tag = \"2\"", ""),
            &probe("shared", "tag = \"2\", shared = true, counts = true", ""),
        ]
        .concat(),
    );
    let planned = host.plan().unwrap();
    contains(
        &planned.to_string(),
        &[
            "would swap region `memory` (arguments.storage), 7 entries would be lost\n",
            "would remove region `gone`, 1 entry would be lost\n",
            "would swap region `shared` (arguments.tag), its entries would stay in the storage\n",
        ],
    );
    let reload = host.reload().unwrap();
    assert_eq!(reload.changes, planned.changes);
    assert_eq!((planned.entries_lost, reload.entries_lost), (8, 8));
    for (region, expected) in [
        ("memory", EntriesFate::Lost(7)),
        ("gone", EntriesFate::Lost(1)),
        ("kept", EntriesFate::Kept),
        ("silent", EntriesFate::LostUncounted),
        ("shared", EntriesFate::Stay),
    ] {
        assert_eq!(fate(&reload, region), expected, "{region}");
    }
    contains(
        &reload.to_string(),
        &[
            "swapped region `memory` (arguments.storage), 7 entries are lost\n",
            "swapped region `silent` (arguments.tag), what its old instance holds in this process is lost\n",
            "swapped region `shared` (arguments.tag), its entries stay in the storage\n",
        ],
    );
}

#[test]
fn what_regions_share_is_counted_once_and_not_while_one_of_them_stays() {
    let sharing = |name: &str| probe(name, "tag = \"s\", counts = true", "shares_keys = true\n");
    let site = Site::new(&["a", "b", "c"].map(sharing).concat());
    let host = site.open_unwatched();
    fill(&host, "a", 6);
    site.save(&["a", "b"].map(sharing).concat());
    let reload = host.reload().unwrap();
    assert_eq!(
        (fate(&reload, "c"), reload.entries_lost),
        (EntriesFate::Kept, 0)
    );
    contains(
        &reload.to_string(),
        &["removed region `c`, its instance stays with other regions"],
    );
    site.save("");
    // The handles of `a` and `b` are gone.
    let reload = host.reload().unwrap();
    assert_eq!(fate(&reload, "a"), EntriesFate::Lost(6));
    assert_eq!(fate(&reload, "b"), EntriesFate::Lost(6));
    assert_eq!(reload.entries_lost, 6);
}

#[test]
fn memory_takes_on_other_limits_and_loses_what_is_too_much() {
    let memory = |arguments: &str| {
        format!(
            "[regions.a]\nbackend = \"memory\"\nexpiration_time = 100\n[regions.a.arguments]\n{arguments}\n"
        )
    };
    let site = Site::new(&memory("max_entries = 20"));
    let host = site.open_unwatched();
    let a = host.region("a").unwrap();
    let stored = || {
        (0..20)
            .filter(|key: &i32| a.get::<u32>(key.to_string()).unwrap().is_some())
            .count()
    };
    fill(&host, "a", 20);
    for (arguments, left, lost, told) in [
        ("max_entries = 30", 20, 0, "0 entries are lost"),
        ("max_entries = 5", 5, 15, "15 entries are lost"),
        ("max_entries = 4", 4, 1, "1 entry is lost"),
        ("max_entries = \"unbounded\"", 4, 0, "0 entries are lost"),
    ] {
        site.save(&memory(arguments));
        // What would be lost is not known before.
        let plan = host.plan().unwrap();
        assert_eq!(
            (fate(&plan, "a"), plan.entries_lost),
            (EntriesFate::IfRoom, 0)
        );
        let reload = host.reload().unwrap();
        let whole =
            format!("reconfigured region `a` (arguments.max_entries), keeps its instance, {told}");
        contains(&reload.to_string(), &[&whole]);
        assert_eq!(fate(&reload, "a"), EntriesFate::Lost(lost));
        assert_eq!(reload.entries_lost, lost);
        assert_eq!(stored(), left, "{arguments}");
    }
}

#[test]
fn what_a_change_that_is_put_back_has_cost_is_told() {
    let both = |most: u32, what: &str| {
        format!(
            "[regions.a]\nbackend = \"memory\"\narguments = {{ max_entries = {most} }}\n{}",
            probe(
                "b",
                &format!("tag = \"{most}\", reconfigure = \"{what}\""),
                ""
            )
        )
    };
    let site = Site::new(&both(20, "take"));
    let host = site.open_unwatched();
    fill(&host, "a", 20);
    site.save(&both(5, "fail"));
    let error = host.reload().unwrap_err().to_string();
    contains(
        &error,
        &[
            "what had been changed already could not all be put back:",
            "region `a` has its old arguments again, and its entries but for 15, for which there was no room meanwhile",
        ],
    );
}
