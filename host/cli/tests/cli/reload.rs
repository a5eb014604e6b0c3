use std::thread;

use rustix::process::Signal;

use crate::support::{Folder, PAGES};

#[test]
fn a_dry_run_tells_what_would_change_or_why_nothing_can() {
    let folder = Folder::new(PAGES);
    folder.add_site();
    let _server = folder.serve();
    folder
        .dogpile(&["reload", "--dry-run"])
        .is(0, "nothing to change, generation 1\n", "");
    // The site holds its region. The host refuses this by itself too, so it does not matter who is first.
    folder.write(
        "dogpile.toml",
        &PAGES.replace("regions.pages", "regions.others"),
    );
    let refused = folder.dogpile(&["reload", "--dry-run"]);
    assert_eq!((refused.status, refused.stdout.as_str()), (Some(1), ""));
    let held =
        "error: region `pages` is not listed any more, but the program holds handles to it\n";
    assert!(refused.stderr.contains(held), "{refused:?}");
}

#[test]
fn a_dry_run_of_another_file_tells_what_saving_it_would_change() {
    let folder = Folder::new(PAGES);
    folder.add_site();
    let server = folder.serve();
    assert_eq!(server.get("/").source(), "created");
    let null = PAGES
        .replace("[plugins.memory]", "[plugins.memory]\n[plugins.null]")
        .replace("backend = \"memory\"", "backend = \"null\"");
    folder.add_plugin("null");
    folder.write("next.toml", &null);
    folder.dogpile(&["reload", "--dry-run", "next.toml"]).is(
        0,
        "would become generation 2\nwould swap region `pages` (plugin, backend), 1 entry would be lost\nnothing was \
         changed\n",
        "",
    );
    assert_eq!(server.get("/").source(), "fresh");
    folder.write("wrong.toml", &PAGES.replace("backend =", "backnd ="));
    let refused = folder.dogpile(&["reload", "--dry-run", "wrong.toml"]);
    assert_eq!((refused.status, refused.stdout.as_str()), (Some(1), ""));
    let place = "wrong.toml:9:1: error: unknown key `backnd`";
    assert!(refused.stderr.contains(place), "{refused:?}");
    let status = folder.dogpile(&["status", "--json"]).stdout;
    let status: serde_json::Value = serde_json::from_str(&status).unwrap();
    assert!(status["last_error"].is_null(), "{status:#}");
    // What is not looked at is not applied either.
    assert_eq!(folder.dogpile(&["reload", "next.toml"]).status, Some(2));
}

#[test]
fn the_outcome_is_told_and_is_the_exit_status() {
    let folder = Folder::new(PAGES);
    folder.add_site();
    let server = folder.serve();
    assert_eq!(server.get("/").source(), "created");

    folder.write("dogpile.toml", &PAGES.replace("backend =", "backnd ="));
    let refused = folder.dogpile(&["reload"]);
    let error = "dogpile.toml:9:1: error: unknown key `backnd` in [regions.pages]\n  |\n9 | backnd = \"memory\"\n";
    assert_eq!((refused.status, refused.stdout.as_str()), (Some(1), ""));
    assert!(refused.stderr.contains(error), "{refused:?}");
    let checked = folder.dogpile(&["check"]);
    assert_eq!(checked.stderr, refused.stderr);

    // The last good one goes on, and the error is told until the next good one.
    assert_eq!(server.get("/").source(), "fresh");
    let status = folder.dogpile(&["status", "--json"]);
    let status: serde_json::Value = serde_json::from_str(&status.stdout).unwrap();
    assert_eq!(status["generation"], 1);
    assert!(status["last_error"].as_str().unwrap().contains(error));
    let status = folder.dogpile(&["status"]);
    assert!(
        status
            .stdout
            .contains("\nthe newest manifest was refused:\n"),
        "{status:?}"
    );
    assert!(status.stdout.contains(error), "{status:?}");

    folder.write("dogpile.toml", PAGES);
    assert_eq!(folder.dogpile(&["reload"]).status, Some(0));
    let status = folder.dogpile(&["status", "--json"]);
    let status: serde_json::Value = serde_json::from_str(&status.stdout).unwrap();
    assert!(status["last_error"].is_null());
    assert_eq!(server.get("/").source(), "fresh");
}

#[test]
fn the_json_names_each_region_with_what_becomes_of_it() {
    let folder = Folder::new(PAGES);
    folder.add_site();
    let _server = folder.serve();
    let run = folder.dogpile(&["reload", "--json"]);
    let json: serde_json::Value = serde_json::from_str(&run.stdout).unwrap();
    assert_eq!(json["changed"], false);
    assert_eq!(json["changes"][0]["region"], "pages");
    assert_eq!(json["changes"][0]["kind"], "kept");
}

#[test]
fn a_host_that_is_stopped_is_given_up_and_the_remedy_is_told() {
    let folder = Folder::new(PAGES);
    let server = folder.serve_alone();
    server.signal(Signal::STOP);
    let commands = [&["reload"][..], &["status"], &["get", "pages", "k"]];
    let runs = thread::scope(|scope| {
        let started = commands.map(|command| scope.spawn(|| folder.dogpile(command)));
        started.map(|run| run.join().unwrap())
    });
    let process = server.process().as_raw_nonzero();
    let remedy = format!("`kill -CONT {process}` lets it go on");
    for run in runs {
        assert_eq!((run.status, &*run.stdout), (Some(1), ""), "{run:?}");
        assert!(
            run.stderr
                .starts_with("error: the running host did not answer at "),
            "{run:?}"
        );
        assert!(run.stderr.contains(&remedy), "{run:?}");
    }
    server.signal(Signal::CONT);
    assert_eq!(folder.dogpile(&["reload"]).status, Some(0));
}

#[test]
fn a_place_for_the_socket_with_which_the_host_would_not_start_again_is_told() {
    let folder = Folder::new(PAGES);
    folder.add_site();
    let _server = folder.serve();
    let with = |socket: &str| {
        let set = PAGES.replace(
            "[host]\n",
            &format!("[host]\nadmin_socket = \"{socket}\"\n"),
        );
        folder.write("next.toml", &set);
        folder.dogpile(&["reload", "--dry-run", "next.toml"]).stderr
    };
    let told = with("a.sock");
    assert!(
        told.contains("warning: the admin socket stays where it is"),
        "{told}"
    );
    let told = with("plugins");
    let place = "next.toml:4:16: warning: the host would not start again: the admin socket plugins is no socket, ";
    assert!(told.contains(place), "{told}");
}
