//! Images that a Helm chart wants, without Helm: a static scan of its values, its templates and its charts within.
//!
//! Values have shapes that most charts share; lines of templates say how names are put together, and simple
//! expressions in them are worked out. What a template does beyond that only Helm knows: then an image is found by its
//! values, as a guess, or not at all, and the scan says so. With Helm at hand, [`complete`] tells what only this scan saw.

mod compare;
mod expression;
pub mod index;
mod load;
mod merge;
mod pushed;
mod scan;
mod set;
mod templates;
mod version;

pub use compare::{Unrendered, complete};
pub use load::{Chart, ChartError, Dependency};
pub use merge::Given;
pub use pushed::Pushed;
