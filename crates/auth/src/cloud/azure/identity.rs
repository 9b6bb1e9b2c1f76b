//! An identity's token: of a service principal, of a workload (a token in a file), or of the machine.

use bytes::Bytes;
use http::{HeaderName, Uri};
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::Value;

use super::{Azure, Identity};
use crate::Secret;
use crate::cloud::calls::{self, Answer, LINK_PATIENCE, get_with, post_form, read_named, sensitive, text};
use crate::cloud::failure::{Failure, Refused, said};
use crate::exchange::form;

const IMDS: &str = "http://169.254.169.254";
const ASSERTION: &str = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";

impl Azure<'_> {
    /// The identity of this process: secret, workload, machine. [`Failure::Absent`]: there is none.
    pub(super) async fn identity(&self) -> Result<Identity, Failure> {
        let get = |name| self.variables.get(name);
        let client = get("AZURE_CLIENT_ID").zip(get("AZURE_TENANT_ID"));
        if let (Some((client, tenant)), Some(secret)) = (client, get("AZURE_CLIENT_SECRET")) {
            let from = format!("the service principal {client}");
            let proof = [("client_secret", secret)];
            return self.principal(client, tenant, &proof, from).await;
        }
        if let (Some((client, tenant)), Some(path)) =
            (client, self.variables.path("AZURE_FEDERATED_TOKEN_FILE"))
        {
            let token = read_named(&path, "AZURE_FEDERATED_TOKEN_FILE").await?;
            let proof = [
                ("client_assertion_type", ASSERTION),
                ("client_assertion", token.trim()),
            ];
            let from = format!("the workload identity {client}");
            return self.principal(client, tenant, &proof, from).await;
        }
        self.machine().await
    }

    /// A token for what a client knows.
    async fn principal(
        &self,
        client: &str,
        tenant: &str,
        proof: &[(&str, &str)],
        from: String,
    ) -> Result<Identity, Failure> {
        let base = match self.variables.get("AZURE_AUTHORITY_HOST") {
            Some(text) if text.contains("://") => calls::url(text, "AZURE_AUTHORITY_HOST")?,
            Some(host) => calls::url(&format!("https://{host}/"), "AZURE_AUTHORITY_HOST")?,
            None => calls::url(&format!("https://{}/", self.host.authority), "the authority")?,
        };
        let tenant = utf8_percent_encode(tenant, NON_ALPHANUMERIC)
            .to_string()
            .replace("%2D", "-")
            .replace("%2E", ".");
        let url = calls::at(&base, &format!("/{tenant}/oauth2/v2.0/token"));
        let scope = format!("{}/.default", self.host.resource);
        let mut fields = vec![
            ("grant_type", "client_credentials"),
            ("client_id", client),
            ("scope", &scope),
        ];
        fields.extend(proof);
        let body = Bytes::from(form(&fields));
        let answer = self.calls.service(post_form(url.clone(), &body)).await?;
        let secrets: Vec<&str> = proof.iter().map(|(_, value)| *value).collect();
        identity(&answer, &url, from, &secrets)
    }

    /// The machine's managed identity: of a web app, or of the virtual machine.
    async fn machine(&self) -> Result<Identity, Failure> {
        let none = |why: &str| {
            let reason = "no Azure credentials: no service principal, no workload identity, and";
            Failure::Absent(format!("{reason} {why}"))
        };
        let mut query = format!(
            "resource={}",
            utf8_percent_encode(self.host.resource, NON_ALPHANUMERIC)
        );
        if let Some(client) = self.variables.get("AZURE_CLIENT_ID") {
            query += &format!("&client_id={}", utf8_percent_encode(client, NON_ALPHANUMERIC));
        }
        let endpoint = self.variables.get("IDENTITY_ENDPOINT");
        if let Some((endpoint, secret)) = endpoint.zip(self.variables.get("IDENTITY_HEADER")) {
            let url = calls::url(endpoint, "IDENTITY_ENDPOINT")?;
            let url = calls::at(&url, &format!("{}?api-version=2019-08-01&{query}", url.path()));
            let header = sensitive(secret).ok_or_else(|| none("IDENTITY_HEADER is no header"))?;
            let request = landfall_net::client::Request::new(http::Method::GET, url.clone())
                .header(HeaderName::from_static("x-identity-header"), header)
                .patience(LINK_PATIENCE);
            let answer = self.calls.link(request).await?;
            return identity(&answer, &url, "the app's managed identity".to_owned(), &[secret]);
        }
        const HOST: &str = "AZURE_POD_IDENTITY_AUTHORITY_HOST";
        let base = calls::url(self.variables.get(HOST).unwrap_or(IMDS), HOST)?;
        let url = calls::at(
            &base,
            &format!("/metadata/identity/oauth2/token?api-version=2018-02-01&{query}"),
        );
        let request = get_with(url.clone(), "metadata", "true").patience(LINK_PATIENCE);
        let answer = self
            .knock(&base, request)
            .await
            .map_err(|failure| match failure {
                Failure::Absent(why) => none(&format!("no metadata service ({why})")),
                other => other,
            })?;
        // Another cloud's service does not know the path; Azure's says so of an identity that the machine does not have.
        let status = answer.status.as_u16();
        let code = answer
            .json()
            .and_then(|json| text(&json, "error").map(str::to_owned));
        if matches!(status, 400 | 401 | 403 | 404 | 405)
            && code.as_deref().is_none_or(|code| code == "invalid_request")
        {
            return Err(none(&format!(
                "the metadata service knows no identity of this machine ({status})"
            )));
        }
        identity(&answer, &url, "the machine's managed identity".to_owned(), &[])
    }

    /// Whether anybody is there is known from a question that costs nothing; the token itself may take its time.
    async fn knock(&self, base: &Uri, request: landfall_net::client::Request<'_>) -> Result<Answer, Failure> {
        let probe = get_with(
            calls::at(base, "/metadata/instance?api-version=2021-02-01"),
            "metadata",
            "true",
        );
        self.calls.knock(probe).await?;
        self.calls.link(request).await
    }
}

fn identity(answer: &Answer, url: &Uri, from: String, secrets: &[&str]) -> Result<Identity, Failure> {
    let host = url.host().unwrap_or_default();
    let action = format!("a token of Entra ID from {host}");
    let json = answer.json().unwrap_or(Value::Null);
    if answer.is_later() {
        return Err(Failure::Unavailable(format!("{action}: {}", answer.status)));
    }
    if !answer.status.is_success() {
        return Err(Failure::Refused(Box::new(Refused {
            action,
            whom: from,
            code: text(&json, "error").map_or_else(|| answer.status.to_string(), |code| said(code, secrets)),
            message: said(text(&json, "error_description").unwrap_or_default(), secrets),
            advice: "see whether client, tenant and secret (or the federated credential) are right, and not over",
        })));
    }
    let token = text(&json, "access_token").ok_or_else(|| {
        Failure::unusable(
            format!("{action}: there is no token in the answer"),
            "see what answers there",
        )
    })?;
    Ok(Identity {
        token: Secret::new(token),
        from,
    })
}
