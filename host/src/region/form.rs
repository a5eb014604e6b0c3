//! How a value of type `T` becomes bytes, or that it does not.

use dogpile_plugin_api::{Object, Value};
use serde::Serialize;
use serde::de::DeserializeOwned;

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

    fn encode(value: &T, into: &mut Vec<u8>) -> Result<()>;

    /// `None` if the payload is not a `T`.
    fn decode(payload: &[u8]) -> Option<T>;
}

fn encode_object<T: Cacheable>(value: &Value) -> Option<Result<Vec<u8>>> {
    let object = Object::<T>::from_value(value.clone()).ok()?;
    let mut bytes = Vec::new();
    Some(<Json as Form<T>>::encode(&object, &mut bytes).map(|()| bytes))
}

/// By serde, as JSON.
pub(crate) struct Json;

impl<T: Cacheable> Form<T> for Json {
    const ENCODER: Option<Encoder> = Some(encode_object::<T>);

    fn encode(value: &T, into: &mut Vec<u8>) -> Result<()> {
        serde_json::to_writer(into, value).map_err(|error| {
            let type_name = std::any::type_name::<T>();
            Error::with_source(
                ErrorKind::Serializer,
                format!("a {type_name} cannot be written as JSON: {error}"),
                error,
            )
        })
    }

    fn decode(payload: &[u8]) -> Option<T> {
        serde_json::from_slice(payload).ok()
    }
}

/// Not at all: only a backend that holds objects can have it.
pub(crate) struct AsObject;

impl<T> Form<T> for AsObject {
    const ENCODER: Option<Encoder> = None;

    fn encode(_: &T, _: &mut Vec<u8>) -> Result<()> {
        let type_name = std::any::type_name::<T>();
        Err(Error::new(
            ErrorKind::NotObjects,
            format!(
                "a {type_name} given to `objects()` is not serialised, and this region's backend holds bytes; use \
                 a backend that holds objects, such as `memory`, or a serde type without `objects()`"
            ),
        ))
    }

    fn decode(_: &[u8]) -> Option<T> {
        None
    }
}
