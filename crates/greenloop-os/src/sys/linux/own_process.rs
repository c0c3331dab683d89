//! This process's memory and descriptors, as `/proc` shows them (`proc(5)`).

use std::fs::{self, File};
use std::io;
use std::os::fd::RawFd;
use std::os::unix::fs::FileExt as _;
use std::path::PathBuf;

/// Copies the memory at an address, as much as is there, and returns how many bytes that is. Memory
/// that is not there is an error and no fault.
pub fn read_own_memory(address: u64, buffer: &mut [u8]) -> io::Result<usize> {
    File::open("/proc/self/mem")?.read_at(buffer, address)
}

/// The kernel's name for what a descriptor refers to: a path, `socket:[1234]`, `pipe:[1234]`,
/// `anon_inode:[eventpoll]`.
pub fn name_of_descriptor(descriptor: RawFd) -> io::Result<PathBuf> {
    fs::read_link(format!("/proc/self/fd/{descriptor}"))
}
