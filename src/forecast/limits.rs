//! Compares the laser settings of a recipe with the limits of the bench.

use std::cell::Cell;
use std::sync::Arc;

use super::bench::BenchState;
use super::findings::{Findings, softened};
use super::walk::PlannedStep;
use crate::instrument::limits::{Demand, LimitExceeded, Limits};
use crate::instrument::permit::judge_line;
use crate::operation::{Lasers, Operation};
use crate::source::{Diagnostic, SourceFile};

/// The lasers that may be used as a TLS.
const LASERS: std::ops::RangeInclusive<u8> = 1..=10;

/// The limits of a bench, each with its position in a file.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct BenchLimits(Vec<PlacedLimit>);

/// One limit.
#[derive(Debug, Clone, PartialEq)]
pub struct PlacedLimit {
    /// Only this limit.
    pub limit: Limits,
    /// The file and the line of the limit: `ctp10.toml:4`.
    pub place: String,
}

impl BenchLimits {
    /// Adds the limits of a file: all limits apply.
    pub fn extend(&mut self, more: impl IntoIterator<Item = PlacedLimit>) {
        self.0.extend(more);
    }

    fn check(&self, demand: Demand) -> Result<(), (LimitExceeded, &str)> {
        self.0.iter().try_for_each(|PlacedLimit { limit, place }| {
            limit.check(demand).map_err(|exceeded| (exceeded, place.as_str()))
        })
    }

    /// The parts of a raw line that are beyond a limit, or that cannot be checked.
    fn judge_line(&self, text: &str, bench: &BenchState) -> Option<Diagnostic> {
        let unknown = Cell::new(false);
        let laser_of = |tls: u8| {
            let laser = bench.sources.get(&tls).and_then(|source| source.laser);
            unknown.set(unknown.get() | laser.is_none());
            laser.filter(|laser| *laser > 0)
        };
        let judge = |PlacedLimit { limit, place }: &PlacedLimit| {
            judge_line(text, limit, laser_of).map_err(|exceeded| (exceeded, place.clone()))
        };
        let (exceeded, place) = self.0.iter().try_for_each(judge).err()?;
        let hint = format!("the limit is defined in {place}");
        // The TLS may use another laser.
        let is_certain = !unknown.get() || matches!(exceeded, LimitExceeded::NotJudged { .. });
        let message = exceeded.to_string();
        Some(if is_certain { Diagnostic::error(message) } else { Diagnostic::warning(message) }.hint(hint))
    }

    /// The settings beyond a limit. If the laser is unknown, this is an error only if the value is beyond the limits
    /// of all lasers.
    fn judge(&self, wanted: &Wanted) -> Option<Diagnostic> {
        let known = wanted.laser.map(|laser| self.check(wanted.of(Some(laser))));
        let (exceeded, place) = match known {
            Some(checked) => checked.err()?,
            None => {
                let (exceeded, place) = self.check(wanted.of(None)).err()?;
                if LASERS.into_iter().any(|laser| self.check(wanted.of(Some(laser))).is_ok()) {
                    let message = format!("{exceeded}, if this TLS uses the laser that has this limit");
                    let hint = format!("give the `laser` of the TLS; the limit is defined in {place}");
                    return Some(Diagnostic::warning(message).hint(hint));
                }
                (exceeded, place)
            }
        };
        let hint = format!("the limit is defined in {place}");
        Some(Diagnostic::error(exceeded.to_string()).hint(hint))
    }
}

/// A laser setting of a step.
struct Wanted {
    /// `None` if the recipe does not name the laser of the TLS.
    laser: Option<u8>,
    what: What,
}

#[derive(Clone, Copy)]
enum What {
    Power(f64),
    Wavelength(f64),
    Light,
}

impl Wanted {
    fn of(&self, laser: Option<u8>) -> Demand {
        match self.what {
            What::Power(dbm) => Demand::Power { laser, dbm },
            What::Wavelength(nm) => Demand::Wavelength { laser, nm },
            What::Light => Demand::Light { laser },
        }
    }
}

/// The steps that a run at this bench would refuse (errors) or may refuse (warnings).
#[must_use]
pub(super) fn check(
    steps: &[PlannedStep],
    limits: &BenchLimits,
    sources: &[Arc<SourceFile>],
) -> Vec<Diagnostic> {
    if limits.0.is_empty() {
        return Vec::new();
    }
    let (mut findings, mut bench) = (Findings::default(), BenchState::default());
    for planned in steps {
        bench.perform(&planned.step.operation);
        if let Some(scpi) = planned.step.operation.traits().raw
            && let Some(finding) = limits.judge_line(&scpi.text, &bench)
        {
            findings.add(&planned.step.place, "line", softened(finding, planned.may_differ));
        }
        for wanted in wanted(&planned.step.operation, &bench) {
            if let Some(finding) = limits.judge(&wanted) {
                let about = finding.message.clone();
                findings.add(&planned.step.place, about, softened(finding, planned.may_differ));
            }
        }
    }
    findings.located(sources)
}

