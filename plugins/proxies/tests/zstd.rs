//! What `zstd` stores, and what it reads.

#![forbid(unsafe_code)]

use std::sync::Mutex;

use dogpile_plugin_api::testing::{Offered, TestHost, host};
use dogpile_plugin_api::{
    Backend, BackendInstance, ErrorKind, Guarded, HostContext, Key, Lease, Metadata, NoArguments,
    Plugin, Result, Storage, Value,
};
use dogpile_plugin_proxies::plugin;

/// What was stored last, whatever the key.
static STORED: Mutex<Option<Value>> = Mutex::new(None);

/// Shows what it stores. Its guarded store refuses a lease of 0.
struct Shows;

impl Backend for Shows {
    type Arguments = NoArguments;

    fn open(_: NoArguments, _: &HostContext) -> Result<Self> {
        Ok(Self)
    }

    fn get(&self, _: &Key) -> Result<Option<Value>> {
        Ok(STORED.lock().unwrap().clone())
    }

    fn set(&self, _: &Key, value: &Value) -> Result<()> {
        *STORED.lock().unwrap() = Some(value.clone());
        Ok(())
    }

    fn set_guarded(&self, key: &Key, value: &Value, lease: &Lease) -> Result<Guarded> {
        match lease.tag {
            0 => Ok(Guarded::LeaseLost),
            _ => self.set(key, value).map(|()| Guarded::Stored),
        }
    }

    fn delete(&self, _: &Key) -> Result<()> {
        Ok(())
    }

    fn storage(&self) -> Storage {
        Storage::Objects
    }
}

fn key() -> Key<'static> {
    Key::new("key", 1)
}

fn open(host: &TestHost, arguments: &str) -> Result<BackendInstance> {
    let backend = Offered {
        plugin: Plugin::of_backend::<Shows>("shows"),
        name: "shows",
        arguments: "{}",
    };
    let zstd = Offered {
        plugin: plugin(),
        name: "zstd",
        arguments,
    };
    host.open(backend, &[zstd])
}

fn value(bytes: &[u8]) -> Value {
    let metadata = Metadata {
        created: 1,
        started: 2,
        keep_until: 3,
        weight: 4,
    };
    Value::copied(&metadata, key(), bytes)
}

/// When it was created and started, and how long it is kept.
fn times(value: &Value) -> [u64; 3] {
    let metadata = value.metadata();
    [metadata.created, metadata.started, metadata.keep_until]
}

fn stored() -> Vec<u8> {
    let stored = STORED.lock().unwrap();
    let stored = stored.as_ref().expect("something is stored");
    stored.as_bytes().expect("it is bytes").to_vec()
}

fn store_behind(bytes: &[u8]) {
    *STORED.lock().unwrap() = Some(value(bytes));
}

fn bytes(value: Option<Value>) -> Vec<u8> {
    value.expect("it is there").as_bytes().unwrap().to_vec()
}

