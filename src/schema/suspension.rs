//! `suspend_when`, which is no declaration and no step: it has both in it.

use std::fmt::Write as _;

use serde_json::{Map, Value, json};

use super::{described, one_line, takes};

/// What `suspend_when` takes: name, schema, whether it is required, meaning.
fn fields(steps: &Value) -> [(&'static str, Value, bool, &'static str); 9] {
    let time = json!({ "type": ["number", "string"] });
    let expression = json!({ "type": "string" });
    [
        (
            "after",
            json!({ "const": "sweep" }),
            false,
            "`sweep`: judges each sweep right after it, before anything of it is fetched. So it is without `every_s`; both can be given.",
        ),
        (
            "every_s",
            time.clone(),
            false,
            "Judges at least this often, s, from the first sweep on: between operations and within `wait: { seconds }`.",
        ),
        (
            "probe",
            steps.clone(),
            true,
            "Steps that tell how things are: performed for each judgement, and again and again while suspended. Their ids are for the two conditions.",
        ),
        ("condition", expression.clone(), true, "An expression; suspends when it holds."),
        ("for_s", time.clone(), false, "How long it has to hold, s; 0 when not given."),
        (
            "resume_when",
            expression,
            false,
            "Goes on when it holds; not given: when `condition` does not hold.",
        ),
        ("settle_s", time.clone(), false, "How long that has to hold, s; 0 when not given."),
        ("probe_every_s", time.clone(), false, "Pause between two probes, s; 10 when not given."),
        (
            "timeout_s",
            time,
            true,
            "The run fails when it is suspended for longer than this, s; `ctp10 resume` goes on with the sweep in question.",
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

const SUSPENSION: &str = "Judges what is measured while it is measured. Where the condition holds the run is suspended, and probed until it may go on; \
    then the sweep that was not found good is done again.";

/// Its row among the keys of a recipe, and its own table.
pub(super) fn reference(text: &mut String) {
    text.push_str("| `suspend_when` | map | no | holds the run while its conditions are bad |\n");
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

In a script it is declared with the same words, and its conditions see the parameters as those of a YAML recipe do:

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

Sweeps of recipes and scripts inside are judged too, those of `finally` are not. `check` and `plan` take everything for good; they look at
the probe and the conditions once, as they stand behind the first sweep, and with `--instrument` ask for their detectors and lasers.

With `every_s` things are judged before the next operation once so much time has passed since they were found good, and in any case before
the first operation that would keep the last sweep from being done again as it was: the next sweep, a reference, a setting, or what asks or moves;
and when the steps have ended. So no sweep goes unjudged, and what is repeated never asks anybody. A scan, a transfer, a `wait: { at }` and a
`wait` for a steady level are not interrupted. A sweep that was not found good before is done again with what was fetched after it, each trace
in its place with a higher `attempt`; what the recipe was told of the first ones (`steps.<id>`, a script's variables) stays. What has been found
good since is kept. A `wait` goes on with what was left of it.
";
