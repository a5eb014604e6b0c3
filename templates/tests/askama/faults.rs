//! Whatever fails, there is a page, or the page's own error.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::{fmt, process};

use askama::Template;
use dogpile::{Host, RegionConfig, TemplatesConfig};
use dogpile_plugin_api::{Backend, Error, HostContext, Key, NoArguments, Result, Value};
use dogpile_templates::ViewCache;
use dogpile_templates::askama::{CachedTemplate, RenderFailed, filters, install};

use crate::support::{Act, Counter, Fixture, Log, builder, contains, logged, seconds};

#[derive(Debug, PartialEq)]
struct Broken(u32);

impl fmt::Display for Broken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "broken {}", self.0)
    }
}

impl std::error::Error for Broken {}

#[derive(Template, CachedTemplate)]
#[template(
    source = r#"{% filter cached("outer") %}<{% filter cached("x") %}{{ self.text()? }}{% endfilter %}>{% endfilter %}"#,
    ext = "html"
)]
struct Fails<'a> {
    act: Act<'a>,
    error: Option<u32>,
}

impl Fails<'_> {
    fn text(&self) -> std::result::Result<&'static str, Broken> {
        (self.act.0)();
        self.error.map_or(Ok("text"), |number| Err(Broken(number)))
    }
}

fn fails<'a>(error: Option<u32>) -> Fails<'a> {
    Fails {
        act: Act(&|| ()),
        error,
    }
}

/// The error that a render ended with.
#[track_caller]
fn custom(error: askama::Error) -> Box<dyn std::error::Error + Send + Sync> {
    match error {
        askama::Error::Custom(error) => error,
        other => panic!("{other:?}"),
    }
}

#[test]
fn an_error_in_a_body_is_its_own_and_is_not_kept() {
    let fixture = Fixture::new();
    for whole in [false, true] {
        let view = || {
            let view = Fails::view(&fixture.cache);
            if whole { view.cached() } else { view }
        };
        let error = view().render(|| fails(Some(7))).unwrap_err();
        assert_eq!(custom(error).downcast_ref(), Some(&Broken(7)));
        assert_eq!(&*view().render(|| fails(None)).unwrap(), "<text>");
        Fails::view(&fixture.cache).cached().invalidate().unwrap();
        for name in ["outer", "x"] {
            let fragment = Fails::fragment(&fixture.cache, name).unwrap();
            fragment.invalidate().unwrap();
        }
    }
}

#[test]
fn who_waited_for_a_body_that_failed_is_told_its_error() {
    let fixture = Fixture::new();
    let (log, ran) = (Log::default(), AtomicUsize::new(0));
    let act = || {
        ran.fetch_add(1, Ordering::SeqCst);
        // The lock tells of each who has its place in line.
        while log.text().matches("no value, waiting").count() < 7 {
            thread::yield_now();
        }
    };
    let errors: Vec<_> = thread::scope(|scope| {
        let ask = || {
            let page = log.follow(tracing::Level::TRACE, || {
                Fails::view(&fixture.cache).render(|| Fails {
                    act: Act(&act),
                    error: Some(1),
                })
            });
            custom(page.unwrap_err())
        };
        let threads: Vec<_> = (0..8).map(|_| scope.spawn(ask)).collect();
        threads
            .into_iter()
            .map(|thread| thread.join().unwrap())
            .collect()
    });
    assert_eq!(ran.load(Ordering::SeqCst), 1);
    assert!(errors.iter().all(|error| error.to_string() == "broken 1"));
    assert_eq!(
        errors.iter().filter(|error| error.is::<Broken>()).count(),
        1
    );
    assert_eq!(
        errors
            .iter()
            .filter(|error| error.is::<RenderFailed>())
            .count(),
        7
    );
}

#[test]
fn a_panic_goes_to_its_caller_and_nothing_is_kept() {
    let fixture = Fixture::new();
    let act = || panic!("in a filter");
    let panicked = catch_unwind(AssertUnwindSafe(|| {
        Fails::view(&fixture.cache).render(|| Fails {
            act: Act(&act),
            error: None,
        })
    }));
    let message = panicked.unwrap_err();
    assert_eq!(message.downcast_ref::<&str>(), Some(&"in a filter"));
    let page = Fails::view(&fixture.cache).render(|| fails(None));
    assert_eq!(&*page.unwrap(), "<text>");
}

/// Renders itself within its own fragment.
#[derive(Template, CachedTemplate)]
#[template(path = "recursive.html")]
struct Recursive {
    inner: Vec<Recursive>,
}

#[test]
fn a_fragment_within_itself_is_rendered_and_told_with_template_and_line() {
    let fixture = Fixture::new();
    let log = logged(|| {
        let page = Recursive::view(&fixture.cache).render(|| Recursive {
            inner: vec![Recursive { inner: vec![] }],
        });
        assert_eq!(&*page.unwrap(), "<<>>");
    });
    contains(
        &log,
        &["recursive.html:2: fragment \"x\" is rendered without the cache"],
    );
}

#[derive(Template, CachedTemplate)]
#[template(path = "wrong.html")]
struct Wrong<'a> {
    ran: &'a Counter,
    time: &'a str,
    key: Unwritable,
}

struct Unwritable;

impl serde::Serialize for Unwritable {
    fn serialize<S: serde::Serializer>(&self, _: S) -> std::result::Result<S::Ok, S::Error> {
        Err(serde::ser::Error::custom("not as a key"))
    }
}

