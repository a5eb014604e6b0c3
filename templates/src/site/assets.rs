use std::fs::{self, File};
use std::io::Read;
use std::path::Path;

use crate::views::{MAX_FILE, is_plain};

/// A file of the folder `static`.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct StaticFile {
    /// The content.
    pub bytes: Vec<u8>,
    /// The value of the header `content-type`, by the file's extension.
    pub content_type: &'static str,
}

/// `path` is the request path. The file's real place must be in the folder `static` of the site.
pub(crate) fn read(dir: &Path, path: &str) -> Option<StaticFile> {
    let name = path.strip_prefix("/static/")?;
    if !name.split('/').all(is_plain) {
        return None;
    }
    let folder = fs::canonicalize(dir).ok()?.join("static");
    let file = fs::canonicalize(folder.join(name)).ok()?;
    // A FIFO would block in open.
    if !file.starts_with(&folder) || !fs::metadata(&file).ok()?.is_file() {
        return None;
    }
    let mut bytes = Vec::new();
    let opened = File::open(&file).ok()?;
    opened.take(MAX_FILE + 1).read_to_end(&mut bytes).ok()?;
    (bytes.len() as u64 <= MAX_FILE).then(|| StaticFile {
        bytes,
        content_type: content_type(name),
    })
}

fn content_type(name: &str) -> &'static str {
    let extension = Path::new(name).extension().and_then(|e| e.to_str());
    match extension.unwrap_or_default() {
        "css" => "text/css; charset=utf-8",
        "js" | "mjs" => "text/javascript; charset=utf-8",
        "html" => "text/html; charset=utf-8",
        "txt" | "md" => "text/plain; charset=utf-8",
        "json" => "application/json",
        "svg" => "image/svg+xml",
        "png" => "image/png",
        "jpg" | "jpeg" => "image/jpeg",
        "gif" => "image/gif",
        "webp" => "image/webp",
        "avif" => "image/avif",
        "ico" => "image/x-icon",
        "woff2" => "font/woff2",
        "pdf" => "application/pdf",
        _ => "application/octet-stream",
    }
}
