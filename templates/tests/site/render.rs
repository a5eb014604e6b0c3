use crate::support::{Fixture, page, render};

fn query(pairs: &[(&str, &str)]) -> Vec<(String, String)> {
    let owned = |&(name, value): &(&str, &str)| (name.to_owned(), value.to_owned());
    pairs.iter().map(owned).collect()
}

#[test]
fn the_last_of_equal_query_names_counts_and_all_is_escaped() {
    let fixture = Fixture::new(&[(
        "templates/index.html",
        "{{ query.a | default(value='-') }} {{ query[\"b c\"] | default(value='-') }}",
    )]);
    let page = page(&fixture.site(), "/");
    assert_eq!(page.render(&[]).unwrap(), "- -");
    let pairs = query(&[("a", "1"), ("b c", "<b>&\"'"), ("a", "2"), ("", "x")]);
    assert_eq!(page.render(&pairs).unwrap(), "2 &lt;b&gt;&amp;&quot;&#39;");
}

#[test]
fn the_time_of_rendering_is_there_in_utc() {
    let fixture = Fixture::new(&[("templates/index.html", "{{ rendered_at }}")]);
    let text = render(&fixture.site(), "/");
    assert_eq!(text.len(), "2024-02-29T12:00:00.000Z".len());
    assert!(text.starts_with("20") && text.ends_with('Z'), "{text}");
}

#[test]
fn a_template_sees_only_the_data_that_its_digest_covers() {
    let fixture = Fixture::new(&[
        ("templates/one.html", "{{ data.a }}"),
        (
            "templates/all.html",
            "{% for k in data | keys | sort %}{{ k }}{% endfor %}",
        ),
        ("data/a.json", "1"),
        ("data/b-c.json", "2"),
        ("templates/odd.html", "{{ data[\"b-c\"] }}"),
    ]);
    let site = fixture.site();
    assert_eq!(render(&site, "/one"), "1");
    assert_eq!(render(&site, "/odd"), "2");
    assert_eq!(render(&site, "/all"), "ab-c");
}

#[test]
fn the_sites_own_filters_and_functions_work() {
    let cases = [
        ("{{ 'Übung & Co' | urlencode }}", "%C3%9Cbung%20%26%20Co"),
        ("{{ 8849 | thousands }}", "8,849"),
        ("{{ -1234567 | thousands }}", "-1,234,567"),
        ("{{ 999.6 | thousands }}", "1,000"),
        ("{{ 12 | thousands }}", "12"),
        (
            "{{ great_circle_km(from={'latitude': 0, 'longitude': 0}, to={'latitude': 0, 'longitude': 180}) | thousands }}",
            "20,015",
        ),
        (
            "{{ great_circle_km(from={'latitude': 50.06639, 'longitude': -5.71472}, to={'latitude': 58.64389, 'longitude': -3.07}) | thousands }}",
            "969",
        ),
    ];
    for (template, text) in cases {
        let fixture = Fixture::new(&[("templates/index.html", template)]);
        assert_eq!(render(&fixture.site(), "/"), text, "{template}");
    }
    for (template, message) in [
        ("{{ 'x' | thousands }}", "wants a number"),
        ("{{ great_circle_km(from={}, to={}) }}", "`latitude`"),
        ("{{ great_circle_km(from={}) }}", ""),
    ] {
        let fixture = Fixture::new(&[("templates/index.html", template)]);
        let error = page(&fixture.site(), "/").render(&[]).unwrap_err();
        assert!(error.message().contains(message), "{error}");
        assert_eq!(error.line(), Some(1));
    }
}

#[test]
fn data_that_are_spread_are_seen_as_used() {
    let fixture = Fixture::new(&[
        ("templates/one.html", "{{ [...data.a, 3] }}"),
        ("templates/all.html", "{{ {...data} | keys }}"),
        ("data/a.json", "[1, 2]"),
    ]);
    let site = fixture.site();
    assert_eq!(render(&site, "/one"), "[1, 2, 3]");
    assert_eq!(render(&site, "/all"), "[&quot;a&quot;]");
    fixture.write("data/a.json", "[5]");
    assert_eq!(render(&site, "/one"), "[5, 3]");
}

#[test]
fn a_mark_of_byte_order_is_no_part_of_a_file() {
    let fixture = Fixture::new(&[
        (
            "templates/index.html",
            "\u{feff}{% extends \"_base.html\" %}{% block main %}{{ data.a }}{% endblock %}",
        ),
        (
            "templates/_base.html",
            "\u{feff}<{% block main %}{% endblock %}>",
        ),
        ("data/a.json", "\u{feff}1"),
    ]);
    assert_eq!(render(&fixture.site(), "/"), "<1>");
}
