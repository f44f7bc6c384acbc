//! Which drives this device has now, for the server to know (000-17): what carries a drive's signature, removable disks, and
//! network shares.

use std::fs::File;

use holdfast_disk::Signature;
use holdfast_disk::volumes::{Kind, Snapshot, Volume};

use crate::api::types::{Drive, SeenDrive};

/// What is to be reported of a machine. A disk that carries the signature of a drive that the account may see is that drive.
pub fn seen(machine: &Snapshot, known: &[Drive]) -> Vec<SeenDrive> {
    machine.volumes.iter().filter_map(|volume| of(volume, known)).collect()
}

fn of(volume: &Volume, known: &[Drive]) -> Option<SeenDrive> {
    // The whole file system, where it is mounted first; a folder of it elsewhere says nothing more.
    let mount = volume.mounts.iter().find(|mount| mount.root == "/").or_else(|| volume.mounts.first())?;
    let mount_point = mount.mount_point.clone();
    let (total_bytes, available_bytes) = capacity(volume);
    let signature = File::open(&mount_point).ok().and_then(|root| Signature::read(&root).ok());
    if let Some(signature) = signature {
        let drive = known.iter().find(|drive| drive.id == signature.drive_id);
        return Some(SeenDrive {
            drive: drive.map(|drive| drive.id.to_string()),
            unique_identifier: Some(format!("holdfast-{}", signature.drive_id)),
            name: Some(signature.name),
            kind: Some(word(volume.kind).to_owned()),
            mount_point,
            total_bytes,
            available_bytes,
        });
    }
    // What is built in is nobody else's, and a drive only where somebody made it one.
    if !matches!(volume.kind, Kind::Usb | Kind::Network) || volume.weak {
        return None;
    }
    Some(SeenDrive {
        drive: None,
        unique_identifier: Some(volume.fingerprint.clone()),
        name: Some(volume.name.replace('/', " ")),
        kind: Some(word(volume.kind).to_owned()),
        mount_point,
        total_bytes,
        available_bytes,
    })
}

/// How large a volume is, as far as that makes sense.
fn capacity(volume: &Volume) -> (Option<u64>, Option<u64>) {
    match (volume.total_bytes, volume.available_bytes) {
        (Some(total), Some(available)) if available > total => (None, None),
        both => both,
    }
}

fn word(kind: Kind) -> &'static str {
    match kind {
        Kind::Usb => "usb",
        Kind::Network => "network",
        Kind::Internal | Kind::Other => "internal",
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

    use serde_json::json;
    use uuid::Uuid;

    use super::*;

    fn machine(volumes: &serde_json::Value) -> Snapshot {
        serde_json::from_value(json!({"volumes": volumes})).unwrap()
    }

    #[test]
    fn what_is_built_in_or_not_mounted_is_not_reported() {
        let machine = machine(&json!([
            {"name": "system", "fingerprint": "fs:1", "kind": "internal", "mounts": [{"mount_point": "/nowhere/1"}]},
            {"name": "drawer", "fingerprint": "fs:2", "kind": "usb"},
            {"name": "stick", "fingerprint": "fs:3", "kind": "usb", "mounts": [{"mount_point": "/nowhere/3"}]},
            {"name": "odd", "fingerprint": "fs:4", "kind": "usb", "weak": true, "mounts": [{"mount_point": "/nowhere/4"}]},
            {"name": "cifs://nas/music", "fingerprint": "net:5", "kind": "network", "mounts": [{"mount_point": "/nowhere/5"}]},
        ]));
        let seen = seen(&machine, &[]);
        let told: Vec<_> = seen
            .iter()
            .map(|one| (one.unique_identifier.as_deref().unwrap(), one.mount_point.as_str()))
            .collect();
        assert_eq!(told, [("fs:3", "/nowhere/3"), ("net:5", "/nowhere/5")]);
        assert_eq!(seen[1].name.as_deref(), Some("cifs:  nas music"), "a name that can be a drive's");
    }

    #[test]
    fn a_disk_with_a_signature_is_that_drive_wherever_it_is_mounted() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::create_dir(folder.path().join(".holdfast")).unwrap();
        let id = Uuid::new_v4();
        let text = json!({"format_version": 1, "drive_id": id, "name": "Photos", "created_at": "2026-01-01T00:00:00Z"});
        std::fs::write(folder.path().join(".holdfast/drive.json"), text.to_string()).unwrap();
        let place = folder.path().to_str().unwrap();
        let machine = machine(
            &json!([{"name": "disk", "fingerprint": "fs:1", "kind": "internal", "mounts": [{"mount_point": place}]}]),
        );
        let unknown = seen(&machine, &[]);
        assert_eq!((unknown[0].drive.as_deref(), unknown[0].name.as_deref()), (None, Some("Photos")));
        assert_eq!(unknown[0].unique_identifier, Some(format!("holdfast-{id}")));
        let drive: Drive = serde_json::from_value(
            json!({"id": id, "name": "P", "kind": "usb", "right": "own", "state": "online"}),
        )
        .unwrap();
        assert_eq!(seen(&machine, &[drive])[0].drive, Some(id.to_string()));
    }
}
