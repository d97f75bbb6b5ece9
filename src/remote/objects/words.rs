//! What a store or its server says about a failure, for people.

use crate::shown::{beginning, one_line};

/// An error of `object_store` in one line.
pub(super) fn of(error: &object_store::Error) -> String {
    plain(&innermost(error))
}

/// The HTTP status in the text of an error.
pub(super) fn status(error: &object_store::Error) -> Option<u16> {
    let text = innermost(error);
    let (_, rest) = text.split_once("status code: ")?;
    rest.get(..3)?.parse().ok()
}

/// The innermost cause. The outer errors repeat the address.
fn innermost(error: &dyn std::error::Error) -> String {
    let mut innermost = error;
    while let Some(cause) = innermost.source() {
        innermost = cause;
    }
    innermost.to_string()
}

/// A message of a server for people: of an XML reply only its code and message. The rest may quote headers of the request
/// with credentials.
fn plain(text: &str) -> String {
    let tag = |name: &str| {
        let (_, rest) = text.split_once(&format!("<{name}>"))?;
        Some(rest.split_once('<')?.0.trim().to_owned())
    };
    let told = match (tag("Code"), tag("Message")) {
        (Some(code), Some(message)) => format!("{code}: {message}"),
        (Some(one), None) | (None, Some(one)) => one,
        (None, None) => text.split('<').next().unwrap_or_default().trim().trim_end_matches(':').to_owned(),
    };
    one_line(&beginning(&told)).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reply_of_a_server_is_told_without_what_it_quotes_of_the_request() {
        let reply = "Client error with status 403 Forbidden: <?xml version=\"1.0\"?><Error><Code>SignatureDoesNotMatch</Code><Message>The signature does not match</Message><AWSAccessKeyId>AKIA</AWSAccessKeyId><CanonicalRequest>x-amz-security-token:secret</CanonicalRequest></Error>";
        assert_eq!(plain(reply), "SignatureDoesNotMatch: The signature does not match");
        assert_eq!(plain("no reply within 30 s"), "no reply within 30 s");
        assert_eq!(plain("status 502: <html>Bad Gateway</html>"), "status 502");
    }
}
