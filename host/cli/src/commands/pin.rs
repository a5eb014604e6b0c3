//! `plugins --pin`.

use std::collections::BTreeMap;
use std::fs;
use std::io::Write;
use std::os::unix::fs::{MetadataExt, fchown};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use dogpile::loader::Loader;
use dogpile::manifest::Manifest;
use dogpile::{Trust, paths};
use serde::Serialize;
use tempfile::NamedTempFile;
use toml_edit::{DocumentMut, Item, TableLike};

use crate::outcome::Outcome;
use crate::output;

/// Writes the digest of every listed plugin's file beside its name, and changes nothing else of the manifest. All or
/// none: if a plugin cannot be loaded, or a file not be written, nothing is changed.
///
/// Whose file it is does not matter here: to pin it is to say that it is the right one.
pub(super) fn pin(manifest: &Manifest, as_json: bool) -> Result<Outcome> {
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
    let mut edits = Vec::new();
    for (file, pins) in &pins {
        let before = fs::read_to_string(file)
            .with_context(|| format!("{} cannot be read again", file.display()))?;
        let after = pinned(&before, pins)
            .with_context(|| format!("{} has changed meanwhile; pin again", file.display()))?;
        if before != after {
            edits.push(Edit {
                file,
                before,
                after,
            });
        }
    }
    make(&edits)?;
    let pinned = pins.iter().flat_map(|(manifest, pins)| {
        pins.iter().map(|(name, sha256)| Pinned {
            name,
            sha256,
            manifest,
        })
    });
    if as_json {
        output::print_json(&pinned.collect::<Vec<_>>())?;
    } else {
        for Pinned {
            name,
            sha256,
            manifest,
        } in pinned
        {
            let manifest = paths::in_a_line(manifest);
            output::print_text(&format!("{manifest}: {name}: {sha256}\n"))?;
        }
    }
    Ok(Outcome::Done)
}

/// What `--json` prints of a plugin.
#[derive(Serialize)]
struct Pinned<'p> {
    name: &'p str,
    sha256: &'p str,
    /// The file that lists it.
    #[serde(serialize_with = "paths::in_json")]
    manifest: &'p Path,
}

/// The text with those digests, and all else as it was.
fn pinned(text: &str, pins: &[(&str, String)]) -> Result<String> {
    let (mark, text) = match text.strip_prefix('\u{feff}') {
        Some(rest) => ("\u{feff}", rest),
        None => ("", text),
    };
    // The last line has an end meanwhile, as a document is written.
    let missing = match text.trim_end_matches(|c| c != '\n') {
        _ if text.is_empty() || text.ends_with('\n') => "",
        above if above.ends_with("\r\n") => "\r\n",
        _ => "\n",
    };
    let mut whole = format!("{text}{missing}");
    for (name, digest) in pins {
        // As a document is written.
        let before = whole.replace("\r\n", "\n");
        let mut document: DocumentMut = before.parse()?;
        let plugin = document
            .get_mut("plugins")
            .and_then(Item::as_table_like_mut)
            .and_then(|plugins| plugins.get_mut(name))
            .and_then(Item::as_table_like_mut)
            .with_context(|| format!("it does not list `{name}`"))?;
        set(plugin, digest);
        whole = with_ends_of(&whole, &before, &document.to_string());
    }
    let whole = whole.strip_suffix(missing).unwrap_or(&whole);
    Ok(format!("{mark}{whole}"))
}

/// `after` with the line ends of `original`, which is `before` but for these. A line that is new ends as the one above it.
fn with_ends_of(original: &str, before: &str, after: &str) -> String {
    let lines = |text| str::split_inclusive(text, '\n').collect::<Vec<_>>();
    let (original, before, after) = (lines(original), lines(before), lines(after));
    let same = before.iter().zip(&after);
    let above = same.take_while(|(before, after)| before == after).count();
    let same = before[above..]
        .iter()
        .rev()
        .zip(after[above..].iter().rev());
    let below = same.take_while(|(before, after)| before == after).count();
    let (top, rest) = original.split_at(above);
    let (old, bottom) = rest.split_at(rest.len() - below);
    let mut text = top.concat();
    for (at, line) in after[above..after.len() - below].iter().enumerate() {
        let own = old.get(at).filter(|line| line.ends_with('\n'));
        let neighbour = own.or(top.last()).or(original.first());
        match line.strip_suffix('\n') {
            Some(line) if neighbour.is_some_and(|other| other.ends_with("\r\n")) => {
                text += line;
                text += "\r\n";
            }
            _ => text += line,
        }
    }
    text + &bottom.concat()
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

/// What becomes of a file.
struct Edit<'e> {
    file: &'e Path,
    before: String,
    after: String,
}

