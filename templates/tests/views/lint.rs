//! What a cached body uses and its key does not name.

use dogpile::Host;
use dogpile_templates::{ViewCache, Views};

use crate::support::Fixture;

/// `file:line:column: message` of each warning, without the folder.
fn warnings(views: &Views) -> Vec<String> {
    assert!(views.check().is_empty(), "{:?}", views.check());
    let warnings = views.warnings().into_iter();
    let told = warnings.map(|warning| {
        let file = warning.file().file_name().unwrap().to_str().unwrap();
        let (line, column) = (warning.line().unwrap(), warning.column().unwrap());
        format!("{file}:{line}:{column}: {}", warning.message())
    });
    told.collect()
}

fn of(files: &[(&str, &str)]) -> Vec<String> {
    warnings(&Fixture::new(files).views)
}

#[test]
fn a_body_that_uses_what_its_key_does_not_name_is_told_with_template_and_line() {
    let fixture = Fixture::new(&[(
        "orders.html",
        "<ul>\n{% cache \"row\", key=[order.id, order.total] %}\n<li>{{ order.text }}\n{{ user.name }}</li>{% endcache %}",
    )]);
    let told = [
        "orders.html:2:1: fragment \"row\" uses `user.name` on line 4, which its key does not name",
    ];
    assert_eq!(warnings(&fixture.views), told);
    let warning = fixture.views.warnings()[0].to_string();
    assert!(
        warning.contains("2 | {% cache \"row\"") && warning.contains("key=[…, user.name]"),
        "{warning}"
    );
}

#[test]
fn a_key_that_names_the_variable_or_a_member_of_it_is_right() {
    for source in [
        "{% cache \"x\", key=user %}{{ user.name }}{% endcache %}",
        "{% cache \"x\", key=user.id %}{{ user.name }}{{ user }}{% endcache %}",
        "{% cache \"x\", key=user.id | str %}{{ user.name }}{% endcache %}",
        "{% cache \"x\", tags=[\"a\"], key=[1, user[\"id\"]], when=on %}{{ user?.name }}{% endcache %}",
        "{% cache \"x\" %}{% set user = 1 %}{{ user }}{% endcache %}",
        "{% cache \"x\" %}{% for user in [1] %}{{ user }}{{ loop.index }}{% endfor %}{% endcache %}",
        "{% cache \"x\" %}{{ [user for user in [1]] }}{{ range(end=3) }}{{ 1 | default(value=2) }}{% endcache %}",
        "{% for user in users %}{% cache \"x\", key=user.id %}{{ user.name }}{% endcache %}{% endfor %}",
        "{% cache \"x\" %}user {# {{ user }} #}{% raw %}{{ user }}{% endraw %}{{ \"user\" }}{% endcache %}",
        "{{ user }}{% cache \"x\" %}x{% endcache %}{{ user }}",
    ] {
        assert_eq!(of(&[("a.html", source)]), [""; 0], "{source}");
    }
}

#[test]
fn what_comes_into_a_body_in_any_way_is_seen() {
    for (source, used) in [
        ("{{ 1 | default(value=user) }}", "user"),
        ("{% if user.admin %}x{% endif %}", "user.admin"),
        ("{% for o in user.orders %}x{% endfor %}", "user.orders"),
        ("{% set x = user %}", "user"),
        ("{{ [1 for x in user] }}", "user"),
        ("{{ {\"a\": user} }}", "user"),
        ("{{ [...user] }}", "user"),
        ("{{ users[user] }}", "users"),
        ("{% for user in [1] %}{% endfor %}{{ user }}", "user"),
        ("{{ user }}{% set user = 1 %}", "user"),
        ("{{<Show of={user}/>}}", "user"),
        ("{{<Greet/>}}", "user"),
        ("{{<Around/>}}", "user"),
        ("{% <Show of={1}> %}{{ user }}{% </Show> %}", "user"),
        ("{% include \"in.html\" %}", "user.name"),
        ("{% include \"deep.html\" %}", "user.name"),
    ] {
        let source = format!("{{% cache \"x\" %}}{source}{{% endcache %}}");
        let told = of(&[
            ("a.html", &source),
            ("in.html", "{{ user.name }}"),
            (
                "deep.html",
                "{% for x in [1] %}{% include \"in.html\" %}{% endfor %}",
            ),
            (
                "ui.html",
                "{% component Show(of) %}{{ of }}{% endcomponent %}\
                 {% component Greet(@user) %}{{ user.name }}{% endcomponent %}\
                 {% component Around(x=1) %}{{<Greet/>}}{% endcomponent %}",
            ),
        ]);
        assert!(
            told[0].starts_with("a.html:1:1: ") && told[0].contains(&format!(" uses `{used}` ")),
            "{source}: {told:?}"
        );
    }
}

