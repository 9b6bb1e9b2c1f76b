//! From a failure of the way to its likely cause and what to do about it.

use std::io::ErrorKind;
use std::time::{Duration, SystemTime};

use landfall_net::client::NetError;
use landfall_registries::Attempt;

use super::certificate::{Authorities, Certificate};
use super::report::{Cause, Finding, StepKind};

/// What is known besides the error.
pub(super) struct Circumstances<'a> {
    pub(super) attempt: &'a Attempt,
    pub(super) certificates: &'a [Certificate],
    pub(super) authorities: &'a Authorities,
    pub(super) now: SystemTime,
    /// The step that was being made.
    pub(super) step: StepKind,
}

impl Finding {
    pub(super) fn new(step: StepKind, cause: Cause, message: impl Into<String>, advice: &[&str]) -> Self {
        Self {
            step,
            cause,
            message: message.into(),
            advice: advice.iter().map(|line| (*line).to_owned()).collect(),
        }
    }

    pub(super) fn advise(mut self, advice: impl Into<String>) -> Self {
        self.advice.push(advice.into());
        self
    }
}

/// What a failure of the transport means.
pub(super) fn diagnose(error: &NetError, known: &Circumstances<'_>) -> Finding {
    match error.root() {
        NetError::Dns { .. } | NetError::Connect { .. } | NetError::Timeout { .. } => unreached(error, known),
        NetError::TlsUnknownCa { host } => unknown_authority(host, known),
        NetError::TlsExpired { host, .. } => wrong_time(host, known),
        NetError::TlsWrongName { host, detail } => wrong_name(host, detail, known),
        NetError::TlsClientCertificate { host, reason } => client_certificate(host, reason, known),
        NetError::NotTls { .. } | NetError::TlsCut { .. } | NetError::Tls { .. } => no_tls(error, known),
        NetError::Proxy {
            proxy,
            target,
            reason,
            ..
        } => Finding::new(
            StepKind::Proxy,
            Cause::Proxy,
            format!("the proxy {proxy} did not connect us to {target}: {reason}"),
            &[
                "if this registry is inside the network, put its host or network into NO_PROXY of containerd's \
                 (or K3s's) service",
                "else have the proxy allow this host, and check the user and password in the proxy's URL",
            ],
        ),
        NetError::TooManyRedirects { .. } | NetError::RedirectRefused { .. } => Finding::new(
            StepKind::Redirect,
            Cause::RedirectRefused,
            error.to_string(),
            &["check the external URL that the registry or the proxy in front of it is configured with"],
        ),
        NetError::TlsFile { path, reason } => unusable_file(&path.display().to_string(), reason),
        NetError::InvalidUrl { .. } => Finding::new(
            StepKind::Configuration,
            Cause::InvalidEndpoint,
            error.to_string(),
            &["write the endpoint as `https://HOST[:PORT]`"],
        ),
        other => Finding::new(
            known.step,
            Cause::Interrupted,
            other.to_string(),
            &["look into the server's log: it ended the answer, or something between did"],
        ),
    }
}

/// No common language, rather than no trust.
fn no_tls(error: &NetError, known: &Circumstances<'_>) -> Finding {
    match error.root() {
        NetError::NotTls { host } => Finding::new(
            StepKind::Tls,
            Cause::PlainHttpPort,
            format!("{host} was asked for HTTPS and answered without TLS"),
            &["if this port is meant to be plain HTTP, write the endpoint with `http://`"],
        )
        .advise("else give the port that speaks HTTPS"),
        NetError::TlsCut { host } => Finding::new(
            StepKind::Tls,
            Cause::TlsCut,
            format!("{host} closed the connection within the TLS handshake"),
            &[
                "check that this port speaks HTTPS at all (`http://` in the endpoint if not)",
                "a firewall that lets no unknown server name through ends connections like this",
            ],
        ),
        // How some servers say that they cannot make anything of the authority that signed ours.
        NetError::Tls { host, reason }
            if reason.contains("DecryptError") && !known.attempt.tls.client.is_empty() =>
        {
            client_certificate(host, reason, known)
        }
        NetError::Tls { host, reason } => Finding::new(
            StepKind::Tls,
            Cause::Tls,
            format!("TLS with {host} failed: {reason}"),
            &["the server must speak TLS 1.2 or 1.3 with a certificate that is not damaged"],
        ),
        other => Finding::new(StepKind::Tls, Cause::Tls, other.to_string(), &[]),
    }
}

