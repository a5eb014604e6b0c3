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
    /// Longer values stay as they are, in bytes; and what would be longer when it is read counts as damaged, so that a
    /// few stored bytes cannot fill the memory.
    pub max_size: usize,
}

impl Default for ZstdArguments {
    fn default() -> Self {
        Self {
            level: zstd::DEFAULT_COMPRESSION_LEVEL,
            min_size: 256,
            max_size: 256 << 20,
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
        let ZstdArguments {
            min_size, max_size, ..
        } = self.arguments;
        if bytes.len() > max_size && must {
            let text = format!(
                "the value has {} bytes, which is more than `max_size` of zstd, and looks as if it was compressed by it",
                bytes.len()
            );
            return Err(Error::new(ErrorKind::Refused, text));
        }
        if !must && !(min_size..=max_size).contains(&bytes.len()) {
            return Ok(value.clone());
        }
        let packed = compressed(bytes, self.arguments.level)
            .map_err(|error| Error::new(ErrorKind::Other, format!("zstd: {error}")))?;
        if packed.len() >= bytes.len() && !must {
            return Ok(value.clone());
        }
        Ok(in_place_of(value, key, packed))
    }

    /// What was stored as `value`.
    fn unpacked(&self, key: &Key<'_>, value: Value) -> Value {
        let Some(frame) = value.as_bytes().filter(|bytes| bytes.starts_with(&MAGIC)) else {
            return value;
        };
        match decoded(frame, self.arguments.max_size) {
            Ok(bytes) => in_place_of(&value, key, bytes),
            // The host finds that it cannot read that.
            Err(error) => {
                tracing::debug!(%error, "a stored value begins as a Zstandard frame, and cannot be decoded");
                value
            }
        }
    }

    /// What was stored as `values`, each under its key.
    fn all_unpacked(&self, keys: &[Key<'_>], values: Vec<Option<Value>>) -> Vec<Option<Value>> {
        let values = values.into_iter().zip(keys);
        values
            .map(|(value, key)| value.map(|value| self.unpacked(key, value)))
            .collect()
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

/// A frame with its own checksum: a damaged one is not taken for another value.
fn compressed(bytes: &[u8], level: i32) -> std::io::Result<Vec<u8>> {
    let mut compressor = zstd::bulk::Compressor::new(level)?;
    compressor.include_checksum(true)?;
    compressor.compress(bytes)
}

fn decoded(frame: &[u8], most: usize) -> std::io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    let decoder = zstd::stream::read::Decoder::with_buffer(frame)?;
    let beyond = (most as u64).saturating_add(1);
    decoder.take(beyond).read_to_end(&mut bytes)?;
    if bytes.len() > most {
        return Err(std::io::Error::other("it is longer than `max_size`"));
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
        Ok(got.map(|value| self.unpacked(key, value)))
    }

    fn get_fresh(&self, key: &Key) -> Result<Option<Value>> {
        let got = self.proxied.get_fresh(key)?;
        Ok(got.map(|value| self.unpacked(key, value)))
    }

    fn get_multi(&self, keys: &[Key]) -> Result<Vec<Option<Value>>> {
        Ok(self.all_unpacked(keys, self.proxied.get_multi(keys)?))
    }

    fn get_multi_fresh(&self, keys: &[Key]) -> Result<Vec<Option<Value>>> {
        Ok(self.all_unpacked(keys, self.proxied.get_multi_fresh(keys)?))
    }

    fn set(&self, key: &Key, value: &Value) -> Result<()> {
        self.proxied.set(key, &self.packed(key, value)?)
    }

    fn set_guarded(&self, key: &Key, value: &Value, lease: &Lease) -> Result<Guarded> {
        self.proxied
            .set_guarded(key, &self.packed(key, value)?, lease)
    }

    fn set_guarded_multi(&self, entries: &[(Key, Value, Lease)]) -> Result<Vec<Guarded>> {
        let packed = entries
            .iter()
            .map(|(key, value, lease)| Ok((*key, self.packed(key, value)?, *lease)));
        let packed = packed.collect::<Result<Vec<_>>>()?;
        self.proxied.set_guarded_multi(&packed)
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
