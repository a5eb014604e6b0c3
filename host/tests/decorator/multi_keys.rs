//! What the keys of functions of several keys may be.

use std::borrow::Cow;
use std::collections::{BTreeMap, HashMap};

use dogpile::{Region, cached_multi};

use crate::counter::Counter;

#[cached_multi(region = users, skip(users), clone)]
fn texts(ids: &[&str], users: &Region) -> Vec<usize> {
    let _ = users;
    ids.iter().map(|id| id.len()).collect()
}

#[cached_multi(region = users, skip(users), clone)]
async fn texts_async(ids: &[&str], users: &Region) -> Vec<usize> {
    std::future::ready(texts::original(ids, users)).await
}

#[cached_multi(region = users, skip(users), clone)]
fn named<'a>(ids: &[&'a str], users: &Region) -> HashMap<&'a str, usize> {
    let _ = users;
    ids.iter().map(|id| (*id, id.len())).collect()
}

#[cached_multi(region = users, skip(users), clone)]
async fn named_async<'a>(ids: &[&'a str], users: &Region) -> BTreeMap<&'a str, usize> {
    std::future::ready(named::original(ids, users).into_iter().collect()).await
}

#[cached_multi(region = users, skip(users), clone)]
fn pairs(ids: &[(u8, &str)], users: &Region) -> Vec<String> {
    let _ = users;
    ids.iter().map(|(a, b)| format!("{a}{b}")).collect()
}

