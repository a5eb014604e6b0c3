//! Functions whose values carry tags.

use std::collections::HashMap;

use dogpile::{Invalidation, cached, cached_multi};

use crate::counter::Counter;

impl Counter {
    #[cached(region = &self.users, tags = ["orders".to_owned(), format!("user:{user}")], clone)]
    fn orders(&self, user: u32) -> u32 {
        self.next()
    }

    #[cached(region = &self.users, tags = ["orders"], background, clone)]
    async fn tagged(self: std::sync::Arc<Self>) -> u32 {
        self.next()
    }

    #[cached_multi(region = &self.users, tags = [format!("shop:{shop}")], clone)]
    fn stock(&self, items: &[u32], shop: u32) -> HashMap<u32, u32> {
        let run = self.next() + shop;
        items.iter().map(|item| (*item, run)).collect()
    }
}

#[test]
fn what_a_function_stores_is_outdated_by_each_of_its_tags() {
    let (counter, _) = Counter::new();
    let invalidate = |tag: &str| {
        counter
            .users
            .invalidate_tags([tag], Invalidation::Hard)
            .unwrap();
    };
    assert_eq!((counter.orders(1), counter.orders(2)), (1, 2));
    invalidate("user:1");
    assert_eq!((counter.orders(1), counter.orders(2)), (3, 2));
    invalidate("orders");
    assert_eq!((counter.orders(1), counter.orders(2)), (4, 5));
    counter.orders_set(9, 1).unwrap();
    assert_eq!(counter.orders(1), 9);
    invalidate("user:1");
    assert_eq!(counter.orders_get(1).unwrap(), None);
    assert_eq!(counter.orders_refresh(1), 6);
    invalidate("user:1");
    assert_eq!(counter.orders(1), 7);
}

#[test]
fn an_asynchronous_function_in_the_background_has_tags_too() {
    let counter = std::sync::Arc::new(Counter::new().0);
    let call = || futures_executor::block_on(std::sync::Arc::clone(&counter).tagged());
    assert_eq!((call(), call()), (1, 1));
    counter
        .users
        .invalidate_tags(["orders"], Invalidation::Hard)
        .unwrap();
    assert_eq!(call(), 2);
}

#[test]
fn a_function_of_several_keys_gives_all_of_a_call_its_tags() {
    let (counter, _) = Counter::new();
    assert_eq!(counter.stock(&[1, 2], 0), HashMap::from([(1, 1), (2, 1)]));
    assert_eq!(counter.stock(&[1], 10), HashMap::from([(1, 12)]));
    counter
        .users
        .invalidate_tags(["shop:0"], Invalidation::Hard)
        .unwrap();
    assert_eq!(counter.stock(&[1, 2], 0), HashMap::from([(1, 3), (2, 3)]));
    assert_eq!(counter.stock(&[1], 10), HashMap::from([(1, 12)]));
    counter.stock_set([(1, 8)], 0).unwrap();
    counter
        .users
        .invalidate_tags(["shop:0"], Invalidation::Hard)
        .unwrap();
    assert_eq!(counter.stock_get(&[1], 0).unwrap(), [None]);
}
