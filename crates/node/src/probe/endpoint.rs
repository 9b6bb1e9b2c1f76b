//! One endpoint, from its configuration to the manifest.

use std::path::PathBuf;
use std::sync::Arc;

use http::Uri;
use landfall_net::client::{
    HostOptions, NetError, PlainHttp, RetryOptions, ShownUrl, Timeouts, TlsOptions, Trace, Transport,
    TransportOptions,
};
use landfall_registries::{Attempt, Presented};
use tokio::time::Instant;

use super::ProbeOptions;
use super::certificate::Authorities;
use super::diagnose::{Circumstances, diagnose, unusable_file};
use super::recorder::{Ear, Recorder};
use super::redact::Sieve;
use super::report::{Cause, Endpoint, Finding, Manifest, Next, Step, StepKind};
use super::talk::{Talk, Trouble};

/// Certificates that end sooner are mentioned.
const SOON_SECONDS: i64 = 30 * 24 * 3600;

/// Asks one endpoint; always comes to an end by the deadline.
pub(super) async fn ask(attempt: &Attempt, options: &Arc<ProbeOptions>, deadline: Instant) -> Endpoint {
    let recorder = Arc::new(Recorder::default());
    let mut sieve = Sieve::of(&attempt.presented);
    let mut authorities = Authorities::default();
    let work = walk(attempt, options, &recorder, &mut sieve, &mut authorities);
    let outcome = match tokio::time::timeout_at(deadline, work).await {
        Ok(outcome) => outcome,
        Err(_) => Err(out_of_time(attempt, options, &recorder)),
    };
    let (certificates, last_certificates) = recorder.certificates();
    let mut endpoint = Endpoint {
        url: shown(&attempt.url),
        host: attempt.host.clone(),
        steps: recorder.steps(),
        certificates,
        manifest: None,
        finding: None,
        notes: Vec::new(),
        next: Next::Served,
    };
    notes(attempt, options, &mut endpoint);
    match outcome {
        Ok(manifest) => endpoint.manifest = Some(manifest),
        Err(trouble) => {
            let known = Circumstances {
                attempt,
                certificates: &last_certificates,
                authorities: &authorities,
                now: options.now,
                step: recorder.last().unwrap_or(StepKind::Manifest),
            };
            let finding = trouble.finding(|error| diagnose(error, &known));
            endpoint.next = match finding.cause {
                Cause::UnusableFile => Next::PullFails,
                _ => Next::NextEndpoint,
            };
            if endpoint.steps.iter().all(|step| step.ok) {
                endpoint
                    .steps
                    .push(failed(finding.step, &attempt.host, &finding.message));
            }
            endpoint.finding = Some(finding);
        }
    }
    sieve.clean_all(&mut endpoint);
    endpoint
}

fn shown(url: &str) -> String {
    match url.parse::<Uri>() {
        Ok(url) => ShownUrl::new(&url).to_string(),
        // It may hold a password somewhere.
        Err(_) => url.rsplit_once('@').map_or(url, |(_, rest)| rest).to_owned(),
    }
}

fn out_of_time(attempt: &Attempt, options: &ProbeOptions, recorder: &Recorder) -> Trouble {
    let (step, after) = match recorder.last() {
        Some(kind) => (kind, format!("after the step `{kind}`")),
        None => (
            StepKind::Connect,
            "while it was being looked up or connected to".to_owned(),
        ),
    };
    let message = format!(
        "{} was not done with within {:?}: time was over {after}",
        attempt.host, options.total
    );
    Trouble::Found(Finding::new(
        step,
        Cause::OutOfTime,
        message,
        &["ask again with more time"],
    ))
}

async fn walk(
    attempt: &Attempt,
    options: &Arc<ProbeOptions>,
    recorder: &Arc<Recorder>,
    sieve: &mut Sieve,
    authorities: &mut Authorities,
) -> Result<Manifest, Trouble> {
    let url = configured(attempt, recorder)?;
    let files = transport_options(attempt, options, recorder);
    let ca_files = files.tls.ca_files.clone();
    // Reads files: the certificates, and all of the machine's own.
    let made = tokio::task::spawn_blocking(move || (Transport::new(files), Authorities::read(&ca_files)));
    let (transport, known) = made.await.map_err(|error| {
        let message = format!("the certificates could not be read: {error}");
        Trouble::Found(Finding::new(
            StepKind::Configuration,
            Cause::UnusableFile,
            message,
            &[],
        ))
    })?;
    let transport = transport.map_err(|error| unusable(&error, recorder))?;
    *authorities = known.clone();
    recorder.trusts(known, attempt.tls.skip_verify);
    let talk = Talk {
        attempt,
        transport: &transport,
        recorder,
        now: options.now,
    };
    talk.run(url, sieve).await
}

