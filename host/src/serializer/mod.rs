//! How values become payloads and back.

mod any;
mod codec;
mod message_pack;
mod raw;

use std::error::Error as StdError;
use std::fmt;

pub use self::any::{AnyValue, Destination};
pub(crate) use self::codec::{Codec, Own};

/// The serializers that need no code: the words of a region's key `serializer`.
///
/// The serializer's name is stored with each value. What another one wrote is a miss, and is created anew; so a region
/// may be given another at any time. Which one it is, is the region's to say: a backend has none of its own, as some of
/// dogpile's have, since a plugin holds bytes whose meaning it does not know.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum SerializerKind {
    /// `"json"`, the default: what `serde_json` writes. Keys of maps must be strings or numbers, and numbers that are not
    /// finite are stored as `null`.
    Json,
    /// `"messagepack"`: MessagePack. A struct is a map with its fields' names as keys, so that fields may be added, and
    /// that Python's `msgpack` reads a dict; an enum's variant is its name, or a map from that to its content. Smaller
    /// than JSON where there are numbers. A `Vec<u8>` is an array of numbers, as in JSON: the crate `serde_bytes` makes
    /// it MessagePack's bytes.
    MessagePack,
    /// `"raw"`: the value's own bytes, for strings (`String`, `Box<str>`, …), bytes (`Vec<u8>`, `[u8; N]`, what
    /// `serde_bytes` writes), and newtypes of these. Values of other types are refused by an error. The bytes tell
    /// nothing of their type: whoever asks for bytes gets whatever is there.
    Raw,
}

impl SerializerKind {
    pub(crate) const ALL: [Self; 3] = [Self::Json, Self::MessagePack, Self::Raw];

    /// The word in the manifest.
    pub fn name(self) -> &'static str {
        match self {
            Self::Json => "json",
            Self::MessagePack => "messagepack",
            Self::Raw => "raw",
        }
    }
}

impl fmt::Display for SerializerKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// Why a value could not be written or a payload not be read.
pub type SerializerError = Box<dyn StdError + Send + Sync>;

/// A serializer of the program's own, for a region whose backend holds bytes: see [`Region::set_serializer`].
///
/// Both calls run on the caller's thread, perhaps many at once; a panic goes to that caller. What one cannot read is a
/// miss, what it cannot write is an error of [`ErrorKind::Serializer`].
///
/// ```
/// use dogpile::{AnyValue, Destination, Serializer, SerializerError};
///
/// /// JSON for people.
/// struct Indented;
///
/// impl Serializer for Indented {
///     fn name(&self) -> &'static str {
///         "indented"
///     }
///
///     fn serialize(&self, value: &AnyValue<'_>, payload: &mut Vec<u8>) -> Result<(), SerializerError> {
///         Ok(serde_json::to_writer_pretty(payload, value)?)
///     }
///
///     fn deserialize(&self, payload: &[u8], value: &mut Destination<'_>) -> Result<(), SerializerError> {
///         let mut json = serde_json::Deserializer::from_slice(payload);
///         value.read(&mut json)?;
///         Ok(json.end()?)
///     }
/// }
/// # let host = dogpile::Host::builder()
/// #     .plugin(dogpile_plugin_memory::plugin())
/// #     .region(dogpile::RegionConfig::on("users", "memory").argument("storage", "bytes"))
/// #     .build()?;
/// # let users = host.region("users")?;
/// users.set_serializer(Indented);
/// users.set("1", vec![1, 2])?;
/// assert_eq!(users.get_payload("1")?.unwrap().bytes, b"[\n  1,\n  2\n]");
/// assert_eq!(*users.get::<Vec<i32>>("1")?.unwrap(), [1, 2]);
/// # Ok::<(), dogpile::Error>(())
/// ```
///
/// [`Region::set_serializer`]: crate::Region::set_serializer
/// [`ErrorKind::Serializer`]: crate::ErrorKind::Serializer
pub trait Serializer: Send + Sync + 'static {
    /// Its name. It is stored with every value, and a value that is stored with another is a miss: change it when
    /// payloads of old can no longer be read. Short, and always the same.
    fn name(&self) -> &str;

    /// Appends the value to `payload`, which is not empty, and of which it must not change what is there.
    ///
    /// # Errors
    ///
    /// If it has no form for such a value.
    fn serialize(&self, value: &AnyValue<'_>, payload: &mut Vec<u8>)
    -> Result<(), SerializerError>;

    /// Reads the value of a payload into `value`, by [`Destination::read`]. The payload may be anything: what was cut,
    /// or damaged, or written by somebody else.
    ///
    /// # Errors
    ///
    /// If the payload is not, as a whole, one value of the type that is wanted.
    fn deserialize(
        &self,
        payload: &[u8],
        value: &mut Destination<'_>,
    ) -> Result<(), SerializerError>;
}
