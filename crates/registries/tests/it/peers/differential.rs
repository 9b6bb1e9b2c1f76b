//! Two thousand configurations: what we say containerd does, and what it does.

use std::collections::BTreeMap;
use std::env;
use std::fmt::Write as _;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Instant;

use landfall_registries::containerd::{Containerd, Release};
use landfall_testkit::farm::Tiny;
use landfall_testkit::peers::node::{self, Account, Options};
use landfall_testkit::peers::{Cri, Node};
use landfall_testkit::{Farm, Namespace};
use tokio::sync::Semaphore;
use tokio::task::JoinSet;

use super::case::Case;
use super::generate::{self, SHARED};
use super::oracle::{self, Told};
use super::pki::Pki;
use super::real::{self, Happened};
use super::words;

/// How many cases, and from which seed; others by these variables.
const COUNT: (&str, usize) = ("LANDFALL_CASES", 2000);
const SEED: (&str, u64) = ("LANDFALL_SEED", 1);
/// Only this case.
const ONLY: &str = "LANDFALL_CASE";
/// How many pulls run beside each other.
const AT_ONCE: usize = 16;
/// How many mismatches are shown.
const SHOWN: usize = 5;

#[test]
fn debian_asks_as_we_say() {
    run(
        "peers::differential::debian_asks_as_we_say",
        node::Release::Debian,
        Release::V1_6,
    );
}

#[test]
fn the_newest_asks_as_we_say() {
    run(
        "peers::differential::the_newest_asks_as_we_say",
        node::Release::Newest,
        Release::V2_4,
    );
}

/// By its own transfer service, which is in charge when `config.toml` holds no credentials.
#[test]
fn the_newest_asks_the_same_without_credentials() {
    let test = "peers::differential::the_newest_asks_the_same_without_credentials";
    run(test, node::Release::NewestTransfer, Release::V2_4);
}

fn run(test: &str, release: node::Release, model: Release) {
    let Some(namespace) = Namespace::enter(test, &[]) else {
        return;
    };
    let seed = variable(SEED.0).unwrap_or(SEED.1);
    let count = variable(COUNT.0).unwrap_or(COUNT.1);
    let only: Option<usize> = variable(ONLY);
    let pki_folder = namespace.fast().join("pki");
    let pki = Pki::new(&pki_folder);
    let indices = 0..count.max(only.map_or(0, |only| only + 1));
    let mut cases: Vec<Case> = indices
        .filter(|index| only.is_none_or(|only| only == *index))
        .map(|index| generate::case(seed, index, pki_folder.clone()))
        .collect();
    if release == node::Release::NewestTransfer {
        cases.iter_mut().for_each(|case| case.accounts.clear());
    }
    let names: Vec<_> = cases
        .iter()
        .flat_map(|case| generate::names(case.index))
        .collect();
    let shared = SHARED
        .iter()
        .map(|(name, address)| ((*name).to_owned(), (*address).to_owned()));
    namespace.hosts(&names.into_iter().chain(shared).collect::<Vec<_>>());
    let node = Node::start(&Options {
        release,
        within: namespace.fast(),
        system_authorities: Some(&pki.system()),
        registry: node::Registry::Own(&node::accounts(release, &accounts(&cases))),
    });
    let bench = Bench {
        model,
        farm: Farm::start(),
        node,
        pki,
        pki_folder,
        seed,
    };
    bench.try_all(cases);
}

fn variable<T: std::str::FromStr>(name: &str) -> Option<T> {
    env::var(name).ok().and_then(|text| text.parse().ok())
}

/// All credentials: `config.toml` is read once.
fn accounts(cases: &[Case]) -> Vec<Account> {
    let all = cases.iter().flat_map(|case| &case.accounts);
    let by_host: BTreeMap<&str, &Account> = all.map(|account| (account.host.as_str(), account)).collect();
    by_host.into_values().cloned().collect()
}

struct Bench {
    model: Release,
    farm: Farm,
    node: Node,
    pki: Pki,
    pki_folder: PathBuf,
    seed: u64,
}

impl Bench {
    fn try_all(self, cases: Vec<Case>) {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(2)
            .enable_all()
            .build()
            .unwrap();
        let (alone, beside): (Vec<_>, Vec<_>) = cases.into_iter().partition(|case| case.alone);
        let total = alone.len() + beside.len();
        let started = Instant::now();
        let bench = Arc::new(self);
        let mut verdicts = runtime.block_on(Arc::clone(&bench).beside_each_other(beside));
        verdicts.extend(runtime.block_on(bench.one_by_one(alone)));
        eprintln!("{total} cases in {:?}", started.elapsed());
        bench.report(verdicts);
    }

