//! The program `dgm-train`: see `dgm_train::cli`.

use std::process::ExitCode;

/// Training frees and takes the same buffers each step, which the system's allocator gives back to the kernel in
/// between; this one keeps them (see `dgm_train::allocator`).
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    dgm_train::allocator::keep_freed_memory();
    if std::env::var_os("XDG_RUNTIME_DIR").is_none() {
        // Mesa's drivers complain on standard error when it is missing, and need nothing of it.
        // SAFETY: nothing else runs yet, so no other thread reads or writes the environment.
        unsafe { std::env::set_var("XDG_RUNTIME_DIR", std::env::temp_dir()) };
    }
    if cfg!(any(feature = "flex", feature = "ndarray")) && std::env::var_os("BURN_DEVICE").is_none() {
        // Burn loads an optimiser's state to its default device first, which prefers a GPU that nobody asked for; the
        // first step moves it to where the weights are.
        // SAFETY: nothing else runs yet, so no other thread reads or writes the environment.
        unsafe { std::env::set_var("BURN_DEVICE", if cfg!(feature = "flex") { "flex" } else { "ndarray" }) };
    }
    dgm_train::cli::main()
}
