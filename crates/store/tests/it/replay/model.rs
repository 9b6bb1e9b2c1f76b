//! A file system that remembers what has not reached the disk yet: from the recorded changes it rebuilds the folder
//! that a crash may leave.
//!
//! The model is what POSIX promises and no more: bytes are on the disk after an fsync of their file, names after
//! an fsync of their folder. Everything else may be there, in part or not, in any order. One thing more, which all
//! file systems keep: what they have not been asked for yet they never write down so that a file which was moved is
//! at its old place no more and at its new one not yet.

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
    /// Changes so far.
    changes: usize,
}

#[derive(Clone)]
enum Node {
    File {
        synced: Rc<Vec<u8>>,
        pending: Vec<Edit>,
    },
    Folder {
        synced: BTreeMap<String, usize>,
        pending: Vec<Naming>,
    },
}

/// A name that a folder got or lost.
#[derive(Clone)]
struct Naming {
    name: String,
    node: Option<usize>,
    /// The number of the change.
    number: usize,
    /// Of a file that moved away: the folder that it moved to.
    moved_to: Option<usize>,
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
            changes: 0,
        }
    }

    pub(crate) fn apply(&mut self, change: &Change) {
        self.changes += 1;
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
                    let (from, to) = (self.folder_of(from), self.folder_of(to));
                    self.pending_names(from).last_mut().unwrap().moved_to = Some(to);
                }
            }
            Change::Remove(path) => {
                let node = self.find(path);
                assert!(
                    matches!(self.nodes[node], Node::File { .. }),
                    "{} is a folder",
                    path.display()
                );
                self.name(path, None);
            }
            Change::RemoveFolder(path) => {
                let node = self.find(path);
                assert!(self.names(node).is_empty(), "{} is not empty", path.display());
                self.name(path, None);
            }
        }
    }

    pub(crate) fn crash(&self, mut survival: Survival) -> Tree {
        let mut tree = Tree(BTreeMap::new());
        let mut contents = HashMap::new();
        let names = self.surviving_names(&mut survival);
        self.descend(
            ROOT,
            Path::new(""),
            &names,
            &mut survival,
            &mut contents,
            &mut tree,
        );
        tree
    }

    fn descend(
        &self,
        folder: usize,
        path: &Path,
        names: &[BTreeMap<String, usize>],
        survival: &mut Survival,
        contents: &mut HashMap<usize, Rc<Vec<u8>>>,
        tree: &mut Tree,
    ) {
        for (name, node) in &names[folder] {
            let path = path.join(name);
            match &self.nodes[*node] {
                Node::Folder { .. } => {
                    tree.0.insert(path.clone(), None);
                    self.descend(*node, &path, names, survival, contents, tree);
                }
                Node::File { synced, pending } => {
                    let content = contents
                        .entry(*node)
                        .or_insert_with(|| surviving_bytes(synced, pending, survival));
                    tree.0.insert(path, Some((*node, Rc::clone(content))));
                }
            }
        }
    }

    /// For each folder the names that it has after the crash.
    fn surviving_names(&self, survival: &mut Survival) -> Vec<BTreeMap<String, usize>> {
        let folders = 0..self.nodes.len();
        let random = match survival {
            Survival::All => return folders.map(|folder| self.names(folder)).collect(),
            Survival::Synced => return folders.map(|folder| self.nodes[folder].synced_names()).collect(),
            Survival::Some(random) => random,
        };
        let chosen: Vec<Vec<&Naming>> = self.nodes.iter().map(|node| choose(node, random)).collect();
        let is_pending = |folder: usize, number| {
            self.nodes[folder]
                .pending_names()
                .iter()
                .any(|other| other.number == number)
        };
        let arrived = |naming: &&&Naming| {
            naming.moved_to.is_none_or(|folder| {
                let there = chosen[folder].iter().any(|other| other.number == naming.number);
                there || !is_pending(folder, naming.number)
            })
        };
        let left = |folder: usize| chosen[folder].iter().filter(arrived).copied();
        folders
            .map(|folder| named(&self.nodes[folder].synced_names(), left(folder)))
            .collect()
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
        let name = path.file_name().unwrap().to_str().unwrap().to_owned();
        let (folder, number) = (self.folder_of(path), self.changes);
        self.pending_names(folder).push(Naming {
            name,
            node,
            number,
            moved_to: None,
        });
    }

    fn folder_of(&self, path: &Path) -> usize {
        self.find(path.parent().unwrap())
    }

    fn pending_names(&mut self, folder: usize) -> &mut Vec<Naming> {
        match &mut self.nodes[folder] {
            Node::Folder { pending, .. } => pending,
            Node::File { .. } => panic!("not a folder"),
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

/// Either in order up to some point, as journals do it, or any of them.
fn choose<'a>(node: &'a Node, random: &mut Random) -> Vec<&'a Naming> {
    let pending = node.pending_names();
    if random.one_in(2) {
        return pending[..random.below(pending.len() + 1)].iter().collect();
    }
    pending.iter().filter(|_| random.one_in(2)).collect()
}

impl Node {
    fn synced_names(&self) -> BTreeMap<String, usize> {
        match self {
            Self::Folder { synced, .. } => synced.clone(),
            Self::File { .. } => BTreeMap::new(),
        }
    }

    fn pending_names(&self) -> &[Naming] {
        match self {
            Self::Folder { pending, .. } => pending,
            Self::File { .. } => &[],
        }
    }

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
                *synced = named(synced, &*pending);
                pending.clear();
            }
        }
    }
}

fn named<'a>(
    synced: &BTreeMap<String, usize>,
    pending: impl IntoIterator<Item = &'a Naming>,
) -> BTreeMap<String, usize> {
    let mut names = synced.clone();
    for naming in pending {
        match naming.node {
            Some(node) => names.insert(naming.name.clone(), node),
            None => names.remove(&naming.name),
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
