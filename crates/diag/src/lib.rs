//! Messages about a user's file: which file, which place in it, what is wrong there, and what to do.
//!
//! Text in, values out: nothing here reads a file or knows what is being checked.

mod diagnostic;
mod diff;
mod fix;
pub mod hidden;
mod nearest;
pub mod render;
mod source;
mod span;
pub mod yaml;

pub use diagnostic::{Diagnostic, Edit, Fix, Label, Severity};
pub use diff::diff;
pub use fix::{Fixed, apply_fixes};
pub use nearest::nearest;
pub use source::{Place, Source, Sources};
pub use span::{SourceId, Span, Spanned};
