//! Finding the members of one image, by every scheme in which publishers keep them.
//!
//! Under the word of a version: `x:t-windows-<v>` and `x:t-windows-<v>-amd64` (Rancher's scripts), an entry of the
//! index that `x:t` itself is, and the same tags under the other words for that build. A tag of its own goes before an
//! entry, for whoever made it meant it.

use landfall_images::Entry;
use landfall_oci::{Descriptor, Platform, RawManifest, Reference};

use super::assemble::Existing;
use super::shelf::{Seen, Shelf};
use super::{LINUX_SUFFIX, Version, WindowsOptions};
use crate::TransferError;

/// Where to look, and for what.
pub(super) struct Search<'a> {
    /// The places, best first.
    pub(super) shelves: Vec<Shelf<'a>>,
    pub(super) options: &'a WindowsOptions,
}

/// What the plain name is on one shelf.
pub(super) struct Plain {
    pub(super) shelf: usize,
    pub(super) seen: Seen,
    pub(super) form: Form,
}

pub(super) enum Form {
    Index(Existing),
    /// One image, and its platform where its config states one.
    Image(Option<Platform>),
}

/// One member, found.
#[derive(Clone, Debug)]
pub(super) struct Piece {
    pub(super) shelf: usize,
    pub(super) place: Reference,
    pub(super) manifest: RawManifest,
    pub(super) platform: Platform,
    pub(super) from: From,
}

/// By which scheme.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum From {
    /// A tag of its own: what stands behind the image's.
    Tag(String),
    /// The index that the plain name is.
    Entry,
    /// The plain name is this image.
    Plain,
}

/// All that was found for one image.
#[derive(Default)]
pub(super) struct Pieces {
    pub(super) plains: Vec<Plain>,
    pub(super) windows: Vec<(Version, Piece)>,
    pub(super) linux: Option<Piece>,
    /// Members that are nowhere, for people.
    pub(super) missing: Vec<String>,
    /// What is odd, for people.
    pub(super) notes: Vec<String>,
}

