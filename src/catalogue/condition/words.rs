//! Splits a condition into words.

use super::{Operator, Wrong};

/// A word of a condition.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Word {
    /// A name or a keyword, as it was written.
    Name(String),
    /// A name in double quotes.
    Quoted(String),
    /// A text in single quotes.
    Text(String),
    Number(f64),
    Operator(Operator),
    Open,
    Close,
    Dot,
}

impl Word {
    /// How a message names the word.
    pub(super) fn shown(&self) -> String {
        match self {
            Self::Name(name) => format!("`{name}`"),
            Self::Quoted(name) => format!("`\"{name}\"`"),
            Self::Text(text) => format!("`'{text}'`"),
            Self::Number(number) => format!("`{number}`"),
            Self::Operator(operator) => format!("`{}`", operator.sign()),
            Self::Open => "`(`".to_owned(),
            Self::Close => "`)`".to_owned(),
            Self::Dot => "`.`".to_owned(),
        }
    }
}

/// The words of a condition with their positions in characters, from 0.
pub(super) fn words(text: &str) -> Result<Vec<(usize, Word)>, Wrong> {
    let letters: Vec<char> = text.chars().collect();
    let (mut found, mut at) = (Vec::new(), 0);
    while let Some(letter) = letters.get(at) {
        let next = letters.get(at + 1);
        let (word, length) = match (letter, next) {
            (letter, _) if letter.is_whitespace() => {
                at += 1;
                continue;
            }
            ('(', _) => (Word::Open, 1),
            (')', _) => (Word::Close, 1),
            ('!', Some('=')) => (Word::Operator(Operator::NotEqual), 2),
            ('<', Some('=')) => (Word::Operator(Operator::LessOrEqual), 2),
            ('>', Some('=')) => (Word::Operator(Operator::GreaterOrEqual), 2),
            ('<', Some('>')) => return Err(Wrong::new(at, "unknown operator `<>`").hint("use `!=`")),
            ('=', Some('=')) => return Err(Wrong::new(at, "unknown operator `==`").hint("use `=`")),
            ('&', _) => return Err(Wrong::new(at, "unknown operator `&`").hint("use `and`")),
            ('|', _) => return Err(Wrong::new(at, "unknown operator `|`").hint("use `or`")),
            ('!', _) => return Err(Wrong::new(at, "unknown operator `!`").hint("use `not`, or `!=`")),
            ('=', _) => (Word::Operator(Operator::Equal), 1),
            ('<', _) => (Word::Operator(Operator::Less), 1),
            ('>', _) => (Word::Operator(Operator::Greater), 1),
            ('\'', _) => {
                let (text, length) = quoted(&letters, at)?;
                (Word::Text(text), length)
            }
            ('"', _) => {
                let (name, length) = quoted(&letters, at)?;
                (Word::Quoted(name), length)
            }
            ('.', after) if !after.is_some_and(char::is_ascii_digit) => (Word::Dot, 1),
            ('0'..='9' | '.' | '-' | '+', _) => number(&letters, at)?,
            (letter, _) if letter.is_alphabetic() || *letter == '_' => {
                let name: String = letters[at..].iter().take_while(|letter| in_name(**letter)).collect();
                let length = name.chars().count();
                (Word::Name(name), length)
            }
            (letter, _) => {
                let shown = crate::shown::one_line(&letter.to_string()).into_owned();
                return Err(Wrong::new(at, format!("`{shown}` is not part of a condition"))
                    .hint("for example: wafer = 'W12' and verdict = 'fail'"));
            }
        };
        found.push((at, word));
        at += length;
    }
    Ok(found)
}

/// A name may contain a hyphen, because a condition does not compute.
fn in_name(letter: char) -> bool {
    letter.is_alphanumeric() || matches!(letter, '_' | '-')
}

/// The text between quotes, and its length with them. A doubled quote is one quote of the text.
fn quoted(letters: &[char], at: usize) -> Result<(String, usize), Wrong> {
    let quote = letters[at];
    let (mut text, mut end) = (String::new(), at + 1);
    loop {
        match (letters.get(end), letters.get(end + 1)) {
            (Some(first), Some(second)) if *first == quote && *second == quote => {
                text.push(quote);
                end += 2;
            }
            (Some(letter), _) if *letter == quote => return Ok((text, end + 1 - at)),
            (Some(letter), _) => {
                text.push(*letter);
                end += 1;
            }
            (None, _) => return Err(Wrong::new(at, format!("the quote {quote} is not closed"))),
        }
    }
}

fn number(letters: &[char], at: usize) -> Result<(Word, usize), Wrong> {
    let mut written = String::new();
    for letter in &letters[at..] {
        let is_sign = matches!(letter, '+' | '-');
        let allowed = written.is_empty() || written.ends_with(['e', 'E']);
        if !(in_name(*letter) || *letter == '.' || is_sign) || (is_sign && !allowed) {
            break;
        }
        written.push(*letter);
    }
    let length = written.chars().count();
    match written.parse::<f64>() {
        Ok(number) if number.is_finite() => Ok((Word::Number(number), length)),
        _ => Err(Wrong::new(at, format!("`{written}` is not a number"))
            .hint(format!("a text is in single quotes: '{written}'"))),
    }
}
