//! Who we are to a registry: credentials, challenges, tokens.
//!
//! A [`Keyring`] finds the credential for a repository and says where it came from. An [`Authorizer`] turns it into
//! the `Authorization` header of one request: it reads the registry's challenge once, asks the token server once for
//! all who wait, and renews what has expired. A [`Cloud`] is where a keyring looks last, for the registries of AWS, Google
//! and Azure. Secrets are of a type that cannot be printed.

mod authorizer;
mod challenge;
mod cloud;
mod credential;
mod docker_config;
mod environment;
mod error;
mod exchange;
mod helper;
mod keyring;
mod realm;
mod scope;
mod tokens;

pub use authorizer::{Authorizer, Ticket, Verdict};
pub use challenge::Challenge;
pub use cloud::{
    Clock, Cloud, CloudOptions, Created, EcrKeys, NewRepository, Variables as CloudVariables, is_ecr,
};
pub use credential::{Credential, Found};
pub use environment::Environment;
pub use error::{AuthError, CloudRefusal};
pub use exchange::{Exchange, Issued, Manner, basic_header, bearer_header};
pub use keyring::Keyring;
pub use realm::{Realm, Realms};
pub use scope::{Action, ScopeSet};
pub use tokens::TokenOptions;

pub use landfall_oci::Secret;
