//! Google's tokens: by the metadata service, by files.

use aws_lc_rs::encoding::AsDer;
use aws_lc_rs::rsa::{KeyPair, KeySize};
use aws_lc_rs::signature::KeyPair as _;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use landfall_testkit::cloud::{FakeGoogle, GoogleFault};
use serde_json::{Value, json};

use super::{Machine, is_anonymous, pair, says};

const REGISTRY: &str = "europe-docker.pkg.dev";

fn machine(google: &FakeGoogle) -> Machine {
    Machine::new()
        .unset("NO_GCE_CHECK")
        .set("GCE_METADATA_HOST", google.host())
}

/// A machine with this key file, and the metadata service switched off.
fn with_file(json: &Value) -> Machine {
    let machine = Machine::new();
    let file = machine.write("key.json", &json.to_string());
    machine.set("GOOGLE_APPLICATION_CREDENTIALS", file)
}

#[tokio::test]
async fn the_metadata_service_gives_one_token_for_all_of_googles_registries() {
    let google = FakeGoogle::start();
    let keyring = machine(&google).keyring();
    for registry in [REGISTRY, "gcr.io", "eu.gcr.io", "container.cloud.google.com"] {
        let found = keyring.lookup(&registry.parse().unwrap(), None).await.unwrap();
        assert_eq!(pair(&found), ("oauth2accesstoken", google.token().as_str()));
        says(&found.provenance, &[FakeGoogle::EMAIL, "metadata service"]);
    }
    assert_eq!(google.metadata_tokens(), 1);
    for registry in ["registry.example", "registry.k8s.io", "gcr.io.example"] {
        let found = keyring.lookup(&registry.parse().unwrap(), None).await.unwrap();
        is_anonymous(&found, "no credential");
    }
    assert_eq!(google.service().asked().len(), 2);
}

#[tokio::test]
async fn whatever_the_metadata_service_does_public_images_can_be_pulled() {
    let google = FakeGoogle::start();
    for (fault, because) in [
        (GoogleFault::NoAccount, "no service account"),
        (GoogleFault::NoFlavor, "not Google's"),
        (GoogleFault::Garbage, "no token in the answer"),
        (GoogleFault::Redirect, "not Google's"),
        (GoogleFault::Unavailable, "503"),
    ] {
        google.fault(fault);
        is_anonymous(&machine(&google).login("gcr.io").await.unwrap(), because);
    }
    is_anonymous(&Machine::new().login("gcr.io").await.unwrap(), "NO_GCE_CHECK");
    let nobody = Machine::new()
        .unset("NO_GCE_CHECK")
        .set("GCE_METADATA_HOST", "127.0.0.1:1");
    is_anonymous(&nobody.login("gcr.io").await.unwrap(), "no metadata service");
}

fn service_account(google: &FakeGoogle) -> Value {
    let key = KeyPair::generate(KeySize::Rsa2048).unwrap();
    google.public_key(key.public_key().as_ref());
    let der = AsDer::<aws_lc_rs::encoding::Pkcs8V1Der>::as_der(&key).unwrap();
    let pem = format!(
        "-----BEGIN PRIVATE KEY-----\n{}\n-----END PRIVATE KEY-----\n",
        STANDARD.encode(der.as_ref())
    );
    json!({
        "type": "service_account",
        "client_email": FakeGoogle::EMAIL,
        "private_key_id": "k1",
        "private_key": pem,
        "token_uri": format!("http://{}/token", google.host()),
    })
}

