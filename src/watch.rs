//! `ctp10 watch`: a run, its last trace and live power in a terminal, from the HTTP API of the program that measures.
//! The view only reads: no key changes anything at the instrument.

mod feed;
mod keys;
mod replies;
mod screen;
mod seen;
mod service;

pub use service::{Service, ServiceError};

use std::future::Future;
use std::io;

use ratatui::DefaultTerminal;
use tokio::sync::mpsc;

use feed::Feed;
use keys::Key;
use seen::Seen;

/// Updates that wait to be drawn. The feed waits while the terminal is slow, so it asks the service less often.
const WAITING: usize = 16;

/// Something that changes the view.
#[derive(Debug)]
enum Update {
    /// The service has told something.
    Told(Box<seen::Told>),
    /// A person has pressed a key.
    Pressed(Key),
    /// The window has another size.
    Resized,
}

/// What a person wants to see.
#[derive(Debug, Clone, Default)]
pub struct Chosen {
    /// The run: identifier, recipe name, `last`. Otherwise the active run, or the last one.
    pub run: Option<String>,
    /// The module whose power is shown. Otherwise that of the run's detectors.
    pub module: Option<u8>,
}

/// Shows what the service does until a person ends the view, or until `ended` is done: then the terminal is left as it was.
///
/// # Errors
/// If the terminal cannot be used.
pub async fn watch(service: Service, chosen: Chosen, ended: impl Future<Output = ()>) -> io::Result<()> {
    let (updates, mut received) = mpsc::channel(WAITING);
    let mut terminal = ratatui::try_init()?;
    keys::listen(updates.clone());
    let mut seen = Seen::new(service.shown_url(), chosen.module);
    let feed = Feed::start(service, chosen, updates);
    let result = tokio::select! {
        result = view(&mut terminal, &mut seen, &feed, &mut received) => result,
        () = ended => Ok(()),
    };
    ratatui::restore();
    result
}

async fn view(
    terminal: &mut DefaultTerminal,
    seen: &mut Seen,
    feed: &Feed,
    received: &mut mpsc::Receiver<Update>,
) -> io::Result<()> {
    loop {
        let drawn = terminal.draw(|frame| screen::draw(frame, seen))?;
        feed.want(seen.wanted(drawn.area.width));
        let Some(first) = received.recv().await else { return Ok(()) };
        // What has arrived in the meantime is drawn together.
        let mut next = Some(first);
        while let Some(update) = next {
            match update {
                Update::Told(told) => seen.note(*told),
                Update::Pressed(Key::Quit) => return Ok(()),
                Update::Pressed(Key::Older) => seen.step(-1),
                Update::Pressed(Key::Newer) => seen.step(1),
                Update::Pressed(Key::Latest) => seen.follow(),
                Update::Resized => {}
            }
            next = received.try_recv().ok();
        }
    }
}
