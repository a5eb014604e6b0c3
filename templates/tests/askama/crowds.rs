//! Many who want one text at a time: its body runs once.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc;
use std::sync::{Mutex, PoisonError};
use std::thread::{self, ScopedJoinHandle};
use std::time::Duration;

use askama::Template;
use dogpile_templates::askama::{CachedTemplate, filters};

use crate::lined_up::{self, until_lined_up};
use crate::support::{Act, Fixture, seconds};

const CROWD: usize = 64;

#[derive(Template, CachedTemplate)]
#[template(
    source = r#"{% filter cached("slow") %}{{ act }}{{ text }}{% endfilter %}"#,
    ext = "html"
)]
struct Slow<'a> {
    act: Act<'a>,
    text: &'a str,
}

impl Fixture {
    fn slow(&self, text: &str, act: &(dyn Fn() + Sync)) -> String {
        let page = Slow::view(&self.cache).render(|| Slow {
            act: Act(act),
            text,
        });
        page.unwrap().into_string()
    }
}

#[test]
fn a_missing_body_runs_once_for_64_threads() {
    let fixture = Fixture::new();
    let (asking, ran) = (AtomicUsize::new(0), AtomicUsize::new(0));
    let body = || {
        ran.fetch_add(1, Ordering::SeqCst);
        // All others ask before there is anything.
        while asking.load(Ordering::SeqCst) < CROWD {
            thread::yield_now();
        }
    };
    thread::scope(|scope| {
        for _ in 0..CROWD {
            scope.spawn(|| {
                asking.fetch_add(1, Ordering::SeqCst);
                assert_eq!(fixture.slow("text", &body), "text");
            });
        }
    });
    assert_eq!(ran.load(Ordering::SeqCst), 1);
}

#[test]
fn at_expiry_63_of_64_have_the_old_text_while_one_body_runs() {
    let fixture = Fixture::new();
    assert_eq!(fixture.slow("old", &|| ()), "old");
    fixture.clock.advance(seconds(101));
    let (entered, is_in) = mpsc::channel();
    let (served, others) = mpsc::channel();
    let others = Mutex::new(others);
    let body = || {
        entered.send(()).unwrap();
        // All others are served before it ends.
        let others = others.lock().unwrap_or_else(PoisonError::into_inner);
        for _ in 1..CROWD {
            others.recv_timeout(Duration::from_mins(1)).unwrap();
        }
    };
    thread::scope(|scope| {
        let first = scope.spawn(|| fixture.slow("new", &body));
        is_in.recv_timeout(Duration::from_mins(1)).unwrap();
        for _ in 1..CROWD {
            let (served, fixture) = (served.clone(), &fixture);
            scope.spawn(move || {
                let text = fixture.slow("not rendered", &|| panic!("a second body runs"));
                assert_eq!(text, "old");
                served.send(()).unwrap();
            });
        }
        assert_eq!(first.join().unwrap(), "new");
    });
    assert_eq!(fixture.slow("again", &|| panic!("it is stored")), "new");
}

#[derive(Template, CachedTemplate)]
#[template(
    source = r#"{% filter cached("panics") %}{{ act }}text{% endfilter %}"#,
    ext = "html"
)]
struct Panics<'a> {
    act: Act<'a>,
}

#[test]
fn of_64_threads_one_has_the_panic_of_a_body_and_the_next_renders_for_all_others() {
    lined_up::watch();
    let (fixture, runs) = (Fixture::new(), AtomicUsize::new(0));
    let first = || {
        if runs.fetch_add(1, Ordering::SeqCst) == 0 {
            until_lined_up("panics", CROWD - 1);
            panic!("as told");
        }
    };
    let render = || Panics::view(&fixture.cache).render(|| Panics { act: Act(&first) });
    let ended: Vec<_> = thread::scope(|scope| {
        let threads: Vec<_> = (0..CROWD).map(|_| scope.spawn(render)).collect();
        threads.into_iter().map(ScopedJoinHandle::join).collect()
    });
    let (texts, panics): (Vec<_>, Vec<_>) = ended.into_iter().partition(Result::is_ok);
    assert_eq!((panics.len(), runs.load(Ordering::SeqCst)), (1, 2));
    assert!(
        texts
            .into_iter()
            .all(|text| &*text.unwrap().unwrap() == "text")
    );
}