fn wanted(operation: &Operation, bench: &BenchState) -> Vec<Wanted> {
    let (laser, demand, is_lit) = match operation.traits().lasers {
        Lasers::Static { laser, output, demand } => (Some(laser), demand, output == Some(true)),
        Lasers::Source { tls, laser, demand } => {
            (bench.sources.get(&tls).and_then(|source| source.laser), demand, laser.is_some())
        }
        // The settings of a scan are checked where they are set, and raw text by its commands.
        Lasers::None | Lasers::OfScan | Lasers::Any => return Vec::new(),
    };
    // Without a laser the TLS emits nothing.
    if laser == Some(0) {
        return Vec::new();
    }
    let power = demand.power_dbm.map(What::Power).into_iter();
    let wavelengths = demand.wavelengths_nm().map(What::Wavelength);
    let light = is_lit.then_some(What::Light);
    power.chain(wavelengths).chain(light).map(|what| Wanted { laser, what }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::forecast::{Circumstances, walk};
    use crate::recipe::Recipe;
    use crate::source::Severity;

    fn said(steps: &str) -> Vec<String> {
        let place = |line: u32, text: &str| PlacedLimit {
            limit: toml::from_str(text).unwrap(),
            place: format!("ctp10.toml:{line}"),
        };
        let mut limits = BenchLimits::default();
        limits.extend([
            place(2, "max_power_dbm = 8"),
            place(4, "[laser.1]\nmax_power_dbm = 6"),
            place(5, "[laser.1]\nwavelength_nm = [1520, 1600]"),
            place(7, "[laser.2]\noff = true"),
        ]);
        let recipe = Recipe::from_text("t.yaml", &format!("name: t\nsteps:\n{steps}"), None, &[]).unwrap();
        let walked = walk(|host| recipe.perform(host), recipe.sources(), Circumstances::default());
        let told = |found: &Diagnostic| {
            let kind = if found.severity == Severity::Error { "error" } else { "warning" };
            let at = found.hint.as_deref().unwrap_or_default().rsplit(' ').next().unwrap_or_default();
            let message = found.message.split(" (").next().unwrap_or_default();
            format!("{} {kind} {at}: {message}", found.place.as_ref().unwrap().1.line)
        };
        check(&walked.steps, &limits, recipe.sources()).iter().map(told).collect()
    }

    #[test]
    fn what_is_beyond_a_limit_is_an_error_with_the_line_of_the_limit() {
        for (step, found) in [
            ("configure_laser: { laser: 1, power_dbm: 6 }", vec![]),
            (
                "configure_laser: { laser: 1, power_dbm: 7 }",
                vec!["3 error ctp10.toml:4: 7 dBm of laser 1 is not allowed on this bench"],
            ),
            ("configure_laser: { laser: 3, power_dbm: 7 }", vec![]),
            (
                "configure_laser: { laser: 3, power_dbm: 9 }",
                vec!["3 error ctp10.toml:2: 9 dBm of laser 3 is not allowed on this bench"],
            ),
            (
                "configure_laser: { laser: 1, wavelength_nm: 1610 }",
                vec!["3 error ctp10.toml:5: 1610 nm of laser 1 is not allowed on this bench"],
            ),
            ("configure_laser: { laser: 2, output: false }", vec![]),
            (
                "configure_laser: { laser: 2, output: true }",
                vec!["3 error ctp10.toml:7: light of laser 2 is not allowed on this bench"],
            ),
            (
                "configure_tls: { tls: 1, laser: 1, stop_nm: 1610 }",
                vec!["3 error ctp10.toml:5: 1610 nm of laser 1 is not allowed on this bench"],
            ),
            (
                "configure_tls: { tls: 1, laser: 2 }",
                vec!["3 error ctp10.toml:7: light of laser 2 is not allowed on this bench"],
            ),
            ("configure_tls: { tls: 1, laser: 0, power_dbm: 9 }", vec![]),
            (
                "configure_tls: { tls: 1, power_dbm: 9 }",
                vec!["3 error ctp10.toml:2: 9 dBm is not allowed on this bench"],
            ),
            ("scpi: { command: 'CTP:RLAS1:POW 5DBM' }", vec![]),
            (
                "scpi: { command: 'CTP:RLAS1:POW 7DBM' }",
                vec!["3 error ctp10.toml:4: 7 dBm of laser 1 is not allowed on this bench"],
            ),
            (
                "scpi: { command: 'INIT:TLS1:ID 2.0' }",
                vec!["3 error ctp10.toml:7: light of laser 2 is not allowed on this bench"],
            ),
            (
                "scpi: { command: 'CTP:RLAS1:NONSENSE 7' }",
                vec!["3 error ctp10.toml:2: `CTP:RLAS1:NONSENSE 7` is refused because this bench has limits"],
            ),
            (
                "configure_tls: { tls: 1, power_dbm: 7 }",
                vec!["3 warning ctp10.toml:4: 7 dBm is not allowed on this bench"],
            ),
        ] {
            assert_eq!(said(&format!("  - {step}\n")), found, "{step}");
        }
        let earlier =
            "  - configure_tls: { tls: 1, laser: 1 }\n  - configure_tls: { tls: 1, power_dbm: 7 }\n";
        assert_eq!(said(earlier), ["4 error ctp10.toml:4: 7 dBm of laser 1 is not allowed on this bench"]);
    }
}
