//! Which images: lists as people really write them, and the rules that map their names.
