//! Growing pauses between the attempts to reach a store.

use std::time::Duration;

use tokio::time::Instant;

use super::RemoteError;

/// The pause after the first failure; each further one is twice as long.
const FIRST: Duration = Duration::from_secs(2);
/// The longest pause.
const LONGEST: Duration = Duration::from_secs(300);

/// The pauses after failures that follow each other.
#[derive(Debug, Clone)]
pub struct Pauses(Duration);

impl Default for Pauses {
    fn default() -> Self {
        Self(FIRST)
    }
}

impl Pauses {
    /// The pause after another failure.
    pub fn after_failure(&mut self) -> Duration {
        let pause = self.0;
        self.0 = (pause * 2).min(LONGEST);
        pause
    }

    /// Begins again with the shortest pause.
    pub fn after_success(&mut self) {
        *self = Self::default();
    }
}

/// Repeats an attempt while another one may succeed, and the next would begin within `limit`. `tell` gets each failure, and
/// the pause after it.
///
/// # Errors
/// The last failure.
pub async fn patiently<T>(
    limit: Duration,
    tell: impl Fn(&RemoteError, Duration),
    mut attempt: impl AsyncFnMut() -> Result<T, RemoteError>,
) -> Result<T, RemoteError> {
    let (end, mut pauses) = (Instant::now() + limit, Pauses::default());
    loop {
        let error = match attempt().await {
            Ok(done) => return Ok(done),
            Err(error) => error,
        };
        let pause = pauses.after_failure();
        if !error.is_temporary() || Instant::now() + pause >= end {
            return Err(error);
        }
        tell(&error, pause);
        tokio::time::sleep(pause).await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_grow_to_five_minutes_and_begin_again_after_a_success() {
        let mut pauses = Pauses::default();
        let seconds: Vec<u64> = (0..10).map(|_| pauses.after_failure().as_secs()).collect();
        assert_eq!(seconds, [2, 4, 8, 16, 32, 64, 128, 256, 300, 300]);
        pauses.after_success();
        assert_eq!(pauses.after_failure(), FIRST);
    }

    #[tokio::test]
    async fn only_a_failure_that_may_pass_is_tried_again() {
        let mut attempts = 0;
        let denied = patiently(
            LONGEST,
            |_, _| {},
            async || {
                attempts += 1;
                Err::<(), _>(RemoteError::Denied("no key".to_owned()))
            },
        );
        assert!(matches!(denied.await, Err(RemoteError::Denied(_))));
        assert_eq!(attempts, 1);
    }
}
