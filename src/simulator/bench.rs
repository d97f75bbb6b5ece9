//! The instrument's state over time: settings, lasers, detectors, the scan under way, what was recorded.
//!
//! Time is not ticked: whoever looks brings the state up to date first.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use chrono::{Local, NaiveDateTime};
use sha2::{Digest, Sha256};

use super::device::Device;
use super::errors::{ErrorQueue, Rejection};
use super::optics::{Light, NoiseSequence, Port, detect, power_mw};
use super::options::{Noise, OpticalPath, SimulatorOptions};
use super::trace::{Recorded, Source};

/// What a laser can do.
#[derive(Debug, Clone, Copy)]
pub(super) struct LaserModel {
    pub(super) identity: &'static str,
    pub(super) band_nm: (f64, f64),
    pub(super) power_dbm: (f64, f64),
    pub(super) speeds_nm_s: &'static [f64],
}

/// Laser 1, C and L band.
const T100S_HP: LaserModel = LaserModel {
    identity: "EXFO,T100S-HP,SIMULATED,6.06",
    band_nm: (1500.0, 1630.0),
    power_dbm: (-10.0, 10.0),
    speeds_nm_s: &[
        5.0, 6.0, 7.0, 8.0, 9.0, 10.0, 11.0, 12.0, 13.0, 14.0, 15.0, 17.0, 18.0, 20.0, 22.0, 25.0, 29.0,
        33.0, 40.0, 50.0, 67.0, 100.0,
    ],
};

/// Laser 2, O band.
const T200S_O_M: LaserModel = LaserModel {
    identity: "EXFO,T200S-O-M,SIMULATED,2.11",
    band_nm: (1260.0, 1360.0),
    power_dbm: (-10.0, 10.0),
    speeds_nm_s: &[10.0, 20.0, 50.0, 100.0, 200.0],
};

/// The instrument's own range of wavelengths, nm.
pub(super) const RANGE_NM: (f64, f64) = (1240.0, 1680.0);
/// Analyzing follows scanning and takes this long.
const ANALYZING: Duration = Duration::from_millis(200);
/// Aborting is over after this.
const ABORTING: Duration = Duration::from_millis(50);
/// However short the time scale makes a scan, its busy register lasts this long, so that it can be seen.
const SHORTEST_SCAN: Duration = Duration::from_millis(40);

/// A laser of the bench.
#[derive(Debug, Clone)]
pub(super) struct Laser {
    pub(super) model: LaserModel,
    pub(super) dbm: f64,
    pub(super) nm: f64,
    pub(super) on: bool,
}

/// One tunable laser source of the scan.
#[derive(Debug, Clone)]
pub(super) struct Tls {
    pub(super) laser: u8,
    pub(super) start_nm: f64,
    pub(super) stop_nm: f64,
    pub(super) speed_nm_s: f64,
    pub(super) dbm: f64,
    pub(super) trigger: u8,
}

/// A detector, by module and channel.
pub(super) type Place = (u8, u8);

/// A detector's own settings.
#[derive(Debug, Clone)]
pub(super) struct Detector {
    pub(super) port: Port,
    pub(super) milliwatts: bool,
    pub(super) frequency: bool,
    pub(super) nm: f64,
    pub(super) trigger: u8,
}

/// A reference that was recorded.
#[derive(Debug, Clone)]
pub(super) struct Reference {
    pub(super) recorded: Recorded,
    pub(super) taken: NaiveDateTime,
}

#[derive(Debug)]
enum Phase {
    Idle,
    /// A scan without a duration never ends.
    Busy {
        since: Instant,
        scanning: Option<Duration>,
        reference: Option<Place>,
        record: Recorded,
    },
    Aborting {
        until: Instant,
    },
}

/// The whole instrument.
#[derive(Debug)]
pub(super) struct Bench {
    pub(super) options: SimulatorOptions,
    pub(super) device: Device,
    pub(super) errors: ErrorQueue,
    pub(super) lasers: BTreeMap<u8, Laser>,
    pub(super) tls: [Tls; 4],
    pub(super) detectors: BTreeMap<Place, Detector>,
    pub(super) start_nm: f64,
    pub(super) stop_nm: f64,
    pub(super) step_pm: f64,
    pub(super) keep_on: bool,
    pub(super) settle_s: f64,
    pub(super) continuous: bool,
    pub(super) live: Option<Recorded>,
    pub(super) references: BTreeMap<Place, Reference>,
    phase: Phase,
    scans: u64,
    readings: u64,
}

