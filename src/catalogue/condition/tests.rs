use super::*;

fn parsed(text: &str) -> Result<String, String> {
    match parse::condition(text) {
        Ok(node) => Ok(shown(&node)),
        Err(wrong) => Err(format!("{}: {} | {}", wrong.at, wrong.message, wrong.hint.unwrap_or_default())),
    }
}

/// The structure with all parentheses.
fn shown(node: &Node) -> String {
    let joined = |parts: &[Node], joint: &str| {
        format!("({})", parts.iter().map(shown).collect::<Vec<_>>().join(joint))
    };
    match node {
        Node::All(parts) => joined(parts, " and "),
        Node::Any(parts) => joined(parts, " or "),
        Node::Not(inner) => format!("not {}", shown(inner)),
        Node::Comparison(Comparison { name, operator, value, .. }) => {
            let origin = name.origin.map(|origin| format!("{}.", origin.word())).unwrap_or_default();
            let value = match value {
                Literal::Text(text) => format!("'{text}'"),
                Literal::Number(number) => number.to_string(),
                Literal::Flag(flag) => flag.to_string(),
            };
            format!("{origin}{} {} {value}", name.name, operator.sign())
        }
    }
}

#[test]
fn and_binds_stronger_than_or_and_not_stronger_than_both() {
    let cases = [
        ("wafer = 'W12' and verdict = 'fail'", "(wafer = 'W12' and verdict = 'fail')"),
        ("a=1 or b=2 and c=3", "(a = 1 or (b = 2 and c = 3))"),
        ("NOT a=1 AND b!=2", "(not a = 1 and b != 2)"),
        ("not (a<1 or b>=-2.5e3)", "not (a < 1 or b >= -2500)"),
        ("name like 'ring%'", "name like 'ring%'"),
        ("\"my dut\" = 'it''s'", "my dut = 'it's'"),
        ("parameter.power_dbm > 5", "parameter.power_dbm > 5"),
        ("simulated = true", "simulated = true"),
    ];
    for (text, expected) in cases {
        assert_eq!(parsed(text).unwrap(), expected, "{text}");
    }
}

#[test]
fn what_is_no_condition_is_refused_with_its_place_and_a_hint() {
    let cases = [
        ("", "0: the condition is empty"),
        ("wafer", "5: expected an operator after `wafer`, got the end | operators: ="),
        ("wafer =", "7: expected a value after `=`, got the end"),
        ("wafer = W12", "8: expected a value after `=`, got `W12` | a text is in single quotes: 'W12'"),
        ("wafer = \"W12\"", "8: expected a value after `=`, got `W12` | a text is in single quotes"),
        ("wafer == 'W12'", "6: unknown operator `==` | use `=`"),
        ("a <> 1", "2: unknown operator `<>` | use `!=`"),
        ("a = 1 && b = 2", "6: unknown operator `&` | use `and`"),
        ("a = 'W12", "4: the quote ' is not closed"),
        ("(a = 1", "0: `(` is not closed"),
        ("a = 1)", "5: `)` has no `(`"),
        ("a = 1 b = 2", "6: expected `and` or `or`, got `b`"),
        ("a = 1.2.3", "4: `1.2.3` is not a number"),
        ("a = 3dB", "4: `3dB` is not a number | a text is in single quotes: '3dB'"),
        ("'W12' = wafer", "0: expected the name of a column, got the text `'W12'`"),
        ("device.wafer = 1", "0: `device.` is unknown | allowed before a point: parameter, metadata, column"),
        ("a = 1; DROP TABLE runs", "5: `;` is not part of a condition"),
        ("and = 1", "0: expected the name of a column, got `and`"),
    ];
    for (text, expected) in cases {
        let refused = parsed(text).unwrap_err();
        assert!(refused.starts_with(expected), "{text}: {refused}");
    }
}

#[test]
fn a_condition_is_bounded() {
    let many = vec!["a = 1"; MOST_COMPARISONS + 1].join(" or ");
    let deep = "(".repeat(10 * DEEPEST) + "a = 1";
    let nots = "not ".repeat(10 * DEEPEST) + "a = 1";
    let long = format!("a = '{}'", "x".repeat(LONGEST));
    for (text, part) in [(&many, "comparisons"), (&deep, "nested"), (&nots, "nested"), (&long, "characters")]
    {
        assert!(parsed(text).unwrap_err().contains(part), "{part}");
    }
}

#[test]
fn a_message_shows_line_and_column() {
    let wrong = Condition::parse("--where", "wafer = 'W12'\nand verdict = fail").unwrap_err();
    let shown = wrong.render(false);
    assert!(shown.contains("--where:2:15"), "{shown}");
    assert!(shown.contains("'fail'"), "{shown}");
}
