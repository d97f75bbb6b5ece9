//! Files with secrets of instruments, by their absolute paths.

use std::path::PathBuf;

/// The absolute path of a file with a secret: the watchdog works in another folder.
pub(super) fn absolute(path: PathBuf) -> Result<String, String> {
    let shown = path.display().to_string();
    let absolute = std::path::absolute(path).map_err(|error| format!("`{shown}`: {error}"))?;
    absolute
        .into_os_string()
        .into_string()
        .map_err(|_| format!("`{shown}` is not below a folder with a UTF-8 name"))
}

#[cfg(test)]
mod tests {
    use crate::config::{Config, ConfigError};
    use crate::error::chain;

    fn load(text: &str) -> Result<Config, ConfigError> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("ctp10.toml");
        std::fs::write(&path, text).unwrap();
        let mut config = Config::default();
        config.take_file(&path).map(|()| config)
    }

    fn stage(more: &str) -> Result<Config, String> {
        load(&format!("[instruments.stage]\nurl = \"http://probe-station:8000\"\n{more}"))
            .map_err(|error| chain(&error))
    }

    #[test]
    fn an_instrument_with_a_rest_api_is_read() {
        let config = stage(
            "identify = \"/info\"\nidentity = \"ACME\"\nsafe = [{ method = \"POST\", path = \"/stop\" }, { path = \"/off\", json = { now = true } }]
confirm = { path = \"/state\", contains = \"stopped\" }\ntoken = { env = \"STAGE_TOKEN\" }\nheaders = { X-Api-Key = { file = \"key\" }, Accept = \"application/json\" }\n",
        )
        .unwrap();
        let shown = format!("{:?}", config.instruments.get("stage").unwrap().device);
        let key = std::path::absolute("key").unwrap();
        assert!(shown.contains(key.to_str().unwrap()) && shown.contains("Post"), "{shown}");
        assert!(stage("").is_ok());
    }

    #[test]
    fn what_is_wrong_with_an_instrument_is_named() {
        for (more, words) in [
            ("address = \"host:1\"\n", "an `address` or a `url`, not both"),
            ("setup = [\"X\"]\n", "`setup` is not for an instrument with a `url`"),
            ("allow = [\"X\"]\n", "`allow` is not for"),
            ("safe = [\"STOP\"]\n", "`STOP` in `safe` is a line of text"),
            ("safe = [{ path = \"/a/../b\" }]\n", "has a part `.` or `..`"),
            ("safe = [{ path = \"http://elsewhere/\" }]\n", "a path begins with one `/`"),
            ("safe = [{ method = \"STOP\", path = \"/a\" }]\n", "unknown variant `STOP`"),
            ("identity = \"ACME\"\n", "`identity` needs `identify`"),
            ("identify = \"info\"\n", "a path begins with one `/`"),
            ("token = { environment = \"X\" }\n", "`{ env = \"NAME\" }`"),
        ] {
            let error = stage(more).unwrap_err();
            assert!(error.contains(words), "{more}: {error}");
        }
        for (url, words) in [
            ("ftp://stage", "is not allowed"),
            ("stage:8000", "is not allowed"),
            ("http://me:hush-hush@stage", "contains a user or a password"),
            ("http://stage/?a=1", "is not allowed"),
        ] {
            let error = chain(&load(&format!("[instruments.s]\nurl = \"{url}\"\n")).unwrap_err());
            assert!(error.contains(words), "{url}: {error}");
        }
        let text =
            chain(&load("[instruments.s]\naddress = \"h:1\"\nsafe = [{ path = \"/stop\" }]\n").unwrap_err());
        assert!(text.contains("`POST /stop` in `safe` is for an instrument with a `url`"), "{text}");
    }

    #[test]
    fn an_error_shows_no_secret() {
        for more in [
            "token = \"hush-hush\"\n",
            "token = hush-hush\n",
            "Token = \"hush-hush\"\n",
            "token = { env = \"A\", value = \"hush-hush\" }\n",
            "headers = { X-Api-Key = { value = \"hush-hush\" } }\n",
        ] {
            let error = stage(more).unwrap_err();
            assert!(!error.contains("hush"), "{error}");
            assert!(error.contains("line 3") || error.contains("`token` is not a text"), "{error}");
        }
        let error = chain(&load("[instruments.s]\nurl = \"http://me:hush-hush@stage\"\n").unwrap_err());
        assert!(!error.contains("hush"), "{error}");
    }
}
