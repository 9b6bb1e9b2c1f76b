//! Every byte of a bundle against its digest, and every image against what it needs.
//!
//! Several blobs are read and hashed at the same time, the biggest first, so that the end is not one long blob on one
//! processor. A wrong blob is named together with the images that it spoils.

use std::collections::BTreeSet;

use landfall_hash::HashService;
use landfall_oci::Digest;
use landfall_store::Extent;
use tokio::sync::mpsc;
use tokio::task::JoinSet;

use crate::graph::DefectKind;
use crate::{Bundle, BundleError, Refused};

/// Blobs that are read at the same time: enough lanes for the widest hashing kernel.
const STREAMS: usize = 16;
const CHUNK: u64 = 256 << 10;
const EVENTS: usize = 64;

/// What happens while a bundle is verified.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum VerifyEvent {
    /// The work ahead.
    Started {
        /// Blobs (manifests too).
        blobs: usize,
        /// Their bytes.
        bytes: u64,
    },
    /// So many bytes more have been hashed.
    Hashed {
        /// Bytes since the last event.
        bytes: u64,
    },
    /// One blob is through.
    Checked {
        /// Which.
        digest: Digest,
        /// Whether its bytes are right.
        is_right: bool,
    },
}

/// What is wrong with one digest.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Problem {
    /// The bytes have another digest.
    WrongDigest {
        /// The digest of the bytes.
        found: Digest,
    },
    /// The length is not what its descriptor says.
    WrongSize {
        /// What the descriptor says, in bytes.
        declared: u64,
        /// What is there.
        actual: u64,
    },
    /// Something needs it, and it is neither there nor declared left out.
    Missing {
        /// The manifest that needs it; `None` for the bundle's own index.
        needed_by: Option<Digest>,
    },
    /// The bytes are right but are no manifest, though they should be one.
    NotAManifest {
        /// Why.
        reason: String,
    },
    /// The bytes cannot be read from the disk.
    Unreadable {
        /// What the system said.
        reason: String,
    },
}

/// A digest with its problem and the images that it spoils.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// Which manifest, config or layer.
    pub digest: Digest,
    /// What is wrong.
    pub problem: Problem,
    /// Names of the images that need it (the digest of an image without a name).
    pub images: Vec<String>,
}

/// The outcome.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Report {
    /// Blobs that were hashed (manifests too).
    pub blobs: usize,
    /// Their bytes.
    pub bytes: u64,
    /// Everything that is wrong, by digest.
    pub findings: Vec<Finding>,
    /// Images of another program's archive that cannot be used.
    pub refused: Vec<Refused>,
    /// Members of indexes that a choice of platforms left out: no fault.
    pub omitted: usize,
    /// Foreign layers that are not here: no fault.
    pub foreign: usize,
    /// Blobs that no image needs: no fault.
    pub unneeded: usize,
}

impl Report {
    /// Whether every image is whole.
    #[must_use]
    pub fn is_right(&self) -> bool {
        self.findings.is_empty() && self.refused.is_empty()
    }
}

/// Verifies everything in the bundle.
///
/// # Errors
/// [`BundleError::Io`] when not even the attempt can be made; what is wrong with the content is in the [`Report`].
pub async fn verify(
    bundle: &Bundle,
    service: &HashService,
    mut on_event: impl FnMut(VerifyEvent),
) -> Result<Report, BundleError> {
    let mut blobs = bundle.blobs();
    blobs.sort_by_key(|(digest, size)| (std::cmp::Reverse(*size), *digest));
    let bytes = blobs.iter().map(|(_, size)| size).sum();
    on_event(VerifyEvent::Started {
        blobs: blobs.len(),
        bytes,
    });
    let mut findings = hash_all(bundle, service, &blobs, &mut on_event).await?;
    let reader = bundle.clone();
    let blocking = tokio::task::spawn_blocking(move || structure(&reader, &mut findings));
    let mut report = blocking.await.map_err(|error| {
        let read = BundleError::io("verify", bundle.path());
        read(std::io::Error::other(error))
    })?;
    report.blobs = blobs.len();
    report.bytes = bytes;
    Ok(report)
}

type Found = Vec<(Digest, Problem)>;

