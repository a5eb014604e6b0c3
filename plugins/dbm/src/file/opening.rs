use std::fs::{self, File};
use std::io::{self, Read};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use dogpile_plugin_api::tracing;
use redb::backends::FileBackend;
use redb::{Builder, ConcurrencyMode};

use super::aside::move_aside;
use super::boot::{self, BootId};
use super::file_system;
use super::flock::retried;
use super::foreign::{self, Found};
use super::medium::{Closable, Medium};
use super::places::{Places, explained, open_or_make, open_or_make_here, open_to_read};
use super::state::{self, State};
use crate::LOST;
use crate::arguments::{DbmArguments, Durability};
use crate::failure::Failure;
use crate::store::{RedbStore, Store};

/// How the data file is opened.
#[derive(Debug)]
pub(crate) struct Opening {
    pub(crate) places: Places,
    pub(crate) durability: Durability,
    pub(crate) room: u64,
    pub(crate) cache: usize,
    pub(crate) boot: BootId,
    pub(crate) medium: Arc<dyn Medium>,
}

/// The open data file.
pub(crate) struct Opened {
    pub(crate) store: RedbStore,
    pub(crate) file: Closable,
    /// Open as long as the data file is, since it says so to others.
    pub(crate) state: File,
    /// Tells whether the data file was removed.
    pub(crate) data: File,
    pub(crate) generation: u64,
    /// What the data file is known by.
    pub(crate) number: u64,
}

/// Why the data file of so far is no good.
pub(crate) struct Damage<'a> {
    pub(crate) generation: u64,
    pub(crate) why: &'a str,
    /// Whether there is anything to find out from it later.
    pub(crate) is_kept: bool,
}

/// How large a file may be in all: so many times what entries may take, and no less than that.
const MOST: u64 = 4;
const LEAST_MOST: u64 = 16 << 20;

/// A file is compacted when it is so many times as large as what is in it, and larger than that.
const LOOSE: u64 = 3;
const WORTH_IT: u64 = 8 << 20;

impl Opening {
    /// Refuses a place where the file cannot be shared.
    pub(crate) fn new(
        places: Places,
        arguments: &DbmArguments,
        medium: Arc<dyn Medium>,
    ) -> Result<Self, Failure> {
        file_system::refuse_network(&places, file_system::type_of(&places)?)?;
        Ok(Self {
            durability: arguments.durability,
            room: arguments.max_bytes.bytes(),
            cache: usize::try_from(arguments.cache_bytes.bytes()).unwrap_or(usize::MAX),
            boot: boot::boot_id()?,
            medium,
            places,
        })
    }

    /// Opens the data file, or makes it. What is damaged is moved aside; what is from before the machine started is
    /// thrown away, unless it was written for that. One process at a time gets here.
    pub(crate) fn open(&self, damage: Option<&Damage<'_>>) -> Result<Opened, Failure> {
        let state_file = open_or_make_here(&self.places.state)?;
        let named = |error: io::Error| explained(&self.places.state, &error);
        retried(|| fs2::FileExt::lock_exclusive(&state_file)).map_err(named)?;
        // Closing it frees it too.
        let (store, file, generation) = self.open_locked(&state_file, damage)?;
        let data = open_to_read(&self.places.data)?;
        let metadata = data.metadata();
        let metadata = metadata.map_err(|error| explained(&self.places.data, &error))?;
        retried(|| fs2::FileExt::unlock(&state_file)).map_err(named)?;
        Ok(Opened {
            store,
            file,
            state: state_file,
            number: state::identity(&metadata),
            data,
            generation,
        })
    }

