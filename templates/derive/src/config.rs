use std::fs;
use std::path::{Path, PathBuf};

use toml::{Table, Value};

/// What askama does without a configuration.
const HTML: [&str; 9] = [
    "askama", "html", "htm", "j2", "jinja", "jinja2", "rinja", "svg", "xml",
];

/// What of `askama.toml` matters here. What is wrong with it is told by askama itself.
#[derive(Default)]
pub(crate) struct Config {
    /// Its whole text: all of it may change what is rendered.
    pub(crate) text: String,
    /// Where templates are looked for, in this order.
    pub(crate) dirs: Vec<PathBuf>,
    table: Table,
}

impl Config {
    /// Of the package in `root`, from its file `name` or the usual one.
    pub(crate) fn read(root: &Path, name: Option<&str>) -> Self {
        let file = root.join(name.unwrap_or("askama.toml"));
        let text = fs::read_to_string(file).unwrap_or_default();
        let table: Table = text.parse().unwrap_or_default();
        let dirs = table.get("general").and_then(|general| general.get("dirs"));
        let dirs = match dirs.and_then(Value::as_array) {
            None => vec![root.join("templates")],
            Some(dirs) => {
                let dirs = dirs.iter().filter_map(Value::as_str);
                dirs.flat_map(|dir| matching(&root.join(dir))).collect()
            }
        };
        Self { text, dirs, table }
    }

    /// Whether tags are written in another way than askama's own.
    pub(crate) fn has_own_syntax(&self) -> bool {
        self.table.contains_key("syntax")
    }

    /// How what has this extension is escaped: `html`, `none`, or the path of the program's own escaper.
    pub(crate) fn escaping(&self, extension: &str) -> String {
        let escapers = self.table.get("escaper").and_then(Value::as_array);
        let own = escapers.into_iter().flatten().find(|escaper| {
            let extensions = escaper.get("extensions").and_then(Value::as_array);
            let mut extensions = extensions.into_iter().flatten().filter_map(Value::as_str);
            extensions.any(|own| own == extension)
        });
        let own = own.and_then(|escaper| escaper.get("path").and_then(Value::as_str));
        match own {
            Some("askama::filters::Html" | "::askama::filters::Html") => "html".to_owned(),
            Some(path) => path.to_owned(),
            None if HTML.contains(&extension) => "html".to_owned(),
            None => "none".to_owned(),
        }
    }
}

/// The folders that a pattern means.
fn matching(pattern: &Path) -> Vec<PathBuf> {
    match pattern.to_str() {
        Some(text) if text.contains('*') => {
            let found = glob::glob(text).into_iter().flatten();
            found.flatten().filter(|path| path.is_dir()).collect()
        }
        _ => vec![pattern.to_owned()],
    }
}
