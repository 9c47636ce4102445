//! How the program's allocator, mimalloc, treats memory that a training step frees.

/// Milliseconds that freed memory is kept before the system has it back.
const KEPT: std::ffi::c_long = 10_000;

/// `mi_option_purge_delay` of mimalloc.h, which the binding has no name for.
const PURGE_DELAY: libmimalloc_sys::mi_option_t = 15;

/// Keeps freed memory for ten seconds in place of one: the next step asks for as much again, and each page that went back to the system is
/// cleared when it returns. `MIMALLOC_PURGE_DELAY` in the environment overrides it. For programs whose global allocator is mimalloc, at the beginning of `main`.
pub fn keep_freed_memory() {
    if std::env::var_os("MIMALLOC_PURGE_DELAY").is_none() {
        // SAFETY: it sets a number, at a time when no other thread reads it.
        unsafe { libmimalloc_sys::mi_option_set(PURGE_DELAY, KEPT) };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_option_is_the_one_that_is_meant() {
        // mimalloc's own default is a second.
        // SAFETY: it reads a number.
        let get = || unsafe { libmimalloc_sys::mi_option_get(PURGE_DELAY) };
        assert_eq!(get(), 1000);
        keep_freed_memory();
        assert_eq!(get(), KEPT);
    }
}
