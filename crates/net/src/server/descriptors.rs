//! How many files a process may have open. The usual soft limit of 1024 stands there for programs that use `select`;
//! who does not is meant to raise it to the hard one (systemd documents it so).

use std::io;

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// Lets this process have as many files and sockets open as it may, and says how many; `None` is any number. Programs
/// started from here on inherit it.
///
/// # Errors
/// What the system said; then the limit is what it was.
pub fn raise_descriptor_limit() -> io::Result<Option<u64>> {
    let limit = getrlimit(Resource::Nofile);
    if limit.current != limit.maximum {
        let raised = Rlimit {
            current: limit.maximum,
            maximum: limit.maximum,
        };
        setrlimit(Resource::Nofile, raised)?;
    }
    Ok(limit.maximum)
}
