use super::*;

const RULES: &str = r#"
[graph]
targets = ["x86_64-unknown-linux-gnu"]
[licenses]
allow = ["MIT"]
[[licenses.exceptions]]
crate = "arena"
allow = ["MPL-2.0"]
[bans]
deny = [{ crate = "toml", deny-multiple-versions = true }]
skip = [{ crate = "toml@0.1.0", reason = "old" }]
"#;

fn package(name: &str, version: &str, licence: Option<&str>) -> Package {
    let (name, version) = (name.to_owned(), version.to_owned());
    Package {
        name,
        version,
        licence: licence.map(String::from),
    }
}

/// Packages which keep every rule.
fn good() -> Vec<Package> {
    vec![
        package("toml", "1.0.0", Some("MIT")),
        package("toml", "0.1.0", Some("MIT")),
        package("syn", "1.0.0", Some("MIT")),
        package("syn", "2.0.0", Some("MIT")),
        package("arena", "1.0.0", Some("MPL-2.0")),
    ]
}

fn found(packages: &[Package]) -> Vec<String> {
    problems(&Rules::parse(RULES).unwrap(), packages)
}

#[test]
fn what_keeps_the_rules_passes() {
    assert_eq!(found(&good()), Vec::<String>::new());
}

#[test]
fn a_licence_that_is_not_allowed_is_named_with_its_crate() {
    let mut packages = good();
    packages.push(package("viral", "1.0.0", Some("GPL-3.0")));
    packages.push(package("other", "1.0.0", Some("MPL-2.0")));
    packages.push(package("bare", "1.0.0", None));
    packages.push(package("odd", "1.0.0", Some("MIT OR")));
    let expected = [
        "viral 1.0.0: licence `GPL-3.0` is not allowed",
        "other 1.0.0: licence `MPL-2.0` is not allowed",
        "bare 1.0.0: no licence is declared",
        "odd 1.0.0: licence `MIT OR`: it ends too early",
    ];
    assert_eq!(found(&packages), expected);
}

#[test]
fn a_second_version_of_a_crate_that_must_be_single_is_refused() {
    let mut packages = good();
    packages.push(package("toml", "2.0.0", Some("MIT")));
    assert_eq!(
        found(&packages),
        ["toml is there in more than one version: 1.0.0, 2.0.0"]
    );
}

#[test]
fn an_exception_that_nothing_needs_is_refused() {
    let expected = [
        "arena has a licence exception but is not there: remove it",
        "toml@0.1.0 is skipped but is not there: remove it",
    ];
    assert_eq!(found(&[]), expected);
}

#[test]
fn a_rules_file_without_its_tables_is_an_error() {
    assert!(Rules::parse("[graph]").is_err());
    assert!(Rules::parse("[licenses]").is_err());
}
