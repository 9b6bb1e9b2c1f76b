//! The registry with Harbor's face: projects, rights in them, its API, its refusals.
//!
//! As Harbor's own code has it (v2auth, immutable and quota middlewares): a project that is not there is a 401 of the
//! registry's API with an empty challenge, a right that is not there a 401 too, and whoever showed a token is asked for
//! Basic.

use std::collections::{BTreeMap, BTreeSet};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use http::header::AUTHORIZATION;
use http::{Method, Response, StatusCode};
use landfall_oci::{Repository, Target};
use serde_json::{Value, json};

use super::answer::{empty, error, json_body, with};
use super::body::{Body, full};
use super::record::Request;
use super::route::Route;
use super::state::State;
use super::token::{basic, query_field};

/// A user of the fake Harbor.
#[derive(Clone, Debug, Default)]
pub struct HarborUser {
    password: String,
    is_admin: bool,
    creates: bool,
    asks: bool,
    pushes_to: BTreeSet<String>,
}

impl HarborUser {
    /// Somebody who may do nothing yet.
    pub fn new(password: &str) -> Self {
        Self {
            password: password.to_owned(),
            asks: true,
            ..Self::default()
        }
    }

    /// May do everything.
    #[must_use]
    pub fn admin(mut self) -> Self {
        self.is_admin = true;
        self
    }

    /// May create projects.
    #[must_use]
    pub fn creates(mut self) -> Self {
        self.creates = true;
        self
    }

    /// May push to this project.
    #[must_use]
    pub fn pushes_to(mut self, project: &str) -> Self {
        self.pushes_to.insert(project.to_owned());
        self
    }

    /// Is told nothing by the API, as a robot account with the permissions to pull and push alone.
    #[must_use]
    pub fn robot(mut self) -> Self {
        self.asks = false;
        self
    }
}

/// A project of the fake Harbor.
#[derive(Clone, Debug, Default)]
pub struct HarborProject {
    /// Everybody may pull.
    pub is_public: bool,
    /// No tag moves, not even to what it has.
    pub is_immutable: bool,
    /// Bytes of blobs that it may hold.
    pub quota: Option<u64>,
}

/// What Harbor knows besides images.
#[derive(Clone, Debug, Default)]
pub struct Harbor {
    users: BTreeMap<String, HarborUser>,
    pub(super) projects: BTreeMap<String, HarborProject>,
    hides_missing: bool,
}

impl Harbor {
    /// Without users and projects.
    pub fn new() -> Self {
        Self::default()
    }

    /// With this user.
    #[must_use]
    pub fn user(mut self, name: &str, user: HarborUser) -> Self {
        self.users.insert(name.to_owned(), user);
        self
    }

    /// With this project.
    #[must_use]
    pub fn project(mut self, name: &str, project: HarborProject) -> Self {
        self.projects.insert(name.to_owned(), project);
        self
    }

    /// Answers 403 for a project that is not there, as versions before 2.2 do also to administrators.
    #[must_use]
    pub fn hides_missing(mut self) -> Self {
        self.hides_missing = true;
        self
    }

    fn known(&self, request: &Request) -> Option<(String, &HarborUser)> {
        let (name, password) = basic(request).or_else(|| token_user(request))?;
        let user = self.users.get(&name).filter(|user| user.password == password)?;
        Some((name, user))
    }

    /// Checks a request to the registry's API; the answer to give instead when it is refused.
    pub(super) fn check(&self, own_url: &str, route: &Route, request: &Request) -> Option<Response<Body>> {
        let shown = request.is_authorized();
        let challenge = |scope: &str| match shown {
            true => "Basic realm=\"harbor\"".to_owned(),
            false => format!("Bearer realm=\"{own_url}/service/token\",service=\"harbor-registry\"{scope}"),
        };
        let user = self.known(request);
        let Some(repository) = route.repository() else {
            let is_open = matches!(route, Route::Service(_) | Route::Cdn(_)) || user.is_some();
            return (!is_open).then(|| refuse("unauthorized", &challenge("")));
        };
        let Some((project, _)) = repository.as_str().split_once('/') else {
            let message = format!("invalid repository name: {repository}");
            return Some(error(StatusCode::BAD_REQUEST, "BAD_REQUEST", &message));
        };
        let is_read = request.method == Method::GET || request.method == Method::HEAD;
        let scope = format!(
            ",scope=\"repository:{repository}:{}\"",
            if is_read { "pull" } else { "pull,push" }
        );
        if !shown && request.method == Method::HEAD {
            return Some(refuse(
                "authorize header needed to send HEAD to repository",
                &challenge(&scope),
            ));
        }
        let Some(found) = self.projects.get(project) else {
            return Some(refuse(&format!("project {project} not found"), ""));
        };
        let may_push = user.is_some_and(|(_, user)| user.is_admin || user.pushes_to.contains(project));
        let action = if is_read { "pull" } else { "push" };
        let message = format!("unauthorized to access repository: {repository}, action: {action}");
        let is_allowed = may_push || is_read && found.is_public;
        (!is_allowed).then(|| refuse(&message, &challenge(&scope)))
    }

