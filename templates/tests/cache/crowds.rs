//! Many who want one text at a time: it is rendered once.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc;
use std::thread::{self, ScopedJoinHandle};
use std::time::Duration;

use dogpile_templates::{Rendered, TemplateOutcome};

use crate::lined_up::{self, until_lined_up};
use crate::support::{Broken, cache, template, text, timed_cache};

const CROWD: usize = 64;

#[test]
fn a_missing_text_is_rendered_once_for_64_threads() {
    let (_host, cache, _clock) = timed_cache();
    let (page, renders, asking) = (template("a.html"), AtomicUsize::new(0), AtomicUsize::new(0));
    let outcomes: Vec<_> = thread::scope(|scope| {
        let ask = || {
            asking.fetch_add(1, Ordering::SeqCst);
            cache.page(&page).get_or_create(|| {
                renders.fetch_add(1, Ordering::SeqCst);
                // All others ask before there is anything.
                while asking.load(Ordering::SeqCst) < CROWD {
                    thread::yield_now();
                }
                Ok::<_, Broken>("text".to_owned())
            })
        };
        let threads: Vec<_> = (0..CROWD).map(|_| scope.spawn(ask)).collect();
        let joined = threads
            .into_iter()
            .map(|thread| thread.join().unwrap().unwrap());
        joined.collect()
    });
    assert_eq!(renders.load(Ordering::SeqCst), 1);
    let created = |one: &&Rendered| one.outcome() == TemplateOutcome::Created;
    assert_eq!(outcomes.iter().filter(created).count(), 1);
    assert!(outcomes.iter().all(|one| &**one == "text"));
}

#[test]
fn at_expiry_63_of_64_have_the_old_text_while_one_renders() {
    let (_host, cache, clock) = timed_cache();
    let page = template("a.html");
    text(cache.page(&page), "old");
    clock.advance(Duration::from_secs(101));
    let renders = AtomicUsize::new(0);
    let (done, others) = mpsc::channel();
    let (rendering, is_rendering) = mpsc::channel();
    thread::scope(|scope| {
        let (cache, page, renders) = (&cache, &page, &renders);
        let first = scope.spawn(move || {
            cache.page(page).get_or_create(|| {
                renders.fetch_add(1, Ordering::SeqCst);
                rendering.send(()).unwrap();
                // All others are served before it ends.
                for _ in 1..CROWD {
                    others.recv_timeout(Duration::from_mins(1)).unwrap();
                }
                Ok::<_, Broken>("new".to_owned())
            })
        });
        is_rendering.recv().unwrap();
        for _ in 1..CROWD {
            let done = done.clone();
            scope.spawn(move || {
                let rendered = cache.page(page).get_or_create(|| {
                    renders.fetch_add(1, Ordering::SeqCst);
                    Ok::<_, Broken>("rendered by another".to_owned())
                });
                let rendered = rendered.unwrap();
                assert_eq!(
                    (&*rendered, rendered.outcome()),
                    ("old", TemplateOutcome::Stale)
                );
                done.send(()).unwrap();
            });
        }
        assert_eq!(&*first.join().unwrap().unwrap(), "new");
    });
    assert_eq!(renders.load(Ordering::SeqCst), 1);
    assert_eq!(&*text(cache.page(&page), "again"), "new");
}

#[test]
fn of_64_threads_one_has_the_panic_of_the_render_and_the_next_renders_for_all_others() {
    lined_up::watch();
    let (_host, cache) = cache();
    let (page, renders) = (template("panics.html"), AtomicUsize::new(0));
    let ask = || {
        cache.page(&page).get_or_create(|| {
            if renders.fetch_add(1, Ordering::SeqCst) == 0 {
                until_lined_up("panics.html", CROWD - 1);
                panic!("as told");
            }
            Ok::<_, Broken>("text".to_owned())
        })
    };
    let ended: Vec<_> = thread::scope(|scope| {
        let threads: Vec<_> = (0..CROWD).map(|_| scope.spawn(ask)).collect();
        threads.into_iter().map(ScopedJoinHandle::join).collect()
    });
    let (texts, panics): (Vec<_>, Vec<_>) = ended.into_iter().partition(Result::is_ok);
    assert_eq!((panics.len(), renders.load(Ordering::SeqCst)), (1, 2));
    assert!(
        texts
            .into_iter()
            .all(|text| &*text.unwrap().unwrap() == "text")
    );
}
