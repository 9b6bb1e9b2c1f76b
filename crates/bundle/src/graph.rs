//! How the manifests of a bundle hang together: what is below what, what is about what, and what is not there.
//!
//! Read once, when first asked for; holds digests and sizes only, so that its memory is that of the entries.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use landfall_oci::{Descriptor, Digest, View};

use crate::info::{Info, referrer_descriptor};
use crate::{Bundle, BundleError};

/// One manifest or index that could be read.
#[derive(Debug)]
struct Node {
    descriptor: Descriptor,
    subject: Option<Digest>,
    /// Manifests below it, of those that are here.
    children: Vec<Digest>,
    /// Config and layers.
    blobs: Vec<Digest>,
}

/// A defect that shows without reading any layer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Defect {
    pub(crate) digest: Digest,
    pub(crate) kind: DefectKind,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum DefectKind {
    /// Needed by this manifest (or by the index of the bundle), not here, and nobody declared it left out.
    Missing { needed_by: Option<Digest> },
    /// Here, with another length than its descriptor says.
    Size { declared: u64, actual: u64 },
    /// A manifest that cannot be used.
    Unreadable { reason: String },
}

/// See the module.
#[derive(Debug, Default)]
pub(crate) struct Graph {
    nodes: HashMap<Digest, Node>,
    referrers: BTreeMap<Digest, Vec<Digest>>,
    pub(crate) defects: Vec<Defect>,
    /// Members of indexes that were left out on purpose.
    pub(crate) omitted: BTreeSet<Digest>,
    /// Foreign layers that are not here, to be fetched from their own URLs.
    pub(crate) foreign: BTreeSet<Digest>,
}

impl Graph {
    /// Reads every manifest that the index leads to. Blocking.
    pub(crate) fn read(bundle: &Bundle) -> Self {
        let mut reader = Reader {
            bundle,
            declared: bundle.info().map(declared_omissions),
            seen: HashSet::new(),
            queue: Vec::new(),
            graph: Self::default(),
        };
        for image in bundle.images() {
            reader.want(&image.root, None);
        }
        let referrers = bundle
            .info()
            .map(|info| info.referrers.as_slice())
            .unwrap_or_default();
        for referrer in referrers {
            let descriptor = Descriptor::new(referrer.media_type.clone(), referrer.digest, referrer.size);
            reader.want(&descriptor, None);
        }
        while let Some(descriptor) = reader.queue.pop() {
            reader.read(descriptor);
        }
        let mut graph = reader.graph;
        for list in graph.referrers.values_mut() {
            list.sort_unstable();
        }
        graph.defects.sort_by_key(|defect| defect.digest);
        graph
    }

    /// The descriptor of a manifest that is one of `roots`, below one, or about one of those.
    pub(crate) fn member(&self, roots: &[Digest], digest: &Digest) -> Option<Descriptor> {
        const MAX_SUBJECTS: u32 = 16;
        let node = self.nodes.get(digest)?;
        let reached = self.below(roots);
        let mut at = *digest;
        for _ in 0..MAX_SUBJECTS {
            if reached.contains(&at) {
                return Some(node.descriptor.clone());
            }
            at = self.nodes.get(&at)?.subject?;
        }
        None
    }

    /// Whether a digest is one of `roots`, or a manifest, config or layer below one, or about one of those.
    pub(crate) fn holds(&self, roots: &[Digest], digest: &Digest) -> bool {
        if self.member(roots, digest).is_some() {
            return true;
        }
        let reached = self.below(roots);
        let is_of = |manifest: &Digest| {
            self.nodes
                .get(manifest)
                .is_some_and(|node| node.blobs.contains(digest))
        };
        // What belongs to a manifest about one of ours (a signature's layer) is held too.
        let about = reached
            .iter()
            .filter_map(|manifest| self.referrers.get(manifest))
            .flatten();
        reached.iter().chain(about).any(is_of)
    }

    /// Manifests whose subject is this one.
    pub(crate) fn referrers(&self, digest: &Digest) -> Vec<Descriptor> {
        let list = self.referrers.get(digest).map(Vec::as_slice).unwrap_or_default();
        let nodes = list.iter().filter_map(|referrer| self.nodes.get(referrer));
        nodes.map(|node| node.descriptor.clone()).collect()
    }

