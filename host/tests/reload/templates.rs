//! `[templates]`: a template cache is opened, replaced and reopened while templates ask it.

use std::sync::atomic::Ordering;
use std::thread;

use dogpile::{ChangeKind, ErrorKind, Host, Reload, TemplatesConfig};
use dogpile_plugin_api::{Decision, TemplateEntry, TemplatePart, TemplateRequest};

use crate::judge::{Case, Judge};
use crate::support::{Site, contains, refusal, until};

const USERS: &str = "[regions.users]\nbackend = \"memory\"\nexpiration_time = 100\n";

fn judged(case: &str, rest: &str) -> String {
    format!("{USERS}[templates]\nplugin = \"judge\"\narguments = {{ case = \"{case}\", {rest} }}\n")
}

/// The region that a page's text goes to; none where it is not cached.
fn region(host: &Host, template: &str) -> Option<String> {
    let page = TemplateRequest::new("tera", template, (TemplatePart::Page, ""), "key");
    let region = |decision: Decision<'_>| match decision {
        Decision::Cache(entry) => entry.region.into_owned(),
        other => panic!("{other:?}"),
    };
    host.templates().decide(&page, region).unwrap()
}

fn kind(reload: &Reload) -> Option<ChangeKind> {
    reload.templates.as_ref().map(|change| change.kind)
}

#[test]
fn a_template_cache_comes_changes_and_goes_with_the_manifest() {
    let case = Case::named("comes and goes");
    let site = Site::new(USERS);
    let host = site.open_unwatched();
    let templates = host.templates();
    assert_eq!(region(&host, "a.html"), None);
    assert!(host.status().templates.is_none());
    let mut decider = templates.decider();
    assert_eq!(decider, None);

    for (number, (text, expected)) in [
        (
            judged("comes and goes", "region = \"a\""),
            (ChangeKind::Added, Some("a")),
        ),
        (
            judged("comes and goes", "region = \"b\""),
            (ChangeKind::Swapped, Some("b")),
        ),
        (USERS.to_owned(), (ChangeKind::Removed, None)),
    ]
    .into_iter()
    .enumerate()
    {
        site.save(&text);
        let planned = host.plan().unwrap();
        let reload = host.reload().unwrap();
        assert_eq!((kind(&planned), planned.changed), (Some(expected.0), true));
        assert_eq!((kind(&reload), reload.changed), (Some(expected.0), true));
        contains(
            &reload.to_string(),
            &[
                ["added", "swapped", "removed"][number],
                "template cache `judge`",
            ],
        );
        assert_eq!(region(&host, "a.html").as_deref(), expected.1);
        let page = TemplateRequest::new("tera", "a.html", (TemplatePart::Page, ""), "key");
        let region = |entry: TemplateEntry<'_>| entry.region.into_owned();
        let found = templates.key_for(&page, region).unwrap();
        assert_eq!(found.as_deref(), expected.1);
        // What the one before has decided holds no longer.
        let before = std::mem::replace(&mut decider, templates.decider());
        assert_ne!(decider, before);
        assert_eq!(decider.is_some(), expected.1.is_some());
        let again = host.reload().unwrap();
        assert!(!again.changed, "{again}");
        assert_eq!(templates.decider(), decider);
    }
    until("all are dropped", || {
        let (opened, dropped) = case.counts();
        // Each plan opens one too.
        (opened, dropped) == (4, 4)
    });
}

#[test]
fn a_template_cache_stays_open_while_regions_change() {
    let case = Case::named("stays");
    let text = judged("stays", "region = \"a\"");
    let site = Site::new(&text);
    let host = site.open_unwatched();
    site.save(&text.replace("100", "200"));
    let reload = host.reload().unwrap();
    assert_eq!(
        (kind(&reload), reload.changed),
        (Some(ChangeKind::Kept), true)
    );
    assert_eq!(case.counts(), (1, 0));
    let status = host.status().templates.unwrap();
    assert_eq!(
        (&*status.name, &*status.plugin, &*status.state),
        ("judge", "dogpile", "open")
    );
}

#[test]
fn an_interpolated_argument_has_the_type_that_the_plugin_wants() {
    let site = Site::new(&judged("typed", "number = \"${DOGPILE_NO_SUCH:-7}\""));
    site.open_unwatched();
}

#[test]
fn a_template_cache_that_is_not_there_or_refuses_its_arguments_is_marked() {
    let site = Site::new(USERS);
    let host = site.open_unwatched();
    for (templates, parts) in [
        (
            "plugin = \"jugde\"",
            &[
                "dogpile.toml:10:10",
                "no plugin offers the template cache `jugde`",
                "`judge`",
            ][..],
        ),
        (
            "plugin = \"memory/judge\"",
            &[
                "dogpile.toml:10:10",
                "plugin `memory` offers no template cache `judge`",
            ],
        ),
        (
            "plugin = \"judge\"\narguments = { case = 5 }",
            &["dogpile.toml:11:22", "`judge` refuses its arguments"],
        ),
        (
            "plugin = \"judge\"\narguments = { case = \"x\", csae = 1 }",
            &["dogpile.toml:11:27", "no such argument"],
        ),
    ] {
        site.save(&format!("{USERS}[templates]\n{templates}\n"));
        contains(&refusal(&host), parts);
    }
    // Beside an error of another kind too, which keeps everything from being opened.
    site.save(&format!(
        "{USERS}ttl = 5\n[templates]\nplugin = \"jugde\"\n"
    ));
    contains(
        &refusal(&host),
        &["unknown key `ttl`", "no plugin offers the template cache"],
    );
}

