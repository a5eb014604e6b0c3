//! Cached pages and fragments of a program's own MiniJinja environment.
//!
//! ```sh
//! cargo run -p dogpile-templates --features minijinja --example minijinja
//! ```

use std::time::Duration;

use dogpile::{Host, RegionConfig, TemplatesConfig};
use dogpile_templates::{JinjaViews, ViewCache};
use minijinja::{Environment, context};

const ORDERS: &str = "\
<h1>{{ shop }}</h1>
{% for order in orders %}{% call cached('row', order.id, expiration_time='1h') -%}
<li>{{ order.id }}: {{ order.text|slow }}</li>
{% endcall %}{% endfor %}";

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let host = Host::builder()
        .plugin(dogpile_plugin_memory::plugin())
        .plugin(dogpile_plugin_template_cache::plugin())
        .region(RegionConfig::on("pages", "memory").expiration_time(Duration::from_mins(1)))
        .templates(TemplatesConfig::new("template-cache"))
        .build()?;
    let views = JinjaViews::new(ViewCache::new(&host));

    let mut env = Environment::new();
    env.add_filter("slow", |text: &str| {
        println!("  rendering {text}");
        text.to_uppercase()
    });
    env.add_template("orders.html", ORDERS)?;
    views.add_to(&mut env);

    let order = |id, text| context! { id, text };
    let mut orders = vec![order(1, "tea"), order(2, "milk")];
    println!("Any render of the environment runs no body whose text is in the cache:");
    let template = env.get_template("orders.html")?;
    template.render(context! { shop => "A", orders => &orders })?;
    orders.push(order(3, "honey"));
    println!("  and now only what is new:");
    template.render(context! { shop => "A", orders => &orders })?;

    println!("A page that is kept as a whole does not even make its context:");
    for _ in 0..2 {
        let page = views.page(&env, "orders.html").key(&"A").tags(["orders"]);
        let html = page.render(|| {
            println!("  making the context");
            context! { shop => "A", orders => &orders }
        })?;
        println!("  {:?}: {} bytes", html.outcome(), html.len());
    }
    Ok(())
}
