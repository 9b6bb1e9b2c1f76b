//! Whoever listens learns of every step, and of a certificate also when it was not accepted.

use std::sync::{Arc, Mutex};

use landfall_net::client::{Listener, NetError, Trace, TraceEvent, Transport};

use super::certs::Authority;
use super::fake::{Server, reply};
use super::{get, transport};

#[derive(Default)]
struct Heard(Mutex<Vec<TraceEvent>>);

impl Listener for Heard {
    fn event(&self, event: TraceEvent) {
        self.0.lock().unwrap().push(event);
    }
}

impl Heard {
    fn take(&self) -> Vec<TraceEvent> {
        std::mem::take(&mut self.0.lock().unwrap())
    }
}

fn listening(ca: Vec<std::path::PathBuf>) -> (Transport, Arc<Heard>) {
    let heard = Arc::new(Heard::default());
    let listener = Arc::clone(&heard);
    let transport = transport(|options| {
        options.tls.ca_files = ca;
        options.retry.attempts = 1;
        options.trace = Trace::to(listener);
    });
    (transport, heard)
}

#[tokio::test]
async fn each_step_is_told_in_order() {
    let authority = Authority::new();
    let pair = authority.issue(&["127.0.0.1"], |_| ());
    let server = Server::start(Some(pair.acceptor()), |seen| {
        std::future::ready(match seen.path() {
            "/from" => reply(302, &[("location", "/to?token=hunter2")], ""),
            _ => reply(404, &[], "no"),
        })
    })
    .await;
    let (transport, heard) = listening(vec![authority.file()]);
    get(&transport, &server.url("/from")).await.unwrap();
    let events = heard.take();
    let host = server.host();
    assert!(matches!(&events[0], TraceEvent::Dns { outcome: Ok(found), .. } if *found == [server.address]));
    assert!(matches!(&events[1], TraceEvent::Connect { outcome: Ok(to), .. } if *to == server.address));
    let TraceEvent::Tls {
        chain,
        outcome,
        host: told,
        ..
    } = &events[2]
    else {
        panic!("{events:?}")
    };
    assert_eq!((chain.len(), told), (1, &host));
    assert_eq!(outcome.as_ref().unwrap().version, "TLSv1_3");
    assert!(matches!(&events[3], TraceEvent::Response { outcome: Ok(status), .. } if status.as_u16() == 302));
    assert!(
        matches!(&events[4], TraceEvent::Redirect { to, .. } if to.to_string().ends_with("/to?token=***"))
    );
    assert!(matches!(&events[5], TraceEvent::Response { outcome: Ok(status), .. } if status.as_u16() == 404));
    assert_eq!(events.len(), 6, "the connection was used again: {events:?}");
    assert!(!format!("{events:?}").contains("hunter2"));
}

#[tokio::test]
async fn a_certificate_that_was_refused_is_shown() {
    let pair = Authority::new().issue(&["127.0.0.1"], |_| ());
    let server = Server::start(Some(pair.acceptor()), |_| std::future::ready(reply(200, &[], ""))).await;
    let (transport, heard) = listening(Vec::new());
    get(&transport, &server.url("/")).await.unwrap_err();
    let events = heard.take();
    let TraceEvent::Tls { chain, outcome, .. } = &events[2] else {
        panic!("{events:?}")
    };
    assert_eq!(chain.len(), 1);
    assert!(matches!(outcome, Err(NetError::TlsUnknownCa { .. })));
    assert!(matches!(
        &events[3],
        TraceEvent::Response {
            outcome: Err(NetError::TlsUnknownCa { .. }),
            ..
        }
    ));
}

#[tokio::test]
async fn the_step_that_failed_is_the_last_but_the_request() {
    let (transport, heard) = listening(Vec::new());
    get(&transport, &"http://name.invalid/".parse().unwrap())
        .await
        .unwrap_err();
    assert!(
        heard.take().is_empty(),
        "plain HTTP is refused before anything is asked"
    );
    get(&transport, &"https://name.invalid/".parse().unwrap())
        .await
        .unwrap_err();
    let events = heard.take();
    assert!(
        matches!(
            &events[0],
            TraceEvent::Dns {
                outcome: Err(NetError::Dns { .. }),
                ..
            }
        ),
        "{events:?}"
    );
    let gone = std::net::TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap();
    get(&transport, &format!("https://{gone}/").parse().unwrap())
        .await
        .unwrap_err();
    let events = heard.take();
    assert!(
        matches!(
            &events[1],
            TraceEvent::Connect {
                outcome: Err(NetError::Connect { .. }),
                ..
            }
        ),
        "{events:?}"
    );
}
