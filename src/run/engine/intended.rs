//! Sees to it that the instrument is set to what the run intends: what it has at the beginning is read, what it says
//! before and after each scan is compared, and what it has forgotten is set again.

use std::collections::BTreeSet;

use crate::instrument::scpi::Action;
use crate::instrument::setting::Setting;
use crate::instrument::{ScanSettings, TLS};
use crate::operation::Operation;
use crate::run::engine::Engine;
use crate::run::events::RunEvent;
use crate::run::state::configuration::{Difference, Kept, Settings};
use crate::step::{Fault, FaultKind};
use crate::store::Durability;

/// What is put back may move something else: after so many rounds it is not to be put back.
const ROUNDS: usize = 3;
/// A message names so many settings.
const NAMED: usize = 10;

impl Engine {
    /// Reads what the instrument is set to before the run has changed anything: a restart would lose it.
    pub(in crate::run) async fn know_settings(&mut self) -> Result<(), Fault> {
        while !self.session.configuration.is_known {
            let scan = self.scan_settings().await?;
            let mut found = self.found(&scan).await?;
            let unknown = |setting: &Setting| !found.iter().any(|found| found.setting() == Some(*setting));
            let lasers = self.uses.lasers.iter().copied().flat_map(Setting::of_laser);
            let detectors = self.uses.detectors.iter().copied().flat_map(Setting::of_detector);
            let others: BTreeSet<Setting> = lasers.chain(detectors).filter(unknown).collect();
            found.extend(self.read(others).await?);
            if self.link_was_lost() {
                // It may have been switched off and on meanwhile.
                Box::pin(self.make_good()).await?;
                continue;
            }
            let (news, _) = self.session.configuration.compare(found);
            self.session.configuration.all_asked();
            self.tell_settings(&news, true)?;
        }
        Ok(())
    }

    /// Asks the instrument what the run has made of it where only the instrument can tell.
    pub(in crate::run) async fn learn_settings(&mut self) -> Result<(), Fault> {
        if !self.session.configuration.is_known || !self.session.configuration.is_doubtful() {
            return Ok(());
        }
        let scan = self.scan_settings().await?;
        let found = self.found(&scan).await?;
        let (news, _) = self.session.configuration.compare(found);
        self.session.configuration.all_asked();
        self.tell_settings(&news, false)
    }

    /// Fails when the instrument is not set to what the run intends: another client or the front panel has changed it.
    pub(in crate::run) async fn compare_settings(&mut self, scan: &ScanSettings) -> Result<(), Fault> {
        let found = self.found(scan).await?;
        let (news, differences) = self.session.configuration.compare(found);
        self.tell_settings(&news, false)?;
        if differences.is_empty() {
            return Ok(());
        }
        let message = format!("the instrument is not set to what the run intends: {}", list(&differences));
        let hint = "another client or the front panel has changed it";
        Err(Fault::new(FaultKind::Instrument, message).hint(hint))
    }

    /// The values of a scan's settings, and of all others that the run knows of.
    async fn found(&self, scan: &ScanSettings) -> Result<Vec<Action>, Fault> {
        let mut found = values(scan);
        let is_new = |setting: &Setting| !found.iter().any(|found| found.setting() == Some(*setting));
        let configuration = &self.session.configuration;
        let known = configuration.settings.values().filter_map(Action::setting);
        let lit = configuration.lit();
        let emits = |laser: &u8| lit.contains(laser) || scan.lasers().any(|of_scan| of_scan == *laser);
        let wanted = known.chain([Setting::ScanMode]).filter(|setting| match setting {
            // What a dark laser would emit is nobody's concern.
            Setting::LaserPower(laser) | Setting::LaserWavelength(laser) => emits(laser),
            // Of a TLS without a laser nothing counts; an output is switched by scans.
            Setting::TlsLaser(_)
            | Setting::TlsStart(_)
            | Setting::TlsStop(_)
            | Setting::TlsSpeed(_)
            | Setting::TlsPower(_)
            | Setting::TlsTrigger(_)
            | Setting::LaserOutput(_) => false,
            Setting::ScanMode
            | Setting::ScanStart
            | Setting::ScanStop
            | Setting::Resolution
            | Setting::Stabilization
            | Setting::PowerUnit(_)
            | Setting::SpectralUnit(_)
            | Setting::DetectorWavelength(_)
            | Setting::DetectorTrigger(_) => true,
        });
        let wanted: BTreeSet<Setting> = wanted.filter(is_new).collect();
        found.extend(self.read(wanted).await?);
        Ok(found)
    }

