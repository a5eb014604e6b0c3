//! Under which key a page is stored.

use std::collections::BTreeMap;
use std::fmt::Write;

/// What a page with its query is stored under.
///
/// Each part stands behind its length, so that no two pages have one key, whatever is asked for. The query is sorted,
/// and of equal names the last counts, as it does for the template.
pub(super) fn key(page: &str, query: &[(String, String)], digest: &str) -> String {
    let query: BTreeMap<_, _> = query.iter().map(|(name, value)| (name, value)).collect();
    let mut key = String::new();
    let mut part = |text: &str| {
        write!(key, "{}:{text}", text.len()).expect("writing to a string does not fail");
    };
    part(page);
    for (name, value) in query {
        part(name);
        part(value);
    }
    part(digest);
    key
}

#[cfg(test)]
mod tests {
    use super::*;

    fn keyed(query: &[(&str, &str)]) -> String {
        let query: Vec<_> = query
            .iter()
            .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
            .collect();
        key("a.html", &query, "d")
    }

    #[test]
    fn queries_that_mean_the_same_share_a_key() {
        assert_eq!(
            keyed(&[("a", "1"), ("b", "2")]),
            keyed(&[("b", "2"), ("a", "1")])
        );
        assert_eq!(keyed(&[("a", "0"), ("a", "1")]), keyed(&[("a", "1")]));
        assert_eq!(keyed(&[("a", "1")]), "6:a.html1:a1:11:d");
    }

    #[test]
    fn parts_cannot_be_shifted_into_each_other() {
        let different = [
            keyed(&[]),
            keyed(&[("a", "")]),
            keyed(&[("", "a")]),
            keyed(&[("a", "b1:c1:d")]),
            keyed(&[("a", "b"), ("c", "d")]),
            keyed(&[("ab", "")]),
        ];
        for (at, one) in different.iter().enumerate() {
            assert!(!different[..at].contains(one), "{one}");
        }
        assert_ne!(key("a", &[], "b"), key("a1:b", &[], ""));
    }
}
