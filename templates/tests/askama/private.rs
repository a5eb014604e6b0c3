//! Private data under two users, through pages, fragments and fragments in fragments.

use std::thread;

use askama::Template;
use dogpile_templates::askama::{CachedTemplate, filters};

use crate::support::Fixture;

struct User {
    id: usize,
    name: String,
}

#[derive(Template, CachedTemplate)]
#[template(path = "account.html")]
#[renders(Order)]
struct Account<'a> {
    user: &'a User,
    orders: &'a [u32],
}

/// Of one user, by its own key.
#[derive(Template, CachedTemplate)]
#[template(path = "order.html")]
struct Order<'a> {
    id: &'a u32,
    user: &'a User,
}

#[test]
fn nothing_of_one_user_is_shown_to_another() {
    let fixture = Fixture::new();
    thread::scope(|scope| {
        for round in 0..8 {
            for (id, name) in ["ann", "bob"].into_iter().enumerate() {
                let fixture = &fixture;
                scope.spawn(move || {
                    let user = User {
                        id,
                        name: name.to_owned(),
                    };
                    let view = Account::view(&fixture.cache);
                    // With and without the whole page in the cache.
                    let view = if round % 2 == 0 { view } else { view.key(&id) };
                    let page = view.render(|| Account {
                        user: &user,
                        orders: &[1, 2],
                    });
                    let expected =
                        format!("Hello {name} <{name}(1 of {name} news)(2 of {name} news)>");
                    assert_eq!(*page.unwrap(), expected);
                });
            }
        }
    });
}
