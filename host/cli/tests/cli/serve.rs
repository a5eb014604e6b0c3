use std::fs;
use std::os::unix::fs::FileTypeExt;
use std::thread;

use rustix::process::Signal;

use crate::support::{Folder, PAGES, Response, Server};

fn site() -> Folder {
    let folder = Folder::new(PAGES);
    folder.add_site();
    folder
}

#[test]
fn a_page_is_created_once_and_then_fresh() {
    let folder = site();
    let server = folder.serve();
    let page = server.get("/?name=Ada");
    assert_eq!((page.status, page.body.as_str()), (200, "<p>Ada 1</p>\n"));
    assert_eq!(
        page.header("content-type"),
        Some("text/html; charset=utf-8")
    );
    assert_eq!((page.source(), page.header("age")), ("created", Some("0")));
    let again = server.get("/?name=Ada");
    assert_eq!((again.source(), &again.body), ("fresh", &page.body));
    assert!(again.header("age").unwrap().parse::<u64>().is_ok());
}

#[test]
fn each_query_that_a_page_looks_at_has_one_of_its_own_whatever_its_order() {
    let folder = site();
    folder.write("site/templates/all.html", "{{ query | length }}");
    let server = folder.serve();
    let sources = |page: &str| {
        ["?a=1&b=2", "?b=2&a=1", "?a=1&b=3", "?a=1%26b=2", ""]
            .map(|query| server.get(&format!("{page}{query}")).source().to_owned())
    };
    assert_eq!(
        sources("/all"),
        ["created", "fresh", "created", "created", "created"]
    );
    // It looks at `name` alone.
    assert_eq!(
        sources("/"),
        ["created", "fresh", "fresh", "fresh", "fresh"]
    );
    assert_eq!(server.get("/?b=2&name=Ada").source(), "created");
}

