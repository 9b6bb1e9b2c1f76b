//! YAML as a tree that knows where everything stands, read as Go's yaml.v2 reads it.

mod node;

pub use node::{Kind, Node, Style};
