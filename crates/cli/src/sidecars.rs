//! Where sidecars are: the flags, and the locations opened.

use std::path::Path;

use cabotage::{EndLimits, Location, Opened, Role, Stores, Target, refuse_inside, refuse_sidecars_in};
use cabotage_core::Result;
use cabotage_engine::Sidecars;
use clap::Args;

use crate::made_folders::MadeFolders;
use crate::options::Common;
use crate::run_job::side;

/// Locations of sidecars.
#[derive(Args, Clone, Debug)]
pub(crate) struct SidecarArgs {
    /// Keep what DESTINATION can't hold of an object's attributes as JSON in that LOCATION, instead of refusing the object
    #[arg(long, value_name = "LOCATION")]
    sidecar: Option<String>,
    /// Restore what SOURCE couldn't hold from the sidecars in that LOCATION
    #[arg(long, value_name = "LOCATION")]
    restore_sidecar: Option<String>,
}

/// The locations, opened.
pub(crate) struct OpenSidecars {
    keep: Option<Opened>,
    restore: Option<Opened>,
}

impl SidecarArgs {
    /// Folders that opening would make; asked before.
    ///
    /// # Errors
    /// `InvalidConfig` for what is no location.
    pub(crate) fn made_folders(&self) -> Result<MadeFolders> {
        let keep = self.sidecar.as_deref().map(Location::parse).transpose()?;
        Ok(keep.as_ref().map(MadeFolders::before_opening).unwrap_or_default())
    }

    /// Opens what is asked for; the folder of `--sidecar` is made where it is missing. Sidecars come on top of the data at the
    /// destination, so they share its limits.
    pub(crate) async fn open(
        &self,
        common: &Common,
        stores: &Stores,
        destination: &Opened,
    ) -> Result<OpenSidecars> {
        let open = async |location: Option<&str>, role| match location {
            Some(location) => {
                let location = Location::parse(location)?;
                let shared = Some(destination.throttle.clone());
                let limits = EndLimits { shared, ..EndLimits::default() };
                common.open_within(&location, stores, role, Target::Folder, (None, limits)).await.map(Some)
            }
            None => Ok(None),
        };
        let keep = open(self.sidecar.as_deref(), Role::Destination).await?;
        let restore = open(self.restore_sidecar.as_deref(), Role::Source).await?;
        Ok(OpenSidecars { keep, restore })
    }
}

impl OpenSidecars {
    /// Neither in the data nor around them, and nothing that the run writes among the sidecars.
    pub(crate) fn refuse_places(&self, sides: [&Opened; 2], files: &[(&str, Option<&Path>)]) -> Result<()> {
        for sidecars in self.keep.iter().chain(&self.restore) {
            for side in sides {
                refuse_sidecars_in(side, sidecars)?;
            }
            for (flag, path) in files {
                let Some(path) = *path else { continue };
                refuse_inside(sidecars, flag, path)?;
            }
        }
        Ok(())
    }

    /// For the run.
    pub(crate) fn sides(self) -> Sidecars {
        Sidecars { keep: self.keep.map(side), restore: self.restore.map(side) }
    }
}
