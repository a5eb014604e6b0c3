//! The keys of cached functions, by the generator that regions have.

use std::collections::{BTreeMap, HashSet};
use std::fmt::Display;

use dogpile::{FunctionCall, Region, RegionConfig, cached};
use serde::Serialize;

use crate::counter::Counter;
use crate::region_support::region;

fn users() -> Region {
    Counter::new().0.users
}

#[cached(region = users(), clone)]
fn plain() -> u8 {
    0
}

#[cached(region = users(), clone)]
fn one(_id: u64) -> u8 {
    0
}

#[cached(region = users(), namespace = "eu", clone)]
fn named(_id: u64) -> u8 {
    0
}

#[cached(region = users(), namespace = "a|b (1)", clone)]
fn strangely_named(_id: u64) -> u8 {
    0
}

#[cached(region = users(), clone)]
fn texts(_a: &str, _b: String, _c: Option<&str>) -> u8 {
    0
}

#[cached(region = users(), clone, skip(_secret))]
fn skipping(_id: u64, _secret: fn() -> u8) -> u8 {
    0
}

#[cached(region = users(), clone)]
fn patterns((a, b): (u8, u8), [c, ..]: [u8; 2], mut d: u8, _: u8) -> u8 {
    d += 1;
    a + b + c + d
}

#[cached(region = users(), clone)]
fn generic<T, const N: usize>(_value: &T) -> u8
where
    T: Serialize + Display,
{
    0
}

#[cached(region = users(), clone)]
fn unnamed(_value: impl Serialize + Display, _skipped: u8) -> u8 {
    0
}

#[cached(region = users(), key = "user:{id}", clone)]
fn formatted(id: u64, _other: u64) -> u8 {
    0
}

#[cached(region = users(), key = (id + 1) * 2, clone)]
fn computed(id: u64) -> u8 {
    0
}

#[cached(region = users(), clone)]
fn r#match(r#type: u8) -> u8 {
    r#type
}

#[derive(Serialize)]
struct Tenant {
    name: &'static str,
}

impl Tenant {
    #[cached(region = users(), clone)]
    fn without(&self, _id: u64) -> u8 {
        u8::from(self.name.is_empty())
    }

    #[cached(region = users(), key_self, clone)]
    fn with(&self, _id: u64) -> u8 {
        u8::from(self.name.is_empty())
    }

    #[cached(region = users(), key = format!("{}/{id}", self.name), clone)]
    fn named(&self, id: u64) -> u8 {
        0
    }
}

struct Of<T>(T);

impl<T: 'static> Of<T> {
    #[cached(region = users(), clone)]
    fn load(&self, _id: u64) -> u8 {
        let Self(_) = self;
        0
    }
}

