//! The pools of threads that divide the work of flex, where the build has it.

use crate::error::Result;

/// As deep as a program's own.
#[cfg(feature = "flex")]
const STACK: usize = 8 << 20;

/// Threads that work at the same time.
pub(crate) fn count() -> usize {
    #[cfg(feature = "flex")]
    return rayon::current_num_threads();
    #[cfg(not(feature = "flex"))]
    1
}

/// What `f` makes of 0, 1, … n − 1, in this order; on a CPU side by side.
pub(crate) fn map<T: Send>(n: usize, side_by_side: bool, f: impl Fn(usize) -> T + Sync + Send) -> Vec<T> {
    #[cfg(feature = "flex")]
    if side_by_side {
        use rayon::prelude::*;
        return (0..n).into_par_iter().map(f).collect();
    }
    let _ = side_by_side;
    (0..n).map(f).collect()
}

/// Runs `f` on a thread of the program's pool: handing work over from outside, and waiting there for what comes back, takes longer than many
/// an operation.
#[cfg(feature = "cli")]
pub(crate) fn in_pool<T: Send>(f: impl FnOnce() -> T + Send) -> T {
    #[cfg(feature = "flex")]
    {
        // Where a thread panics its name is told.
        let pool = rayon::ThreadPoolBuilder::new().stack_size(STACK).thread_name(|thread| format!("worker {thread}"));
        match pool.build_global() {
            Ok(()) => rayon::scope(|_| f()),
            Err(_) => f(),
        }
    }
    #[cfg(not(feature = "flex"))]
    f()
}

/// Runs `f` in a pool of its own of so many threads.
///
/// # Errors
/// The system has no threads for it.
pub(crate) fn in_pool_of<T: Send>(threads: usize, f: impl FnOnce() -> Result<T> + Send) -> Result<T> {
    #[cfg(feature = "flex")]
    {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).stack_size(STACK).build();
        pool.map_err(|error| crate::error::Error::run(format!("{threads} more threads cannot be started: {error}")))?
            .install(f)
    }
    #[cfg(not(feature = "flex"))]
    {
        let _ = threads;
        f()
    }
}
