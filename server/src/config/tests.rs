#![expect(clippy::unwrap_used, reason = "a test says what it expects by failing")]

use std::collections::BTreeSet;

use clap::FromArgMatches as _;

use super::*;

fn flags(arguments: &[&str]) -> Flags {
    let command = <Flags as clap::Args>::augment_args(clap::Command::new("test").no_binary_name(true));
    Flags::from_arg_matches(&command.try_get_matches_from(arguments).unwrap()).unwrap()
}

fn environment(pairs: &'static [(&'static str, &'static str)]) -> impl Fn(&str) -> Option<String> {
    move |name| pairs.iter().find(|(key, _)| *key == name).map(|(_, value)| (*value).to_owned())
}

fn shown(resolved: &Resolved, key: &str) -> String {
    resolved.shown().into_iter().find(|s| s.key == key).unwrap().value.unwrap()
}

#[test]
fn names_follow_from_the_key() {
    for setting in SETTINGS {
        assert_eq!(setting.env, format!("HOLDFAST_{}", setting.key.to_uppercase().replace('.', "_")));
        if let Some(flag) = setting.flag {
            assert_eq!(flag, setting.key.replace(['_', '.'], "-"));
        }
    }
    let keys: BTreeSet<_> = SETTINGS.iter().map(|s| s.key).collect();
    assert_eq!(keys.len(), SETTINGS.len());
}

#[test]
fn secrets_have_no_flag_because_a_list_of_processes_shows_flags() {
    assert!(SETTINGS.iter().all(|s| s.secrecy != Secrecy::Hidden || s.flag.is_none()));
}

#[test]
fn the_defaults_are_usable() {
    let resolved = Resolved::gather(&flags(&[]), environment(&[("HOME", "/home/ada")])).unwrap();
    let config = Config::from_resolved(&resolved).unwrap();
    assert_eq!(config.listen.as_deref(), Some("127.0.0.1:8000"));
    assert!(config.tls.is_none());
    assert_eq!(config.data_dir, PathBuf::from("/home/ada/.local/share/holdfast"));
    assert_eq!(config.database_url.reveal(), "sqlite:/home/ada/.local/share/holdfast/catalog.db");
    assert_eq!(config.limits.manifest_entries, 2_000_000);
    assert_eq!(config.limits.upload_size, None);
}

#[test]
fn flags_beat_the_environment_which_beats_the_file_which_beats_the_default() {
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(
        file.path(),
        "listen = '127.0.0.1:1'\nlog = 'debug'\nlog_format = 'json'\n[limits]\njson_body = 7\n",
    )
    .unwrap();
    let resolved = Resolved::gather(
        &flags(&["--config", file.path().to_str().unwrap(), "--listen", "127.0.0.1:3"]),
        environment(&[
            ("HOLDFAST_LISTEN", "127.0.0.1:2"),
            ("HOLDFAST_LOG", "warn"),
            ("HOLDFAST_LOG_FORMAT", ""),
        ]),
    )
    .unwrap();
    let config = Config::from_resolved(&resolved).unwrap();
    assert_eq!(config.listen.as_deref(), Some("127.0.0.1:3"));
    assert_eq!(config.log, "warn");
    assert_eq!(config.log_format, LogFormat::Json, "an empty variable counts as absent");
    assert_eq!(config.limits.json_body, 7);
    assert!(config.migrate);
    assert_eq!(resolved.source("listen"), Some(&Source::Flag("listen")));
    assert_eq!(resolved.source("log"), Some(&Source::Environment("HOLDFAST_LOG")));
    assert_eq!(resolved.source("limits.json_body"), Some(&Source::File(file.path().to_owned())));
}

#[test]
fn an_unknown_key_in_the_file_is_named() {
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), "[limits]\njson_boddy = 7\n").unwrap();
    let error =
        Resolved::gather(&flags(&["--config", file.path().to_str().unwrap()]), environment(&[])).unwrap_err();
    assert!(error.to_string().contains("limits.json_boddy"), "{error}");
}

#[test]
fn a_wrong_value_is_told_by_key_and_source_without_the_value() {
    let resolved =
        Resolved::gather(&flags(&[]), environment(&[("HOLDFAST_LIMITS_JSON_BODY", "lots-of-it")])).unwrap();
    let error = Config::from_resolved(&resolved).unwrap_err().to_string();
    assert!(error.contains("limits.json_body") && error.contains("HOLDFAST_LIMITS_JSON_BODY"), "{error}");
    assert!(!error.contains("lots-of-it"), "{error}");
}

#[test]
fn secrets_and_passwords_inside_urls_are_not_shown() {
    let resolved = Resolved::gather(
        &flags(&[]),
        environment(&[
            ("HOLDFAST_DATABASE_URL", "postgres://ada:s3cret@db/holdfast?sslmode=require&password=s3cret"),
            ("HOLDFAST_ADMIN_USERNAME", "ada"),
            ("HOLDFAST_ADMIN_PASSWORD", "s3cret"),
        ]),
    )
    .unwrap();
    let config = Config::from_resolved(&resolved).unwrap();
    assert!(!format!("{config:?}").contains("s3cret"));
    assert_eq!(shown(&resolved, "admin_password"), "(hidden)");
    assert_eq!(
        shown(&resolved, "database_url"),
        "postgres://ada:hidden@db/holdfast?sslmode=require&password=hidden"
    );
}

#[test]
fn a_data_directory_with_odd_characters_gives_a_url_that_names_it() {
    let resolved = Resolved::gather(&flags(&["--data-dir", "/a b/50%?#"]), environment(&[])).unwrap();
    assert_eq!(resolved.text("database_url"), Some("sqlite:/a%20b/50%25%3F%23/catalog.db"));
}

#[test]
fn one_half_of_the_first_account_is_refused() {
    let resolved = Resolved::gather(&flags(&[]), environment(&[("HOLDFAST_ADMIN_USERNAME", "ada")])).unwrap();
    assert!(Config::from_resolved(&resolved).is_err());
}

#[test]
fn https_is_served_where_it_is_asked_for_and_halves_of_it_are_refused() {
    let config = |arguments: &[&str]| {
        let mut all = vec!["--data-dir", "/data"];
        all.extend(arguments);
        Config::from_resolved(&Resolved::gather(&flags(&all), environment(&[])).unwrap())
    };
    let tls = config(&["--tls-listen", "[::]:8443", "--listen", "none", "--tls-names", "NAS, 192.168.1.2"])
        .unwrap();
    assert_eq!(tls.listen, None);
    let tls = tls.tls.unwrap();
    assert_eq!((tls.listen.as_str(), tls.names.len(), tls.files), ("[::]:8443", 2, None));
    let files =
        config(&["--tls-listen", "x:1", "--tls-cert", "/c", "--tls-key", "/k"]).unwrap().tls.unwrap().files;
    assert_eq!(files, Some((PathBuf::from("/c"), PathBuf::from("/k"))));
    let refused = |arguments: &[&str]| config(arguments).unwrap_err().to_string();
    assert!(refused(&["--listen", "none"]).contains("nothing would be served"));
    assert!(refused(&["--tls-listen", "x:1", "--tls-cert", "/c"]).contains("tls_key is not"));
    assert!(refused(&["--tls-listen", "x:1", "--tls-key", "/k"]).contains("tls_cert is not"));
    assert!(refused(&["--tls-cert", "/c", "--tls-key", "/k"]).contains("tls_listen is none"));
    assert!(refused(&["--tls-listen", "x:1", "--tls-names", "https://nas"]).contains("tls_names"));
}