/// What can be said without asking anybody.
fn configured(attempt: &Attempt, recorder: &Recorder) -> Result<Uri, Trouble> {
    let refused = |cause, message: String, advice: &str| {
        recorder.push(failed(StepKind::Configuration, &shown(&attempt.url), &message));
        Trouble::Found(Finding::new(StepKind::Configuration, cause, message, &[advice]))
    };
    if let Some(error) = &attempt.error {
        let advice = "write the endpoint as `https://HOST[:PORT]`; an empty one in a list counts, too";
        return Err(refused(Cause::InvalidEndpoint, error.clone(), advice));
    }
    if let Presented::Broken(error) = &attempt.presented {
        let advice = "`auth` is the base64 of `user:password`";
        return Err(refused(Cause::BrokenCredential, error.clone(), advice));
    }
    let url = attempt
        .url
        .parse::<Uri>()
        .ok()
        .filter(|url| url.host().is_some_and(|host| !host.is_empty()));
    url.ok_or_else(|| {
        let advice = "write the endpoint as `https://HOST[:PORT]`";
        refused(
            Cause::InvalidEndpoint,
            "it is not a URL with a host".to_owned(),
            advice,
        )
    })
}

fn failed(kind: StepKind, target: &str, detail: &str) -> Step {
    Step {
        kind,
        target: target.to_owned(),
        micros: 0,
        ok: false,
        detail: detail.to_owned(),
    }
}

fn unusable(error: &NetError, recorder: &Recorder) -> Trouble {
    let NetError::TlsFile { path, reason } = error.root() else {
        return Trouble::Net(error.clone());
    };
    let path = path.display().to_string();
    recorder.push(failed(StepKind::Configuration, &path, reason));
    Trouble::Found(unusable_file(&path, reason))
}

/// One transport for each endpoint: certificates belong to the endpoint, and to whatever it leads to.
fn transport_options(
    attempt: &Attempt,
    options: &ProbeOptions,
    recorder: &Arc<Recorder>,
) -> TransportOptions {
    let client = attempt.tls.client.first().map(|(certificate, key)| {
        // Both may be in one file.
        let key = if key.is_empty() { certificate } else { key };
        (PathBuf::from(certificate), PathBuf::from(key))
    });
    TransportOptions {
        user_agent: options.user_agent.clone(),
        default_host: HostOptions {
            // The URLs decide, as for the runtime.
            plain_http: PlainHttp::Always,
            skip_verify: attempt.tls.skip_verify,
            ..HostOptions::default()
        },
        tls: TlsOptions {
            system_roots: options.system_roots,
            ca_files: attempt.tls.ca.iter().map(PathBuf::from).collect(),
            client_certificate: client,
        },
        proxies: options.proxies.clone(),
        timeouts: Timeouts {
            // The transport counts connecting into it; then silence in the handshake would be blamed on the answer.
            response: options.timeouts.response + options.timeouts.connect * 2,
            ..options.timeouts
        },
        retry: RetryOptions {
            attempts: 1,
            ..RetryOptions::default()
        },
        trace: Trace::to(Arc::new(Ear(Arc::clone(recorder)))),
        ..TransportOptions::default()
    }
}

/// What works, but not for long or not safely.
fn notes(attempt: &Attempt, options: &ProbeOptions, endpoint: &mut Endpoint) {
    let now = options
        .now
        .duration_since(std::time::SystemTime::UNIX_EPOCH)
        .unwrap_or_default();
    let now = i64::try_from(now.as_secs()).unwrap_or(i64::MAX);
    for certificate in &endpoint.certificates {
        if (now..now.saturating_add(SOON_SECONDS)).contains(&certificate.ends) {
            let (subject, ends) = (&certificate.subject, &certificate.not_after);
            endpoint
                .notes
                .push(format!("the certificate `{subject}` ends soon: {ends}"));
        }
    }
    let has_secret = !matches!(attempt.presented, Presented::Anonymous | Presented::Broken(_));
    if attempt.plain_http && has_secret {
        endpoint.notes.push(
            "the credential goes over the network in the clear: this endpoint is plain HTTP".to_owned(),
        );
    }
    if attempt.tls.skip_verify && !attempt.plain_http {
        endpoint.notes.push(
            "the certificate is not verified: anybody on the way can read the credential and answer for tags"
                .to_owned(),
        );
    }
    if attempt.tls.client.len() > 1 {
        endpoint
            .notes
            .push("several client certificates are configured; only the first was used here".to_owned());
    }
}
