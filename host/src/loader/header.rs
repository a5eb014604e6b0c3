//! The plain words of a plugin's header, read from the file before anything of it runs.

use std::mem::offset_of;

use dogpile_plugin_api::abi::{ABI_EPOCH, MAGIC, PluginHeader, PluginTableRef};

use super::{Fault, LoadErrorKind};

/// How long the header is up to its pointers, which the dynamic linker fills in.
pub(super) const PLAIN: usize = offset_of!(PluginHeader, layout);

/// What plugins of this host's own interface carry.
static OWN: PluginHeader = PluginHeader::new(true, no_table);

extern "C" fn no_table() -> PluginTableRef {
    unreachable!("the host's own header is only compared with")
}

/// The texts of a header.
pub(super) struct Texts {
    pub(super) api_version: String,
    pub(super) rustc: String,
}

/// Checks the header, field by field in the order in which they stand. `length` is that of the symbol;
/// `bytes` begin with the header, as far as the file holds it.
pub(super) fn check(symbol: &str, length: u64, bytes: &[u8]) -> Result<Texts, Fault> {
    let bytes = &bytes[..bytes
        .len()
        .min(usize::try_from(length).unwrap_or(usize::MAX))];
    let word = |at: usize| {
        let four = bytes.get(at..at + 4)?;
        four.try_into().ok().map(u32::from_le_bytes)
    };
    if bytes.get(..MAGIC.len()) != Some(&MAGIC) {
        return Err(Fault::new(
            LoadErrorKind::NotAPlugin,
            format!("the symbol {symbol} is not a plugin's header"),
            "export the plugin with `export_plugin!`",
        ));
    }
    let text = |at: usize, room: usize| bytes.get(at..at + room).map(text).unwrap_or_default();
    let api_version = text(offset_of!(PluginHeader, api_version), OWN.api_version.len());
    match word(offset_of!(PluginHeader, epoch)) {
        Some(ABI_EPOCH) => {}
        epoch => {
            let found = epoch.map_or_else(|| "unknown".to_owned(), |epoch| epoch.to_string());
            let by = if api_version.is_empty() {
                String::new()
            } else {
                format!(" (dogpile-plugin-api {api_version})")
            };
            return Err(Fault::new(
                LoadErrorKind::WrongEpoch,
                format!("it is built for interface epoch {found}{by}; this host has {ABI_EPOCH}"),
                remedy(&api_version),
            ));
        }
    }
    let claimed = word(offset_of!(PluginHeader, length)).unwrap_or_default();
    let whole = size_of::<PluginHeader>();
    if (claimed as usize) < whole || u64::from(claimed) > length || bytes.len() < PLAIN {
        return Err(Fault::new(
            LoadErrorKind::NotAPlugin,
            format!("its header claims {claimed} bytes and has {length}; {whole} are needed"),
            "export the plugin with `export_plugin!`, and do not write a header by hand",
        ));
    }
    if word(offset_of!(PluginHeader, unwinds)) != Some(1) {
        return Err(Fault::new(
            LoadErrorKind::Aborts,
            "it is built with panic = \"abort\", so that its first panic would end the process",
            "build it with panic = \"unwind\", the default of cargo's profiles",
        ));
    }
    let abi_stable = text(
        offset_of!(PluginHeader, abi_stable_version),
        OWN.abi_stable_version.len(),
    );
    if abi_stable != self::text(&OWN.abi_stable_version) {
        return Err(Fault::new(
            LoadErrorKind::Layout,
            format!(
                "it is built with abi_stable {abi_stable}; this host has {}",
                self::text(&OWN.abi_stable_version)
            ),
            remedy(&api_version),
        ));
    }
    Ok(Texts {
        api_version,
        rustc: text(offset_of!(PluginHeader, rustc), OWN.rustc.len()),
    })
}

/// What is to be done about a plugin that was built with that version of plugin-api and does not fit.
pub(super) fn remedy(api_version: &str) -> String {
    let own = text(&OWN.api_version);
    let build = format!("build it with dogpile-plugin-api {own}");
    if numbers(api_version) > numbers(&own) {
        format!("{build}, or use a host that has at least {api_version}")
    } else {
        build
    }
}

/// The numbers of a version, for comparison; none of what is no version.
fn numbers(version: &str) -> Vec<u64> {
    let numbers = version.split('.').map(str::parse);
    numbers.collect::<Result<_, _>>().unwrap_or_default()
}

/// The text before the padding, without what would confuse a terminal.
fn text(padded: &[u8]) -> String {
    let end = padded
        .iter()
        .position(|byte| *byte == 0)
        .unwrap_or(padded.len());
    String::from_utf8_lossy(&padded[..end])
        .chars()
        .map(|c| if c.is_control() { '?' } else { c })
        .collect()
}
