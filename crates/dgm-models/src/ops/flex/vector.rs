//! Eight or sixteen numbers at a time, with the processor's multiply-add where it has one.

use std::mem::MaybeUninit;

/// Numbers of a vector at the most.
pub(in crate::ops) const MOST_LANES: usize = 16;

/// Numbers of a vector where the processor has no longer ones, or rows are too short for them.
pub(in crate::ops) const LANES: usize = 8;

/// Numbers of the vectors that are best for rows of this length.
pub(in crate::ops) fn lanes_for(row: usize) -> usize {
    #[cfg(test)]
    if tests::SHORT.get() {
        return LANES;
    }
    #[cfg(target_arch = "x86_64")]
    if row >= MOST_LANES && std::arch::is_x86_feature_detected!("avx512f") {
        return MOST_LANES;
    }
    let _ = row;
    LANES
}

/// A vector register, or what stands for it.
pub(in crate::ops) trait Vector: Copy {
    /// Numbers that it holds.
    const LANES: usize;

    /// Whether there are 32 registers, not 16.
    const MANY: bool = false;

    /// The same number in every lane.
    ///
    /// # Safety
    /// The processor has the instructions; so for all of this trait.
    unsafe fn splat(value: f32) -> Self;

    /// Reads a vector's numbers.
    ///
    /// # Safety
    /// They may be read.
    unsafe fn load(from: *const f32) -> Self;

    /// `self`·b + c.
    ///
    /// # Safety
    /// See [`splat`](Self::splat).
    unsafe fn multiply_add(self, b: Self, c: Self) -> Self;

    /// `self` + b.
    ///
    /// # Safety
    /// See [`splat`](Self::splat).
    unsafe fn add(self, b: Self) -> Self;

    /// The lanes from `by` on, at most all, moved to the front; what follows them is of no meaning.
    ///
    /// # Safety
    /// See [`splat`](Self::splat).
    unsafe fn down(self, by: usize) -> Self;

    /// Begins to fetch what stands there into the cache: numbers that will be read or written soon, or nothing of use.
    ///
    /// # Safety
    /// See [`splat`](Self::splat).
    unsafe fn prefetch(from: *const f32);

    /// Writes a vector's numbers.
    ///
    /// # Safety
    /// They may be written.
    unsafe fn store(self, to: *mut f32);
}

/// A vector in memory, which nobody clears before it is written.
#[derive(Clone, Copy)]
pub(in crate::ops) struct Stored([MaybeUninit<f32>; MOST_LANES]);

impl Stored {
    /// Nothing yet.
    pub(in crate::ops) const EMPTY: Self = Self([MaybeUninit::uninit(); MOST_LANES]);

    /// Keeps a vector.
    ///
    /// # Safety
    /// The processor has the instructions of `V`.
    #[inline(always)]
    pub(in crate::ops) unsafe fn put<V: Vector>(&mut self, vector: V) {
        // SAFETY: no vector is longer.
        unsafe { vector.store(self.0.as_mut_ptr().cast()) };
    }

    /// The vector that was put there.
    ///
    /// # Safety
    /// It was, and is a `V`.
    #[inline(always)]
    pub(in crate::ops) unsafe fn get<V: Vector>(&self) -> V {
        // SAFETY: the caller's.
        unsafe { V::load(self.0.as_ptr().cast()) }
    }

    /// Its numbers.
    ///
    /// # Safety
    /// See [`get`](Self::get).
    #[inline(always)]
    pub(in crate::ops) unsafe fn numbers<V: Vector>(&self) -> &[f32] {
        // SAFETY: the caller's.
        unsafe { self.0[..V::LANES].assume_init_ref() }
    }
}

/// Without instructions of its own: a product and a sum, each rounded, or one operation where every processor of the kind has it.
impl Vector for [f32; LANES] {
    const LANES: usize = LANES;

    #[inline(always)]
    unsafe fn splat(value: f32) -> Self {
        [value; LANES]
    }

    #[inline(always)]
    unsafe fn load(from: *const f32) -> Self {
        // SAFETY: the caller's.
        unsafe { from.cast::<Self>().read_unaligned() }
    }

    #[inline(always)]
    unsafe fn multiply_add(self, b: Self, c: Self) -> Self {
        const FUSED: bool = cfg!(target_arch = "aarch64");
        std::array::from_fn(|i| if FUSED { self[i].mul_add(b[i], c[i]) } else { self[i] * b[i] + c[i] })
    }

    #[inline(always)]
    unsafe fn add(self, b: Self) -> Self {
        std::array::from_fn(|i| self[i] + b[i])
    }

    #[inline(always)]
    unsafe fn down(self, by: usize) -> Self {
        std::array::from_fn(|i| self.get(i + by).copied().unwrap_or(0.0))
    }

    #[inline(always)]
    unsafe fn prefetch(_: *const f32) {}

    #[inline(always)]
    unsafe fn store(self, to: *mut f32) {
        // SAFETY: the caller's.
        unsafe { to.cast::<Self>().write_unaligned(self) };
    }
}

#[cfg(target_arch = "x86_64")]
mod x86 {
    use super::{LANES, MOST_LANES, Vector};
    use std::arch::x86_64::{
        __m256, __m512, _MM_HINT_T0, _mm_prefetch, _mm256_add_ps, _mm256_fmadd_ps, _mm256_loadu_ps, _mm256_loadu_si256,
        _mm256_permutevar8x32_ps, _mm256_set1_ps, _mm256_storeu_ps, _mm512_add_ps, _mm512_fmadd_ps, _mm512_loadu_ps,
        _mm512_loadu_si512, _mm512_permutexvar_ps, _mm512_set1_ps, _mm512_storeu_ps,
    };

