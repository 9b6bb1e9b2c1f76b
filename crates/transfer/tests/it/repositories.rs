//! Repositories that do not come into being on push, made through the hook.

use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use landfall_client::{Client, ClientOptions};
use landfall_hash::HashService;
use landfall_net::client::{HostOptions, PlainHttp, Proxies, TransportOptions};
use landfall_oci::{Registry, Repository};
use landfall_testkit::fake_registry::Ecr;
use landfall_testkit::{FakeRegistry, Scratch, Workload};
use landfall_transfer::{
    Class, DestinationOptions, LoadOptions, MakeRepository, PlaceAction, Report, Reporter, Selection, Silent,
    Visibility, load,
};

const NAME: &str = "123456789012.dkr.ecr.eu-west-1.amazonaws.com/team/app:1";

/// Makes what it is asked for, or says why not.
#[derive(Debug)]
struct Maker {
    target: Arc<FakeRegistry>,
    refusal: Option<String>,
    asked: Mutex<Vec<String>>,
}

#[async_trait]
impl MakeRepository for Maker {
    async fn make(&self, registry: &Registry, repository: &Repository) -> Result<(), String> {
        self.asked
            .lock()
            .unwrap()
            .push(format!("{registry}/{repository}"));
        match &self.refusal {
            Some(reason) => Err(reason.clone()),
            None => {
                self.target.make_repository(repository.as_str());
                Ok(())
            }
        }
    }
}

fn maker(target: &Arc<FakeRegistry>, refusal: Option<&str>) -> Arc<Maker> {
    Arc::new(Maker {
        target: Arc::clone(target),
        refusal: refusal.map(str::to_owned),
        asked: Mutex::default(),
    })
}

/// A load of one image, for which the fake is every host there is.
async fn run(target: &FakeRegistry, maker: Option<Arc<Maker>>, dry_run: bool) -> Report {
    let place = Scratch::new();
    Workload::hello("small/image:1", "hello").write_layout(&place.join("layout"));
    let proxy = format!("http://{}", target.address());
    let transport = TransportOptions {
        default_host: HostOptions {
            plain_http: PlainHttp::Always,
            ..HostOptions::default()
        },
        proxies: Proxies::from_lookup(|name| (name == "HTTP_PROXY").then(|| proxy.clone())),
        ..TransportOptions::default()
    };
    let client = Client::new(ClientOptions {
        transport,
        ..ClientOptions::default()
    });
    let options = LoadOptions {
        bundle: place.join("layout"),
        selection: Selection::One {
            pick: None,
            target: NAME.parse().unwrap(),
        },
        jobs: 2,
        dry_run,
        destination: DestinationOptions {
            create_missing: Some(Visibility::Private),
            maker: maker.map(|maker| maker as Arc<dyn MakeRepository>),
            ..DestinationOptions::default()
        },
    };
    let reporter: Arc<dyn Reporter> = Arc::new(Silent);
    let hash = HashService::new(std::num::NonZeroUsize::MIN);
    load(&options, &client.unwrap(), &hash, &reporter).await.unwrap()
}

fn empty() -> Arc<FakeRegistry> {
    Arc::new(FakeRegistry::builder().ecr(Ecr::new()).start())
}

#[tokio::test]
async fn a_missing_repository_is_made_and_one_that_is_there_is_not_asked_for() {
    let target = empty();
    let first = maker(&target, None);
    let plan = run(&target, Some(Arc::clone(&first)), true).await.plan;
    assert_eq!(plan.places[0].action, PlaceAction::Create);
    assert!(first.asked.lock().unwrap().is_empty(), "a dry run makes nothing");
    let report = run(&target, Some(Arc::clone(&first)), false).await;
    assert!(report.is_complete(), "{report:?}");
    assert_eq!(*first.asked.lock().unwrap(), [NAME.trim_end_matches(":1")]);
    assert_eq!(target.tags().len(), 1);
    let second = maker(&target, Some("not again"));
    let report = run(&target, Some(Arc::clone(&second)), false).await;
    assert!(report.is_complete() && report.plan.places.is_empty());
    assert!(second.asked.lock().unwrap().is_empty());
}

#[tokio::test]
async fn a_refusal_is_told_and_nothing_is_pushed() {
    let target = empty();
    let denied = maker(&target, Some("AccessDeniedException: ecr:CreateRepository"));
    let report = run(&target, Some(denied), false).await;
    assert!(
        report.failed[0].reason.contains("ecr:CreateRepository"),
        "{report:?}"
    );
    assert_eq!(report.failed[0].class, Class::Credentials);
    let report = run(&target, None, false).await;
    assert!(
        report.failed[0].reason.contains("no way to make it"),
        "{report:?}"
    );
    assert!(target.tags().is_empty());
}
