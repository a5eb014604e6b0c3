//! How a value of type `T` becomes bytes, or that it does not.

use dogpile_plugin_api::{Object, Value};
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::registry::Configured;
use crate::serializer::{Codec, SerializerError};
use crate::slot::Encoder;
use crate::{Error, ErrorKind, Result};

/// What a region can cache: any serde type that threads may share.
#[diagnostic::on_unimplemented(
    message = "a value of type `{Self}` cannot be cached",
    label = "not a serde type that threads may share and that owns what it holds",
    note = "derive `serde::Serialize` and `serde::Deserialize` for it; a type without them can be cached through \
            `Region::objects`"
)]
pub trait Cacheable: Serialize + DeserializeOwned + Send + Sync + 'static {}

#[diagnostic::do_not_recommend]
impl<T: Serialize + DeserializeOwned + Send + Sync + 'static> Cacheable for T {}

/// The way between a `T` and a payload.
pub(crate) trait Form<T>: 'static {
    /// Writes stored objects for who does not know `T`, if there is a way.
    const ENCODER: Option<Encoder>;

    fn encode(region: &Configured, codec: &Codec, value: &T, into: &mut Vec<u8>) -> Result<()>;

    /// An error if the payload is not a `T`.
    fn decode(codec: &Codec, payload: &[u8]) -> Result<T, SerializerError>;
}

fn encode_object<T: Cacheable>(
    value: &Value,
    codec: &Codec,
) -> Option<Result<Vec<u8>, SerializerError>> {
    let object = Object::<T>::from_value(value.clone()).ok()?;
    let mut bytes = Vec::new();
    Some(codec.encode::<T>(&object, &mut bytes).map(|()| bytes))
}

/// By serde, with the region's serializer.
pub(crate) struct Serde;

impl<T: Cacheable> Form<T> for Serde {
    const ENCODER: Option<Encoder> = Some(encode_object::<T>);

    fn encode(region: &Configured, codec: &Codec, value: &T, into: &mut Vec<u8>) -> Result<()> {
        codec.encode(value, into).map_err(|error| {
            let (name, type_name) = (&region.config.name, std::any::type_name::<T>());
            let message = format!(
                "region `{name}`: a {type_name} cannot be written as {}: {error}",
                codec.title()
            );
            Error::with_source(ErrorKind::Serializer, message, error)
        })
    }

    fn decode(codec: &Codec, payload: &[u8]) -> Result<T, SerializerError> {
        codec.decode(payload)
    }
}

/// Not at all: only a backend that holds objects can have it.
pub(crate) struct AsObject;

impl<T> Form<T> for AsObject {
    const ENCODER: Option<Encoder> = None;

    fn encode(_: &Configured, _: &Codec, _: &T, _: &mut Vec<u8>) -> Result<()> {
        let type_name = std::any::type_name::<T>();
        Err(Error::new(
            ErrorKind::NotObjects,
            format!(
                "a {type_name} given to `objects()` is not serialised, and this region's backend holds bytes; use \
                 a backend that holds objects, such as `memory`, or a serde type without `objects()`"
            ),
        ))
    }

    fn decode(_: &Codec, _: &[u8]) -> Result<T, SerializerError> {
        Err("it has no serialised form".into())
    }
}
