//! `plugins --pin`.

use std::collections::BTreeMap;
use std::fs;
use std::io::Write;
use std::os::unix::fs::{MetadataExt, fchown};
use std::path::Path;

use anyhow::{Context, Result, bail};
use dogpile::Trust;
use dogpile::loader::Loader;
use dogpile::manifest::Manifest;
use tempfile::NamedTempFile;
use toml_edit::{DocumentMut, Item, TableLike};

use crate::outcome::Outcome;
use crate::output;

/// Writes the digest of every listed plugin's file beside its name, and changes nothing else of the manifest. All or
/// none: if a file cannot be loaded, nothing is written.
///
/// Whose file it is does not matter here: to pin it is to say that it is the right one.
pub(super) fn pin(manifest: &Manifest) -> Result<Outcome> {
    let loader = Loader::new().trust(Trust::Off);
    let mut refused = Vec::new();
    let mut pins: BTreeMap<&Path, Vec<(&str, String)>> = BTreeMap::new();
    for (name, plugin) in manifest.plugins() {
        let Some(defined_in) = manifest.file_of_plugin(name) else {
            bail!("nobody knows where `{name}` is listed");
        };
        match loader.inspect(&plugin.path) {
            Ok(found) => pins
                .entry(defined_in)
                .or_default()
                .push((name, found.digest)),
            Err(error) => {
                let message = format!("{}: {}", error.path().display(), error.message());
                let path = ["plugins", name, "file"];
                refused.push(manifest.error_at(&path, message, error.remedy()));
            }
        }
    }
    if let Some(errors) = manifest.refuse(refused) {
        bail!(errors);
    }
    let mut written = Vec::new();
    for (file, pins) in &pins {
        let before = fs::read_to_string(file)
            .with_context(|| format!("{} cannot be read again", file.display()))?;
        let after = pinned(&before, pins)
            .with_context(|| format!("{} has changed meanwhile; pin again", file.display()))?;
        written.push((file, before != after, after));
    }
    for (file, is_new, text) in &written {
        if *is_new {
            replace(file, text).with_context(|| {
                format!(
                    "{} cannot be written; pin a copy that can, and put it in its place",
                    file.display()
                )
            })?;
        }
    }
    for (file, pins) in &pins {
        for (name, digest) in pins {
            output::print(format!("{}: {name}: {digest}\n", file.display()))?;
        }
    }
    Ok(Outcome::Done)
}

/// The text with those digests, and all else as it was.
fn pinned(text: &str, pins: &[(&str, String)]) -> Result<String> {
    let (mark, text) = match text.strip_prefix('\u{feff}') {
        Some(rest) => ("\u{feff}", rest),
        None => ("", text),
    };
    let mut document: DocumentMut = text.parse()?;
    for (name, digest) in pins {
        let plugin = document
            .get_mut("plugins")
            .and_then(Item::as_table_like_mut)
            .and_then(|plugins| plugins.get_mut(name))
            .and_then(Item::as_table_like_mut)
            .with_context(|| format!("it does not list `{name}`"))?;
        set(plugin, digest);
    }
    Ok(format!("{mark}{document}"))
}

fn set(plugin: &mut dyn TableLike, digest: &str) {
    match plugin.get_mut("sha256").and_then(Item::as_value_mut) {
        // What stands around it, such as a comment behind it, stays.
        Some(value) => {
            let decoration = value.decor().clone();
            *value = digest.into();
            *value.decor_mut() = decoration;
        }
        None => {
            plugin.insert("sha256", toml_edit::value(digest));
        }
    }
}

/// Writes beside the file and renames over it, so that a host which follows it never reads half of it. A link stays one,
/// and owner and mode stay.
fn replace(file: &Path, text: &str) -> Result<()> {
    let file = fs::canonicalize(file)?;
    let folder = file.parent().context("it has no folder")?;
    let before = fs::metadata(&file)?;
    let mut aside = NamedTempFile::new_in(folder)?;
    let now = aside.as_file().metadata()?;
    if (now.uid(), now.gid()) != (before.uid(), before.gid()) {
        fchown(aside.as_file(), Some(before.uid()), Some(before.gid()))?;
    }
    aside.write_all(text.as_bytes())?;
    aside.as_file().set_permissions(before.permissions())?;
    aside.as_file().sync_all()?;
    aside.persist(&file)?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn everything_else_stays_as_it_was() {
        let before = "\u{feff}# top\nversion = 1\n\n[host] # here\nplugin_dir = 'plugins'\n\n# of memory\n[plugins.memory] # \
                      one\n# within\nfile = \"a.so\" # its file\n\n[plugins]\nnull = {}\nredis.file = \"r.so\"\n# end\n";
        let pins = [
            ("memory", "aa".to_owned()),
            ("null", "bb".into()),
            ("redis", "cc".into()),
        ];
        let after = pinned(before, &pins).unwrap();
        let expected = "\u{feff}# top\nversion = 1\n\n[host] # here\nplugin_dir = 'plugins'\n\n# of memory\n[plugins.memory] # \
                        one\n# within\nfile = \"a.so\" # its file\nsha256 = \"aa\"\n\n[plugins]\nnull = { sha256 = \"bb\" }\nredis.file = \
                        \"r.so\"\nredis.sha256 = \"cc\"\n# end\n";
        assert_eq!(after, expected);
        let again = after.replace("\"aa\"", "'00' # old");
        assert_eq!(
            pinned(&again, &pins).unwrap(),
            expected.replace("\"aa\"", "\"aa\" # old")
        );
        assert!(pinned("[plugins.other]\n", &pins).is_err());
    }
}