fn damage_and_bombs(host: &TestHost, zstd: &BackendInstance, long: &[u8]) {
    // No damaged frame is taken for a value: each bit of one is flipped.
    zstd.set(&key(), &value(long)).unwrap();
    let whole = stored();
    for bit in 0..whole.len() * 8 {
        let mut damaged = whole.clone();
        damaged[bit / 8] ^= 1 << (bit % 8);
        store_behind(&damaged);
        let read = bytes(zstd.get(&key()).unwrap());
        assert!(read == damaged || read == long, "bit {bit}");
    }

    // A few bytes do not become many.
    let careful = open(host, r#"{"max_size": 2000}"#).unwrap();
    for (size, decodes) in [(2000, true), (2001, false), (100_000_000, false)] {
        let bomb = zstd::bulk::compress(&vec![b'7'; size], 3).unwrap();
        store_behind(&bomb);
        let read = bytes(careful.get(&key()).unwrap());
        assert_eq!(read == bomb, !decodes, "{size}");
        assert_eq!(read == vec![b'7'; size], decodes, "{size}");
    }
    // Nor is compressed what could not be read.
    let longer = b"7".repeat(2001);
    careful.set(&key(), &value(&longer)).unwrap();
    assert_eq!(stored(), longer);
    assert_eq!(bytes(careful.get(&key()).unwrap()), longer);
    let looks_packed = [b"\x28\xb5\x2f\xfd", &longer[..]].concat();
    let refused = careful.set(&key(), &value(&looks_packed)).unwrap_err();
    assert_eq!(refused.kind(), ErrorKind::Refused);
}

/// One test, since all share what is stored.
#[test]
fn values_are_compressed_and_what_is_stored_is_read_whoever_wrote_it() {
    let host = host();
    let zstd = open(&host, "{}").unwrap();
    assert_eq!(zstd.properties().storage, Storage::Bytes);
    let long = br#"{"ct": 1, "v": 2}|"#.repeat(100);

    // A long value is a frame that any Zstandard decodes, with the value's times.
    zstd.set(&key(), &value(&long)).unwrap();
    assert!(stored().len() < long.len() / 10, "{}", stored().len());
    assert_eq!(zstd::stream::decode_all(&*stored()).unwrap(), long);
    let packed = STORED.lock().unwrap().clone().unwrap();
    assert_eq!(times(&packed), [1, 2, 3]);
    assert!((5..200).contains(&packed.weight()), "{}", packed.weight());
    let read = zstd.get(&key()).unwrap().unwrap();
    assert_eq!((read.as_bytes().unwrap(), read.key()), (&*long, "key"));
    assert_eq!(times(&read), [1, 2, 3]);
    assert_eq!(bytes(zstd.get_fresh(&key()).unwrap()), long);
    let keys = [key(), key()];
    for many in [zstd.get_multi(&keys), zstd.get_multi_fresh(&keys)] {
        let many = many.unwrap().into_iter();
        assert_eq!(many.map(bytes).collect::<Vec<_>>(), [&*long, &*long]);
    }

    // So do the other ways to store.
    let lease = |tag| Lease::new([0; 16], 0).tagged(tag);
    for store in [
        &|| zstd.set_multi(&[(key(), value(&long))]).unwrap(),
        &|| {
            let many = [1, 0].map(|tag| (key(), value(&long), lease(tag)));
            let outcomes = zstd.set_guarded_multi(&many).unwrap();
            assert_eq!(outcomes, [Guarded::Stored, Guarded::LeaseLost]);
        },
        &|| {
            let guarded = |tag| {
                zstd.set_guarded(&key(), &value(&long), &lease(tag))
                    .unwrap()
            };
            assert_eq!(guarded(0), Guarded::LeaseLost);
            assert_eq!(guarded(1), Guarded::Stored);
        },
    ] as [&dyn Fn(); 3]
    {
        store_behind(b"");
        store();
        assert_eq!(zstd::stream::decode_all(&*stored()).unwrap(), long);
    }

    // What is short or does not shrink stays.
    zstd.set(&key(), &value(&long[..255])).unwrap();
    assert_eq!(stored(), &long[..255]);
    let mut seed = 1_u32;
    let noise: Vec<u8> = std::iter::repeat_with(|| {
        seed = seed.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        seed.to_be_bytes()[0]
    })
    .take(1000)
    .collect();
    zstd.set(&key(), &value(&noise)).unwrap();
    assert_eq!(stored(), noise);

    // Values from before the proxy are read, and others' that look like frames are left alone.
    for other in [
        &long[..],
        b"",
        b"\x28\xb5\x2f\xfd",
        b"\x28\xb5\x2f\xfdno frame at all",
    ] {
        store_behind(other);
        assert_eq!(bytes(zstd.get(&key()).unwrap()), other);
    }

    damage_and_bombs(&host, &zstd, &long);

    // A value that is a frame itself comes back as one.
    let frame = zstd::bulk::compress(&long, 3).unwrap();
    zstd.set(&key(), &value(&frame)).unwrap();
    assert_ne!(stored(), frame);
    assert_eq!(bytes(zstd.get(&key()).unwrap()), frame);

    // Each level gives the value back.
    for level in [-7, 1, 22] {
        let zstd = open(&host, &format!(r#"{{"level": {level}, "min_size": 0}}"#)).unwrap();
        zstd.set(&key(), &value(&long)).unwrap();
        assert!(stored().len() < long.len());
        assert_eq!(bytes(zstd.get(&key()).unwrap()), long);
    }
    for level in [-8, 23] {
        let error = open(&host, &format!(r#"{{"level": {level}}}"#))
            .err()
            .unwrap();
        assert_eq!(
            (error.kind(), error.place()),
            (ErrorKind::Arguments, Some("level"))
        );
    }
}
