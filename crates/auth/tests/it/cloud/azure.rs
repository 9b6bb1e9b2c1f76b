//! Azure's tokens: an identity's, exchanged at the registry.

use landfall_testkit::Authority;
use landfall_testkit::cloud::{AzureFault, Detour, FakeAzure};

use super::{Machine, is_anonymous, pair, says, transport};

const REGISTRY: &str = "name.azurecr.io";
const NIL: &str = "00000000-0000-0000-0000-000000000000";

struct Case {
    azure: FakeAzure,
    detour: Detour,
    machine: Machine,
}

/// A machine that reaches a fake Azure under the real names.
fn case() -> Case {
    let authority = Authority::new();
    let tls = authority.issue(&[REGISTRY, "login.microsoftonline.com", "127.0.0.1"]);
    let azure = FakeAzure::start(&tls);
    let detour = Detour::new(&[("", azure.port())]);
    let mut machine = Machine::new();
    let ca = machine.write("ca.pem", &authority.certificate());
    machine.transport = transport(Some(ca.as_ref()), Some(detour.url()));
    Case {
        azure,
        detour,
        machine,
    }
}

impl Case {
    fn set(mut self, name: &str, value: impl Into<std::ffi::OsString>) -> Self {
        self.machine = self.machine.set(name, value);
        self
    }

    fn with_client(self) -> Self {
        self.set("AZURE_CLIENT_ID", "client-1")
            .set("AZURE_TENANT_ID", "tenant-1")
    }
}

#[tokio::test]
async fn the_identity_of_the_machine() {
    let case = case();
    let url = case.azure.metadata_url();
    let case = case.set("AZURE_POD_IDENTITY_AUTHORITY_HOST", url);
    let keyring = case.machine.keyring();
    for _ in 0..2 {
        let found = keyring.lookup(&REGISTRY.parse().unwrap(), None).await.unwrap();
        assert_eq!(pair(&found), (NIL, case.azure.refresh_token().as_str()));
        assert_eq!(&*found.provenance, "ACR token, by the machine's managed identity");
    }
    assert_eq!(case.azure.exchanges(), 1);
    assert_eq!(case.detour.targets().first().unwrap(), "name.azurecr.io:443");
    case.azure.fault(AzureFault::NoIdentity);
    is_anonymous(
        &case.machine.login(REGISTRY).await.unwrap(),
        "no identity of this machine",
    );
}

#[tokio::test]
async fn a_service_principal_and_a_workload() {
    let case = case().with_client().set("AZURE_CLIENT_SECRET", FakeAzure::SECRET);
    let found = case.machine.login(REGISTRY).await.unwrap();
    assert_eq!(pair(&found).0, NIL);
    says(&found.provenance, &["the service principal client-1"]);
    assert!(
        case.detour
            .targets()
            .contains(&"login.microsoftonline.com:443".to_owned())
    );
    case.azure.fault(AzureFault::WrongClient);
    let found = case.machine.login(REGISTRY).await.unwrap();
    is_anonymous(&found, "invalid_client: AADSTS7000215");
    case.azure.fault(None);
    let file = case.machine.write("token", FakeAzure::ASSERTION);
    let port = case.azure.port();
    let mut case = case
        .set("AZURE_FEDERATED_TOKEN_FILE", file)
        .set("AZURE_AUTHORITY_HOST", format!("https://127.0.0.1:{port}/"));
    case.machine = case.machine.unset("AZURE_CLIENT_SECRET");
    let found = case.machine.login(REGISTRY).await.unwrap();
    says(&found.provenance, &["the workload identity client-1"]);
    pair(&found);
}

#[tokio::test]
async fn whatever_goes_wrong_public_images_can_be_pulled() {
    let case = case().with_client().set("AZURE_CLIENT_SECRET", FakeAzure::SECRET);
    for (fault, because) in [
        (AzureFault::Denied, "AcrPull"),
        (AzureFault::OtherRealm, "another host"),
        (AzureFault::NoChallenge, "does not ask for a token"),
        (AzureFault::Empty, "no refresh token"),
        (AzureFault::Unavailable, "503"),
    ] {
        case.azure.fault(fault);
        is_anonymous(&case.machine.login(REGISTRY).await.unwrap(), because);
    }
    // The values of a challenge need no quotes, not even the last one's.
    case.azure.fault(AzureFault::Unquoted);
    pair(&case.machine.login(REGISTRY).await.unwrap());
    let nobody = Machine::new().login(REGISTRY).await.unwrap();
    is_anonymous(&nobody, "no metadata service");
    let other = case.machine.login("my-name.azurecr.io").await.unwrap();
    assert_eq!(&*other.provenance, "no credential");
}
