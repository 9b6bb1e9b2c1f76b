//! The program on a machine that a cloud knows: registries under their real names, logins that nobody typed.

use landfall_testkit::cloud::{AwsFault, Detour, FakeAws};
use landfall_testkit::fake_registry::Auth;
use landfall_testkit::{Authority, FakeRegistry, Outcome, Workload, run};

use crate::place::Place;

const ECR: &str = "123456789012.dkr.ecr.eu-west-1.amazonaws.com";

/// A private registry of ECR with one image, and a machine whose environment has keys for it.
struct Case {
    place: Place,
    aws: FakeAws,
    _registry: FakeRegistry,
    detour: Detour,
}

impl Case {
    fn new() -> Self {
        let authority = Authority::new();
        let aws = FakeAws::start();
        let registry = FakeRegistry::builder()
            .workload(&Workload::hello("team/app:1", "hello"))
            .auth(Auth::basic("AWS", &aws.password()))
            .tls(authority.issue(&[ECR]))
            .start();
        let place = Place::new();
        place.scratch.write("ca.pem", authority.certificate());
        Self {
            detour: Detour::new(&[(ECR, registry.port())]),
            place,
            aws,
            _registry: registry,
        }
    }

    fn pull(&self, out: &str, more: &[&str], variables: &[(&str, &str)]) -> Outcome {
        let image = format!("{ECR}/team/app:1");
        let mut args = vec![
            "pull",
            image.as_str(),
            "-o",
            out,
            "--tls-ca",
            "ca.pem",
            "--attempts",
            "1",
        ];
        args.extend(more);
        let keys = FakeAws::keys();
        let mut command = self.place.command(&args);
        command
            .env("HTTPS_PROXY", self.detour.url())
            .env("AWS_ENDPOINT_URL", self.aws.url())
            .env("AWS_ACCESS_KEY_ID", keys.id)
            .env("AWS_SECRET_ACCESS_KEY", keys.secret)
            .envs(variables.iter().copied());
        run(&mut command)
    }
}

#[test]
fn a_private_registry_of_ecr_needs_no_login() {
    let case = Case::new();
    case.pull("image", &[], &[]).ok();
    assert!(case.place.exists("image/index.json"));
    assert_eq!(case.aws.tokens(), 1);
}

#[test]
fn it_can_be_switched_off() {
    let case = Case::new();
    for (more, variables) in [
        (&["--no-cloud-credentials"][..], &[][..]),
        (&[], &[("LANDFALL_CLOUD_AUTH", "off")]),
    ] {
        let outcome = case.pull("image", more, variables);
        assert_ne!(outcome.code(), Some(0), "{outcome}");
        assert!(outcome.stdout.contains("no credential"), "{outcome}");
    }
    assert_eq!(case.aws.tokens(), 0);
}

#[test]
fn a_refusal_is_told_with_what_to_do() {
    let case = Case::new();
    case.aws.fault(AwsFault::Denied);
    let outcome = case.pull("image", &[], &[]);
    assert_ne!(outcome.code(), Some(0), "{outcome}");
    for part in [
        "AccessDeniedException",
        "arn:aws:iam::123456789012:user/mover",
        "policy",
    ] {
        assert!(outcome.stdout.contains(part), "{outcome}");
    }
    assert!(
        !format!("{outcome}").contains(&FakeAws::keys().secret),
        "{outcome}"
    );
}
