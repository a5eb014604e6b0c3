//! Templates within templates.

use askama::Template;
use dogpile_templates::askama::{CachedTemplate, filters};

use crate::support::{Counter, Fixture, contains, logged};

#[derive(Template, CachedTemplate)]
#[template(source = "{{ ran }}<b>{{ name }}</b>", ext = "html")]
struct Card<'a> {
    ran: &'a Counter,
    name: &'a str,
}

#[derive(Template, CachedTemplate)]
#[template(source = "{{ ran }}{{ name }}<", ext = "txt")]
struct Plain<'a> {
    ran: &'a Counter,
    name: &'a str,
}

#[derive(Template, CachedTemplate)]
#[template(
    source = r#"{% for name in names %}{{ Card { ran: ran, name: name }|cached_tpl(name, tags = ["cards"], region = "other") }}{{ Plain { ran: ran, name: name }|cached_tpl((name, 1)) }}{% endfor %}"#,
    ext = "html"
)]
#[renders(Card<'a>, Plain<'a>)]
struct Cards<'a> {
    ran: &'a Counter,
    names: &'a [&'a str],
}

#[test]
fn a_nested_template_is_rendered_once_and_escaped_as_it_says() {
    let (fixture, ran) = (Fixture::new(), Counter::default());
    let names = ["<a>", "b"];
    let log = logged(|| {
        for expected in [4, 0] {
            let page = Cards::view(&fixture.cache).render(|| Cards {
                ran: &ran,
                names: &names,
            });
            assert_eq!(
                &*page.unwrap(),
                "<b>&#60;a&#62;</b>&#60;a&#62;&#60;<b>b</b>b&#60;"
            );
            assert_eq!(ran.ran(), expected);
        }
    });
    assert_eq!(log, "");
    assert_eq!((fixture.created("other"), fixture.created("pages")), (2, 2));
    // It is the page of the other template.
    let card = Card::view(&fixture.cache).region("other").key(&"b");
    assert_eq!(card.get().unwrap().as_deref(), Some("<b>b</b>"));
    card.invalidate().unwrap();
    let page = Cards::view(&fixture.cache).render(|| Cards {
        ran: &ran,
        names: &names,
    });
    page.unwrap();
    assert_eq!(ran.ran(), 1);
}

#[derive(Template, CachedTemplate)]
#[template(source = "small", ext = "html")]
struct Small;

#[derive(Template, CachedTemplate)]
#[template(
    source = r#"{{ card|cached_tpl(1) }}{% for card in cards.iter().flatten() %}{{ card|cached_tpl(2) }}{% endfor %}{{ boxed.as_ref()|cached_tpl(3) }}"#,
    ext = "html"
)]
struct Fields<'a> {
    card: Card<'a>,
    cards: Option<Vec<Plain<'a>>>,
    boxed: Box<Small>,
}

#[derive(Template, CachedTemplate)]
#[template(
    source = r#"{{ Card { ran: ran, name: "x" }|cached_tpl(1) }}"#,
    ext = "html"
)]
struct Undeclared<'a> {
    ran: &'a Counter,
}

#[derive(Template, CachedTemplate)]
#[template(source = r#"{{ rows|safe }}"#, ext = "html")]
struct Holder<T: Template> {
    rows: T,
}

#[derive(Template, CachedTemplate)]
#[template(
    source = r#"{% filter cached("x") %}{{ ran }}text{% endfilter %}"#,
    ext = "html"
)]
struct Fragmented<'a> {
    ran: &'a Counter,
}

#[test]
fn a_template_that_the_digest_does_not_hold_is_told_once_and_its_fragments_kept_for_one_build() {
    let (fixture, ran) = (Fixture::new(), Counter::default());
    let log = logged(|| {
        for _ in 0..2 {
            let fields = Fields::view(&fixture.cache).render(|| Fields {
                card: Card {
                    ran: &ran,
                    name: "a",
                },
                cards: Some(vec![Plain {
                    ran: &ran,
                    name: "b",
                }]),
                boxed: Box::new(Small),
            });
            assert_eq!(&*fields.unwrap(), "<b>a</b>b&#60;small");
        }
    });
    assert_eq!(log, "");
    assert_eq!(ran.ran(), 2);
    let log = logged(|| {
        for _ in 0..2 {
            let page = Undeclared::view(&fixture.cache).render(|| Undeclared { ran: &ran });
            assert_eq!(&*page.unwrap(), "<b>a</b>");
        }
    });
    assert_eq!(log.matches("WARN").count(), 1, "{log}");
    contains(
        &log,
        &[
            "Undeclared: its digest does not hold that of the template in Card",
            "#[renders(…)]",
        ],
    );
    let log = logged(|| {
        for _ in 0..2 {
            let rows = Fragmented { ran: &ran };
            let page = Holder::view(&fixture.cache).render(|| Holder { rows });
            assert_eq!(&*page.unwrap(), "text");
        }
    });
    assert_eq!(log.matches("WARN").count(), 1, "{log}");
    contains(&log, &["Holder: its digest", "tests/askama/nested.rs:"]);
    assert_eq!(ran.ran(), 1);
}

/// A tree, whose branches are templates as it is itself.
#[derive(Template, CachedTemplate)]
#[template(
    source = r#"{% filter cached(("branch", id)) %}{{ id }}[{% for branch in branches %}{{ branch|safe }}{% endfor %}]{% endfilter %}"#,
    ext = "html"
)]
struct Branch {
    id: u32,
    branches: Vec<Branch>,
}

#[test]
fn a_template_can_hold_itself() {
    let fixture = Fixture::new();
    let branch = |id, branches| Branch { id, branches };
    for _ in 0..2 {
        let tree = || {
            branch(
                1,
                vec![branch(2, vec![]), branch(3, vec![branch(4, vec![])])],
            )
        };
        let page = Branch::view(&fixture.cache).render(tree);
        assert_eq!(&*page.unwrap(), "1[2[]3[4[]]]");
    }
    assert_eq!(fixture.created("pages"), 4);
    let leaf = Branch::fragment(&fixture.cache, "branch").unwrap();
    let text = leaf.key(&4_u32).get().unwrap();
    assert_eq!(text.as_deref(), Some("4[]"));
}
