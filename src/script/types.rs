//! Names of types in the errors of Rhai, in the words of recipes. Users do not know the types of Rust.

/// The word for a type, for example `integer` for `i64`.
pub(super) fn word(name: &str) -> String {
    let known = match name {
        "i64" | "INT" => "integer",
        "f64" | "FLOAT" => "number",
        "bool" => "true or false",
        "()" => "nothing",
        "char" | "string" => "text",
        "array" => "list",
        "map" => "map",
        "Fn" => "function",
        "range" | "range=" => "range",
        // Rhai maps the names of some types, and gives others as in Rust.
        other if other.contains("String") => "text",
        other if other.contains("BTreeMap<") => "map",
        other if other.contains("Vec<u8>") => "blob",
        other if other.contains("Vec<") => "list",
        other if other.ends_with("FnPtr") => "function",
        other => return other.rsplit("::").next().unwrap_or(other).to_lowercase(),
    };
    known.to_owned()
}

/// The word for a type with its article, for a sentence.
pub(super) fn one(name: &str) -> String {
    match word(name) {
        plain if matches!(plain.as_str(), "nothing" | "true or false") => plain,
        word if word.starts_with(['a', 'e', 'i', 'o', 'u']) => format!("an {word}"),
        word => format!("a {word}"),
    }
}

/// The words for the types of arguments: `(integer, text)`.
pub(super) fn all(names: &str) -> String {
    if names.is_empty() {
        return "no arguments".to_owned();
    }
    let words: Vec<String> = names.split(", ").map(word).collect();
    format!("({})", words.join(", "))
}

/// The message about a property that a value does not have. Rhai quotes its name and the type of the value:
/// `Unknown property 'x' - a getter is not registered for type 'i64'`.
pub(super) fn no_property(message: &str) -> Option<String> {
    let quoted: Vec<&str> = message.split('\'').skip(1).step_by(2).collect();
    let (name, of) = (quoted.first()?, quoted.get(1)?);
    if message.starts_with("Unknown property") {
        Some(format!("{} has no `{name}`", one(of)))
    } else {
        message.starts_with("No writable property").then(|| format!("`{name}` of {} cannot be set", one(of)))
    }
}

/// What the parser of Rhai expects in a place, or finds there.
pub(super) fn parsed(what: &str) -> &str {
    match what {
        "a boolean expression" | "a boolean" => "true or false",
        "a floating-point number" => "a number",
        "a string" | "a character" => "a text",
        "an array" => "a list",
        "an object map" => "a map",
        "an iterable value" => "a list or a range",
        "()" => "nothing",
        other => other,
    }
}