#[test]
fn what_an_include_or_a_component_gets_where_it_stands_is_not_missed_in_the_key() {
    let files = [
        ("in.html", "{{ user.name }}"),
        (
            "ui.html",
            "{% component Greet(@user) %}{{ user.name }}{% endcomponent %}\
             {% component Around(user) %}{{<Greet/>}}{% endcomponent %}",
        ),
    ];
    for source in [
        "{% for user in [1] %}{% include \"in.html\" %}{% endfor %}",
        "{% set user = 1 %}{{<Greet/>}}",
        "{{<Greet user={1}/>}}",
        "{{<Around user={1}/>}}",
    ] {
        let source = format!("{{% cache \"x\" %}}{source}{{% endcache %}}");
        let files = [("a.html", &*source), files[0], files[1]];
        assert_eq!(of(&files), [""; 0], "{source}");
    }
}

#[test]
fn a_private_fragment_within_a_public_one_is_told_of_the_public_one() {
    let inner = "{% cache \"inner\", key=user.id %}{{ user.name }}{% endcache %}";
    let outer = |inner: &str| format!("{{% cache \"outer\" %}}<\n{inner}>{{% endcache %}}");
    // In the same template, and through an include.
    assert_eq!(
        of(&[("a.html", &outer(inner))]),
        ["a.html:1:1: fragment \"outer\" uses `user.id` on line 2, which its key does not name"]
    );
    assert_eq!(
        of(&[
            ("a.html", &outer("{% include \"b.html\" %}")),
            ("b.html", inner)
        ]),
        ["a.html:1:1: fragment \"outer\" uses `user.id` at b.html:1, which its key does not name"]
    );
    let both = outer("{% cache \"inner\" %}{{ user.name }}{% endcache %}");
    let told = of(&[("a.html", &both)]);
    let told: Vec<&str> = told
        .iter()
        .map(|told| told.split(" uses").next().unwrap())
        .collect();
    assert_eq!(
        told,
        [
            "a.html:1:1: fragment \"outer\"",
            "a.html:2:1: fragment \"inner\""
        ]
    );
    let right = outer(inner).replace("\"outer\"", "\"outer\", key=user.id");
    assert_eq!(of(&[("a.html", &right)]), [""; 0]);
}

#[test]
fn an_included_row_without_a_key_is_told_though_its_loop_is_elsewhere() {
    let told = of(&[
        (
            "a.html",
            "{% for p in [1, 2] %}{% include \"row.html\" %}{% endfor %}",
        ),
        ("row.html", "{% cache \"row\" %}{{ p }}{% endcache %}"),
    ]);
    assert_eq!(
        told,
        ["row.html:1:1: fragment \"row\" uses `p` on line 1, which its key does not name"]
    );
}

#[test]
fn the_arguments_of_a_component_are_variables_of_the_fragments_in_it() {
    let component = |key: &str| {
        format!(
            "{{% component Card(p) %}}{{% cache \"card\"{key} %}}{{{{ p.name }}}}{{% endcache %}}{{% endcomponent %}}"
        )
    };
    let page = "{{<Card p={1}/>}}";
    let told = of(&[("a.html", page), ("ui.html", &component(""))]);
    assert_eq!(
        told,
        ["ui.html:1:24: fragment \"card\" uses `p.name` on line 1, which its key does not name"]
    );
    assert_eq!(
        of(&[("a.html", page), ("ui.html", &component(", key=p"))]),
        [""; 0]
    );
}

#[test]
fn what_the_engine_gives_to_all_pages_alike_needs_no_key() {
    let folder = tempfile::tempdir().unwrap();
    let source = "{% cache \"x\" %}{{ shop.name }}{{ user }}{% endcache %}";
    std::fs::write(folder.path().join("a.html"), source).unwrap();
    let host = Host::builder().build().unwrap();
    let views = Views::open(folder.path(), ViewCache::new(&host), |tera| {
        let shop = serde_json::json!({ "name": "Teas" });
        tera.global_context().insert("shop", &shop);
    });
    let told = warnings(&views.unwrap());
    assert_eq!(
        told,
        ["a.html:1:1: fragment \"x\" uses `user` on line 1, which its key does not name"]
    );
}
