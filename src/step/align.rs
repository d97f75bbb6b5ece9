//! The parts of an alignment in their order, for YAML and for scripts: light, look, and, while the power is too low, the
//! recipe's steps and another look. Each part is a step of the journal, so a resumed run replays them one by one.
//!
//! A sweep relies on the last alignment of its turn. After a resume, the stage may have moved. So the alignment is made
//! again before the first sweep, see [`Coupling::is_doubtful`].

use std::collections::BTreeMap;

use serde_json::Value;

use super::{Fault, FaultKind, Host, LoopPoint, OnError, Outcome, Place, Step, StepOptions};
use crate::operation::{Align, AlignPart, Constant, FetchTrace, OnAlignFail, Operation};
use crate::shown::quantity;

/// In the path of the first part of an alignment that is made again. A replay recognises it there.
const AGAIN: &str = ".align.again";
/// In the path of the recipe's own steps of an alignment, also in a recipe or a script that they run.
const OWN_STEPS: &str = ".align.repeat.";

/// What came of a look at the power.
#[derive(Debug, Clone, PartialEq, serde::Serialize, serde::Deserialize)]
pub struct Alignment {
    /// The power, dBm; `None` if the detector has read no level.
    pub power_dbm: Option<f64>,
    /// The lowest good power, dBm; `None` if any power is good.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub needed_dbm: Option<f64>,
    /// Whether the power is good.
    pub good: bool,
    /// How often the steps were performed.
    pub attempts: u32,
}

impl Alignment {
    /// Judges a power.
    #[must_use]
    pub fn judge(power_dbm: Option<f64>, part: AlignPart) -> Self {
        let AlignPart { attempt: attempts, needed_dbm, .. } = part;
        let good = power_dbm.is_some_and(|power| needed_dbm.is_none_or(|needed| power >= needed));
        Self { power_dbm, needed_dbm, good, attempts }
    }

    /// A good power of 0 dBm, without a measurement.
    #[must_use]
    pub fn assumed() -> Self {
        Self { power_dbm: Some(0.0), needed_dbm: None, good: true, attempts: 0 }
    }

    /// The power and what is needed, for messages.
    #[must_use]
    pub fn told(&self) -> String {
        let power =
            self.power_dbm.map_or_else(|| "no power".to_owned(), |power| quantity(power, None, "dBm"));
        let needed = self.needed_dbm.map(|needed| quantity(needed, None, "dBm"));
        match needed {
            Some(needed) if self.good => format!("{power} (good from {needed} on)"),
            Some(needed) => format!("{power}, and at least {needed} is needed"),
            None => power,
        }
    }
}

/// The alignments of a recipe so far.
#[derive(Debug, Default)]
pub struct Coupling {
    /// The power after the last alignment, by detector, laser and row of the loop.
    good_dbm: BTreeMap<String, f64>,
    /// How often each `align` was reached, by path.
    reached: BTreeMap<String, u64>,
    /// The last alignment and its result.
    current: Option<Current>,
    /// These are the steps of an alignment.
    is_inside: bool,
}

#[derive(Debug, Clone)]
struct Current {
    align: Align,
    options: StepOptions,
    place: Place,
    /// How often the steps were performed, all repetitions together.
    tries: u64,
    result: Result<Alignment, ()>,
}

/// Performs the recipe's own steps of an alignment, in an additional turn of a loop.
pub type OwnSteps<'a, E> = dyn FnMut(LoopPoint) -> Result<(), E> + 'a;

impl Coupling {
    /// For the steps of an alignment.
    #[must_use]
    pub fn inside() -> Self {
        Self { is_inside: true, ..Self::default() }
    }

