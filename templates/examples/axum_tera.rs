//! The orders of a shop, rendered by Tera and served by axum: the page is kept for each shop, and each row by itself.
//!
//! `cargo run -p dogpile-templates --example axum_tera`

use std::{error::Error, sync::Arc, time::Duration};

use axum::extract::{Path, State};
use axum::response::{Html, IntoResponse};
use axum::{Router, http::StatusCode, routing::get};
use dogpile::{Host, RegionConfig, TemplatesConfig};
use dogpile_templates::{ViewCache, Views};
use tera::context;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

/// A task waits for whoever renders the same page at the moment, and no thread of the runtime does.
async fn orders(
    State(views): State<Arc<Views>>,
    Path(shop): Path<String>,
) -> Result<impl IntoResponse, (StatusCode, String)> {
    let page = views.page("orders.html").key(&shop);
    let rendered = page.render_async(|| async {
        let tea = serde_json::json!({ "id": 7, "changed": 1, "text": "two boxes of tea" });
        context! { shop => &shop, orders => &[tea] }
    });
    let page = rendered
        .await
        .map_err(|error| (StatusCode::INTERNAL_SERVER_ERROR, error.to_string()))?;
    let outcome = page.outcome().name();
    Ok(([("x-dogpile", outcome)], Html(page.into_string())))
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let host = Host::builder()
        .plugin(dogpile_plugin_memory::plugin())
        .plugin(dogpile_plugin_template_cache::plugin())
        .region(RegionConfig::on("pages", "memory").expiration_time(Duration::from_mins(1)))
        .templates(TemplatesConfig::new("template-cache"))
        .build()?;
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/examples/shop");
    let views = Arc::new(Views::open(folder, ViewCache::new(&host), |_| {})?);
    let router = Router::new().route("/{shop}", get(orders));
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let address = listener.local_addr()?;
    tokio::spawn(axum::serve(listener, router.with_state(views)).into_future());
    for expected in ["x-dogpile: created", "x-dogpile: fresh"] {
        let mut stream = TcpStream::connect(address).await?;
        let ask = "GET /teas HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n";
        stream.write_all(ask.as_bytes()).await?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await?;
        println!("{answer}");
        assert!(answer.contains(expected) && answer.contains("<li>7: two boxes of tea</li>"));
    }
    Ok(())
}
