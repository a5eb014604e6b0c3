//! Edits: the next render is right, and what they do not concern stays in the cache.

use tera::Context;

use crate::support::Fixture;

const FILES: &[(&str, &str)] = &[
    (
        "page.html",
        "{% extends \"base.html\" %}{% block main %}{% cache \"one\" %}{{ count() }}1{% include \"in.html\" %}{% endcache %}\
         {% cache \"two\" %}{{ count() }}2{{<Star/>}}{% endcache %}{% endblock %}",
    ),
    ("base.html", "<{% block main %}{% endblock %}>"),
    ("in.html", "in"),
    ("ui.html", "{% component Star() %}*{% endcomponent %}"),
];

#[test]
fn an_edit_is_seen_by_the_next_render_and_runs_no_body_that_it_does_not_concern() {
    let fixture = Fixture::new(FILES);
    let page = || {
        let page = fixture.views.page("page.html").cached();
        let text = page.render(Context::new).unwrap().into_string();
        (text, fixture.ran())
    };
    assert_eq!(page(), ("<1in2*>".to_owned(), 2));
    assert_eq!(page(), ("<1in2*>".to_owned(), 0));
    for (file, content, text, runs) in [
        // The parent: no body is made of it.
        (
            "base.html",
            "({% block main %}{% endblock %})",
            "(1in2*)",
            0,
        ),
        // An include: one body.
        ("in.html", "IN", "(1IN2*)", 1),
        // A component: the other.
        (
            "ui.html",
            "{% component Star() %}+{% endcomponent %}",
            "(1IN2+)",
            1,
        ),
        // The template itself, outside of the bodies, and one body.
        (
            "page.html",
            "{% extends \"base.html\" %}{% block main %}\n!{% cache \"one\" %}{{ count() }}1{% include \"in.html\" %}{% endcache %}\
             {% cache \"two\" %}{{ count() }}two{{<Star/>}}{% endcache %}{% endblock %}",
            "(\n!1INtwo+)",
            1,
        ),
        // Back to what it was: all of it is still there.
        ("page.html", FILES[0].1, "(1IN2+)", 0),
    ] {
        fixture.write(file, content);
        assert_eq!(page(), (text.to_owned(), runs), "{file}: {content}");
        assert_eq!(page(), (text.to_owned(), 0), "{file}: {content}");
    }
}
