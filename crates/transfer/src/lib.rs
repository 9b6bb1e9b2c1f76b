//! Plan, then run: save, load and copy.
