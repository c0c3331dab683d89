//! The stack of the calling thread, as the C library knows it.

use std::mem::MaybeUninit;
use std::ops::Range;
use std::ptr;

/// See [`crate::stack::bounds`].
///
/// `pthread_getattr_np(3)` reads `/proc/self/maps` for the main thread, so it fails where there is
/// none. There it takes the present limit for the size: the stack grows up to that.
pub fn bounds() -> Option<Range<usize>> {
    let mut attributes = MaybeUninit::uninit();
    let (mut lowest, mut size, mut guard) = (ptr::null_mut(), 0, 0);
    // SAFETY: the attributes are initialised by the first call and only used if that succeeded; all
    // places are valid for writes, and the attributes are given back once.
    unsafe {
        if libc::pthread_getattr_np(libc::pthread_self(), attributes.as_mut_ptr()) != 0 {
            return None;
        }
        let known =
            libc::pthread_attr_getstack(attributes.as_ptr(), &raw mut lowest, &raw mut size);
        let guarded = libc::pthread_attr_getguardsize(attributes.as_ptr(), &raw mut guard);
        libc::pthread_attr_destroy(attributes.as_mut_ptr());
        if known != 0 || guarded != 0 {
            return None;
        }
    }
    let lowest = lowest as usize;
    let highest = lowest.checked_add(size)?;
    // Older libraries count the guard page in, newer ones do not. One page more is left in peace.
    Some(lowest.checked_add(guard)?..highest).filter(|bounds| !bounds.is_empty())
}