impl Bench {
    pub(super) fn new(options: SimulatorOptions, device: Device) -> Self {
        let laser = |model: LaserModel, nm| Laser { model, dbm: 0.0, nm, on: false };
        let source = |laser, (start_nm, stop_nm)| Tls {
            laser,
            start_nm,
            stop_nm,
            speed_nm_s: 50.0,
            dbm: 0.0,
            trigger: 0,
        };
        let port = |module, channel| match (module, channel) {
            (4, 3) => Port::Laser,
            (4, 4) => Port::Reflection,
            _ => Port::Output(channel),
        };
        let detector = |module, channel| {
            let port = port(module, channel);
            (
                (module, channel),
                Detector { port, milliwatts: false, frequency: false, nm: 1550.0, trigger: 0 },
            )
        };
        Self {
            options,
            device,
            errors: ErrorQueue::default(),
            lasers: BTreeMap::from([(1, laser(T100S_HP, 1550.0)), (2, laser(T200S_O_M, 1310.0))]),
            tls: [
                source(1, T100S_HP.band_nm),
                source(2, T200S_O_M.band_nm),
                source(0, T100S_HP.band_nm),
                source(0, T100S_HP.band_nm),
            ],
            detectors: (4..=5)
                .flat_map(|module| (1..=4).map(move |channel| detector(module, channel)))
                .collect(),
            start_nm: 1520.0,
            stop_nm: 1580.0,
            step_pm: 10.0,
            keep_on: false,
            settle_s: 0.0,
            continuous: false,
            live: None,
            references: BTreeMap::new(),
            phase: Phase::Idle,
            scans: 0,
            readings: 0,
        }
    }

    /// Back to the state at power-on; noise does not repeat for all that.
    pub(super) fn restart(&mut self) {
        let fresh = Self::new(self.options.clone(), self.device.clone());
        *self = Self { scans: self.scans, readings: self.readings, ..fresh };
    }

    /// A duration as this bench takes it.
    pub(super) fn scaled(&self, time: Duration) -> Duration {
        time.mul_f64(self.options.time_scale)
    }

    /// Brings the state up to the present.
    pub(super) fn settle(&mut self) {
        let now = Instant::now();
        match &self.phase {
            Phase::Busy { since, scanning: Some(scanning), .. }
                if now >= *since + *scanning + self.scaled(ANALYZING) =>
            {
                let Phase::Busy { reference, record, .. } = std::mem::replace(&mut self.phase, Phase::Idle)
                else {
                    return;
                };
                self.finish_scan(reference, record);
            }
            Phase::Aborting { until } if now >= *until => self.phase = Phase::Idle,
            _ => {}
        }
    }

    fn finish_scan(&mut self, reference: Option<Place>, record: Recorded) {
        for laser in self.lasers.values_mut().filter(|_| !self.keep_on) {
            laser.on = false;
        }
        match reference {
            Some(place) => {
                let reference = Reference { recorded: record, taken: Local::now().naive_local() };
                self.references.insert(place, reference);
            }
            None => self.live = Some(record),
        }
        if self.continuous && reference.is_none() {
            // What cannot start again has said why in the error queue.
            let _ = self.start_scan(None);
        }
    }

    /// The operation condition register.
    pub(super) fn condition(&mut self) -> u16 {
        self.settle();
        match &self.phase {
            Phase::Idle => 0,
            Phase::Busy { since, scanning, reference, .. } => {
                let referencing = if reference.is_some() { 64 } else { 0 };
                let over = scanning.is_some_and(|scanning| since.elapsed() >= scanning);
                referencing | if over { 8 } else { 4 }
            }
            Phase::Aborting { .. } => 16,
        }
    }

    pub(super) fn is_idle(&mut self) -> bool {
        self.condition() == 0
    }

