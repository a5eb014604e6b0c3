//! Values as their holders see them.

#![forbid(unsafe_code)]

use std::sync::Arc;

use dogpile_plugin_api::{Key, Metadata, Object, Value, keep_unreferenced};

const METADATA: Metadata = Metadata {
    created: 7,
    started: 5,
    keep_until: 9,
    weight: 0,
};

fn key(text: &str) -> Key<'_> {
    Key::new(text, 42)
}

#[test]
fn bytes_come_back_as_they_went_in_whatever_the_key() {
    for length in [0, 1, 7, 8, 63, 64, 1000] {
        let text = "k".repeat(length);
        let bytes: Vec<u8> = (0..=255).cycle().take(length * 3).collect();
        for value in [
            Value::copied(&METADATA, key(&text), &bytes),
            Value::with(&METADATA, key(&text), bytes.clone()),
        ] {
            assert_eq!(value.as_bytes(), Some(&bytes[..]));
            assert_eq!(value.key(), text);
            assert_eq!(value.key_hash(), 42);
            assert!(!value.is_object());
            let metadata = value.metadata();
            assert_eq!(
                (metadata.created, metadata.started, metadata.keep_until),
                (7, 5, 9)
            );
            assert!(value.weight() as usize >= bytes.len());
        }
    }
}

#[test]
fn a_given_vec_is_not_copied() {
    let bytes = vec![1_u8; 100];
    let address = bytes.as_ptr();
    let value = Value::from(bytes);
    assert_eq!(value.as_bytes().unwrap().as_ptr(), address);
    assert_eq!(value.clone().as_bytes().unwrap().as_ptr(), address);
}

#[test]
fn what_a_given_vec_has_to_spare_counts() {
    let spare = |capacity| {
        let mut bytes = Vec::with_capacity(capacity);
        bytes.push(1);
        Value::with(&METADATA, key("k"), bytes).weight()
    };
    assert_eq!(spare(10_000) - spare(1), 9_999);
    let given = Metadata {
        weight: 3,
        ..METADATA
    };
    assert_eq!(
        Value::with(&given, key("k"), Vec::with_capacity(9)).weight(),
        3
    );
}

#[test]
fn an_object_is_given_back_only_as_what_it_is() {
    let object = Object::new(&METADATA, key("k"), String::from("text"));
    let value = object.clone().into_value();
    assert!(value.is_object());
    assert_eq!(value.as_bytes(), None);
    let value = Object::<Vec<u8>>::from_value(value).unwrap_err();
    let value = Object::<&'static str>::from_value(value).unwrap_err();
    assert_eq!(*Object::<String>::from_value(value).unwrap(), "text");
    assert!(Object::<String>::from_value(Value::from(vec![1])).is_err());
}

#[test]
fn objects_of_every_alignment_lie_aligned() {
    #[repr(align(1024))]
    struct Wide([u8; 3]);
    for length in 0..70 {
        let text = "k".repeat(length);
        let wide = Object::new(&METADATA, key(&text), Wide([1, 2, 3]));
        assert_eq!((&raw const *wide).addr() % 1024, 0);
        assert_eq!(wide.0, [1, 2, 3]);
        assert_eq!(*Object::new(&METADATA, key(&text), u128::MAX), u128::MAX);
        assert_eq!(*Object::new(&METADATA, key(&text), ()), ());
    }
}

#[test]
fn the_last_reference_drops_the_object_once() {
    let counted = Arc::new(());
    let object = Object::new(&METADATA, key("k"), Arc::clone(&counted));
    let values: Vec<Value> = (0..10).map(|_| object.as_value().clone()).collect();
    assert_eq!(object.as_value().references(), 11);
    drop(object);
    assert_eq!(Arc::strong_count(&counted), 2);
    drop(values);
    assert_eq!(Arc::strong_count(&counted), 1);
}

#[test]
fn references_are_counted_over_threads() {
    let counted = Arc::new(());
    let value = Object::new(&METADATA, key("k"), Arc::clone(&counted)).into_value();
    std::thread::scope(|scope| {
        for _ in 0..4 {
            let value = value.clone();
            scope.spawn(move || {
                for _ in 0..100 {
                    drop(value.clone());
                }
            });
        }
    });
    assert_eq!(value.references(), 1);
    drop(value);
    assert_eq!(Arc::strong_count(&counted), 1);
}

