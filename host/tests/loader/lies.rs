//! Plugins that lie as they are opened, called or dropped: each lie is an error with its code, and the process lives.
//!
//! `docs/plugins-that-misbehave.md` is the table of all of them for operators.

use std::sync::{Arc, Mutex as Lock};
use std::time::Duration;

use dogpile::loader::{
    Loaded, Loader, OpenError, host_functions, open_backend, open_mangler, open_template_cache,
};
use dogpile_plugin_api::{
    BackendInstance, Error, ErrorKind, Lease, Mutex, TemplateCacheInstance, TemplateChange,
    TemplateEvent, TemplateOutcome, TemplatePart, TemplateRequest, Value,
};

use crate::fixtures::{LONG, clock, file, key, open_with, rust};

const LEASE: Lease = Lease::new([1; 16], 0);

fn load() -> Loaded {
    let (_folder, path) = file(&rust("lies"));
    Loader::new().load(&path).unwrap()
}

/// The arguments for telling that lie in that method.
pub(crate) fn arguments(lie: &str, method: &str) -> String {
    format!(r#"{{"lie": "{lie}", "in": "{method}"}}"#)
}

fn backend(lie: &str, method: &str) -> Result<BackendInstance, OpenError> {
    open_with(&load(), "lies", &arguments(lie, method))
}

fn template_cache(lie: &str, method: &str) -> Result<TemplateCacheInstance, OpenError> {
    let host = host_functions("lies", clock());
    open_template_cache(&load().plugin, "lies", &arguments(lie, method), host, LONG)
}

fn value() -> Value {
    b"x".to_vec().into()
}

type Call = fn(&BackendInstance) -> Result<(), Error>;

/// Each method of a backend that is called after `open`.
const CALLS: &[(&str, Call)] = &[
    ("get", |one| one.get(&key("a")).map(drop)),
    ("get_fresh", |one| one.get_fresh(&key("a")).map(drop)),
    ("get_multi", |one| {
        one.get_multi(&[key("a"), key("b")]).map(drop)
    }),
    ("get_multi_fresh", |one| {
        one.get_multi_fresh(&[key("a"), key("b")]).map(drop)
    }),
    ("set", |one| one.set(&key("a"), &value())),
    ("set_multi", |one| one.set_multi(&[(key("a"), value())])),
    ("set_guarded", |one| {
        one.set_guarded(&key("a"), &value(), &LEASE).map(drop)
    }),
    ("set_guarded_multi", |one| {
        let entries = [(key("a"), value(), LEASE), (key("b"), value(), LEASE)];
        one.set_guarded_multi(&entries).map(drop)
    }),
    ("delete", |one| one.delete(&key("a"))),
    ("delete_multi", |one| one.delete_multi(&[key("a")])),
    ("clear", BackendInstance::clear),
    ("ping", BackendInstance::ping),
    ("stats", |one| one.stats().map(drop)),
    ("mutex", |one| one.mutex(&key("a")).map(drop)),
    ("reconfigure", |one| one.reconfigure("{}").map(drop)),
    ("close", BackendInstance::close),
];

fn call(method: &str) -> Call {
    let is_it = |one: &&(&str, Call)| one.0 == method;
    CALLS.iter().find(is_it).expect("there is such a method").1
}

/// What a backend asks as it is opened.
const ASKED: &[&str] = &[
    "open",
    "storage",
    "blocking",
    "exclusive",
    "shared",
    "key_mangler",
];

type MutexCall = fn(&dyn Mutex) -> Result<(), Error>;

const MUTEX_CALLS: &[(&str, MutexCall)] = &[
    ("try_acquire", |mutex| {
        mutex.try_acquire(Duration::from_secs(1)).map(drop)
    }),
    ("wait", |mutex| mutex.wait(Duration::ZERO)),
    ("renew", |mutex| mutex.renew(&mut LEASE.clone()).map(drop)),
    ("release", |mutex| mutex.release(LEASE)),
    ("is_locked", |mutex| mutex.is_locked().map(drop)),
];

fn request() -> TemplateRequest<'static> {
    TemplateRequest::new("tera", "page.html", (TemplatePart::Page, ""), "page.html")
}

type TemplateCall = fn(&TemplateCacheInstance) -> Result<(), Error>;

