//! What templates of a site can call beside Tera's own filters and functions.

use std::fmt::Write;

use tera::{Error, Kwargs, Map, Number, State, Tera, TeraResult, Value};

/// The earth's mean radius in kilometres.
const EARTH_RADIUS: f64 = 6371.0088;

pub(crate) fn register(tera: &mut Tera) {
    tera.register_filter("urlencode", urlencode);
    tera.register_filter("thousands", thousands);
    tera.register_function("great_circle_km", great_circle_km);
}

/// `{{ name | urlencode }}`: a value for a query string. All but letters, digits and `-._~` is percent-encoded.
fn urlencode(text: &str, _: Kwargs, _: &State) -> String {
    let mut encoded = String::with_capacity(text.len());
    for &byte in text.as_bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            encoded.push(char::from(byte));
        } else {
            write!(encoded, "%{byte:02X}").expect("writing to a string cannot fail");
        }
    }
    encoded
}

/// `{{ 8849 | thousands }}`: a whole number with commas, `8,849`. A fraction is rounded.
#[expect(
    clippy::needless_pass_by_value,
    reason = "the signature of a Tera filter"
)]
fn thousands(value: Value, _: Kwargs, _: &State) -> TeraResult<String> {
    let digits = match value.as_number() {
        Some(Number::Float(number)) if number.is_finite() => format!("{number:.0}"),
        Some(Number::Integer(number)) => number.to_string(),
        _ => {
            return Err(Error::message(format!(
                "`thousands` wants a number, this is a {}",
                value.name()
            )));
        }
    };
    let (sign, digits) = match digits.strip_prefix('-') {
        Some(digits) => ("-", digits),
        None => ("", digits.as_str()),
    };
    let mut text = sign.to_owned();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    Ok(text)
}

/// `great_circle_km(from=a, to=b)`: kilometres over the surface of a spherical earth (haversine formula) between two
/// maps that have `latitude` and `longitude` in degrees.
#[expect(
    clippy::needless_pass_by_value,
    reason = "the signature of a Tera function"
)]
fn great_circle_km(arguments: Kwargs, _: &State) -> TeraResult<f64> {
    let (from_latitude, from_longitude) = coordinates(&arguments, "from")?;
    let (to_latitude, to_longitude) = coordinates(&arguments, "to")?;
    let latitude = ((to_latitude - from_latitude) / 2.0).sin();
    let longitude = ((to_longitude - from_longitude) / 2.0).sin();
    let h = latitude * latitude + from_latitude.cos() * to_latitude.cos() * longitude * longitude;
    Ok(2.0 * EARTH_RADIUS * h.sqrt().min(1.0).asin())
}

/// Latitude and longitude in radians.
fn coordinates(arguments: &Kwargs, name: &str) -> TeraResult<(f64, f64)> {
    let place = arguments.must_get::<&Map>(name)?;
    let degrees = |key: &'static str| {
        let value = place.get(&key.into()).and_then(Value::as_f64);
        value.map(f64::to_radians).ok_or_else(|| {
            Error::message(format!("`great_circle_km`: `{name}` has no number `{key}`"))
        })
    };
    Ok((degrees("latitude")?, degrees("longitude")?))
}
