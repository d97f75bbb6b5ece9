use super::*;
use crate::budget::IDLE_TURNS;
use crate::step::recorder::Recorder;

/// How a loop ends that begins after so many turns without an operation.
fn ended_after(idle_turns: u64, step: &str) -> Result<(), Fault> {
    let text = format!("name: t\nsteps:\n  - repeat: {{ times: 3, steps: [{{ {step} }}] }}\n");
    let recipe = Recipe::from_text("r.yaml", &text, None, &[]).unwrap();
    let host: Arc<dyn Host> = Recorder::shared();
    let tally = Rc::<Tally>::default();
    tally.turns.set(idle_turns);
    let around = (String::new(), Vec::new());
    begin(&recipe, recipe.parameters().clone(), around, tally, &host, &mut Owed::new()).0
}

#[test]
fn every_operation_ends_the_count_of_turns_without_one() {
    for step in [
        "read_power: { detector: 4/1 }",
        "read_power: { detector: 4/1, id: p }",
        "read_power: { detector: 4/1, samples: 1000, interval_s: 1 }",
        "log: a",
        "sweep:",
        // It fails.
        "log: { message: fail, on_error: next_turn }",
    ] {
        ended_after(IDLE_TURNS - 1, step).unwrap_or_else(|fault| panic!("{step}: {fault}"));
    }
    let fault = ended_after(IDLE_TURNS - 1, "set: { a: 1 }").unwrap_err();
    assert!(fault.message.contains("without an operation"), "{fault}");
}