#[test]
fn what_is_wrong_with_a_call_is_told_once_with_template_and_line() {
    let (fixture, ran) = (Fixture::new(), Counter::default());
    let log = logged(|| {
        for _ in 0..2 {
            let page = Wrong::view(&fixture.cache).render(|| Wrong {
                ran: &ran,
                time: "5 pints",
                key: Unwritable,
            });
            assert_eq!(&*page.unwrap(), "a\nb\nc\nd\n");
        }
    });
    assert_eq!(ran.ran(), 8);
    assert_eq!(log.matches("WARN").count(), 4, "{log}");
    contains(
        &log,
        &[
            "wrong.html:1: fragment \"a\" is rendered without the cache: no region `rows` is configured: there are `other`, `pages`",
            "wrong.html:2: fragment \"b\" is rendered without the cache: \"5 pints\" is no expiration time. Write seconds, or",
            "wrong.html:3: fragment \"c\" is rendered without the cache: -1 is no expiration time",
            "wrong.html:4: fragment \"d\" is rendered without the cache: ",
            "not as a key",
        ],
    );
}

/// Fails at everything.
struct Down;

impl Backend for Down {
    type Arguments = NoArguments;

    fn open(_: NoArguments, _: &HostContext) -> Result<Self> {
        Ok(Self)
    }

    fn get(&self, _: &Key) -> Result<Option<Value>> {
        Err(Error::unavailable("down"))
    }

    fn set(&self, _: &Key, _: &Value) -> Result<()> {
        Err(Error::unavailable("down"))
    }

    fn delete(&self, _: &Key) -> Result<()> {
        Err(Error::unavailable("down"))
    }
}

#[test]
fn a_page_is_rendered_when_the_cache_fails() {
    let host = Host::builder()
        .backend::<Down>("down")
        .plugin(dogpile_plugin_template_cache::plugin())
        .region(RegionConfig::on("pages", "down").expiration_time(seconds(9)))
        .templates(TemplatesConfig::new("template-cache"))
        .build()
        .unwrap();
    let cache = ViewCache::new(&host);
    for _ in 0..8 {
        let page = Fails::view(&cache).cached().render(|| fails(None));
        assert_eq!(&*page.unwrap(), "<text>");
    }
}

#[test]
fn an_old_text_is_served_while_its_body_fails_if_the_region_says_so() {
    let (clock, hand) = dogpile::Clock::manual(1_700_000_000_000_000_000);
    let region = RegionConfig::on("pages", "memory")
        .expiration_time(seconds(10))
        .stale_if_error(seconds(60), seconds(1));
    let host = Host::builder()
        .plugin(dogpile_plugin_memory::plugin())
        .plugin(dogpile_plugin_template_cache::plugin())
        .region(region)
        .templates(TemplatesConfig::new("template-cache"))
        .clock(clock)
        .build()
        .unwrap();
    let cache = ViewCache::new(&host);
    let render = |error| Fails::view(&cache).render(|| fails(error));
    assert_eq!(&*render(None).unwrap(), "<text>");
    hand.advance(seconds(11));
    assert_eq!(&*render(Some(1)).unwrap(), "<text>");
}

/// One test of what the whole process has, from without to with an installed cache.
#[test]
fn a_template_rendered_by_askama_alone_uses_the_installed_cache_and_without_one_a_line_says_so_once()
 {
    let ran = Counter::default();
    let render = || {
        let page = Installed { ran: &ran };
        assert_eq!(page.render().unwrap(), "text");
        assert_eq!(&*page.render_cached(&process::id()).unwrap(), "text");
        ran.ran()
    };
    let log = logged(|| assert_eq!((render(), render()), (2, 2)));
    assert_eq!(log.matches("WARN").count(), 1, "{log}");
    contains(
        &log,
        &[
            "rendered without the cache",
            "dogpile_templates::askama::install",
        ],
    );

    let fixture = Fixture::new();
    install(fixture.cache.clone());
    // The fragment of a page of which nothing is known but the program is another text.
    assert_eq!((render(), render()), (2, 0));
    assert_eq!(fixture.created("pages"), 3);

    // And without a template cache.
    let host = builder().build().unwrap();
    install(ViewCache::new(&host));
    let log = logged(|| assert_eq!((render(), render()), (2, 2)));
    assert_eq!(log.matches("WARN").count(), 1, "{log}");
    contains(&log, &["[templates]"]);
}

#[derive(Template, CachedTemplate)]
#[template(
    source = r#"{% filter cached("x") %}{{ ran }}text{% endfilter %}"#,
    ext = "html"
)]
struct Installed<'a> {
    ran: &'a Counter,
}

#[derive(Template, CachedTemplate)]
#[template(
    source = "{% for n in 1..3 %}\n{% filter cached(\"same\") %}{{ n }}{% endfilter %}{% endfor %}",
    ext = "html"
)]
struct Same;

#[test]
fn a_fragment_in_a_loop_without_a_key_is_told_when_its_template_is_first_used() {
    let fixture = Fixture::new();
    let log = logged(|| {
        for _ in 0..2 {
            let page = Same::view(&fixture.cache).render(|| Same).unwrap();
            assert_eq!(&*page, "\n1\n1");
        }
    });
    contains(
        &log,
        &[
            "Same:2: fragment \"same\" stands in a loop and has no key: all rows are the same; write cached((\"same\", ",
        ],
    );
    assert_eq!(log.matches("WARN").count(), 1, "{log}");
}
