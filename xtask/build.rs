//! Tells the task runner by which flags of the compiler cargo builds here, wherever they are set: cargo itself can be
//! asked for them by a build script alone.
#![forbid(unsafe_code)]

fn main() {
    let flags = std::env::var("CARGO_ENCODED_RUSTFLAGS").unwrap_or_default();
    println!("cargo::rerun-if-changed=build.rs");
    println!("cargo::rustc-env=RUSTFLAGS_OF_CARGO={flags}");
}
