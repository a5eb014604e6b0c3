use dogpile_plugin_api::{HostContext, KeyMangler, NoArguments, Result};
use sha1::Digest;

/// The key mangler `sha1`.
#[derive(Debug)]
pub struct Sha1;

impl KeyMangler for Sha1 {
    type Arguments = NoArguments;

    fn open(_: NoArguments, _: &HostContext) -> Result<Self> {
        Ok(Self)
    }

    fn mangle(&self, key: &str) -> Result<String> {
        Ok(hex(key))
    }
}

/// The SHA-1 of the key in lowercase hexadecimal digits.
pub(crate) fn hex(key: &str) -> String {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let digest = sha1::Sha1::digest(key.as_bytes());
    let mut out = String::with_capacity(2 * digest.len());
    for byte in digest {
        out.push(char::from(DIGITS[usize::from(byte >> 4)]));
        out.push(char::from(DIGITS[usize::from(byte & 15)]));
    }
    out
}
