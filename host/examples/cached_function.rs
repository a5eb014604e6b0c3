//! A function whose results are cached, and what stands beside it.
//!
//! `cargo run -p dogpile --example cached_function`

use std::thread;
use std::time::Duration;

use dogpile::{Host, RegionConfig, cached};

/// Counts the letters of a word, slowly.
#[cached(region = "words", expiration_time = "1m")]
fn letters(word: &str) -> Result<usize, String> {
    println!("  counting {word:?}");
    thread::sleep(Duration::from_millis(50));
    if word.is_empty() {
        return Err("there is no word".to_owned());
    }
    Ok(word.chars().count())
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let host = Host::builder()
        .plugin(dogpile_plugin_memory::plugin())
        .region(RegionConfig::on("words", "memory"))
        .build()?;
    host.install()?;

    for word in ["stampede", "stampede", "", ""] {
        match letters(word) {
            Ok(count) => println!("{word:?} has {count} letters, {:?}", count.source()),
            Err(error) => println!("{word:?}: {error}"),
        }
    }
    println!("its key is {}", letters::key("stampede")?);
    letters::invalidate("stampede")?;
    println!("after that there is {:?}", letters::get("stampede")?);
    println!("refreshed: {}", letters::refresh("stampede")?);
    Ok(())
}
