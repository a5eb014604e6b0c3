//! Private data under two users, through pages, fragments and fragments in fragments.

use std::thread;

use tera::context;

use crate::support::Fixture;

const FILES: &[(&str, &str)] = &[
    (
        "account.html",
        "{% extends \"base.html\" %}{% block main %}{% cache \"outer\", key=user.id %}\
         <{{ user.name }}{% for order in user.orders %}{% cache \"order\", key=[user.id, order.id] %}\
         {% include \"order.html\" %}{% endcache %}{% endfor %}>{% endcache %}{% endblock %}",
    ),
    (
        "base.html",
        "{% cache \"head\", key=user.id %}Hello {{ user.name }} {% endcache %}{% block main %}{% endblock %}",
    ),
    (
        "order.html",
        "({{ order.id }} of {{ user.name }}{% cache \"news\" %} news{% endcache %})",
    ),
];

#[test]
fn nothing_of_one_user_is_shown_to_another() {
    let fixture = Fixture::new(FILES);
    let users = ["ann", "bob"];
    thread::scope(|scope| {
        for round in 0..8 {
            for (id, name) in users.iter().enumerate() {
                let fixture = &fixture;
                scope.spawn(move || {
                    let orders = [
                        serde_json::json!({ "id": 1 }),
                        serde_json::json!({ "id": 2 }),
                    ];
                    let user = serde_json::json!({ "id": id, "name": name, "orders": orders });
                    let page = fixture.views.page("account.html");
                    // With and without the whole page in the cache.
                    let page = if round % 2 == 0 { page } else { page.key(&id) };
                    let page = page.render(|| context! { user => &user }).unwrap();
                    let expected =
                        format!("Hello {name} <{name}(1 of {name} news)(2 of {name} news)>");
                    assert_eq!(*page, expected);
                });
            }
        }
    });
}