    fn open_locked(
        &self,
        state_file: &File,
        damage: Option<&Damage<'_>>,
    ) -> Result<(RedbStore, Closable, u64), Failure> {
        let named = |error: io::Error| explained(&self.places.state, &error);
        if state::is_foreign(state_file).map_err(named)? {
            return Err(Failure::Foreign(format!(
                "{}: it is a file of another program, and is not touched: remove it, or name another file",
                self.places.state.display()
            )));
        }
        let alone = !state::is_used_elsewhere(state_file).map_err(named)?;
        if !state::announce(state_file, self.durability).map_err(named)? {
            return Err(Failure::other(format_args!(
                "{}: another instance has it open with another `durability`: write the same for both",
                self.places.data.display()
            )));
        }
        let known = State::read(state_file).map_err(named)?;
        let mut generation = known.map_or(1, |known| known.generation);
        if self.clear_away(known.as_ref(), damage)? {
            generation += 1;
        }
        let is_known = |generation: u64| -> Result<(), Failure> {
            let now = self.state(generation)?;
            if known != Some(now) {
                now.write(state_file).map_err(named)?;
            }
            Ok(())
        };
        // Known before it is begun: who is killed meanwhile leaves a file that is no one's by its looks.
        is_known(generation)?;
        let (store, file) = match self.open_data(alone) {
            Err(Failure::Damaged(why)) => {
                move_aside(&self.places, &why)?;
                generation += 1;
                is_known(generation)?;
                self.open_data(alone)?
            }
            opened => opened?,
        };
        let was_synced = known.is_some_and(|known| known.durability == Durability::Power);
        if self.durability == Durability::Power && !was_synced {
            self.sync()?;
        }
        Ok((store, file, generation))
    }

    /// What is to be known of the data file, which is made if it is not there.
    fn state(&self, generation: u64) -> Result<State, Failure> {
        let metadata = open_or_make(&self.places.data)?
            .metadata()
            .map_err(|error| explained(&self.places.data, &error))?;
        Ok(State {
            generation,
            file: state::identity(&metadata),
            durability: self.durability,
            boot: self.boot,
        })
    }

    /// Takes a file that must not be used any more out of the way. False if it may be.
    fn clear_away(
        &self,
        known: Option<&State>,
        damage: Option<&Damage<'_>>,
    ) -> Result<bool, Failure> {
        let data = &self.places.data;
        let named = |error: io::Error| explained(data, &error);
        let mut file = match open_to_read(data) {
            Ok(file) => file,
            // Who had another file open must see that this is a new one.
            Err(Failure::Broken(error)) if error.kind() == io::ErrorKind::NotFound => {
                return Ok(known.is_some());
            }
            Err(error) => return Err(error),
        };
        let metadata = file.metadata().map_err(named)?;
        let mut head = Vec::with_capacity(foreign::HEAD);
        (&mut file)
            .take(foreign::HEAD as u64)
            .read_to_end(&mut head)
            .map_err(named)?;
        let known = known.filter(|known| known.file == state::identity(&metadata));
        match foreign::found(&head) {
            Found::Nothing if known.is_none() => return Ok(false),
            Found::Redb => {}
            // Emptied, it may still be open elsewhere, and is not begun anew under who has it.
            Found::Nothing | Found::Unfinished if known.is_some() => {
                fs::remove_file(data).map_err(named)?;
                return Ok(true);
            }
            Found::Other(_) if known.is_some() => {
                move_aside(&self.places, "its first bytes are not its own")?;
                return Ok(true);
            }
            unknown => {
                let name = match unknown {
                    Found::Other(name) => name,
                    _ => None,
                };
                return Err(Failure::Foreign(format!(
                    "{}: it is a file of another program{}, and is not touched: remove it, or name another file",
                    data.display(),
                    name.map_or(String::new(), |name| format!(" ({name})")),
                )));
            }
        }
        if let (Some(known), Some(damage)) = (known, damage)
            && known.generation == damage.generation
        {
            if damage.is_kept {
                move_aside(&self.places, damage.why)?;
            } else {
                fs::remove_file(data).map_err(named)?;
                tracing::warn!(
                    target: LOST,
                    "{}: it grew too large and was thrown away, and a new one is begun: a process that is stopped while it \
                     reads keeps all that was written since ({})",
                    data.display(),
                    damage.why
                );
            }
            return Ok(true);
        }
        if let Some(known) = known
            && (known.durability == Durability::Power || known.boot == self.boot)
        {
            return Ok(false);
        }
        // Another program's file is looked into before it is thrown away.
        drop(self.open_redb()?);
        fs::remove_file(data).map_err(named)?;
        if known.is_some() {
            tracing::warn!(
                file = %data.display(),
                "a file was thrown away: it is from before the machine started, and what is in it may be old in part"
            );
        } else {
            tracing::warn!(
                target: LOST,
                "{}: it was thrown away, and a new one is begun: the state file beside it does not name it, so that it may \
                 be a copy, or old",
                data.display()
            );
        }
        Ok(true)
    }