#[tokio::test]
async fn the_key_of_a_service_account() {
    let google = FakeGoogle::start();
    let mut file = service_account(&google);
    let machine = with_file(&file);
    let found = machine.login(REGISTRY).await.unwrap();
    assert_eq!(pair(&found).1, google.token());
    says(&found.provenance, &[FakeGoogle::EMAIL, "key.json"]);
    google.ahead(7200);
    assert_eq!(
        pair(&machine.login(REGISTRY).await.unwrap()).1,
        google.token(),
        "the clock is corrected"
    );
    google.ahead(0);
    google.fault(GoogleFault::Denied);
    is_anonymous(
        &machine.login(REGISTRY).await.unwrap(),
        "invalid_grant: account not found",
    );
    google.fault(None);
    file["private_key"] = "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n".into();
    is_anonymous(&with_file(&file).login(REGISTRY).await.unwrap(), "no RSA key");
    file["private_key"] = Value::Null;
    is_anonymous(
        &with_file(&file).login(REGISTRY).await.unwrap(),
        "no `private_key`",
    );
    file["token_uri"] = "http://evil.example/token".into();
    file["private_key"] = service_account(&google)["private_key"].clone();
    is_anonymous(&with_file(&file).login(REGISTRY).await.unwrap(), "plain HTTP");
}

#[tokio::test]
async fn a_federated_identity() {
    let google = FakeGoogle::start();
    let host = google.host();
    let machine = Machine::new();
    let token = machine
        .write("subject", FakeGoogle::SUBJECT)
        .into_string()
        .unwrap();
    let in_json = machine.write("subject.json", &json!({"jwt": FakeGoogle::SUBJECT}).to_string());
    let mut file = json!({
        "type": "external_account",
        "audience": "//iam.googleapis.com/projects/1/locations/global/workloadIdentityPools/p/providers/x",
        "subject_token_type": "urn:ietf:params:oauth:token-type:jwt",
        "token_url": format!("http://{host}/sts"),
        "credential_source": {"file": token},
    });
    assert_eq!(
        pair(&with_file(&file).login(REGISTRY).await.unwrap()).1,
        "federated"
    );
    file["service_account_impersonation_url"] = format!("http://{host}/impersonate").into();
    assert_eq!(
        pair(&with_file(&file).login(REGISTRY).await.unwrap()).1,
        google.token()
    );
    let format = json!({"type": "json", "subject_token_field_name": "jwt"});
    file["credential_source"] = json!({"file": in_json.into_string().unwrap(), "format": format});
    assert_eq!(
        pair(&with_file(&file).login(REGISTRY).await.unwrap()).1,
        google.token()
    );
    let format = json!({"type": "json", "subject_token_field_name": "value"});
    file["credential_source"] = json!({"url": format!("http://{host}/subject"), "format": format});
    assert_eq!(
        pair(&with_file(&file).login(REGISTRY).await.unwrap()).1,
        google.token()
    );
    google.fault(GoogleFault::Denied);
    is_anonymous(&with_file(&file).login(REGISTRY).await.unwrap(), "invalid_grant");
    google.fault(None);
    file["credential_source"] = json!({"environment_id": "aws1", "url": "http://169.254.169.254/"});
    is_anonymous(
        &with_file(&file).login(REGISTRY).await.unwrap(),
        "neither a file nor a URL",
    );
    machine.write("subject", "wrong");
    file["credential_source"] = json!({"file": machine.home.path().join("subject")});
    is_anonymous(
        &with_file(&file).login(REGISTRY).await.unwrap(),
        "subject token is invalid",
    );
}

#[tokio::test]
async fn the_login_of_a_person_and_files_that_are_none() {
    let google = FakeGoogle::start();
    let json = json!({
        "type": "authorized_user",
        "client_id": "c",
        "client_secret": "s",
        "refresh_token": "1//refresh",
        "token_uri": format!("http://{}/token", google.host()),
    });
    let machine = Machine::new();
    machine.write(
        ".config/gcloud/application_default_credentials.json",
        &json.to_string(),
    );
    assert_eq!(pair(&machine.login(REGISTRY).await.unwrap()).1, google.token());
    is_anonymous(
        &with_file(&json!({"type": "gdch"})).login(REGISTRY).await.unwrap(),
        "type `gdch`",
    );
    is_anonymous(
        &with_file(&json!([])).login(REGISTRY).await.unwrap(),
        "type `none`",
    );
    let missing = Machine::new().set("GOOGLE_APPLICATION_CREDENTIALS", "/nowhere/key.json");
    is_anonymous(
        &missing.login(REGISTRY).await.unwrap(),
        "/nowhere/key.json, which does not exist",
    );
}
