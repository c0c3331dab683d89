//! A crate exports what its list says, and nothing else. Whoever means a change to what is exported
//! renews the lists, and everybody sees the change in the diff:
//!
//! ```console
//! $ UPDATE_SNAPSHOTS=yes cargo test --package greenloop-public-api
//! ```
//!
//! A compiler that calls an item of the standard library by another path than before changes them
//! as well.

use std::path::{Path, PathBuf};

use greenloop_public_api::{Exports, exports};

#[test]
fn the_rust_face_exports_what_is_listed() {
    check("greenloop", |_| true);
}

#[test]
fn what_the_rust_face_passes_on_of_the_core_is_as_listed() {
    check("greenloop-core", |item| {
        let subject = item.split_once("greenloop_core::");
        subject.is_some_and(|(_, name)| name.starts_with("Instant"))
    });
}

#[test]
fn the_bridge_exports_what_is_listed() {
    check("greenloop-bridge", |_| true);
}

/// The folder of the lists: this one, unless the variable `GREENLOOP_PUBLIC_ITEMS` names another.
fn lists() -> PathBuf {
    let named = std::env::var_os("GREENLOOP_PUBLIC_ITEMS");
    named.map_or_else(|| env!("CARGO_MANIFEST_DIR").into(), PathBuf::from)
}

/// Compares those items of a package that matter with its list.
fn check(package: &str, matters: impl Fn(&str) -> bool) {
    // A folder for each, since cargo would have the tests wait for each other in one.
    let target = Path::new(env!("CARGO_TARGET_TMPDIR")).join(package);
    match exports(package, &target) {
        Exports::Listed(list) => {
            let path = lists().join(format!("{package}.txt"));
            let matter = list.split_inclusive('\n').filter(|item| matters(item));
            snapshot_testing::assert_eq_or_update(matter.collect::<String>(), path);
        }
        Exports::Unreadable(error) => {
            // `.ci/run` sets it, and has a compiler that is known.
            assert!(std::env::var_os("GREENLOOP_CI").is_none(), "{error}");
            eprintln!(
                "{package} is not compared: this compiler is not known to public-api ({error})"
            );
        }
    }
}
