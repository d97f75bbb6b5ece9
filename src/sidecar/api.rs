//! The routes of the API. They are made twice from the same list: once to serve requests, and once to describe them in the
//! OpenAPI document. The description takes more memory than the rest of the server, so it is made only when a client asks
//! for it, and is not kept.
//!
//! Each route says what a read-only token allows: `look` adds a route for everybody, `get` and `post` add routes that need
//! the full right.

use std::collections::BTreeSet;
use std::sync::Arc;

use aide::axum::ApiRouter;
use aide::axum::routing::{ApiMethodRouter, get_with, post_with};
use aide::openapi::OpenApi;
use aide::operation::OperationHandler;
use aide::transform::TransformOperation;
use aide::{OperationInput, OperationOutput};
use axum::Router;
use axum::handler::Handler;
use axum::http::Method;
use axum::routing::{MethodRouter, get, post};

use super::access::Right;
use super::docs;
use super::state::App;
use crate::decode;

/// Routes that are served or described.
pub(super) struct Routes {
    kind: Kind,
    /// The heading of the next routes in the documentation.
    section: &'static str,
    table: Table,
}

enum Kind {
    Served(Router<App>),
    Described(Box<ApiRouter<App>>),
}

/// What is known about the routes.
#[derive(Debug, Default)]
struct Table {
    readable: BTreeSet<&'static str>,
    paths: BTreeSet<&'static str>,
}

impl Table {
    fn add(&mut self, path: &'static str, right: Right) {
        if right == Right::ReadOnly {
            self.readable.insert(path);
        }
        self.paths.insert(path);
    }
}

/// What a read-only token allows.
#[derive(Debug, Clone)]
pub(super) struct Gate(Arc<Table>);

impl Gate {
    /// Whether a read-only token allows this method of a route.
    pub(super) fn is_readable(&self, method: &Method, route: &str) -> bool {
        matches!(*method, Method::GET | Method::HEAD) && self.0.readable.contains(route)
    }

    /// Whether the path of a route begins with this name.
    pub(super) fn has_first_name(&self, name: &str) -> bool {
        self.0.paths.iter().any(|path| path.split('/').nth(1) == Some(name))
    }

    /// The path of a route that a mistyped path may mean. Each name in the path must be similar, because the identifier
    /// of a run is longer than the names around it.
    pub(super) fn nearest(&self, path: &str) -> Option<String> {
        let given: Vec<&str> = path.split('/').collect();
        let meant = |route: &&str| {
            let names: Vec<&str> = route.split('/').collect();
            if names.len() != given.len() {
                return None;
            }
            let (mut total, mut meant) = (0.0, Vec::new());
            for (name, given) in names.into_iter().zip(&given) {
                let is_parameter = name.starts_with('{');
                total += if is_parameter || name == *given { 1.0 } else { decode::likeness(given, name)? };
                meant.push(if is_parameter { *given } else { name });
            }
            Some((total, meant.join("/")))
        };
        let all = self.0.paths.iter().filter_map(meant);
        all.max_by(|a, b| a.0.total_cmp(&b.0)).map(|(_, path)| path)
    }
}

/// An operation in the OpenAPI document.
#[derive(Clone, Copy)]
pub(super) struct Words {
    id: &'static str,
    summary: &'static str,
    section: &'static str,
    /// `None` for an operation that needs no token.
    right: Option<Right>,
}

/// A handler that can be served and described. `M` has the types of its parameters and of its reply.
pub(super) trait Documented<M>: Clone {
    fn get(self) -> MethodRouter<App>;
    fn get_described(self, words: Words) -> ApiMethodRouter<App>;
    fn post(self) -> MethodRouter<App>;
    fn post_described(self, words: Words) -> ApiMethodRouter<App>;
}

impl<H, I, O, T> Documented<(I, O, T)> for H
where
    H: Handler<T, App> + OperationHandler<I, O>,
    I: OperationInput,
    O: OperationOutput,
    T: 'static,
{
    fn get(self) -> MethodRouter<App> {
        get(self)
    }

    fn get_described(self, words: Words) -> ApiMethodRouter<App> {
        get_with(self, describe(words))
    }

    fn post(self) -> MethodRouter<App> {
        post(self)
    }

    fn post_described(self, words: Words) -> ApiMethodRouter<App> {
        post_with(self, describe(words))
    }
}

impl Routes {
    /// No routes yet, to be served.
    pub(super) fn served() -> Self {
        Self::of(Kind::Served(Router::new()))
    }

    /// No routes yet, to be described.
    pub(super) fn described() -> Self {
        Self::of(Kind::Described(Box::new(ApiRouter::new())))
    }

    fn of(kind: Kind) -> Self {
        Self { kind, section: "", table: Table::default() }
    }

    /// Begins a section of the documentation.
    pub(super) fn section(self, section: &'static str) -> Self {
        Self { section, ..self }
    }

