//! What somebody types or pastes to reach a drive: addresses and lines for the programs that people have, each escaped as
//! the place where it goes wants it.

mod quote;

use self::quote::{cmd, davfs2, segment, shell, slug};

/// The server as the person reaches it.
#[derive(Debug, Clone, Copy)]
pub struct Server<'a> {
    /// Whether it is https.
    pub secure: bool,
    /// Name or address, an IPv6 address in brackets.
    pub host: &'a str,
    /// The port, if it is not the scheme's own.
    pub port: Option<u16>,
    /// Whether its certificate is by its own authority, which programs have to be told.
    pub own_authority: bool,
}

/// The drive, and who connects to it.
#[derive(Debug, Clone, Copy)]
pub struct Drive<'a> {
    /// The account's name.
    pub user: &'a str,
    /// The drive's name.
    pub name: &'a str,
    /// Its address below `/dav/`, decoded: its name, or `by-id` and its id.
    pub at: &'a [&'a str],
}

/// How to reach a drive with one program.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Way {
    /// The program, for programs.
    pub client: &'static str,
    /// The program, for people.
    pub title: &'static str,
    /// What goes where, in this order.
    pub lines: Vec<Line>,
    /// What else to know.
    pub notes: Vec<&'static str>,
}

/// Something to type or paste.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Line {
    /// Where it goes.
    pub place: &'static str,
    /// The line itself.
    pub text: String,
}

/// Where devices put the authority's certificate, for the lines that name it.
const CA: &str = "holdfast-ca.crt";
const TERMINAL: &str = "a terminal";

fn line(place: &'static str, text: String) -> Line {
    Line { place, text }
}

impl Server<'_> {
    /// `https://nas:8443`
    pub fn url(&self) -> String {
        self.with_scheme(if self.secure { "https" } else { "http" }, "")
    }

    /// `user` is put in front of the host.
    fn with_scheme(&self, scheme: &str, user: &str) -> String {
        let port = self.port.map(|port| format!(":{port}")).unwrap_or_default();
        let user = if user.is_empty() { String::new() } else { format!("{}@", segment(user)) };
        format!("{scheme}://{user}{}{port}", self.host)
    }
}

/// What fetches the authority's certificate and has a system trust it.
pub fn trust(certificate_url: &str) -> Vec<Line> {
    let insecure = if certificate_url.starts_with("https:") { "-k " } else { "" };
    vec![
        line(TERMINAL, format!("curl {insecure}-o {CA} {}", shell(certificate_url))),
        line(
            "a terminal, to compare it with what the server printed at its start",
            format!("openssl x509 -in {CA} -noout -fingerprint -sha256"),
        ),
        line("Windows, a command prompt run as administrator", format!("certutil -addstore -f Root {CA}")),
        line(
            "macOS, a terminal",
            format!(
                "sudo security add-trusted-cert -d -r trustRoot -k /Library/Keychains/System.keychain {CA}"
            ),
        ),
        line(
            "Debian and Ubuntu, a terminal",
            format!(
                "sudo install -m 644 {CA} /usr/local/share/ca-certificates/holdfast.crt && sudo update-ca-certificates"
            ),
        ),
    ]
}

/// Every way to reach a drive.
pub fn ways(server: &Server<'_>, drive: &Drive<'_>) -> Vec<Way> {
    vec![
        windows(server, drive),
        finder(server, drive),
        gnome(server, drive),
        kde(server, drive),
        davfs2_mount(server, drive),
        rclone(server, drive),
        phone(server, drive),
        curl(server, drive),
    ]
}

/// The drive's path with a slash at each end.
fn path(drive: &Drive<'_>) -> String {
    let mut path = String::from("/dav/");
    for name in drive.at {
        path.push_str(&segment(name));
        path.push('/');
    }
    path
}

/// The drive's address.
pub fn url(server: &Server<'_>, drive: &Drive<'_>) -> String {
    server.url() + &path(drive)
}

