//! Computes by name.

use std::ffi::OsString;
use std::path::Path;
use std::sync::Arc;

use cabotage_core::Result;
use cabotage_core::compute::Compute;

use crate::fields;
use crate::settings::invalid;

/// The computes there are.
pub const COMPUTES: &[&str] = &["process"];

/// Opens a compute. `state` is a folder of this program's; `supervisor` is the command that calls
/// [`supervise_job`] with the path that it is given last.
///
/// # Errors
/// `InvalidConfig` for a name that is unknown.
pub fn open_compute(name: &str, state: &Path, supervisor: Vec<OsString>) -> Result<Arc<dyn Compute>> {
    match name {
        "process" => {
            let folder = std::path::absolute(state).unwrap_or_else(|_| state.to_owned()).join("process");
            Ok(Arc::new(cabotage_process::ProcessCompute::open(cabotage_process::ProcessConfig {
                folder,
                supervisor,
            })))
        }
        _ => Err(invalid(format!("there is no compute '{name}'")).help(fields::suggestion(name, COMPUTES))),
    }
}

/// Supervises a job of child processes to its end. Blocks; must not be called inside of a Tokio runtime.
///
/// # Errors
/// What kept it from running the job.
pub fn supervise_job(folder: &Path) -> Result<()> {
    cabotage_process::supervise(folder)
}
