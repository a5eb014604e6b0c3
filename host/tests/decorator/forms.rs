//! The forms of functions that can be cached, and what is written for them.

use std::collections::HashMap;
use std::hash::Hash;
use std::sync::Arc;

use dogpile::{Region, Source, cached};
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::counter::Counter;

mod inner {
    use dogpile::{Region, cached};

    /// A number.
    #[cached(region = users, skip(users))]
    #[must_use = "it took long"]
    pub(crate) fn visible(users: &Region) -> usize {
        users.name().len()
    }

    /// As another crate re-exports it.
    #[cached(region = users, skip(users), crate = ::dogpile, clone)]
    pub(super) fn by_path(users: &Region) -> usize {
        users.name().len()
    }
}

use inner::visible;

#[test]
fn a_function_is_imported_with_what_belongs_to_it() {
    let (Counter { users, .. }, _) = Counter::new();
    assert_eq!(*visible(&users), 5);
    assert_eq!(visible::get(&users).unwrap().as_deref(), Some(&5));
    assert_eq!(visible::original(&users), 5);
    assert_eq!(inner::by_path(&users), 5);
}

#[test]
fn a_function_in_a_function_uses_what_is_there() {
    struct Local(u8);
    #[cached(region = users, skip(users, local), clone)]
    fn nested(users: &Region, local: &Local) -> String {
        format!("{}{}", users.name(), local.0)
    }
    let (Counter { users, .. }, _) = Counter::new();
    assert_eq!(nested(&users, &Local(1)), "users1");
    nested::set("set".into(), &users, &Local(2)).unwrap();
    assert_eq!(nested(&users, &Local(1)), "set");
}

#[cached(region = users, skip(users))]
fn generic<'a, K, V>(users: &'a Region, key: &'a K, value: V) -> Option<V>
where
    K: Serialize + Hash + Eq,
    V: Serialize + DeserializeOwned + Send + Sync + 'static,
{
    let mut map = HashMap::from([(key, value)]);
    users.is_configured().then_some(())?;
    map.remove(key)
}

#[test]
fn a_generic_function_is_one_function_for_each_type() {
    let (Counter { users, .. }, _) = Counter::new();
    assert_eq!(*generic(&users, &String::from("a"), 1_u8), Some(1));
    assert_eq!(
        generic(&users, &String::from("a"), 1_u8).source(),
        Source::Fresh
    );
    assert_eq!(
        generic(&users, &String::from("a"), 1_u16).source(),
        Source::Created
    );
}

#[derive(Clone)]
struct Shared(Arc<Counter>);

impl Shared {
    #[cached(region = self.0.users.clone())]
    fn by_value(self, more: u32) -> u32 {
        self.0.next() + more
    }

    #[cached(region = self.0.users.clone())]
    fn by_arc(self: Arc<Self>, more: u32) -> u32 {
        self.0.next() + more
    }

    #[cached(region = self.0.users.clone())]
    fn by_exclusive(&mut self, mut more: u32) -> u32 {
        more += self.0.next();
        more
    }
}

#[test]
fn every_kind_of_self_is_passed_on() {
    let mut shared = Shared(Arc::new(Counter::new().0));
    assert_eq!(*shared.clone().by_value(10), 11);
    assert_eq!(*shared.clone().by_value(10), 11);
    let arc = Arc::new(shared.clone());
    assert_eq!(*Arc::clone(&arc).by_arc(10), 12);
    assert_eq!(*arc.by_arc(10), 12);
    assert_eq!(*shared.by_exclusive(10), 13);
    assert_eq!(*shared.by_exclusive(10), 13);
    assert_eq!(*shared.by_exclusive_refresh(10), 14);
}

/// What `Self` is in its body is not a type around it.
#[cached(region = users, skip(users), clone)]
fn with_a_type_of_its_own(users: &Region) -> usize {
    #[derive(Default)]
    struct Counted(usize);
    impl Counted {
        fn next(self) -> Self {
            Self(self.0 + users_of(&self))
        }
    }
    fn users_of(counted: &Counted) -> usize {
        counted.0 + 1
    }
    Counted(users.name().len()).next().0
}

#[test]
fn a_type_in_the_body_makes_no_method_of_the_function() {
    let (Counter { users, .. }, _) = Counter::new();
    assert_eq!(with_a_type_of_its_own(&users), 11);
    assert_eq!(with_a_type_of_its_own::get(&users).unwrap(), Some(11));
}

/// Below the attribute, so it acts on what is cached, as a decorator of Python does.
#[cached(region = users, skip(users))]
#[inline(never)]
#[allow(unused_mut)]
fn attributes(users: &Region) -> usize {
    let mut name = users.name();
    name.len()
}

#[test]
fn attributes_go_where_they_belong() {
    assert_eq!(*attributes(&Counter::new().0.users), 5);
}

macro_rules! cached_function {
    ($name:ident, $result:ty) => {
        #[cached(region = users, skip(users), clone)]
        fn $name(users: &Region, number: $result) -> $result {
            users.is_configured();
            number
        }
    };
}

cached_function!(from_a_macro, u8);

#[test]
fn a_macro_may_write_a_cached_function() {
    assert_eq!(from_a_macro(&Counter::new().0.users, 7), 7);
}