    async fn beside_each_other(self: Arc<Self>, cases: Vec<Case>) -> Vec<Verdict> {
        let places = Arc::new(Semaphore::new(AT_ONCE));
        let cri = self.node.cri().await;
        let mut tasks = JoinSet::new();
        for case in cases {
            let (bench, places, mut cri) = (Arc::clone(&self), Arc::clone(&places), cri.clone());
            tasks.spawn(async move {
                let _place = places.acquire().await.unwrap();
                bench.attempt(case, &mut cri).await
            });
        }
        tasks.join_all().await
    }

    async fn one_by_one(&self, cases: Vec<Case>) -> Vec<Verdict> {
        let mut cri = self.node.cri().await;
        let mut verdicts = Vec::new();
        for case in cases {
            verdicts.push(self.attempt(case, &mut cri).await);
        }
        verdicts
    }

    /// The case in the world, then on paper.
    async fn attempt(&self, case: Case, cri: &mut Cri) -> Verdict {
        real::open(&case, &self.farm, &self.node, &self.pki);
        let happened = real::pull(&case, &self.farm, cri).await;
        real::close(&case, &self.farm, &self.node);
        self.judge(case, happened)
    }

    fn judge(&self, case: Case, happened: Happened) -> Verdict {
        let setup = oracle::setup(&case, self.model, self.node.certs(), &self.pki_folder);
        let containerd = Containerd::new(setup);
        let image = Tiny::new(case.index as u64);
        let told = oracle::tell(&case, &containerd, &image, &self.pki_folder);
        Verdict { case, told, happened }
    }

    fn report(&self, mut verdicts: Vec<Verdict>) {
        verdicts.sort_by_key(|verdict| verdict.case.index);
        let wrong: Vec<_> = verdicts.iter().filter(|verdict| !verdict.agrees()).collect();
        let requests: usize = verdicts
            .iter()
            .map(|verdict| verdict.happened.requests.len())
            .sum();
        let pulled = verdicts
            .iter()
            .filter(|verdict| verdict.happened.error.is_none())
            .count();
        eprintln!(
            "{requests} requests, {pulled} pulls that went well, {} mismatches",
            wrong.len()
        );
        for verdict in wrong.iter().take(SHOWN) {
            eprintln!("{}", self.shown(verdict));
        }
        for verdict in wrong.iter().skip(SHOWN) {
            eprintln!("{}", verdict.summary());
        }
        let enough = pulled * 10 >= verdicts.len() && requests >= verdicts.len();
        assert!(enough || verdicts.len() < 100, "hardly anything was tried");
        let indices: Vec<_> = wrong.iter().map(|verdict| verdict.case.index).collect();
        assert!(
            wrong.is_empty(),
            "seed {}: these cases differ: {indices:?}",
            self.seed
        );
    }

    fn shown(&self, verdict: &Verdict) -> String {
        let Verdict { case, told, happened } = verdict;
        let mut out = format!("\n===== seed {}, case {}\n{case}", self.seed, case.index);
        let sections: BTreeMap<&str, &[String]> = [
            ("1. requests as we say", told.requests.as_slice()),
            ("2. requests as they were", &happened.requests),
            ("3. our story", &told.story),
            ("4. what the registries saw", &happened.story),
        ]
        .into();
        for (title, lines) in sections {
            let _ = writeln!(out, "--- {title}");
            for line in lines {
                let _ = writeln!(out, "  {line}");
            }
        }
        let _ = writeln!(out, "--- 5. the error: {:?}", happened.error);
        out
    }
}

struct Verdict {
    case: Case,
    told: Told,
    happened: Happened,
}

impl Verdict {
    fn agrees(&self) -> bool {
        self.told.requests == self.happened.requests && self.same_words()
    }

    /// Whether the error is the one that we tell, as far as it is in our words.
    fn same_words(&self) -> bool {
        match (&self.told.error, &self.happened.error) {
            (None, None) => true,
            (Some(told), Some(happened)) => {
                oracle::is_vague(told) || words::expected(told) == words::real(&happened.message)
            }
            _ => false,
        }
    }

    /// One line: where the two part.
    fn summary(&self) -> String {
        let (told, happened) = (&self.told.requests, &self.happened.requests);
        let at = told.iter().zip(happened).take_while(|(a, b)| a == b).count();
        let error = self.happened.error.as_ref().map(|error| &error.message);
        format!(
            "case {}: request {at}: {:?}, really {:?}; error: {:?}, really {error:?}",
            self.case.index,
            told.get(at),
            happened.get(at),
            self.told.error
        )
    }
}
