//! The processor's counter, behind [`Stopwatch`](super::Stopwatch).

/// Whether the counter runs at one rate, on all processors and at any clock frequency.
///
/// On x86-64 the processor says so: "Invariant TSC", bit 8 of EDX of leaf `8000_0007` (Intel SDM,
/// volume 3, "Time-Stamp Counter"; AMD64 APM, volume 3, appendix E). On `AArch64` it always does
/// (Arm Architecture Reference Manual, "The Generic Timer").
pub fn is_steady() -> bool {
    #[cfg(target_arch = "x86_64")]
    {
        use std::arch::x86_64::__cpuid;
        const LEAF: u32 = 0x8000_0007;
        #[allow(unused_unsafe, reason = "it is safe in newer releases of Rust")]
        // SAFETY: every x86-64 processor has the instruction, and the first leaf says which others
        // there are.
        unsafe {
            __cpuid(0x8000_0000).eax >= LEAF && __cpuid(LEAF).edx & (1 << 8) != 0
        }
    }
    #[cfg(not(target_arch = "x86_64"))]
    {
        cfg!(target_arch = "aarch64")
    }
}

/// The counter now; 0 on processors that have none.
#[inline]
pub fn read() -> u64 {
    #[cfg(target_arch = "x86_64")]
    {
        // SAFETY: every x86-64 processor has the instruction, which Linux allows to processes
        // unless one forbids it to itself by prctl(2).
        unsafe { std::arch::x86_64::_rdtsc() }
    }
    #[cfg(target_arch = "aarch64")]
    {
        let counter: u64;
        // SAFETY: it reads a register that Linux lets processes read, and changes nothing.
        unsafe {
            std::arch::asm!("mrs {}, cntvct_el0", out(reg) counter, options(nomem, nostack));
        }
        counter
    }
    #[cfg(not(any(target_arch = "x86_64", target_arch = "aarch64")))]
    {
        0
    }
}
