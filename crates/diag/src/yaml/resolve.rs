//! What yaml.v2 makes of a scalar.

pub(super) const LONG: &str = "tag:yaml.org,2002:";