    /// Whether an alignment may begin here. Its attempts and those of an alignment around it could not be told apart.
    ///
    /// # Errors
    /// Why it must not.
    pub fn may_align(&self, place: &Place) -> Result<(), &'static str> {
        match self.is_inside || place.path.contains(OWN_STEPS) {
            true => {
                Err("`align` must not be among the `steps` of another `align`: write one after the other")
            }
            false => Ok(()),
        }
    }

    /// Performs an alignment. `place` is that of the recipe's step.
    ///
    /// # Errors
    /// When a part failed, or when the power stays too low and the recipe must not continue.
    pub fn align<E: From<Fault>>(
        &mut self,
        host: &dyn Host,
        (align, options): (Align, StepOptions),
        place: Place,
        steps: Option<&mut OwnSteps<'_, E>>,
    ) -> Result<Outcome, E> {
        if align.on_fail == OnAlignFail::NextTurn && place.loops.is_empty() {
            return Err(
                Fault::new(FaultKind::Recipe, "`on_fail: next_turn` needs a loop around `align`").into()
            );
        }
        let reached = self.reached.entry(place.path.clone()).or_default();
        let turn = *reached;
        *reached += 1;
        let is_due = align.every.is_some_and(|every| turn.is_multiple_of(u64::from(every)));
        self.current = None;
        let current = Current { align, options, place, tries: 0, result: Err(()) };
        self.perform(host, current, "align", is_due, steps)
    }

    /// Whether the alignment that a sweep at `place` relies on must be made again first.
    #[must_use]
    pub fn is_doubtful(&self, host: &dyn Host, operation: &Operation, place: &Place) -> bool {
        let relies = operation.traits().is_sweep() && self.of(place).is_some();
        relies && host.coupling_is_doubtful()
    }

    /// The path of the alignment that a step at `place` relies on.
    #[must_use]
    pub fn path(&self, place: &Place) -> Option<&str> {
        self.of(place).map(|current| current.place.path.as_str())
    }

    /// Makes the last alignment again, because the stage may have moved while the run was interrupted.
    ///
    /// # Errors
    /// As [`Self::align`].
    pub fn align_again<E: From<Fault>>(
        &mut self,
        host: &dyn Host,
        steps: Option<&mut OwnSteps<'_, E>>,
    ) -> Result<Outcome, E> {
        match self.current.take() {
            Some(mut current) => {
                current.tries += 1;
                self.perform(host, current, "align.again", false, steps)
            }
            None => Ok(Outcome::Done),
        }
    }

    /// The alignment that a step relies on: the last one in the same turns of all loops.
    fn of(&self, place: &Place) -> Option<&Current> {
        self.current.as_ref().filter(|current| place.loops.starts_with(&current.place.loops))
    }

    fn perform<E: From<Fault>>(
        &mut self,
        host: &dyn Host,
        mut current: Current,
        word: &str,
        is_due: bool,
        mut steps: Option<&mut OwnSteps<'_, E>>,
    ) -> Result<Outcome, E> {
        let row = row(&current);
        let needed_dbm = self.needed_dbm(&current.align, &row);
        let attempts = if steps.is_some() { current.align.attempts } else { 0 };
        let mut part = AlignPart { attempt: 0, needed_dbm, has_failed: false, last_dbm: None };
        // Without a power to compare with, only an alignment can tell what is good.
        let mut is_wanted = attempts > 0 && (is_due || needed_dbm.is_none());
        loop {
            let found = look(host, &current, attempts, word, part)?;
            if found.good && !is_wanted {
                if part.attempt > 0 || needed_dbm.is_none() {
                    self.good_dbm.extend(found.power_dbm.map(|power| (row.clone(), power)));
                }
                current.result = Ok(found.clone());
                self.current = Some(current);
                return Ok(Outcome::Alignment(found));
            }
            is_wanted = false;
            if part.attempt >= attempts {
                part = AlignPart { has_failed: true, last_dbm: found.power_dbm, ..part };
                current.result = Ok(found);
                let step = current.step(attempts, "end", part);
                self.current = Some(current);
                let options = step.options.clone();
                return Ok(options.unless_turn_ends(host.perform(step)?)?);
            }
            current.tries += 1;
            part.attempt += 1;
            if let Some(steps) = &mut steps {
                steps(current.turn())?;
            }
        }
    }

    /// The lowest good power.
    fn needed_dbm(&self, align: &Align, row: &str) -> Option<f64> {
        let last = self.good_dbm.get(row);
        let within = align.good.within_db.zip(last).map(|(within, last)| last - within.get());
        match (align.good.at_least_dbm, within) {
            (Some(least), Some(within)) => Some(least.max(within)),
            (least, within) => least.or(within),
        }
    }

    /// Adds what came of the alignment to the columns of a fetch that relies on it.
    pub fn add_columns(&self, fetch: &mut FetchTrace, place: &Place) {
        let Some(Current { result: Ok(found), .. }) = self.of(place) else { return };
        let values = [
            ("align_power_dbm", found.power_dbm.map(Constant::Number)),
            ("align_attempts", Some(Constant::Number(f64::from(found.attempts)))),
            ("align_good", Some(Constant::Text(found.good.to_string()))),
        ];
        let is_taken = |name: &str| place.columns().any(|(known, _)| known == name);
        for (name, value) in values {
            if let Some(value) = value.filter(|_| !is_taken(name)) {
                fetch.columns.entry(name.to_owned()).or_insert(value);
            }
        }
    }
}

