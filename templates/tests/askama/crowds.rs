//! Many who want one text at a time: its body runs once.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc;
use std::sync::{Mutex, PoisonError};
use std::thread;
use std::time::Duration;

use askama::Template;
use dogpile_templates::askama::{CachedTemplate, filters};

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
