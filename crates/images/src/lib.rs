//! Which images, under which names: lists as people really write them, and the rules that map a name to the place
//! where it is fetched from or pushed to. Pure: it reads text and returns values.

pub mod chart;
pub mod gathered;
pub mod lint;
mod list;
pub mod manifests;
mod mapping;
pub mod release;
pub mod rke;

pub use list::{Entry, Level, List, Note, NoteKind};
pub use mapping::{Destination, MapError, Mapping, Placement, Rule, place_all};
