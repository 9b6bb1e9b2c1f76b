//! nginx: as a proxy before a registry, as people run it, or as a plain file server for comparison.

use super::{Program, text};
use crate::{Process, Scratch, free_port, process};

/// The program.
pub const PROGRAM: Program = Program::new("nginx", "apt-get install nginx-light");
const ATTEMPTS: usize = 3;

/// A running nginx.
#[derive(Debug)]
pub struct Nginx {
    _process: Process,
    port: u16,
    _scratch: Scratch,
}

impl Nginx {
    /// Starts one with the given content of its only `server` block; the port is added to it.
    #[track_caller]
    pub fn start(server: &str) -> Self {
        let scratch = Scratch::new();
        for _ in 0..ATTEMPTS {
            let port = free_port();
            let config = scratch.write("nginx.conf", config(&scratch, port, server));
            let mut command = PROGRAM.command();
            command
                .arg("-c")
                .arg(config)
                .arg("-p")
                .arg(scratch.path())
                .args(["-e", "stderr"]);
            let mut process = Process::spawn("nginx", &mut command, &scratch.join("log"));
            if process.wait_until(|| process::answers(port)) {
                return Self {
                    _process: process,
                    port,
                    _scratch: scratch,
                };
            }
            eprintln!("nginx did not start on port {port}:\n{}", process.log_tail());
        }
        panic!("nginx did not start in {ATTEMPTS} attempts");
    }

    /// A proxy to a registry at `url`, with the usual lines; `more` goes into its `location` (a body limit, say).
    #[track_caller]
    pub fn proxy_to(url: &str, more: &str) -> Self {
        Self::start(&format!(
            "client_max_body_size 0; chunked_transfer_encoding on;\n\
             location / {{ proxy_pass {url}; proxy_set_header Host $http_host; proxy_http_version 1.1;\n\
             proxy_request_buffering off; proxy_buffering off; {more} }}"
        ))
    }

    /// `127.0.0.1:PORT`.
    pub fn address(&self) -> String {
        format!("127.0.0.1:{}", self.port)
    }

    /// The port.
    pub fn port(&self) -> u16 {
        self.port
    }
}

fn config(scratch: &Scratch, port: u16, server: &str) -> String {
    let folder = text(scratch.path());
    let temporary = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"];
    let temporary: String = temporary
        .iter()
        .map(|name| format!("{name}_temp_path {folder}/{name};\n"))
        .collect();
    format!(
        "daemon off; user root; worker_processes 1; pid {folder}/pid; error_log stderr warn;\n\
         events {{ worker_connections 512; }}\n\
         http {{ access_log off; sendfile on; tcp_nopush on;\n{temporary}\
         server {{ listen 127.0.0.1:{port}; server_name localhost;\n{server}\n}} }}\n"
    )
}
