//! The turns of loops.

use serde_json::Value;

use super::{Owed, Walk};
use crate::budget::IDLE_TURNS;
use crate::local_time::Moment;
use crate::measurement::unix_time_s;
use crate::operation::time_of_day;
use crate::recipe::grid::TURNS;
use crate::recipe::program::{LoopSource, Statement, Turns, Until};
use crate::recipe::template::Wrong;
use crate::script::clock;
use crate::source::Position;
use crate::step::{Fault, FaultKind, Host, LoopPoint};

/// What `until` can be.
const UNTIL: &str = "`until` must be true or false, or a time of day";
/// How a loop ends at a computed time.
const COMPUTED_TIME: &str =
    "write a time of day (`until: \"06:00\"`, `until: \"${end}\"`) or a condition (`until: now() >= end_s`)";

/// The moment at which a time of day ends a loop.
struct Ending {
    until_s: f64,
    /// The time after the turn before.
    last_s: f64,
}

impl Ending {
    fn begin(text: &str, host: &dyn Host) -> Result<Self, Fault> {
        let now = host.now()?.wall;
        let until_s = clock::next(now, text).map_err(|message| Fault::new(FaultKind::Recipe, message))?;
        Ok(Self { until_s, last_s: now.time_s })
    }

    /// Whether the moment is still to come.
    fn is_ahead(&mut self, host: &dyn Host) -> Result<bool, Fault> {
        let now_s = host.now()?.wall.time_s;
        // In a forecast, the time of a turn may be unknown. The forecast then makes one turn.
        let stands_still = host.forecast().is_some() && now_s <= self.last_s;
        self.last_s = now_s;
        Ok(!stands_still && now_s < self.until_s)
    }
}

impl<'a> Walk<'a> {
    pub(super) fn repeat(
        &mut self,
        variable: &str,
        over: &'a LoopSource,
        steps: &'a [Statement],
        owed: &mut Owed<'a>,
        at: Position,
    ) -> Result<(), Fault> {
        self.heed(&over.templates());
        let templates = over.templates();
        let turns = self.at_time(&templates, || over.turns(&self.variables))?;
        let time = self.time_of_end(over)?;
        let mut ending = time.map(|text| Ending::begin(&text, &**self.host)).transpose()?;
        let count = match &turns {
            Turns::Values(values) => Some(values.len() as u64),
            Turns::Grid(grid) => Some(grid.count()),
            Turns::Times(times) => Some(*times),
            Turns::Open => None,
        };
        for index in 0.. {
            // A loop without an operation must also react to a stop, and must end.
            self.stop_if_wanted()?;
            self.count_turn(at)?;
            if count == Some(index) || !self.goes_on(over, index, ending.as_mut())? {
                break;
            }
            let value = match &turns {
                Turns::Values(values) => {
                    usize::try_from(index).ok().and_then(|at| values.get(at)).cloned().unwrap_or_default()
                }
                Turns::Grid(grid) => grid.point(index),
                Turns::Times(_) | Turns::Open => Value::Null,
            };
            if !variable.is_empty() {
                self.hold(variable, value.clone(), at)?;
            }
            self.loops.push(LoopPoint { name: variable.to_owned(), value, index, count });
            let ended = self.steps(steps, owed);
            self.loops.pop();
            self.let_go(variable);
            match ended {
                // A step has failed, and the recipe goes on with the next turn.
                Err(fault) if fault.kind == FaultKind::NextTurn => {}
                ended => ended?,
            }
        }
        Ok(())
    }

    pub(super) fn stop_if_wanted(&self) -> Result<(), Fault> {
        match self.host.stopping() {
            true => Err(Fault::new(FaultKind::Stopped, "the run is being stopped")),
            false => Ok(()),
        }
    }

    fn count_turn(&self, at: Position) -> Result<(), Fault> {
        let turns = self.tally.turns.get() + 1;
        self.tally.turns.set(turns);
        if turns <= IDLE_TURNS {
            return Ok(());
        }
        let message = format!("loops have made {IDLE_TURNS} turns without an operation");
        Err(self.fault(Wrong::new(at, message)))
    }

    /// Whether another turn begins. `while` is checked before each turn, `until` after each turn; other loops have a known
    /// number of turns.
    fn goes_on(&self, over: &LoopSource, index: u64, ending: Option<&mut Ending>) -> Result<bool, Fault> {
        let (goes_on, at) = match (over, ending) {
            (LoopSource::While(condition), _) => (self.flag("while", condition)?, Some(condition.written.at)),
            (LoopSource::Until(_), _) if index == 0 => (true, None),
            (LoopSource::Until(_), Some(ending)) => (ending.is_ahead(&**self.host)?, None),
            (LoopSource::Until(Until::Condition(condition)), None) => {
                (!self.flag("until", condition)?, Some(condition.written.at))
            }
            (
                LoopSource::Until(Until::Time(_))
                | LoopSource::In(_)
                | LoopSource::Rows(_)
                | LoopSource::Grid(_)
                | LoopSource::Times(_),
                _,
            ) => (true, None),
        };
        match at.filter(|_| goes_on && index >= TURNS) {
            Some(at) => {
                let message = format!("the loop has not ended after {TURNS} turns");
                Err(self.fault(Wrong::new(at, message)))
            }
            None => Ok(goes_on),
        }
    }

    /// The time of day at which the loop ends, if `until` is one. A condition may use results and variables of the first
    /// turn, so an expression without a value before it is a condition.
    fn time_of_end(&self, over: &LoopSource) -> Result<Option<String>, Fault> {
        let condition = match over {
            LoopSource::Until(Until::Time(text)) => return Ok(Some(text.clone())),
            LoopSource::Until(Until::Condition(condition)) => condition,
            LoopSource::While(_)
            | LoopSource::In(_)
            | LoopSource::Rows(_)
            | LoopSource::Grid(_)
            | LoopSource::Times(_) => return Ok(None),
        };
        // Only the type of the value counts here, so the run need not record this moment.
        let value = clock::at(Moment::here(unix_time_s()), || condition.evaluate(&self.variables));
        match value {
            Ok(Value::Bool(_)) | Err(_) => Ok(None),
            Ok(Value::String(text)) if time_of_day(&text).is_some() && !condition.uses_clock() => {
                self.heed(&[condition]);
                Ok(Some(text))
            }
            Ok(other) => {
                let fault = self.wrong_type(condition, UNTIL, &other);
                Err(fault.hint(COMPUTED_TIME))
            }
        }
    }

    /// In a forecast, also goes through the steps that the assumed values rule out, to find values of a wrong type there.
    pub(super) fn forecast_branch(&mut self, steps: &'a [Statement]) {
        let host = self.host;
        let Some(forecast) = host.forecast().filter(|_| !steps.is_empty()) else { return };
        let before = (self.variables.clone(), self.fetched.clone(), self.held, self.tally.bytes.get());
        let coupling = std::mem::take(&mut self.coupling);
        forecast.branch(&mut || self.steps(steps, &mut Owed::new()));
        self.coupling = coupling;
        self.tally.bytes.set(before.3);
        (self.variables, self.fetched, self.held, _) = before;
    }
}
