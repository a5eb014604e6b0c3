//! Private data under two users, through pages, fragments and fragments in fragments.

use std::thread;

use minijinja::context;

use crate::support::Fixture;

const TEMPLATES: &[(&str, &str)] = &[
    (
        "account.html",
        "{% extends 'base.html' %}{% from 'ui.html' import box %}{% block main %}{% call cached('outer', user.id) %}\
         <{{ user.name }}{% for order in user.orders %}{% call cached('order', user.id, order.id) %}\
         {% with o = order %}{% include 'order.html' %}{% endwith %}{{ box(user) }}{% endcall %}{% endfor %}>{% endcall %}{% endblock %}",
    ),
    (
        "base.html",
        "{% call cached('head', user.id) %}Hello {{ user.name }} {% endcall %}{% block main %}{% endblock %}",
    ),
    (
        "order.html",
        "({{ order.id }} of {{ user.name }}{% call cached('news') %} news{% endcall %})",
    ),
    (
        "ui.html",
        "{% macro box(user) %}{% call cached('box', user.id) %}[{{ user.name }}]{% endcall %}{% endmacro %}",
    ),
];

#[test]
fn nothing_of_one_user_is_shown_to_another() {
    let fixture = Fixture::new(TEMPLATES);
    thread::scope(|scope| {
        for round in 0..8 {
            for (id, name) in ["ann", "bob"].iter().enumerate() {
                let fixture = &fixture;
                scope.spawn(move || {
                    let orders = [context! { id => 1 }, context! { id => 2 }];
                    let user = context! { id, name => *name, orders };
                    let page = fixture.views.page(&fixture.env, "account.html");
                    // With and without the whole page in the cache.
                    let page = if round % 2 == 0 { page } else { page.key(&id) };
                    let page = page.render(|| context! { user }).unwrap();
                    let order = |id| format!("({id} of {name} news)[{name}]");
                    let expected = format!("Hello {name} <{name}{}{}>", order(1), order(2));
                    assert_eq!(*page, expected);
                });
            }
        }
    });
}
