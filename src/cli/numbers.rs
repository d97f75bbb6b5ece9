//! Numbers on the command line. `NaN` and `inf` are refused, because every comparison with NaN is false: as a limit, NaN
//! would allow everything.

pub(super) fn number(text: &str) -> Option<f64> {
    text.trim().parse().ok().filter(|number: &f64| number.is_finite())
}

pub(super) fn finite(text: &str) -> Result<f64, String> {
    number(text).ok_or_else(|| "a finite number is needed".to_owned())
}

pub(super) fn not_negative(text: &str) -> Result<f64, String> {
    number(text)
        .filter(|number| *number >= 0.0)
        .ok_or_else(|| "a number that is not negative is needed".to_owned())
}

pub(super) fn positive(text: &str) -> Result<f64, String> {
    number(text).filter(|number| *number > 0.0).ok_or_else(|| "a number above 0 is needed".to_owned())
}

#[cfg(test)]
mod tests {
    use std::any::TypeId;

    use clap::error::ErrorKind;
    use clap::{Command, CommandFactory, Parser};

    use crate::cli::Cli;

    /// The numbers that a command and its subcommands take, each with the words before it.
    fn numbers(command: &Command, words: &[String], found: &mut Vec<Vec<String>>) {
        for argument in command.get_arguments() {
            let option = argument.get_long().map(|long| format!("--{long}"));
            if argument.get_value_parser().type_id() == TypeId::of::<f64>() {
                found.push(words.iter().cloned().chain(option).collect());
            }
        }
        for inner in command.get_subcommands() {
            let words: Vec<String> = words.iter().cloned().chain([inner.get_name().to_owned()]).collect();
            numbers(inner, &words, found);
        }
    }

    #[test]
    fn no_option_takes_a_number_that_is_not_finite() {
        let mut all = Vec::new();
        numbers(&Cli::command(), &["ctp10".to_owned()], &mut all);
        assert!(all.len() > 10, "{all:?}");
        for words in all {
            for given in ["nan", "inf", "1e999"] {
                let mut words = words.clone();
                if let Some(option) = words.last_mut() {
                    *option = format!("{option}={given}");
                }
                let kind = Cli::try_parse_from(&words).unwrap_err().kind();
                assert_eq!(kind, ErrorKind::ValueValidation, "{words:?}");
            }
        }
    }
}
