//! Which images, under which names: lists as people really write them, and the rules that map a name to the place
//! where it is fetched from or pushed to. Pure: it reads text and returns values.

pub mod gathered;
pub mod lint;
mod list;
mod mapping;
pub mod release;

pub use list::{Entry, Level, List, Note, NoteKind};
pub use mapping::{Destination, MapError, Mapping, Placement, Rule, place_all};
