//! `suspend_when`: neither a declaration nor a step, because it contains both.

use std::fmt::Write as _;

use serde_json::{Map, Value, json};

use super::described;
use super::reference::{one_line, takes};

/// The fields of `suspend_when`: name, schema, whether it is required, meaning.
fn fields(steps: &Value) -> [(&'static str, Value, bool, &'static str); 9] {
    let time = json!({ "type": ["number", "string"] });
    let expression = json!({ "type": "string" });
    [
        (
            "after",
            json!({ "const": "sweep" }),
            false,
            "`sweep`: check the condition directly after each sweep, before its traces are fetched. This is the default without `every_s`. Both may be given.",
        ),
        (
            "every_s",
            time.clone(),
            false,
            "Longest time between two checks, in s, from the first sweep on. Checks take place between operations and during `wait: { seconds }`.",
        ),
        (
            "probe",
            steps.clone(),
            true,
            "Steps that measure what the conditions need. They run for each check, and repeatedly while the run is suspended. The two conditions use the ids of these steps.",
        ),
        ("condition", expression.clone(), true, "An expression. The run is suspended if it is true."),
        (
            "for_s",
            time.clone(),
            false,
            "Time for which `condition` must stay true before the run is suspended, in s. Default: 0.",
        ),
        (
            "resume_when",
            expression,
            false,
            "An expression. The run continues if it is true. Default: `condition` is false.",
        ),
        (
            "settle_s",
            time.clone(),
            false,
            "Time for which `resume_when` must stay true before the run continues, in s. Default: 0.",
        ),
        (
            "probe_every_s",
            time.clone(),
            false,
            "Pause between two probes while the run is suspended, in s. Default: 10.",
        ),
        (
            "timeout_s",
            time,
            true,
            "The run fails if it is suspended for longer than this, in s. `ctp10 resume` then continues with the sweep that was not accepted.",
        ),
    ]
}

pub(super) fn schema(steps: &Value) -> Value {
    let fields = fields(steps);
    let required: Vec<&str> =
        fields.iter().filter(|(_, _, required, _)| *required).map(|(name, ..)| *name).collect();
    let properties: Map<String, Value> = fields
        .iter()
        .map(|(name, schema, _, about)| ((*name).to_owned(), described(schema, about)))
        .collect();
    json!({
        "type": "object", "properties": properties, "required": required, "additionalProperties": false,
        "description": SUSPENSION,
    })
}

const SUSPENSION: &str = "Checks conditions during the measurement. If the condition is true, the run is suspended and probed until it may continue. \
    Then the sweep that was not accepted is repeated.";

/// The row of `suspend_when` among the keys of a recipe, and its own table.
pub(super) fn reference(text: &mut String) {
    text.push_str("| `suspend_when` | map | no | suspends the run under a condition |\n");
    let _ = write!(
        text,
        "\n`suspend_when`: {}\n\n{SUSPENSION_EXAMPLE}\n| field | takes | required | meaning |\n|---|---|---|---|\n",
        one_line(SUSPENSION)
    );
    for (name, schema, required, about) in fields(&json!({ "type": "array" })) {
        let needed = if required { "yes" } else { "no" };
        let _ = writeln!(text, "| `{name}` | {} | {needed} | {about} |", takes(&Value::Null, &schema));
    }
}

const SUSPENSION_EXAMPLE: &str = "\
```yaml
suspend_when:
  probe:
    - configure_laser: { laser: 1, output: true }   # dark between scans
    - read_power: { id: tap, detector: 4/3 }
  condition: \"${steps.tap.value < -20}\"
  settle_s: 60
  timeout_s: 7200
```

A script declares the same fields. The conditions can use the script's parameters:

```rust
recipe(#{
    name: \"rings\",
    suspend_when: #{
        probe: [#{ read_power: #{ id: \"tap\", detector: \"4/3\" } }],
        condition: \"steps.tap.value < limit_dbm\",
        timeout_s: 7200,
    },
});
let limit_dbm = parameter(\"limit_dbm\", -20);
```

The rules also apply to the sweeps of recipes and scripts inside the recipe, but not to those of `finally`. `check` and `plan` assume that
the condition never triggers. They check the probe and the conditions once, after the first sweep. With `--instrument` they also check
whether the detectors and lasers of the probe exist.

With `every_s` the conditions are checked before the next operation if that time has passed since the last check that found nothing
wrong. They are also checked before any operation after which the last sweep could no longer be repeated in the same way. Such operations
are the next sweep, a reference, a setting, a prompt, and an operation that moves something. One more check follows the last step. So
every sweep is checked, and a repetition never asks a person. A scan, a transfer, a `wait: { at }` and a `wait` for a stable power are not
interrupted.

A sweep that was not accepted is repeated together with its fetches. Each trace keeps its place and gets a higher `attempt`. The recipe
keeps the values that it got from the first traces (`steps.<id>`, variables of a script). Sweeps that were accepted are kept. An
interrupted `wait` continues with its remaining time.

All times of `suspend_when` are durations, so a clock that is set changes none of them. Nobody watches the bench between an interruption
and its resume. So `timeout_s` does not count that time, `for_s` and `settle_s` start again, and `every_s` counts it by the clock of the
computer.
";