#[test]
fn a_key_is_the_functions_path_its_types_its_namespace_and_its_arguments() {
    let lena = Tenant { name: "Lena" };
    for (key, expected) in [
        (plain::key(), "decorator::keys::plain()"),
        (one::key(42), "decorator::keys::one(42)"),
        (named::key(42), "decorator::keys::named|eu(42)"),
        (
            strangely_named::key(42),
            r#"decorator::keys::strangely_named|"a|b (1)"(42)"#,
        ),
        (
            texts::key("a", "b\"".into(), Some("c")),
            r#"decorator::keys::texts("a","b\"",Some("c"))"#,
        ),
        (skipping::key(1, || 0), "decorator::keys::skipping(1)"),
        (
            patterns::key((1, 2), [3, 4], 5, 6),
            "decorator::keys::patterns((1,2),(3,4),5,6)",
        ),
        (
            generic::key::<u8, 2>(&1),
            "decorator::keys::generic<u8,2>(1)",
        ),
        (
            generic::key::<&str, 0>(&"a"),
            r#"decorator::keys::generic<&str,0>("a")"#,
        ),
        (unnamed::key(1_u8, 2), "decorator::keys::unnamed<u8>(1,2)"),
        (unnamed::key(1_u16, 2), "decorator::keys::unnamed<u16>(1,2)"),
        (formatted::key(42, 7), "user:42"),
        (computed::key(42), "86"),
        (r#match::key(1), "decorator::keys::match(1)"),
        (lena.without_key(1), "decorator::keys::Tenant::without(1)"),
        (
            lena.with_key(1),
            r#"decorator::keys::Tenant::with({name:"Lena"},1)"#,
        ),
        (lena.named_key(1), "Lena/1"),
        (Of(1_u8).load_key(1), "decorator::keys::Of<u8>::load(1)"),
        (Of("a").load_key(1), "decorator::keys::Of<&str>::load(1)"),
    ] {
        assert_eq!(key.unwrap(), expected);
    }
}

#[test]
fn keys_do_not_collide() {
    let pairs = [
        ("1 2", "3"),
        ("1", "2 3"),
        ("1\",\"2", "3"),
        ("1", "2\",\"3"),
        ("", "123"),
        ("123", ""),
    ];
    let keys: HashSet<_> = pairs
        .iter()
        .map(|(a, b)| texts::key(a, (*b).to_owned(), None).unwrap())
        .collect();
    assert_eq!(keys.len(), pairs.len());
    assert_ne!(unnamed::key(1, 1).unwrap(), unnamed::key("1", 1).unwrap());
    assert_ne!(
        texts::key("", String::new(), None).unwrap(),
        texts::key("", String::new(), Some("None")).unwrap()
    );
    assert_ne!(one::key(1).unwrap(), named::key(1).unwrap());
}

#[test]
fn the_pattern_of_an_argument_is_the_originals_alone() {
    assert_eq!(patterns((1, 2), [3, 4], 5, 6), 12);
}

impl Counter {
    #[cached(region = &self.users)]
    fn of_map(&self, _ids: BTreeMap<u8, char>) -> u32 {
        self.next()
    }
}

#[test]
fn a_region_can_make_keys_of_its_own() {
    let (counter, _) = Counter::new();
    let map = BTreeMap::from([(1, 'a')]);
    assert_eq!(*counter.of_map(map.clone()), 1);
    let generator = |call: &FunctionCall<'_>| {
        let arguments = call.arguments().iter();
        let arguments: Vec<_> = arguments.map(|argument| format!("{argument:?}")).collect();
        let place = (
            call.module(),
            call.self_type(),
            call.namespace(),
            call.types(),
        );
        assert_eq!(
            place,
            (
                "decorator::keys",
                Some("decorator::counter::Counter"),
                None,
                &[][..]
            )
        );
        Ok(format!("{}!{}", call.function(), arguments.join("!")))
    };
    counter.users.set_function_key_generator(generator);
    assert_eq!(
        counter.of_map_key(map.clone()).unwrap(),
        "of_map!_ids=#{1:'a'}"
    );
    assert_eq!(*counter.of_map(map.clone()), 2);
    assert_eq!(
        *counter
            .users
            .get::<u32>("of_map!_ids=#{1:'a'}")
            .unwrap()
            .unwrap(),
        2
    );
    let other = counter.users.clone();
    other.set_function_key_generator(|_: &FunctionCall<'_>| Ok("same".to_owned()));
    assert_eq!(counter.of_map_key(map).unwrap(), "same");
}

#[test]
fn the_regions_manglers_and_prefix_act_on_the_key() {
    let config = RegionConfig::on("users", "memory").key_prefix("app:");
    let (counter, _) = Counter::on(region(config));
    assert_eq!(*counter.of_map(BTreeMap::new()), 1);
    assert_eq!(
        counter.of_map_key(BTreeMap::new()).unwrap(),
        "decorator::counter::Counter::of_map(#{})"
    );
    assert!(
        counter
            .users
            .get::<u32>("decorator::counter::Counter::of_map(#{})")
            .unwrap()
            .is_some()
    );
}

mod ours {
    use std::collections::HashMap;

    use dogpile::{Region, cached, cached_multi};

    /// Arguments of the names that the attribute's own code uses.
    #[cached(
        region = users, skip(users), tags = [place.to_owned(), region.to_owned()],
        should_cache = |made: &u64| *made > *value, clone
    )]
    #[allow(clippy::too_many_arguments, reason = "that is what is tested")]
    pub(super) fn one(
        users: &Region,
        region: &str,
        key: u64,
        place: &str,
        value: &u64,
        cached: u64,
        call: u64,
    ) -> u64 {
        let _ = (users, region, place);
        key + *value + cached + call
    }

    #[cached_multi(
        region = users, skip(users), tags = [place.to_owned(), region.to_owned()],
        should_cache = |made: &u64| *made > value, clone
    )]
    pub(super) fn many(
        keys: &[u64],
        users: &Region,
        region: &str,
        key: u64,
        place: &str,
        value: u64,
        cached: u64,
    ) -> HashMap<u64, u64> {
        let _ = (users, region, place);
        keys.iter()
            .map(|one| (*one, one * 1000 + key + value + cached))
            .collect()
    }
}

#[test]
fn arguments_may_have_the_names_that_the_attribute_uses() {
    let (Counter { users, .. }, _) = Counter::new();
    assert_eq!(ours::one(&users, "r", 1, "p", &2, 3, 4), 10);
    assert_eq!(
        ours::one::get(&users, "r", 1, "p", &2, 3, 4).unwrap(),
        Some(10)
    );
    assert_eq!(ours::one(&users, "r", 2, "p", &2, 3, 4), 11);
    assert_eq!(ours::one(&users, "s", 1, "p", &2, 3, 4), 10);
    let many = |key| ours::many(&[1, 2], &users, "r", key, "p", 0, 0);
    assert_eq!(many(7), [(1, 1007), (2, 2007)].into());
    assert_eq!(many(8), [(1, 1008), (2, 2008)].into());
    let keys = |region, key| ours::many::keys(&[1], &users, region, key, "p", 0, 0).unwrap();
    assert_ne!(keys("r", 7), keys("r", 8));
    assert_ne!(keys("r", 7), keys("s", 7));
}
