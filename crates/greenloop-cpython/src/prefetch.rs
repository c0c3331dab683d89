//! Prefetching an object that will be read soon.

use super::object::Object;

/// Begins to load the first cache lines of an object behind its header's.
#[inline]
pub fn prefetch(object: &Object) {
    #[cfg(target_arch = "x86_64")]
    {
        use std::arch::x86_64::{_MM_HINT_T0, _mm_prefetch};
        // SAFETY: a prefetch touches no memory as far as the program can tell, whatever the
        // address.
        #[allow(unused_unsafe, reason = "newer versions of Rust know that it is safe")]
        unsafe {
            _mm_prefetch::<_MM_HINT_T0>(object.as_ptr().cast());
            _mm_prefetch::<_MM_HINT_T0>(object.as_ptr().cast::<i8>().wrapping_add(64));
        }
    }
    // Stable Rust has no intrinsic for others.
    #[cfg(not(target_arch = "x86_64"))]
    let _ = object;
}
