use nix::sys::statfs::{
    AFS_SUPER_MAGIC, CODA_SUPER_MAGIC, FsType, NCP_SUPER_MAGIC, NFS_SUPER_MAGIC, SMB_SUPER_MAGIC,
    statfs,
};

use super::places::Places;
use crate::failure::Failure;

const CIFS: FsType = FsType(0xFF53_4D42);
const SMB2: FsType = FsType(0xFE53_4D42);
const CEPH: FsType = FsType(0x00C3_6400);
const PLAN9: FsType = FsType(0x0102_1997);

/// The type of the file system that the folder is on.
pub(crate) fn type_of(places: &Places) -> Result<FsType, Failure> {
    let folder = places.folder();
    let asked = statfs(folder).map_err(|errno| {
        let error = errno.into();
        super::places::explained(&places.data, &error)
    })?;
    Ok(asked.filesystem_type())
}

/// Refuses those that other machines write to: their locks and caches do not hold what this backend builds on.
pub(crate) fn refuse_network(places: &Places, file_system: FsType) -> Result<(), Failure> {
    let name = match file_system {
        NFS_SUPER_MAGIC => "NFS",
        SMB_SUPER_MAGIC | CIFS | SMB2 => "SMB",
        AFS_SUPER_MAGIC => "AFS",
        CODA_SUPER_MAGIC => "Coda",
        NCP_SUPER_MAGIC => "NCP",
        CEPH => "Ceph",
        PLAN9 => "9P",
        _ => return Ok(()),
    };
    Err(Failure::other(format_args!(
        "{}: it is on a network file system ({name}), which cannot keep processes of several machines apart: name a \
         `filename` on a local disk, or use a backend with a server",
        places.data.display()
    )))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn network_file_systems_are_refused_by_name_and_local_ones_are_not() {
        let places = Places::new("/some/cache".as_ref());
        for (file_system, name) in [
            (NFS_SUPER_MAGIC, "NFS"),
            (CIFS, "SMB"),
            (PLAN9, "9P"),
            (CEPH, "Ceph"),
        ] {
            let error = refuse_network(&places, file_system)
                .unwrap_err()
                .to_string();
            assert!(error.starts_with("/some/cache: "), "{error}");
            assert!(error.contains(name), "{error}");
        }
        let folder = tempfile::tempdir().unwrap();
        let local = type_of(&Places::new(&folder.path().join("cache"))).unwrap();
        assert!(refuse_network(&places, local).is_ok());
        let missing = type_of(&Places::new(&folder.path().join("no/cache"))).unwrap_err();
        assert!(
            missing.to_string().contains("folder does not exist"),
            "{missing}"
        );
    }
}
