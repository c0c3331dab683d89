//! What the poller reports, and what it withstands.

mod descriptors;
mod expectations;
mod on_change;
mod readiness;
mod waits;
