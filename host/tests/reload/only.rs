//! One region of a manifest.

use std::time::Duration;

use crate::support::Site;

const TWO: &str = "[regions.a]\nbackend = \"memory\"\nexpiration_time = 60\n\n[regions.b]\nbackend = \"memory\"\nexpiration_time = 60\n";

fn names(host: &dogpile::Host) -> Vec<String> {
    let regions = host.status().regions;
    regions.into_iter().map(|region| region.name).collect()
}

#[test]
fn one_region_can_be_opened_alone_and_otherwise_than_the_manifest_says_over_reloads() {
    let site = Site::new(TWO);
    let builder = site.builder().watch(false);
    let host = builder
        .only_region("b", |config| config.expiration_time = Some(Duration::ZERO))
        .build()
        .unwrap();
    assert_eq!(names(&host), ["b"]);
    let region = host.region("b").unwrap();
    region.set("k", 1).unwrap();
    assert!(!host.reload().unwrap().changed);
    site.save(&TWO.replace(
        "[regions.b]",
        "[regions.c]\nbackend = \"null\"\n\n[regions.b]\nmax_stale = 5",
    ));
    assert!(host.plan().unwrap().changed);
    assert!(host.reload().unwrap().changed);
    assert_eq!(names(&host), ["b"]);
    let metadata = region.get_value_metadata("k").unwrap().unwrap();
    region.set("l", 1).unwrap();
    let later = region.get_value_metadata("l").unwrap().unwrap();
    // It is kept for as long as the expiration time and `max_stale` say: at first 0, then 5 s.
    let kept = |metadata: dogpile::ValueMetadata| {
        metadata
            .keep_until
            .unwrap()
            .duration_since(metadata.cached_time)
            .unwrap()
    };
    assert_eq!(
        (kept(metadata), kept(later)),
        (Duration::ZERO, Duration::from_secs(5))
    );
}

#[test]
fn a_region_that_the_manifest_lacks_leaves_the_others_to_be_named() {
    let site = Site::new(TWO);
    let builder = site.builder().watch(false);
    let host = builder.only_region("x", |_| {}).build().unwrap();
    let error = host.region("x").unwrap_err().to_string();
    assert_eq!(error, "no region `x` is configured: there are `a`, `b`");
}
