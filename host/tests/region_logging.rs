//! What a region logs. One test, because whether a call site is enabled is known per process.

use std::cell::RefCell;
use std::fmt::{Debug, Write};
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use dogpile::{Clock, Error, Host, Invalidation, ManualClock, Region, RegionConfig};
use futures_executor::block_on;
use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id, Record};
use tracing::{Event, Metadata, Subscriber};

static LINES: Mutex<Vec<String>> = Mutex::new(Vec::new());

thread_local! {
    /// The spans that this thread is in.
    static SPANS: RefCell<Vec<u64>> = const { RefCell::new(Vec::new()) };
}

/// Keeps what is logged, and in how many spans.
#[derive(Default)]
struct Log(AtomicU64);

#[derive(Default)]
struct Line {
    message: String,
    fields: String,
}

impl Visit for Line {
    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        match field.name() {
            "message" => self.message = format!("{value:?}"),
            name => write!(self.fields, " {name}={value:?}").unwrap(),
        }
    }
}

fn note(line: impl Into<String>) {
    LINES.lock().unwrap().push(line.into());
}

impl Subscriber for Log {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        metadata.target() == "dogpile.cache"
    }

    fn new_span(&self, attributes: &Attributes<'_>) -> Id {
        let mut line = Line::default();
        attributes.record(&mut line);
        note(format!(
            "span {}{}",
            attributes.metadata().name(),
            line.fields
        ));
        Id::from_u64(self.0.fetch_add(1, Ordering::Relaxed) + 1)
    }

    fn record(&self, _: &Id, _: &Record<'_>) {}

    fn record_follows_from(&self, _: &Id, _: &Id) {}

    fn event(&self, event: &Event<'_>) {
        let mut line = Line::default();
        event.record(&mut line);
        note(format!("{}{}", line.message, line.fields));
    }

    fn enter(&self, span: &Id) {
        SPANS.with_borrow_mut(|spans| spans.push(span.into_u64()));
    }

    fn exit(&self, _: &Id) {
        SPANS.with_borrow_mut(|spans| spans.truncate(spans.len().saturating_sub(1)));
    }
}

fn logged() -> Vec<String> {
    std::mem::take(&mut LINES.lock().unwrap())
}

