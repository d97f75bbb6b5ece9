//! Traces from formulas, and traces from files.

use std::path::{Path, PathBuf};

use crate::analysis::Trace;
use crate::analysis::figure::Figure;
use crate::analysis::request::{Analysis, Request, Wanted, analyze};

/// Wavelengths and levels, owned.
#[derive(Debug, Clone)]
pub(super) struct Owned {
    pub(super) nm: Vec<f64>,
    pub(super) db: Vec<f64>,
}

impl Owned {
    /// A trace from a formula: linear power over wavelength.
    pub(super) fn sampled(from_nm: f64, to_nm: f64, step_pm: f64, power: impl Fn(f64) -> f64) -> Self {
        let points = ((to_nm - from_nm) * 1e3 / step_pm).round() as usize + 1;
        let nm: Vec<f64> = (0..points).map(|point| from_nm + step_pm * 1e-3 * point as f64).collect();
        let db = nm.iter().map(|nm| 10.0 * power(*nm).log10()).collect();
        Self { nm, db }
    }

    /// The same with noise: of the level, as from a laser, and of the power, as from a detector.
    pub(super) fn noisy(mut self, level_db: f64, power: f64) -> Self {
        let mut random = Random(7);
        for level in &mut self.db {
            let seen = 10f64.powf(*level / 10.0) + power * random.normal();
            *level = 10.0 * seen.max(1e-9).log10() + level_db * random.normal();
        }
        self
    }

    pub(super) fn trace(&self) -> Trace<'_> {
        Trace::listed(&self.nm, &self.db).unwrap()
    }

    pub(super) fn analyze(&self, figures: &str, request: Request) -> Analysis {
        analyze(&self.trace(), &Request { wanted: wanted(figures), ..request }).unwrap()
    }
}

/// The groups of figures as on the command line.
pub(super) fn wanted(figures: &str) -> Vec<Wanted> {
    figures.split(',').map(|figure| figure.parse().unwrap()).collect()
}

/// The figures of a name.
pub(super) fn named<'a>(analysis: &'a Analysis, name: &str) -> Vec<&'a Figure> {
    let found: Vec<&Figure> = analysis.figures.iter().filter(|figure| figure.name == name).collect();
    assert!(!found.is_empty(), "there is no {name} in {:#?}", analysis.figures);
    found
}

/// The values of a name; all must be measured.
pub(super) fn values(analysis: &Analysis, name: &str) -> Vec<f64> {
    let value = |figure: &Figure| figure.value.unwrap_or_else(|| panic!("{figure:#?}"));
    named(analysis, name).into_iter().map(value).collect()
}

/// The reason why the only figure of a name was not measured.
pub(super) fn reason(analysis: &Analysis, name: &str) -> String {
    let found = named(analysis, name);
    assert!(found.iter().all(|figure| figure.value.is_none()), "{found:#?}");
    found[0].not_measured.clone().unwrap()
}

/// Deviates that are the same in every test run.
pub(super) struct Random(pub(super) u64);

impl Random {
    pub(super) fn uniform(&mut self) -> f64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        ((self.0 >> 11) as f64 + 0.5) / (1u64 << 53) as f64
    }

    pub(super) fn normal(&mut self) -> f64 {
        (-2.0 * self.uniform().ln()).sqrt() * (std::f64::consts::TAU * self.uniform()).cos()
    }
}

/// A measured spectrum; `None`, and a line on stderr, where the folder does not exist.
pub(super) fn spectrum(name: &str) -> Option<Owned> {
    let path: PathBuf = Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/spectra").join(name);
    let Ok(text) = std::fs::read_to_string(&path) else {
        eprintln!("skipped: {} does not exist", path.display());
        return None;
    };
    let rows = text.lines().skip(1).map(|line| line.split_once(',').unwrap());
    let (nm, db) = rows.map(|(nm, db)| (nm.parse::<f64>().unwrap(), db.parse::<f64>().unwrap())).unzip();
    Some(Owned { nm, db })
}
