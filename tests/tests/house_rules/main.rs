//! What every change must keep, checked by reading the sources. CONTRIBUTING.md lists the rules.

mod arrows;
mod client_crates;
mod crates;
mod dogpile_tests;
mod glob_imports;
mod leftovers;
mod length;
mod named_tests;
mod pages;
mod pinned;
mod source;
mod template_features;
mod unsafe_code;

use std::path::Path;
use std::process::Command;

use source::Tree;

fn project() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .parent()
        .expect("this crate lies in the project")
}

fn metadata() -> serde_json::Value {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let output = Command::new(cargo)
        .args([
            "metadata",
            "--no-deps",
            "--offline",
            "--format-version",
            "1",
        ])
        .current_dir(project())
        .output()
        .expect("cargo can be started");
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    serde_json::from_slice(&output.stdout).expect("cargo prints JSON")
}

#[track_caller]
fn none(problems: &[String]) {
    assert!(problems.is_empty(), "\n{}\n", problems.join("\n"));
}

#[test]
fn each_of_the_clients_crates_is_called_by_a_shipped_crate() {
    none(&client_crates::problems(
        &Tree::read(project()),
        &metadata(),
    ));
}

#[test]
fn plugins_say_the_version_of_abi_stable_that_they_are_built_with() {
    none(&pinned::problems(
        &metadata(),
        dogpile_plugin_api::abi::ABI_STABLE_VERSION,
    ));
}

#[test]
fn unsafe_code_is_only_where_it_may_be() {
    none(&unsafe_code::problems(&Tree::read(project())));
}

#[test]
fn crates_depend_on_those_below_them_only() {
    none(&crates::problems(&metadata()));
}

#[test]
fn modules_of_the_host_import_those_below_them_only() {
    none(&arrows::problems(&Tree::read(project())));
}

#[test]
fn no_source_file_is_longer_than_the_limit() {
    none(&length::problems(&Tree::read(project())));
}

#[test]
fn nothing_is_left_half_written() {
    none(&leftovers::problems(&Tree::read(project())));
}

#[test]
fn parents_are_imported_whole_by_test_modules_only() {
    none(&glob_imports::problems(&Tree::read(project())));
}

#[test]
fn the_table_of_templates_features_names_tests_that_are_there() {
    none(&template_features::problems(&Tree::read(project())));
}

#[test]
fn the_table_of_dogpiles_tests_has_them_all_and_names_tests_that_are_there() {
    none(&dogpile_tests::problems(
        &Tree::read(project()),
        dogpile_tests::THEIRS,
    ));
}

#[test]
fn links_of_all_pages_lead_to_files_and_headings_that_are_there() {
    none(&pages::dead(project(), &Tree::read(project())));
}

#[test]
fn each_published_crate_has_a_readme_that_needs_nothing_beside_it() {
    none(&pages::readmes(&metadata()));
}
