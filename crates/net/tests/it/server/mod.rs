//! The server half.

mod clients;
mod descriptors;
mod ended;
mod files;
mod listeners;
mod stop;
mod tls;
mod tools;
