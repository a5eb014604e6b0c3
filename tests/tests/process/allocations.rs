//! A hit on the memory backend copies nothing and allocates nothing, whether it is linked in or loaded from its file, and
//! neither does one on a cached template there.

use std::fs;
use std::ptr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use dogpile::loader::Loader;
use dogpile::{Host, Region, RegionConfig, Source, TemplatesConfig};
use dogpile_templates::{Template, TemplateOutcome, ViewCache};
use dogpile_tests::plugin_file;
use serde::{Deserialize, Serialize};

use crate::c_library::{Calls, during};

const HITS: usize = 1000;

#[derive(Serialize, Deserialize)]
struct Page {
    title: String,
    lines: Vec<String>,
}

fn page() -> Page {
    Page {
        title: "a title".to_owned(),
        lines: vec!["a line".to_owned(); 20],
    }
}

/// With the plugin in the test's own image.
fn linked() -> Region {
    let config = RegionConfig::on("pages", "memory").expiration_time(Duration::from_hours(1));
    let host = Host::builder()
        .plugin(dogpile_plugin_memory::plugin())
        .region(config)
        .build();
    host.unwrap().region("pages").unwrap()
}

/// With the plugin in an image of its own.
fn loaded() -> Region {
    let folder = tempfile::tempdir().unwrap();
    let manifest = folder.path().join("dogpile.toml");
    let library = plugin_file("memory");
    let text = format!(
        "version = 1\n[host]\nplugin_dir = \"{}\"\n[plugins.memory]\n\
         [regions.pages]\nbackend = \"memory\"\nexpiration_time = \"1h\"\n",
        library.parent().unwrap().display()
    );
    fs::write(&manifest, text).unwrap();
    let host = Host::builder().manifest(manifest).watch(false).build();
    host.unwrap().region("pages").unwrap()
}

fn each(test: impl Fn(Region)) {
    test(linked());
    test(loaded());
}

#[test]
fn a_hit_allocates_nothing_and_gives_the_same_address_back() {
    each(|pages| {
        let first = pages.get_or_create("page", page).unwrap();
        assert_eq!(first.source(), Source::Created);
        let hit = || pages.get_or_create::<Page>("page", || unreachable!("it is there"));
        // A thread's first calls set up what it counts and reads by.
        drop(hit().unwrap());
        let ((), calls) = during(|| {
            for _ in 0..HITS {
                let hit = hit().unwrap();
                assert_eq!(hit.source(), Source::Fresh);
                assert!(ptr::eq(&raw const *hit, &raw const *first));
                assert!(ptr::eq(hit.title.as_ptr(), first.title.as_ptr()));
                assert!(ptr::eq(hit.lines.as_ptr(), first.lines.as_ptr()));
            }
        });
        assert_eq!(calls, Calls::default());
        assert_eq!(pages.stats().hits, HITS as u64 + 1);
    });
}

#[test]
fn a_look_and_a_clone_allocate_nothing() {
    each(|pages| {
        let first = pages.set("page", page()).unwrap();
        drop(pages.get::<Page>("page").unwrap());
        let ((), calls) = during(|| {
            for _ in 0..HITS {
                let hit = pages.get::<Page>("page").unwrap().unwrap();
                let clone = hit.clone();
                assert!(ptr::eq(&raw const *clone, &raw const *first));
            }
        });
        assert_eq!(calls, Calls::default());
    });
}

#[test]
fn a_hit_on_a_part_of_a_template_allocates_nothing() {
    let host = Host::builder()
        .plugin(dogpile_plugin_memory::plugin())
        .plugin(dogpile_plugin_template_cache::plugin())
        .region(RegionConfig::on("pages", "memory"))
        .templates(TemplatesConfig::new("template-cache"))
        .build()
        .unwrap();
    let cache = ViewCache::new(&host);
    let orders = Template::new("mine", "orders.html", "digest");
    let row = |id: u32| {
        let row = cache.fragment(&orders, "row").key(&id).key(&"ann");
        row.get_or_create(|| Ok::<_, std::fmt::Error>(id.to_string()))
            .unwrap()
    };
    // The first makes it, and the second leaves its key's room to those after it.
    assert_eq!(row(42).outcome(), TemplateOutcome::Created);
    assert_eq!(row(42).outcome(), TemplateOutcome::Fresh);
    let ((), calls) = during(|| {
        for _ in 0..HITS {
            let hit = row(42);
            assert_eq!((hit.outcome(), &*hit), (TemplateOutcome::Fresh, "42"));
        }
    });
    assert_eq!(calls, Calls::default());
}

#[test]
fn a_hit_of_another_thread_gives_the_same_address_back() {
    each(|pages| {
        let first = pages.set("page", page()).unwrap();
        std::thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| {
                    drop(pages.get::<Page>("page").unwrap());
                    let (hit, calls) = during(|| pages.get::<Page>("page").unwrap().unwrap());
                    assert!(ptr::eq(&raw const *hit, &raw const *first));
                    assert_eq!(calls, Calls::default());
                });
            }
        });
    });
}

/// Counts the values of this type that are gone.
struct Counted(&'static AtomicUsize);

impl Drop for Counted {
    fn drop(&mut self) {
        self.0.fetch_add(1, Ordering::SeqCst);
    }
}

#[test]
fn a_value_is_dropped_once_with_the_last_that_refers_to_it() {
    each(|pages| {
        let dropped: &'static AtomicUsize = Box::leak(Box::default());
        let gone = || dropped.load(Ordering::SeqCst);
        let objects = pages.objects().unwrap();
        let created = objects.get_or_create("a", || Counted(dropped)).unwrap();
        let mut hits: Vec<_> = (0..100)
            .map(|_| objects.get::<Counted>("a").unwrap().unwrap())
            .collect();
        hits.extend(hits.clone());
        // The backend's own reference goes; then the callers', the last of which counts.
        pages.delete("a").unwrap();
        drop(created);
        let last = hits.pop().unwrap();
        drop(hits);
        assert_eq!(gone(), 0);
        drop(last);
        assert_eq!(gone(), 1);

        // The callers' go; then the backend's own, which is one.
        drop(objects.set("b", Counted(dropped)).unwrap());
        drop(objects.get::<Counted>("b").unwrap());
        assert_eq!(gone(), 1);
        drop(objects.set("b", Counted(dropped)).unwrap());
        assert_eq!(gone(), 2);
        pages.delete("b").unwrap();
        assert_eq!(gone(), 3);
    });
}

#[test]
fn what_a_loaded_plugin_allocates_is_counted() {
    let linked = dogpile_plugin_memory::plugin();
    let loaded = Loader::new().load(&plugin_file("memory")).unwrap().plugin;
    let [linked, loaded] = [linked, loaded].map(|plugin| {
        plugin.describe().unwrap();
        let (described, calls) = during(|| plugin.describe());
        assert_eq!(described.unwrap().package, "dogpile-plugin-memory");
        calls
    });
    // Most of it is the plugin's own work.
    assert!(linked.allocations > 50, "{linked:?}");
    assert_eq!(linked, loaded);
}

#[test]
fn a_miss_is_counted() {
    each(|pages| {
        let (_, calls) = during(|| pages.get_or_create("page", page).unwrap());
        assert!(calls.allocations > 20, "{calls:?}");
        let (kept, calls) = during(|| Box::new(page()));
        assert_eq!(calls.allocations, 23);
        let ((), calls) = during(|| drop(kept));
        assert_eq!(calls.frees, 23);
    });
}
