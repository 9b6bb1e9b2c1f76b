//! STS: roles for a web identity and for other keys, in XML.

use super::aws::{AwsFault, State};
use super::service::{Asked, Reply};

pub(super) fn answer(state: &mut State, asked: &Asked) -> Reply {
    let action = asked.field("Action").unwrap_or_default();
    if asked.field("Version").as_deref() != Some("2011-06-15") {
        return refuse(400, "InvalidAction", "Could not find the version");
    }
    let role = asked.field("RoleArn").unwrap_or_default();
    let refusal = match action.as_str() {
        "AssumeRoleWithWebIdentity" => {
            let token = asked.field("WebIdentityToken").unwrap_or_default();
            let is_wrong = token != state.web_token || !asked.header("authorization").is_empty();
            let said = format!("No OpenIDConnect provider found in your account for {token}");
            is_wrong.then(|| refuse(400, "InvalidIdentityToken", &said))
        }
        "AssumeRole" => {
            let verified = state.verify(asked, "sts").err();
            verified.map(|(code, message)| refuse(403, code, &message))
        }
        _ => Some(refuse(400, "InvalidAction", "")),
    };
    if let Some(refusal) = refusal {
        return refusal;
    }
    if state.has(&AwsFault::Denied) || asked.field("RoleSessionName").is_none() {
        let message = format!("Not authorized to perform sts:{action} on {role}");
        return refuse(403, "AccessDenied", &message);
    }
    let (keys, expires) = state.issue();
    let (id, secret) = (keys.id, keys.secret);
    let session = keys.session.unwrap_or_default();
    Reply::text(
        200,
        format!(
            "<{action}Response xmlns=\"https://sts.amazonaws.com/doc/2011-06-15/\"><{action}Result><Credentials>\n\
             <AccessKeyId>{id}</AccessKeyId><SecretAccessKey>{secret}</SecretAccessKey>\n\
             <SessionToken>{session}</SessionToken><Expiration>{expires}</Expiration>\n\
             </Credentials></{action}Result></{action}Response>"
        ),
    )
}

fn refuse(status: u16, code: &str, message: &str) -> Reply {
    let message = message.replace('&', "&amp;").replace('<', "&lt;");
    Reply::text(
        status,
        format!(
            "<ErrorResponse><Error><Type>Sender</Type><Code>{code}</Code><Message>{message}</Message></Error></ErrorResponse>"
        ),
    )
}
