//! Where a manifest that has errors says that its host listens.

use std::path::{Path, PathBuf};

use toml::de::DeTable;

use super::include::read_text;
use crate::trust::Trust;

/// The path of `[host] admin_socket`, whatever else is wrong with the manifest. `None` where that cannot be told: the file
/// cannot be read or is not trusted, or the path has a variable in it.
pub(crate) fn admin_socket_of(manifest: &Path) -> Option<PathBuf> {
    let text = read_text(manifest, Trust::of_environment().ok()?).ok()?;
    let (tree, _errors) = DeTable::parse_recoverable(&text);
    let host = tree.get_ref().get("host")?.get_ref().as_table()?;
    let path = host.get("admin_socket")?.get_ref().as_str()?;
    let folder = manifest.parent().unwrap_or(Path::new(""));
    (!path.is_empty() && !path.contains("${")).then(|| folder.join(path))
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    const HOST: &str = "[host]\nadmin_socket = \"a.sock\"\n";

    #[test]
    fn it_is_found_whatever_else_is_wrong() {
        let folder = tempfile::tempdir().unwrap();
        let manifest = folder.path().join("dogpile.toml");
        let found = |text: &str| {
            fs::write(&manifest, text).unwrap();
            admin_socket_of(&manifest)
        };
        for text in [
            HOST.to_owned(),
            format!("version = = 1\n{HOST}"),
            format!("{HOST}[regions.a]\nexpiration_time = \"5 minutes\"\n[regions.b\n"),
            format!("{HOST}plugin_dir = \"${{NOT_SET}}\"\n"),
        ] {
            assert_eq!(found(&text), Some(folder.path().join("a.sock")), "{text}");
        }
        assert_eq!(found("[host]\nadmin_socket = \"${A}/a.sock\"\n"), None);
        assert_eq!(found("[host]\nadmin_socket = 1\n"), None);
        assert_eq!(admin_socket_of(&folder.path().join("absent.toml")), None);
    }
}
