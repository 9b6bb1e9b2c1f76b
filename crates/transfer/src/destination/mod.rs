//! What a target registry demands before and while images are pushed: projects and repositories that must be there
//! first, limits of names, tags that do not move, and its refusals in words that say what to do.
//!
//! None of it costs a request where the registry takes what it is given: a product is looked for only when something
//! was refused or was asked to be made.

mod answers;
mod harbor;
mod kind;
mod limits;
mod make;
mod survey;
mod taken;

use std::fmt;
use std::str::FromStr;

use serde::Serialize;

pub use answers::Advised;
pub use kind::Kind;
pub use limits::Misfit;
pub use taken::TagTaken;

/// Who may pull from a project that is made.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Visibility {
    /// Its members.
    #[default]
    Private,
    /// Everybody.
    Public,
}

impl FromStr for Visibility {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "private" => Ok(Self::Private),
            "public" => Ok(Self::Public),
            _ => Err("write private or public".to_owned()),
        }
    }
}

impl fmt::Display for Visibility {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Private => "private",
            Self::Public => "public",
        })
    }
}

/// What a run may do at its target besides pushing, and what it knows of it beforehand.
#[derive(Clone, Copy, Debug, Default)]
pub struct DestinationOptions {
    /// Make projects and repositories that are missing.
    pub create_missing: Option<Visibility>,
    /// Parts that a repository's path may have, instead of what is known of the registry.
    pub max_depth: Option<u8>,
}

/// Something that has to be there before images can be pushed into it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct PlannedPlace {
    /// `project` or `repository`.
    pub kind: &'static str,
    /// Its name, with the registry's.
    pub name: String,
    /// What becomes of it.
    pub action: PlaceAction,
    /// Images of this run that go there.
    pub images: usize,
}

/// What becomes of a place that is not there.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum PlaceAction {
    /// It is made.
    Create,
    /// It is made, unless it is there: the registry does not show it to this user.
    CreateUnlessThere,
    /// Nothing: what goes there will fail.
    Missing,
}
