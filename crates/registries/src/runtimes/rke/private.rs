//! One entry of `private_registries`, exactly as RKE reads it (yaml.v2, not strict), and beside it what RKE does not
//! read although its documents, or Rancher's API, spell it so.

use landfall_diag::yaml::{Decoded, Decoder, Node, YamlError};
use landfall_diag::{Diagnostic, Severity, Span, Spanned, nearest};
use landfall_oci::Secret;

use crate::intent::DOCKER_HUB;

/// One registry. Nothing of it is checked or trimmed: RKE does neither.
#[derive(Clone, Debug)]
pub struct PrivateRegistry {
    /// The entry.
    pub span: Span,
    /// `host[:port][/path]`, whatever else the person wrote there.
    pub url: Option<Spanned<String>>,
    /// The user.
    pub user: Option<Spanned<String>>,
    /// The password.
    pub password: Option<Spanned<Secret>>,
    /// Whether all system images come from here.
    pub is_default: Option<Spanned<bool>>,
    /// `ecr_credential_plugin`: there, perhaps with nothing in it.
    pub ecr: Option<EcrPlugin>,
    /// What stands there in a spelling that RKE does not read.
    pub unread: Unread,
}

/// Fields in the spelling of Rancher's API, which RKE's documents use too and RKE does not read.
#[derive(Clone, Debug, Default)]
pub struct Unread {
    /// `isDefault`.
    pub is_default: Option<Spanned<bool>>,
    /// `ecrCredentialPlugin`.
    pub ecr: Option<EcrPlugin>,
}

/// Amazon's credentials for ECR. All may be empty: then they are looked for where Amazon's own tools look.
#[derive(Clone, Debug)]
pub struct EcrPlugin {
    /// The block's key.
    pub span: Span,
    /// `aws_access_key_id`.
    pub access_key_id: String,
    /// `aws_secret_access_key`.
    pub secret_access_key: Option<Secret>,
    /// `aws_session_token`.
    pub session_token: Option<Secret>,
}

impl EcrPlugin {
    fn new(span: Span) -> Self {
        Self {
            span,
            access_key_id: String::new(),
            secret_access_key: None,
            session_token: None,
        }
    }
}

impl PrivateRegistry {
    fn new(span: Span) -> Self {
        Self {
            span,
            url: None,
            user: None,
            password: None,
            is_default: None,
            ecr: None,
            unread: Unread::default(),
        }
    }

    /// Its URL as RKE's map of registries has it: Docker Hub's when there is none.
    #[must_use]
    pub fn key(&self) -> &str {
        match self.written_url() {
            "" => DOCKER_HUB,
            url => url,
        }
    }

    /// Its URL as written; empty when there is none.
    #[must_use]
    pub fn written_url(&self) -> &str {
        self.url.as_ref().map_or("", |url| url.value.as_str())
    }

    /// The user; empty when there is none.
    #[must_use]
    pub fn user(&self) -> &str {
        self.user.as_ref().map_or("", |user| user.value.as_str())
    }

    /// The password; empty when there is none.
    #[must_use]
    pub fn password(&self) -> &str {
        self.password
            .as_ref()
            .map_or("", |password| password.value.expose())
    }

    /// Whether RKE takes its system images from here, if no entry before says so too.
    #[must_use]
    pub fn is_default(&self) -> bool {
        self.is_default.as_ref().is_some_and(|truth| truth.value)
    }
}

const FIELDS: [&str; 5] = ["url", "user", "password", "is_default", "ecr_credential_plugin"];
const ECR_FIELDS: [&str; 3] = ["aws_access_key_id", "aws_secret_access_key", "aws_session_token"];

/// Reads the list. Values of a wrong type are left out, and are the decoder's complaints; keys that RKE does not know
/// become warnings.
///
/// # Errors
/// What ends yaml.v2's work: a tag that does not fit, too many aliases.
pub fn private_registries(
    decoder: &mut Decoder,
    node: &Node,
    notes: &mut Vec<Diagnostic>,
) -> Result<Decoded<Vec<PrivateRegistry>>, YamlError> {
    decoder.sequence(node, "[]types.PrivateRegistry", |decoder, item| {
        let mut entry = PrivateRegistry::new(item.span);
        let read = decoder.mapping(item, "types.PrivateRegistry", &mut |decoder, key, value| {
            field(&mut entry, decoder, &key, value, notes)
        })?;
        Ok((read != Decoded::Refused).then_some(entry))
    })
}

