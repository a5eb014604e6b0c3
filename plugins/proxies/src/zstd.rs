use std::io::Read;

use dogpile_plugin_api::schemars;
use dogpile_plugin_api::serde::{self, Deserialize};
use dogpile_plugin_api::tracing;
use dogpile_plugin_api::{
    Error, ErrorKind, Guarded, HostContext, JsonSchema, Key, Lease, Metadata, Proxied, Proxy,
    Result, Storage, Value,
};

/// What every frame begins with (RFC 8878, 3.1.1). A value that begins with it is always compressed once more, so what
/// is read with it was compressed here.
const MAGIC: [u8; 4] = 0xFD2F_B528_u32.to_le_bytes();

/// A value's bytes must be shorter.
const LIMIT: u64 = u32::MAX as u64;

/// The proxy `zstd`.
pub struct Zstd {
    proxied: Proxied,
    arguments: ZstdArguments,
}

/// The arguments of `zstd`.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(crate = "serde", deny_unknown_fields, default)]
#[schemars(crate = "schemars")]
pub struct ZstdArguments {
    /// How hard it tries, from -7 (fast) to 22 (small).
    pub level: i32,
    /// Shorter values stay as they are, in bytes.
    pub min_size: usize,
}

impl Default for ZstdArguments {
    fn default() -> Self {
        Self {
            level: zstd::DEFAULT_COMPRESSION_LEVEL,
            min_size: 256,
        }
    }
}

impl Zstd {
    /// What is stored in place of a value: the value itself if nothing would be gained.
    fn packed(&self, key: &Key<'_>, value: &Value) -> Result<Value> {
        let Some(bytes) = value.as_bytes() else {
            return Ok(value.clone());
        };
        let must = bytes.starts_with(&MAGIC);
        if bytes.len() < self.arguments.min_size && !must {
            return Ok(value.clone());
        }
        let packed = zstd::bulk::compress(bytes, self.arguments.level)
            .map_err(|error| Error::new(ErrorKind::Other, format!("zstd: {error}")))?;
        if packed.len() >= bytes.len() && !must {
            return Ok(value.clone());
        }
        Ok(in_place_of(value, key, packed))
    }
}

/// A value with the times of another. It weighs what it takes itself.
fn in_place_of(value: &Value, key: &Key<'_>, mut bytes: Vec<u8>) -> Value {
    let metadata = Metadata {
        weight: 0,
        ..value.metadata()
    };
    // A compressor's buffer has room for what cannot be compressed.
    bytes.shrink_to_fit();
    Value::with(&metadata, *key, bytes)
}

/// What was stored as `value`.
fn unpacked(key: &Key<'_>, value: Value) -> Value {
    let Some(frame) = value.as_bytes().filter(|bytes| bytes.starts_with(&MAGIC)) else {
        return value;
    };
    match decoded(frame) {
        Ok(bytes) => in_place_of(&value, key, bytes),
        // The host finds that it did not write that.
        Err(error) => {
            tracing::debug!(%error, "a stored value begins as a Zstandard frame, and is none");
            value
        }
    }
}

fn decoded(frame: &[u8]) -> std::io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    let decoder = zstd::stream::read::Decoder::with_buffer(frame)?;
    let read = decoder.take(LIMIT).read_to_end(&mut bytes)?;
    if read as u64 == LIMIT {
        return Err(std::io::Error::other("it is longer than a value may be"));
    }
    Ok(bytes)
}

impl Proxy for Zstd {
    type Arguments = ZstdArguments;

    fn open(arguments: ZstdArguments, proxied: Proxied, _: &HostContext) -> Result<Self> {
        if !(-7..=22).contains(&arguments.level) {
            return Err(Error::argument("level", "must be from -7 to 22"));
        }
        Ok(Self { proxied, arguments })
    }

    fn proxied(&self) -> &Proxied {
        &self.proxied
    }

    fn get(&self, key: &Key) -> Result<Option<Value>> {
        let got = self.proxied.get(key)?;
        Ok(got.map(|value| unpacked(key, value)))
    }

    fn get_fresh(&self, key: &Key) -> Result<Option<Value>> {
        let got = self.proxied.get_fresh(key)?;
        Ok(got.map(|value| unpacked(key, value)))
    }

    fn get_multi(&self, keys: &[Key]) -> Result<Vec<Option<Value>>> {
        let got = self.proxied.get_multi(keys)?.into_iter().zip(keys);
        Ok(got
            .map(|(value, key)| value.map(|value| unpacked(key, value)))
            .collect())
    }

    fn set(&self, key: &Key, value: &Value) -> Result<()> {
        self.proxied.set(key, &self.packed(key, value)?)
    }

    fn set_guarded(&self, key: &Key, value: &Value, lease: &Lease) -> Result<Guarded> {
        self.proxied
            .set_guarded(key, &self.packed(key, value)?, lease)
    }

    fn set_multi(&self, entries: &[(Key, Value)]) -> Result<()> {
        let packed = entries
            .iter()
            .map(|(key, value)| Ok((*key, self.packed(key, value)?)));
        self.proxied.set_multi(&packed.collect::<Result<Vec<_>>>()?)
    }

    fn storage(&self) -> Storage {
        Storage::Bytes
    }
}
