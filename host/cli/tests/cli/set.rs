use crate::support::{Folder, PAGES};

#[test]
fn what_is_not_json_is_refused() {
    let folder = Folder::new(PAGES);
    folder.add_site();
    let _server = folder.serve();
    let run = folder.dogpile(&["set", "pages", "k", "text"]);
    assert_eq!((run.status, run.stdout.as_str()), (Some(1), ""));
    let start = "error: the value is not JSON, which region `pages` stores: ";
    assert!(run.stderr.starts_with(start), "{run:?}");
    assert_eq!(folder.dogpile(&["get", "pages", "k"]).status, Some(3));
}

#[test]
fn a_value_may_begin_like_an_option() {
    let folder = Folder::new(PAGES);
    folder.add_site();
    let _server = folder.serve();
    folder.dogpile(&["set", "pages", "k", "-5"]).is(0, "", "");
    folder.dogpile(&["get", "pages", "k"]).is(0, "-5", "");
}

#[test]
fn a_large_value_goes_through_the_socket_and_a_too_large_one_is_refused() {
    let folder = Folder::new(PAGES);
    folder.add_site();
    let _server = folder.serve();
    let large = format!("\"{}\"", "x".repeat(3 << 20));
    folder
        .dogpile_with(&["set", "pages", "k", "-"], &large)
        .is(0, "", "");
    folder.dogpile(&["get", "pages", "k"]).is(0, &large, "");
    let too_large = format!("\"{}\"", "x".repeat(16 << 20));
    folder
        .dogpile_with(&["set", "pages", "k", "-"], &too_large)
        .is(
            1,
            "",
            "error: a value of 16777218 bytes is too large for the socket: 16777216 is the most\n",
        );
}

#[test]
fn a_payload_is_what_the_regions_serializer_stores() {
    let folder = Folder::new(&["json", "messagepack", "raw"].iter().fold(
        "version = 1\n[plugins.memory]\n".to_owned(),
        |manifest, name| {
            format!(
                "{manifest}[regions.{name}]\nbackend = \"memory\"\nserializer = \"{name}\"\n\
                     arguments.storage = \"bytes\"\n"
            )
        },
    ));
    let _server = folder.serve_alone();
    for (region, payload) in [
        ("json", "{\"a\": 1}\n"),
        ("messagepack", "\u{7f}"),
        ("raw", "text, 'quoted' or not\n"),
    ] {
        folder
            .dogpile_with(&["set", region, "k", "-"], payload)
            .is(0, "", "");
        folder.dogpile(&["get", region, "k"]).is(0, payload, "");
    }
    for (region, title) in [("json", "JSON"), ("messagepack", "MessagePack")] {
        let run = folder.dogpile(&["set", region, "k", "more than one"]);
        let start = format!("error: the value is not {title}, which region `{region}` stores: ");
        assert_eq!(run.status, Some(1));
        assert!(run.stderr.starts_with(&start), "{run:?}");
    }
}
