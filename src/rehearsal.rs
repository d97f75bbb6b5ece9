//! Rehearsals: a recipe or batch of the user's own, on an instrument that fails. What is to go wrong in each is in
//! `course`, and whether what was found afterwards is safe in `judge`. Starting processes is the caller's.

mod course;
mod judge;

pub use course::{Extent, Trouble, chaos, given, standard};
pub use judge::{Account, Found, Measured, ProgramEnd, look, unsafe_in};
