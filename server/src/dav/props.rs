//! The properties that the server itself knows (RFC 4918, section 15; RFC 4331; ownCloud's), and how those that were
//! asked for are written.

use std::fmt::Write as _;

use holdfast_protocol::DrivePath;
use time::OffsetDateTime;
use time::macros::format_description;

use super::PREFIX;
use super::address::Place;
use super::xml::{DAV, Name, escape};
use crate::domain::locks::token;
use crate::http::fields;
use crate::service::locks::Placed;
use crate::service::properties::Described;

/// The namespace of ownCloud's properties.
pub const OC: &str = "http://owncloud.org/ns";
/// The namespace of what Windows' clients set.
const MICROSOFT: &str = "urn:schemas-microsoft-com:";

/// A property that the server knows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Live {
    /// `creationdate`
    Created,
    /// `displayname`: the name, unless a client has set another.
    DisplayName,
    /// `getcontentlength`
    Length,
    /// `getcontenttype`
    Type,
    /// `getetag`
    Tag,
    /// `getlastmodified`
    Modified,
    /// `resourcetype`
    Kind,
    /// `lockdiscovery`
    Locks,
    /// `supportedlock`
    Lockable,
    /// `quota-available-bytes` (RFC 4331)
    Free,
    /// `quota-used-bytes` (RFC 4331)
    Used,
    /// `sync-token` (RFC 6578): a folder's.
    SyncToken,
    /// `supported-report-set` (RFC 3253)
    Reports,
    /// `oc:id`
    OcId,
    /// `oc:fileid`: the same.
    OcFileId,
    /// `oc:permissions`
    OcPermissions,
    /// `oc:size`: a file's.
    OcSize,
    /// `oc:checksums`
    OcChecksums,
    /// `lastmodified`, in seconds since 1970: rclone sets it where it takes a server for ownCloud.
    OcModified,
    /// `Win32LastModifiedTime`: as `getlastmodified`, for Windows' clients set it.
    Win32Modified,
}

/// By name: in the order in which all of them are written.
const LIVE: &[(&str, &str, Live)] = &[
    (DAV, "resourcetype", Live::Kind),
    (DAV, "displayname", Live::DisplayName),
    (DAV, "getcontentlength", Live::Length),
    (DAV, "getlastmodified", Live::Modified),
    (DAV, "getetag", Live::Tag),
    (DAV, "getcontenttype", Live::Type),
    (DAV, "creationdate", Live::Created),
    (DAV, "lockdiscovery", Live::Locks),
    (DAV, "supportedlock", Live::Lockable),
    (DAV, "quota-available-bytes", Live::Free),
    (DAV, "quota-used-bytes", Live::Used),
    (DAV, "sync-token", Live::SyncToken),
    (DAV, "supported-report-set", Live::Reports),
    (OC, "id", Live::OcId),
    (OC, "fileid", Live::OcFileId),
    (OC, "permissions", Live::OcPermissions),
    (OC, "size", Live::OcSize),
    (OC, "checksums", Live::OcChecksums),
    (DAV, "lastmodified", Live::OcModified),
    (MICROSOFT, "Win32LastModifiedTime", Live::Win32Modified),
];

impl Live {
    /// The property of that name, if the server knows it.
    pub fn of(name: &Name) -> Option<Self> {
        LIVE.iter().find(|(namespace, local, _)| name.is(namespace, local)).map(|(_, _, live)| *live)
    }

    /// Those that "all" means (RFC 4918, section 9.1: those of that document; RFC 4331, section 3: not the quota).
    pub fn all() -> impl Iterator<Item = (Name, Self)> {
        LIVE[..9].iter().map(|(namespace, local, live)| {
            (Name { namespace: (*namespace).to_owned(), local: (*local).to_owned() }, *live)
        })
    }

    /// Whether a client may set it: the server then keeps the client's word.
    pub fn may_be_set(self) -> bool {
        self == Self::DisplayName
    }

    /// Whether it says when a file was last written. Who sets it changes that, and no word is kept.
    pub fn is_modified(self) -> bool {
        matches!(self, Self::Modified | Self::OcModified | Self::Win32Modified)
    }
}

/// Bytes that are used and free where a drive lies.
#[derive(Debug, Clone, Copy)]
pub struct Quota {
    /// Bytes used.
    pub used: u64,
    /// Bytes free.
    pub free: u64,
}

