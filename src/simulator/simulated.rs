//! What the connection of a client needs of a simulated instrument, whichever it is.

use super::call::Call;
use super::commands::Reply;
use super::errors::Rejection;
use super::vocabulary::Vocabulary;

/// A simulated instrument that executes commands.
pub(super) trait Simulated: Send + 'static {
    type Header: Vocabulary;

    /// The line end of a reply.
    const REPLY_END: &'static str;

    /// Executes a command. `waited`: the command has waited for the end of an operation.
    fn execute(&mut self, call: &Call<'_, Self::Header>, waited: bool) -> Result<Reply, Rejection>;

    /// The number of the operation whose end a command waits for.
    fn waits_for(&mut self, call: &Call<'_, Self::Header>) -> Option<u64>;

    /// Records an error, with the beginning of the line that caused it.
    fn reject(&mut self, rejection: Rejection, about: &str);

    /// Records whether a reply of the present line waits for the client.
    fn mark_replied(&mut self, replied: bool);

    /// Prevents the started operation from ending.
    fn hang(&mut self);

    /// Returns to the state at power-on.
    fn restart(&mut self);
}
