//! One image with all its names: the plain one, which is the list, and those of its members, which older clusters pull.

use std::collections::BTreeSet;

use landfall_images::Entry;
use landfall_oci::{Digest, PlatformSet, RawManifest, Reference};

use super::LINUX_SUFFIX;
use super::assemble::{Assembled, Existing, Member, assemble};
use super::discover::{Form, From, Piece, Pieces, Search, derived};
use crate::TransferError;
use crate::collection::Found;
use crate::tree::Content;

/// One name of the image.
pub(super) struct Part {
    pub(super) found: Found,
    pub(super) content: Content,
    /// What people should know about it.
    pub(super) remark: Option<String>,
}

impl Search<'_> {
    /// Everything that belongs to an image, members first, the plain name last.
    ///
    /// # Errors
    /// [`TransferError::MembersMissing`] when the list cannot be whole; whatever keeps from asking.
    pub(super) async fn unit(&self, name: &Entry, wants_linux: bool) -> Result<Vec<Part>, TransferError> {
        let pieces = self.pieces(name, wants_linux).await?;
        let is_alone = pieces.windows.iter().all(|(_, piece)| piece.from == From::Plain);
        if is_alone && let Some(part) = self.windows_image(name, &pieces).await? {
            return Ok(vec![part]);
        }
        let is_anything =
            !pieces.windows.is_empty() || pieces.linux.is_some() || !existing(self, &pieces).is_empty();
        if !is_anything || !pieces.missing.is_empty() && !self.options.allow_missing_members {
            return Err(TransferError::MembersMissing {
                name: name.text.clone(),
                missing: pieces.missing.join("; "),
            });
        }
        self.assembled(name, &pieces).await
    }

    /// A name that stands for one Windows image and nothing else: it stays what it is, for there is nothing to put
    /// beside it (`rancher/pause:3.6-windows-1809-amd64`, `rancher/rke2-runtime:…-windows-amd64`).
    async fn windows_image(&self, name: &Entry, pieces: &Pieces) -> Result<Option<Part>, TransferError> {
        let [plain] = pieces.plains.as_slice() else {
            return Ok(None);
        };
        let platform = match &plain.form {
            Form::Image(Some(platform)) if platform.os == "windows" && pieces.linux.is_none() => platform,
            _ => return Ok(None),
        };
        let mut part = self
            .part(
                &name.reference,
                &name.text,
                plain.shelf,
                &plain.seen.place,
                &plain.seen.root,
            )
            .await?;
        part.content.platforms = vec![platform.clone()];
        part.remark = Some(format!("is itself an image for {platform}, kept as it is"));
        Ok(Some(part))
    }

    async fn assembled(&self, name: &Entry, pieces: &Pieces) -> Result<Vec<Part>, TransferError> {
        let existing = existing(self, pieces);
        let chosen: Vec<_> = pieces
            .windows
            .iter()
            .map(|(_, piece)| piece)
            .chain(&pieces.linux)
            .collect();
        let members: Vec<_> = chosen
            .iter()
            .map(|piece| Member {
                manifest: piece.manifest.descriptor(),
                platform: piece.platform.clone(),
            })
            .collect();
        let indexes: Vec<_> = existing.iter().map(|(_, index)| index.clone()).collect();
        // Nothing but the plain image itself: no list is needed to say so.
        if indexes.is_empty()
            && let [piece] = chosen.as_slice()
            && piece.from == From::Plain
        {
            let mut part = self
                .part(
                    &name.reference,
                    &name.text,
                    piece.shelf,
                    &piece.place,
                    &piece.manifest,
                )
                .await?;
            part.content.platforms = vec![piece.platform.clone()];
            part.remark = Some(format!("kept as it is, without {}", pieces.missing.join("; ")));
            return Ok(vec![part]);
        }
        let list = assemble(&members, &indexes, self.options.format)?;
        if name.reference.digest().is_some() && !list.is_unchanged {
            return Err(TransferError::Pinned {
                name: name.text.clone(),
            });
        }
        let mut parts = self.member_parts(name, pieces).await?;
        let place = chosen
            .iter()
            .rev()
            .map(|piece| (piece.shelf, &piece.place))
            .next();
        let place = place.or_else(|| existing.first().map(|(place, _)| *place));
        let Some((shelf, place)) = place else {
            return Err(TransferError::Nothing);
        };
        let content = self.list_content(&list, &chosen, &existing).await?;
        parts.push(Part {
            found: self.found(&name.reference, &name.text, shelf, place),
            content,
            remark: Some(remark(&list, pieces)),
        });
        Ok(parts)
    }

    /// The members under names of their own: the word that was asked for, and the tag that they were found by.
    async fn member_parts(&self, name: &Entry, pieces: &Pieces) -> Result<Vec<Part>, TransferError> {
        let mut names: Vec<(String, &Piece)> = Vec::new();
        for (version, piece) in &pieces.windows {
            names.push((format!("-windows-{version}"), piece));
            if let From::Tag(suffix) = &piece.from {
                names.push((suffix.clone(), piece));
            }
        }
        let linux = pieces.linux.as_ref();
        let is_amd64 =
            |piece: &&Piece| piece.platform.os == "linux" && piece.platform.architecture == "amd64";
        names.extend(
            linux
                .filter(is_amd64)
                .map(|piece| (LINUX_SUFFIX.to_owned(), piece)),
        );
        let mut seen = BTreeSet::new();
        let mut parts = Vec::new();
        for (suffix, piece) in names {
            let Some((reference, written)) = derived(name, &suffix).filter(|_| seen.insert(suffix)) else {
                continue;
            };
            let mut part = self
                .part(&reference, &written, piece.shelf, &piece.place, &piece.manifest)
                .await?;
            part.content.platforms = vec![piece.platform.clone()];
            parts.push(part);
        }
        Ok(parts)
    }

    async fn part(
        &self,
        reference: &Reference,
        written: &str,
        shelf: usize,
        place: &Reference,
        root: &RawManifest,
    ) -> Result<Part, TransferError> {
        Ok(Part {
            found: self.found(reference, written, shelf, place),
            content: self.shelves[shelf].collect(place, root).await?,
            remark: None,
        })
    }

    fn found(&self, reference: &Reference, written: &str, shelf: usize, place: &Reference) -> Found {
        Found {
            reference: reference.clone(),
            asked: written.to_owned(),
            source: place.to_string(),
            origin: self.shelves[shelf].origin(place),
        }
    }

    /// The list and everything below it.
    async fn list_content(
        &self,
        list: &Assembled,
        chosen: &[&Piece],
        existing: &[((usize, &Reference), Existing)],
    ) -> Result<Content, TransferError> {
        let mut whole = Content {
            root: list.manifest.descriptor(),
            manifests: vec![list.manifest.clone()],
            blobs: std::collections::BTreeMap::new(),
            platforms: Vec::new(),
            omitted: Vec::new(),
        };
        let mut seen: BTreeSet<Digest> = BTreeSet::from([list.manifest.digest]);
        for entry in &list.entries {
            let known = entry.platform.iter().filter(|platform| !platform.is_unknown());
            whole.platforms.extend(known.cloned());
            let piece = chosen.iter().find(|piece| piece.manifest.digest == entry.digest);
            let content = match piece {
                Some(piece) => {
                    self.shelves[piece.shelf]
                        .collect(&piece.place, &piece.manifest)
                        .await?
                }
                None => {
                    let holder = existing
                        .iter()
                        .find(|(_, index)| index.entries().any(|known| known.digest == entry.digest));
                    let Some(((shelf, place), _)) = holder else {
                        continue;
                    };
                    let shelf = &self.shelves[*shelf];
                    // What the target has stays there.
                    if shelf.is_target() {
                        continue;
                    }
                    shelf.collect(place, &shelf.member(place, entry).await?).await?
                }
            };
            let fresh = content
                .manifests
                .into_iter()
                .filter(|manifest| seen.insert(manifest.digest));
            whole.manifests.extend(fresh);
            whole.blobs.extend(content.blobs);
        }
        Ok(whole)
    }
}

