//! The phases of a scan: waiting, scanning, analyzing, idle.
//!
//! There is no timer. Each access first advances the state to the present time.

use std::time::{Duration, Instant};

use chrono::Local;
use sha2::{Digest, Sha256};

use super::errors::Rejection;
use super::hardware::PRIMARY_MODULES;
use super::optics::Light;
use super::options::{LasersAfterScan, Noise, OpticalPath, TlsRange};
use super::registers::condition;
use super::state::{Place, Reference, SimulatorState};
use super::trace::{Recorded, Source};

/// Duration of the analysis after a scan.
const ANALYZING_TIME: Duration = Duration::from_millis(200);
/// Duration of an abort.
const ABORTING_TIME: Duration = Duration::from_millis(50);
/// A scan waits this long for the Controller, for the setup from it, and for the secondary mainframe.
const PREPARING_TIME: Duration = Duration::from_millis(100);
/// The busy register of a scan lasts at least this long with any time scale, so that clients can see it.
const SHORTEST_SCAN: Duration = Duration::from_millis(40);
/// Makes the noise of a quick reference different from the noise of its scan.
const QUICK_REFERENCE_KEY: u64 = 0x51C3_0F2E_77A9_4D1B;

/// A scan that was started.
#[derive(Debug)]
pub(super) struct Scan {
    number: u64,
    /// When the sweep began.
    since: Instant,
    /// `None`: a scan that never ends.
    scanning: Option<Duration>,
    reference: Option<Place>,
    /// The laser of each source of the record.
    lasers: Vec<u8>,
    record: Recorded,
}

/// The activity of the instrument.
#[derive(Debug)]
pub(super) enum Phase {
    Idle,
    /// Prepares a scan.
    Waiting {
        scan: Scan,
        step: Preparation,
        until: Instant,
    },
    Scanning(Scan),
    Analyzing {
        scan: Scan,
        until: Instant,
    },
    Aborting {
        number: u64,
        until: Instant,
    },
}

/// The steps before a scan, in this order. Not every unit has each of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Preparation {
    /// A Distributed unit waits for its Controller.
    Controller,
    /// A Distributed unit takes the setup from its Controller.
    Setup,
    /// The secondary mainframe takes the setup.
    DaisyChain,
}

impl Phase {
    fn condition(&self) -> u16 {
        let referencing = |scan: &Scan| if scan.reference.is_some() { condition::REFERENCING } else { 0 };
        match self {
            Self::Idle => 0,
            Self::Waiting { step: Preparation::Controller, .. } => condition::WAITING_FOR_CONTROLLER,
            Self::Waiting { step: Preparation::Setup, .. } => condition::UPDATING_SETUP,
            Self::Waiting { step: Preparation::DaisyChain, .. } => condition::UPDATING_DAISY_CHAIN,
            Self::Scanning(scan) => condition::SCANNING | referencing(scan),
            Self::Analyzing { scan, .. } => condition::ANALYZING | referencing(scan),
            Self::Aborting { .. } => condition::ABORTING,
        }
    }
}

/// The range of a scan with the present settings.
struct Extent {
    sources: Vec<Source>,
    lasers: Vec<u8>,
    seconds: f64,
    start_nm: f64,
    step_pm: f64,
    points: u64,
}

impl SimulatorState {
    /// Advances the state to the present time.
    pub(super) fn advance_to_now(&mut self) {
        let now = Instant::now();
        while let Some(until) = self.phase_ends().filter(|until| now >= *until) {
            match std::mem::replace(&mut self.phase, Phase::Idle) {
                Phase::Idle => {}
                Phase::Waiting { scan, step, .. } => {
                    let after = Some(step);
                    self.prepare(Scan { since: until, ..scan }, after);
                }
                Phase::Scanning(scan) => {
                    self.light_down(&scan);
                    let until = until + self.scaled(ANALYZING_TIME);
                    self.enter(Phase::Analyzing { scan, until });
                }
                Phase::Analyzing { scan, .. } => self.finish(scan),
                Phase::Aborting { .. } => self.status.complete(),
            }
        }
    }

    /// When the present phase ends.
    fn phase_ends(&self) -> Option<Instant> {
        match &self.phase {
            Phase::Idle => None,
            Phase::Scanning(scan) => scan.scanning.map(|scanning| scan.since + scanning),
            Phase::Waiting { until, .. } | Phase::Analyzing { until, .. } | Phase::Aborting { until, .. } => {
                Some(*until)
            }
        }
    }

    fn enter(&mut self, phase: Phase) {
        self.phase = phase;
        self.status.operation(self.phase.condition());
    }

