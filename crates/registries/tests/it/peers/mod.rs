//! What is claimed of containerd, against containerd itself: thousands of configurations, each pulled through CRI
//! from registries that write down every request.

mod case;
mod differential;
mod generate;
mod oracle;
mod pki;
mod real;
mod tokens;
mod words;
