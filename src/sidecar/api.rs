//! The routes of the API. They are made twice from the same list: once to serve requests, and once to describe them in the
//! OpenAPI document. The description takes more memory than the rest of the server, so it is made only when a client asks
//! for it, and is not kept.

use aide::axum::ApiRouter;
use aide::axum::routing::{ApiMethodRouter, get_with, post_with};
use aide::openapi::OpenApi;
use aide::operation::OperationHandler;
use aide::transform::TransformOperation;
use aide::{OperationInput, OperationOutput};
use axum::Router;
use axum::handler::Handler;
use axum::routing::{MethodRouter, get, post};

use super::docs;
use super::state::App;

/// Routes that are served or described.
pub(super) enum Routes {
    Served(Router<App>),
    Described(Box<ApiRouter<App>>),
}

impl Routes {
    /// No routes yet, to be served.
    pub(super) fn served() -> Self {
        Self::Served(Router::new())
    }

    /// No routes yet, to be described.
    pub(super) fn described() -> Self {
        Self::Described(Box::new(ApiRouter::new()))
    }

    /// Adds the handler of GET requests.
    pub(super) fn get<H, I, O, T>(self, path: &str, handler: H, summary: &'static str) -> Self
    where
        H: Handler<T, App> + OperationHandler<I, O>,
        I: OperationInput,
        O: OperationOutput,
        T: 'static,
    {
        match self {
            Self::Served(router) => served(router, path, get(handler)),
            Self::Described(router) => described(*router, path, get_with(handler, says(summary))),
        }
    }

    /// Adds the handler of POST requests.
    pub(super) fn post<H, I, O, T>(self, path: &str, handler: H, summary: &'static str) -> Self
    where
        H: Handler<T, App> + OperationHandler<I, O>,
        I: OperationInput,
        O: OperationOutput,
        T: 'static,
    {
        match self {
            Self::Served(router) => served(router, path, post(handler)),
            Self::Described(router) => described(*router, path, post_with(handler, says(summary))),
        }
    }

    /// The router, without a description.
    pub(super) fn router(self) -> Router<App> {
        match self {
            Self::Served(router) => router,
            Self::Described(router) => (*router).into(),
        }
    }

    /// The OpenAPI document of the described routes.
    pub(super) fn document(self) -> OpenApi {
        let mut document = docs::document();
        if let Self::Described(router) = self {
            let _: Router<App> = router.finish_api_with(&mut document, docs::finish);
        }
        document
    }
}

fn served(router: Router<App>, path: &str, handler: MethodRouter<App>) -> Routes {
    Routes::Served(router.route(path, handler))
}

fn described(router: ApiRouter<App>, path: &str, handler: ApiMethodRouter<App>) -> Routes {
    Routes::Described(Box::new(router.api_route(path, handler)))
}

/// Sets the summary of an operation in the OpenAPI document.
fn says(summary: &'static str) -> impl FnOnce(TransformOperation<'_>) -> TransformOperation<'_> {
    move |operation| operation.summary(summary)
}
