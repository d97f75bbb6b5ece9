//! Live power. There is one poller per module, for any number of watchers. It reads between the exchanges of a run,
//! and uses the second connection if there is one. It sends no query without watchers, during a scan, or while the
//! instrument is unreachable.

mod panic;
mod poller;
mod update;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::watch;
use tokio::time::Instant;

pub(crate) use panic::{PAUSE_AFTER_PANIC, again_after_panic};
pub use update::{Cause, PowerUpdate, UpdateSchedule};

use crate::instrument::Ctp10;
use crate::measurement::{Detector, PowerReading, PowerUnit};

/// A refused power query blocks the link no longer than this.
const REFUSAL_AFTER: Duration = Duration::from_millis(800);
/// Channels that are always read. A recorder may request more.
const CHANNELS: std::ops::RangeInclusive<u8> = 1..=4;

/// The power of one module at one moment.
#[derive(Debug, Clone, PartialEq)]
pub struct PowerFrame {
    /// The module.
    pub module: u8,
    /// When the last channel was read, seconds since 1970-01-01 UTC. Decreases if the clock is set back.
    pub time_s: f64,
    /// The same moment on a clock that cannot be set. Decisions use this clock.
    pub at: Instant,
    /// The calibration wavelength, nm; `None` if the module does not report it.
    pub wavelength_nm: Option<f64>,
    /// The power of each channel, by number. Channels that cannot be read are missing.
    pub channels: BTreeMap<u8, ChannelPower>,
}

/// The power of one channel.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct ChannelPower {
    /// In `unit`; `None` if it was not finite.
    pub value: Option<f64>,
    /// The unit of the channel.
    pub unit: PowerUnit,
}

impl PowerFrame {
    /// The unit of the first channel, to which `value` converts.
    #[must_use]
    pub fn unit(&self) -> PowerUnit {
        self.channels.values().next().map_or(PowerUnit::Dbm, |first| first.unit)
    }

    /// The power of a channel in the unit of the frame. Zero power has no level in dBm.
    #[must_use]
    pub fn value(&self, channel: u8) -> Option<f64> {
        let power = self.channels.get(&channel)?;
        power.unit.convert(power.value?, self.unit())
    }

    /// The time since the last channel was read.
    #[must_use]
    pub fn age(&self) -> Duration {
        self.at.elapsed()
    }

    /// The reading of one detector of this module, in the unit of the detector.
    #[must_use]
    pub fn reading(&self, detector: Detector) -> Option<PowerReading> {
        let power = self.channels.get(&detector.channel).filter(|_| detector.module == self.module)?;
        Some(PowerReading {
            detector,
            value: power.value,
            unit: power.unit,
            calibration_nm: self.wavelength_nm,
            time_s: self.time_s,
        })
    }
}

/// What a poller publishes.
#[derive(Debug, Clone, Default, PartialEq)]
struct Published {
    frame: Option<Arc<PowerFrame>>,
    /// Number of commands sent before the frame was read.
    changes: u64,
    /// Why no channel can be read, if the instrument refuses.
    refused: Option<String>,
}

/// Reads power for all watchers.
#[derive(Debug, Clone)]
pub struct PowerMonitor {
    instrument: Ctp10,
    modules: Arc<Mutex<BTreeMap<u8, Module>>>,
}

#[derive(Debug)]
struct Module {
    published: watch::Sender<Published>,
    demands: watch::Sender<Demands>,
}

/// The requests of the watchers, by the number of the watch.
#[derive(Debug, Default)]
struct Demands {
    next: u64,
    open: BTreeMap<u64, (Duration, Vec<u8>)>,
}

impl Demands {
    /// The shortest requested interval; `None` without watchers.
    fn interval(&self) -> Option<Duration> {
        self.open.values().map(|(interval, _)| *interval).min()
    }

    fn channels(&self) -> Vec<u8> {
        let asked = self.open.values().flat_map(|(_, channels)| channels.iter().copied());
        let mut channels: Vec<u8> = CHANNELS.chain(asked).collect();
        channels.sort_unstable();
        channels.dedup();
        channels
    }
}

impl PowerMonitor {
    /// A monitor of this instrument. It must be created within a runtime, and sends no query yet.
    #[must_use]
    pub fn new(instrument: &Ctp10) -> Self {
        Self { instrument: instrument.observer().polling(REFUSAL_AFTER), modules: Arc::default() }
    }

    /// Watches a module at the given interval. `channels`: channels to read in addition to the first four.
    #[must_use]
    pub fn watch(&self, module: u8, interval: Duration, channels: &[u8]) -> PowerWatch {
        let mut modules = self.modules();
        let entry = modules.entry(module).or_insert_with(|| {
            let made = Module {
                published: watch::Sender::default(),
                demands: watch::Sender::new(Demands::default()),
            };
            let (instrument, published) = (self.instrument.clone(), made.published.clone());
            let demands = made.demands.subscribe();
            // The poller ends with the runtime. Without watchers, it waits for the next one.
            tokio::spawn(again_after_panic("the power poller", PAUSE_AFTER_PANIC, move || {
                poller::Poller::new(module, instrument.clone(), published.clone()).poll(demands.clone())
            }));
            made
        });
        let published = entry.published.subscribe();
        let mut number = 0;
        entry.demands.send_modify(|demands| {
            number = demands.next;
            demands.next += 1;
            demands.open.insert(number, (interval, channels.to_vec()));
        });
        PowerWatch { monitor: self.clone(), module, number, published }
    }

    /// The last frame of a module, of any age.
    #[must_use]
    pub fn latest(&self, module: u8) -> Option<Arc<PowerFrame>> {
        self.modules().get(&module)?.published.borrow().frame.clone()
    }

    fn modules(&self) -> MutexGuard<'_, BTreeMap<u8, Module>> {
        self.modules.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// One watcher of a module. The module is polled only while it has watchers.
#[derive(Debug)]
pub struct PowerWatch {
    monitor: PowerMonitor,
    module: u8,
    number: u64,
    published: watch::Receiver<Published>,
}

impl Drop for PowerWatch {
    fn drop(&mut self) {
        if let Some(module) = self.monitor.modules().get(&self.module) {
            module.demands.send_modify(|demands| drop(demands.open.remove(&self.number)));
        }
    }
}
