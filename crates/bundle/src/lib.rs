//! Files that hold images: the bundle (plan, write, resume, read, verify) and OCI layouts.
//!
//! A bundle is a plain tar that is an OCI image layout (docs/bundle.md). Writing: [`Contents`] → [`Layout::plan`] →
//! [`Writer::open`]. Reading: [`Bundle::open`], then extents of the file itself; nothing is unpacked. What other programs
//! write is opened by [`foreign::open`].

mod carry;
mod catalog;
mod contents;
mod dir;
mod disk;
mod documents;
mod error;
mod folder;
pub mod foreign;
mod graph;
pub mod info;
mod journal;
mod layout;
mod layout_store;
mod mount;
mod names;
mod reader;
mod renamed;
mod resume;
mod sink;
mod sniff;
mod space;
mod store;
mod verify;
mod walk;
mod writer;

pub use catalog::BundleImage;
pub use contents::{BlobInfo, Contents, Image, Missing};
pub use dir::{LayoutDir, NewBlob, NewBlobSink};
pub use error::BundleError;
pub use layout::{Entry, Layout, Span};
pub use layout_store::LayoutStore;
pub use mount::{mount, mount_with};
pub use reader::{Bundle, Refused};
pub use sink::BlobSink;
pub use space::{Space, space};
pub use store::BundleStore;
pub use verify::{Finding, Problem, Report, VerifyEvent, verify};
pub use writer::{Pending, Resume, Writer, WriterOptions};
