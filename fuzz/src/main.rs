//! One reader of [`READERS`](zkmargin_tests::readers::READERS), named by the environment variable `READER`, under libFuzzer; `run.sh` builds and runs it.
#![no_main]

use std::alloc::System;
use std::sync::LazyLock;

use cap::Cap;
use libfuzzer_sys::fuzz_target;
use zkmargin_tests::readers::{Reader, reader};

/// Most bytes that are allocated at once, whatever is read: beyond it an allocation fails, and the process ends.
const MAX_BYTES: usize = 512 << 20;

#[global_allocator]
static ALLOCATOR: Cap<System> = Cap::new(System, MAX_BYTES);

static READER: LazyLock<&Reader> = LazyLock::new(|| {
    let name = std::env::var("READER").expect("READER names a reader");
    reader(&name).expect("READER names a reader")
});

fuzz_target!(|bytes: &[u8]| {
    (READER.read)(bytes);
});