#[test]
fn an_edited_template_or_data_file_is_seen_on_the_next_request() {
    let folder = site();
    let server = folder.serve();
    assert_eq!(server.get("/").source(), "created");
    folder.write(
        "site/templates/index.html",
        "<p>edited {{ data.numbers.one }}</p>\n",
    );
    let page = server.get("/");
    assert_eq!(
        (page.source(), page.body.as_str()),
        ("created", "<p>edited 1</p>\n")
    );
    folder.write("site/data/numbers.json", r#"{ "one": 2 }"#);
    let page = server.get("/");
    assert_eq!(
        (page.source(), page.body.as_str()),
        ("created", "<p>edited 2</p>\n")
    );
    assert_eq!(server.get("/").source(), "fresh");
}

#[test]
fn an_error_in_a_page_is_shown_and_not_stored() {
    let folder = site();
    let server = folder.serve();
    folder.write(
        "site/templates/broken.html",
        "<p>{{ query.name | nonsense }}</p>\n",
    );
    for _ in 0..2 {
        let page = server.get("/broken?name=%3Cb%3E");
        assert_eq!((page.status, page.source()), (500, "none"));
        assert!(
            page.body.contains("site/templates/broken.html:1:"),
            "{page:?}"
        );
        assert!(!page.body.contains("<p>{{"), "{page:?}");
        assert!(page.body.contains("&lt;p&gt;{{ query.name"), "{page:?}");
    }
    assert_eq!(server.get("/").status, 200);
    let status: serde_json::Value = serde_json::from_str(&server.get("/-/status").body).unwrap();
    assert_eq!(status["regions"][0]["creations"], 1);
}

#[test]
fn an_error_in_a_page_is_not_shown_to_who_comes_through_a_proxy() {
    let folder = site();
    let mut server = folder.serve();
    folder.write(
        "site/templates/broken.html",
        "<p>{{ query.name | nonsense }}</p>",
    );
    for header in [
        "X-Forwarded-For: 192.0.2.1\r\n",
        "Forwarded: for=192.0.2.1\r\n",
    ] {
        let page = server.get_with("/broken", header);
        assert_eq!(page.status, 500);
        assert!(!page.body.contains("broken.html"), "{page:?}");
        assert!(
            page.body.contains("The server's log says which."),
            "{page:?}"
        );
        server.wait_for_log("site/templates/broken.html:1:");
    }
}

#[test]
fn other_paths_are_answered_as_they_should() {
    let folder = site();
    let server = folder.serve();
    let file = server.get("/static/plain.txt");
    assert_eq!((file.status, file.body.as_str()), (200, "static\n"));
    assert_eq!(
        file.header("content-type"),
        Some("text/plain; charset=utf-8")
    );
    assert_eq!(server.get("/-/health").body, "ok\n");
    for missing in [
        "/absent",
        "/static/absent",
        "/static/../dogpile.toml",
        "/-/absent",
        "/_layout",
    ] {
        assert_eq!(server.get(missing).status, 404, "{missing}");
    }
    let missing = server.get("/%3Cscript%3E");
    assert!(
        missing.body.contains("There is no page /&lt;script&gt;."),
        "{missing:?}"
    );
    let head = server.ask("HEAD", "/");
    assert_eq!((head.status, head.body.as_str()), (200, ""));
    assert_eq!(head.header("content-length"), Some("16"));
    assert_eq!(server.ask("POST", "/").status, 405);
    let longest = format!("/?name={}", "x".repeat(2044));
    assert_eq!(server.get(&longest).status, 200);
    assert_eq!(server.get(&format!("{longest}x")).status, 414);
}

#[test]
fn an_edit_of_the_manifest_is_followed() {
    let folder = site();
    let mut server = folder.serve();
    server.wait_for_log("listening");
    assert_eq!(server.get("/").source(), "created");
    folder.write("dogpile.toml", &PAGES.replace("\"1h\"", "\"2h\""));
    server.wait_for_log("generation 2");
    assert_eq!(server.get("/").source(), "fresh");
    let null = PAGES
        .replace("[plugins.memory]", "[plugins.null]")
        .replace("\"memory\"", "\"null\"");
    folder.write("dogpile.toml", &null);
    server.wait_for_log("generation 3");
    for _ in 0..2 {
        assert_eq!(server.get("/").source(), "created");
    }
    // The region that the site uses cannot go.
    folder.write(
        "dogpile.toml",
        &PAGES.replace("regions.pages", "regions.others"),
    );
    server.wait_for_log("the last good one stays in force");
    assert_eq!(server.get("/").status, 200);
}

#[test]
fn sigterm_and_sigint_end_it_with_status_0() {
    for signal in [Signal::TERM, Signal::INT] {
        let folder = site();
        let mut server = folder.serve();
        assert_eq!(server.get("/").status, 200);
        server.signal(signal);
        assert_eq!(server.wait().code(), Some(0));
        let left = fs::read_dir(folder.path("run/dogpile")).unwrap().count();
        assert_eq!(left, 0, "the socket and its lock are gone");
    }
}

#[test]
fn a_request_that_is_being_answered_when_the_server_is_stopped_is_answered() {
    let folder = site();
    folder.write(
        "site/templates/slow.html",
        "{% for i in range(end=300) %}{% for j in range(end=300) %}{% if i == j %}x{% endif %}{% endfor %}{% endfor %}",
    );
    let mut command = folder.command(&["serve", "--listen", "127.0.0.1:0", "--site", "site"]);
    command.env("RUST_LOG", "info,dogpile.lock=debug");
    let mut server = Server::start(command);
    let address = server.address.clone();
    let asked = thread::spawn(move || Response::of(&address, "GET", "/slow", ""));
    server.wait_for_log("creating the value");
    server.signal(Signal::TERM);
    let page = asked.join().unwrap();
    assert_eq!((page.status, page.source()), (200, "created"));
    assert_eq!(page.body.len(), 300);
    assert_eq!(server.wait().code(), Some(0));
}

#[test]
fn sighup_reloads_and_logs_the_outcome() {
    let folder = site();
    let mut server = folder.serve();
    server.signal(Signal::HUP);
    server.wait_for_log("trigger=signal");
    assert_eq!(server.get("/").status, 200);
}

#[test]
fn a_second_host_of_the_manifest_runs_without_the_socket() {
    let folder = site();
    let mut first = folder.serve();
    let mut second = folder.serve();
    second.wait_for_log("another host answers");
    assert_eq!(second.get("/").source(), "created");
    assert_eq!(folder.dogpile(&["status"]).status, Some(0));
    second.signal(Signal::TERM);
    assert_eq!(second.wait().code(), Some(0));
    // The end of the second takes nothing from the first.
    assert_eq!(folder.dogpile(&["status"]).status, Some(0));
    first.signal(Signal::TERM);
    assert_eq!(first.wait().code(), Some(0));
    assert_eq!(folder.dogpile(&["status"]).status, Some(1));
}

#[test]
fn the_socket_of_a_killed_host_is_taken_over() {
    let folder = site();
    let mut killed = folder.serve();
    killed.signal(Signal::KILL);
    assert_eq!(killed.wait().code(), None);
    let left = fs::read_dir(folder.path("run/dogpile")).unwrap().count();
    assert_eq!(left, 2, "the socket and its lock are left behind");
    assert_eq!(folder.dogpile(&["status"]).status, Some(1));
    let _server = folder.serve();
    assert_eq!(folder.dogpile(&["status"]).status, Some(0));
}

#[test]
fn the_manifest_can_set_the_socket_and_the_command_finds_it_while_it_is_broken() {
    let folder = Folder::new(&PAGES.replace("[host]\n", "[host]\nadmin_socket = \"my.sock\"\n"));
    folder.add_site();
    let mut server = folder.serve();
    assert!(
        fs::metadata(folder.path("my.sock"))
            .unwrap()
            .file_type()
            .is_socket()
    );
    assert_eq!(folder.dogpile(&["status"]).status, Some(0));
    folder.write("dogpile.toml", "half a");
    server.wait_for_log("refused");
    let status = folder.dogpile(&["status"]);
    assert!(
        status.stdout.contains("the newest manifest was refused"),
        "{status:?}"
    );
    server.signal(Signal::TERM);
    assert_eq!(server.wait().code(), Some(0));
    assert!(!folder.path("my.sock").exists());
}

#[test]
fn what_keeps_it_from_starting_is_told_at_once() {
    let folder = site();
    let run = folder.dogpile(&["serve", "--site", "site", "--region", "page"]);
    assert_eq!((run.status, run.stdout.as_str()), (Some(1), ""));
    assert!(
        run.stderr.ends_with(
            "error: no region `page` is configured: there are `pages`; the pages are kept in region `page`: add \
             [regions.page] to dogpile.toml, or name another with --region\n"
        ),
        "{run:?}"
    );
    let run = folder.dogpile(&["serve", "--site", "absent"]);
    assert_eq!(run.status, Some(1));
    assert!(run.stderr.starts_with("error: absent: "), "{run:?}");
    let server = folder.serve();
    let run = folder.dogpile(&["serve", "--site", "site", "--listen", &server.address]);
    assert_eq!((run.status, run.stdout.as_str()), (Some(1), ""));
    assert!(
        run.stderr.contains("error: cannot listen on 127.0.0.1:")
            && run.stderr.contains("another address with --listen"),
        "{run:?}"
    );
    folder.write("dogpile.toml", "version = 2\n");
    let run = folder.dogpile(&["serve", "--site", "site"]);
    assert_eq!(run.status, Some(1));
    // Once, as the other commands tell it.
    assert_eq!(run.stderr, folder.dogpile(&["check"]).stderr);
    assert!(run.stderr.starts_with("dogpile.toml:1:"), "{run:?}");
}

#[test]
fn a_folder_that_goes_is_no_complaint_in_the_log() {
    let folder = site();
    let manifest = fs::read_to_string(folder.path("dogpile.toml")).unwrap();
    let including = manifest.replace("version = 1", "version = 1\ninclude = [\"conf.d/*.toml\"]");
    folder.write("dogpile.toml", &including);
    let mut server = folder.serve();
    for _ in 0..2 {
        let more = "[regions.more]\nbackend = \"memory\"\nexpiration_time = 1\n";
        folder.write("conf.d/more.toml", more);
        server.wait_for_log("added region `more`");
        fs::remove_dir_all(folder.path("conf.d")).unwrap();
        server.wait_for_log("removed region `more`");
    }
    let complaint = server.log_so_far().find(|line| line.contains("notify"));
    assert_eq!(complaint, None);
}

#[test]
fn prometheus_reads_the_metrics_of_what_is_served() {
    let folder = site();
    let server = folder.serve();
    server.get("/");
    server.get("/");
    let metrics = server.get("/metrics");
    let kind = "text/plain; version=0.0.4; charset=utf-8";
    assert_eq!(
        (metrics.status, metrics.header("content-type")),
        (200, Some(kind))
    );
    let hits = "\ndogpile_hits_total{region=\"pages\"} 1\n";
    assert!(metrics.body.contains(hits), "{}", metrics.body);
}
