//! Sends live power to many clients. The clients of one module with one interval are a group. One task waits for the next
//! update, encodes it once and writes it to the sockets of all members. If each client had a task that sends its frames,
//! waking the tasks would cost more than sending.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use axum::body::Bytes;
use tokio::task::AbortHandle;

use super::updates::{Errors, Key, Updates, text};
use crate::metrics::POWER_FRAMES_DROPPED;
use crate::power::{PAUSE_AFTER_PANIC, PowerUpdate, UpdateSchedule, again_after_panic};
use crate::sidecar::listen::Outgoing;
use crate::sidecar::state::App;

/// After sending to this number of clients, other tasks get their turn.
const AT_ONCE: usize = 32;

/// All groups.
#[derive(Debug, Default)]
pub(in crate::sidecar) struct Groups(Mutex<BTreeMap<Key, Group>>);

#[derive(Debug)]
struct Group {
    members: Vec<Arc<Member>>,
    sender: AbortHandle,
}

/// A client of a group.
#[derive(Debug)]
struct Member {
    outgoing: Arc<Outgoing>,
    state: Mutex<MemberState>,
}

#[derive(Debug)]
struct MemberState {
    errors: Errors,
    /// The schedule from before the client joined, until its first reading from the group.
    before: Option<UpdateSchedule>,
    /// Number of frames in a row that the client did not take.
    dropped: u64,
    has_left: bool,
}

/// The membership of a client. After it is dropped, the group sends nothing more to the client.
pub(super) struct Membership {
    app: App,
    key: Key,
    member: Arc<Member>,
}

impl Groups {
    fn locked(&self) -> MutexGuard<'_, BTreeMap<Key, Group>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn members(&self, key: Key) -> Vec<Arc<Member>> {
        self.locked().get(&key).map(|group| group.members.clone()).unwrap_or_default()
    }
}

impl Membership {
    /// Lets the group continue the updates of a client. The first member's updates become those of the group.
    pub(super) fn join(app: &App, updates: Updates, errors: Errors, outgoing: Arc<Outgoing>) -> Self {
        let key = updates.key;
        let before = Some(updates.schedule.clone());
        let state = Mutex::new(MemberState { errors, before, dropped: 0, has_left: false });
        let member = Arc::new(Member { outgoing, state });
        let mut groups = app.groups.locked();
        let group = groups.entry(key).or_insert_with(|| {
            let (app, mut first) = (App::clone(app), Some(updates));
            let sending = again_after_panic("live power", PAUSE_AFTER_PANIC, move || {
                let updates = first.take().unwrap_or_else(|| Updates::of(&app, key));
                send_all(App::clone(&app), updates)
            });
            let sender = tokio::spawn(sending).abort_handle();
            Group { members: Vec::new(), sender }
        });
        group.members.push(Arc::clone(&member));
        Self { app: App::clone(app), key, member }
    }
}

impl Drop for Membership {
    fn drop(&mut self) {
        self.member.state().has_left = true;
        let mut groups = self.app.groups.locked();
        let Some(group) = groups.get_mut(&self.key) else { return };
        group.members.retain(|member| !Arc::ptr_eq(member, &self.member));
        // Without members, the group also gives up its watch, so that nothing polls the module for it.
        if group.members.is_empty() {
            group.sender.abort();
            groups.remove(&self.key);
        }
    }
}

/// Sends updates to all members of a group, until the last member leaves.
async fn send_all(app: App, mut updates: Updates) {
    loop {
        let update = updates.next().await;
        let frame = match &update {
            PowerUpdate::Reading(_) | PowerUpdate::Busy { .. } => {
                Some(framed(&text(&update, Errors::default(), &app.readings)))
            }
            // Each client has its own number of errors.
            PowerUpdate::Unavailable { .. } => None,
        };
        for (number, member) in app.groups.members(updates.key).iter().enumerate() {
            member.send(&update, |errors| match &frame {
                Some(frame) => frame.clone(),
                None => framed(&text(&update, errors, &app.readings)),
            });
            if number % AT_ONCE == AT_ONCE - 1 {
                tokio::task::yield_now().await;
            }
        }
    }
}

impl Member {
    fn state(&self) -> MutexGuard<'_, MemberState> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Sends an update without waiting. A client that has not yet taken an earlier frame loses this one.
    fn send(&self, update: &PowerUpdate, frame: impl FnOnce(Errors) -> Bytes) {
        let mut state = self.state();
        if state.has_left || state.before.as_ref().is_some_and(|schedule| !schedule.admits(update)) {
            return;
        }
        if matches!(update, PowerUpdate::Reading(_)) {
            state.before = None;
        }
        state.errors.count(update);
        if self.outgoing.send_now(&frame(state.errors)) {
            let dropped = std::mem::take(&mut state.dropped);
            if dropped > 0 {
                tracing::debug!(dropped, "a client is too slow: frames were dropped");
            }
        } else {
            state.dropped += 1;
            POWER_FRAMES_DROPPED.add(1);
        }
    }
}

/// A text message in one frame of RFC 6455. Only clients mask their frames.
fn framed(text: &str) -> Bytes {
    const WHOLE_TEXT: u8 = 0x81;
    const LENGTH_IN_2_BYTES: u8 = 126;
    const LENGTH_IN_8_BYTES: u8 = 127;
    let mut frame = vec![WHOLE_TEXT];
    match (u8::try_from(text.len()), u16::try_from(text.len())) {
        (Ok(length), _) if length < LENGTH_IN_2_BYTES => frame.push(length),
        (_, Ok(length)) => {
            frame.push(LENGTH_IN_2_BYTES);
            frame.extend(length.to_be_bytes());
        }
        _ => {
            frame.push(LENGTH_IN_8_BYTES);
            frame.extend((text.len() as u64).to_be_bytes());
        }
    }
    frame.extend_from_slice(text.as_bytes());
    frame.into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_frame_states_its_length_as_rfc_6455_says() {
        let heads: [(usize, &[u8]); 5] = [
            (0, &[0x81, 0]),
            (125, &[0x81, 125]),
            (126, &[0x81, 126, 0, 126]),
            (65_535, &[0x81, 126, 255, 255]),
            (65_536, &[0x81, 127, 0, 0, 0, 0, 0, 1, 0, 0]),
        ];
        for (length, head) in heads {
            let text = "x".repeat(length);
            assert_eq!(framed(&text), [head, text.as_bytes()].concat());
        }
    }
}
