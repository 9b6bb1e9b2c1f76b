//! The registry's side: its challenge says where, and under which name, a token of Entra ID becomes one of its own.

use bytes::Bytes;
use http::header::WWW_AUTHENTICATE;
use http::{Method, Uri};
use landfall_net::client::{Request, same_origin};
use serde_json::Value;

use super::{Azure, Identity};
use crate::cloud::calls::{self, Answer, post_form, text};
use crate::cloud::failure::{Failure, Refused, said};
use crate::exchange::form;
use crate::{Challenge, Secret};

impl Azure<'_> {
    /// A refresh token of the registry.
    pub(super) async fn exchange(&self, identity: &Identity) -> Result<Secret, Failure> {
        let root = calls::url(&format!("https://{}/v2/", self.host.name), "the registry's name")?;
        let answer = self
            .calls
            .service(Request::new(Method::GET, root.clone()))
            .await?;
        let (realm, service) = self.challenge(&root, &answer)?;
        let token = identity.token.expose();
        let mut fields = vec![
            ("grant_type", "access_token_refresh_token"),
            ("service", service.as_str()),
            ("access_token", token),
            ("refresh_token", token),
        ];
        if let Some(tenant) = self.variables.get("AZURE_TENANT_ID") {
            fields.push(("tenant", tenant));
        }
        let body = Bytes::from(form(&fields));
        let answer = self
            .calls
            .service(post_form(calls::at(&realm, "/oauth2/exchange"), &body))
            .await?;
        let action = format!("a refresh token of {}", self.host.name);
        if answer.is_later() {
            return Err(Failure::Unavailable(format!("{action}: {}", answer.status)));
        }
        let json = answer.json().unwrap_or(Value::Null);
        if !answer.status.is_success() {
            let error = json
                .get("errors")
                .and_then(|errors| errors.get(0))
                .unwrap_or(&Value::Null);
            return Err(Failure::Refused(Box::new(Refused {
                action,
                whom: identity.from.clone(),
                code: text(error, "code")
                    .map_or_else(|| answer.status.to_string(), |code| said(code, &[token])),
                message: said(text(error, "message").unwrap_or_default(), &[token]),
                advice: "give this identity the role AcrPull (or AcrPush) on the registry",
            })));
        }
        let token =
            text(&json, "refresh_token").ok_or_else(|| self.bad("its exchange gives no refresh token"))?;
        Ok(Secret::new(token))
    }

    /// Realm and service of the registry's challenge. A token goes nowhere but to the registry itself.
    fn challenge(&self, root: &Uri, answer: &Answer) -> Result<(Uri, String), Failure> {
        if answer.is_later() {
            return Err(Failure::Unavailable(format!(
                "{} answers {}",
                self.host.name, answer.status
            )));
        }
        let values = answer.headers.get_all(WWW_AUTHENTICATE).into_iter();
        let bearer = values
            .flat_map(|value| Challenge::parse(&String::from_utf8_lossy(value.as_bytes())))
            .find_map(|challenge| match challenge {
                Challenge::Bearer { realm, service, .. } => Some((realm, service)),
                _ => None,
            });
        let Some((realm, service)) = bearer.filter(|_| answer.status.as_u16() == 401) else {
            return Err(self.bad("it does not ask for a token as registries of Azure do"));
        };
        let realm = landfall_net::client::resolve(root, &realm).filter(|realm| same_origin(realm, root));
        let realm = realm.ok_or_else(|| self.bad("its token server is on another host"))?;
        Ok((realm, service.unwrap_or_else(|| self.host.name.clone())))
    }

    fn bad(&self, reason: &str) -> Failure {
        Failure::unusable(
            format!("the registry {} gives no token: {reason}", self.host.name),
            "see what answers under that name",
        )
    }
}
