//! The endpoints that are not of the distribution API: `/healthz`, `/readyz`, `/metrics`. They say nothing of what
//! the registry holds, and need no credential; metrics are on the registry's own listener only when asked for.

use std::sync::Arc;

use http::{Method, StatusCode, header};
use landfall_oci::ErrorCode;

use crate::metrics::CONTENT_TYPE;
use crate::path::Route;
use crate::registry::{Registry, not_allowed};
use crate::reply::{Body, Builder, Failure, Reply};

impl Registry {
    /// Answers for a listener that is for those who look after the registry: these three endpoints and no other.
    pub(crate) async fn status(&self, method: &Method, path: &str) -> Reply {
        let unknown = || {
            Failure::new(
                StatusCode::NOT_FOUND,
                ErrorCode::Unsupported,
                "there is no such endpoint",
            )
        };
        let answer = match Route::parse(path) {
            Ok(route @ (Route::Health | Route::Ready | Route::Metrics)) => self.look(method, &route).await,
            _ => Err(unknown()),
        };
        let mut reply = answer.unwrap_or_else(Failure::into_reply);
        if *method == Method::HEAD {
            *reply.body_mut() = Body::Empty;
        }
        reply
    }

    /// Answers one of the three.
    pub(crate) async fn look(&self, method: &Method, route: &Route) -> Result<Reply, Failure> {
        if *method != Method::GET && *method != Method::HEAD {
            return Err(not_allowed(route, method.as_str()));
        }
        Ok(match route {
            Route::Metrics => {
                let metrics = Arc::clone(&self.metrics);
                let rendered = tokio::task::spawn_blocking(move || metrics.render()).await;
                text(StatusCode::OK, CONTENT_TYPE, rendered.unwrap_or_default())
            }
            Route::Ready => match self.health.ready(&*self.store).await {
                Ok(()) => text(StatusCode::OK, "text/plain", "ready\n".to_owned()),
                Err(reason) => {
                    let not_ready = Failure::new(StatusCode::SERVICE_UNAVAILABLE, ErrorCode::Unknown, reason);
                    return Err(not_ready.with(header::RETRY_AFTER, "5"));
                }
            },
            _ => text(StatusCode::OK, "text/plain", "ok\n".to_owned()),
        })
    }
}

fn text(status: StatusCode, content_type: &str, text: String) -> Reply {
    Builder::new(status)
        .header(header::CONTENT_TYPE, content_type)
        // What is true now is not true later.
        .header(header::CACHE_CONTROL, "no-store")
        .len(text.len() as u64)
        .body(Body::Bytes(text.into()))
}
