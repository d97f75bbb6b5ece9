//! Alignments of a recipe, which may have steps of their own.

use super::{Owed, Walk};
use crate::operation::Operation;
use crate::recipe::program::{Operate, Statement};
use crate::recipe::template::Wrong;
use crate::step::align::{Coupling, OwnSteps};
use crate::step::{Fault, Host, LoopPoint, Outcome};

impl<'a> Walk<'a> {
    /// Performs an alignment with its steps.
    pub(super) fn align(
        &mut self,
        operate: &Operate,
        steps: Option<&'a [Statement]>,
        statement: &Statement,
        owed: &mut Owed<'a>,
    ) -> Result<(), Fault> {
        let (operation, options) = self.operation(operate)?;
        let Operation::Align(align) = operation else { return Ok(()) };
        let place = self.place(statement);
        self.coupling
            .may_align(&place)
            .map_err(|message| self.fault(Wrong::new(statement.at, message.to_owned())))?;
        self.tally.turns.set(0);
        self.aligning = steps;
        let outcome = self.with_coupling(steps, owed, |coupling, host, steps| {
            coupling.align(host, (align, options), place.clone(), steps)
        })?;
        self.note(operate, place, &outcome);
        Ok(())
    }

    pub(super) fn align_again(&mut self, owed: &mut Owed<'a>) -> Result<(), Fault> {
        let steps = self.aligning;
        self.with_coupling(steps, owed, Coupling::align_again).map(drop)
    }

    /// Performs an alignment whose own steps are these.
    fn with_coupling(
        &mut self,
        steps: Option<&'a [Statement]>,
        owed: &mut Owed<'a>,
        perform: impl FnOnce(&mut Coupling, &dyn Host, Option<&mut OwnSteps<'_, Fault>>) -> Result<Outcome, Fault>,
    ) -> Result<Outcome, Fault> {
        let mut coupling = std::mem::replace(&mut self.coupling, Coupling::inside());
        let host = self.host;
        let ended = match steps {
            Some(steps) => {
                let mut own = |turn: LoopPoint| {
                    self.loops.push(turn);
                    let ended = self.steps(steps, owed);
                    self.loops.pop();
                    ended
                };
                perform(&mut coupling, &**host, Some(&mut own))
            }
            None => perform(&mut coupling, &**host, None),
        };
        self.coupling = coupling;
        ended
    }
}