const TEMPLATE_CALLS: &[(&str, TemplateCall)] = &[
    ("key_for", |cache| cache.key_for(&request()).map(drop)),
    ("decide", |cache| cache.decide(&request()).map(drop)),
    ("template_changed", |cache| {
        cache.template_changed(&TemplateChange::new("tera", "page.html", ("1", "2")))
    }),
    ("observe", |cache| {
        let event = TemplateEvent::new(TemplateOutcome::Fresh, "pages", "a", Duration::ZERO);
        cache.observe(&request(), &event)
    }),
];

#[track_caller]
fn is_panic(error: &Error, method: &str, message: &str) {
    assert_eq!(error.kind(), ErrorKind::Panic, "{method}: {error}");
    let text = error.to_string();
    assert!(text.contains(&format!("panicked in {method}")), "{text}");
    assert!(text.contains(message), "{method}: {text}");
}

#[track_caller]
fn is_breach<T>(outcome: Result<T, Error>, parts: &[&str]) {
    let error = outcome.err().expect("it is a breach of contract");
    assert_eq!(error.kind(), ErrorKind::Contract, "{error}");
    assert_eq!(error.kind().code(), "plugin-broke-contract");
    for part in parts {
        assert!(error.to_string().contains(part), "{part}: {error}");
    }
}

#[track_caller]
fn not_opened<T>(opened: Result<T, OpenError>) -> Error {
    match opened {
        Err(OpenError::Failed(error)) => error,
        Err(other) => panic!("{other}"),
        Ok(_) => panic!("it opens"),
    }
}

/// What is told of drops.
#[derive(Clone, Default)]
struct Told(Arc<Lock<Vec<String>>>);

impl Told {
    fn tell(&self) -> impl Fn(Error) + Send + Sync + 'static {
        let told = self.clone();
        move |error| {
            let code = error.kind().code();
            told.0.lock().unwrap().push(format!("{error} [{code}]"));
        }
    }

    fn take(&self) -> Vec<String> {
        std::mem::take(&mut self.0.lock().unwrap())
    }
}

#[test]
fn a_panic_in_any_method_of_a_backend_is_an_error_that_names_it() {
    for (method, call) in CALLS {
        let panics = backend("panics", method).unwrap();
        for _ in 0..3 {
            let error = call(&panics).unwrap_err();
            is_panic(&error, method, &format!("{method} is not for me"));
        }
        // All others work as before.
        for (other, call) in CALLS.iter().filter(|(other, _)| {
            // These call the methods for one key.
            other != method && !(*method == "delete" && *other == "delete_multi")
        }) {
            call(&panics).unwrap_or_else(|error| panic!("{method}, {other}: {error}"));
        }
    }
}

#[test]
fn a_panic_whose_payload_panics_as_it_is_dropped_is_an_error() {
    for (method, call) in CALLS {
        let error = call(&backend("throws_what_panics", method).unwrap()).unwrap_err();
        is_panic(&error, method, "(no message)");
    }
}

#[test]
fn a_panic_in_a_thread_of_the_plugins_own_ends_that_thread_alone() {
    for (method, call) in CALLS {
        call(&backend("panics_in_a_thread", method).unwrap()).unwrap();
    }
}

#[test]
fn a_panic_as_a_backend_is_opened_or_asked_what_it_is_refuses_it() {
    for lie in ["panics", "throws_what_panics"] {
        for method in ASKED {
            let opened = backend(lie, method);
            let code = opened.as_ref().err().map(OpenError::code);
            assert_eq!(code, Some("plugin-panicked"), "{method}");
            let error = not_opened(opened);
            assert_eq!(error.kind(), ErrorKind::Panic, "{error}");
            assert!(error.to_string().contains(method), "{method}: {error}");
        }
    }
}

#[test]
fn a_panic_in_any_method_of_a_mutex_is_an_error_that_names_it() {
    for (method, call) in MUTEX_CALLS {
        for (lie, message) in [("panics", "is not for me"), ("throws_what_panics", "(no")] {
            let mutex = backend(lie, method).unwrap().mutex(&key("a")).unwrap();
            let error = call(&*mutex.expect("it has mutexes")).unwrap_err();
            is_panic(&error, method, message);
        }
    }
}