pub(super) fn unusable_file(path: &str, reason: &str) -> Finding {
    Finding::new(
        StepKind::Configuration,
        Cause::UnusableFile,
        format!("{path} is not usable: {reason}"),
        &[
            "put the PEM file there, or correct the path: containerd reads it for every pull, and fails the whole \
             pull without it, also when other endpoints would do",
        ],
    )
}

fn unreached(error: &NetError, known: &Circumstances<'_>) -> Finding {
    match error.root() {
        NetError::Timeout { url, what, after } => silence(url, what, *after, known),
        NetError::Dns { host, source } if error.root().is_transient() => Finding::new(
            StepKind::Dns,
            Cause::ResolverSilent,
            format!("the name servers of this machine do not answer for `{host}`: {source}"),
            &["check /etc/resolv.conf and the way to the name servers in it"],
        ),
        NetError::Dns { host, source } => Finding::new(
            StepKind::Dns,
            Cause::NameUnknown,
            format!("there is no address for `{host}`: {source}"),
            &[
                "check the spelling of the endpoint",
                "add the name to DNS or to /etc/hosts of this machine: names of the cluster's own DNS are not known \
                 to containerd",
            ],
        ),
        NetError::Connect { target, source } => match source.kind() {
            ErrorKind::ConnectionRefused => Finding::new(
                StepKind::Connect,
                Cause::Refused,
                format!("nothing listens on {target}: the connection was refused"),
                &[
                    "check that the registry runs, and that this is its port",
                    "a firewall may also refuse",
                ],
            ),
            ErrorKind::HostUnreachable | ErrorKind::NetworkUnreachable => Finding::new(
                StepKind::Connect,
                Cause::Unreachable,
                format!("there is no way to {target}: {source}"),
                &["check the routes of this machine, and whether the address is right"],
            ),
            _ => Finding::new(
                StepKind::Connect,
                Cause::Unreachable,
                format!("cannot connect to {target}: {source}"),
                &["check the address, and any firewall between"],
            ),
        },
        other => Finding::new(known.step, Cause::Interrupted, other.to_string(), &[]),
    }
}

fn silence(host: &str, what: &str, after: Duration, known: &Circumstances<'_>) -> Finding {
    let after = format!("{after:?}");
    match what {
        "looking up its address" => Finding::new(
            StepKind::Dns,
            Cause::ResolverSilent,
            format!("the name servers of this machine did not answer for `{host}` within {after}"),
            &["check /etc/resolv.conf and the way to the name servers in it"],
        ),
        "connecting" => Finding::new(
            StepKind::Connect,
            Cause::ConnectTimeout,
            format!("nothing came back from {host} within {after}: packets to it are dropped"),
            &[
                "a firewall drops connections to this address, or the machine is away",
                "where this host cannot be reached by design, take it out of the configuration: each pull waits for \
                 it (containerd: 30 s for each address)",
            ],
        ),
        "waiting for the proxy" => Finding::new(
            StepKind::Proxy,
            Cause::Proxy,
            format!("the proxy did not answer for {host} within {after}"),
            &["check the proxy, and whether NO_PROXY should name this host"],
        ),
        _ => Finding::new(
            if what == "TLS handshake" {
                StepKind::Tls
            } else {
                known.step
            },
            Cause::AnswerTimeout,
            format!("{host} accepts connections and then says nothing ({what}, {after})"),
            &[
                "the server hangs, or a middlebox swallows what is larger than its packets (compare the MTU)",
                "check that the port speaks the protocol of the endpoint's URL",
            ],
        ),
    }
}

