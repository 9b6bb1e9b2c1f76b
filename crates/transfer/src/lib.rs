//! Plan, then run: `save`, `load` and `copy`.
//!
//! Each verb first collects every manifest ([`resolve`], or a bundle's), so that the plan is exact before the first
//! layer moves; then moves each unique blob once, biggest first; then makes the result visible, whole or not at all.
//! Nothing here knows arguments or terminals: a [`Reporter`] is told what happens.

mod collection;
mod contents;
mod convert;
mod copy;
mod destination;
mod error;
mod event;
mod fetch;
mod inventory;
mod listed;
mod load;
mod origin;
mod plan;
mod prune;
mod pull;
mod push;
mod report;
mod resolve;
mod save;
mod supply;
mod tree;
pub mod windows;

pub use collection::{Collection, Found, Image, UniqueBlob};
pub use convert::{ConvertOptions, convert};
pub use copy::{CopyOptions, copy};
pub use destination::{
    Advised, DestinationOptions, Kind, Misfit, PlaceAction, PlannedPlace, TagTaken, Visibility,
};
pub use error::{Disagreement, TransferError};
pub use event::{Event, How, Reporter, Silent};
pub use listed::{ListedOptions, lacking, load_listed};
pub use load::{LoadOptions, Selection, collect_bundle, load, load_from};
pub use plan::{Plan, PlannedImage};
pub use pull::{PullOptions, pull};
pub use report::{Class, Failure, Report, Success, THERE};
pub use resolve::{ResolveOptions, resolve};
pub use save::{SaveOptions, save};
pub use supply::{Asked, Refusal, Route, Routes, Sought, Way};
pub use tree::{Blob, Content, Tree};
pub use windows::WindowsOptions;
