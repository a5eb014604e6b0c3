//! A site in a temporary folder.

use std::fs;
use std::path::PathBuf;

use dogpile_templates::{Page, Site};
use tempfile::TempDir;

pub(crate) struct Fixture {
    /// The folder around the site: a file in it is outside the site.
    pub(crate) around: TempDir,
    pub(crate) dir: PathBuf,
}

impl Fixture {
    pub(crate) fn new(files: &[(&str, &str)]) -> Self {
        let around = TempDir::new().unwrap();
        let dir = around.path().join("site");
        fs::create_dir_all(dir.join("templates")).unwrap();
        let fixture = Self { around, dir };
        for (name, content) in files {
            fixture.write(name, content);
        }
        fixture
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.dir.join(name)
    }

    pub(crate) fn write(&self, name: &str, content: impl AsRef<[u8]>) {
        let path = self.path(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, content).unwrap();
    }

    pub(crate) fn remove(&self, name: &str) {
        fs::remove_file(self.path(name)).unwrap();
    }

    pub(crate) fn site(&self) -> Site {
        Site::open(&self.dir).unwrap()
    }
}

pub(crate) fn page(site: &Site, path: &str) -> Page {
    site.page(path)
        .unwrap_or_else(|| panic!("there is no page {path}"))
}

pub(crate) fn render(site: &Site, path: &str) -> String {
    page(site, path)
        .render(&[])
        .unwrap_or_else(|error| panic!("{error}"))
}

pub(crate) fn digest(site: &Site, path: &str) -> String {
    page(site, path).digest().to_owned()
}

pub(crate) fn error_of(site: &Site, path: &str) -> dogpile_templates::ViewError {
    page(site, path)
        .render(&[])
        .expect_err("the page is broken, but it renders")
}