    fn open_data(&self, alone: bool) -> Result<(RedbStore, Closable), Failure> {
        let (mut store, file) = self.open_redb()?;
        if !alone || !self.is_loose(&store)? {
            return Ok((store, file));
        }
        match caught(|| store.compact()) {
            Ok(()) => Ok((store, file)),
            Err(Failure::Damaged(why)) => Err(Failure::Damaged(why)),
            // On a full disk what is there must be found all the same.
            Err(error) => {
                tracing::warn!(file = %self.places.data.display(), %error, "a file was not made smaller");
                drop(store);
                self.open_redb()
            }
        }
    }

    /// Opens what is there as redb's, or makes it. `Foreign` if it is not of this plugin.
    fn open_redb(&self) -> Result<(RedbStore, Closable), Failure> {
        let data = open_or_make(&self.places.data)?;
        let file = FileBackend::new(data).map_err(redb::Error::from)?;
        let file = self.medium.around(file);
        let file = file.map_err(|error| explained(&self.places.data, &error))?;
        let most = self.room.saturating_mul(MOST).max(LEAST_MOST);
        let file = Closable::new(file, self.durability, most);
        let mut builder = Builder::new();
        builder
            .set_cache_size(self.cache)
            .set_concurrency_mode(ConcurrencyMode::MultiWriter);
        caught(|| {
            let database = builder
                .create_with_backend(file.clone())
                .map_err(redb::Error::from)?;
            Ok((RedbStore::new(database, self.room)?, file.clone()))
        })
        .map_err(|failure| match failure {
            Failure::Foreign(why) => Failure::Foreign(format!(
                "{}: {why}, and is not touched: remove it, or name another file",
                self.places.data.display()
            )),
            other => other.at(&self.places.data),
        })
    }

    /// Whether compaction pays.
    fn is_loose(&self, store: &RedbStore) -> Result<bool, Failure> {
        let metadata = fs::metadata(&self.places.data)
            .map_err(|error| explained(&self.places.data, &error))?;
        let totals = store
            .totals()
            .map_err(|failure| failure.at(&self.places.data))?;
        Ok(metadata.len() > WORTH_IT && metadata.len() / LOOSE > totals.bytes)
    }

    /// Has the disk take what was written without waiting for it, and the names in the folder.
    fn sync(&self) -> Result<(), Failure> {
        for path in [&*self.places.data, self.places.folder()] {
            File::open(path)
                .and_then(|file| file.sync_all())
                .map_err(|error| explained(path, &error))?;
        }
        Ok(())
    }
}

/// What redb finds in a damaged file can make it panic.
pub(crate) fn caught<T>(call: impl FnOnce() -> Result<T, Failure>) -> Result<T, Failure> {
    catch_unwind(AssertUnwindSafe(call)).unwrap_or_else(|panic| {
        let text = panic.downcast_ref::<String>().map(String::as_str);
        let text = text.or_else(|| panic.downcast_ref::<&str>().copied());
        Err(Failure::Damaged(
            text.unwrap_or("it makes no sense").to_owned(),
        ))
    })
}
