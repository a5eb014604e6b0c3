//! One region of a manifest.

use std::time::Duration;

use dogpile::ErrorKind;

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
fn a_manifest_that_lacks_the_region_is_refused_and_nothing_is_opened() {
    let refused = |text: &str, region: &str| {
        let site = Site::new(text);
        let builder = site.builder().watch(false);
        let error = builder.only_region(region, |_| {}).build().err().unwrap();
        assert_eq!(error.kind(), ErrorKind::NoSuchRegion);
        error.to_string()
    };
    // Opened, it would be another error.
    let closed = "\n[regions.reports]\nbackend = \"no_such\"\n";
    let others = format!("{TWO}{closed}");
    assert_eq!(
        refused(&others, "x1y2"),
        "no region `x1y2`; the manifest has `a`, `b`, `reports`"
    );
    assert_eq!(
        refused(&others, "report"),
        "no region `report`; the manifest has `a`, `b`, `reports`: did you mean `reports`?"
    );
    assert_eq!(refused("", "x"), "no region `x`; the manifest has none");
}

#[test]
fn a_region_that_is_taken_out_of_the_manifest_stays_as_it_was() {
    let site = Site::new(TWO);
    let builder = site.builder().watch(false);
    let host = builder.only_region("b", |_| {}).build().unwrap();
    site.save(&TWO.replace("[regions.b]", "[regions.c]"));
    for refused in [host.plan(), host.reload()] {
        let error = refused.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::NoSuchRegion);
        assert_eq!(
            error.to_string(),
            "no region `b`; the manifest has `a`, `c`: did you mean `a`?"
        );
    }
    assert_eq!(names(&host), ["b"]);
}
