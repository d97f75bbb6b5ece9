//! Compares the requests of a recipe with the limits of the bench.

use super::hosts;
use super::instruments;
use super::limits::{self, BenchLimits};
use super::walk::PlannedStep;
use crate::equipment::Equipment;
use crate::http::AllowedHosts;
use crate::recipe::Recipe;
use crate::source::Diagnostic;

/// The hosts, instruments and limits in the configuration of a bench.
#[derive(Debug, Clone, Default)]
pub struct Allowed {
    /// The hosts that recipes may reach; `None` if the configuration has no list.
    pub hosts: Option<AllowedHosts>,
    /// Limits of power, wavelength and lasers.
    pub limits: BenchLimits,
    /// The named instruments; `None` if the configuration has none.
    pub instruments: Option<Equipment>,
}

/// The steps that a run at this bench would refuse.
#[must_use]
pub fn check(recipe: &Recipe, steps: &[PlannedStep], allowed: &Allowed) -> Vec<Diagnostic> {
    let mut found = hosts::check(recipe, steps, allowed.hosts.as_ref());
    found.extend(instruments::check(recipe, steps, allowed.instruments.as_ref()));
    found.extend(limits::check(steps, &allowed.limits, &recipe.texts()));
    found
}