    async fn read(&self, settings: BTreeSet<Setting>) -> Result<Vec<Action>, Fault> {
        let mut found = Vec::new();
        for setting in settings {
            self.beat()?;
            found.extend(self.instrument.read_setting(setting).await?);
        }
        Ok(found)
    }

    /// The journal keeps what was read: a resumed run intends the same.
    fn tell_settings(&self, values: &[Action], at_beginning: bool) -> Result<(), Fault> {
        if values.is_empty() && !at_beginning {
            return Ok(());
        }
        let commands = values.iter().map(ToString::to_string).collect();
        self.events
            .tell(RunEvent::SettingsRead { number: self.number, at_beginning, commands }, Durability::Now)
    }

    /// Sets again what the instrument has forgotten of the settings that the run intends. Turns no light on.
    pub(in crate::run) async fn put_back_settings(&mut self) -> Result<(), Fault> {
        let settings = self.session.configuration.settings.clone();
        let lost = self.put_back(&settings).await?;
        if self.link_was_lost() {
            // Everything once more from the beginning.
            return Ok(());
        }
        let unknown = self.session.configuration.unknown();
        if let Some(text) = unknown.first().filter(|_| !lost.is_empty()) {
            let message = format!(
                "the instrument has forgotten its settings, and with them what `{text}` may have set"
            );
            let hint = "give a raw command that sets something `effect: configure`: then it is sent again";
            return Err(Fault::new(FaultKind::Refused, message).hint(hint));
        }
        if !lost.is_empty() {
            let message = format!("set again, as the run intends it: {}", list(&lost));
            self.events.say(RunEvent::Warning { message })?;
        }
        Ok(())
    }

    /// Sets settings that the instrument does not have any more; gives those.
    pub(in crate::run) async fn put_back(&mut self, settings: &Settings) -> Result<Vec<Difference>, Fault> {
        let mut lost = Vec::new();
        for round in 0..ROUNDS {
            let mut differences = Vec::new();
            for kept in settings.in_order() {
                self.beat()?;
                match kept {
                    Kept::Raw { action, .. } if round == 0 => self.instrument.act(&action).await?,
                    Kept::Raw { .. } => {}
                    Kept::Value(intended) => {
                        let Some(setting) = intended.setting() else { continue };
                        let found = self.instrument.read_setting(setting).await?;
                        if found.as_ref().is_none_or(|found| !found.sets_the_same(&intended)) {
                            self.instrument.act(&intended).await?;
                        }
                        let is_the_same =
                            |found: &Action| self.session.configuration.is_the_same(&intended, found);
                        let found = found.filter(|found| !is_the_same(found));
                        differences.extend(found.map(|found| Difference { intended, found }));
                    }
                }
            }
            if differences.is_empty() || self.link_was_lost() {
                return Ok(lost);
            }
            if round == 0 {
                lost = differences;
            } else if round + 1 == ROUNDS {
                let message =
                    format!("the instrument does not take back what the run intends: {}", list(&differences));
                return Err(Fault::new(FaultKind::Instrument, message));
            }
        }
        Ok(lost)
    }

    /// What the operation gives is intended from now on, whatever becomes of its step.
    pub(in crate::run) fn intend(&mut self, operation: &Operation, outcome: &crate::step::Outcome) {
        self.session.configuration.note(operation, outcome);
    }
}

fn list(differences: &[Difference]) -> String {
    let named: Vec<String> = differences.iter().take(NAMED).map(ToString::to_string).collect();
    let more = differences.len().saturating_sub(NAMED);
    let more = if more == 0 { String::new() } else { format!("; and {more} more") };
    format!("{}{more}", named.join("; "))
}

/// The settings of a scan as values.
fn values(scan: &ScanSettings) -> Vec<Action> {
    let stabilization = scan.stabilization;
    let mut values = vec![
        Action::SetScanStart { nm: scan.start_nm },
        Action::SetScanStop { nm: scan.stop_nm },
        Action::SetResolution { pm: scan.resolution_pm },
        Action::SetStabilization { output: stabilization.output, seconds: stabilization.seconds },
    ];
    for tls in TLS {
        let Some(known) = scan.tls.iter().find(|known| known.tls == tls) else {
            values.push(Action::SetTlsLaser { tls, laser: 0 });
            continue;
        };
        values.extend([
            Action::SetTlsLaser { tls, laser: known.laser },
            Action::SetTlsStart { tls, nm: known.start_nm },
            Action::SetTlsStop { tls, nm: known.stop_nm },
            Action::SetTlsSpeed { tls, nm_s: known.speed_nm_s },
            Action::SetTlsPower { tls, dbm: known.power_dbm },
            Action::SetTlsTrigger { tls, trigger: known.trigger_in },
        ]);
    }
    values
}