async fn hash_all(
    bundle: &Bundle,
    service: &HashService,
    blobs: &[(Digest, u64)],
    on_event: &mut impl FnMut(VerifyEvent),
) -> Result<Found, BundleError> {
    let (events, mut incoming) = mpsc::channel(EVENTS);
    let mut running: JoinSet<(Digest, Option<Problem>)> = JoinSet::new();
    let mut waiting = blobs.iter();
    let mut found = Found::new();
    loop {
        while running.len() < STREAMS
            && let Some((digest, _)) = waiting.next()
        {
            running.spawn(hash_one(bundle.clone(), *digest, service.clone(), events.clone()));
        }
        tokio::select! {
            biased;
            Some(bytes) = incoming.recv() => on_event(VerifyEvent::Hashed { bytes }),
            joined = running.join_next() => {
                let Some(joined) = joined else { return Ok(found) };
                let (digest, problem) = joined.map_err(|error| {
                    BundleError::io("verify", bundle.path())(std::io::Error::other(error))
                })?;
                while let Ok(bytes) = incoming.try_recv() {
                    on_event(VerifyEvent::Hashed { bytes });
                }
                on_event(VerifyEvent::Checked { digest, is_right: problem.is_none() });
                found.extend(problem.map(|problem| (digest, problem)));
            }
        }
    }
}

async fn hash_one(
    bundle: Bundle,
    digest: Digest,
    service: HashService,
    events: mpsc::Sender<u64>,
) -> (Digest, Option<Problem>) {
    let unreadable = |reason: String| Some(Problem::Unreadable { reason });
    let problem = match digest_of(bundle, digest, &service, &events).await {
        Ok(found) if found == digest => None,
        Ok(found) => Some(Problem::WrongDigest { found }),
        Err(reason) => unreadable(reason),
    };
    (digest, problem)
}

/// The digest of what is stored under `digest`.
async fn digest_of(
    bundle: Bundle,
    digest: Digest,
    service: &HashService,
    events: &mpsc::Sender<u64>,
) -> Result<Digest, String> {
    let opened = tokio::task::spawn_blocking(move || bundle.extent(&digest)).await;
    let extent: Extent = opened
        .map_err(|error| error.to_string())?
        .map_err(|error| error.to_string())?
        .ok_or("it has gone away")?;
    let mut stream = service.stream(digest.algorithm());
    let mut at = 0;
    while at < extent.len {
        let len = CHUNK.min(extent.len - at);
        let piece = extent.clone();
        let read = tokio::task::spawn_blocking(move || piece.read_at(at, usize::try_from(len).unwrap_or(0)));
        let chunk = read
            .await
            .map_err(|error| error.to_string())?
            .map_err(|error| error.to_string())?;
        stream.update(chunk).await.map_err(|error| error.to_string())?;
        at += len;
        // Nobody listening is no reason to stop.
        let _ = events.send(len).await;
    }
    stream.finish().await.map_err(|error| error.to_string())
}

/// The closure check, and which images each finding spoils. Blocking.
fn structure(bundle: &Bundle, found: &mut Found) -> Report {
    let graph = bundle.graph();
    let wrong: BTreeSet<_> = found.iter().map(|(digest, _)| *digest).collect();
    for defect in &graph.defects {
        let problem = match &defect.kind {
            DefectKind::Missing { needed_by } => Problem::Missing {
                needed_by: *needed_by,
            },
            DefectKind::Size { declared, actual } => Problem::WrongSize {
                declared: *declared,
                actual: *actual,
            },
            // What hashing has found says more.
            DefectKind::Unreadable { .. } if wrong.contains(&defect.digest) => continue,
            DefectKind::Unreadable { reason } => Problem::NotAManifest {
                reason: reason.clone(),
            },
        };
        found.push((defect.digest, problem));
    }
    found.sort_by_key(|(digest, _)| *digest);
    let findings = found.drain(..).map(|(digest, problem)| Finding {
        digest,
        problem,
        images: spoiled(bundle, digest),
    });
    let findings = findings.collect();
    let needed = graph.needed();
    let all = bundle.blobs();
    Report {
        findings,
        refused: bundle.refused().to_vec(),
        omitted: graph.omitted.len(),
        foreign: graph.foreign.len(),
        unneeded: all.iter().filter(|(digest, _)| !needed.contains(digest)).count(),
        ..Report::default()
    }
}

fn spoiled(bundle: &Bundle, digest: Digest) -> Vec<String> {
    let wanted = BTreeSet::from([digest]);
    let hit = bundle
        .images()
        .iter()
        .filter(|image| bundle.graph().touches(&image.root.digest, &wanted));
    hit.map(|image| match &image.reference {
        Some(reference) => reference.to_string(),
        None if image.name.is_empty() => image.root.digest.to_string(),
        None => image.name.clone(),
    })
    .collect()
}