impl Search<'_> {
    /// Looks for all members of an image; `wants_linux` when the Linux list has it too.
    ///
    /// # Errors
    /// [`TransferError`] when a place cannot be asked, or has something under a member's name that is none.
    pub(super) async fn pieces(&self, name: &Entry, wants_linux: bool) -> Result<Pieces, TransferError> {
        let mut found = Pieces {
            plains: self.plains(name).await?,
            ..Pieces::default()
        };
        for version in &self.options.versions {
            match self.windows(name, version, &mut found).await? {
                Some(piece) => found.windows.push((version.clone(), piece)),
                None => found.missing.push(missing(name, version)),
            }
        }
        found.linux = self.linux(name, wants_linux, &found.plains).await?;
        if wants_linux && found.linux.is_none() && !self.has_linux(&found.plains) {
            let advice =
                derived(name, LINUX_SUFFIX).map_or_else(String::new, |(_, tag)| format!(" nor {tag}"));
            found
                .missing
                .push(format!("linux/amd64 (neither {}{advice})", name.text));
        }
        Ok(found)
    }

    async fn plains(&self, name: &Entry) -> Result<Vec<Plain>, TransferError> {
        let mut plains = Vec::new();
        for (position, shelf) in self.shelves.iter().enumerate() {
            let Some(seen) = shelf.look(&name.reference, &name.text).await? else {
                continue;
            };
            let form = match Existing::read(&seen.root) {
                Some(index) => Form::Index(index),
                None => Form::Image(shelf.platform(&seen.place, &seen.root).await?),
            };
            plains.push(Plain {
                shelf: position,
                seen,
                form,
            });
        }
        Ok(plains)
    }

    async fn windows(
        &self,
        name: &Entry,
        version: &Version,
        found: &mut Pieces,
    ) -> Result<Option<Piece>, TransferError> {
        for (position, shelf) in self.shelves.iter().enumerate() {
            for suffix in version.suffixes() {
                if let Some(piece) = self
                    .tagged(position, name, &suffix, version, &mut found.notes)
                    .await?
                {
                    return Ok(Some(piece));
                }
            }
            let plain = found.plains.iter().find(|plain| plain.shelf == position);
            if let Some(plain) = plain
                && let Some(piece) = self.from_plain(shelf, plain, version).await?
            {
                return Ok(Some(piece));
            }
            for suffix in version.other_suffixes() {
                if let Some(piece) = self
                    .tagged(position, name, &suffix, version, &mut found.notes)
                    .await?
                {
                    return Ok(Some(piece));
                }
            }
        }
        Ok(None)
    }

    /// A member under a tag of its own.
    async fn tagged(
        &self,
        position: usize,
        name: &Entry,
        suffix: &str,
        version: &Version,
        notes: &mut Vec<String>,
    ) -> Result<Option<Piece>, TransferError> {
        let shelf = &self.shelves[position];
        let Some((reference, written)) = derived(name, suffix) else {
            return Ok(None);
        };
        let Some(seen) = shelf.look(&reference, &written).await? else {
            return Ok(None);
        };
        let none = |reason: &str| TransferError::NotAMember {
            name: written.clone(),
            reason: reason.to_owned(),
        };
        let (manifest, platform) = match Existing::read(&seen.root) {
            Some(index) => {
                notes.push(format!(
                    "{written} is itself an index, of which the windows/amd64 image is taken (docker manifest create refuses such a member)"
                ));
                let entries: Vec<_> = index.entries().cloned().collect();
                let choices = candidates(shelf, &seen.place, &entries).await?;
                choose_only(choices, version)
                    .ok_or_else(|| none("it is an index without one windows/amd64 image of that version"))?
            }
            None => {
                let platform = shelf.platform(&seen.place, &seen.root).await?;
                (
                    seen.root,
                    platform.ok_or_else(|| none("its config states no os and architecture"))?,
                )
            }
        };
        if platform.os != "windows" {
            return Err(none(&format!("it is a {platform} image")));
        }
        if version.suits(&platform) == Some(false) {
            notes.push(format!(
                "{written} states os.version {}, which is not {version} ({})",
                platform.os_version,
                version.build().unwrap_or_default()
            ));
        }
        Ok(Some(Piece {
            shelf: position,
            place: seen.place,
            manifest,
            platform,
            from: From::Tag(suffix.to_owned()),
        }))
    }

    /// A member among those of the index that the plain name is, or the plain name itself.
    async fn from_plain(
        &self,
        shelf: &Shelf<'_>,
        plain: &Plain,
        version: &Version,
    ) -> Result<Option<Piece>, TransferError> {
        let (picked, from) = match &plain.form {
            Form::Image(platform) => {
                let image = platform
                    .as_ref()
                    .map(|platform| (plain.seen.root.clone(), platform.clone()));
                (image.into_iter().collect(), From::Plain)
            }
            Form::Index(index) => {
                let may_be = |entry: &&Descriptor| {
                    let platform = entry.platform.as_ref();
                    platform.is_none_or(|platform| version.suits(platform) != Some(false))
                };
                let entries: Vec<_> = index.entries().filter(may_be).cloned().collect();
                (candidates(shelf, &plain.seen.place, &entries).await?, From::Entry)
            }
        };
        // What states no version runs on every one: host processes stand on no Windows base.
        let suits = |(_, platform): &(RawManifest, Platform)| {
            platform.os == "windows"
                && (platform.os_version.is_empty() || version.suits(platform) == Some(true))
        };
        Ok(picked.into_iter().find(suits).map(|(manifest, platform)| Piece {
            shelf: plain.shelf,
            place: plain.seen.place.clone(),
            manifest,
            platform,
            from,
        }))
    }

    /// The image for linux/amd64: of the plain name, else under a tag of its own. One image that stands where images
    /// come from is taken only when it was asked for; what was loaded earlier stays in any case.
    async fn linux(
        &self,
        name: &Entry,
        wants_linux: bool,
        plains: &[Plain],
    ) -> Result<Option<Piece>, TransferError> {
        let amd64 = Platform::new("linux", "amd64");
        for plain in plains {
            let shelf = &self.shelves[plain.shelf];
            let piece = |manifest: RawManifest, platform: &Platform, from: From| Piece {
                shelf: plain.shelf,
                place: plain.seen.place.clone(),
                manifest,
                platform: platform.clone(),
                from,
            };
            match &plain.form {
                Form::Image(Some(platform)) => {
                    let is_asked_for = wants_linux || !shelf.is_upstream();
                    if platform.os != "windows" && is_asked_for && is_wanted(shelf, platform) {
                        return Ok(Some(piece(plain.seen.root.clone(), platform, From::Plain)));
                    }
                }
                Form::Image(None) => {}
                Form::Index(index) => {
                    let is_it = |platform: &Platform| amd64.matches(platform) && is_wanted(shelf, platform);
                    let entry = index.entries().find_map(|entry| {
                        let platform = entry.platform.as_ref().filter(|platform| is_it(platform))?;
                        (entry.companion_of().is_none() && shelf.has(entry)).then_some((entry, platform))
                    });
                    if let Some((entry, platform)) = entry {
                        let manifest = shelf.member(&plain.seen.place, entry).await?;
                        return Ok(Some(piece(manifest, platform, From::Entry)));
                    }
                }
            }
        }
        self.tagged_linux(name, wants_linux).await
    }

    async fn tagged_linux(&self, name: &Entry, wants_linux: bool) -> Result<Option<Piece>, TransferError> {
        let Some((reference, written)) = derived(name, LINUX_SUFFIX) else {
            return Ok(None);
        };
        for (position, shelf) in self.shelves.iter().enumerate() {
            if !wants_linux && shelf.is_upstream() {
                continue;
            }
            let Some(seen) = shelf.look(&reference, &written).await? else {
                continue;
            };
            let Some(platform) = shelf.platform(&seen.place, &seen.root).await? else {
                continue;
            };
            if platform.os == "linux" && is_wanted(shelf, &platform) {
                return Ok(Some(Piece {
                    shelf: position,
                    place: seen.place,
                    manifest: seen.root,
                    platform,
                    from: From::Tag(LINUX_SUFFIX.to_owned()),
                }));
            }
        }
        Ok(None)
    }

    /// Whether an index holds a Linux image of some other architecture.
    fn has_linux(&self, plains: &[Plain]) -> bool {
        plains.iter().any(|plain| match &plain.form {
            Form::Index(index) => index.entries().any(|entry| {
                let platform = entry.platform.as_ref().filter(|platform| platform.os == "linux");
                platform.is_some_and(|platform| is_wanted(&self.shelves[plain.shelf], platform))
            }),
            Form::Image(_) => false,
        })
    }
}

