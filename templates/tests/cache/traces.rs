//! What a render tells of its parts.

use dogpile_templates::{TemplateOutcome, Trace};

use crate::support::{Broken, builder, cache, template, text};

fn told(trace: &Trace) -> Vec<String> {
    trace.parts().iter().map(ToString::to_string).collect()
}

#[test]
fn a_render_tells_what_came_of_each_part_and_how_often() {
    let (_host, cache) = cache();
    let list = template("list.html");
    let row = |id: u32| text(cache.fragment(&list, "row").key(&id), "row");
    let page = || {
        let page = cache.page(&list);
        let page =
            page.get_or_create(|| Ok::<_, Broken>((0..3).map(|id| row(id).to_string()).collect()));
        page.unwrap().into_string()
    };
    row(1);
    let (page_text, first) = Trace::of(page);
    assert_eq!(page_text, "rowrowrow");
    assert_eq!(
        told(&first),
        [
            "list.html: fragment \"row\": 2 created, 1 fresh",
            "list.html: page: 1 created"
        ]
    );
    assert_eq!(first.parts()[0].times(TemplateOutcome::Created), 2);
    assert_eq!(first.parts()[0].times(TemplateOutcome::Stale), 0);
    // The page came from the cache: nothing in it was asked for.
    let (_, second) = Trace::of(page);
    assert_eq!(told(&second), ["list.html: page: 1 fresh"]);
}

#[test]
fn a_trace_has_what_a_trace_within_it_has_and_nothing_of_other_threads_or_of_before() {
    let (_host, cache) = cache();
    let list = template("list.html");
    let ask = |name: &'static str| text(cache.fragment(&list, name), "x");
    ask("before");
    let (inner, outer) = Trace::of(|| {
        ask("first");
        std::thread::scope(|scope| scope.spawn(|| ask("elsewhere")).join().unwrap());
        let (_, inner) = Trace::of(|| ask("second"));
        inner
    });
    ask("after");
    assert_eq!(told(&inner), ["list.html: fragment \"second\": 1 created"]);
    assert_eq!(
        told(&outer),
        [
            "list.html: fragment \"first\": 1 created",
            "list.html: fragment \"second\": 1 created"
        ]
    );
}

#[test]
fn a_panic_ends_its_trace_and_an_error_is_no_outcome() {
    let (_host, cache) = cache();
    let list = template("list.html");
    let ((), trace) = Trace::of(|| {
        let panicked = std::panic::catch_unwind(|| Trace::of(|| panic!("as told")));
        assert!(panicked.is_err());
        let part = cache.fragment(&list, "broken");
        part.get_or_create(|| Err(Broken("as told"))).unwrap_err();
        text(cache.fragment(&list, "whole"), "x");
    });
    assert_eq!(told(&trace), ["list.html: fragment \"whole\": 1 created"]);
    assert_eq!(told(&Trace::of(|| ()).1), Vec::<String>::new());
}

#[test]
fn a_part_with_a_default_region_is_cached_while_nothing_decides() {
    let host = builder().build().unwrap();
    let cache = dogpile_templates::ViewCache::new(&host);
    let list = template("list.html");
    let page = || cache.page(&list).default_region("other");
    assert_eq!(text(page(), "x").outcome(), TemplateOutcome::Created);
    assert_eq!(text(page(), "y").outcome(), TemplateOutcome::Fresh);
    assert_eq!(page().get().unwrap().unwrap().into_string(), "x");
    page().invalidate().unwrap();
    assert_eq!(text(page(), "z").outcome(), TemplateOutcome::Created);
    let without = text(cache.page(&list), "x");
    assert_eq!(without.outcome(), TemplateOutcome::Bypassed);
}
