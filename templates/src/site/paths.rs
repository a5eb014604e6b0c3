use crate::views::is_page;

/// The template that a request path names, if the path is one that can name a page.
pub(crate) fn template_of(path: &str) -> Option<String> {
    let rest = path.strip_prefix('/')?;
    if rest.is_empty() {
        return Some("index.html".to_owned());
    }
    is_page(rest).then(|| format!("{rest}.html"))
}

/// The request path of a page, by its template.
pub(crate) fn path_of(template: &str) -> String {
    match template.strip_suffix(".html").unwrap_or(template) {
        "index" => "/".to_owned(),
        stem => format!("/{stem}"),
    }
}
