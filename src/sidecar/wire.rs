//! The wire types: what goes over HTTP and the WebSockets, with names, units and ranges. Requests are checked
//! against these ranges, and the document at `/openapi.json` is made from them.

pub(super) mod batch;
pub(super) mod figures;
pub(super) mod instrument;
pub(super) mod list;
pub(super) mod power;
pub(super) mod runs;
pub(super) mod setup;
