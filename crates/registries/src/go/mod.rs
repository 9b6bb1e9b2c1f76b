//! What Go's standard library does with the texts of a node's configuration: patterns, URLs, quoted strings. The
//! programs of a node are written in Go; what these functions accept or refuse decides what the node does.

pub mod base64;
pub mod net;
pub mod path;
pub mod quote;
pub mod regex;
pub mod url;

mod escape;
