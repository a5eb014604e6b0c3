//! The manifest of the page on cached templates opens. Its program and its templates run with `dogpile-templates`.

#![forbid(unsafe_code)]

use std::fs;

use dogpile::Host;
use dogpile_tests::plugin_file;

const PAGE: &str = include_str!("../../docs/templates.md");

#[test]
fn the_manifest_opens_and_its_template_cache_is_asked() {
    let blocks = PAGE.split("```").skip(1).step_by(2);
    let mut manifests = blocks.filter_map(|block| block.strip_prefix("toml\n"));
    let (manifest, None) = (manifests.next().unwrap(), manifests.next()) else {
        panic!("there is another manifest");
    };
    let folder = tempfile::tempdir().unwrap();
    fs::create_dir(folder.path().join("plugins")).unwrap();
    for plugin in ["memory", "template_cache"] {
        let file = plugin_file(plugin);
        let name = file.file_name().unwrap();
        fs::copy(&file, folder.path().join("plugins").join(name)).unwrap();
    }
    let host = "version = 1\n[host]\nplugin_dir = \"plugins\"\n";
    let file = folder.path().join("dogpile.toml");
    fs::write(&file, manifest.replacen("version = 1\n", host, 1)).unwrap();
    let host = Host::open(&file).unwrap();
    assert!(host.region("pages").is_ok());
    let what = (dogpile_plugin_api::TemplatePart::Page, "");
    for (template, decision) in [("admin/users.html", "Bypass"), ("orders.html", "Cache")] {
        let request = dogpile_plugin_api::TemplateRequest::new("tera", template, what, "key");
        let decided = host
            .templates()
            .decide(&request, |decided| format!("{decided:?}"));
        let decided = decided.unwrap().unwrap();
        assert!(decided.starts_with(decision), "{template}: {decided}");
    }
}