fn unknown_authority(host: &str, known: &Circumstances<'_>) -> Finding {
    let key = &known.attempt.host;
    let place = format!(
        "in registries.yaml under `configs.\"{key}\".tls.ca_file`, in hosts.toml as `ca` of this host; K3s and RKE2 \
         need a restart for the first, containerd none for the second"
    );
    let Some(leaf) = known.certificates.first() else {
        let message = format!("the certificate of {host} is signed by an authority that is not trusted here");
        return Finding::new(StepKind::Tls, Cause::UnknownAuthority, message, &[]).advise(format!(
            "save the authority's certificate as a PEM file on this machine and name it {place}"
        ));
    };
    let last = known.certificates.last().unwrap_or(leaf);
    if known.certificates.len() == 1 && leaf.is_self_signed {
        let message = format!(
            "the certificate of {host} vouches for itself (`{}`, SHA-256 {}), and is not trusted here",
            leaf.subject, leaf.fingerprint
        );
        return Finding::new(StepKind::Tls, Cause::SelfSigned, message, &[]).advise(format!(
            "save this very certificate as a PEM file on this machine and name it {place}"
        ));
    }
    let mut message = format!(
        "the certificate of {host} (`{}`) is signed by `{}`, which is not trusted here",
        leaf.subject, last.issuer
    );
    if let Some((file, _)) = known.authorities.namesake(known.certificates) {
        message.push_str(&format!(
            "; {} holds an authority of that name, but not the one with that key: it was probably made anew",
            file.display()
        ));
    } else if !known.attempt.tls.ca.is_empty() {
        let subjects = known.authorities.subjects().join(", ");
        message.push_str(&format!("; configured is {subjects}"));
    }
    let mut finding = Finding::new(StepKind::Tls, Cause::UnknownAuthority, message, &[]).advise(format!(
        "save the certificate of `{}` as a PEM file on this machine and name it {place}",
        last.issuer
    ));
    if known.certificates.len() == 1 {
        finding = finding
            .advise("or have the server send the certificates between its own and a trusted authority's");
    }
    finding
}

fn wrong_time(host: &str, known: &Circumstances<'_>) -> Finding {
    let now = known
        .now
        .duration_since(SystemTime::UNIX_EPOCH)
        .unwrap_or_default();
    let now = i64::try_from(now.as_secs()).unwrap_or(i64::MAX);
    let over = known
        .certificates
        .iter()
        .find(|certificate| certificate.ends < now);
    let to_come = known
        .certificates
        .iter()
        .find(|certificate| certificate.begins > now);
    let (cause, message) = match (over, to_come) {
        (None, Some(certificate)) => (
            Cause::NotYetValid,
            format!(
                "the certificate `{}` that {host} shows is valid only from {} on",
                certificate.subject, certificate.not_before
            ),
        ),
        (Some(certificate), _) => (
            Cause::Expired,
            format!(
                "the certificate `{}` that {host} shows ended on {}",
                certificate.subject, certificate.not_after
            ),
        ),
        (None, None) => (
            Cause::Expired,
            format!("a certificate of {host} is not valid now"),
        ),
    };
    Finding::new(
        StepKind::Tls,
        cause,
        message,
        &[
            "check the clock of this machine (`date -u`)",
            "else renew the server's certificate",
        ],
    )
}

fn wrong_name(host: &str, detail: &str, known: &Circumstances<'_>) -> Finding {
    let names = known
        .certificates
        .first()
        .map(|leaf| leaf.names.join(", "))
        .unwrap_or_default();
    let message = match names.is_empty() {
        true => format!("the certificate of {host} holds no subjectAltName for it ({detail})"),
        false => format!("the certificate of {host} is for other names: {names}"),
    };
    Finding::new(
        StepKind::Tls,
        Cause::WrongName,
        message,
        &[
            "use one of its names in the endpoint",
            "or have the certificate issued again with this name or address as subjectAltName (a common name alone \
             does not count)",
        ],
    )
}

fn client_certificate(host: &str, reason: &str, known: &Circumstances<'_>) -> Finding {
    let key = &known.attempt.host;
    match known.attempt.tls.client.first() {
        None => Finding::new(
            StepKind::Tls,
            Cause::ClientCertificateWanted,
            format!("{host} wants a client certificate, and none is configured ({reason})"),
            &[],
        )
        .advise(format!(
            "name both files: `cert_file` and `key_file` under `configs.\"{key}\".tls` in registries.yaml, or \
             `client = [[\"CERT\", \"KEY\"]]` of this host in hosts.toml"
        )),
        Some((certificate, _)) => Finding::new(
            StepKind::Tls,
            Cause::ClientCertificateRefused,
            format!("{host} does not accept the client certificate {certificate} ({reason})"),
            &["check that it is valid now and was issued by the authority that this server trusts for its clients"],
        ),
    }
}
