//! Living under systemd: listeners that it has opened for us, and telling it how we are.

use std::ffi::OsString;
use std::io;
use std::net::TcpListener;
use std::os::linux::net::SocketAddrExt;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::net::{SocketAddr, UnixDatagram};

/// The listeners of a socket unit, in its order; none where we were not started by one. The environment is asked by
/// name. To be called once, before anything else opens files.
///
/// # Errors
/// What was handed over is no TCP socket.
pub fn inherited_listeners(environment: impl Fn(&str) -> Option<OsString>) -> io::Result<Vec<TcpListener>> {
    let number = |name| -> Option<u32> { environment(name)?.to_str()?.parse().ok() };
    // Meant for another process, whose environment we have inherited.
    if number("LISTEN_PID") != Some(std::process::id()) || number("LISTEN_FDS").is_none_or(|count| count == 0)
    {
        return Ok(Vec::new());
    }
    let mut handed = listenfd::ListenFd::from_env();
    let taken = (0..handed.len()).map(|at| handed.take_tcp_listener(at));
    taken.filter_map(Result::transpose).collect()
}

/// A line to the service manager; leads nowhere where there is none.
#[derive(Debug, Default)]
pub struct Manager(Option<(UnixDatagram, SocketAddr)>);

impl Manager {
    /// Where `NOTIFY_SOCKET` says: a path, or a name in the abstract namespace.
    ///
    /// # Errors
    /// The address cannot be one, or no socket can be had.
    pub fn new(notify_socket: Option<OsString>) -> io::Result<Self> {
        let Some(address) = notify_socket.filter(|address| !address.is_empty()) else {
            return Ok(Self(None));
        };
        let address = match address.as_bytes().strip_prefix(b"@") {
            Some(name) => SocketAddr::from_abstract_name(name)?,
            None => SocketAddr::from_pathname(&address)?,
        };
        let socket = UnixDatagram::unbound()?;
        // A manager that does not read must not hold us up.
        socket.set_nonblocking(true)?;
        Ok(Self(Some((socket, address))))
    }

    /// Requests are answered.
    pub fn ready(&self) {
        self.tell("READY=1");
    }

    /// No more requests are taken.
    pub fn stopping(&self) {
        self.tell("STOPPING=1");
    }

    /// The configuration is being read again; [`Self::ready`] follows.
    pub fn reloading(&self) {
        let now = rustix::time::clock_gettime(rustix::time::ClockId::Monotonic);
        let microseconds = now
            .tv_sec
            .saturating_mul(1_000_000)
            .saturating_add(now.tv_nsec / 1000);
        self.tell(&format!("RELOADING=1\nMONOTONIC_USEC={microseconds}"));
    }

    /// What `systemctl status` shows.
    pub fn status(&self, text: &str) {
        self.tell(&format!("STATUS={}", text.replace('\n', " ")));
    }

    fn tell(&self, message: &str) {
        let Some((socket, address)) = &self.0 else { return };
        if let Err(error) = socket.send_to_addr(message.as_bytes(), address) {
            tracing::warn!(%error, message, "the service manager cannot be told");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_is_taken_that_was_not_handed_to_us() {
        let other = (std::process::id() + 1).to_string();
        for (pid, count) in [
            (None, Some("1")),
            (Some(other.as_str()), Some("1")),
            (Some("x"), Some("1")),
        ] {
            let environment = |name: &str| match name {
                "LISTEN_PID" => pid.map(Into::into),
                "LISTEN_FDS" => count.map(Into::into),
                _ => None,
            };
            assert!(inherited_listeners(environment).unwrap().is_empty());
        }
        let own = |name: &str| (name == "LISTEN_PID").then(|| std::process::id().to_string().into());
        assert!(inherited_listeners(own).unwrap().is_empty());
    }

    #[test]
    fn the_manager_hears_everything_in_order() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("notify");
        let name = format!("landfall-test-{}", std::process::id());
        let abstract_name = SocketAddr::from_abstract_name(&name).unwrap();
        for (socket, address) in [
            (UnixDatagram::bind(&path).unwrap(), path.into_os_string()),
            (
                UnixDatagram::bind_addr(&abstract_name).unwrap(),
                format!("@{name}").into(),
            ),
        ] {
            let manager = Manager::new(Some(address)).unwrap();
            manager.ready();
            manager.reloading();
            manager.status("two\nlines");
            manager.stopping();
            let next = || {
                let mut buffer = [0; 200];
                let len = socket.recv(&mut buffer).unwrap();
                String::from_utf8(buffer[..len].to_vec()).unwrap()
            };
            assert_eq!(next(), "READY=1");
            assert!(next().starts_with("RELOADING=1\nMONOTONIC_USEC="));
            assert_eq!(next(), "STATUS=two lines");
            assert_eq!(next(), "STOPPING=1");
        }
        // Nobody there: nothing happens.
        Manager::new(None).unwrap().ready();
        Manager::new(Some("/nonexistent/notify".into())).unwrap().ready();
    }
}
