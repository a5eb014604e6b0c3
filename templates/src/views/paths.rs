/// Whether `segment` may stand in a request path: not empty, not hidden (which covers `.` and `..`), and without
/// characters which are separators or ends somewhere.
pub(crate) fn is_plain(segment: &str) -> bool {
    !segment.is_empty()
        && !segment.starts_with('.')
        && !segment.contains(['/', '\\'])
        && !segment.contains(char::is_control)
}

/// Whether a template of a site, without its ending, is a page.
pub(crate) fn is_page(stem: &str) -> bool {
    stem.split('/')
        .all(|segment| is_plain(segment) && !segment.starts_with('_'))
}
