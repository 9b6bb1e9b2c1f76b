//! A running `landfall serve`.

use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};

use landfall_testkit::htpasswd;

use crate::place::Place;

/// Ended with this value.
pub(super) struct Serving {
    child: Child,
    url: String,
}

impl Serving {
    /// On a free port of the loopback address.
    #[track_caller]
    pub(super) fn start(place: &Place, args: &[&str]) -> Self {
        Self::start_with(place, args, |_| {})
    }

    /// The same, with more about how it is started.
    #[track_caller]
    pub(super) fn start_with(place: &Place, args: &[&str], more: impl FnOnce(&mut Command)) -> Self {
        let mut all = vec!["serve", "--listen", "127.0.0.1:0"];
        all.extend(args);
        let mut command = place.command(&all);
        more(command.stdout(Stdio::piped()));
        let mut child = command.spawn().unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap())
            .read_line(&mut line)
            .unwrap();
        let url = line
            .trim()
            .strip_prefix("listening on ")
            .unwrap_or_else(|| panic!("{args:?} said {line:?}"));
        Self {
            url: url.to_owned(),
            child,
        }
    }

    /// A registry that takes pushes, over TLS, for `admin` with this password. Clients trust `tls/ca.crt`.
    #[track_caller]
    pub(super) fn start_private(place: &Place, password: &str, args: &[&str]) -> Self {
        place.scratch.write("users", htpasswd::line("admin", password));
        let mut all = vec!["--tls-self-signed", "tls", "--htpasswd", "users"];
        all.extend(args);
        Self::start(place, &all)
    }

    /// `127.0.0.1:PORT`.
    pub(super) fn address(&self) -> &str {
        self.url.split_once("://").unwrap().1
    }

    /// The port.
    pub(super) fn port(&self) -> u16 {
        self.address().rsplit_once(':').unwrap().1.parse().unwrap()
    }

    /// With `http://` or `https://`.
    pub(super) fn url(&self) -> &str {
        &self.url
    }

    /// `127.0.0.1:PORT/NAME`.
    pub(super) fn name(&self, name: &str) -> String {
        format!("{}/{name}", self.address())
    }
}

impl Drop for Serving {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
