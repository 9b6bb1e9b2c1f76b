//! A file system that remembers what has not reached the disk yet: from the recorded changes it rebuilds the folder
//! that a crash may leave.
//!
//! The model is what POSIX promises and no more: bytes are on the disk after an fsync of their file, names after
//! an fsync of their folder. Everything else may be there, in part or not, in any order.

use std::collections::BTreeMap;
use std::collections::HashMap;
use std::fs;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::path::{Path, PathBuf};
use std::rc::Rc;

use landfall_store::Change;

const ROOT: usize = 0;

/// A folder tree as the running system sees it, and how much of it is on the disk.
#[derive(Clone)]
pub(crate) struct Model {
    nodes: Vec<Node>,
}

#[derive(Clone)]
enum Node {
    File {
        synced: Rc<Vec<u8>>,
        pending: Vec<Edit>,
    },
    Folder {
        synced: BTreeMap<String, usize>,
        pending: Vec<(String, Option<usize>)>,
    },
}

#[derive(Clone)]
enum Edit {
    Write(usize, Vec<u8>),
    SetLen(usize),
}

/// What of the un-synced changes a crash leaves.
pub(crate) enum Survival {
    /// All: the process was killed, the system runs on.
    All,
    /// Nothing: the power went, and the system had written nothing of its own accord.
    Synced,
    /// Some: the power went while the system was writing.
    Some(Random),
}

/// Pseudo-random numbers (SplitMix64): a seed gives the same run again.
pub(crate) struct Random(pub(crate) u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    fn below(&mut self, limit: usize) -> usize {
        usize::try_from(self.next() % limit.max(1) as u64).unwrap()
    }

    fn one_in(&mut self, chances: usize) -> bool {
        self.below(chances) == 0
    }
}

/// What lies on the disk after the crash, by path.
#[derive(Hash)]
pub(crate) struct Tree(BTreeMap<PathBuf, Option<Survivor>>);

/// A file by its number, which all its names share, and its bytes.
type Survivor = (usize, Rc<Vec<u8>>);

impl Model {
    pub(crate) fn new() -> Self {
        Self {
            nodes: vec![Node::folder()],
        }
    }

    pub(crate) fn apply(&mut self, change: &Change) {
        match change {
            Change::MakeFolder(path) => self.add(path, Node::folder()),
            Change::Create(path) => self.add(path, Node::file()),
            Change::Write { path, offset, bytes } => {
                let offset = usize::try_from(*offset).unwrap();
                self.edit(path, Edit::Write(offset, bytes.clone()));
            }
            Change::SetLen { path, len } => self.edit(path, Edit::SetLen(usize::try_from(*len).unwrap())),
            Change::SyncFile(path) | Change::SyncFolder(path) => {
                let node = self.find(path);
                self.nodes[node].sync();
            }
            Change::SyncAll => self.nodes.iter_mut().for_each(Node::sync),
            Change::Link { from, to } => {
                let node = self.find(from);
                assert!(self.lookup(to).is_none(), "{} is taken", to.display());
                self.name(to, Some(node));
            }
            Change::Rename { from, to } => {
                let node = self.find(from);
                // Two names of one file: the system does nothing.
                if self.lookup(to) != Some(node) {
                    self.name(to, Some(node));
                    self.name(from, None);
                }
            }
            Change::Remove(path) => {
                self.find(path);
                self.name(path, None);
            }
        }
    }

    pub(crate) fn crash(&self, mut survival: Survival) -> Tree {
        let mut tree = Tree(BTreeMap::new());
        let mut contents = HashMap::new();
        self.descend(ROOT, Path::new(""), &mut survival, &mut contents, &mut tree);
        tree
    }

    fn descend(
        &self,
        folder: usize,
        path: &Path,
        survival: &mut Survival,
        contents: &mut HashMap<usize, Rc<Vec<u8>>>,
        tree: &mut Tree,
    ) {
        for (name, node) in self.surviving_names(folder, survival) {
            let path = path.join(name);
            match &self.nodes[node] {
                Node::Folder { .. } => {
                    tree.0.insert(path.clone(), None);
                    self.descend(node, &path, survival, contents, tree);
                }
                Node::File { synced, pending } => {
                    let content = contents
                        .entry(node)
                        .or_insert_with(|| surviving_bytes(synced, pending, survival));
                    tree.0.insert(path, Some((node, Rc::clone(content))));
                }
            }
        }
    }

    fn surviving_names(&self, folder: usize, survival: &mut Survival) -> BTreeMap<String, usize> {
        let Node::Folder { synced, pending } = &self.nodes[folder] else {
            panic!("not a folder");
        };
        let random = match survival {
            Survival::All => return self.names(folder),
            Survival::Synced => return synced.clone(),
            Survival::Some(random) => random,
        };
        // Either in order up to some point, as journals do it, or any of them.
        let until = match random.one_in(2) {
            true => random.below(pending.len() + 1),
            false => usize::MAX,
        };
        let chosen: Vec<_> = pending
            .iter()
            .enumerate()
            .filter(|(at, _)| {
                if until == usize::MAX {
                    random.one_in(2)
                } else {
                    *at < until
                }
            })
            .map(|(_, edit)| edit.clone())
            .collect();
        named(synced, &chosen)
    }

