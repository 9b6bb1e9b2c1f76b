//! What a service manager is told, over the socket that it names.

use std::os::unix::net::UnixDatagram;
use std::time::Duration;

use crate::place::Place;
use crate::server::Serving;

#[test]
fn a_service_manager_hears_of_start_reload_and_end() {
    let place = Place::new();
    let path = place.path("notify");
    let manager = UnixDatagram::bind(&path).unwrap();
    manager.set_read_timeout(Some(Duration::from_secs(30))).unwrap();
    let next = || {
        let mut bytes = [0; 4096];
        let length = manager.recv(&mut bytes).unwrap();
        String::from_utf8(bytes[..length].to_vec()).unwrap()
    };
    let says = |text: &str, words: &str| {
        assert!(text.lines().any(|line| line == words), "{text:?} has no {words}");
    };
    let serving = Serving::start_with(&place, &["--root", "store"], |command| {
        command.env("NOTIFY_SOCKET", &path);
    });
    says(&next(), "READY=1");
    assert_eq!(serving.get("/readyz").status, 200);
    serving.signal("HUP");
    let reloading = next();
    says(&reloading, "RELOADING=1");
    // Without the time systemd takes a reload for one that it did not ask for.
    assert!(reloading.contains("MONOTONIC_USEC="), "{reloading:?}");
    says(&next(), "READY=1");
    serving.signal("TERM");
    says(&next(), "STOPPING=1");
    assert_eq!(serving.wait(), Some(0));
}
