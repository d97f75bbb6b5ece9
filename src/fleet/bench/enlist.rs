//! The entry of a bench in the fleet: its name belongs to one process, and its clock agrees with the broker's.

use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use tokio::sync::watch;

use super::{BenchError, Settings};
use crate::error::chain;
use crate::fleet::broker::{Asked, Broker, BrokerError, Bucket};
use crate::fleet::entry::Presence;
use crate::fleet::kv::{KeyValue, KvError};
use crate::fleet::mirror::SharedMirror;

/// Time limit for the reply of the process that has the name.
const PING_LIMIT: Duration = Duration::from_secs(2);
/// How long a name stays with a process that is gone without a goodbye: its connection may just be interrupted.
const GOODBYE: u32 = 10;
/// A larger offset of the clock is a warning, s.
const NOTABLE_OFFSET: f64 = 2.0;
/// A larger offset of the clock is refused, s.
const LARGEST_OFFSET: f64 = 60.0;

/// The reply to a ping.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Pong {
    pub(super) process: String,
}

/// The subject on which the process of a bench replies.
pub(super) fn ping_subject(bench: &str) -> String {
    format!("ctp10.fleet.bench.{bench}")
}

/// A bench that is entered.
#[derive(Debug)]
pub(super) struct Enlisted {
    pub(super) broker: Broker,
    pub(super) bucket: watch::Receiver<Result<Bucket, BrokerError>>,
    pub(super) mirror: Arc<SharedMirror>,
    pub(super) me: Presence,
    /// Clock of this computer minus clock of the broker, s.
    pub(super) offset_s: f64,
    /// The questions of other processes that want the name.
    pub(super) pings: Option<async_nats::Subscriber>,
    _follower: Follower,
}

/// Ends the watch of the bucket together with the bench.
#[derive(Debug)]
struct Follower(tokio::task::JoinHandle<()>);

impl Drop for Follower {
    fn drop(&mut self) {
        self.0.abort();
    }
}

/// Enters the bench.
pub(super) async fn enlist(settings: &Settings) -> Result<Enlisted, BenchError> {
    let broker = Broker::connect(&settings.access, &format!("ctp10 bench {}", settings.bench)).await?;
    let bucket = broker.bucket().await?;
    let me = Presence {
        bench: settings.bench.clone(),
        process: process_name(),
        host: gethostname::gethostname().to_string_lossy().into_owned(),
        pid: std::process::id(),
        labels: settings.labels.clone(),
        since: Utc::now(),
        ended: None,
    };
    let key = Presence::bench_key(&me.bench);
    occupy(&broker, &bucket, &key, &me).await?;
    // From now on, a second process with this name gets a reply.
    let pings = broker.listen(&ping_subject(&me.bench)).await?;
    let offset_s = clock_offset(&broker, &bucket, &key, &me).await?;
    let mirror = Arc::new(SharedMirror::default());
    let (opened, bucket) = watch::channel(Ok(bucket));
    let follower = tokio::spawn({
        let (broker, mirror) = (broker.clone(), Arc::clone(&mirror));
        async move { broker.follow(mirror, opened).await }
    });
    Ok(Enlisted { broker, bucket, mirror, me, offset_s, pings: Some(pings), _follower: Follower(follower) })
}

/// A name that no other process has.
fn process_name() -> String {
    format!("{:016x}", rand::random::<u64>())
}

fn away(broker: &Broker, error: &KvError) -> BenchError {
    BrokerError::Failed { address: broker.address().to_owned(), why: chain(error) }.into()
}

fn value(me: &Presence) -> Vec<u8> {
    serde_json::to_vec(me).unwrap_or_default()
}

