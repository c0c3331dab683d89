//! Lists what a crate of the workspace exports: each public item with its signature, and what is
//! implemented for each public type, `Send` and `Sync` included, or their lack.
//!
//! The list is made by the crate `public-api` from rustdoc's JSON, which stable compilers write as
//! well when they are told that they may. No interpreter is needed: pyo3 is told of one in a file.

use std::ffi::OsStr;
use std::fmt::Write as _;
use std::path::Path;
use std::process::Command;

use public_api::{Builder, Error};

/// The exports of a crate.
pub enum Exports {
    /// An item a line.
    Listed(String),
    /// The compiler is too old or too new for the version of `public-api`, whose error it is.
    Unreadable(Error),
}

/// Lists the exports of a package of the workspace, which is built in `target`.
///
/// # Panics
/// If it cannot be built.
pub fn exports(package: &str, target: &Path) -> Exports {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    let cargo = std::env::var_os("CARGO");
    let status = Command::new(cargo.as_deref().unwrap_or(OsStr::new("cargo")))
        .args([
            "rustdoc",
            "--quiet",
            "--lib",
            "--package",
            package,
            "--target-dir",
        ])
        .arg(target)
        .args(["--", "-Z", "unstable-options", "--output-format", "json"])
        .current_dir(here)
        // rustdoc's JSON is unstable, and nothing else here is.
        .env("RUSTC_BOOTSTRAP", "1")
        .env("PYO3_CONFIG_FILE", here.join("interpreter.txt"))
        .status()
        .expect("cargo runs");
    assert!(status.success(), "{package} cannot be documented");
    let json = target.join(format!("doc/{}.json", package.replace('-', "_")));
    // What everything implements, such as `Any`, says nothing about a crate.
    match Builder::from_rustdoc_json(json)
        .omit_blanket_impls(true)
        .build()
    {
        Ok(api) => Exports::Listed(list(api.items().map(ToString::to_string))),
        Err(error @ Error::SerdeJsonError(_)) => Exports::Unreadable(error),
        Err(error) => panic!("{package}: {error}"),
    }
}

/// Leaves out the traits that no stable program can name: they come and go with the compiler.
fn list(items: impl Iterator<Item = String>) -> String {
    let is_of_compiler = |item: &String| {
        ["Freeze", "UnsafeUnpin", "StructuralPartialEq"]
            .iter()
            .any(|name| item.contains(&format!("core::marker::{name} for ")))
    };
    let mut list = String::new();
    for item in items.filter(|item| !is_of_compiler(item)) {
        writeln!(list, "{item}").expect("a string takes everything");
    }
    list
}
