use crate::support::{Folder, PAGES};

#[test]
fn everything_is_removed_and_regions_in_memory_need_a_host() {
    let folder = Folder::new(PAGES);
    folder.add_site();
    let refused = folder.dogpile(&["clear", "pages"]);
    assert_eq!((refused.status, refused.stdout.as_str()), (Some(1), ""));
    let start = "error: region `pages` lives in the process that uses it, and no host of dogpile.toml is running; ";
    assert!(refused.stderr.starts_with(start), "{refused:?}");

    let _server = folder.serve();
    for key in ["a", "b"] {
        folder.dogpile(&["set", "pages", key, "1"]).is(0, "", "");
    }
    folder.dogpile(&["clear", "pages"]).is(0, "", "");
    for key in ["a", "b"] {
        assert_eq!(folder.dogpile(&["get", "pages", key]).status, Some(3));
    }
    folder.dogpile(&["clear", "page"]).is(
        1,
        "",
        "error: no region `page` is configured: there are `pages`\n",
    );
}

#[test]
fn a_storage_that_processes_share_needs_no_host() {
    let folder = Folder::on_dbm("");
    folder.dogpile(&["set", "users", "a", "1"]).is(0, "", "");
    folder.dogpile(&["clear", "users"]).is(0, "", "");
    assert_eq!(folder.dogpile(&["get", "users", "a"]).status, Some(3));
}
