//! The server half.

mod clients;
mod descriptors;
mod files;
mod stop;
mod tls;
mod tools;