    impl Vector for __m256 {
        const LANES: usize = LANES;

        #[inline(always)]
        unsafe fn splat(value: f32) -> Self {
            // SAFETY: the caller's; so below.
            unsafe { _mm256_set1_ps(value) }
        }

        #[inline(always)]
        unsafe fn load(from: *const f32) -> Self {
            unsafe { _mm256_loadu_ps(from) }
        }

        #[inline(always)]
        unsafe fn multiply_add(self, b: Self, c: Self) -> Self {
            unsafe { _mm256_fmadd_ps(self, b, c) }
        }

        #[inline(always)]
        unsafe fn add(self, b: Self) -> Self {
            unsafe { _mm256_add_ps(self, b) }
        }

        #[inline(always)]
        unsafe fn down(self, by: usize) -> Self {
            // Of a lane's number the instruction reads the last three bits.
            const NUMBERS: [i32; 2 * LANES] = [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15];
            let from = &NUMBERS[by.min(LANES)..];
            unsafe { _mm256_permutevar8x32_ps(self, _mm256_loadu_si256(from.as_ptr().cast())) }
        }

        #[inline(always)]
        unsafe fn prefetch(from: *const f32) {
            unsafe { _mm_prefetch::<_MM_HINT_T0>(from.cast()) };
        }

        #[inline(always)]
        unsafe fn store(self, to: *mut f32) {
            unsafe { _mm256_storeu_ps(to, self) };
        }
    }

    impl Vector for __m512 {
        const LANES: usize = MOST_LANES;
        const MANY: bool = true;

        #[inline(always)]
        unsafe fn splat(value: f32) -> Self {
            // SAFETY: the caller's; so below.
            unsafe { _mm512_set1_ps(value) }
        }

        #[inline(always)]
        unsafe fn load(from: *const f32) -> Self {
            unsafe { _mm512_loadu_ps(from) }
        }

        #[inline(always)]
        unsafe fn multiply_add(self, b: Self, c: Self) -> Self {
            unsafe { _mm512_fmadd_ps(self, b, c) }
        }

        #[inline(always)]
        unsafe fn add(self, b: Self) -> Self {
            unsafe { _mm512_add_ps(self, b) }
        }

        #[inline(always)]
        unsafe fn down(self, by: usize) -> Self {
            // Of a lane's number the instruction reads the last four bits.
            const NUMBERS: [i32; 2 * MOST_LANES] = {
                let mut numbers = [0; 2 * MOST_LANES];
                let mut i = 0;
                while i < numbers.len() {
                    numbers[i] = i as i32;
                    i += 1;
                }
                numbers
            };
            let from = &NUMBERS[by.min(MOST_LANES)..];
            unsafe { _mm512_permutexvar_ps(_mm512_loadu_si512(from.as_ptr().cast()), self) }
        }

        #[inline(always)]
        unsafe fn prefetch(from: *const f32) {
            unsafe { _mm_prefetch::<_MM_HINT_T0>(from.cast()) };
        }

        #[inline(always)]
        unsafe fn store(self, to: *mut f32) {
            unsafe { _mm512_storeu_ps(to, self) };
        }
    }
}

/// Calls an unsafe function that is generic over [`Vector`], and whose other requirements have just been asserted, for vectors of so many
/// numbers, which [`lanes_for`] has named.
macro_rules! with_fma {
    ($lanes:expr, $function:ident($($name:ident: $type:ty),+)) => {{
        #[cfg(target_arch = "x86_64")]
        {
            #[target_feature(enable = "avx512f,avx2,fma")]
            unsafe fn with_long($($name: $type),+) {
                // SAFETY: the caller's.
                unsafe { $function::<std::arch::x86_64::__m512>($($name),+) }
            }
            #[target_feature(enable = "avx2,fma")]
            unsafe fn with_fma($($name: $type),+) {
                // SAFETY: the caller's.
                unsafe { $function::<std::arch::x86_64::__m256>($($name),+) }
            }
            let has_fma = std::arch::is_x86_feature_detected!("avx2") && std::arch::is_x86_feature_detected!("fma");
            if $lanes == $crate::ops::flex::vector::MOST_LANES {
                assert!(has_fma && std::arch::is_x86_feature_detected!("avx512f"));
                // SAFETY: the instructions are there, and the rest is asserted.
                return unsafe { with_long($($name),+) };
            }
            if has_fma {
                // SAFETY: the instructions are there, and the rest is asserted.
                return unsafe { with_fma($($name),+) };
            }
        }
        // SAFETY: asserted.
        unsafe { $function::<[f32; $crate::ops::flex::vector::LANES]>($($name),+) }
    }};
}
pub(in crate::ops) use with_fma;

#[cfg(test)]
pub(in crate::ops) mod tests {
    //! Tests go through short vectors as well where the machine has long ones.

    thread_local! {
        /// Whether operations that begin on this thread make do with short vectors.
        pub(in crate::ops) static SHORT: std::cell::Cell<bool> = const { std::cell::Cell::new(false) };
    }

    /// What `f` gives with long vectors, where there are any, and with short ones.
    pub(in crate::ops) fn long_and_short<T>(f: impl Fn() -> T) -> [T; 2] {
        let long = f();
        SHORT.set(true);
        let short = f();
        SHORT.set(false);
        [long, short]
    }
}