#[test]
fn what_loses_its_last_reference_in_a_call_that_keeps_it_is_dropped_after_it() {
    let counted = Arc::new(());
    let object = || Object::new(&METADATA, key("k"), Arc::clone(&counted)).into_value();
    let with_extra = || Object::with_extra(&METADATA, key("k"), Arc::clone(&counted), 7_u8);
    let (referenced, moved) = (object(), object());
    let ((), kept) = keep_unreferenced(|| {
        drop(referenced.clone());
        drop(object());
        drop(with_extra());
        // The inner call's is kept for the outer one when it is dropped there.
        drop(keep_unreferenced(|| drop(object())));
        std::thread::scope(|scope| scope.spawn(|| drop(moved)).join().unwrap());
        assert_eq!(Arc::strong_count(&counted), 5);
    });
    assert_eq!(Arc::strong_count(&counted), 5);
    std::thread::spawn(|| drop(kept)).join().unwrap();
    assert_eq!(Arc::strong_count(&counted), 2);
    drop(referenced);
    assert_eq!(Arc::strong_count(&counted), 1);
}

#[test]
fn a_call_that_panics_drops_what_it_kept_and_keeps_nothing_any_more() {
    let counted = Arc::new(());
    let object = || Object::new(&METADATA, key("k"), Arc::clone(&counted)).into_value();
    let call = || {
        keep_unreferenced(|| {
            drop(object());
            panic!("on purpose");
        })
    };
    assert!(std::panic::catch_unwind(std::panic::AssertUnwindSafe(call)).is_err());
    assert_eq!(Arc::strong_count(&counted), 1);
    drop(object());
    assert_eq!(Arc::strong_count(&counted), 1);
}

#[test]
fn an_object_whose_drop_panics_is_freed_and_the_panic_stays_inside() {
    struct Panics;
    impl Drop for Panics {
        fn drop(&mut self) {
            panic!("in drop");
        }
    }
    drop(Object::new(&METADATA, key("k"), Panics));
}

#[test]
fn what_is_past_its_keep_until_is_unwanted() {
    let value = Value::copied(&METADATA, key("k"), b"");
    assert!(!value.is_unwanted(8));
    assert!(value.is_unwanted(9));
    let forever = Value::copied(
        &Metadata {
            keep_until: 0,
            ..METADATA
        },
        key("k"),
        b"",
    );
    assert!(!forever.is_unwanted(u64::MAX));
}

#[repr(align(64))]
struct Wide(u8);

#[test]
fn an_extra_travels_with_its_object_whatever_their_sizes() {
    fn check<T: Send + Sync + 'static>(make: impl Fn() -> T, same: impl Fn(&T) -> bool) {
        for length in [0, 1, 7, 8, 63, 64] {
            let text = "k".repeat(length);
            let object = Object::with_extra(&METADATA, key(&text), make(), String::from("extra"));
            assert!(same(&object));
            let value = object.into_value();
            assert_eq!(value.extra::<String>().map(String::as_str), Some("extra"));
            assert_eq!(value.extra::<Vec<u8>>(), None);
            assert_eq!(value.key(), text);
            let value = Object::<T>::from_value_without_extra(value)
                .err()
                .expect("it has one");
            assert!(same(&Object::<T>::from_value(value).expect("it is one")));
        }
    }
    check(|| (), |()| true);
    check(|| 7_u8, |byte| *byte == 7);
    check(|| String::from("text"), |text| text == "text");
    check(|| Wide(5), |wide| wide.0 == 5);
}

#[test]
fn other_values_have_no_extra() {
    let object = Object::new(&METADATA, key("k"), 7_u64).into_value();
    assert_eq!(object.extra::<u64>(), None);
    assert_eq!(*Object::<u64>::from_value_without_extra(object).unwrap(), 7);
    let bytes = Value::copied(&METADATA, key("k"), &[0; 200]);
    assert_eq!(bytes.extra::<u64>(), None);
    assert!(Object::<u64>::from_value_without_extra(bytes).is_err());
}

#[test]
fn an_object_and_its_extra_are_dropped_once_even_if_the_object_panics() {
    struct Counted {
        _count: Arc<()>,
        panics: bool,
    }
    impl Drop for Counted {
        fn drop(&mut self) {
            assert!(!self.panics, "as the test wants it");
        }
    }
    for panics in [false, true] {
        let count = Arc::new(());
        let object = Counted {
            _count: Arc::clone(&count),
            panics,
        };
        let value =
            Object::with_extra(&METADATA, key("k"), object, Arc::clone(&count)).into_value();
        let other = value.clone();
        drop(value);
        assert_eq!(Arc::strong_count(&count), 3);
        drop(other);
        assert_eq!(Arc::strong_count(&count), 1, "{panics}");
    }
}
