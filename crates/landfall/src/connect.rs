//! From flags to a registry client: credentials, trust, patience.

use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};
use std::time::Duration;

use landfall_auth::{Cloud, CloudOptions, Credential, Environment, Keyring, Secret};
use landfall_client::{Client, ClientOptions};
use landfall_hash::HashService;
use landfall_net::client::{
    HostOptions, PlainHttp, Proxies, RetryOptions, Timeouts, TlsOptions, TransportOptions,
};
use landfall_oci::Registry;

use crate::args::RegistryArgs;
use crate::cluster::ClusterFile;
use crate::failure::Failure;

/// What every transfer works with.
#[derive(Debug)]
pub(crate) struct Engine {
    pub(crate) client: Client,
    pub(crate) hash: HashService,
}

/// Whom `--username` is meant for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Audience {
    /// This registry, and no other will see it.
    Registry(Registry),
    /// Nobody can say.
    Unclear,
}

impl Audience {
    /// The one registry that all names share, if they do.
    pub(crate) fn of<'a>(mut registries: impl Iterator<Item = &'a Registry>) -> Self {
        match registries.next() {
            Some(first) if registries.all(|registry| registry == first) => Self::Registry(first.clone()),
            _ => Self::Unclear,
        }
    }
}

/// Builds the client. Reads credential and certificate files, and the password from standard input when told so.
pub(crate) fn engine(args: &RegistryArgs, audience: Audience) -> Result<Engine, Failure> {
    let options = ClientOptions {
        transport: transport(args),
        keyring: keyring(args, audience)?,
        ..ClientOptions::default()
    };
    Ok(Engine {
        client: Client::new(options)?,
        hash: hash_service(),
    })
}

/// The same without any credential of this machine's user: for a run whose hosts each have a client of their own.
pub(crate) fn anonymous(args: &RegistryArgs) -> Result<Engine, Failure> {
    let options = ClientOptions {
        transport: transport(args),
        ..ClientOptions::default()
    };
    Ok(Engine {
        client: Client::new(options)?,
        hash: hash_service(),
    })
}

/// How hosts are talked to that nothing else is known of.
pub(crate) fn transport(args: &RegistryArgs) -> TransportOptions {
    let plain_http = if args.plain_http {
        PlainHttp::Always
    } else {
        PlainHttp::Loopback
    };
    TransportOptions {
        default_host: HostOptions {
            plain_http,
            skip_verify: args.insecure,
            ..HostOptions::default()
        },
        tls: TlsOptions {
            ca_files: args.tls_ca.clone(),
            client_certificate: args.client_cert.clone().zip(args.client_key.clone()),
            ..TlsOptions::default()
        },
        proxies: Proxies::from_lookup(|name| std::env::var(name).ok()),
        timeouts: Timeouts {
            stall: Duration::from_secs(args.stall_timeout),
            ..Timeouts::default()
        },
        retry: RetryOptions {
            attempts: args.attempts,
            ..RetryOptions::default()
        },
        ..TransportOptions::default()
    }
}

fn keyring(args: &RegistryArgs, audience: Audience) -> Result<Keyring, Failure> {
    let mut environment = Environment::from_lookup(|name| std::env::var_os(name));
    if let Some(file) = &args.auth_file {
        environment.registry_auth_file = Some(file.clone());
    }
    let given = match &args.username {
        None => None,
        Some(username) => {
            let Audience::Registry(registry) = audience else {
                let advice = "the list names several registries; put their credentials into a file (docker login, --auth-file), or use --from";
                return Err(Failure::usage(format!(
                    "--username: which registry is it for? {advice}"
                )));
            };
            let credential = Credential::Basic {
                username: username.clone(),
                password: password(args)?,
            };
            Some((registry, credential, "--username".to_owned()))
        }
    };
    let keyring = Keyring::load(&environment, given).map_err(|error| Failure::usage(error.to_string()))?;
    let keyring = keyring.with_cloud(cloud(args, &environment));
    match ClusterFile::given(args)? {
        Some(cluster) => cluster.unlock(keyring),
        None => Ok(keyring),
    }
}

/// What this machine is to the clouds. Also where it is switched off: keys may be given for a registry later.
fn cloud(args: &RegistryArgs, environment: &Environment) -> Cloud {
    let is_off =
        std::env::var_os("LANDFALL_CLOUD_AUTH").is_some_and(|value| value.eq_ignore_ascii_case("off"));
    let options = CloudOptions {
        automatic: !is_off && !args.no_cloud_credentials,
        ..CloudOptions::default()
    };
    Cloud::new(transport(args), environment, options)
}

fn password(args: &RegistryArgs) -> Result<Secret, Failure> {
    if let Some(password) = &args.password {
        return Ok(Secret::new(password.clone()));
    }
    if !args.password_stdin {
        return Err(Failure::usage(
            "--username needs --password-stdin (or LANDFALL_PASSWORD)",
        ));
    }
    let mut line = String::new();
    let read = std::io::stdin().read_line(&mut line);
    read.map_err(|error| Failure::local("read", Path::new("the password from standard input"), &error))?;
    Ok(Secret::new(line.trim_end_matches(['\n', '\r']).to_owned()))
}

/// Standard input can be the list or hold the password, not both.
pub(crate) fn check_stdin(args: &RegistryArgs, list: &Path) -> Result<(), Failure> {
    match args.password_stdin && list.as_os_str() == "-" {
        true => Err(Failure::usage(
            "the list and the password cannot both come from standard input; give the list as a file, or use LANDFALL_PASSWORD",
        )),
        false => Ok(()),
    }
}

/// Hash threads: as many as there are cores.
pub(crate) fn hash_service() -> HashService {
    HashService::new(std::thread::available_parallelism().unwrap_or(NonZeroUsize::MIN))
}

/// `path` with something put behind its last component.
pub(crate) fn beside(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(suffix);
    name.into()
}
