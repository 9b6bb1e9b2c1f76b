//! The formats of other runtimes: what is read, what is written, and that nothing is lost in silence.

pub(crate) mod generated;
mod losses;
pub(crate) mod oracle;
mod peers;
mod readers;
mod registries_yaml;
mod round_trips;
mod support;