    /// Starts a scan: of the device, or of what is in a reference's path.
    pub(super) fn start_scan(&mut self, reference: Option<Place>) -> Result<(), Rejection> {
        if !self.is_idle() {
            return Err(Rejection::InitIgnored);
        }
        let (mut sources, mut lit) = (Vec::new(), Vec::new());
        let mut sweeping = 0.0;
        for tls in &self.tls {
            let Some(laser) = self.lasers.get(&tls.laser) else { continue };
            let start_nm = tls.start_nm.max(self.start_nm).max(laser.model.band_nm.0);
            let stop_nm = tls.stop_nm.min(self.stop_nm).min(laser.model.band_nm.1);
            if start_nm < stop_nm {
                sweeping += (stop_nm - start_nm) / tls.speed_nm_s;
                sources.push(Source { start_nm, stop_nm, dbm: tls.dbm });
                lit.push(tls.laser);
            }
        }
        if !self.is_covered(&sources) {
            return Err(Rejection::SettingsConflict);
        }
        self.scans += 1;
        let path = if reference.is_some() { self.options.reference_path } else { OpticalPath::Device };
        let mut record = Recorded {
            start_nm: self.start_nm,
            step_pm: self.step_pm,
            points: self.points(),
            sources,
            path,
            noise_key: 0,
        };
        record.noise_key = self.noise_key(&record, reference.is_some());
        for laser in lit {
            if let Some(laser) = self.lasers.get_mut(&laser) {
                laser.on = true;
            }
        }
        let scanning = self.scaled(Duration::from_secs_f64(sweeping + self.settle_s)).max(SHORTEST_SCAN);
        self.phase = Phase::Busy { since: Instant::now(), scanning: Some(scanning), reference, record };
        Ok(())
    }

    /// Keeps the scan that has started from ending by itself.
    pub(super) fn hang(&mut self) {
        if let Phase::Busy { scanning, .. } = &mut self.phase {
            *scanning = None;
        }
    }

    /// Whether the sources reach from the scan's start to its stop without a gap.
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

    /// Points of a scan with the present settings.
    fn points(&self) -> u64 {
        let steps = ((self.stop_nm - self.start_nm) * 1e3 / self.step_pm + 1e-6).floor();
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "positive and below 2^32"
        )]
        let points = steps as u64 + 1;
        self.options.points.unwrap_or(points)
    }

    /// Names the noise of a scan. A digest, so that the samples of a seed stay the same from release to release.
    fn noise_key(&self, record: &Recorded, reference: bool) -> u64 {
        let about = match self.options.noise {
            Noise::Fresh => format!("{} {reference} {}", self.options.seed, self.scans),
            Noise::BySettings => format!("{} {reference} {record:?}", self.options.seed),
        };
        let digest = Sha256::digest(about.as_bytes());
        digest.iter().take(8).fold(0, |key, byte| key << 8 | u64::from(*byte))
    }

    pub(super) fn abort(&mut self) {
        if !self.is_idle() {
            for laser in self.lasers.values_mut().filter(|_| !self.keep_on) {
                laser.on = false;
            }
            self.phase = Phase::Aborting { until: Instant::now() + self.scaled(ABORTING) };
        }
    }

    /// A static power reading, mW.
    pub(super) fn power_mw(&mut self, place: Place) -> Result<f64, Rejection> {
        if !self.is_idle() {
            return Err(Rejection::SettingsConflict);
        }
        let port = self.detector(place)?.port;
        let lit =
            self.lasers.values().filter(|laser| laser.on).map(|laser| Light { nm: laser.nm, dbm: laser.dbm });
        let power = lit.map(|light| power_mw(&self.device, OpticalPath::Device, port, light)).sum();
        let index = match self.options.noise {
            Noise::Fresh => {
                self.readings += 1;
                self.readings
            }
            Noise::BySettings => u64::from(place.1),
        };
        Ok(detect(power, NoiseSequence::new(self.options.seed ^ 0x5EED).at(index)))
    }

    pub(super) fn laser(&mut self, number: u32) -> Result<&mut Laser, Rejection> {
        let number = u8::try_from(number).map_err(|_| Rejection::HardwareMissing)?;
        self.lasers.get_mut(&number).ok_or(Rejection::HardwareMissing)
    }

    pub(super) fn tls(&mut self, number: u32) -> Result<&mut Tls, Rejection> {
        let index = usize::try_from(number).unwrap_or_default().wrapping_sub(1);
        self.tls.get_mut(index).ok_or(Rejection::HardwareMissing)
    }

    pub(super) fn detector(&mut self, place: Place) -> Result<&mut Detector, Rejection> {
        self.detectors.get_mut(&place).ok_or(Rejection::HardwareMissing)
    }

    /// What the laser of a TLS can do; any CTP10 laser's range where it has none.
    pub(super) fn model_of(&mut self, tls: u32) -> Result<LaserModel, Rejection> {
        let laser = self.tls(tls)?.laser;
        Ok(self.lasers.get(&laser).map_or(T100S_HP, |laser| laser.model))
    }
}
