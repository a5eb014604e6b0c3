//! A host of the later interface, with a plugin of this one: asks for all that was appended, and tells what it got.

use std::error::Error;
use std::time::Duration;

use dogpile_plugin_api::abi::PluginHeader;
use dogpile_plugin_api::testing::{Offered, host};
use dogpile_plugin_api::{Decision, Key, Metadata, Plugin, TemplatePart, TemplateRequest, Value};

fn main() -> Result<(), Box<dyn Error>> {
    let path = std::env::args_os()
        .nth(1)
        .ok_or("a plugin's file is wanted")?;
    // SAFETY: the tests built it, and it is never unloaded.
    let library = Box::leak(Box::new(unsafe { libloading::Library::new(path) }?));
    // SAFETY: that is the type of what `export_plugin!` exports.
    let header: *const PluginHeader = *unsafe { library.get(b"__dogpile_plugin_whole\0") }?;
    // SAFETY: the fields that both interfaces have; what this one has behind them is not there. The tests check that the
    // layouts fit each other.
    let plugin = unsafe { Plugin::from_table(((&raw const (*header).table).read())()) };
    told(plugin)
}

fn told(plugin: Plugin) -> Result<(), Box<dyn Error>> {
    let host = host();
    plugin.start(host.raw())?;
    let info = plugin.describe()?;
    println!("describe: {} {:?}", info.package, info.appended);
    println!("plugin: {:?}", plugin.appended()?);

    let backend = plugin.open_backend("whole", "{}", host.raw())?;
    let name = host.key("a");
    let value = |text: &str| Value::copied(&Metadata::default(), name.as_key(), text.as_bytes());
    backend.set(&name.as_key(), &value("one"))?;
    println!("get: {}", text(backend.get(&name.as_key())?));
    println!("backend: {}", text(backend.appended(&name.as_key())?));
    println!("host: {}", text(backend.get(&Key::new("host", 0))?));
    let error = backend.get(&Key::new("error", 0)).expect_err("it fails");
    println!("error: {:?} {error}", error.kind());
    let stats = backend.stats()?;
    println!("stats: {:?} {}", stats.entries, stats.appended);
    let mutex = backend.mutex(&name.as_key())?.ok_or("it has a mutex")?;
    let before = mutex.appended()?;
    let lease = mutex
        .try_acquire(Duration::from_secs(1))?
        .ok_or("it is free")?;
    println!("mutex: {before} {}", mutex.appended()?);
    println!("lease: {} {}", lease.tag, lease.appended());
    println!(
        "guarded: {:?}",
        backend.set_guarded(&name.as_key(), &value("two"), &lease)?
    );

    let whole = Offered {
        plugin,
        name: "whole",
        arguments: "{}",
    };
    let proxy = host.open(whole, &[whole])?;
    proxy.set(&name.as_key(), &value("three"))?;
    // By the proxy's own `get`, and not past it.
    println!("proxy: {}", text(proxy.appended(&name.as_key())?));

    let mangler = plugin.open_mangler("whole", "{}", host.raw())?;
    println!(
        "mangler: {} {}",
        mangler.mangle("a")?,
        mangler.appended("a")?
    );

    let pages = plugin.open_template_cache("whole", "{}", host.raw())?;
    let request = TemplateRequest::new("tera", "a.html", (TemplatePart::Page, ""), "key");
    let Decision::Cache(entry) = pages.decide(&request)? else {
        return Err("all is cached".into());
    };
    println!(
        "templates: {} {} {}",
        entry.region,
        entry.key,
        pages.appended()?
    );
    Ok(())
}

fn text(value: Option<Value>) -> String {
    let bytes = value
        .as_ref()
        .and_then(Value::as_bytes)
        .unwrap_or(b"nothing");
    String::from_utf8_lossy(bytes).into_owned()
}
