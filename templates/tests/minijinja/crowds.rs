//! Many who want one text at a time: its body runs once.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Barrier, Mutex, mpsc};
use std::thread::{self, ScopedJoinHandle};
use std::time::Duration;

use minijinja::context;

use crate::lined_up::{self, until_lined_up};
use crate::support::Fixture;

const CROWD: usize = 64;

#[test]
fn a_missing_body_runs_once_for_64_threads() {
    let fixture = Fixture::new(&[(
        "a.html",
        "{% call cached('slow') %}{{ count() }}text{% endcall %}",
    )]);
    let ready = Barrier::new(CROWD);
    thread::scope(|scope| {
        for _ in 0..CROWD {
            scope.spawn(|| {
                ready.wait();
                assert_eq!(fixture.render("a.html", context! {}), "text");
            });
        }
    });
    assert_eq!(fixture.ran(), 1);
}

#[test]
fn at_expiry_63_of_64_have_the_old_text_while_one_body_runs() {
    let mut fixture = Fixture::new(&[(
        "a.html",
        "{% call cached('slow') %}{{ gate() }}{{ text }}{% endcall %}",
    )]);
    let (entered, is_in) = mpsc::channel::<()>();
    let (open, opened) = mpsc::channel::<()>();
    let gate = Mutex::new(Some((entered, opened)));
    let runs = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&runs);
    fixture.env.add_function("gate", move || {
        // The first run goes through, the second waits for all others to be served.
        if counted.fetch_add(1, Ordering::SeqCst) == 1 {
            let (entered, opened) = gate.lock().unwrap().take().unwrap();
            entered.send(()).unwrap();
            for _ in 1..CROWD {
                opened.recv_timeout(Duration::from_mins(1)).unwrap();
            }
        }
        ""
    });
    let render = |text: &str| fixture.render("a.html", context! { text });
    assert_eq!(render("old"), "old");
    fixture.clock.advance(Duration::from_secs(101));
    thread::scope(|scope| {
        let first = scope.spawn(|| render("new"));
        is_in.recv_timeout(Duration::from_mins(1)).unwrap();
        for _ in 1..CROWD {
            let (open, render) = (open.clone(), &render);
            scope.spawn(move || {
                assert_eq!(render("not rendered"), "old");
                open.send(()).unwrap();
            });
        }
        assert_eq!(first.join().unwrap(), "new");
    });
    assert_eq!(runs.load(Ordering::SeqCst), 2);
    assert_eq!(render("again"), "new");
}

#[test]
fn all_who_wait_for_a_body_have_its_own_error_with_its_line() {
    let mut fixture = Fixture::new(&[(
        "a.html",
        "\n{% call cached('slow') %}\n{{ gate() }}{{ 1|fail }}{% endcall %}",
    )]);
    let asking = Arc::new(AtomicUsize::new(0));
    let asked = Arc::clone(&asking);
    fixture.env.add_function("gate", move || {
        // Two more ask before there is anything.
        while asked.load(Ordering::SeqCst) < 3 {
            thread::yield_now();
        }
        ""
    });
    thread::scope(|scope| {
        for _ in 0..3 {
            scope.spawn(|| {
                asking.fetch_add(1, Ordering::SeqCst);
                let error = fixture.error("a.html");
                assert_eq!(
                    error.to_string(),
                    "invalid operation: as told (in a.html:3)"
                );
            });
        }
    });
}

#[test]
fn of_64_threads_one_has_the_panic_of_a_body_and_the_next_renders_for_all_others() {
    lined_up::watch();
    let mut fixture = Fixture::new(&[(
        "a.html",
        "{% call cached('panics') %}{{ first() }}text{% endcall %}",
    )]);
    let runs = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&runs);
    fixture.env.add_function("first", move || {
        if counted.fetch_add(1, Ordering::SeqCst) == 0 {
            until_lined_up("panics", CROWD - 1);
            panic!("as told");
        }
        ""
    });
    let ended: Vec<_> = thread::scope(|scope| {
        let render = || fixture.render("a.html", context! {});
        let threads: Vec<_> = (0..CROWD).map(|_| scope.spawn(render)).collect();
        threads.into_iter().map(ScopedJoinHandle::join).collect()
    });
    let (texts, panics): (Vec<_>, Vec<_>) = ended.into_iter().partition(Result::is_ok);
    assert_eq!((panics.len(), runs.load(Ordering::SeqCst)), (1, 2));
    assert!(texts.into_iter().all(|text| text.unwrap() == "text"));
}