    /// Enters the next preparation of a scan after this one, or starts to scan.
    fn prepare(&mut self, scan: Scan, after: Option<Preparation>) {
        let is_daisy_chained = self.options.modules.iter().any(|module| !PRIMARY_MODULES.contains(module));
        let next = match after {
            None if self.options.distributed => Some(Preparation::Controller),
            Some(Preparation::Controller) => Some(Preparation::Setup),
            None | Some(Preparation::Setup) => Some(Preparation::DaisyChain).filter(|_| is_daisy_chained),
            Some(Preparation::DaisyChain) => None,
        };
        match next {
            Some(step) => {
                let until = scan.since + self.scaled(PREPARING_TIME);
                self.enter(Phase::Waiting { scan, step, until });
            }
            None => self.light_up(scan),
        }
    }

    fn light_up(&mut self, scan: Scan) {
        for laser in &scan.lasers {
            if let Some(laser) = self.lasers.get_mut(laser) {
                laser.on = true;
            }
        }
        self.enter(Phase::Scanning(scan));
    }

    fn light_down(&mut self, scan: &Scan) {
        if self.options.lasers_after_scan == LasersAfterScan::Actual {
            for (number, source) in scan.lasers.iter().zip(&scan.record.sources) {
                if let Some(laser) = self.lasers.get_mut(number) {
                    (laser.nm, laser.dbm) = (source.stop_nm, source.dbm);
                }
            }
        }
        self.lasers_off();
    }

    /// Turns the lasers off, unless they stay on after a scan.
    fn lasers_off(&mut self) {
        for laser in self.lasers.values_mut().filter(|_| !self.keep_on) {
            laser.on = false;
        }
    }

    fn finish(&mut self, scan: Scan) {
        self.keep(scan.reference, scan.record);
        self.status.complete();
        if self.continuous && scan.reference.is_none() {
            // If the scan cannot start again, the reason is in the error queue.
            let _ = self.start_scan(None);
        }
    }

    /// Stores a recording in the trace memory. Every scan also records a quick reference.
    fn keep(&mut self, reference: Option<Place>, record: Recorded) {
        self.quick_reference = Some(Recorded {
            path: OpticalPath::PatchCord,
            noise_key: record.noise_key ^ QUICK_REFERENCE_KEY,
            ..record.clone()
        });
        match reference {
            Some(place) => {
                let sweeps = self.options.reference_sweeps;
                let reference = Reference { recorded: record, sweeps, taken: Local::now().naive_local() };
                self.references.insert(place, reference);
            }
            None => self.live = Some(record),
        }
    }

    /// Stores a trace and the references of all detectors, as if they had just been recorded.
    pub(super) fn preload(&mut self) {
        let places: Vec<Place> = self.detectors.keys().copied().collect();
        for reference in places.into_iter().map(Some).chain([None]) {
            if let Ok(extent) = self.extent() {
                let record = self.record(&extent, reference);
                self.keep(reference, record);
            }
        }
    }

    /// The operation condition register.
    pub(super) fn condition(&mut self) -> u16 {
        self.advance_to_now();
        self.phase.condition()
    }

    pub(super) fn is_idle(&mut self) -> bool {
        self.condition() == 0
    }

    /// Whether a scan is in progress that must not be disturbed. Analysis and abort end soon by themselves.
    pub(super) fn is_scanning(&mut self) -> bool {
        self.advance_to_now();
        matches!(self.phase, Phase::Scanning(_) | Phase::Waiting { .. })
    }

    /// The number of the scan in progress.
    pub(super) fn busy_with(&mut self) -> Option<u64> {
        self.advance_to_now();
        match &self.phase {
            Phase::Idle => None,
            Phase::Waiting { scan, .. } | Phase::Scanning(scan) | Phase::Analyzing { scan, .. } => {
                Some(scan.number)
            }
            Phase::Aborting { number, .. } => Some(*number),
        }
    }

    /// Starts a scan of the device, or of the path of a reference.
    pub(super) fn start_scan(&mut self, reference: Option<Place>) -> Result<(), Rejection> {
        if !self.is_idle() {
            return Err(Rejection::InitIgnored);
        }
        let extent = self.extent()?;
        let record = self.record(&extent, reference);
        let sweeps = if reference.is_some() { self.options.reference_sweeps } else { 1 };
        let seconds = Duration::from_secs_f64((extent.seconds + self.settle_s) * f64::from(sweeps));
        let scan = Scan {
            number: self.scans,
            since: Instant::now(),
            scanning: Some(self.scaled(seconds).max(SHORTEST_SCAN)),
            reference,
            lasers: extent.lasers,
            record,
        };
        self.prepare(scan, None);
        Ok(())
    }

    fn record(&mut self, extent: &Extent, reference: Option<Place>) -> Recorded {
        self.scans += 1;
        let path = if reference.is_some() { self.options.reference_path } else { OpticalPath::Device };
        let mut record = Recorded {
            start_nm: extent.start_nm,
            step_pm: extent.step_pm,
            points: extent.points,
            sources: extent.sources.clone(),
            path,
            device: self.chip.device(),
            noise_key: 0,
        };
        record.noise_key = self.noise_key(&record, reference.is_some());
        if reference.is_none() {
            record.sources.iter_mut().skip(1).for_each(|source| source.dbm -= self.options.seam_db);
        }
        record
    }

