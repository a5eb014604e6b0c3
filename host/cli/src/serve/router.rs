//! Which path is answered by what.

use std::sync::Arc;

use axum::Router;
use axum::extract::{Path, Query, State};
use axum::http::StatusCode;
use axum::response::Response;
use axum::routing::get;

use super::{Service, reply};

/// What a page uses of its query is part of a key, so that it must be short. In bytes, decoded.
const LONGEST_QUERY: usize = 2048;

type Shared = State<Arc<Service>>;
type Pairs = Query<Vec<(String, String)>>;

pub(super) fn router(service: Arc<Service>) -> Router {
    Router::new()
        .route("/-/health", get(health))
        .route("/-/status", get(status))
        .route("/-/{*path}", get(nothing))
        .route("/static/{*path}", get(static_file))
        .route("/", get(home))
        .route("/{*path}", get(page))
        .with_state(service)
}

/// It answers, so it lives; regions fail or not on their own.
async fn health() -> Response {
    reply::text(StatusCode::OK, "ok\n")
}

async fn status(State(service): Shared) -> Response {
    reply::json(&service.host.status())
}

async fn nothing(Path(path): Path<String>) -> Response {
    reply::not_found(&format!("/-/{path}"))
}

async fn home(service: Shared, query: Pairs) -> Response {
    answer(service, "/".to_owned(), query).await
}

async fn page(service: Shared, Path(path): Path<String>, query: Pairs) -> Response {
    answer(service, format!("/{path}"), query).await
}

async fn answer(State(service): Shared, path: String, Query(query): Pairs) -> Response {
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
        Err(error) => reply::failed(&path, &error),
    }
}

async fn static_file(State(service): Shared, Path(path): Path<String>) -> Response {
    let path = format!("/static/{path}");
    let Some(pages) = &service.pages else {
        return reply::not_found(&path);
    };
    match pages.static_file(path.clone()).await {
        Ok(Some(file)) => reply::file(file),
        Ok(None) => reply::not_found(&path),
        Err(error) => reply::failed(&path, &error),
    }
}