/// Something in a listing.
pub struct Shown<'a> {
    /// Its facts; `None` for the lists of drives, which are no files of anybody's.
    pub described: Option<&'a Described>,
    /// Its name.
    pub name: &'a str,
    /// Used and free bytes, for what lies in a drive.
    pub quota: Option<Quota>,
    /// Where the drive is addressed: for the roots of locks.
    pub place: &'a Place,
    /// Whether the one who asks may change it.
    pub editable: bool,
    /// Names what the drive holds, where that was asked for.
    pub token: Option<&'a str>,
}

impl Shown<'_> {
    fn is_folder(&self) -> bool {
        self.described.is_none_or(|described| described.member.is_folder())
    }

    /// Writes the whole element of a property; false when it has none.
    pub fn write(&self, out: &mut String, live: Live) -> bool {
        let file = self.described.map(|described| &described.member).filter(|member| !member.is_folder());
        match live {
            Live::Kind if self.is_folder() => {
                out.push_str("<D:resourcetype><D:collection/></D:resourcetype>");
            }
            Live::Kind => out.push_str("<D:resourcetype/>"),
            Live::DisplayName => {
                out.push_str("<D:displayname>");
                escape(out, self.name);
                out.push_str("</D:displayname>");
            }
            Live::Length => match file {
                Some(file) => {
                    let _ = write!(out, "<D:getcontentlength>{}</D:getcontentlength>", file.size);
                }
                None => return false,
            },
            Live::Type => match file {
                Some(file) => {
                    let kind = fields::content_type(&file.name);
                    let _ = write!(
                        out,
                        "<D:getcontenttype>{}</D:getcontenttype>",
                        kind.to_str().unwrap_or("application/octet-stream")
                    );
                }
                None => return false,
            },
            Live::Tag => match file.and_then(|file| file.content_hash()) {
                Some(hash) => {
                    let _ = write!(out, "<D:getetag>\"{hash}\"</D:getetag>");
                }
                None => return false,
            },
            Live::Modified => return self.write_modified(out, "D:getlastmodified", "D:getlastmodified"),
            Live::Win32Modified => {
                let open = "Win32LastModifiedTime xmlns=\"urn:schemas-microsoft-com:\"";
                return self.write_modified(out, open, "Win32LastModifiedTime");
            }
            Live::Created => return self.write_created(out),
            Live::Locks => self.write_locks(out),
            Live::Lockable => out.push_str(
                "<D:supportedlock><D:lockentry><D:lockscope><D:exclusive/></D:lockscope><D:locktype><D:write/></D:locktype>\
                 </D:lockentry><D:lockentry><D:lockscope><D:shared/></D:lockscope><D:locktype><D:write/></D:locktype>\
                 </D:lockentry></D:supportedlock>",
            ),
            Live::SyncToken => match self.token.filter(|_| self.is_folder()) {
                Some(token) => {
                    let _ = write!(out, "<D:sync-token>{token}</D:sync-token>");
                }
                None => return false,
            },
            Live::Reports if self.is_folder() && self.described.is_some() => out.push_str(
                "<D:supported-report-set><D:supported-report><D:report><D:sync-collection/></D:report>\
                 </D:supported-report></D:supported-report-set>",
            ),
            Live::Reports => out.push_str("<D:supported-report-set/>"),
            Live::Free | Live::Used => return self.write_quota(out, live),
            Live::OcChecksums => return self.write_checksums(out),
            Live::OcId | Live::OcFileId | Live::OcPermissions | Live::OcSize | Live::OcModified => {
                return self.write_oc(out, live);
            }
        }
        true
    }

    fn write_modified(&self, out: &mut String, open: &str, close: &str) -> bool {
        let Some(described) = self.described else { return false };
        let Some(date) = fields::http_date(described.member.mtime_ns.div_euclid(1_000_000_000)) else {
            return false;
        };
        let _ = write!(out, "<{open}>{}</{close}>", date.to_str().unwrap_or(""));
        true
    }

    fn write_created(&self, out: &mut String) -> bool {
        let Some(described) = self.described else { return false };
        let format = format_description!("[year]-[month]-[day]T[hour]:[minute]:[second]Z");
        let seconds = described.member.created_at.div_euclid(1_000_000);
        let Some(text) =
            OffsetDateTime::from_unix_timestamp(seconds).ok().and_then(|time| time.format(&format).ok())
        else {
            return false;
        };
        let _ = write!(out, "<D:creationdate>{text}</D:creationdate>");
        true
    }

    fn write_locks(&self, out: &mut String) {
        let locks = self.described.map(|described| described.locks.as_slice()).unwrap_or_default();
        if locks.is_empty() {
            out.push_str("<D:lockdiscovery/>");
            return;
        }
        out.push_str("<D:lockdiscovery>");
        for lock in locks {
            write_lock(out, lock, self.place);
        }
        out.push_str("</D:lockdiscovery>");
    }

    fn write_quota(&self, out: &mut String, live: Live) -> bool {
        let Some(quota) = self.quota.filter(|_| self.is_folder()) else { return false };
        let _ = if live == Live::Free {
            write!(out, "<D:quota-available-bytes>{}</D:quota-available-bytes>", quota.free)
        } else {
            write!(out, "<D:quota-used-bytes>{}</D:quota-used-bytes>", quota.used)
        };
        true
    }

    /// As ownCloud writes them: one element with all, parted by spaces.
    fn write_checksums(&self, out: &mut String) -> bool {
        let Some(sums) = self.described.and_then(|described| described.sums.as_ref()) else { return false };
        let known = [("SHA1", &sums.sha1), ("MD5", &sums.md5)];
        let mut between = "<O:checksums><O:checksum>";
        for (kind, sum) in known.into_iter().filter_map(|(kind, sum)| Some((kind, sum.as_ref()?))) {
            let _ = write!(out, "{between}{kind}:{}", hex::encode(sum));
            between = " ";
        }
        if between != " " {
            return false;
        }
        out.push_str("</O:checksum></O:checksums>");
        true
    }

    fn write_oc(&self, out: &mut String, live: Live) -> bool {
        let Some(described) = self.described else { return false };
        let member = &described.member;
        let _ = match live {
            Live::OcId => write!(out, "<O:id>{}</O:id>", member.uuid.simple()),
            Live::OcFileId => write!(out, "<O:fileid>{}</O:fileid>", member.uuid.simple()),
            Live::OcModified => {
                let seconds = member.mtime_ns.div_euclid(1_000_000_000);
                write!(out, "<D:lastmodified>{seconds}</D:lastmodified>")
            }
            Live::OcSize if member.is_folder() => return false,
            Live::OcSize => write!(out, "<O:size>{}</O:size>", member.size),
            // Of ownCloud's letters: may be deleted, renamed, moved, and written or (a folder) given members.
            _ if !self.editable => write!(out, "<O:permissions></O:permissions>"),
            _ if member.is_folder() => write!(out, "<O:permissions>DNVCK</O:permissions>"),
            _ => write!(out, "<O:permissions>DNVW</O:permissions>"),
        };
        true
    }
}

