use crate::support::{Folder, PAGES, looked_for};

#[test]
fn a_payload_is_printed_exactly() {
    let folder = Folder::new(PAGES);
    folder.add_site();
    let server = folder.serve();
    assert_eq!(server.get("/").status, 200);
    folder
        .dogpile_with(&["set", "pages", "a|b \"c\"", "-"], " {\"x\": \"é|\"}\n\n")
        .is(0, "", "");
    folder
        .dogpile(&["get", "pages", "a|b \"c\""])
        .is(0, " {\"x\": \"é|\"}\n\n", "");
}

#[test]
fn metadata_tells_times_and_size() {
    let folder = Folder::new(&PAGES.replace("\"1h\"", "\"never\""));
    folder.add_site();
    let _server = folder.serve();
    folder
        .dogpile(&["set", "pages", "k", "[1, 2]"])
        .is(0, "", "");
    let run = folder.dogpile(&["get", "pages", "k", "--metadata"]);
    let lines: Vec<_> = run.stdout.lines().collect();
    assert_eq!(lines[0], "cached_time: [TIME]");
    assert_eq!(lines[1], "started_time: [TIME]");
    assert!(lines[2].starts_with("age: "), "{run:?}");
    assert_eq!(
        lines[3..],
        ["keep_until: never", "value_version: 0", "size: 6 bytes"]
    );
    assert_eq!((run.status, run.stderr.as_str()), (Some(0), ""));
    let run = folder.dogpile(&["get", "pages", "k", "--metadata", "--json"]);
    let json: serde_json::Value = serde_json::from_str(&run.stdout).unwrap();
    assert_eq!(
        (&json["size"], &json["keep_until"]),
        (&6.into(), &serde_json::Value::Null)
    );
}

#[test]
fn a_value_that_is_not_there_has_status_3() {
    let folder = Folder::new(PAGES);
    folder.add_site();
    let _server = folder.serve();
    folder
        .dogpile(&["get", "pages", "k"])
        .is(3, "", "no value for `k` in region `pages`\n");
}

#[test]
fn a_region_that_is_not_there_is_an_error_which_names_those_that_are() {
    let folder = Folder::new(PAGES);
    folder.add_site();
    let _server = folder.serve();
    folder.dogpile(&["get", "page", "k"]).is(
        1,
        "",
        "error: no region `page` is configured: there are `pages`\n",
    );
}

#[test]
fn a_region_in_memory_is_refused_where_no_host_runs() {
    let folder = Folder::new(PAGES);
    let refused = format!(
        "error: region `pages` lives in the process that uses it, and no host of dogpile.toml is running; start one with \
         `dogpile --manifest dogpile.toml serve`; {}\n",
        looked_for()
    );
    for arguments in [
        &["get", "pages", "k"][..],
        &["set", "pages", "k", "1"],
        &["delete", "pages", "k"],
    ] {
        folder.dogpile(arguments).is(1, "", &refused);
    }
}

#[test]
fn the_manifest_may_be_spelled_in_any_way() {
    let folder = Folder::new(PAGES);
    folder.add_site();
    let _server = folder.serve();
    let whole = folder.path("dogpile.toml");
    for manifest in [
        "./dogpile.toml",
        "site/../dogpile.toml",
        whole.to_str().unwrap(),
    ] {
        let run = folder.dogpile(&["--manifest", manifest, "get", "pages", "k"]);
        assert_eq!(run.status, Some(3), "{run:?}");
    }
}
