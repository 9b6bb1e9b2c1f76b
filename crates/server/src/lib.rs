//! The distribution API over a store.
