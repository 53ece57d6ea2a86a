//! Instructions that a process executes, where the machine counts them.

/// A count of this thread's instructions, and of the threads that it starts from now on.
pub(super) struct Instructions(#[cfg(target_os = "linux")] Option<perf_event::Counter>);

#[cfg(target_os = "linux")]
impl Instructions {
    /// Begins to count, if the machine has a counter and the system gives it.
    pub(super) fn new() -> Instructions {
        let mut builder = perf_event::Builder::new();
        builder.inherit(true);
        let counter = builder
            .build()
            .and_then(|mut counter| counter.enable().map(|()| counter));
        Instructions(counter.ok())
    }

    /// So many until now.
    pub(super) fn count(&mut self) -> Option<u64> {
        self.0.as_mut()?.read().ok()
    }
}

#[cfg(not(target_os = "linux"))]
impl Instructions {
    /// Nothing is counted.
    pub(super) fn new() -> Instructions {
        Instructions()
    }

    /// Nothing.
    pub(super) fn count(&mut self) -> Option<u64> {
        None
    }
}
