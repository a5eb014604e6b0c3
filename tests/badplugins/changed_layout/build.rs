//! Layouts say of which package a type is. This crate's are to differ from the plugin interface's in the rest only.

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    println!("cargo::rustc-env=CARGO_PKG_NAME=dogpile-plugin-api");
}
