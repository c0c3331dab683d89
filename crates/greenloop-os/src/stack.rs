//! The bounds of a thread's stack.

use std::ops::Range;

use crate::sys;

/// The addresses that the calling thread's stack may take up, or `None` where the system does not
/// say.
///
/// The stack grows towards the lower end, behind which an access is a fault. The answer holds for
/// the life of the thread; it costs a system call or several, so callers keep it.
pub fn bounds() -> Option<Range<usize>> {
    sys::stack_bounds()
}

#[cfg(test)]
mod tests {
    use super::bounds;

    fn here() -> usize {
        let marker = 0_u8;
        std::ptr::from_ref(std::hint::black_box(&marker)) as usize
    }

    #[test]
    fn the_caller_stands_in_its_own_stack() {
        let own = bounds().expect("Linux knows its stacks");
        assert!(own.contains(&here()));
    }

    #[test]
    fn a_small_thread_has_a_small_stack() {
        let thread = std::thread::Builder::new().stack_size(256 * 1024);
        let (other, address) = thread
            .spawn(|| (bounds().expect("Linux knows its stacks"), here()))
            .expect("a thread starts")
            .join()
            .expect("the thread does not panic");
        assert!(other.contains(&address));
        assert!(other.len() <= 512 * 1024, "{} bytes", other.len());
        assert!(!other.contains(&here()));
    }
}
