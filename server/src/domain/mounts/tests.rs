use proptest::prelude::*;

use super::*;

fn key(platform: Platform, path: &str) -> String {
    DevicePath::parse(platform, path).map_or_else(str::to_owned, |path| path.key())
}

/// The longest of some mount points that a path lies in, and what of it lies below.
fn found(platform: Platform, mounts: &[&str], path: &str) -> Option<(String, String)> {
    let keys: Vec<(String, &str)> = mounts.iter().map(|mount| (key(platform, mount), *mount)).collect();
    let path = DevicePath::parse(platform, path).ok()?;
    path.within().find_map(|(within, below)| {
        keys.iter().find(|(key, _)| *key == within).map(|(_, mount)| ((*mount).to_owned(), below))
    })
}

fn lies_in(platform: Platform, mounts: &[&str], path: &str, mount: &str, below: &str) {
    assert_eq!(found(platform, mounts, path), Some((mount.to_owned(), below.to_owned())), "{path}");
}

#[test]
fn a_name_that_begins_alike_is_another() {
    lies_in(Platform::Posix, &["/media/usb", "/media/usb2"], "/media/usb2/a", "/media/usb2", "a");
    assert_eq!(found(Platform::Posix, &["/media/usb"], "/media/usb2/a"), None);
    assert_eq!(found(Platform::Posix, &["/media/usb"], "/media"), None);
}

#[test]
fn what_is_a_wildcard_elsewhere_is_a_letter_here() {
    assert_eq!(found(Platform::Posix, &["/media/my_usb"], "/media/myXusb/a"), None);
    assert_eq!(found(Platform::Posix, &["/media/%"], "/media/usb/a"), None);
    lies_in(Platform::Posix, &["/media/50%_off"], "/media/50%_off/a", "/media/50%_off", "a");
}

#[test]
fn of_mounts_in_one_another_the_inner_one_is_meant() {
    let mounts = ["/", "/srv", "/srv/data/photos"];
    lies_in(Platform::Posix, &mounts, "/srv/data/photos/1.jpg", "/srv/data/photos", "1.jpg");
    lies_in(Platform::Posix, &mounts, "/srv/data/photos2/1.jpg", "/srv", "data/photos2/1.jpg");
    lies_in(Platform::Posix, &mounts, "/etc/hosts", "/", "etc/hosts");
    lies_in(Platform::Posix, &mounts, "/srv", "/srv", "");
}

#[test]
fn slashes_that_mean_nothing_do_not_count() {
    lies_in(Platform::Posix, &["/media/usb/"], "/media//usb/./a/", "/media/usb/", "a");
    lies_in(Platform::Windows, &["D:\\"], "d:/Photos//1.jpg", "D:\\", "Photos/1.jpg");
}

#[test]
fn case_and_form_count_only_where_they_do_on_that_system() {
    assert_eq!(found(Platform::Posix, &["/media/USB"], "/media/usb/a"), None);
    lies_in(Platform::Apple, &["/Volumes/USB"], "/volumes/usb/A", "/Volumes/USB", "A");
    lies_in(Platform::Apple, &["/Volumes/M\u{fc}ll"], "/Volumes/Mu\u{308}ll/a", "/Volumes/M\u{fc}ll", "a");
    lies_in(
        Platform::Windows,
        &["C:\\Users\\User\\OneDrive"],
        "c:/users/user/onedrive/Docs/A.pdf",
        "C:\\Users\\User\\OneDrive",
        "Docs/A.pdf",
    );
}

#[test]
fn windows_writes_one_place_in_many_ways() {
    for same in ["C:\\Data", "c:\\data\\", "C:/Data", "\\\\?\\C:\\Data", "C:\\Data. "] {
        assert_eq!(key(Platform::Windows, same), "c:/data", "{same}");
    }
    for same in ["\\\\NAS\\Photos", "//nas/photos/", "\\\\?\\UNC\\nas\\Photos", "\\\\?\\unc\\nas\\Photos"] {
        assert_eq!(key(Platform::Windows, same), "//nas/photos/", "{same}");
    }
    lies_in(
        Platform::Windows,
        &["\\\\nas\\photos"],
        "\\\\NAS\\photos\\2024\\a.jpg",
        "\\\\nas\\photos",
        "2024/a.jpg",
    );
    assert_eq!(found(Platform::Windows, &["\\\\nas\\photos"], "\\\\nas\\photos2\\a.jpg"), None);
    lies_in(
        Platform::Windows,
        &["\\\\?\\Volume{AB-1}\\"],
        "\\\\?\\volume{ab-1}\\x",
        "\\\\?\\Volume{AB-1}\\",
        "x",
    );
}

#[test]
fn what_is_no_place_on_that_system_is_refused() {
    let refused = |platform, paths: &[&str]| {
        for path in paths {
            assert!(DevicePath::parse(platform, path).is_err(), "{path}");
        }
    };
    refused(Platform::Posix, &["", "media/usb", "C:\\Data", "~/usb", "/a/../b", "/a\0b"]);
    refused(
        Platform::Windows,
        &[
            "",
            "/media/usb",
            "Data",
            "C:Data",
            "\\Data",
            "\\\\nas",
            "\\\\.\\C:\\x",
            "C:\\a\\..\\b",
            "C:\\...\\b",
            "1:\\x",
        ],
    );
    refused(Platform::Apple, &["Volumes/usb", "C:\\Data"]);
    refused(Platform::Posix, &[&format!("/{}", "x".repeat(LONGEST)), &"/x".repeat(DEEPEST + 1)]);
}

#[test]
fn a_device_that_says_nothing_is_known_by_its_paths() {
    assert_eq!(platform_of(Some("Windows 11"), "x"), Platform::Windows);
    assert_eq!(platform_of(Some("darwin"), "x"), Platform::Apple);
    assert_eq!(platform_of(Some("linux"), "C:\\x"), Platform::Posix);
    assert_eq!(platform_of(None, "C:\\x"), Platform::Windows);
    assert_eq!(platform_of(None, "\\\\nas\\x"), Platform::Windows);
    assert_eq!(platform_of(None, "/media/usb"), Platform::Posix);
}

proptest! {
    #[test]
    fn a_path_below_a_mount_is_found_in_it_and_one_beside_it_is_not(
        mount in prop::collection::vec("[a-z_%]{1,4}", 0..4),
        below in prop::collection::vec("[a-z_%]{1,4}", 0..4),
        beside in "[a-z_%]{1,3}",
    ) {
        let mount = format!("/{}", mount.join("/"));
        let below = below.join("/");
        let path = format!("{}/{below}", mount.trim_end_matches('/'));
        prop_assert_eq!(found(Platform::Posix, &[&mount], &path), Some((mount.clone(), below)));
        if mount != "/" {
            prop_assert_eq!(found(Platform::Posix, &[&mount], &format!("{mount}{beside}")), None);
        }
    }

    #[test]
    fn no_text_makes_it_fail_otherwise_than_by_a_sentence(text in ".{0,40}", windows: bool) {
        let platform = if windows { Platform::Windows } else { Platform::Apple };
        if let Ok(path) = DevicePath::parse(platform, &text) {
            prop_assert!(path.within().count() <= DEEPEST + 1);
        }
    }
}
