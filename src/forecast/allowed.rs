//! What a bench allows, held against what a recipe asks for.

use super::hosts;
use super::limits::{self, BenchLimits};
use super::walk::PlannedStep;
use crate::http::AllowedHosts;
use crate::recipe::Recipe;
use crate::source::Diagnostic;

/// What the configuration of a bench allows.
#[derive(Debug, Clone, Default)]
pub struct Allowed {
    /// The hosts that recipes may ask; `None` when nothing says which.
    pub hosts: Option<AllowedHosts>,
    /// Limits of power, wavelength and lasers.
    pub limits: BenchLimits,
}

/// What a run at this bench would refuse.
#[must_use]
pub fn check(recipe: &Recipe, steps: &[PlannedStep], allowed: &Allowed) -> Vec<Diagnostic> {
    let mut found = hosts::check(recipe, steps, allowed.hosts.as_ref());
    found.extend(limits::check(steps, &allowed.limits, &recipe.texts()));
    found
}
