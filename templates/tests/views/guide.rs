//! The templates of the guide are right. Its program runs as a documentation test.

use tera::context;

use crate::support::Fixture;

const GUIDE: &str = include_str!("../../../docs/templates.md");

#[test]
fn the_guides_fragments_render_from_the_cache_and_nothing_is_wrong_with_their_keys() {
    let blocks = GUIDE.split("```").skip(1).step_by(2);
    let blocks: Vec<&str> = blocks
        .filter_map(|block| block.strip_prefix("html\n"))
        .collect();
    let [list] = blocks[..] else {
        panic!("there are other blocks: {blocks:#?}");
    };
    let fixture = Fixture::new(&[("a.html", &list.replace("<li>", "<li>{{ count() }}"))]);
    assert!(
        fixture.views.check().is_empty(),
        "{:?}",
        fixture.views.check()
    );
    assert!(
        fixture.views.warnings().is_empty(),
        "{:?}",
        fixture.views.warnings()
    );
    let page = |changed: u32, runs: usize| {
        let order = |id: u32, changed: u32| serde_json::json!({ "id": id, "changed": changed, "text": format!("{id} {changed}") });
        let orders = [order(2, changed), order(1, 1)];
        let user =
            serde_json::json!({ "id": 1, "changed": changed, "name": "Ada", "orders": orders });
        let query = serde_json::json!({ "sort": "id" });
        let context = context! { user => &user, query => &query, preview => &false };
        let text = fixture.render("a.html", &context);
        assert!(
            text.contains(&format!("<li>1 1</li>\n\n<li>2 {changed}</li>")),
            "{text}"
        );
        assert_eq!(fixture.ran(), runs);
    };
    page(1, 2);
    page(1, 0);
    page(2, 1);
}