/// Makes all of them or none. Each text is written beside its file and renamed over it once all are, so that a host which
/// follows the files never reads half of one.
fn make(edits: &[Edit<'_>]) -> Result<()> {
    let failed = |edit: &Edit<'_>| {
        format!(
            "{} cannot be written, and nothing was changed; pin a copy that can, and put it in its place",
            edit.file.display()
        )
    };
    let asides = edits
        .iter()
        .map(|edit| aside(edit.file, &edit.after).with_context(|| failed(edit)));
    let asides: Vec<_> = asides.collect::<Result<_>>()?;
    for (done, ((aside, file), edit)) in asides.into_iter().zip(edits).enumerate() {
        let Err(error) = aside.persist(file) else {
            continue;
        };
        for Edit { file, before, .. } in &edits[..done] {
            let put_back = self::aside(file, before).and_then(|(aside, file)| {
                aside.persist(file)?;
                Ok(())
            });
            put_back.with_context(|| {
                let (file, other) = (file.display(), edit.file.display());
                format!("{file} is pinned, {other} cannot be, and the first cannot be put back")
            })?;
        }
        return Err(error.error).with_context(|| failed(edit));
    }
    Ok(())
}

/// The text in a new file beside that one, which is to be renamed to the path: a link stays one, and owner and mode stay.
fn aside(file: &Path, text: &str) -> Result<(NamedTempFile, PathBuf)> {
    let file = fs::canonicalize(file)?;
    let folder = file.parent().context("it has no folder")?;
    let before = fs::metadata(&file)?;
    let mut aside = NamedTempFile::new_in(folder)?;
    let now = aside.as_file().metadata()?;
    if (now.uid(), now.gid()) != (before.uid(), before.gid()) {
        fchown(aside.as_file(), Some(before.uid()), Some(before.gid()))?;
    }
    // By the file itself: an error names no temporary path then.
    aside.as_file_mut().write_all(text.as_bytes())?;
    aside.as_file().set_permissions(before.permissions())?;
    aside.as_file().sync_all()?;
    Ok((aside, file))
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
        let pinned_with_crlf = pinned(&before.replace('\n', "\r\n"), &pins);
        assert_eq!(pinned_with_crlf.unwrap(), expected.replace('\n', "\r\n"));
    }

    #[test]
    fn each_line_keeps_its_own_end_and_a_new_one_ends_as_its_neighbour() {
        let pins = [("a", "1".to_owned()), ("b", "2".into())];
        for (before, after) in [
            (
                "[plugins.a]\r\nfile = \"\"\"x\r\ny\nz\"\"\"\r\n\r\n# b\n[plugins.b] # two\n",
                "[plugins.a]\r\nfile = \"\"\"x\r\ny\nz\"\"\"\r\nsha256 = \"1\"\r\n\r\n# b\n[plugins.b] # two\nsha256 = \
                 \"2\"\n",
            ),
            (
                "plugins.a.sha256 = '' # old\r\nplugins.b = {}\n",
                "plugins.a.sha256 = \"1\" # old\r\nplugins.b = { sha256 = \"2\" }\n",
            ),
            (
                "[plugins.a]\n[plugins.b]",
                "[plugins.a]\nsha256 = \"1\"\n[plugins.b]\nsha256 = \"2\"",
            ),
        ] {
            assert_eq!(pinned(before, &pins).unwrap(), after);
        }
    }

    #[test]
    fn what_was_renamed_is_put_back_if_another_cannot_be() {
        let folder = tempfile::tempdir().unwrap();
        let (first, second) = (folder.path().join("a.toml"), folder.path().join("b.toml"));
        fs::write(&first, "before\n").unwrap();
        // No file can be renamed to it.
        fs::create_dir(&second).unwrap();
        let edit = |file| Edit {
            file,
            before: "before\n".to_owned(),
            after: "after\n".to_owned(),
        };
        let error = make(&[edit(&first), edit(&second)]).unwrap_err();
        let told = format!("{} cannot be written, and nothing was", second.display());
        assert!(error.to_string().starts_with(&told), "{error:#}");
        assert_eq!(fs::read_to_string(&first).unwrap(), "before\n");
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 2);
        make(&[edit(&first)]).unwrap();
        assert_eq!(fs::read_to_string(&first).unwrap(), "after\n");
    }

    /// All line ends that these lines may have, and a last one that has none.
    #[test]
    fn no_line_gets_the_end_of_another() {
        let lines = [
            "[plugins.a]",
            "file = \"x\"",
            "",
            "[plugins.b] # b",
            "",
            "[host]",
            "plugin_dir = \"p\"",
        ];
        let pins = [("a", "1".to_owned()), ("b", "2".into())];
        for ends in 0..1 << lines.len() {
            let (mut before, mut after) = (String::new(), String::new());
            for (at, line) in lines.into_iter().enumerate() {
                let end = if ends & 1 << at == 0 { "\n" } else { "\r\n" };
                before.extend([line, end]);
                after.extend([line, end]);
                match at {
                    1 => after.extend(["sha256 = \"1\"", end]),
                    3 => after.extend(["sha256 = \"2\"", end]),
                    _ => {}
                }
            }
            assert_eq!(pinned(&before, &pins).unwrap(), after);
            let (before, after) = (before.trim_end(), after.trim_end());
            assert_eq!(pinned(before, &pins).unwrap(), after);
        }
    }
}
