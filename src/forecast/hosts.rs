//! Compares the hosts of a recipe with those that the configuration allows.

use url::Url;

use super::findings::Findings;
use super::walk::PlannedStep;
use crate::declarations::Notify;
use crate::http::{AllowedHosts, host};
use crate::recipe::Recipe;
use crate::source::Diagnostic;

/// The requests that a run at this bench would refuse. If `allowed` is unknown, this is only a note, because the
/// recipe may run on another computer.
///
/// A request after a measured value is an error too, because its host is never allowed.
#[must_use]
pub fn check(recipe: &Recipe, steps: &[PlannedStep], allowed: Option<&AllowedHosts>) -> Vec<Diagnostic> {
    let mut findings = Findings::default();
    for planned in steps {
        let Some(http) = planned.step.operation.traits().request else { continue };
        for url in http.known_urls() {
            if let Some(finding) = judge(&url, allowed) {
                findings.add(&planned.step.place, host(&url), finding);
            }
        }
    }
    let told = recipe.header().notify.as_ref().and_then(|notify| check_notify(notify, allowed));
    told.into_iter().chain(findings.located(&recipe.texts())).collect()
}

/// Checks the host of `notify`. The finding has no excerpt of the file, because the URL may contain a secret.
#[must_use]
pub fn check_notify(notify: &Notify, allowed: Option<&AllowedHosts>) -> Option<Diagnostic> {
    let finding = judge(notify.url.whole(), allowed)?;
    Some(Diagnostic { message: format!("`notify`: {}", finding.message), ..finding })
}

fn judge(url: &Url, allowed: Option<&AllowedHosts>) -> Option<Diagnostic> {
    let none = AllowedHosts::default();
    let (hosts, host) = (allowed.unwrap_or(&none), host(url));
    if hosts.allow(url) {
        return None;
    }
    let finding = match allowed {
        Some(_) => Diagnostic::error(format!("`{host}` is not an allowed host (`allow_http` in ctp10.toml)")),
        None => Diagnostic::note(format!("a run needs a configuration that allows requests to `{host}`")),
    };
    Some(finding.hint(hosts.advice(url)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::forecast::{Circumstances, walk};
    use crate::recipe::Recipe;
    use crate::source::Severity;

    /// What is said of a recipe with these steps, the first of them on line 3.
    fn said(steps: &str, allowed: Option<&[&str]>) -> Vec<(Severity, usize, String)> {
        let recipe = Recipe::from_text("t.yaml", &format!("name: t\nsteps:\n{steps}"), None, &[]).unwrap();
        let walked = walk(|host| recipe.perform(host), recipe.sources(), Circumstances::default());
        let hosts = |entries: &[&str]| {
            AllowedHosts::try_from(entries.iter().map(ToString::to_string).collect::<Vec<_>>()).unwrap()
        };
        let found = check(&recipe, &walked.steps, allowed.map(hosts).as_ref());
        let line = |found: &Diagnostic| found.place.as_ref().unwrap().1.line;
        found.iter().map(|found| (found.severity, line(found), found.message.clone())).collect()
    }

    #[test]
    fn a_host_that_the_bench_does_not_allow_is_an_error_wherever_it_is_asked() {
        let steps = "  - http: { url: \"http://stage:8000/\" }
  - read_power: { id: p, detector: 4/1 }
  - if:
      condition: \"${steps.p.value < 0}\"
      then: [ { http: { url: \"http://oven/\", poll: { url: \"http://log/{id}\", ready: 'true', timeout_s: 5 } } } ]
";
        let not_allowed = |line, host| {
            (Severity::Error, line, format!("`{host}` is not an allowed host (`allow_http` in ctp10.toml)"))
        };
        assert_eq!(said(steps, Some(&["stage:8000", "oven", "log"])), []);
        assert_eq!(said(steps, Some(&["stage:8000"])), [not_allowed(7, "oven"), not_allowed(7, "log")]);
        assert_eq!(said(steps, Some(&[])).len(), 3);
    }

    #[test]
    fn where_nothing_says_what_the_bench_allows_a_host_is_a_note_and_each_step_gets_one() {
        let steps = "  - repeat: { times: 3, steps: [ { http: { url: \"http://stage/\" } } ] }\n";
        let note = "a run needs a configuration that allows requests to `stage`";
        assert_eq!(said(steps, None), [(Severity::Note, 3, note.to_owned())]);
    }
}
