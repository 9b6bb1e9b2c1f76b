//! What may be done at the target besides pushing.

use clap::Args;
use landfall_transfer::{DestinationOptions, Visibility};

/// What may be done at the target besides pushing.
#[derive(Clone, Copy, Debug, Args)]
pub(crate) struct DestinationArgs {
    /// Create Harbor projects (private, or `public` ones) and Amazon ECR repositories that are missing.
    #[arg(long, value_name = "private|public", num_args = 0..=1, require_equals = true, default_missing_value = "private")]
    pub(crate) create_missing: Option<Visibility>,
    /// Refuse names with more parts than this in the plan (default: what is known of the registry).
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u8).range(1..))]
    pub(crate) max_depth: Option<u8>,
}

impl From<DestinationArgs> for DestinationOptions {
    fn from(args: DestinationArgs) -> Self {
        Self {
            create_missing: args.create_missing,
            max_depth: args.max_depth,
        }
    }
}
