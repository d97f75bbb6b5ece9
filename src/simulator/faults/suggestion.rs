//! The hint for a misspelt word in a fault. The simulator has its own, so that it shares no code with the recipes.

/// "did you mean …", or the list of allowed words if none is similar.
pub(super) fn suggestion<'a>(word: &str, allowed: impl IntoIterator<Item = &'a str> + Clone) -> String {
    let word = word.to_lowercase();
    let likeness = |known: &str| strsim::normalized_damerau_levenshtein(&word, known);
    let nearest = allowed.clone().into_iter().max_by(|a, b| likeness(a).total_cmp(&likeness(b)));
    match nearest.filter(|known| likeness(known) >= 0.5) {
        Some(known) => format!("did you mean `{known}`?"),
        None => {
            let list: Vec<String> = allowed.into_iter().map(|known| format!("`{known}`")).collect();
            format!("allowed: {}", list.join(", "))
        }
    }
}
