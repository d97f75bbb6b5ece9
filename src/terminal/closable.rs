//! Where progress bars are drawn: a terminal that may be closed during a run. After the first failed write, nothing is
//! drawn. `indicatif` alone would panic then, and the end of the run would be lost.

use std::io;
use std::sync::atomic::{AtomicBool, Ordering};

use console::Term;
use indicatif::{ProgressDrawTarget, TermLike};

/// Redraws per second, as `indicatif` has them for other terminals.
const HZ: u8 = 20;

/// The terminal on stderr. Nothing is drawn if stderr is no terminal.
pub(super) fn stderr() -> ProgressDrawTarget {
    let usual = ProgressDrawTarget::stderr();
    if usual.is_hidden() {
        return usual;
    }
    let terminal = Closable { term: Term::buffered_stderr(), is_closed: AtomicBool::new(false) };
    ProgressDrawTarget::term_like_with_hz(Box::new(terminal), HZ)
}

#[derive(Debug)]
struct Closable {
    term: Term,
    is_closed: AtomicBool,
}

impl Closable {
    fn attempt(&self, write: impl FnOnce(&Term) -> io::Result<()>) {
        if !self.is_closed.load(Ordering::Relaxed) && write(&self.term).is_err() {
            self.is_closed.store(true, Ordering::Relaxed);
        }
    }
}

impl TermLike for Closable {
    fn width(&self) -> u16 {
        self.term.size().1
    }

    fn height(&self) -> u16 {
        self.term.size().0
    }

    fn move_cursor_up(&self, n: usize) -> io::Result<()> {
        self.attempt(|term| term.move_cursor_up(n));
        Ok(())
    }

    fn move_cursor_down(&self, n: usize) -> io::Result<()> {
        self.attempt(|term| term.move_cursor_down(n));
        Ok(())
    }

    fn move_cursor_right(&self, n: usize) -> io::Result<()> {
        self.attempt(|term| term.move_cursor_right(n));
        Ok(())
    }

    fn move_cursor_left(&self, n: usize) -> io::Result<()> {
        self.attempt(|term| term.move_cursor_left(n));
        Ok(())
    }

    fn write_line(&self, text: &str) -> io::Result<()> {
        self.attempt(|term| term.write_line(text));
        Ok(())
    }

    fn write_str(&self, text: &str) -> io::Result<()> {
        self.attempt(|term| term.write_str(text));
        Ok(())
    }

    fn clear_line(&self) -> io::Result<()> {
        self.attempt(Term::clear_line);
        Ok(())
    }

    fn flush(&self) -> io::Result<()> {
        self.attempt(Term::flush);
        Ok(())
    }
}