/// Writes a lock as `activelock`.
pub fn write_lock(out: &mut String, placed: &Placed, place: &Place) {
    let lock = &placed.lock;
    out.push_str("<D:activelock><D:locktype><D:write/></D:locktype><D:lockscope>");
    out.push_str(if lock.shared { "<D:shared/>" } else { "<D:exclusive/>" });
    out.push_str("</D:lockscope><D:depth>");
    out.push_str(if lock.deep { "infinity" } else { "0" });
    out.push_str("</D:depth>");
    if let Some(owner) = &lock.owner {
        // Stored as XML that needs nothing around it.
        let _ = write!(out, "<D:owner>{owner}</D:owner>");
    }
    let seconds = lock.timeout / 1_000_000;
    let _ = write!(
        out,
        "<D:timeout>Second-{seconds}</D:timeout><D:locktoken><D:href>{}</D:href></D:locktoken><D:lockroot><D:href>",
        token(lock.uuid)
    );
    escape(out, &href(place, &placed.path, false));
    out.push_str("</D:href></D:lockroot></D:activelock>");
}

/// The address of a path in a drive, as it was addressed; a folder's ends with a slash.
pub fn href(place: &Place, path: &DrivePath, folder: bool) -> String {
    let mut address = format!("{PREFIX}{}", place.address_of(path));
    if folder && !address.ends_with('/') {
        address.push('/');
    }
    address
}
