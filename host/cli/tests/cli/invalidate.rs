use crate::support::{Folder, PAGES};

#[test]
fn pages_are_created_anew_after_it_and_soft_ones_served_meanwhile() {
    let folder = Folder::new(PAGES);
    folder.add_site();
    let server = folder.serve();
    assert_eq!(server.get("/").source(), "created");
    assert_eq!(server.get("/").source(), "fresh");
    folder.dogpile(&["invalidate", "pages"]).is(0, "", "");
    assert_eq!(server.get("/").source(), "created");
    folder
        .dogpile(&["invalidate", "pages", "--tag", "of nobody"])
        .is(0, "", "");
    assert_eq!(server.get("/").source(), "fresh");
    folder
        .dogpile(&["invalidate", "pages", "--soft"])
        .is(0, "", "");
    let caller = "a caller gets this value at once: it was invalidated softly; the next caller creates a new one\n";
    folder.dogpile(&["set", "pages", "k", "1"]).is(0, "", "");
    folder
        .dogpile(&["invalidate", "pages", "--soft"])
        .is(0, "", "");
    let told = folder.dogpile(&["explain", "pages", "k"]).stdout;
    assert!(told.ends_with(caller), "{told}");
}

#[test]
fn other_processes_are_told_without_a_host() {
    let folder = Folder::on_dbm("");
    folder.dogpile(&["set", "users", "a", "1"]).is(0, "", "");
    folder.dogpile(&["invalidate", "users"]).is(0, "", "");
    let told = folder.dogpile(&["explain", "users", "a", "--json"]);
    let told: serde_json::Value = serde_json::from_str(&told.stdout).unwrap();
    assert_eq!(
        (&told["reason"], &told["outcome"]),
        (&"hard_invalidated".into(), &"missing".into())
    );
    assert_eq!(told["invalidated_by"]["of"], "region");
}

#[test]
fn an_invalidation_that_cannot_be_told_outdates_nothing() {
    let manifest = "version = 1\n[plugins.redis]\n[regions.users]\nbackend = \"redis\"\nexpiration_time = 1\n\
                    arguments = { url = \"unix:///nobody/listens\" }\n";
    let folder = Folder::without_plugins(manifest);
    folder.add_plugin("redis");
    let run = folder.dogpile(&["invalidate", "users"]);
    assert_eq!((run.status, &*run.stdout), (Some(1), ""), "{run:?}");
    assert!(run.stderr.contains("nothing was outdated: "), "{run:?}");
    assert!(!run.stderr.contains("in this process"), "{run:?}");
}

#[test]
fn what_would_be_of_no_use_is_refused() {
    let local = Folder::on_dbm("invalidation = \"local\"\n");
    local.dogpile(&["invalidate", "users"]).is(
        1,
        "",
        "error: an invalidation of region `users` holds in one process only (its `invalidation` is \"local\"), and no host \
         of this manifest is running; start one, or set invalidation = \"shared\"\n",
    );
    let endless = Folder::on_dbm("");
    let manifest = endless.path("dogpile.toml");
    let text = std::fs::read_to_string(manifest).unwrap();
    endless.write("dogpile.toml", &text.replace("\"5m\"", "\"never\""));
    let refused = endless.dogpile(&["invalidate", "users", "--soft"]);
    assert_eq!((refused.status, refused.stdout.as_str()), (Some(1), ""));
    let start = "error: region `users`: a soft invalidation needs an expiration time";
    assert!(refused.stderr.starts_with(start), "{refused:?}");
}

#[test]
fn a_tag_that_is_empty_is_wrong_usage() {
    let folder = Folder::on_dbm("");
    let run = folder.dogpile(&["invalidate", "users", "--tag", ""]);
    assert_eq!((run.status, run.stdout.as_str()), (Some(2), ""));
    assert!(run.stderr.contains("'--tag <T>'"), "{run:?}");
}
