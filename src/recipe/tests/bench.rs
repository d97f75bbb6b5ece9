//! Recipes that drive other instruments on the bench.

use super::*;

#[test]
fn a_condition_over_a_reply_is_an_expression_of_its_own_and_checked_where_it_stands() {
    let poll = |ready: &str| {
        format!(
            "name: t\nsteps:\n  - set: {{ goal: 5 }}\n  - http: {{ url: \"http://stage/${{goal}}\", poll: {{ ready: '{ready}', timeout_s: 9 }} }}\n"
        )
    };
    let text = poll("reply.x >= ${goal - 0.5} && status == 200");
    let host = Recorder::default();
    recipe(&text).perform(&host).unwrap();
    let steps = host.steps.into_inner().unwrap();
    let Operation::Http(http) = &steps[0].operation else { panic!("{:?}", steps[0]) };
    assert_eq!(http.poll.as_ref().unwrap().ready, "reply.x >= 4.5 && status == 200");
    for (ready, place, words) in [
        ("repl.x > 5", "r.yaml:4:58", "unknown variable `repl`"),
        ("reply.x >", "r.yaml:4:67", "ends too early"),
        ("reply.x > goal", "r.yaml:4:68", "unknown variable `goal`"),
        ("${reply.x > 5}", "r.yaml:4:60", "leave `${` and `}` out"),
    ] {
        let refused = refused(&poll(ready));
        assert!(refused.contains(place) && refused.contains(words), "{refused}");
    }
    // What an expression gives is checked when it has given it; a script, where it calls.
    let late = recipe(&poll("${goal} >")).perform(&Recorder::default()).unwrap_err();
    assert!(late.to_string().starts_with("r.yaml:4:57: ready `5 >`: the text ends too early"), "{late}");
    let script = "recipe(#{ name: \"t\" });\nhttp(#{ url: \"http://stage/\", poll: #{ ready: \"repl\", timeout_s: 9 } });";
    let script = Recipe::from_text("r.rhai", script, None, &[]).unwrap();
    let late = script.perform(&Recorder::default()).unwrap_err();
    assert!(late.to_string().starts_with("r.rhai:2:1: ready `repl`: unknown variable"), "{late}");
}

#[test]
fn a_reply_and_its_status_are_results_in_both_languages() {
    let yaml = "steps:\n  - http: { id: t, url: \"http://oven/\", assume: { at: { c: 25.5 } } }\n  - log: \"${steps.t.reply.at.c} ${steps.t.status} ${steps.t.failed}\"\n";
    assert_eq!(told(yaml), ["http", "25.5 200 false"]);
    let rhai = "recipe(#{ name: \"t\" });\nlet t = http(#{ url: \"http://oven/\", assume: #{ at: #{ c: 25.5 } } });\nlog(`${t.reply.at.c} ${t.status} ${t.failed}`);";
    let host = Recorder::default();
    Recipe::from_text("r.rhai", rhai, None, &[]).unwrap().perform(&host).unwrap();
    assert_eq!(host.told(), ["http", "25.5 200 false"]);
    assert_eq!(host.uses.into_inner(), 1, "what comes after a reply may depend on it");
}