fn windows(server: &Server<'_>, drive: &Drive<'_>) -> Way {
    let mut lines = vec![
        line("Explorer, This PC, Map network drive, Folder", url(server, drive)),
        line(
            "a command prompt",
            format!("net use * {} * /user:{} /persistent:yes", cmd(&url(server, drive)), cmd(drive.user)),
        ),
    ];
    let nameable = |name: &&str| !name.contains(['\\', '/', ':', '*', '?', '"', '<', '>', '|']);
    if drive.at.iter().all(nameable) && !server.host.starts_with('[') {
        let secure = if server.secure { "@SSL" } else { "" };
        let port = server.port.map(|port| format!("@{port}")).unwrap_or_default();
        let names = drive.at.join("\\");
        lines.push(line(
            "Explorer's address bar, once signed in",
            format!("\\\\{}{secure}{port}\\DavWWWRoot\\dav\\{names}", server.host),
        ));
    }
    let mut notes = Vec::new();
    if !server.secure {
        notes.push("Windows sends no password over plain http; use the server's https address.");
    }
    if server.own_authority {
        notes.push("The authority's certificate must be among the trusted roots first.");
    }
    notes.push(
        "Windows reads files of up to 50 MB until FileSizeLimitInBytes is raised; see docs/mounting.md.",
    );
    Way { client: "windows", title: "Windows Explorer", lines, notes }
}

fn finder(server: &Server<'_>, drive: &Drive<'_>) -> Way {
    let address = url(server, drive);
    let lines = vec![
        line("Finder, Go, Connect to Server (Cmd-K)", address.clone()),
        line(TERMINAL, format!("open {}", shell(&address))),
    ];
    let mut notes = Vec::new();
    if server.own_authority {
        notes.push("The authority's certificate must be trusted in the keychain System first.");
    }
    Way { client: "macos", title: "macOS Finder", lines, notes }
}

fn gnome(server: &Server<'_>, drive: &Drive<'_>) -> Way {
    let scheme = if server.secure { "davs" } else { "dav" };
    let address = server.with_scheme(scheme, drive.user) + &path(drive);
    let lines = vec![
        line("Files, Other Locations, Connect to Server", address.clone()),
        line(TERMINAL, format!("gio mount {}", shell(&address))),
    ];
    Way { client: "gnome", title: "GNOME Files", lines, notes: system_trust(server) }
}

fn kde(server: &Server<'_>, drive: &Drive<'_>) -> Way {
    let scheme = if server.secure { "webdavs" } else { "webdav" };
    let address = server.with_scheme(scheme, drive.user) + &path(drive);
    Way {
        client: "kde",
        title: "KDE Dolphin",
        lines: vec![line("Dolphin's address bar (Ctrl-L)", address)],
        notes: system_trust(server),
    }
}