/// The indexes that the plain name is, with the entries that travel: what the choice of platforms takes, and what is
/// in the bundle.
fn existing<'p>(search: &Search<'_>, pieces: &'p Pieces) -> Vec<((usize, &'p Reference), Existing)> {
    let chosen: BTreeSet<_> = pieces
        .windows
        .iter()
        .map(|(_, piece)| piece)
        .chain(&pieces.linux)
        .map(|piece| piece.manifest.digest)
        .collect();
    let mut found = Vec::new();
    for plain in &pieces.plains {
        let Form::Index(index) = &plain.form else {
            continue;
        };
        let shelf = &search.shelves[plain.shelf];
        let mut index = index.clone();
        if let PlatformSet::Some(_) = shelf.platforms() {
            let entries: Vec<_> = index.entries().cloned().collect();
            let selected = shelf.platforms().select(&entries);
            let selected: BTreeSet<_> = selected.into_iter().map(|entry| entry.digest).collect();
            index.retain(|entry| {
                let of = entry.companion_of().unwrap_or(entry.digest);
                selected.contains(&entry.digest) || chosen.contains(&of)
            });
        }
        index.retain(|entry| shelf.has(entry));
        if index.entries().next().is_some() {
            found.push(((plain.shelf, &plain.seen.place), index));
        }
    }
    found
}

/// What was put together, in one line.
fn remark(list: &Assembled, pieces: &Pieces) -> String {
    let how = |piece: &Piece| match &piece.from {
        From::Tag(suffix) => format!("by its tag {}", suffix.trim_start_matches('-')),
        From::Entry => "of the index there".to_owned(),
        From::Plain => "by its own name".to_owned(),
    };
    let mut members: Vec<_> = pieces
        .windows
        .iter()
        .map(|(version, piece)| match piece.platform.os_version.as_str() {
            "" => format!("windows {version}, {}", how(piece)),
            build => format!("windows {version} ({build}), {}", how(piece)),
        })
        .collect();
    members.extend(
        pieces
            .linux
            .iter()
            .map(|piece| format!("{}, {}", piece.platform, how(piece))),
    );
    let chosen: BTreeSet<_> = pieces
        .windows
        .iter()
        .map(|(_, piece)| piece)
        .chain(&pieces.linux)
        .map(|piece| piece.manifest.digest)
        .collect();
    members.extend(
        list.entries
            .iter()
            .filter(|entry| !chosen.contains(&entry.digest))
            .filter_map(|entry| entry.platform.as_ref().filter(|platform| !platform.is_unknown()))
            .map(|platform| format!("{platform}, as before")),
    );
    let verb = match list.is_unchanged {
        true => "the index holds every member already and stays as it is",
        false => "assembled",
    };
    let mut text = format!("{verb}: {}", members.join("; "));
    for replaced in list.replaced.iter().filter_map(|entry| entry.platform.as_ref()) {
        text += &format!("; {replaced} of the index gave way");
    }
    if !pieces.missing.is_empty() {
        text += &format!("; WITHOUT {}", pieces.missing.join("; "));
    }
    for note in &pieces.notes {
        text += &format!("; {note}");
    }
    text
}
