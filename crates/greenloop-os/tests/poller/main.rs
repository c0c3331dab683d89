//! Events that the poller reports, and misuse that it withstands.

mod descriptors;
mod expectations;
mod on_change;
mod readiness;
mod waits;
