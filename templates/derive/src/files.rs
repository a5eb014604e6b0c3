use std::fs;
use std::path::{Path, PathBuf};

use crate::config::Config;
use crate::scan;

/// One template's text.
#[derive(Debug)]
pub(crate) struct File {
    /// Relative to the folder of templates in which it is, else to the package.
    pub(crate) name: String,
    pub(crate) text: String,
}

/// Finds files as askama does.
pub(crate) struct Finder<'a> {
    pub(crate) root: &'a Path,
    pub(crate) config: &'a Config,
}

impl Finder<'_> {
    /// The templates in the files `paths`, and those written in `sources`, with their names; and all that they extend,
    /// include and import. In the order in which they are found, each once.
    pub(crate) fn closure(
        &self,
        paths: &[String],
        sources: Vec<File>,
    ) -> Result<Vec<File>, String> {
        let mut found = Vec::new();
        let mut seen: Vec<PathBuf> = Vec::new();
        // A template in the program's own text is beside no file: askama looks in the folder in which it runs.
        let mut ahead: Vec<(PathBuf, File)> = Vec::new();
        ahead.extend(
            sources
                .into_iter()
                .map(|file| (PathBuf::from(&file.name), file)),
        );
        for name in paths {
            let path = self.find(name, None);
            let path = path.ok_or_else(|| {
                format!("there is no template {name:?} in {:?}", self.config.dirs)
            })?;
            if !seen.contains(&path) {
                ahead.push((path.clone(), self.read(&path)?));
                seen.push(path);
            }
        }
        ahead.reverse();
        while let Some((place, file)) = ahead.pop() {
            for name in scan::references(&file.text) {
                // What is not there may be no reference, but a text that looks like one; else askama tells.
                let Some(path) = self.find(name, Some(&place)) else {
                    continue;
                };
                if !seen.contains(&path) {
                    ahead.push((path.clone(), self.read(&path)?));
                    seen.push(path);
                }
            }
            found.push(file);
        }
        Ok(found)
    }

    fn find(&self, name: &str, from: Option<&Path>) -> Option<PathBuf> {
        let beside = from.map(|from| from.with_file_name(name));
        let in_dirs = self.config.dirs.iter().map(|dir| dir.join(name));
        let path = beside
            .into_iter()
            .chain(in_dirs)
            .find(|path| path.exists())?;
        Some(path.canonicalize().unwrap_or(path))
    }

    fn read(&self, path: &Path) -> Result<File, String> {
        let text =
            fs::read_to_string(path).map_err(|error| format!("{}: {error}", path.display()))?;
        let folders = self
            .config
            .dirs
            .iter()
            .map(PathBuf::as_path)
            .chain([self.root]);
        let mut short = folders.filter_map(|folder| {
            let folder = folder.canonicalize().ok()?;
            path.strip_prefix(folder).ok().map(Path::to_owned)
        });
        let name = short.next().unwrap_or_else(|| path.to_owned());
        let name = name.to_string_lossy().into_owned();
        Ok(File { name, text })
    }
}
