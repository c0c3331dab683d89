//! Prefetching a value that will be read soon.

/// Begins to load the first two cache lines of a value.
///
/// It pays where many values are visited that have long been out of the caches; for values in the
/// caches it is wasted. On other processors than x86-64, for which stable Rust has no instruction,
/// nothing happens.
#[inline]
pub fn prefetch<T: ?Sized>(value: &T) {
    #[cfg(target_arch = "x86_64")]
    {
        use std::arch::x86_64::{_MM_HINT_T0, _mm_prefetch};
        let start = std::ptr::from_ref(value).cast::<i8>();
        // SAFETY: a prefetch touches no memory as far as the program can tell, whatever the
        // address.
        #[allow(unused_unsafe, reason = "newer versions of Rust know that it is safe")]
        unsafe {
            _mm_prefetch::<_MM_HINT_T0>(start);
            _mm_prefetch::<_MM_HINT_T0>(start.wrapping_add(64));
        }
    }
    #[cfg(not(target_arch = "x86_64"))]
    let _ = value;
}

#[cfg(test)]
mod tests {
    #[test]
    fn what_is_at_the_end_of_memory_can_be_prefetched() {
        super::prefetch(&());
        super::prefetch(&Box::new(0_u8));
    }
}