    /// Prevents the started scan from ending.
    pub(super) fn prolong_scan(&mut self) {
        if let Phase::Scanning(scan) | Phase::Waiting { scan, .. } = &mut self.phase {
            scan.scanning = None;
        }
    }

    pub(super) fn abort(&mut self) {
        if let Some(number) = self.busy_with() {
            self.lasers_off();
            let until = Instant::now() + self.scaled(ABORTING_TIME);
            self.enter(Phase::Aborting { number, until });
        }
    }

    /// The light of the scan at this moment, and what the scan records.
    pub(super) fn moving_light(&self) -> Option<(&Recorded, Light)> {
        let Phase::Scanning(scan) = &self.phase else { return None };
        let share = scan.scanning.map_or(0.5, |all| scan.since.elapsed().as_secs_f64() / all.as_secs_f64());
        let sources = &scan.record.sources;
        let mut left_nm = share.clamp(0.0, 1.0)
            * sources.iter().map(|source| source.stop_nm - source.start_nm).sum::<f64>();
        for source in sources {
            let nm = source.start_nm + left_nm;
            if nm <= source.stop_nm {
                return Some((&scan.record, Light { nm, dbm: source.dbm }));
            }
            left_nm -= source.stop_nm - source.start_nm;
        }
        sources.last().map(|source| (&scan.record, Light { nm: source.stop_nm, dbm: source.dbm }))
    }

    fn extent(&self) -> Result<Extent, Rejection> {
        let (mut sources, mut lasers, mut seconds) = (Vec::new(), Vec::new(), 0.0);
        for tls in &self.tls {
            let Some(laser) = self.lasers.get(&tls.laser) else { continue };
            let start_nm = tls.start_nm.max(self.start_nm).max(laser.model.band_nm.0);
            let stop_nm = tls.stop_nm.min(self.stop_nm).min(laser.model.band_nm.1);
            if start_nm < stop_nm {
                seconds += (stop_nm - start_nm) / tls.speed_nm_s;
                sources.push(Source { start_nm, stop_nm, dbm: tls.dbm });
                lasers.push(tls.laser);
            }
        }
        if self.options.tls_range == TlsRange::Refuse && !self.is_covered(&sources) {
            return Err(Rejection::SettingsConflict);
        }
        let (start_nm, step_pm, points) = self.grid(&sources)?;
        Ok(Extent { sources, lasers, seconds, start_nm, step_pm, points })
    }

    /// First wavelength, step and number of the samples between the ends of the sources. A gap between two sources stays
    /// dark. A fixed number of points is spread from end to end.
    fn grid(&self, sources: &[Source]) -> Result<(f64, f64, u64), Rejection> {
        // In steps from the start of the scan; what differs from a whole number by rounding only is whole.
        let reached = |nm: f64| {
            let steps = (nm - self.start_nm) * 1e3 / self.step_pm;
            if (steps - steps.round()).abs() <= 1e-6 { steps.round() } else { steps }
        };
        let start_nm = sources.iter().map(|source| source.start_nm).fold(f64::INFINITY, f64::min);
        let stop_nm = sources.iter().map(|source| source.stop_nm).fold(f64::NEG_INFINITY, f64::max);
        let (start, stop) = (reached(start_nm), reached(stop_nm));
        let (first, last) =
            if self.options.points.is_some() { (start, stop) } else { (start.ceil(), stop.floor()) };
        if !(first < last && last.is_finite()) {
            return Err(Rejection::SettingsConflict);
        }
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "positive and below 2^32"
        )]
        let points = self.options.points.unwrap_or((last - first) as u64 + 1);
        let first_nm = if first > 0.0 { self.start_nm + first * self.step_pm * 1e-3 } else { self.start_nm };
        #[expect(clippy::cast_precision_loss, reason = "point counts stay far below 2^53")]
        let step_pm = self.step_pm * ((last - first) / (points - 1) as f64);
        Ok((first_nm, step_pm, points))
    }

    /// Whether the sources cover the scan from start to stop without a gap.
    fn is_covered(&self, sources: &[Source]) -> bool {
        let mut sources: Vec<&Source> = sources.iter().collect();
        sources.sort_by(|a, b| a.start_nm.total_cmp(&b.start_nm));
        let mut reached = self.start_nm;
        for source in sources {
            if source.start_nm > reached {
                return false;
            }
            reached = reached.max(source.stop_nm);
        }
        reached >= self.stop_nm
    }

    /// The key for the noise of a scan. It is a digest, so that a seed gives the same samples in every release.
    fn noise_key(&self, record: &Recorded, reference: bool) -> u64 {
        let about = match self.options.noise {
            Noise::Fresh => format!("{} {reference} {}", self.options.seed, self.scans),
            Noise::BySettings => format!("{} {reference} {}", self.options.seed, record.settings()),
        };
        let digest = Sha256::digest(about.as_bytes());
        digest.iter().take(8).fold(0, |key, byte| key << 8 | u64::from(*byte))
    }
}
