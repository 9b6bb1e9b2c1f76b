//! TLS failures, each by its own name.

use std::path::PathBuf;

use landfall_net::client::{NetError, Transport};

use super::certs::{Authority, Pair, write};
use super::fake::{Server, reply};
use super::{get, transport, with_scheme};

async fn serve(pair: &Pair) -> Server {
    Server::start(Some(pair.acceptor()), |_| {
        std::future::ready(reply(200, &[], "ok"))
    })
    .await
}

fn trusting(ca: Vec<PathBuf>) -> Transport {
    transport(|options| options.tls.ca_files = ca)
}

#[tokio::test]
async fn a_known_authority_is_trusted_and_an_unknown_one_is_not() {
    let authority = Authority::new();
    let server = serve(&authority.issue(&["127.0.0.1"], |_| ())).await;
    assert_eq!(
        get(&trusting(vec![authority.file()]), &server.url("/"))
            .await
            .unwrap()
            .status(),
        200
    );
    let same_name = Authority::new();
    for other in [trusting(Vec::new()), trusting(vec![same_name.file()])] {
        let error = get(&other, &server.url("/")).await.unwrap_err();
        assert!(matches!(error, NetError::TlsUnknownCa { .. }), "{error}");
        assert!(error.to_string().contains("--tls-ca"), "{error}");
    }
    assert!(
        server.seen().len() == 1,
        "nothing was sent to the unproven server"
    );
}

#[tokio::test]
async fn expired_and_not_yet_valid() {
    let authority = Authority::new();
    let over = authority.issue(&["127.0.0.1"], |params| {
        params.not_after = rcgen::date_time_ymd(2020, 1, 1)
    });
    let to_come = authority.issue(&["127.0.0.1"], |params| {
        params.not_before = rcgen::date_time_ymd(4000, 1, 1)
    });
    for pair in [over, to_come] {
        let server = serve(&pair).await;
        let error = get(&trusting(vec![authority.file()]), &server.url("/"))
            .await
            .unwrap_err();
        assert!(matches!(error, NetError::TlsExpired { .. }), "{error}");
    }
}

#[tokio::test]
async fn a_certificate_for_another_name() {
    let authority = Authority::new();
    let server = serve(&authority.issue(&["registry.example"], |_| ())).await;
    let error = get(&trusting(vec![authority.file()]), &server.url("/"))
        .await
        .unwrap_err();
    assert!(matches!(error, NetError::TlsWrongName { .. }), "{error}");
    assert!(error.to_string().contains("registry.example"), "{error}");
}

#[tokio::test]
async fn zot_3982_skipping_verification_is_for_the_named_host_alone() {
    let pair = Pair::self_signed("wrong.example", |_| ());
    let (server, other) = (serve(&pair).await, serve(&pair).await);
    let transport = transport(|options| {
        let mut host = options.default_host;
        host.skip_verify = true;
        options.hosts.insert(server.host(), host);
    });
    assert_eq!(get(&transport, &server.url("/")).await.unwrap().status(), 200);
    assert!(get(&transport, &other.url("/")).await.is_err());
}

#[tokio::test]
async fn the_self_signed_certificate_of_openssl_is_its_own_authority() {
    let folder = tempfile::tempdir().unwrap();
    let case = async |name: &str, change: fn(&mut rcgen::CertificateParams)| {
        let pair = Pair::self_signed(name, change);
        let server = serve(&pair).await;
        let unknown = get(&trusting(Vec::new()), &server.url("/")).await.unwrap_err();
        assert!(matches!(unknown, NetError::TlsUnknownCa { .. }), "{unknown}");
        let transport = trusting(vec![write(folder.path(), "server.pem", &pair.certificate)]);
        get(&transport, &server.url("/"))
            .await
            .map(|response| response.status().as_u16())
    };
    assert_eq!(case("127.0.0.1", |_| ()).await.unwrap(), 200);
    let error = case("other.example", |_| ()).await.unwrap_err();
    assert!(matches!(error, NetError::TlsWrongName { .. }), "{error}");
    let error = case("127.0.0.1", |params| {
        params.not_after = rcgen::date_time_ymd(2001, 1, 1)
    })
    .await
    .unwrap_err();
    assert!(matches!(error, NetError::TlsExpired { .. }), "{error}");
}

#[tokio::test]
async fn client_certificates() {
    let authority = Authority::new();
    let pair = authority.issue(&["127.0.0.1"], |_| ());
    let server = Server::start(Some(authority.demanding(&pair)), |_| {
        std::future::ready(reply(200, &[], "ok"))
    })
    .await;
    let error = get(&trusting(vec![authority.file()]), &server.url("/"))
        .await
        .unwrap_err();
    assert!(
        matches!(error.root(), NetError::TlsClientCertificate { .. }),
        "{error}"
    );

    let with = |who: &Authority| {
        let pair = who.issue(&["someone"], |_| ());
        let files = (
            who.write("c.pem", &pair.certificate),
            who.write("k.pem", &pair.key),
        );
        let ca = authority.file();
        transport(|options| {
            options.tls.ca_files = vec![ca];
            options.tls.client_certificate = Some(files);
        })
    };
    assert_eq!(
        get(&with(&authority), &server.url("/")).await.unwrap().status(),
        200
    );
    let stranger = Authority::named("stranger");
    let error = get(&with(&stranger), &server.url("/")).await.unwrap_err();
    assert!(
        matches!(error.root(), NetError::TlsClientCertificate { .. }),
        "{error}"
    );
}

#[tokio::test]
async fn plain_http_to_a_tls_port_is_not_a_downgrade() {
    let authority = Authority::new();
    let server = serve(&authority.issue(&["127.0.0.1"], |_| ())).await;
    let transport = trusting(vec![authority.file()]);
    get(&transport, &server.url("/")).await.unwrap().discard().await;
    assert!(
        get(&transport, &with_scheme(&server.url("/"), "http"))
            .await
            .is_err()
    );
    assert_eq!(transport.scheme(&server.host()).as_str(), "https");
}

#[test]
fn files_that_are_not_what_they_should_be() {
    let authority = Authority::new();
    let pair = authority.issue(&["x"], |_| ());
    let other = authority.issue(&["x"], |_| ());
    let new = |change: &dyn Fn(&mut landfall_net::client::TransportOptions)| {
        let mut options = super::quick();
        change(&mut options);
        match Transport::new(options) {
            Err(error @ NetError::TlsFile { .. }) => error.to_string(),
            other => panic!("{other:?}"),
        }
    };
    let missing = new(&|options| options.tls.ca_files = vec!["/nonexistent/ca.pem".into()]);
    assert!(missing.contains("/nonexistent/ca.pem"));
    let empty = authority.write("empty.pem", "nothing");
    new(&|options| options.tls.ca_files = vec![empty.clone()]);
    let files = (
        authority.write("c.pem", &pair.certificate),
        authority.write("k.pem", &other.key),
    );
    new(&|options| options.tls.client_certificate = Some(files.clone()));
    let swapped = (
        authority.write("c.pem", &pair.certificate),
        authority.write("c2.pem", &pair.certificate),
    );
    new(&|options| options.tls.client_certificate = Some(swapped.clone()));
}
