//! `check --site`.

use crate::support::{Folder, PAGES};

fn site(files: &[(&str, &str)]) -> Folder {
    let folder = Folder::new(PAGES);
    folder.add_site();
    for (name, content) in files {
        folder.write(name, content);
    }
    folder
}

const CHECK: &[&str] = &["check", "--site", "site"];

#[test]
fn a_right_site_is_ok_and_its_pages_are_counted() {
    let folder = site(&[(
        "site/templates/a/b.html",
        "{% cache \"x\" %}{{ data.numbers.one }}{% endcache %}",
    )]);
    folder
        .dogpile(CHECK)
        .is(0, "ok: 1 region, 1 plugin, 2 pages\n", "");
}

#[test]
fn a_fragment_whose_key_does_not_name_what_it_uses_is_a_warning_with_template_and_line() {
    let folder = site(&[(
        "site/templates/orders.html",
        "<ul>\n{% set user = query.user %}{% cache \"row\", key=query.page %}\n{{ user }} {{ query.page }}\n\
         {{ query[\"lang\"] }} {{ path }} {{ rendered_at }} {{ data.numbers.one }}{% endcache %}\n",
    )]);
    let warning = |used: &str, line: u32| {
        format!(
            "warning: site/templates/orders.html:2:28: fragment \"row\" uses `{used}` on line {line}, which its key does not \
             name\n2 | {{% set user = query.user %}}{{% cache \"row\", key=query.page %}}\n  |                            ^\n\
             All see what whoever is first is shown. Name in the key what it varies by, as in key={used} or key=[…, {used}], \
             or set it within the body. What is the same for all costs nothing in a key.\n\n"
        )
    };
    let expected = [
        warning("user", 3),
        warning("query.lang", 4),
        warning("path", 4),
    ]
    .concat();
    folder
        .dogpile(CHECK)
        .is(0, "ok: 1 region, 1 plugin, 2 pages\n", &expected);
    folder.write(
        "site/templates/orders.html",
        "{% cache \"row\", key=[query, path] %}{{ query.user }}{{ path }}{% endcache %}",
    );
    folder
        .dogpile(CHECK)
        .is(0, "ok: 1 region, 1 plugin, 2 pages\n", "");
}

#[test]
fn a_private_fragment_within_a_public_one_is_a_warning_about_the_public_one() {
    let folder = site(&[
        (
            "site/templates/account.html",
            "{% cache \"news\" %}\nnews {% include \"_hello.html\" %}{% endcache %}",
        ),
        (
            "site/templates/_hello.html",
            "{% cache \"hello\", key=query.user %}Hello {{ query.user }}{% endcache %}",
        ),
    ]);
    let run = folder.dogpile(CHECK);
    assert_eq!(run.status, Some(0));
    assert_eq!(run.stderr.matches("warning: ").count(), 1, "{run:?}");
    let expected = "warning: site/templates/account.html:1:1: fragment \"news\" uses `query.user` at _hello.html:1, which \
                    its key does not name\n";
    assert!(run.stderr.starts_with(expected), "{run:?}");
}

#[test]
fn a_fragment_in_a_region_that_the_manifest_does_not_have_is_told_with_template_and_line() {
    let folder = site(&[
        (
            "site/templates/a.html",
            "<ul>\n{% include \"_row.html\" %}{% include \"_row.html\" %}",
        ),
        ("site/templates/b.html", "{% include \"_row.html\" %}"),
        (
            "site/templates/_row.html",
            "<li>\n {% cache \"row\", region=\"page\" %}{% endcache %}\n{% cache \"x\", region=\"pages\" %}{% endcache %}",
        ),
    ]);
    let expected = "error: site/templates/_row.html:2:2: no region `page`; the manifest has `pages`: did you mean `pages`?\n\
                    2 |  {% cache \"row\", region=\"page\" %}{% endcache %}\n  |  ^\n\
                    Correct the name in the tag, or configure the region.\n\n";
    folder.dogpile(CHECK).is(1, "", expected);
    let no_connect = [CHECK, &["--no-connect"]].concat();
    folder.dogpile(&no_connect).is(1, "", expected);
    let more =
        "[regions.page]\nbackend = \"memory\"\nexpiration_time = \"1h\"\nkey_prefix = \"page\"\n";
    folder.write("dogpile.toml", &format!("{PAGES}{more}"));
    folder
        .dogpile(CHECK)
        .is(0, "ok: 2 regions, 1 plugin, 3 pages\n", "");
}

#[test]
fn all_that_is_wrong_with_a_site_and_with_the_manifest_is_told() {
    let folder = site(&[
        ("site/templates/a.html", "{{ 1 | nonsense }}"),
        (
            "site/templates/b.html",
            "{% cache \"x\", size=1 %}{% endcache %}",
        ),
    ]);
    let run = folder.dogpile(CHECK);
    assert_eq!((run.status, run.stdout.as_str()), (Some(1), ""));
    for part in [
        "error: site/templates/a.html:1:",
        "error: site/templates/b.html:1:15: ",
        "no argument `size`",
    ] {
        assert!(run.stderr.contains(part), "{part}: {run:?}");
    }
    folder.write("dogpile.toml", &PAGES.replace("backend =", "backnd ="));
    let run = folder.dogpile(CHECK);
    assert_eq!((run.status, run.stdout.as_str()), (Some(1), ""));
    for part in ["error: site/templates/a.html:1:", "did you mean `backend`?"] {
        assert!(run.stderr.contains(part), "{part}: {run:?}");
    }
    let run = site(&[]).dogpile(&["check", "--site", "absent"]);
    assert_eq!(run.status, Some(1));
    assert!(
        run.stderr
            .starts_with("error: absent: there is no site here"),
        "{run:?}"
    );
}

#[test]
fn the_region_of_the_pages_must_be_there() {
    let folder = site(&[]);
    folder.write(
        "dogpile.toml",
        &PAGES.replace("[regions.pages]", "[regions.page]"),
    );
    let lacks = "error: no region `pages`; the manifest has `page`: did you mean `page`?; the pages are kept in region \
                 `pages`: add [regions.pages] to dogpile.toml, or name another with --region\n\n";
    folder.dogpile(CHECK).is(1, "", lacks);
    let json = folder.dogpile(&[CHECK, &["--json"]].concat());
    let json: serde_json::Value = serde_json::from_str(&json.stdout).unwrap();
    assert_eq!(
        (&json["ok"], &json["errors"]),
        (&false.into(), &serde_json::json!([]))
    );
    let told = json["site_errors"][0].as_str().unwrap();
    assert!(told.starts_with("no region `pages`; "), "{json}");
    folder.dogpile(&[CHECK, &["--region", "page"]].concat()).is(
        0,
        "ok: 1 region, 1 plugin, 1 page\n",
        "",
    );
    assert_eq!(
        folder.dogpile(&["check", "--region", "page"]).status,
        Some(2)
    );
}
