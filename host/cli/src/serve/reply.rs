//! Responses.

use axum::body::Body;
use axum::http::header::{AGE, CACHE_CONTROL, CONTENT_TYPE, HeaderName};
use axum::http::{HeaderValue, StatusCode};
use axum::response::Response;
use dogpile::METRICS_CONTENT_TYPE;
use dogpile_templates::StaticFile;

use super::page::Rendered;

const HTML: &str = "text/html; charset=utf-8";

const DOGPILE: HeaderName = HeaderName::from_static("x-dogpile");

const FRAGMENTS: HeaderName = HeaderName::from_static("x-dogpile-fragments");

pub(super) fn page(page: Rendered) -> Response {
    let mut response = reply(StatusCode::OK, HTML, page.html);
    let headers = response.headers_mut();
    headers.insert(DOGPILE, HeaderValue::from_static(page.outcome.name()));
    if let Some(fragments) = page.fragments {
        headers.insert(FRAGMENTS, fragments);
    }
    headers.insert(AGE, page.age.as_secs().into());
    response
}

pub(super) fn file(file: StaticFile) -> Response {
    reply(StatusCode::OK, file.content_type, file.bytes)
}

pub(super) fn text(status: StatusCode, text: &'static str) -> Response {
    reply(status, "text/plain; charset=utf-8", text)
}

pub(super) fn json(json: Vec<u8>) -> Response {
    reply(StatusCode::OK, "application/json", json)
}

pub(super) fn metrics(text: String) -> Response {
    reply(StatusCode::OK, METRICS_CONTENT_TYPE, text)
}

pub(super) fn not_found(path: &str) -> Response {
    let text = format!("There is no page {path}.");
    message(StatusCode::NOT_FOUND, "Not found", &text)
}

/// Logs what is wrong, with the place in the file. `to_author`: says it on the page, too.
pub(super) fn failed(path: &str, error: &anyhow::Error, to_author: bool) -> Response {
    tracing::error!(path, "{error}");
    let text = if to_author {
        error.to_string()
    } else {
        "The server's log says which.".to_owned()
    };
    message(
        StatusCode::INTERNAL_SERVER_ERROR,
        "This page has an error",
        &text,
    )
}

fn message(status: StatusCode, title: &str, text: &str) -> Response {
    let text = escaped(text);
    let html = format!(
        "<!doctype html>\n<meta charset=\"utf-8\">\n<title>{title}</title>\n<h1>{title}</h1>\n<pre>{text}</pre>\n"
    );
    reply(status, HTML, html)
}

/// An edit is to be seen on the next request, so browsers keep nothing without asking.
fn reply(status: StatusCode, content_type: &'static str, body: impl Into<Body>) -> Response {
    let mut response = Response::new(body.into());
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-cache"));
    response
}

fn escaped(text: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '&' => safe.push_str("&amp;"),
            '<' => safe.push_str("&lt;"),
            '>' => safe.push_str("&gt;"),
            other => safe.push(other),
        }
    }
    safe
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_from_the_request_is_no_markup() {
        assert_eq!(escaped("<b>&amp;</b>"), "&lt;b&gt;&amp;amp;&lt;/b&gt;");
    }
}