/// Whether the choice of platforms lets this one in.
pub(super) fn is_wanted(shelf: &Shelf<'_>, platform: &Platform) -> bool {
    match shelf.platforms() {
        landfall_oci::PlatformSet::All => true,
        landfall_oci::PlatformSet::Some(wishes) => wishes.iter().any(|wish| wish.matches(platform)),
    }
}

/// The windows/amd64 images among entries, with what they run on: as the entry says, or, where that leaves out the
/// version, as the config does.
async fn candidates(
    shelf: &Shelf<'_>,
    place: &Reference,
    entries: &[Descriptor],
) -> Result<Vec<(RawManifest, Platform)>, TransferError> {
    let is_windows = |platform: &Platform| platform.os == "windows" && platform.architecture == "amd64";
    let mut found = Vec::new();
    for entry in entries {
        let said = entry.platform.as_ref();
        let may_be = said.is_none_or(is_windows) && entry.companion_of().is_none();
        if !may_be || !entry.media_type.is_image_manifest() || !shelf.has(entry) {
            continue;
        }
        let manifest = shelf.member(place, entry).await?;
        let platform = match said.filter(|platform| !platform.os_version.is_empty()) {
            Some(said) => Some(said.clone()),
            None => shelf.platform(place, &manifest).await?,
        };
        if let Some(platform) = platform.filter(is_windows) {
            found.push((manifest, platform));
        }
    }
    Ok(found)
}

/// Of an index under a member's own tag: the image of that version, or the only one.
fn choose_only(
    mut candidates: Vec<(RawManifest, Platform)>,
    version: &Version,
) -> Option<(RawManifest, Platform)> {
    let right = candidates
        .iter()
        .position(|(_, platform)| version.suits(platform) == Some(true));
    match (right, candidates.len()) {
        (Some(right), _) => Some(candidates.swap_remove(right)),
        (None, 1) => candidates.pop(),
        _ => None,
    }
}

/// The name of a member: the image's tag with a suffix, parsed and as it would be written. `None` for an image that is
/// named by its digest, and where the tag becomes too long.
pub(super) fn derived(name: &Entry, suffix: &str) -> Option<(Reference, String)> {
    if name.reference.digest().is_some() {
        return None;
    }
    let tag = name.reference.tag()?;
    let reference = format!("{}:{tag}{suffix}", name.reference.name());
    let written = match name.text.rsplit_once(':').filter(|(_, end)| *end == tag.as_str()) {
        Some(_) => format!("{}{suffix}", name.text),
        None => format!("{}:{tag}{suffix}", name.text),
    };
    Some((Reference::parse(&reference).ok()?, written))
}

fn missing(name: &Entry, version: &Version) -> String {
    let tags: Vec<_> = version
        .suffixes()
        .iter()
        .filter_map(|suffix| Some(derived(name, suffix)?.1))
        .collect();
    let build = version
        .build()
        .map(|build| format!(" ({build})"))
        .unwrap_or_default();
    match tags.is_empty() {
        true => format!("{version}{build}"),
        false => format!(
            "{version}{build}: neither {} nor such an entry of {}",
            tags.join(" nor "),
            name.text
        ),
    }
}
