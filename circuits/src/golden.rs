//! Golden files: rewritten only on purpose, with `ZKMARGIN_REWRITE_GOLDEN=1`.

#![allow(clippy::unwrap_used, clippy::panic)]

use std::fs;
use std::path::Path;

/// Compares `found` with the golden file of this name.
pub(crate) fn check(name: &str, found: &str) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("golden").join(name);
    if std::env::var_os("ZKMARGIN_REWRITE_GOLDEN").is_some_and(|value| value == "1") {
        fs::write(&path, found).unwrap();
    }
    let expected = fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    assert!(expected == found, "{name} has changed; found:\n{found}");
}