/// Sets the light and looks at the power.
fn look<E: From<Fault>>(
    host: &dyn Host,
    current: &Current,
    attempts: u32,
    word: &str,
    part: AlignPart,
) -> Result<Alignment, E> {
    let light = current.align.light();
    // Only the first part of a repeated alignment says so: the recipe's own steps have the same path each time.
    let word_of_light = if part.attempt == 0 { word } else { "align" };
    let place = current.place_of(word_of_light, "light");
    let options = StepOptions { id: None, ..current.options.clone() };
    let light = Step { operation: Operation::ConfigureLaser(light), options: options.clone(), place };
    options.unless_turn_ends(host.perform(light)?)?;
    let looked = options.unless_turn_ends(host.perform(current.step(attempts, "look", part))?)?;
    // A look that has failed, and is passed over, has found no power.
    let Outcome::Alignment(found) = looked else { return Ok(Alignment::judge(None, part)) };
    Ok(found)
}

impl Current {
    /// The turn of the loop of attempts. Its number keeps counting when the alignment is made again.
    fn turn(&self) -> LoopPoint {
        LoopPoint { name: String::new(), value: Value::Null, index: self.tries, count: None }
    }

    fn place_of(&self, word: &str, part: &str) -> Place {
        let mut loops = self.place.loops.clone();
        loops.push(self.turn());
        let path = format!("{}.{word}.repeat.{part}", self.place.path);
        Place { path, loops, ..self.place.clone() }
    }

    /// The step for a look at the power, or for the end of an alignment that has failed.
    fn step(&self, attempts: u32, name: &str, part: AlignPart) -> Step {
        let align = Align { attempts, part: Some(part), ..self.align.clone() };
        let mut options = StepOptions { id: None, ..self.options.clone() };
        if part.has_failed {
            options.retry = None;
            options.on_error = match self.align.on_fail {
                OnAlignFail::Continue => OnError::Continue,
                OnAlignFail::NextTurn => OnError::NextTurn,
                OnAlignFail::Stop => OnError::Stop,
            };
        }
        Step { operation: Operation::Align(align), options, place: self.place_of("align", name) }
    }
}

/// What the power is compared with: that of the same detector, laser and row of the innermost loop.
fn row(current: &Current) -> String {
    let Align { detector, laser, .. } = &current.align;
    let row = current.place.loops.last().map(|turn| turn.value.to_string()).unwrap_or_default();
    format!("{detector} {} {row}", laser.get())
}

/// Whether a step begins an alignment that is made again.
#[must_use]
pub fn begins_again(step: &Step) -> bool {
    step.place.path.contains(AGAIN)
}
