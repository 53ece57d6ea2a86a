//! What a signal that ends the process leaves behind: nothing.

use std::io;

/// From now on, a process that SIGINT or SIGTERM ends takes its [unfinished outputs](zkmargin_verifier::output), which may hold secrets, with it. It
/// still ends by that signal, which its parent sees. SIGHUP is left alone: a handler would undo what `nohup` does.
///
/// # Errors
/// The operating system's.
#[cfg(unix)]
pub fn watch() -> io::Result<()> {
    use signal_hook::consts::{SIGINT, SIGTERM};
    use signal_hook::iterator::Signals;
    use signal_hook::low_level::emulate_default_handler;

    let mut signals = Signals::new([SIGINT, SIGTERM])?;
    std::thread::Builder::new().name("signals".to_owned()).spawn(move || {
        if let Some(signal) = signals.forever().next() {
            let abandoned = zkmargin_verifier::output::abandon();
            let _ = emulate_default_handler(signal);
            // Not reached, unless the system refuses to let us die of it.
            drop(abandoned);
            std::process::exit(128 + signal);
        }
    })?;
    Ok(())
}

/// Elsewhere, leavings wait for the next command that writes to their folder.
///
/// # Errors
/// None.
#[cfg(not(unix))]
pub fn watch() -> io::Result<()> {
    Ok(())
}
