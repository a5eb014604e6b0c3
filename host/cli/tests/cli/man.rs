use std::fs;

use crate::support::{Folder, PAGES};

#[test]
fn the_manual_has_a_page_and_one_for_each_command() {
    let folder = Folder::without_plugins(PAGES);
    let run = folder.dogpile(&["man"]);
    assert!(run.stdout.contains(".TH dogpile 1"), "{run:?}");
    for command in ["check", "explain", "exec"] {
        assert!(
            run.stdout.contains(&format!("dogpile\\-{command}(1)")),
            "{command}"
        );
    }
    assert_eq!((run.status, run.stderr.as_str()), (Some(0), ""));

    folder.dogpile(&["man", "--dir", "man/man1"]).is(0, "", "");
    let page = |name: &str| fs::read_to_string(folder.path("man/man1").join(name)).unwrap();
    assert_eq!(
        page("dogpile.1").lines().count(),
        run.stdout.lines().count()
    );
    let explain = page("dogpile-explain.1");
    for part in [
        ".TH dogpile-explain 1",
        "REGION",
        "Exit status: 0 a value is stored",
    ] {
        assert!(explain.contains(part), "{part} in {explain}");
    }
    assert!(!folder.path("man/man1/dogpile-help.1").exists());
}

#[test]
fn a_folder_that_cannot_be_made_is_named() {
    let folder = Folder::without_plugins(PAGES);
    folder.write("file", "");
    let run = folder.dogpile(&["man", "--dir", "file/man1"]);
    assert_eq!((run.status, run.stdout.as_str()), (Some(1), ""));
    assert!(
        run.stderr.starts_with("error: file/man1 cannot be made: "),
        "{run:?}"
    );
}
