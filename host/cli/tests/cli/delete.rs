use crate::support::{Folder, PAGES};

#[test]
fn all_keys_are_removed_whether_they_were_there_or_not() {
    let folder = Folder::new(PAGES);
    folder.add_site();
    let _server = folder.serve();
    for key in ["a", "b", "c"] {
        folder.dogpile(&["set", "pages", key, "1"]).is(0, "", "");
    }
    folder
        .dogpile(&["delete", "pages", "a", "x", "b"])
        .is(0, "", "");
    for (key, status) in [("a", 3), ("b", 3), ("c", 0)] {
        assert_eq!(
            folder.dogpile(&["get", "pages", key]).status,
            Some(status),
            "{key}"
        );
    }
}
