//! Several plugins in one program: their symbols carry the names of their packages, so they do not collide.

#![forbid(unsafe_code)]

use dogpile_plugin_api::testing::{Offered, host};

#[test]
fn plugins_are_linked_into_one_program_and_each_is_itself() {
    let plugins = [
        dogpile_plugin_memory::plugin(),
        dogpile_plugin_null::plugin(),
        dogpile_plugin_manglers::plugin(),
        dogpile_plugin_proxies::plugin(),
        dogpile_plugin_template_cache::plugin(),
    ];
    let packages: Vec<_> = plugins
        .iter()
        .map(|plugin| plugin.describe().unwrap().package)
        .collect();
    assert_eq!(
        packages,
        [
            "dogpile-plugin-memory",
            "dogpile-plugin-null",
            "dogpile-plugin-manglers",
            "dogpile-plugin-proxies",
            "dogpile-plugin-template-cache"
        ]
    );
    let [memory, null, manglers, proxies, template_cache] = plugins;
    let host = host();
    let key = host.key("a");
    let value = dogpile_plugin_api::Value::from(&b"value"[..]);
    for (plugin, name, kept) in [(memory, "memory", true), (null, "null", false)] {
        let backend = plugin.open_backend(name, "{}", host.raw()).unwrap();
        backend.set(&key.as_key(), &value).unwrap();
        assert_eq!(backend.get(&key.as_key()).unwrap().is_some(), kept);
    }
    let sha1 = manglers.open_mangler("sha1", "{}", host.raw()).unwrap();
    assert_eq!(sha1.mangle("a").unwrap().len(), 40);
    template_cache
        .open_template_cache("template-cache", "{}", host.raw())
        .unwrap();
    let [memory_alone, log] =
        [(memory, "memory"), (proxies, "log")].map(|(plugin, name)| Offered {
            plugin,
            name,
            arguments: "{}",
        });
    let logged = host.open(memory_alone, &[log]).unwrap();
    logged.set(&key.as_key(), &value).unwrap();
    assert!(logged.get(&key.as_key()).unwrap().is_some());
    assert!(memory.open_backend("null", "{}", host.raw()).is_err());
}
