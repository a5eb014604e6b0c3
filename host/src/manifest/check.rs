use std::path::Path;
use std::time::Duration;

use toml::de::DeValue;

use super::model::{HostConfig, PluginConfig, RegionConfig};
use super::read::{Item, Reader, Table};
use super::tables::{HOST, PLUGIN, TOP};
use crate::secrets::without_credentials;

const LONGEST_NAME: usize = 64;

/// Whether a region or a plugin may have this name.
pub(super) fn is_name(name: &str) -> bool {
    let lower = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit();
    name.len() <= LONGEST_NAME
        && name.bytes().next().is_some_and(lower)
        && name.bytes().all(|b| lower(b) || b == b'_' || b == b'-')
}

/// One `include` entry.
pub(super) struct Include<'t> {
    pub(super) item: Item<'t>,
    pub(super) pattern: String,
}

/// A named table with the item that names it.
pub(super) struct Named<'t> {
    pub(super) item: Item<'t>,
    pub(super) table: Table<'t>,
}

impl Reader<'_, '_> {
    /// Checks `version`: without the right one the rest may mean something else.
    pub(super) fn version(&mut self, root: &mut Table<'_>) {
        let remedy = "write version = 1 at the top";
        let Some(item) = root.take("version") else {
            self.missing(0..0, "the manifest has no `version`", remedy);
            return;
        };
        match item.value.get_ref() {
            DeValue::Integer(integer)
                if i64::from_str_radix(integer.as_str(), integer.radix()) == Ok(1) => {}
            DeValue::Integer(integer) => self.error(
                item.span(),
                format!("version {integer} of the manifest is not known here, only version 1"),
                "write version = 1, or run a dogpile that knows it",
            ),
            _ => self.error(item.span(), "`version` must be the integer 1", remedy),
        }
    }

    pub(super) fn includes<'t>(&mut self, root: &mut Table<'t>) -> Vec<Include<'t>> {
        let remedy = "write an array of file names, as in [\"conf.d/*.toml\"]";
        let Some(items) = root
            .take("include")
            .and_then(|item| self.array(&item, remedy))
        else {
            return Vec::new();
        };
        items
            .into_iter()
            .filter_map(|item| {
                let pattern = self.text(&item, remedy)?.value;
                Some(Include { item, pattern })
            })
            .collect()
    }

    pub(super) fn host(&mut self, root: &mut Table<'_>, folder: &Path) -> HostConfig {
        let mut host = HostConfig {
            plugin_dir: folder.join("plugins"),
            admin_socket: None,
            open_timeout: Some(Duration::from_secs(10)),
            drain_timeout: Some(Duration::from_secs(30)),
        };
        let Some(mut table) = root
            .take("host")
            .and_then(|item| self.table(&item, "write [host]"))
        else {
            return host;
        };
        let remedy = "write a path; a relative one starts at the manifest's folder";
        if let Some(path) = self.path(&mut table, "plugin_dir", remedy) {
            host.plugin_dir = folder.join(path);
        }
        if let Some(path) = self.path(&mut table, "admin_socket", remedy) {
            host.admin_socket = Some(folder.join(path));
        }
        if let Some(item) = table.take("open_timeout") {
            host.open_timeout = self.limit(&item);
            if host.open_timeout == Some(Duration::ZERO) {
                self.error(
                    item.span(),
                    "`open_timeout` cannot be 0: nothing opens in no time",
                    "write a time, as in \"10s\", or \"never\" for as long as it takes",
                );
            }
        }
        if let Some(item) = table.take("drain_timeout") {
            host.drain_timeout = self.limit(&item);
        }
        self.refuse_rest(&table, &HOST);
        host
    }

    fn path(&mut self, table: &mut Table<'_>, key: &'static str, remedy: &str) -> Option<String> {
        let item = table.take(key)?;
        let text = self.text(&item, remedy)?;
        if text.value.is_empty() || text.value.contains('\0') {
            self.error(item.span(), format!("`{key}` is not a path"), remedy);
            return None;
        }
        Some(text.value)
    }

    /// The tables of `[plugins]` or `[regions]`, with their names checked.
    pub(super) fn named<'t>(
        &mut self,
        root: &mut Table<'t>,
        key: &'static str,
        kind: &str,
    ) -> Vec<Named<'t>> {
        let remedy = format!("write [{key}.NAME]");
        let Some(table) = root.take(key).and_then(|item| self.table(&item, &remedy)) else {
            return Vec::new();
        };
        let mut named = Vec::new();
        for item in table.rest() {
            if !is_name(&item.key) {
                self.error(
                    item.key_span.clone(),
                    format!("\"{}\" cannot be the name of a {kind}", shorten(&item.key)),
                    format!(
                        "a name has up to {LONGEST_NAME} lower-case letters, digits, _ and -, and \
                         begins with a letter or digit"
                    ),
                );
            }
            if let Some(table) = self.table(&item, &remedy) {
                named.push(Named { item, table });
            }
        }
        named
    }

    pub(super) fn plugin(&mut self, named: Named<'_>, host: &HostConfig) -> PluginConfig {
        let name = named.item.key;
        let mut table = named.table;
        let mut file = format!("libdogpile_plugin_{}.so", name.replace('-', "_"));
        let remedy = "write a bare file name; its folder is `plugin_dir` in [host]";
        if let Some(item) = table.take("file")
            && let Some(text) = self.text(&item, remedy)
        {
            if text.value.contains('/') {
                self.error(
                    item.span(),
                    format!("\"{}\" has a path separator", text.shown),
                    remedy,
                );
            } else if ["", ".", ".."].contains(&text.value.as_str()) || text.value.contains('\0') {
                self.error(
                    item.span(),
                    format!("\"{}\" is not a file name", text.shown.escape_debug()),
                    remedy,
                );
            }
            file = text.value;
        }
        let sha256 = table.take("sha256").and_then(|item| self.digest(&item));
        self.refuse_rest(&table, &PLUGIN);
        PluginConfig {
            path: host.plugin_dir.join(&file),
            name,
            file,
            sha256,
        }
    }

    fn digest(&mut self, item: &Item<'_>) -> Option<String> {
        let remedy =
            "write what `sha256sum` prints of the file, or let `dogpile plugins --pin` do it";
        let text = self.text(item, remedy)?;
        if text.value.len() == 64 && text.value.bytes().all(|byte| byte.is_ascii_hexdigit()) {
            return Some(text.value.to_ascii_lowercase());
        }
        let message = format!("\"{}\" is not a SHA-256: 64 hexadecimal digits", text.shown);
        self.error(item.span(), message, remedy);
        None
    }

    pub(super) fn one_region(&mut self, named: Named<'_>) -> RegionConfig {
        self.region(&named.item.key, named.table)
    }

    pub(super) fn refuse_rest_of_manifest(&mut self, root: &Table<'_>) {
        self.refuse_rest(root, &TOP);
    }

    /// An included file adds plugins and regions; what concerns the host stands in one place.
    pub(super) fn refuse_rest_of_included(&mut self, root: &Table<'_>) {
        for item in root.rest() {
            self.error(
                item.key_span.clone(),
                format!("`{}` cannot stand in an included file", item.key),
                "an included file may hold only [plugins] and [regions]; the rest belongs into the \
                 manifest itself",
            );
        }
    }
}

fn shorten(name: &str) -> String {
    // A part of a URL may not be known as one.
    let name = &without_credentials(name);
    if name.chars().count() <= LONGEST_NAME {
        name.escape_debug().to_string()
    } else {
        let start: String = name.chars().take(LONGEST_NAME / 2).collect();
        format!("{}…", start.escape_debug())
    }
}