/// Enters this process under a key that one process may have. The name of a process that does not reply is free after a
/// while.
pub(super) async fn occupy(
    broker: &Broker,
    bucket: &Bucket,
    key: &str,
    me: &Presence,
) -> Result<u64, BenchError> {
    let mut missed = 0;
    loop {
        let found = bucket.get(key).await.map_err(|error| away(broker, &error))?;
        let Some((found, revision, _)) = found else {
            match bucket.create(key, value(me)).await {
                Ok(revision) => return Ok(revision),
                Err(KvError::Changed) => continue,
                Err(error) => return Err(away(broker, &error)),
            }
        };
        let other: Option<Presence> = serde_json::from_slice(&found).ok();
        if let Some(other) = other.filter(|other| other.ended.is_none() && other.process != me.process)
            && !is_gone(&other, me)
        {
            let asked = broker.ask::<Pong>(&ping_subject(&other.bench), PING_LIMIT).await?;
            match asked {
                Asked::Replied(pong) if pong.process != other.process => {}
                Asked::Replied(_) | Asked::Silent => {
                    return Err(BenchError::NameTaken {
                        bench: other.bench,
                        host: other.host,
                        pid: other.pid,
                    });
                }
                Asked::Nobody if missed < GOODBYE => {
                    if missed == 0 {
                        tracing::warn!(
                            "bench {} was not signed off by process {} on {}: waiting {GOODBYE} s, because its connection may be interrupted",
                            other.bench,
                            other.pid,
                            other.host
                        );
                    }
                    missed += 1;
                    tokio::time::sleep(Duration::from_secs(1)).await;
                    continue;
                }
                Asked::Nobody => {}
            }
        }
        match bucket.update(key, value(me), revision).await {
            Ok(revision) => return Ok(revision),
            Err(KvError::Changed) => {}
            Err(error) => return Err(away(broker, &error)),
        }
    }
}

/// Whether the process of the same computer has ended.
#[cfg(unix)]
fn is_gone(other: &Presence, me: &Presence) -> bool {
    let pid = i32::try_from(other.pid).ok().and_then(rustix::process::Pid::from_raw);
    let ended = |pid| rustix::process::test_kill_process(pid) == Err(rustix::io::Errno::SRCH);
    other.host == me.host && pid.is_some_and(ended)
}

#[cfg(not(unix))]
fn is_gone(_: &Presence, _: &Presence) -> bool {
    false
}

/// The clock of this computer minus the clock of the broker, s. The entry of the bench is written once more, and the
/// broker notes its own time.
async fn clock_offset(broker: &Broker, bucket: &Bucket, key: &str, me: &Presence) -> Result<f64, BenchError> {
    let Ok(Some((_, revision, _))) = bucket.get(key).await else { return Ok(0.0) };
    let before = Utc::now();
    let written = bucket.update(key, value(me), revision).await;
    let after = Utc::now();
    let Ok(Some((_, _, noted))) = bucket.get(key).await else { return Ok(0.0) };
    if written.is_err() {
        return Ok(0.0);
    }
    let offset_s = offset(before, after, noted);
    if offset_s.abs() > LARGEST_OFFSET {
        // The name is free for another process.
        sign_off(bucket, key, me).await;
        return Err(BenchError::Clock { offset_s });
    }
    if offset_s.abs() > NOTABLE_OFFSET {
        tracing::warn!(
            "the clock of this computer differs from the clock of the broker {} by {offset_s:.1} s: times of items are late or early by it",
            broker.address()
        );
    }
    Ok(offset_s)
}

/// The offset, if the broker noted its time between two looks at the own clock. Within the two there is none.
#[expect(clippy::cast_precision_loss, reason = "a difference of clocks")]
fn offset(before: DateTime<Utc>, after: DateTime<Utc>, noted: DateTime<Utc>) -> f64 {
    let seconds = |from: DateTime<Utc>| (from - noted).num_milliseconds() as f64 / 1000.0;
    if noted < before {
        seconds(before)
    } else if noted > after {
        seconds(after)
    } else {
        0.0
    }
}

/// Frees a key, so that the next process need not wait.
pub(super) async fn sign_off(bucket: &Bucket, key: &str, me: &Presence) {
    if let Ok(Some((found, revision, _))) = bucket.get(key).await
        && serde_json::from_slice::<Presence>(&found).is_ok_and(|found| found.process == me.process)
    {
        let ended = Presence { ended: Some(Utc::now()), ..me.clone() };
        // Without it, the next process waits a few seconds.
        let _ = bucket.update(key, value(&ended), revision).await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_clock_is_off_only_by_what_the_request_does_not_explain() {
        let at = |ms: i64| DateTime::from_timestamp_millis(1_800_000_000_000 + ms).unwrap();
        assert!(offset(at(0), at(50), at(20)).abs() < 1e-9);
        assert!((offset(at(5_000), at(5_050), at(0)) - 5.0).abs() < 1e-9);
        assert!((offset(at(0), at(50), at(61_050)) + 61.0).abs() < 1e-9);
    }
}
