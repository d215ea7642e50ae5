//! The disk and the ESP as the installer sees them: few operations, each with a meaning for what survives a power cut.

use std::{
    io::{self, Read as _, Seek as _, SeekFrom, Write as _},
    os::unix::fs::FileExt as _,
    path::{Path, PathBuf},
};

use fs_err as fs;

/// A whole disk.
pub trait Disk: Send {
    /// Fills the buffer from `offset` on, in bytes.
    ///
    /// # Errors
    /// When the disk is shorter or cannot be read.
    fn read_at(&mut self, offset: u64, buffer: &mut [u8]) -> io::Result<()>;

    /// Writes bytes from `offset` on. They may be lost, wholly or in part, until [`Disk::flush`] has returned.
    ///
    /// # Errors
    /// When the disk is shorter or cannot be written.
    fn write_at(&mut self, offset: u64, bytes: &[u8]) -> io::Result<()>;

    /// Returns when everything that was written is on the medium, and lets later reads come from there.
    ///
    /// # Errors
    /// When something that was written is lost.
    fn flush(&mut self) -> io::Result<()>;
}

/// The folder of the ESP that has the UKIs, `EFI/Linux`. Names have no folders in them.
pub trait Esp: Send {
    /// All files with their lengths in bytes.
    ///
    /// # Errors
    /// When the folder cannot be read.
    fn list(&mut self) -> io::Result<Vec<(String, u64)>>;

    /// Fills the buffer from `offset` on, in bytes.
    ///
    /// # Errors
    /// When the file is shorter or cannot be read.
    fn read_at(&mut self, name: &str, offset: u64, buffer: &mut [u8]) -> io::Result<()>;

    /// Makes an empty file, in place of one that is there.
    ///
    /// # Errors
    /// When it cannot be made.
    fn create(&mut self, name: &str) -> io::Result<()>;

    /// Adds bytes at the end.
    ///
    /// # Errors
    /// When they do not fit.
    fn append(&mut self, name: &str, bytes: &[u8]) -> io::Result<()>;

    /// Returns when the file's content is on the medium.
    ///
    /// # Errors
    /// When something that was written is lost.
    fn sync(&mut self, name: &str) -> io::Result<()>;

    /// Gives a file another name, under which there is none.
    ///
    /// # Errors
    /// When that fails.
    fn rename(&mut self, from: &str, to: &str) -> io::Result<()>;

    /// Removes a file.
    ///
    /// # Errors
    /// When that fails.
    fn remove(&mut self, name: &str) -> io::Result<()>;

    /// Returns when all names are on the medium.
    ///
    /// # Errors
    /// When something is lost.
    fn sync_names(&mut self) -> io::Result<()>;

    /// How many bytes fit beside what is there.
    ///
    /// # Errors
    /// When the file system does not say.
    fn free(&mut self) -> io::Result<u64>;
}

/// A block device, or a file that stands for one.
#[derive(Debug)]
pub struct FileDisk(fs::File);

impl FileDisk {
    /// Opens it for reading and writing.
    ///
    /// # Errors
    /// When it cannot be opened.
    pub fn open(path: &Path) -> io::Result<Self> {
        Ok(Self(fs::OpenOptions::new().read(true).write(true).open(path)?))
    }
}

impl Disk for FileDisk {
    fn read_at(&mut self, offset: u64, buffer: &mut [u8]) -> io::Result<()> {
        self.0.file().read_exact_at(buffer, offset)
    }

    fn write_at(&mut self, offset: u64, bytes: &[u8]) -> io::Result<()> {
        self.0.file().write_all_at(bytes, offset)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.0.sync_all()?;
        // What is read back shall come from the medium, not from memory.
        rustix::fs::fadvise(self.0.file(), 0, None, rustix::fs::Advice::DontNeed)?;
        Ok(())
    }
}

/// A mounted ESP, or a folder that stands for one.
#[derive(Debug)]
pub struct DirEsp {
    folder: PathBuf,
}

impl DirEsp {
    /// Opens the ESP that is mounted at `mount`. The folder of the UKIs is made if it lacks.
    ///
    /// # Errors
    /// When the folder is not there and cannot be made.
    pub fn open(mount: &Path) -> io::Result<Self> {
        let folder = mount.join("EFI").join("Linux");
        fs::create_dir_all(&folder)?;
        Ok(Self { folder })
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.join(name)
    }
}

impl Esp for DirEsp {
    fn list(&mut self) -> io::Result<Vec<(String, u64)>> {
        let mut files = Vec::new();
        for entry in fs::read_dir(&self.folder)? {
            let entry = entry?;
            let metadata = entry.metadata()?;
            if let (true, Ok(name)) = (metadata.is_file(), entry.file_name().into_string()) {
                files.push((name, metadata.len()));
            }
        }
        files.sort();
        Ok(files)
    }

    fn read_at(&mut self, name: &str, offset: u64, buffer: &mut [u8]) -> io::Result<()> {
        let mut file = fs::File::open(self.path(name))?;
        file.seek(SeekFrom::Start(offset))?;
        file.read_exact(buffer)
    }

    fn create(&mut self, name: &str) -> io::Result<()> {
        fs::File::create(self.path(name)).map(drop)
    }

    fn append(&mut self, name: &str, bytes: &[u8]) -> io::Result<()> {
        fs::OpenOptions::new().append(true).open(self.path(name))?.write_all(bytes)
    }

    fn sync(&mut self, name: &str) -> io::Result<()> {
        let file = fs::File::open(self.path(name))?;
        file.sync_all()?;
        rustix::fs::fadvise(file.file(), 0, None, rustix::fs::Advice::DontNeed)?;
        Ok(())
    }

    fn rename(&mut self, from: &str, to: &str) -> io::Result<()> {
        fs::rename(self.path(from), self.path(to))
    }

    fn remove(&mut self, name: &str) -> io::Result<()> {
        fs::remove_file(self.path(name))
    }

    fn sync_names(&mut self) -> io::Result<()> {
        // FAT keeps names in more places than the folder.
        let folder = fs::File::open(&self.folder)?;
        folder.sync_all()?;
        rustix::fs::syncfs(folder.file())?;
        Ok(())
    }

    fn free(&mut self) -> io::Result<u64> {
        let stat = rustix::fs::statvfs(&self.folder)?;
        Ok(stat.f_bavail.saturating_mul(stat.f_frsize))
    }
}
