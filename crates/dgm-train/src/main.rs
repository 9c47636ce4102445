//! The program `dgm-train`: see `dgm_train::cli`.

use std::process::ExitCode;

/// Training frees and takes the same buffers each step, which the system's allocator gives back to the kernel in
/// between; this one keeps them.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    dgm_train::cli::main()
}
