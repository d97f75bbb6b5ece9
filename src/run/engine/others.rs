//! Requests and lines of text to other instruments on the bench.

use std::time::Duration;

use super::Engine;
use crate::operation::{Destination, Http, Operation, Scpi};
use crate::run::bench::{REQUEST_LIMIT, Sender};
use crate::run::context::StepContext;
use crate::step::{Fault, Outcome};

impl Engine {
    pub(super) async fn http(&mut self, ctx: &StepContext, http: &Http) -> Result<Outcome, Fault> {
        let limit =
            ctx.step.options.timeout_s.map_or(REQUEST_LIMIT, |limit| Duration::from_secs_f64(limit.get()));
        let number = Some(ctx.number);
        match &http.destination {
            Destination::Url(url) => {
                self.bench.request(number, &Sender::Allowed(&self.http), url, http, limit).await
            }
            Destination::Named { to, path } => self.bench.request_to(number, to, path, http, limit).await,
        }
    }

    pub(super) async fn scpi(
        &mut self,
        ctx: &StepContext,
        operation: &Operation,
        scpi: &Scpi,
    ) -> Result<Outcome, Fault> {
        match (&scpi.to, scpi.is_query) {
            (None, false) => self.bench.send(operation).await.map(|()| Outcome::Done),
            (Some(_), _) | (None, true) => self.bench.line(Some(ctx.number), scpi).await,
        }
    }
}
