//! Looking after a directory, by commands that do it themselves or that ask the server which has it.

mod collection;
mod owner;
mod scrub;
mod tags;

use landfall_testkit::Outcome;
use serde_json::Value;

use crate::place::Place;
use crate::server::Serving;

/// A directory `store` that a server has, or that no server has.
struct Site {
    place: Place,
    serving: Option<Serving>,
}

impl Site {
    /// Runs a journey twice: the commands find a server at work, and they do not.
    #[track_caller]
    fn both_ways(journey: impl Fn(&mut Site, bool)) {
        for is_served in [true, false] {
            let mut site = Site::new(&[]);
            journey(&mut site, is_served);
        }
    }

    fn new(args: &[&str]) -> Self {
        let place = Place::new();
        let mut all = vec!["--root", "store"];
        all.extend(args);
        let serving = Some(Serving::start(&place, &all));
        Self { place, serving }
    }

    fn serving(&self) -> &Serving {
        self.serving.as_ref().unwrap()
    }

    /// Pushes a small image with this text, and gives its digest.
    #[track_caller]
    fn push(&self, text: &str, name: &str) -> String {
        let digest = self.place.layout(text, text);
        self.place.push(text, &self.serving().name(name)).ok();
        digest
    }

    /// Ends the server unless the commands are to find it.
    fn is_served(&mut self, is_served: bool) {
        if !is_served && let Some(serving) = self.serving.take() {
            assert_eq!(serving.stop(), Some(0));
        }
    }

    /// A server again, where there is none.
    fn serve(&mut self) {
        let start = || Serving::start(&self.place, &["--root", "store"]);
        self.serving.get_or_insert_with(start);
    }

    /// `landfall COMMAND… --root store`.
    fn run(&self, args: &[&str]) -> Outcome {
        let mut all = args.to_vec();
        all.extend(["--root", "store"]);
        self.place.landfall(&all)
    }

    /// Where the bytes of a digest lie.
    fn blob(&self, digest: &str) -> std::path::PathBuf {
        let hex = digest.strip_prefix("sha256:").unwrap();
        self.place
            .path(&format!("store/blobs/sha256/{}/{hex}", &hex[..2]))
    }

    /// What a manifest answers: its status.
    #[track_caller]
    fn manifest(&self, repository: &str, target: &str) -> u16 {
        self.serving()
            .get(&format!("/v2/{repository}/manifests/{target}"))
            .status
    }
}

/// Lines of JSON: what was found, and the summary.
#[track_caller]
fn json_lines(text: &str) -> (Vec<Value>, Value) {
    let parse = |line| serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}"));
    let mut lines: Vec<Value> = text.lines().map(parse).collect();
    let summary = lines.pop().unwrap_or_else(|| panic!("nothing was printed"));
    (lines, summary)
}