#[test]
fn misses_and_creations_are_logged_with_region_key_and_reason_and_hits_are_not() {
    tracing::subscriber::set_global_default(Log::default()).unwrap();
    let (clock, hand) = Clock::manual(4_000_000_000_000_000_000);
    let config = RegionConfig::on("users", "memory").expiration_time(Duration::from_mins(1));
    let host = Host::builder()
        .plugin(dogpile_plugin_memory::plugin())
        .region(config)
        .clock(clock)
        .build()
        .unwrap();
    let users = host.region("users").unwrap();
    logged();

    let create = || {
        assert_eq!(
            SPANS.with_borrow(Vec::len),
            1,
            "the creator runs in its span"
        );
        hand.advance(Duration::from_millis(1500));
        7
    };
    let miss = |reason: &str| {
        vec![
            format!(r#"no fresh value region="users" key="a" reason={reason}"#),
            r#"span creation region="users" key="a""#.to_owned(),
            r#"created region="users" key="a" seconds=1.5"#.to_owned(),
        ]
    };
    users.get_or_create("a", create).unwrap();
    assert_eq!(logged(), miss("Absent"));
    assert_eq!(SPANS.with_borrow(Vec::len), 0);

    users.get_or_create("a", create).unwrap();
    users.get::<i32>("a").unwrap();
    assert!(logged().is_empty(), "a hit logs nothing");

    hand.advance(Duration::from_secs(61));
    users.get_or_create("a", create).unwrap();
    assert_eq!(logged(), miss("Expired"));

    users.invalidate(Invalidation::Hard).unwrap();
    hand.advance(Duration::from_millis(1));
    logged();
    users.get_or_create("a", create).unwrap();
    assert_eq!(logged(), miss("Invalidated"));

    let long = "ö".repeat(301);
    users.get::<i32>(&long).unwrap();
    let cut = format!(
        r#"no fresh value region="users" key="{}" reason=Absent"#,
        "ö".repeat(300)
    );
    assert_eq!(logged(), [cut]);

    let mangled = host
        .configure(RegionConfig::on("mangled", "memory").key_prefix("app:"))
        .unwrap();
    mangled.get::<i32>("as the caller spells it").unwrap();
    assert_eq!(
        logged(),
        [r#"no fresh value region="mangled" key="as the caller spells it" reason=Absent"#]
    );

    let keys = ["b", "c"];
    let create_all = |keys: &[&'static str]| {
        assert_eq!(SPANS.with_borrow(Vec::len), 1, "so does that of several");
        hand.advance(Duration::from_millis(250));
        keys.iter().map(|key| (*key, 1)).collect::<Vec<_>>()
    };
    users.get_or_create_multi(&keys, create_all).unwrap();
    let expected = [
        r#"no fresh value region="users" key="b" reason=Absent"#,
        r#"no fresh value region="users" key="c" reason=Absent"#,
        r#"span creation region="users" count=2 keys="b, c""#,
        r#"created region="users" count=2 keys="b, c" seconds=0.25"#,
    ];
    assert_eq!(logged(), expected);

    // Of several keys as much is told as of one.
    let many: Vec<_> = (100..300).map(|key| key.to_string()).collect();
    users
        .get_or_create_multi(&many, |keys| {
            keys.iter().map(|key| (key.clone(), 1)).collect::<Vec<_>>()
        })
        .unwrap();
    let cut = format!("{}, ", many[..60].join(", "));
    let expected = format!(r#"created region="users" count=200 keys="{cut}" seconds=0.0"#);
    assert_eq!(cut.chars().count(), 300);
    assert_eq!(logged().pop().unwrap(), expected);

    failures_are_logged_with_their_time(&users, &hand);
}

/// However it is asked for, and never with a value.
fn failures_are_logged_with_their_time(users: &Region, hand: &ManualClock) {
    let fail = || {
        assert_eq!(SPANS.with_borrow(Vec::len), 1);
        hand.advance(Duration::from_millis(500));
        Err::<i32, _>("no row")
    };
    let fail_all = || fail().map(|value| [("x", value), ("y", value)]);
    let keys = ["x", "y"];
    type Call<'c> = Box<dyn Fn() -> Error + 'c>;
    let one: [Call<'_>; 4] = [
        Box::new(|| users.try_get_or_create("f", fail).unwrap_err()),
        Box::new(|| block_on(users.try_get_or_create_async("f", async || fail())).unwrap_err()),
        Box::new(|| users.try_refresh("f", fail).unwrap_err()),
        Box::new(|| block_on(users.try_refresh_async("f", async || fail())).unwrap_err()),
    ];
    let several: [Call<'_>; 2] = [
        Box::new(|| {
            users
                .try_get_or_create_multi(&keys, |_| fail_all())
                .unwrap_err()
        }),
        Box::new(|| {
            let call = users.try_get_or_create_multi_async(&keys, async |_| fail_all());
            block_on(call).unwrap_err()
        }),
    ];
    for (calls, what) in [
        (&one[..], r#"key="f""#),
        (&several[..], r#"count=2 keys="x, y""#),
    ] {
        for call in calls {
            let error = call();
            assert!(error.to_string().contains("no row"), "{error}");
            let lines = logged();
            let [.., span, failed] = &lines[..] else {
                panic!("{lines:?}");
            };
            assert_eq!(*span, format!(r#"span creation region="users" {what}"#));
            let expected =
                format!(r#"the creation failed region="users" {what} seconds=0.5 error={error}"#);
            // A refresh starts one microsecond after what it is to replace.
            assert_eq!(failed.replace("0.499999", "0.5"), expected);
        }
    }
}
