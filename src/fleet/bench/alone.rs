//! Makes sure that the name of the bench and its instrument belong to this process alone.

use std::time::{Duration, Instant};

use super::BenchError;
use super::agent::Agent;
use super::enlist::{occupy, sign_off};
use crate::error::chain;
use crate::fleet::entry::Presence;

/// Interval of attempts to enter the serial number of the instrument.
const SERIAL_EVERY: Duration = Duration::from_secs(10);

impl Agent {
    /// Why this process must not take items: another process has the name, or the instrument.
    pub(super) async fn not_alone(&mut self) -> Option<String> {
        let present = self.mirror.lock().benches.get(&self.me.bench).cloned();
        match present {
            Some(known) if known.value.process != self.me.process => {
                let Presence { host, pid, .. } = known.value;
                let why = format!("process {pid} on {host} now uses the name of bench {}", self.me.bench);
                self.say(why.clone());
                return Some(why);
            }
            Some(_) => {}
            None => {
                // The broker has another bucket.
                let key = Presence::bench_key(&self.me.bench);
                if let Err(why) = self.enter(&key).await {
                    return Some(why);
                }
            }
        }
        self.serial_taken().await
    }

    async fn enter(&self, key: &str) -> Result<(), String> {
        let bucket = self.bucket.borrow().clone().map_err(|error| error.to_string())?;
        occupy(&self.broker, &bucket, key, &self.me).await.map(drop).map_err(|error| chain(&error))
    }

    /// An instrument belongs to one process of the fleet. An embedded simulator is part of its process.
    async fn serial_taken(&mut self) -> Option<String> {
        let identity = self.session.identity().filter(|_| !self.session.is_embedded())?;
        let serial = match identity.simulated() {
            true => format!("{}@{}", identity.serial, self.session.endpoint().target),
            false => identity.serial,
        };
        let key = Presence::serial_key(&serial);
        let owner = self.mirror.lock().serials.get(&key).map(|known| known.value.clone());
        if self.serial.0.as_ref() == Some(&key)
            && owner.as_ref().is_some_and(|owner| owner.process == self.me.process)
        {
            return None;
        }
        let why =
            |other: &str| format!("the instrument with serial number {serial} belongs to bench {other}");
        if let (Some(owner), Some(tried)) = (&owner, self.serial.1)
            && owner.process != self.me.process
            && tried.elapsed() < SERIAL_EVERY
        {
            return Some(why(&owner.bench));
        }
        self.serial.1 = Some(Instant::now());
        let Ok(bucket) = self.bucket.borrow().clone() else { return Some("the broker is away".to_owned()) };
        match occupy(&self.broker, &bucket, &key, &self.me).await {
            Ok(_) => {
                self.serial.0 = Some(key);
                None
            }
            Err(BenchError::NameTaken { bench, .. }) => {
                let why = why(&bench);
                self.say(why.clone());
                Some(why)
            }
            Err(error) => Some(chain(&error)),
        }
    }

    /// Says goodbye, so that the name and the instrument are free at once.
    pub(super) async fn leave(&mut self) {
        let Ok(bucket) = self.bucket.borrow().clone() else { return };
        sign_off(&bucket, &Presence::bench_key(&self.me.bench), &self.me).await;
        if let Some(key) = &self.serial.0 {
            sign_off(&bucket, key, &self.me).await;
        }
        self.enlisted.broker.flush().await;
    }
}
