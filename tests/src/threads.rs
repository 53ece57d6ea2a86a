//! Tests side by side, each on a thread of its own.

use rayon::{ThreadPool, ThreadPoolBuilder};

thread_local! {
    /// The pool that the thread itself is, if it could become one. It is never taken down: it ends with the thread.
    static ALONE: Option<&'static ThreadPool> = {
        let pool = ThreadPoolBuilder::new().num_threads(1).use_current_thread().build();
        pool.ok().map(|pool| &*Box::leak(Box::new(pool)))
    };
}

/// From now on the calling thread does by itself what is otherwise cut in pieces for all threads: cut in pieces, a multi-exponentiation as small as those here is
/// twice the work, and other tests are there to keep the cores busy.
pub fn on_this_thread_alone() {
    ALONE.with(|_| ());
}