#[cached_multi(region = users, skip(users), clone)]
async fn pairs_async(ids: &[(u8, Cow<'_, str>)], users: &Region) -> Vec<String> {
    let _ = users;
    let made = ids.iter().map(|(a, b)| format!("{a}{b}")).collect();
    std::future::ready(made).await
}

#[cached_multi(region = users, skip(users), clone)]
fn strings(ids: &[String], users: &Region) -> Result<Vec<usize>, String> {
    let _ = users;
    let lengths = ids.iter().map(String::len);
    let lengths: Vec<_> = lengths.filter(|length| *length > 0).collect();
    (lengths.len() == ids.len())
        .then_some(lengths)
        .ok_or_else(|| "empty".into())
}

#[cached_multi(region = users, skip(users), clone)]
async fn strings_async(ids: &[String], users: &Region) -> Result<Vec<usize>, String> {
    std::future::ready(strings::original(ids, users)).await
}

#[cached_multi(region = users, skip(users), clone)]
fn owned(ids: Vec<u64>, users: &Region) -> HashMap<u64, u64> {
    let _ = users;
    ids.into_iter().map(|id| (id, id * 2)).collect()
}

#[cached_multi(region = users, skip(users), clone)]
async fn owned_async(ids: Vec<Vec<u8>>, users: &Region) -> Vec<usize> {
    let _ = users;
    std::future::ready(ids.into_iter().map(|id| id.len()).collect()).await
}

#[cached_multi(region = users, key = |id: &&str| format!("user:{id}"), clone)]
fn own_key(ids: Vec<&str>, users: &Region) -> Vec<usize> {
    let _ = users;
    ids.into_iter().map(str::len).collect()
}

impl Counter {
    #[cached_multi(region = &self.users, clone)]
    fn method(&self, ids: &[&str], more: &str) -> Vec<String> {
        let run = self.next();
        ids.iter().map(|id| format!("{id}{more}{run}")).collect()
    }

    #[cached_multi(region = &self.users, clone)]
    async fn method_async(&self, ids: &[&str], more: &str) -> Vec<String> {
        std::future::ready(self.method_original(ids, more)).await
    }
}

#[test]
fn keys_may_borrow() {
    let (Counter { users, .. }, _) = Counter::new();
    // Of no longer life than the call.
    let ids = [String::from("a"), String::from("bb")];
    let ids: Vec<&str> = ids.iter().map(String::as_str).collect();
    assert_eq!(texts(&ids, &users), [1, 2]);
    texts::set([(ids[0], 7)], &users).unwrap();
    assert_eq!(texts(&ids, &users), [7, 2]);
    assert_eq!(texts::refresh(&ids, &users), [1, 2]);
    texts::invalidate(&ids[1..], &users).unwrap();
    assert_eq!(texts::get(&ids, &users).unwrap(), [Some(1), None]);
    assert_eq!(
        texts::keys(&ids[..1], &users).unwrap(),
        [r#"decorator::multi_keys::texts("a")"#]
    );
    assert_eq!(named(&ids, &users), [("a", 1), ("bb", 2)].into());
    named::set([(ids[0], 7)], &users).unwrap();
    assert_eq!(named(&ids, &users)["a"], 7);
    assert_eq!(pairs(&[(1, ids[0]), (2, "c")], &users), ["1a", "2c"]);
    pairs::set([((1, ids[0]), "set".into())], &users).unwrap();
    assert_eq!(pairs(&[(1, "a")], &users), ["set"]);
}

#[test]
fn keys_of_asynchronous_functions_may_borrow() {
    fn may_be_spawned<T: Send>(future: T) -> T {
        future
    }
    let (counter, _) = Counter::new();
    let users = &counter.users;
    let ids = [String::from("a"), String::from("bb")];
    let ids: Vec<&str> = ids.iter().map(String::as_str).collect();
    futures_executor::block_on(async {
        assert_eq!(may_be_spawned(texts_async(&ids, users)).await, [1, 2]);
        let set = may_be_spawned(texts_async::set([(ids[0], 7)], users));
        set.await.unwrap();
        assert_eq!(texts_async(&ids, users).await, [7, 2]);
        let refresh = may_be_spawned(texts_async::refresh(&ids, users));
        assert_eq!(refresh.await, [1, 2]);
        assert_eq!(
            texts_async::get(&ids, users).await.unwrap(),
            [Some(1), Some(2)]
        );
        assert_eq!(named_async(&ids, users).await["bb"], 2);
        let pair = (1, Cow::Borrowed(ids[0]));
        assert_eq!(
            pairs_async(std::slice::from_ref(&pair), users).await,
            ["1a"]
        );
        pairs_async::set([(pair, "set".into())], users)
            .await
            .unwrap();
        let pair = (1, Cow::Owned("a".into()));
        assert_eq!(pairs_async(&[pair], users).await, ["set"]);
        assert_eq!(counter.method_async(&ids, "-").await, ["a-1", "bb-1"]);
        counter
            .method_async_set([(ids[0], "set".into())], "-")
            .await
            .unwrap();
        assert_eq!(counter.method_async(&ids, "-").await, ["set", "bb-1"]);
    });
    assert_eq!(counter.method(&ids, "-"), ["a-2", "bb-2"]);
    counter.method_set([(ids[0], "set".into())], "-").unwrap();
    assert_eq!(counter.method(&ids, "-"), ["set", "bb-2"]);
}

#[test]
fn keys_may_be_owned_and_given_as_a_list_of_ones_own() {
    let (Counter { users, .. }, _) = Counter::new();
    let ids = ["a".to_owned(), "bb".to_owned()];
    assert_eq!(strings(&ids, &users), Ok(vec![1, 2]));
    assert_eq!(owned(vec![1, 2], &users), [(1, 2), (2, 4)].into());
    owned::set([(2, 7)], &users).unwrap();
    assert_eq!(owned(vec![2, 3], &users), [(2, 7), (3, 6)].into());
    assert_eq!(owned::get(vec![1, 9], &users).unwrap(), [Some(2), None]);
    assert_eq!(owned::refresh(vec![2], &users), [(2, 4)].into());
    assert_eq!(own_key(vec!["a", "bb"], &users), [1, 2]);
    own_key::set([("a", 7)], &users).unwrap();
    assert_eq!(users.get::<usize>("user:a").unwrap().as_deref(), Some(&7));
    futures_executor::block_on(async {
        assert_eq!(strings_async(&ids, &users).await, Ok(vec![1, 2]));
        assert_eq!(owned_async(vec![vec![1], vec![1, 2]], &users).await, [1, 2]);
        owned_async::set([(vec![1], 7)], &users).await.unwrap();
        assert_eq!(owned_async::refresh(vec![vec![2, 1]], &users).await, [2]);
        assert_eq!(owned_async(vec![vec![1], vec![2, 1]], &users).await, [7, 2]);
    });
}
