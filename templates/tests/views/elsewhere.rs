//! Pages and fragments that are rendered on another thread than the one that asks for them.

use std::future::pending;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{self, Receiver, Sender};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use dogpile_templates::{TemplateOutcome, ViewCache, Views};
use tera::{Context, Kwargs, State, context};
use tokio::runtime::{Builder, Runtime};
use tokio::task::yield_now;

use crate::support::Fixture;

const MINUTE: Duration = Duration::from_mins(1);

/// Templates that call `gate()`, which gives nothing once it is told to, and counts its calls.
struct Gated {
    fixture: Fixture,
    views: Arc<Views>,
    entered: Arc<AtomicUsize>,
    open: Sender<()>,
}

impl Gated {
    fn new(template: &str) -> Self {
        let fixture = Fixture::new(&[("a.html", template)]);
        let entered = Arc::<AtomicUsize>::default();
        let (open, gate) = mpsc::channel();
        let (inside, gate) = (Arc::clone(&entered), Mutex::new(gate));
        let gate = Arc::new(gate);
        let setup = move |tera: &mut tera::Tera| {
            let (inside, gate) = (Arc::clone(&inside), Arc::clone(&gate));
            tera.register_function("gate", move |_: Kwargs, _: &State| {
                inside.fetch_add(1, Ordering::SeqCst);
                pass(&gate.lock().unwrap());
                ""
            });
        };
        let views = Views::open(fixture.dir(), ViewCache::new(&fixture.host), setup);
        Self {
            views: Arc::new(views.unwrap()),
            fixture,
            entered,
            open,
        }
    }

    fn entered(&self) -> usize {
        self.entered.load(Ordering::SeqCst)
    }

    fn open(&self) {
        self.open.send(()).unwrap();
    }
}

fn pass(gate: &Receiver<()>) {
    gate.recv_timeout(MINUTE).unwrap();
}

/// Waits for what other threads do.
fn wait_for(what: impl Fn() -> bool) {
    let end = Instant::now() + MINUTE;
    while !what() {
        assert!(Instant::now() < end);
        thread::yield_now();
    }
}

fn on_one_thread() -> Runtime {
    Builder::new_current_thread().enable_all().build().unwrap()
}

#[test]
fn an_expired_page_is_served_at_once_and_rendered_once_in_the_background_with_its_context() {
    let gated = Gated::new("{{ gate() }}{{ text }}");
    let made = Arc::<AtomicUsize>::default();
    let page = |text: &'static str| {
        let made = Arc::clone(&made);
        let page = gated.views.page("a.html").key(&1).region("background");
        page.render_background(move || {
            made.fetch_add(1, Ordering::SeqCst);
            context! { text => text }
        })
        .unwrap()
    };
    gated.open();
    assert_eq!(page("old").outcome(), TemplateOutcome::Created);
    gated.fixture.clock.advance(Duration::from_secs(101));
    // The gate is shut: whoever rendered would wait.
    for _ in 0..64 {
        let old = page("new");
        assert_eq!((&*old, old.outcome()), ("old", TemplateOutcome::Stale));
    }
    gated.open();
    let stored = || {
        gated
            .views
            .page("a.html")
            .key(&1)
            .region("background")
            .get()
    };
    wait_for(|| stored().unwrap().is_some_and(|text| &*text == "new"));
    assert_eq!((made.load(Ordering::SeqCst), gated.entered()), (2, 2));
    assert_eq!(page("newer").outcome(), TemplateOutcome::Fresh);
}

#[test]
fn an_expired_fragment_is_served_at_once_and_its_body_runs_once_in_the_background() {
    let gated = Gated::new(
        "{% for n in [1] %}{% set own = n %}{% cache \"slow\", key=n, region=\"background\" %}{{ gate() }}{{ text }}{{ own }}\
         {% cache \"inner\" %}{{ text }}{% endcache %}{% endcache %}{% endfor %} {{ text }}",
    );
    let page = |text: &'static str| {
        let page = gated.views.page("a.html");
        let page = page.render_background(move || context! { text => text });
        page.unwrap().into_string()
    };
    gated.open();
    assert_eq!(page("a"), "a1a a");
    gated.fixture.clock.advance(Duration::from_secs(101));
    for _ in 0..64 {
        assert_eq!(page("b"), "a1a b");
    }
    gated.open();
    wait_for(|| page("b") == "b1b b");
    assert_eq!(gated.entered(), 2);
}

