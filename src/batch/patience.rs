//! Waits that follow the wall clock.

use std::time::Duration;

use chrono::{DateTime, Utc};

/// Interval of looks at the wall clock. The clock may be set, and the computer may sleep, while a batch waits.
const LOOK: Duration = Duration::from_secs(20);

/// Waits until a moment; without one, waits for ever.
pub(super) async fn until(moment: Option<DateTime<Utc>>) {
    let Some(moment) = moment else { return std::future::pending().await };
    loop {
        match (moment - Utc::now()).to_std() {
            Ok(left) if !left.is_zero() => tokio::time::sleep(left.min(LOOK)).await,
            _ => return,
        }
    }
}

/// Waits for this number of seconds; without one, waits for ever.
pub(super) async fn seconds(limit: Option<f64>) {
    match limit.and_then(|limit| Duration::try_from_secs_f64(limit).ok()) {
        Some(limit) => tokio::time::sleep(limit).await,
        None => std::future::pending().await,
    }
}
