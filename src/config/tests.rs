//! Tests of the configuration.

use super::*;

fn environment(pairs: &'static [(&str, &str)]) -> Config {
    let mut config = Config::default();
    let taken =
        config.take_environment(|name| pairs.iter().find(|(n, _)| *n == name).map(|(_, v)| (*v).to_owned()));
    taken.unwrap();
    config
}

#[test]
fn the_python_services_variables_are_understood_where_ours_is_not_set() {
    let instrument = |config: Config| config.instrument.map(|setting| setting.value);
    let old = environment(&[("CTP10_IP", "192.0.2.7"), ("CTP10_PORT", "10001")]);
    assert_eq!(instrument(old).as_deref(), Some("192.0.2.7:10001"));
    let both = environment(&[("CTP10_IP", "192.0.2.7"), ("CTP10_INSTRUMENT", "sim")]);
    assert_eq!(instrument(both).as_deref(), Some("sim"));
}

#[test]
fn the_environments_hosts_count_instead_of_those_of_the_files_and_none_are_none() {
    let hosts = |config: Config| config.allow_http.unwrap();
    assert_eq!(hosts(environment(&[("CTP10_ALLOW_HTTP", "none")])), AllowedHosts::default());
    let two = AllowedHosts::try_from(vec!["stage:8000".to_owned(), "oven".to_owned()]).unwrap();
    assert_eq!(hosts(environment(&[("CTP10_ALLOW_HTTP", "stage:8000, oven")])), two);
}

#[test]
fn the_nearer_list_of_hosts_counts_and_one_that_cannot_be_read_is_no_empty_one() {
    let folder = tempfile::tempdir().unwrap();
    let take = |texts: &[&str]| {
        let mut config = Config::default();
        for text in texts {
            let path = folder.path().join("ctp10.toml");
            std::fs::write(&path, text).unwrap();
            config.take_file(&path)?;
        }
        Ok::<_, ConfigError>(config.allow_http)
    };
    let (stage, switch) = ("allow_http = [\"stage:8000\"]\n", "allow_http = [\"switch\"]\n");
    assert_eq!(take(&["out = \"runs\"\n"]).unwrap(), None);
    assert_eq!(take(&[stage, "out = \"runs\"\n"]).unwrap(), take(&[stage]).unwrap());
    assert_eq!(take(&[stage, switch]).unwrap(), take(&[switch]).unwrap());
    assert_eq!(take(&[stage, "allow_http = []\n"]).unwrap(), Some(AllowedHosts::default()));
    let error = take(&["allow_http = [\"http://stage\"]\n"]).unwrap_err();
    assert!(crate::error::chain(&error).contains("`http://stage` is not a host"), "{error}");
}

#[test]
fn the_nearer_file_wins_key_by_key_and_a_misspelt_key_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let write = |name: &str, text: &str| {
        let path = folder.path().join(name);
        std::fs::write(&path, text).unwrap();
        path
    };
    let mut config = Config::default();
    config.take_file(&write("far.toml", "instrument = \"sim\"\nout = \"far\"\n")).unwrap();
    config.take_file(&write("near.toml", "out = \"near\"\n")).unwrap();
    assert_eq!(config.instrument.unwrap().value, "sim");
    assert_eq!(config.out.unwrap(), Path::new("near"));
    let mut config = Config::default();
    let error = config.take_file(&write("bad.toml", "limit = 3\n")).unwrap_err();
    assert!(crate::error::chain(&error).contains("limit"), "{error}");
}

#[test]
fn a_number_in_a_file_is_finite_and_within_its_range() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("ctp10.toml");
    for text in [
        "keep_local = #",
        "dark_after_s = #",
        "guard_after_s = #",
        "disk_full_wait_s = #",
        "answer_wait_s = #",
        "deadlines = { question_s = # }",
        "fleet = { lease_s = # }",
        "limits = { max_power_dbm = # }",
        "limits = { laser.1 = { max_power_dbm = # } }",
        "limits = { laser.1 = { wavelength_nm = [#, 1600] } }",
        "instruments.smu = { address = \"smu:5025\", limits = { \":SOUR:VOLT\" = [0, #] } }",
    ] {
        for number in ["nan", "inf", "-inf"] {
            std::fs::write(&path, text.replace('#', number)).unwrap();
            let error = crate::error::chain(&Config::default().take_file(&path).unwrap_err());
            assert!(error.contains("is not allowed") || error.contains("is not a range"), "{text}: {error}");
        }
        std::fs::write(&path, text.replace('#', "50")).unwrap();
        assert!(Config::default().take_file(&path).is_ok(), "{text}");
    }
}