    /// `/service/token` and `/api/v2.0/…`.
    pub(super) fn answer(&mut self, request: &Request, body: &[u8]) -> Response<Body> {
        match (request.method.as_str(), request.path.as_str()) {
            ("GET", "/service/token") => self.token(request),
            (_, "/service/token") => empty(StatusCode::METHOD_NOT_ALLOWED),
            ("GET", "/api/v2.0/ping") => Response::new(full("Pong")),
            ("HEAD", "/api/v2.0/projects") => self.has_project(request),
            ("POST", "/api/v2.0/projects") => self.create(request, body),
            _ => error(StatusCode::NOT_FOUND, "NOT_FOUND", "the page is not found"),
        }
    }

    /// A token says who asked for it: what it is good for, Harbor looks up again here, which it does not in earnest.
    fn token(&self, request: &Request) -> Response<Body> {
        let token = match basic(request) {
            None => "nobody".to_owned(),
            Some((name, password)) if self.known(request).is_some() => {
                STANDARD.encode(format!("{name}:{password}"))
            }
            Some(_) => return error(StatusCode::UNAUTHORIZED, "UNAUTHORIZED", "unauthorized"),
        };
        json_body(StatusCode::OK, &json!({"token": token, "expires_in": 1800}))
    }

    fn has_project(&self, request: &Request) -> Response<Body> {
        let name = query_field(&request.query, "project_name").unwrap_or_default();
        let Some((_, user)) = self.known(request) else {
            return empty(StatusCode::UNAUTHORIZED);
        };
        let status = match self.projects.get(&name) {
            None if self.hides_missing || !user.asks => StatusCode::FORBIDDEN,
            None => StatusCode::NOT_FOUND,
            Some(_) if !user.asks => StatusCode::FORBIDDEN,
            Some(project) if user.is_admin || project.is_public || user.pushes_to.contains(&name) => {
                StatusCode::OK
            }
            Some(_) => StatusCode::FORBIDDEN,
        };
        empty(status)
    }

    fn create(&mut self, request: &Request, body: &[u8]) -> Response<Body> {
        let Some((user_name, user)) = self.known(request) else {
            return error(StatusCode::UNAUTHORIZED, "UNAUTHORIZED", "unauthorized");
        };
        if !user.is_admin && !user.creates {
            return error(
                StatusCode::FORBIDDEN,
                "FORBIDDEN",
                "Only system admin can create project",
            );
        }
        let body: Value = serde_json::from_slice(body).unwrap_or_default();
        let name = body["project_name"].as_str().unwrap_or_default().to_owned();
        if name.parse::<Repository>().is_err() || name.contains('/') {
            return error(
                StatusCode::BAD_REQUEST,
                "BAD_REQUEST",
                "project name is not in lower case or contains illegal characters!",
            );
        }
        if self.projects.contains_key(&name) {
            return error(
                StatusCode::CONFLICT,
                "CONFLICT",
                &format!("project {name} already exists"),
            );
        }
        let project = HarborProject {
            is_public: body["metadata"]["public"] == "true",
            ..HarborProject::default()
        };
        self.projects.insert(name.clone(), project);
        if let Some(user) = self.users.get_mut(&user_name) {
            user.pushes_to.insert(name);
        }
        with(empty(StatusCode::CREATED), "location", "/api/v2.0/projects/7")
    }

    /// What the project's own rules say against a manifest, or against a blob of this size.
    pub(super) fn forbids(
        &self,
        state: &State,
        repository: &Repository,
        what: &Pushed<'_>,
    ) -> Option<Response<Body>> {
        let (name, rest) = repository.as_str().split_once('/')?;
        let project = self.projects.get(name)?;
        match what {
            Pushed::Manifest(Target::Tag(tag)) if project.is_immutable => {
                let is_there = state.tags.contains_key(&(repository.clone(), tag.clone()));
                let message =
                    format!("Failed to process request due to '{rest}:{tag}' configured as immutable.");
                is_there.then(|| error(StatusCode::PRECONDITION_FAILED, "PRECONDITION", &message))
            }
            Pushed::Manifest(_) => None,
            Pushed::Blob(size) => {
                let quota = project.quota?;
                let used: u64 = state.bytes_below(&format!("{name}/"));
                let message = format!(
                    "adding {size} Byte of storage resource, which when updated to current usage of {used} Byte will exceed the \
                     configured upper limit of {quota} Byte."
                );
                (used + size > quota).then(|| error(StatusCode::FORBIDDEN, "DENIED", &message))
            }
        }
    }
}

/// What is pushed.
pub(super) enum Pushed<'a> {
    Manifest(&'a Target),
    Blob(u64),
}

fn refuse(message: &str, challenge: &str) -> Response<Body> {
    let response = error(StatusCode::UNAUTHORIZED, "UNAUTHORIZED", message);
    with(response, "www-authenticate", challenge)
}

fn token_user(request: &Request) -> Option<(String, String)> {
    let token = request.header(AUTHORIZATION).strip_prefix("Bearer ")?;
    let text = String::from_utf8(STANDARD.decode(token).ok()?).ok()?;
    let (user, password) = text.split_once(':')?;
    Some((user.to_owned(), password.to_owned()))
}
