/// Whether `segment` may stand in a request path: not empty, not hidden (which covers `.` and `..`), and without
/// characters which are separators or ends somewhere.
pub(crate) fn is_plain(segment: &str) -> bool {
    !segment.is_empty()
        && !segment.starts_with('.')
        && !segment.contains(['/', '\\'])
        && !segment.contains(char::is_control)
}

/// The template that a request path names, if the path is one that can name a page.
pub(crate) fn template_of(path: &str) -> Option<String> {
    let rest = path.strip_prefix('/')?;
    if rest.is_empty() {
        return Some("index.html".to_owned());
    }
    is_page(rest).then(|| format!("{rest}.html"))
}

/// The request path of the page that a template is, if it is one.
pub(crate) fn path_of(template: &str) -> Option<String> {
    let stem = template.strip_suffix(".html")?;
    match stem {
        "index" => Some("/".to_owned()),
        _ => is_page(stem).then(|| format!("/{stem}")),
    }
}

fn is_page(stem: &str) -> bool {
    stem.split('/')
        .all(|segment| is_plain(segment) && !segment.starts_with('_'))
}