    /// Whether anything below `root` (itself, manifests, configs, layers) is in `wanted`.
    pub(crate) fn touches(&self, root: &Digest, wanted: &BTreeSet<Digest>) -> bool {
        let manifests = self.below(std::slice::from_ref(root));
        manifests.iter().any(|manifest| {
            let node = self.nodes.get(manifest);
            wanted.contains(manifest)
                || node.is_some_and(|node| {
                    node.blobs
                        .iter()
                        .chain(&node.children)
                        .any(|below| wanted.contains(below))
                })
        })
    }

    /// Every digest that some image or referrer needs.
    pub(crate) fn needed(&self) -> HashSet<Digest> {
        let manifests = self.nodes.keys().copied();
        let below = self
            .nodes
            .values()
            .flat_map(|node| node.blobs.iter().chain(&node.children));
        manifests.chain(below.copied()).collect()
    }

    fn below(&self, roots: &[Digest]) -> HashSet<Digest> {
        let mut reached: HashSet<Digest> = roots.iter().copied().collect();
        let mut queue = roots.to_vec();
        while let Some(digest) = queue.pop() {
            let children = self
                .nodes
                .get(&digest)
                .map(|node| node.children.as_slice())
                .unwrap_or_default();
            queue.extend(children.iter().filter(|child| reached.insert(**child)));
        }
        reached
    }
}

fn declared_omissions(info: &Info) -> BTreeSet<Digest> {
    let omitted = info.images.iter().flat_map(|image| &image.omitted);
    omitted.map(|member| member.digest).collect()
}

struct Reader<'a> {
    bundle: &'a Bundle,
    /// What our own document says was left out; `None` for layouts of others.
    declared: Option<BTreeSet<Digest>>,
    seen: HashSet<Digest>,
    queue: Vec<Descriptor>,
    graph: Graph,
}

impl Reader<'_> {
    /// Something that must be here with the stated size.
    fn want(&mut self, descriptor: &Descriptor, needed_by: Option<Digest>) {
        let actual = self.bundle.size_of(&descriptor.digest);
        if !self.seen.insert(descriptor.digest) {
            return;
        }
        let kind = match actual {
            None => DefectKind::Missing { needed_by },
            Some(actual) if actual != descriptor.size => DefectKind::Size {
                declared: descriptor.size,
                actual,
            },
            Some(_) => {
                if descriptor.media_type.is_manifest() {
                    self.queue.push(descriptor.clone());
                }
                return;
            }
        };
        self.graph.defects.push(Defect {
            digest: descriptor.digest,
            kind,
        });
    }

    fn read(&mut self, descriptor: Descriptor) {
        let digest = descriptor.digest;
        let read = self.bundle.manifest(&digest);
        let viewed = read.and_then(|manifest| {
            let view = manifest.view().map_err(|source| BundleError::Manifest {
                path: self.bundle.path().to_owned(),
                digest: Box::new(digest),
                source,
            })?;
            Ok((manifest, view))
        });
        let (manifest, view) = match viewed {
            Ok(both) => both,
            Err(error) => {
                let reason = error.to_string();
                let kind = DefectKind::Unreadable { reason };
                self.graph.defects.push(Defect { digest, kind });
                return;
            }
        };
        let node = Node {
            descriptor: referrer_descriptor(manifest.descriptor(), &view),
            subject: view.subject().map(|subject| subject.digest),
            children: view.children().iter().map(|child| child.digest).collect(),
            blobs: view.blobs().map(|blob| blob.digest).collect(),
        };
        if let Some(subject) = node.subject {
            self.graph.referrers.entry(subject).or_default().push(digest);
        }
        self.graph.nodes.insert(digest, node);
        self.descend(digest, &view);
    }

    fn descend(&mut self, digest: Digest, view: &View) {
        let children = view.children();
        let is_any_here = children.iter().any(|child| self.bundle.contains(&child.digest));
        for child in children {
            let may_be_absent = match &self.declared {
                Some(declared) => declared.contains(&child.digest),
                // Other tools leave members out without saying so; an index with none of them is still useless.
                None => is_any_here,
            };
            if may_be_absent && !self.bundle.contains(&child.digest) {
                self.graph.omitted.insert(child.digest);
            } else {
                self.want(child, Some(digest));
            }
        }
        for blob in view.blobs() {
            if blob.is_foreign() && !self.bundle.contains(&blob.digest) {
                self.graph.foreign.insert(blob.digest);
            } else {
                self.want(blob, Some(digest));
            }
        }
    }
}
