//! The orders of a shop, rendered by Askama and served by axum: the page is kept for each shop, and each row by itself.
//!
//! `cargo run -p dogpile-templates --example axum_askama`

use std::{error::Error, io::Write, net::TcpStream, time::Duration};

use askama::Template;
use axum::extract::{Path, State};
use axum::response::{Html, IntoResponse};
use axum::{Router, http::StatusCode, routing::get};
use dogpile::{Host, RegionConfig, TemplatesConfig};
use dogpile_templates::ViewCache;
use dogpile_templates::askama::{CachedTemplate, filters};
use tokio::{net::TcpListener, task::spawn_blocking};

#[derive(Template, CachedTemplate)]
#[template(
    source = r#"<h1>{{ shop }}</h1>{% for (id, text) in orders %}{% filter cached(("row", id)) %}<li>{{ id }}: {{ text }}</li>{% endfilter %}{% endfor %}"#,
    ext = "html"
)]
struct Orders<'a> {
    shop: &'a str,
    orders: Vec<(u32, String)>,
}

/// A page may wait for whoever renders it at the moment: it does so on a thread that is there for waiting.
async fn orders(
    State(cache): State<ViewCache>,
    Path(shop): Path<String>,
) -> Result<impl IntoResponse, (StatusCode, String)> {
    let render = move || {
        let (shop, orders) = (&*shop, vec![(7, "two boxes of tea".to_owned())]);
        let page = Orders::view(&cache).key(&shop);
        page.render(|| Orders { shop, orders })
    };
    let page = spawn_blocking(render).await.map_err(failed)?;
    let page = page.map_err(failed)?;
    let outcome = page.outcome().name();
    Ok(([("x-dogpile", outcome)], Html(page.into_string())))
}

fn failed(error: impl Error) -> (StatusCode, String) {
    (StatusCode::INTERNAL_SERVER_ERROR, error.to_string())
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let host = Host::builder()
        .plugin(dogpile_plugin_memory::plugin())
        .plugin(dogpile_plugin_template_cache::plugin())
        .region(RegionConfig::on("pages", "memory").expiration_time(Duration::from_mins(1)))
        .templates(TemplatesConfig::new("template-cache"))
        .build()?;
    let router = Router::new()
        .route("/{shop}", get(orders))
        .with_state(ViewCache::new(&host));
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let address = listener.local_addr()?;
    tokio::spawn(axum::serve(listener, router).into_future());
    for expected in ["x-dogpile: created", "x-dogpile: fresh"] {
        let mut stream = TcpStream::connect(address)?;
        stream.write_all(b"GET /teas HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n")?;
        let answer = std::io::read_to_string(stream)?;
        println!("{answer}");
        assert!(answer.contains(expected) && answer.contains("<li>7: two boxes of tea</li>"));
    }
    Ok(())
}