fn field(
    entry: &mut PrivateRegistry,
    decoder: &mut Decoder,
    key: &Spanned<String>,
    value: &Node,
    notes: &mut Vec<Diagnostic>,
) -> Result<(), YamlError> {
    match key.value.as_str() {
        "url" => set(&mut entry.url, decoder.string(value)?, value.span),
        "user" => set(&mut entry.user, decoder.string(value)?, value.span),
        "password" => set(&mut entry.password, secret(decoder.string(value)?), value.span),
        "is_default" => set(&mut entry.is_default, decoder.boolean(value)?, value.span),
        "ecr_credential_plugin" => plugin(&mut entry.ecr, decoder, key, value, notes)?,
        // What RKE does not read cannot make it fail either: a decoder of its own keeps the complaints.
        "isDefault" => {
            set(
                &mut entry.unread.is_default,
                Decoder::new().boolean(value)?,
                value.span,
            );
            notes.push(unread(key, "is_default"));
        }
        "ecrCredentialPlugin" => {
            plugin(
                &mut entry.unread.ecr,
                &mut Decoder::new(),
                key,
                value,
                &mut Vec::new(),
            )?;
            notes.push(
                unread(key, "ecr_credential_plugin")
                    .consequence("the kubelet gets an empty user and password for this registry"),
            );
        }
        _ => notes.push(unknown(key, "a private registry", &FIELDS)),
    }
    Ok(())
}

fn plugin(
    slot: &mut Option<EcrPlugin>,
    decoder: &mut Decoder,
    key: &Spanned<String>,
    value: &Node,
    notes: &mut Vec<Diagnostic>,
) -> Result<(), YamlError> {
    let mut plugin = slot.take().unwrap_or_else(|| EcrPlugin::new(key.span));
    let read = decoder.mapping(value, "*types.ECRCredentialPlugin", &mut |decoder, key, value| {
        let text = |decoder: &mut Decoder| decoder.string(value).map(|text| text.value().unwrap_or_default());
        let hidden = |text: String| (!text.is_empty()).then(|| Secret::new(text));
        match key.value.as_str() {
            "aws_access_key_id" | "awsAccessKeyId" => plugin.access_key_id = text(decoder)?,
            "aws_secret_access_key" | "awsSecretAccessKey" => {
                plugin.secret_access_key = hidden(text(decoder)?);
            }
            "aws_session_token" | "awsSessionToken" | "awsAccessToken" => {
                plugin.session_token = hidden(text(decoder)?);
            }
            _ => notes.push(unknown(&key, "`ecr_credential_plugin`", &ECR_FIELDS)),
        }
        if key.value.starts_with("aws") && !key.value.contains('_') {
            let known = nearest(&key.value, ECR_FIELDS).unwrap_or("aws_session_token");
            notes.push(unread(&key, known));
        }
        Ok(())
    })?;
    *slot = (read == Decoded::Value(())).then_some(plugin);
    Ok(())
}

fn set<T>(slot: &mut Option<Spanned<T>>, read: Decoded<T>, span: Span) {
    match read {
        Decoded::Value(value) => *slot = Some(Spanned::new(value, span)),
        Decoded::Null => *slot = None,
        Decoded::Refused => {}
    }
}

fn secret(text: Decoded<String>) -> Decoded<Secret> {
    match text {
        Decoded::Value(text) => Decoded::Value(Secret::new(text)),
        Decoded::Null => Decoded::Null,
        Decoded::Refused => Decoded::Refused,
    }
}

/// A key of another spelling.
fn unread(key: &Spanned<String>, known: &str) -> Diagnostic {
    let message = format!("rke does not read `{}`: its name is `{known}`", key.value);
    Diagnostic::at("R02", Severity::Warning, key.span, message).help(format!("write `{known}`"))
}

/// A key that RKE drops without a word.
fn unknown(key: &Spanned<String>, owner: &str, known: &[&str]) -> Diagnostic {
    let message = format!("`{}` is not a field of {owner}, and is not read", key.value);
    let diagnostic = Diagnostic::at("R02", Severity::Warning, key.span, message);
    match nearest(&key.value, known.iter().copied()) {
        Some(near) => diagnostic.help(format!("`{near}` is one")),
        None => diagnostic.help(format!("its fields are {}", known.join(", "))),
    }
}