    /// Adds the handler of GET requests that everybody may send who has one of the tokens.
    pub(super) fn look<M>(
        self,
        path: &'static str,
        handler: impl Documented<M>,
        id: &'static str,
        summary: &'static str,
    ) -> Self {
        let words = self.words(id, summary, Some(Right::ReadOnly));
        self.add_get(path, handler, words)
    }

    /// Adds the handler of GET requests that need the full right.
    pub(super) fn get<M>(
        self,
        path: &'static str,
        handler: impl Documented<M>,
        id: &'static str,
        summary: &'static str,
    ) -> Self {
        let words = self.words(id, summary, Some(Right::Full));
        self.add_get(path, handler, words)
    }

    /// Adds the handler of POST requests, which need the full right.
    pub(super) fn post<M>(
        self,
        path: &'static str,
        handler: impl Documented<M>,
        id: &'static str,
        summary: &'static str,
    ) -> Self {
        let words = self.words(id, summary, Some(Right::Full));
        self.add_post(path, handler, words)
    }

    /// Adds the handler of GET requests that need no token.
    pub(super) fn open_get<M>(
        self,
        path: &'static str,
        handler: impl Documented<M>,
        id: &'static str,
        summary: &'static str,
    ) -> Self {
        let words = self.words(id, summary, None);
        self.add_get(path, handler, words)
    }

    /// Adds the handler of POST requests that need no token.
    pub(super) fn open_post<M>(
        self,
        path: &'static str,
        handler: impl Documented<M>,
        id: &'static str,
        summary: &'static str,
    ) -> Self {
        let words = self.words(id, summary, None);
        self.add_post(path, handler, words)
    }

    /// Adds the handler of GET requests that are not part of the documentation: pages, files of pages, WebSockets.
    pub(super) fn page<H, T>(self, path: &'static str, handler: H, right: Right) -> Self
    where
        H: Handler<T, App>,
        T: 'static,
    {
        let mut routes = self;
        routes.table.add(path, right);
        if let Kind::Served(router) = routes.kind {
            routes.kind = Kind::Served(router.route(path, get(handler)));
        }
        routes
    }

    fn words(&self, id: &'static str, summary: &'static str, right: Option<Right>) -> Words {
        Words { id, summary, section: self.section, right }
    }

    fn add_get<M>(self, path: &'static str, handler: impl Documented<M>, words: Words) -> Self {
        let described = handler.clone();
        self.add(path, words, || handler.get(), || described.get_described(words))
    }

    fn add_post<M>(self, path: &'static str, handler: impl Documented<M>, words: Words) -> Self {
        let described = handler.clone();
        self.add(path, words, || handler.post(), || described.post_described(words))
    }

    fn add(
        mut self,
        path: &'static str,
        words: Words,
        served: impl FnOnce() -> MethodRouter<App>,
        described: impl FnOnce() -> ApiMethodRouter<App>,
    ) -> Self {
        self.table.add(path, words.right.unwrap_or(Right::Full));
        self.kind = match self.kind {
            Kind::Served(router) => Kind::Served(router.route(path, served())),
            Kind::Described(router) => Kind::Described(Box::new(router.api_route(path, described()))),
        };
        self
    }

    /// The router without a description, and what a read-only token allows.
    pub(super) fn router(self) -> (Router<App>, Gate) {
        let router = match self.kind {
            Kind::Served(router) => router,
            Kind::Described(router) => (*router).into(),
        };
        (router, Gate(Arc::new(self.table)))
    }

    /// The OpenAPI document of the described routes.
    pub(super) fn document(self) -> OpenApi {
        let mut document = docs::document();
        if let Kind::Described(router) = self.kind {
            let _: Router<App> = router.finish_api_with(&mut document, docs::finish);
        }
        document
    }
}

/// Describes an operation in the OpenAPI document.
fn describe(words: Words) -> impl FnOnce(TransformOperation<'_>) -> TransformOperation<'_> {
    move |operation| {
        let operation = operation.id(words.id).summary(words.summary).tag(words.section);
        docs::allow(operation, words.right)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mistyped_path_is_near_to_one_with_similar_names_and_the_same_parameters() {
        let mut table = Table::default();
        for path in ["/power", "/runs", "/runs/{id}/traces", "/runs/{id}/log", "/instrument/lasers/{laser}"] {
            table.add(path, Right::ReadOnly);
        }
        let gate = Gate(Arc::new(table));
        for (given, expected) in [
            ("/powr", Some("/power")),
            ("/Power", Some("/power")),
            ("/run", Some("/runs")),
            ("/run/2026-ABC/trace", Some("/runs/2026-ABC/traces")),
            ("/instrument/laser/2", Some("/instrument/lasers/2")),
            ("/runs/20261130-101500_a-long-name/x", None),
            ("/power/4", None),
            ("/favicon.ico", None),
            ("/", None),
        ] {
            assert_eq!(gate.nearest(given).as_deref(), expected, "{given}");
        }
    }
}
