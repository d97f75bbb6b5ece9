//! The keyboard.

use ratatui::crossterm::event::{self, Event, KeyCode, KeyEvent, KeyEventKind, KeyModifiers};
use tokio::sync::mpsc;

use super::Update;

/// What a key asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Key {
    /// End the view.
    Quit,
    /// The trace before the one that is shown.
    Older,
    /// The trace after the one that is shown.
    Newer,
    /// The newest trace, now and when others follow.
    Latest,
}

/// Sends keys and changes of the window's size from a thread of its own, because reading a terminal blocks. The thread ends
/// with the program.
pub(super) fn listen(updates: mpsc::Sender<Update>) {
    std::thread::spawn(move || {
        while let Ok(event) = event::read() {
            let Some(update) = understood(&event) else { continue };
            if updates.blocking_send(update).is_err() {
                return;
            }
        }
        // The terminal is gone, so nobody watches any more.
        let _ = updates.blocking_send(Update::Pressed(Key::Quit));
    });
}

fn understood(event: &Event) -> Option<Update> {
    match event {
        Event::Key(key) if key.kind != KeyEventKind::Release => pressed(*key).map(Update::Pressed),
        Event::Resize(..) => Some(Update::Resized),
        _ => None,
    }
}

/// In this mode the terminal sends Ctrl-C as a key.
fn pressed(key: KeyEvent) -> Option<Key> {
    match key.code {
        KeyCode::Char('c') if key.modifiers.contains(KeyModifiers::CONTROL) => Some(Key::Quit),
        KeyCode::Char('q') | KeyCode::Esc => Some(Key::Quit),
        KeyCode::Left | KeyCode::Char('h') => Some(Key::Older),
        KeyCode::Right | KeyCode::Char('l') => Some(Key::Newer),
        KeyCode::End | KeyCode::Char('n') => Some(Key::Latest),
        _ => None,
    }
}
