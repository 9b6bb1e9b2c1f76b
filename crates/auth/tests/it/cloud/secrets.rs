//! No key and no token shows up in what is printed, logged or told.

use std::io::Write;
use std::sync::{Arc, Mutex};

use landfall_auth::{EcrKeys, NewRepository, Secret};
use landfall_testkit::cloud::{AwsFault, FakeAws};

use super::Machine;
use super::aws::{PRIVATE, machine};

/// Everything that was logged.
#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl Write for Log {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

async fn told(machine: &Machine) -> String {
    let keyring = machine.keyring();
    let registry = PRIVATE.parse().unwrap();
    let outcome = keyring.lookup(&registry, None).await;
    let name = "a".parse().unwrap();
    let made = keyring
        .create_repository(&registry, &name, NewRepository::default())
        .await;
    let text = format!("{keyring:?} {:?} {outcome:?} {:?}", machine.environment(), made);
    match outcome {
        Ok(found) => format!("{text} {}", found.provenance),
        Err(error) => format!("{text} {error}"),
    }
}

#[tokio::test]
async fn nothing_secret_is_told() {
    let log = Log::default();
    let writer = log.clone();
    let subscriber = tracing_subscriber::fmt()
        .with_max_level(tracing::Level::TRACE)
        .with_writer(move || writer.clone())
        .finish();
    // For the whole process: a subscriber of one thread misses what another thread met first.
    tracing::subscriber::set_global_default(subscriber).unwrap();
    let aws = FakeAws::start();
    let mut all = String::new();
    for fault in [
        None,
        Some(AwsFault::Denied),
        Some(AwsFault::NoColon),
        Some(AwsFault::KeysOver),
    ] {
        aws.fault(fault);
        all += &told(&machine(&aws)).await;
    }
    aws.fault(None);
    // AWS explains a signature that does not fit with all that was signed.
    let keys = Machine::new().set("AWS_ENDPOINT_URL", aws.url()).set(
        "AWS_CONTAINER_CREDENTIALS_FULL_URI",
        format!("{}/container", aws.url()),
    );
    all += &told(&keys).await;
    let wrong = machine(&aws).set("AWS_SECRET_ACCESS_KEY", "wrong-secret-value");
    all += &told(&wrong).await;
    let web = Machine::new()
        .set("AWS_ENDPOINT_URL", aws.url())
        .set("AWS_ROLE_ARN", "arn:r");
    let file = web.write("token", "another-web-token");
    all += &told(&web.set("AWS_WEB_IDENTITY_TOKEN_FILE", file)).await;
    let given = EcrKeys {
        id: "AKIAGIVEN".to_owned(),
        secret: Secret::new("given-secret"),
        session: Some(Secret::new("given-session")),
    };
    all += &format!("{given:?}");
    all += &String::from_utf8_lossy(&log.0.lock().unwrap());
    assert!(
        all.contains("AccessDeniedException") && all.contains("POST"),
        "{all}"
    );
    let others = [
        "wrong-secret-value",
        "another-web-token",
        "given-secret",
        "given-session",
        "imds-session",
    ];
    for secret in aws.secrets().iter().map(String::as_str).chain(others) {
        assert!(!all.contains(secret), "{secret} is in: {all}");
    }
}