#[test]
fn a_panic_in_a_drop_is_told_and_leaves_nothing_behind() {
    let host = || host_functions("lies", clock());
    let loaded = load();
    for lie in ["panics", "throws_what_panics"] {
        let arguments = &arguments(lie, "drop");
        let told = Told::default();
        let plugin = &loaded.plugin;
        let mut one = open_backend(plugin, "lies", arguments, host(), LONG).unwrap();
        one.on_failed_drop(told.tell());
        let mut mangler = open_mangler(plugin, "lies", arguments, host(), LONG).unwrap();
        mangler.on_failed_drop(told.tell());
        let mut cache = open_template_cache(plugin, "lies", arguments, host(), LONG).unwrap();
        cache.on_failed_drop(told.tell());
        drop((one, mangler, cache));
        let told = told.take();
        assert_eq!(told.len(), 3, "{told:?}");
        for error in told {
            assert!(error.contains("panicked in drop: "), "{error}");
            assert!(error.ends_with("[plugin-panicked]"), "{error}");
        }
    }
}

#[test]
fn a_panic_in_the_drop_of_a_mutex_is_told_to_whoever_has_its_backend() {
    let mut one = backend("panics", "drop of a mutex").unwrap();
    let told = Told::default();
    one.on_failed_drop(told.tell());
    drop(one.mutex(&key("a")).unwrap());
    let told = told.take();
    assert_eq!(told.len(), 1, "{told:?}");
    assert!(told[0].contains("panicked in drop of a mutex"), "{told:?}");
    one.get(&key("a")).unwrap();
}

#[test]
fn a_panic_in_a_key_mangler_is_an_error_that_names_it() {
    let host = || host_functions("lies", clock());
    let plugin = load().plugin;
    for (method, parts) in [
        ("open", "panicked in open"),
        ("mangle", "panicked in mangle"),
    ] {
        let opened = open_mangler(&plugin, "lies", &arguments("panics", method), host(), LONG);
        let error = match opened {
            Ok(mangler) => mangler.mangle("a").unwrap_err(),
            Err(error) => not_opened(Err::<(), _>(error)),
        };
        assert_eq!(error.kind(), ErrorKind::Panic);
        assert!(error.to_string().contains(parts), "{error}");
    }
}

#[test]
fn a_panic_in_any_method_of_a_template_cache_is_an_error_that_names_it() {
    for (method, call) in TEMPLATE_CALLS {
        let error = call(&template_cache("panics", method).unwrap()).unwrap_err();
        is_panic(&error, method, &format!("{method} is not for me"));
    }
    for method in ["open", "observes"] {
        is_panic(
            &not_opened(template_cache("panics", method)),
            method,
            "is not for me",
        );
    }
}

#[test]
fn a_value_of_no_kind_or_of_a_wrong_one_is_a_breach_of_contract() {
    let raw = |lie| backend(lie, "").unwrap();
    is_breach(raw("get_of_no_kind").get(&key("a")), &["kind 99"]);
    let set = raw("set_answers").set(&key("a"), &value());
    is_breach(set, &["set answered with bytes, where nothing is expected"]);
    let stats = raw("stats_object").stats();
    is_breach(
        stats,
        &["stats answered with an object, where a text is expected"],
    );
    is_breach(
        raw("stats_no_json").stats(),
        &["stats answered with what is no statistics"],
    );
    let asked = not_opened(backend("key_mangler_object", ""));
    is_breach(
        Err::<(), _>(asked),
        &["key_mangler answered with an object"],
    );
    let given = not_opened(backend("open_gives_none", ""));
    is_breach(Err::<(), _>(given), &["open answered with no backend"]);
    is_breach(
        template_cache("decide_otherwise", "")
            .unwrap()
            .decide(&request()),
        &["with 9"],
    );

    let host = || host_functions("lies", clock());
    let plugin = load().plugin;
    for (lie, part) in [
        ("mangle_object", "an object"),
        ("mangle_nothing", "nothing"),
    ] {
        let mangler = open_mangler(&plugin, "lies", &arguments(lie, ""), host(), LONG).unwrap();
        is_breach(mangler.mangle("a"), &["mangle answered with", part]);
    }
}