    fn add(&mut self, path: &Path, node: Node) {
        assert!(self.lookup(path).is_none(), "{} is taken", path.display());
        self.nodes.push(node);
        self.name(path, Some(self.nodes.len() - 1));
    }

    fn edit(&mut self, path: &Path, edit: Edit) {
        let node = self.find(path);
        match &mut self.nodes[node] {
            Node::File { pending, .. } => pending.push(edit),
            Node::Folder { .. } => panic!("{} is a folder", path.display()),
        }
    }

    fn name(&mut self, path: &Path, node: Option<usize>) {
        let folder = self.find(path.parent().unwrap());
        let name = path.file_name().unwrap().to_str().unwrap().to_owned();
        match &mut self.nodes[folder] {
            Node::Folder { pending, .. } => pending.push((name, node)),
            Node::File { .. } => panic!("{} lies in a file", path.display()),
        }
    }

    fn find(&self, path: &Path) -> usize {
        self.lookup(path)
            .unwrap_or_else(|| panic!("{} is not there", path.display()))
    }

    fn lookup(&self, path: &Path) -> Option<usize> {
        let mut node = ROOT;
        for name in path {
            node = *self.names(node).get(name.to_str().unwrap())?;
        }
        Some(node)
    }

    fn names(&self, folder: usize) -> BTreeMap<String, usize> {
        match &self.nodes[folder] {
            Node::Folder { synced, pending } => named(synced, pending),
            Node::File { .. } => BTreeMap::new(),
        }
    }
}

impl Node {
    fn file() -> Self {
        Self::File {
            synced: Rc::default(),
            pending: Vec::new(),
        }
    }

    fn folder() -> Self {
        Self::Folder {
            synced: BTreeMap::new(),
            pending: Vec::new(),
        }
    }

    fn sync(&mut self) {
        match self {
            Self::File { synced, pending } => {
                *synced = Rc::new(written(synced, pending));
                pending.clear();
            }
            Self::Folder { synced, pending } => {
                *synced = named(synced, pending);
                pending.clear();
            }
        }
    }
}

fn named(synced: &BTreeMap<String, usize>, edits: &[(String, Option<usize>)]) -> BTreeMap<String, usize> {
    let mut names = synced.clone();
    for (name, node) in edits {
        match node {
            Some(node) => names.insert(name.clone(), *node),
            None => names.remove(name),
        };
    }
    names
}

fn written(synced: &[u8], edits: &[Edit]) -> Vec<u8> {
    let mut content = synced.to_vec();
    for edit in edits {
        match edit {
            Edit::Write(offset, bytes) => {
                content.resize(content.len().max(offset + bytes.len()), 0);
                content[*offset..offset + bytes.len()].copy_from_slice(bytes);
            }
            Edit::SetLen(len) => content.resize(*len, 0),
        }
    }
    content
}

fn surviving_bytes(synced: &Rc<Vec<u8>>, pending: &[Edit], survival: &mut Survival) -> Rc<Vec<u8>> {
    if pending.is_empty() {
        return Rc::clone(synced);
    }
    let random = match survival {
        Survival::All => return Rc::new(written(synced, pending)),
        Survival::Synced => return Rc::clone(synced),
        Survival::Some(random) => random,
    };
    let edits: Vec<Edit> = pending
        .iter()
        .filter_map(|edit| match (edit, random.below(4)) {
            (_, 0) => None,
            // The length came to the disk and the bytes did not.
            (Edit::Write(offset, bytes), 1) => Some(Edit::Write(*offset, vec![0; bytes.len()])),
            (Edit::Write(offset, bytes), 2) => {
                let cut = random.below(bytes.len());
                Some(Edit::Write(*offset, bytes[..cut].to_vec()))
            }
            (edit, _) => Some(edit.clone()),
        })
        .collect();
    Rc::new(written(synced, &edits))
}

impl Tree {
    pub(crate) fn fingerprint(&self) -> u64 {
        let mut hasher = DefaultHasher::new();
        self.hash(&mut hasher);
        hasher.finish()
    }

    /// Writes the tree into an empty folder.
    pub(crate) fn write(&self, root: &Path) {
        let mut first: HashMap<usize, &Path> = HashMap::new();
        for (path, entry) in &self.0 {
            let target = root.join(path);
            match entry {
                None => fs::create_dir(target).unwrap(),
                Some((node, bytes)) => match first.get(node) {
                    Some(other) => fs::hard_link(root.join(other), target).unwrap(),
                    None => {
                        first.insert(*node, path);
                        fs::write(target, &**bytes).unwrap();
                    }
                },
            }
        }
    }
}