#[test]
fn a_panic_has_it_reopened_and_meanwhile_it_is_not_called() {
    let case = Case::named("panics");
    let site = Site::new(&judged("panics", "region = \"a\""));
    let host = site.open_unwatched();
    case.shut.store(true, Ordering::SeqCst);
    let panics = TemplateRequest::new("tera", "panic.html", (TemplatePart::Page, ""), "key");
    let templates = host.templates();
    let error = templates.decide(&panics, |_| ()).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Plugin);
    contains(
        &error.to_string(),
        &[
            "template cache `judge` of plugin `dogpile`",
            "panicked in decide: ",
            "not that one",
        ],
    );
    let page = TemplateRequest::new("tera", "a.html", (TemplatePart::Page, ""), "key");
    let error = templates.decide(&page, |_| ()).unwrap_err();
    contains(&error.to_string(), &["is not called until it was reopened"]);
    assert_eq!(host.status().templates.unwrap().state, "retired");

    case.shut.store(false, Ordering::SeqCst);
    until("it is reopened", || templates.decide(&page, |_| ()).is_ok());
    assert_eq!(region(&host, "a.html").as_deref(), Some("a"));
    until("the old one is dropped", || case.counts() == (2, 1));
}

#[test]
fn one_that_hangs_is_waited_for_by_nobody_else_and_is_reopened() {
    let case = Case::named("hangs");
    let site = Site::new(&judged("hangs", "region = \"a\""));
    let host = site.open_unwatched();
    case.hangs.store(true, Ordering::SeqCst);
    case.shut.store(true, Ordering::SeqCst);
    thread::scope(|scope| {
        let hung = scope.spawn(|| region(&host, "hang.html"));
        until("it hangs", || case.hanging.load(Ordering::SeqCst) == 1);
        until("it is noticed", || {
            host.status().templates.unwrap().state == "retired"
        });
        let page = TemplateRequest::new("tera", "a.html", (TemplatePart::Page, ""), "key");
        let error = host.templates().decide(&page, |_| ()).unwrap_err();
        contains(&error.to_string(), &["is not called until it was reopened"]);
        case.shut.store(false, Ordering::SeqCst);
        until("it is reopened", || {
            host.templates().decide(&page, |_| ()).is_ok()
        });
        // It is dropped after its last call.
        assert_eq!(case.counts(), (2, 0));
        case.hangs.store(false, Ordering::SeqCst);
        assert_eq!(hung.join().unwrap().as_deref(), Some("a"));
    });
    until("the old one is dropped", || case.counts() == (2, 1));
}

#[test]
fn an_error_is_told_with_whose_it_is_and_retires_nothing() {
    let site = Site::new(&judged("errors", "region = \"a\", token = \"canary-1\""));
    // Unknown arguments are refused, and that is told without what they hold.
    let refused = site.builder().watch(false).build();
    let refused = refused
        .err()
        .expect("there is no such argument")
        .to_string();
    assert!(!refused.contains("canary"), "{refused}");

    site.save(&judged("errors", "region = \"a\""));
    let host = site.open_unwatched();
    let page = TemplateRequest::new("tera", "refused.html", (TemplatePart::Page, ""), "key");
    for _ in 0..10 {
        let error = host.templates().decide(&page, |_| ()).unwrap_err();
        contains(
            &error.to_string(),
            &["template cache `judge`", "the secret is"],
        );
    }
    assert_eq!(region(&host, "a.html").as_deref(), Some("a"));
}

#[test]
fn templates_are_configured_once_in_code_or_in_the_manifest() {
    let site = Site::new(USERS);
    let own = TemplatesConfig::new("own").argument("case", "code");
    let builder = || site.builder().watch(false).template_cache::<Judge>("own");
    let host = builder()
        .templates(own.clone().argument("region", "of code"))
        .build()
        .unwrap();
    assert_eq!(region(&host, "a.html").as_deref(), Some("of code"));
    // It stays through reloads.
    site.save(&USERS.replace("100", "200"));
    assert!(host.reload().unwrap().changed);
    assert_eq!(region(&host, "a.html").as_deref(), Some("of code"));
    site.save(&judged("code", ""));
    contains(
        &refusal(&host),
        &[
            "dogpile.toml:9:2",
            "configured in the program's code",
            "once",
        ],
    );
    let refused = builder().templates(TemplatesConfig::new("wno")).build();
    let refused = refused.err().expect("there is no such template cache");
    assert_eq!(refused.kind(), ErrorKind::PluginNotFound);
    contains(
        &refused.to_string(),
        &["the templates: plugin: ", "`wno`", "`own`"],
    );
}