#[test]
fn an_object_that_a_plugin_made_is_none_of_the_hosts() {
    let got = backend("own_object", "get").unwrap().get(&key("a"));
    let got = got.unwrap().unwrap();
    assert!(got.is_object() && got.as_bytes().is_none());
    assert!(got.extra::<u8>().is_none());
}

#[test]
fn texts_that_are_not_utf8_are_a_breach_of_contract_and_errors_lossy() {
    let not_utf8 = "not UTF-8";
    let asked = not_opened(backend("not_utf8", "key_mangler"));
    is_breach(Err::<(), _>(asked), &["key_mangler", not_utf8]);
    is_breach(
        backend("stats_not_utf8", "").unwrap().stats(),
        &["stats", not_utf8],
    );
    let cache = template_cache("not_utf8", "key_for").unwrap();
    is_breach(cache.key_for(&request()), &["key_for", not_utf8]);
    is_breach(cache.decide(&request()), &["decide", not_utf8]);
    let host = host_functions("lies", clock());
    let arguments = arguments("not_utf8", "mangle");
    let mangler = open_mangler(&load().plugin, "lies", &arguments, host, LONG).unwrap();
    is_breach(mangler.mangle("a"), &["mangle", not_utf8]);

    let error = backend("get_error_not_utf8", "")
        .unwrap()
        .get(&key("a"))
        .unwrap_err();
    assert!(error.to_string().contains("no \u{fffd}"), "{error}");
}

#[test]
fn answers_for_another_number_of_keys_are_a_breach_of_contract() {
    for (lie, method, text) in [
        (
            "fewer",
            "get_multi",
            "get_multi answered 1 times for 2 keys",
        ),
        ("more", "get_multi", "get_multi answered 3 times for 2 keys"),
        (
            "fewer",
            "get_multi_fresh",
            "get_multi_fresh answered 1 times for 2 keys",
        ),
        (
            "fewer",
            "set_guarded_multi",
            "set_guarded_multi answered 1 times for 2 keys",
        ),
    ] {
        is_breach(call(method)(&backend(lie, method).unwrap()), &[text]);
    }
    for method in ["set_guarded", "set_guarded_multi"] {
        let raw = backend(&format!("{method}_otherwise"), "").unwrap();
        is_breach(call(method)(&raw), &["ended with 7, which does not exist"]);
    }
}

#[test]
fn places_that_are_left_out_are_misses_and_what_comes_with_an_error_is_given_back() {
    let keys = [key("a"), key("b"), key("c")];
    let got = backend("get_multi_leaves_out", "")
        .unwrap()
        .get_multi(&keys)
        .unwrap();
    assert_eq!(
        got[0].as_ref().and_then(Value::as_bytes),
        Some(&b"the first"[..])
    );
    assert_eq!(got[1..], [None, None]);

    let fails = backend("get_multi_fills_and_fails", "").unwrap();
    let before = fails.stats().unwrap().evictions.unwrap();
    assert_eq!(fails.get_multi(&keys).unwrap_err().message(), "no");
    // Other tests of this process may destroy values too, where all run in one.
    let destroyed = fails.stats().unwrap().evictions.unwrap() - before;
    assert!(
        destroyed >= 4,
        "three values and the error, not {destroyed}"
    );
}

/// Nobody can tell a freed value from another. What can be shown is that the host frees nothing a second time by itself:
/// its memory is never given back here, so that all of this is well defined.
#[test]
fn a_value_that_was_freed_or_is_given_twice_is_destroyed_once_at_most() {
    if crate::own_process::is_outer(
        "lies::a_value_that_was_freed_or_is_given_twice_is_destroyed_once_at_most",
    ) {
        return;
    }
    let destroyed = |one: &BackendInstance| one.stats().unwrap().evictions.unwrap();
    let freed = backend("get_freed", "").unwrap();
    let got = freed.get(&key("a")).unwrap().unwrap();
    assert_eq!(got.as_bytes(), Some(&b"freed"[..]));
    drop(got);
    assert_eq!(destroyed(&freed), 0);

    let twice = backend("get_twice", "").unwrap();
    let [first, second] = [(); 2].map(|()| twice.get(&key("a")).unwrap().unwrap());
    assert_eq!(first.address(), second.address());
    drop(first);
    assert_eq!(destroyed(&twice), 1);
    drop(second);
    assert_eq!(destroyed(&twice), 1);
}
