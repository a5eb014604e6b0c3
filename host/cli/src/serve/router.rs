//! Which path is answered by what.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::Arc;

use axum::Router;
use axum::extract::{ConnectInfo, FromRequestParts, Path, Query, State};
use axum::http::StatusCode;
use axum::http::request::Parts;
use axum::response::Response;
use axum::routing::get;

use super::{Service, reply};

/// What a page uses of its query is part of a key, so that it must be short. In bytes, decoded.
const LONGEST_QUERY: usize = 2048;

type Shared = State<Arc<Service>>;
type Pairs = Query<Vec<(String, String)>>;

/// Whoever asks.
struct Reader {
    /// Whether it is somebody on this machine, so most likely the author of the pages, and not a proxy for others.
    is_local: bool,
}

impl<S: Send + Sync> FromRequestParts<S> for Reader {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Infallible> {
        let peer = parts.extensions.get::<ConnectInfo<SocketAddr>>();
        let by_proxy = ["forwarded", "x-forwarded-for", "x-real-ip", "via"];
        let is_direct = !by_proxy
            .iter()
            .any(|name| parts.headers.contains_key(*name));
        let is_local =
            is_direct && peer.is_some_and(|peer| peer.0.ip().to_canonical().is_loopback());
        Ok(Self { is_local })
    }
}

impl Reader {
    fn failed(&self, path: &str, error: &anyhow::Error) -> Response {
        reply::failed(path, error, self.is_local)
    }
}

pub(super) fn router(service: Arc<Service>) -> Router {
    Router::new()
        .route("/-/health", get(health))
        .route("/-/status", get(status))
        .route("/-/{*path}", get(nothing))
        .route("/metrics", get(metrics))
        .route("/static/{*path}", get(static_file))
        .route("/", get(home))
        .route("/{*path}", get(page))
        .with_state(service)
}

/// It answers, so it lives; regions fail or not on their own.
async fn health() -> Response {
    reply::text(StatusCode::OK, "ok\n")
}

async fn status(State(service): Shared, reader: Reader) -> Response {
    match serde_json::to_vec_pretty(&service.host.status()) {
        Ok(json) => reply::json(json),
        Err(error) => reader.failed("/-/status", &error.into()),
    }
}

/// A backend may take a moment to say what it holds, which must not hold up a thread that serves.
async fn metrics(State(service): Shared, reader: Reader) -> Response {
    match tokio::task::spawn_blocking(move || service.host.metrics_text()).await {
        Ok(text) => reply::metrics(text),
        Err(error) => reader.failed("/metrics", &error.into()),
    }
}

async fn nothing(Path(path): Path<String>) -> Response {
    reply::not_found(&format!("/-/{path}"))
}

async fn home(service: Shared, reader: Reader, query: Pairs) -> Response {
    answer(service, reader, "/".to_owned(), query).await
}

async fn page(service: Shared, reader: Reader, Path(path): Path<String>, query: Pairs) -> Response {
    answer(service, reader, format!("/{path}"), query).await
}

async fn answer(
    State(service): Shared,
    reader: Reader,
    path: String,
    Query(query): Pairs,
) -> Response {
    let Some(pages) = &service.pages else {
        return reply::not_found(&path);
    };
    let length: usize = query
        .iter()
        .map(|(name, value)| name.len() + value.len())
        .sum();
    if length > LONGEST_QUERY {
        return reply::text(StatusCode::URI_TOO_LONG, "the query string is too long\n");
    }
    match pages.page(path.clone(), query).await {
        Ok(Some(page)) => reply::page(page),
        Ok(None) => reply::not_found(&path),
        Err(error) => reader.failed(&path, &error),
    }
}

async fn static_file(State(service): Shared, reader: Reader, Path(path): Path<String>) -> Response {
    let path = format!("/static/{path}");
    let Some(pages) = &service.pages else {
        return reply::not_found(&path);
    };
    match pages.static_file(path.clone()).await {
        Ok(Some(file)) => reply::file(file),
        Ok(None) => reply::not_found(&path),
        Err(error) => reader.failed(&path, &error),
    }
}
