//! Waiting for many descriptors at once, with a limit to patience.

use std::io;
use std::os::fd::{AsFd, OwnedFd};

use rustix::buffer::spare_capacity;
use rustix::event::{Timespec, epoll};

/// The longest silence that is not taken for a failure of the other side.
const PATIENCE: Timespec = Timespec {
    tv_sec: 10,
    tv_nsec: 0,
};

/// An epoll instance; every descriptor is known by a number of the caller's.
pub struct Watch {
    epoll: OwnedFd,
    events: Vec<epoll::Event>,
}

impl Watch {
    pub fn new() -> io::Result<Self> {
        Ok(Self {
            epoll: epoll::create(epoll::CreateFlags::CLOEXEC)?,
            events: Vec::with_capacity(256),
        })
    }

    /// Reports each time that the descriptor becomes readable or writable.
    pub fn both_edges(&self, descriptor: impl AsFd, number: usize) -> io::Result<()> {
        let flags = epoll::EventFlags::IN | epoll::EventFlags::OUT | epoll::EventFlags::ET;
        self.add(descriptor, number, flags)
    }

    /// Reports the descriptor as long as it is readable.
    pub fn readable(&self, descriptor: impl AsFd, number: usize) -> io::Result<()> {
        self.add(descriptor, number, epoll::EventFlags::IN)
    }

    /// Reports the descriptor as long as it is readable or, if asked for, writable.
    pub fn change(&self, descriptor: impl AsFd, number: usize, writable: bool) -> io::Result<()> {
        let flags = if writable {
            epoll::EventFlags::IN | epoll::EventFlags::OUT
        } else {
            epoll::EventFlags::IN
        };
        let data = epoll::EventData::new_u64(number as u64);
        Ok(epoll::modify(&self.epoll, descriptor, data, flags)?)
    }

    /// Forgets the descriptor.
    pub fn remove(&self, descriptor: impl AsFd) -> io::Result<()> {
        Ok(epoll::delete(&self.epoll, descriptor)?)
    }

    /// Waits until something is ready, and gives up after ten seconds of silence.
    pub fn wait(&mut self, ready: &mut Vec<usize>) -> io::Result<()> {
        self.wait_for(Some(&PATIENCE), ready)?;
        if ready.is_empty() {
            let complaint = "nothing has moved for ten seconds";
            return Err(io::Error::new(io::ErrorKind::TimedOut, complaint));
        }
        Ok(())
    }

    /// Waits until something is ready, however long that takes.
    pub fn wait_patiently(&mut self, ready: &mut Vec<usize>) -> io::Result<()> {
        self.wait_for(None, ready)
    }

    fn wait_for(&mut self, limit: Option<&Timespec>, ready: &mut Vec<usize>) -> io::Result<()> {
        ready.clear();
        self.events.clear();
        // A process that was stopped and goes on is interrupted, and has missed nothing.
        rustix::io::retry_on_intr(|| {
            epoll::wait(&self.epoll, spare_capacity(&mut self.events), limit)
        })?;
        for event in &self.events {
            let number = event.data.u64();
            ready.push(usize::try_from(number).map_err(io::Error::other)?);
        }
        Ok(())
    }

    fn add(
        &self,
        descriptor: impl AsFd,
        number: usize,
        flags: epoll::EventFlags,
    ) -> io::Result<()> {
        let data = epoll::EventData::new_u64(number as u64);
        Ok(epoll::add(&self.epoll, descriptor, data, flags)?)
    }
}
