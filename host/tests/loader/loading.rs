//! What is good is loaded, once per content.

use std::fs;
use std::sync::Barrier;
use std::thread;

use dogpile::loader::{Loader, loaded_images};

use crate::fixtures::{count, distinct, file, key, open, rust, rust_with};

#[test]
fn a_plugin_is_loaded_and_used() {
    let (_folder, path) = file(&rust("good"));
    let loaded = Loader::new().load(&path).unwrap();
    assert_eq!(loaded.plugin.describe().unwrap().package, "good");
    assert_eq!(loaded.path, path);
    assert_eq!(loaded.digest.len(), 64);
    assert!(loaded.rustc.starts_with("rustc "), "{}", loaded.rustc);
    assert!(!loaded.api_version.is_empty());
    let counter = open(&loaded, "counter");
    assert_eq!((count(&counter), count(&counter)), (1, 2));
    // It compares the hash that the host gives it with the key's.
    counter.set(&key("a"), &b"x".to_vec().into()).unwrap();
}

#[test]
fn inspection_tells_the_same_and_maps_nothing() {
    let (_folder, path) = file(&distinct(&rust("good"), "inspected"));
    let before = loaded_images();
    let inspected = Loader::new().inspect(&path).unwrap();
    // Other tests of this process may load meanwhile, but not these bytes.
    let loaded = Loader::new().load(&path).unwrap();
    assert!(loaded.image > before as u64);
    assert_eq!(inspected.package, "good");
    assert_eq!(inspected.digest, loaded.digest);
    assert_eq!(inspected.api_version, loaded.api_version);
    assert_eq!(inspected.rustc, loaded.rustc);
}

#[test]
fn identical_bytes_are_one_image_whichever_loader_and_path() {
    let bytes = distinct(&rust("good"), "identical");
    let ((_a, here), (_b, there)) = (file(&bytes), file(&bytes));
    let first = Loader::new().load(&here).unwrap();
    let second = Loader::new().load_as(&there, "another").unwrap();
    assert_eq!(first.image, second.image);
    assert_eq!(first.digest, second.digest);
    assert_eq!(second.path, there);
    // One image, but each instance is its own.
    let (one, other) = (open(&first, "counter"), open(&second, "counter"));
    assert_eq!((count(&one), count(&one), count(&other)), (1, 2, 1));
}

#[test]
fn a_changed_file_at_the_same_path_is_new_code_and_the_old_goes_on() {
    let (good, changed) = (rust("good"), rust_with("good", "changed"));
    let (folder, path) = file(&good);
    let loader = Loader::new();
    let first = loader.load(&path).unwrap();
    let old = open(&first, "counter");
    assert_eq!(count(&old), 1);

    // In place: the same inode, other bytes.
    fs::write(&path, &changed).unwrap();
    let second = loader.load(&path).unwrap();
    let new = open(&second, "counter");
    assert_ne!(first.image, second.image);
    assert_eq!((count(&new), count(&old)), (100, 2));

    // By a rename, and back to the first content.
    let beside = folder.path().join("beside");
    fs::write(&beside, &good).unwrap();
    fs::rename(&beside, &path).unwrap();
    let third = loader.load(&path).unwrap();
    assert_eq!(third.image, first.image);
    assert_eq!(count(&open(&third, "counter")), 1);

    fs::remove_file(&path).unwrap();
    assert_eq!((count(&old), count(&new)), (3, 200));
}

#[test]
fn many_swaps_at_one_path_give_new_code_each_time() {
    let kinds = [rust("good"), rust_with("good", "changed")];
    let (_folder, path) = file(b"");
    let mut images = Vec::new();
    for turn in 0..20 {
        fs::write(
            &path,
            distinct(&kinds[turn % 2], &format!("swapped {turn}")),
        )
        .unwrap();
        let loaded = Loader::new().load(&path).unwrap();
        let expected = [1, 100][turn % 2];
        assert_eq!(count(&open(&loaded, "counter")), expected);
        images.push(loaded.image);
    }
    assert!(images.is_sorted_by(|one, next| one < next), "{images:?}");
}

#[test]
fn threads_which_load_at_once_share_what_is_the_same() {
    let good = rust("good");
    let shared = file(&distinct(&good, "shared by threads"));
    let own: Vec<_> = (0..4)
        .map(|thread| file(&distinct(&good, &format!("of thread {thread}"))))
        .collect();
    let start = Barrier::new(own.len());
    let images: Vec<_> = thread::scope(|scope| {
        let threads: Vec<_> = own
            .iter()
            .map(|(_folder, own)| {
                scope.spawn(|| {
                    start.wait();
                    let shared = Loader::new().load(&shared.1).unwrap();
                    let own = Loader::new().load(own).unwrap();
                    assert_eq!(count(&open(&own, "counter")), 1);
                    assert_eq!(count(&open(&shared, "counter")), 1);
                    (shared.image, own.image)
                })
            })
            .collect();
        threads
            .into_iter()
            .map(|thread| thread.join().unwrap())
            .collect()
    });
    assert!(
        images.iter().all(|image| image.0 == images[0].0),
        "{images:?}"
    );
    let mut distinct: Vec<_> = images.iter().map(|image| image.1).collect();
    distinct.push(images[0].0);
    distinct.sort_unstable();
    distinct.dedup();
    assert_eq!(distinct.len(), 5, "{images:?}");
}