#[test]
fn an_error_in_the_background_leaves_the_old_page() {
    let gated = Gated::new("{{ text }}{% if broken %}{{ gate() }}{{ missing.part }}{% endif %}");
    let page = |broken: bool| {
        let page = gated.views.page("a.html").cached().region("background");
        page.render_background(move || context! { text => "old", broken => &broken })
            .unwrap()
    };
    page(false);
    gated.fixture.clock.advance(Duration::from_secs(101));
    assert_eq!(page(true).outcome(), TemplateOutcome::Stale);
    gated.open();
    let region = gated.fixture.host.region("background").unwrap();
    wait_for(|| region.stats().errors > 0);
    assert_eq!((&*page(true), gated.entered()), ("old", 1));
}

#[test]
fn of_64_tasks_on_one_thread_one_has_the_page_rendered_and_the_thread_goes_on() {
    let gated = Gated::new("{{ gate() }}{{ text }}");
    let (asked, made) = (Arc::<AtomicUsize>::default(), Arc::<AtomicUsize>::default());
    let outcomes = on_one_thread().block_on(async {
        let tasks: Vec<_> = (0..64)
            .map(|_| {
                let views = Arc::clone(&gated.views);
                let (asked, made) = (Arc::clone(&asked), Arc::clone(&made));
                tokio::spawn(async move {
                    asked.fetch_add(1, Ordering::SeqCst);
                    let page = views.page("a.html").cached().render_async(|| async move {
                        made.fetch_add(1, Ordering::SeqCst);
                        yield_now().await;
                        context! { text => "text" }
                    });
                    page.await.unwrap()
                })
            })
            .collect();
        // Only if the one that renders, and those that wait, leave the thread to this.
        while asked.load(Ordering::SeqCst) < 64 || gated.entered() == 0 {
            yield_now().await;
        }
        gated.open();
        let mut outcomes = Vec::new();
        for task in tasks {
            let page = task.await.unwrap();
            assert_eq!(&*page, "text");
            outcomes.push(page.outcome());
        }
        outcomes
    });
    let how_many = |outcome| outcomes.iter().filter(|one| **one == outcome).count();
    assert_eq!(how_many(TemplateOutcome::Created), 1);
    assert_eq!(how_many(TemplateOutcome::Waited), 63);
    assert_eq!((made.load(Ordering::SeqCst), gated.entered()), (1, 1));
}

#[test]
fn a_task_that_is_dropped_while_it_makes_the_context_or_renders_hands_over() {
    let gated = Gated::new("{{ gate() }}{{ text }}");
    on_one_thread().block_on(async {
        let begun = Arc::<AtomicUsize>::default();
        let ask = |text: Option<&'static str>| {
            let (views, begun) = (Arc::clone(&gated.views), Arc::clone(&begun));
            tokio::spawn(async move {
                let page = views.page("a.html").cached().render_async(|| async move {
                    begun.fetch_add(1, Ordering::SeqCst);
                    match text {
                        Some(text) => context! { text => text },
                        None => pending().await,
                    }
                });
                page.await.unwrap()
            })
        };
        let begun = async |count| {
            while begun.load(Ordering::SeqCst) < count {
                yield_now().await;
            }
        };
        let first = ask(None);
        begun(1).await;
        let second = ask(Some("second"));
        yield_now().await;
        first.abort();
        // The second renders now, and is dropped while the engine is at it.
        begun(2).await;
        while gated.entered() == 0 {
            yield_now().await;
        }
        let third = ask(Some("third"));
        yield_now().await;
        second.abort();
        begun(3).await;
        gated.open();
        gated.open();
        let page = third.await.unwrap();
        assert_eq!(
            (&*page, page.outcome()),
            ("third", TemplateOutcome::Created)
        );
        assert!(second.await.unwrap_err().is_cancelled());
    });
    wait_for(|| gated.entered() == 2);
}

#[test]
fn a_page_that_cannot_be_rendered_is_an_error_for_tasks_too_and_is_not_stored() {
    let fixture = Fixture::new(&[("a.html", "{{ text | fail }}"), ("b.html", "{{ text }}")]);
    on_one_thread().block_on(async {
        let render = async |page: &str| {
            let page = fixture.views.page(page).cached();
            page.render_async(|| async {
                context! { text => "text" }
            })
            .await
        };
        let error = render("a.html").await.unwrap_err();
        assert!(error.message().contains("as told"), "{error}");
        assert_eq!(error.line(), Some(1));
        assert!(
            fixture
                .views
                .page("a.html")
                .cached()
                .get()
                .unwrap()
                .is_none()
        );
        assert_eq!(&*render("b.html").await.unwrap(), "text");
        let off = fixture.views.page("b.html").cached().cache_enabled(false);
        let off = off.render_async(|| async { Context::new() }).await;
        assert!(off.is_err(), "it is rendered, without a text");
        let missing = render("c.html").await.unwrap_err();
        assert!(missing.message().contains("no such template"), "{missing}");
    });
}
