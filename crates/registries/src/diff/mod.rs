//! What changes for a pull between two configurations, or between two releases that read the same one.
//!
//! [`Pull`] is all that is asked for one image; [`compare`] tells what is other in a second one. Changes say nothing of
//! the image itself, so that images with the same changes can be told together.

mod compare;
mod pull;

pub use compare::{Change, Detail, Difference, Kind, compare};
pub use pull::{Pull, Step};

#[cfg(test)]
mod tests;
