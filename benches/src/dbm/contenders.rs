//! The processes' part: this program, called again.

use std::fmt::Write;
use std::fs::File;
use std::ops::Bound;
use std::process::ExitCode;
use std::time::Instant;

use dogpile::{Host, Region, RegionConfig};
use redb::backends::FileBackend;
use redb::{
    BackendError, Builder, ConcurrencyMode, Database, ReadableDatabase, StorageBackend,
    TableDefinition,
};

pub(super) const NAMES: [&str; 3] = ["dogpile", "dogpile, rw_lockfile", "redb alone"];

trait Cache {
    fn get(&self, key: &str) -> bool;
    fn set(&self, key: &str, value: &[u8]);
}

/// A region with the serializer of bytes as they are.
impl Cache for Region {
    fn get(&self, key: &str) -> bool {
        let found = Region::get::<Vec<u8>>(self, key);
        found.expect("the file can be read").is_some()
    }

    fn set(&self, key: &str, value: &[u8]) {
        Region::set(self, key, value.to_vec()).expect("the file can be written");
    }
}

fn region(file: &str, rw_lockfile: bool) -> (Host, Region) {
    let config = RegionConfig::on("bench", "dbm")
        .argument("filename", file)
        .argument("rw_lockfile", rw_lockfile)
        .serializer(dogpile::SerializerKind::Raw);
    let host = Host::builder()
        .plugin(dogpile_plugin_dbm::plugin())
        .region(config)
        .build()
        .expect("a host");
    let region = host.region("bench").expect("it is configured");
    (host, region)
}

const TABLE: TableDefinition<'_, &[u8], &[u8]> = TableDefinition::new("values");

struct Redb(Database);

impl Redb {
    fn open(file: &str) -> Self {
        let file = File::options()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .open(file);
        let file = FileBackend::new(file.expect("a file")).expect("a file");
        let database = Builder::new()
            .set_cache_size(32 << 20)
            .set_concurrency_mode(ConcurrencyMode::MultiWriter)
            .create_with_backend(Unsynced(file));
        Self(database.expect("a database"))
    }
}

impl Cache for Redb {
    fn get(&self, key: &str) -> bool {
        let read = self.0.begin_read().expect("a transaction");
        let table = read.open_table(TABLE).expect("a table");
        let found = table.get(key.as_bytes()).expect("the file can be read");
        found.map(|value| value.value().to_vec()).is_some()
    }

    fn set(&self, key: &str, value: &[u8]) {
        let write = self.0.begin_write().expect("a transaction");
        write
            .open_table(TABLE)
            .expect("a table")
            .insert(key.as_bytes(), value)
            .expect("the file can be written");
        write.commit().expect("the file can be written");
    }
}

/// A file that is not synced, as the plugin's is not unless asked.
#[derive(Debug)]
struct Unsynced(FileBackend);

impl StorageBackend for Unsynced {
    fn len(&self) -> std::io::Result<u64> {
        self.0.len()
    }

    fn read(&self, offset: u64, out: &mut [u8]) -> std::io::Result<()> {
        self.0.read(offset, out)
    }

    fn set_len(&self, length: u64) -> std::io::Result<()> {
        self.0.set_len(length)
    }

    fn sync_data(&self) -> std::io::Result<()> {
        Ok(())
    }

    fn write(&self, offset: u64, data: &[u8]) -> std::io::Result<()> {
        self.0.write(offset, data)
    }

    fn close(&self) -> std::io::Result<()> {
        self.0.close()
    }

    fn try_lock_range(&self, start: Bound<u64>, end: Bound<u64>) -> Result<bool, BackendError> {
        self.0.try_lock_range(start, end)
    }

    fn try_lock_shared_range(
        &self,
        start: Bound<u64>,
        end: Bound<u64>,
    ) -> Result<bool, BackendError> {
        self.0.try_lock_shared_range(start, end)
    }

    fn lock_range(&self, start: Bound<u64>, end: Bound<u64>) -> Result<(), BackendError> {
        self.0.lock_range(start, end)
    }

    fn lock_shared_range(&self, start: Bound<u64>, end: Bound<u64>) -> Result<(), BackendError> {
        self.0.lock_shared_range(start, end)
    }

    fn unlock_range(&self, start: Bound<u64>, end: Bound<u64>) -> Result<(), BackendError> {
        self.0.unlock_range(start, end)
    }

    fn query_lock_range(&self, start: Bound<u64>, end: Bound<u64>) -> Result<bool, BackendError> {
        self.0.query_lock_range(start, end)
    }
}

/// What a child does: `FILE CALLS KEYS SEED`.
pub(crate) fn child(name: &str, arguments: &[&str]) -> ExitCode {
    let [file, calls, keys, seed] = arguments else {
        return ExitCode::from(2);
    };
    let number = |text: &str| text.parse::<u64>().expect("a number");
    let (calls, keys, seed) = (number(calls), number(keys), number(seed));
    if name == "redb alone" {
        run(&Redb::open(file), calls, keys, seed);
    } else {
        let (_host, region) = region(file, name.ends_with("rw_lockfile"));
        run(&region, calls, keys, seed);
    }
    ExitCode::SUCCESS
}

fn run(cache: &impl Cache, calls: u64, keys: u64, seed: u64) {
    let value = vec![0; 1024];
    if seed == 0 {
        for number in 0..keys {
            cache.set(&format!("key:{number}"), &value);
        }
    }
    println!("ready");
    let mut line = String::new();
    std::io::stdin().read_line(&mut line).expect("a line");
    let mut chosen = seed * 2 + 1;
    let mut below = |end: u64| {
        chosen ^= chosen << 13;
        chosen ^= chosen >> 7;
        chosen ^= chosen << 17;
        chosen % end
    };
    let mut told = String::new();
    for _ in 0..calls {
        let key = format!("key:{}", below(keys));
        let began = Instant::now();
        let kind = if below(10) < 7 {
            assert!(cache.get(&key), "{key}");
            "get"
        } else {
            cache.set(&key, &value);
            "set"
        };
        writeln!(told, "{kind} {}", began.elapsed().as_nanos()).expect("a string has room");
    }
    print!("{told}");
}