fn system_trust(server: &Server<'_>) -> Vec<&'static str> {
    if server.own_authority {
        vec!["The authority's certificate must be among the system's first."]
    } else {
        Vec::new()
    }
}

fn davfs2_mount(server: &Server<'_>, drive: &Drive<'_>) -> Way {
    let (address, folder) = (url(server, drive), format!("/mnt/holdfast-{}", slug(drive.name)));
    let mut lines = vec![
        line(TERMINAL, format!("sudo mkdir -p {folder}")),
        line("/etc/davfs2/secrets", format!("{folder} {} APP-PASSWORD", davfs2(drive.user))),
        line("/etc/davfs2/davfs2.conf", "buf_size 256".to_owned()),
    ];
    if server.own_authority {
        lines.push(line(TERMINAL, format!("sudo install -m 644 {CA} /etc/davfs2/certs/{CA}")));
        lines.push(line("/etc/davfs2/davfs2.conf", format!("trust_ca_cert {CA}")));
    }
    lines.push(line(
        TERMINAL,
        format!("sudo mount -t davfs -o uid=$(id -u),gid=$(id -g) {} {folder}", shell(&address)),
    ));
    lines.push(line(
        "/etc/fstab, instead of the mount by hand",
        format!("{address} {folder} davfs noauto,user,_netdev,uid=1000,gid=1000 0 0"),
    ));
    let notes = vec!["APP-PASSWORD is one from POST /api/app-passwords; the file with it is for root alone."];
    Way { client: "davfs2", title: "Linux, davfs2", lines, notes }
}

fn rclone(server: &Server<'_>, drive: &Drive<'_>) -> Way {
    let (address, remote) = (url(server, drive), format!("holdfast-{}", slug(drive.name)));
    let trust = if server.own_authority { format!(" --ca-cert {CA}") } else { String::new() };
    let lines = vec![
        line(
            "a terminal; it waits for the app password and Enter",
            format!(
                "rclone config create {remote} webdav url={} vendor=owncloud user={} pass=\"$(rclone obscure -)\" --no-obscure",
                shell(&address),
                shell(drive.user)
            ),
        ),
        line(TERMINAL, format!("rclone lsf {remote}:{trust}")),
        line(TERMINAL, format!("rclone copy FOLDER {remote}:FOLDER{trust}")),
        line(
            "a terminal, the folder must be there",
            format!("rclone mount {remote}: ~/{remote} --vfs-cache-mode writes{trust}"),
        ),
    ];
    Way { client: "rclone", title: "rclone", lines, notes: Vec::new() }
}

fn phone(server: &Server<'_>, drive: &Drive<'_>) -> Way {
    let lines = vec![
        line("an app that speaks WebDAV: address", url(server, drive)),
        line("user name", drive.user.to_owned()),
    ];
    let mut notes = vec![
        "Give each phone an app password of its own, so that it can be taken back when the phone is lost.",
    ];
    if server.own_authority {
        notes.push("Open the certificate's address on the phone, install it, and on iOS also switch it on under Certificate Trust Settings.");
    }
    Way { client: "phone", title: "Phones", lines, notes }
}

fn curl(server: &Server<'_>, drive: &Drive<'_>) -> Way {
    let address = url(server, drive);
    let trust = if server.own_authority { format!(" --cacert {CA}") } else { String::new() };
    let begin = format!("curl -f{trust} -u {}", shell(drive.user));
    let lines = vec![
        line("a terminal: what is there", format!("{begin} -X PROPFIND -H 'Depth: 1' {}", shell(&address))),
        line("a terminal: put a file", format!("{begin} -T FILE {}", shell(&address))),
        line("a terminal: get a file", format!("{begin} -O {}", shell(&format!("{address}FILE")))),
    ];
    Way { client: "curl", title: "curl", lines, notes: Vec::new() }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test says what it expects by failing")]

    use super::*;

    const NAS: Server<'_> = Server { secure: true, host: "nas.local", port: Some(8443), own_authority: true };

    fn text(server: &Server<'_>, drive: &Drive<'_>, client: &str, number: usize) -> String {
        let way = ways(server, drive).into_iter().find(|way| way.client == client).unwrap();
        way.lines[number].text.clone()
    }

    #[test]
    fn each_program_gets_the_address_in_its_own_spelling() {
        let home = Drive { user: "ada", name: "home", at: &["home"] };
        assert_eq!(url(&NAS, &home), "https://nas.local:8443/dav/home/");
        assert_eq!(text(&NAS, &home, "gnome", 0), "davs://ada@nas.local:8443/dav/home/");
        assert_eq!(text(&NAS, &home, "kde", 0), "webdavs://ada@nas.local:8443/dav/home/");
        assert_eq!(text(&NAS, &home, "windows", 2), r"\\nas.local@SSL@8443\DavWWWRoot\dav\home");
        let plain = Server { secure: false, port: None, own_authority: false, ..NAS };
        assert_eq!(text(&plain, &home, "gnome", 0), "dav://ada@nas.local/dav/home/");
        assert_eq!(text(&plain, &home, "windows", 2), r"\\nas.local\DavWWWRoot\dav\home");
        assert!(!format!("{:?}", ways(&plain, &home)).contains(CA));
    }

    #[test]
    fn odd_names_are_escaped_for_the_place_where_they_go() {
        let odd = Drive { user: "o'neil \"x\"", name: "Größe 50% #1", at: &["Größe 50% #1"] };
        let path = "/dav/Gr%C3%B6%C3%9Fe%2050%25%20%231/";
        assert_eq!(url(&NAS, &odd), format!("https://nas.local:8443{path}"));
        assert_eq!(text(&NAS, &odd, "gnome", 0), format!("davs://o%27neil%20%22x%22@nas.local:8443{path}"));
        assert!(text(&NAS, &odd, "curl", 1).contains(r#"-u 'o'\''neil "x"'"#));
        assert_eq!(text(&NAS, &odd, "davfs2", 1), r#"/mnt/holdfast-gr-e-50-1 "o\'neil \"x\"" APP-PASSWORD"#);
        assert!(text(&NAS, &odd, "windows", 2).ends_with(r"\dav\Größe 50% #1"));
        let by_id = Drive { at: &["by-id", "0b9a2f6e"], ..odd };
        assert_eq!(url(&NAS, &by_id), "https://nas.local:8443/dav/by-id/0b9a2f6e/");
    }
}
