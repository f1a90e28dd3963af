//! What a compute can do.

use serde::{Deserialize, Serialize};

use super::JobSpec;
use crate::{Error, ErrorKind, Result};

/// What a compute can give a job. What it can't is refused by name, never left out.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ComputeCapabilities {
    /// The most tasks of a job.
    pub max_tasks: u32,
    /// Whether tasks run in containers, so that a job names an image; else it must not.
    pub images: bool,
    /// Whether tasks can be given mounts.
    pub mounts: bool,
    /// Whether a task's memory can be limited.
    pub memory: bool,
    /// Whether a task's processors can be limited.
    pub cpu: bool,
}

impl ComputeCapabilities {
    /// Whether that job can be run here as it stands.
    ///
    /// # Errors
    /// `InvalidConfig` where it could run nowhere ([`JobSpec::check`]), `Unsupported` naming what this compute can't give.
    pub fn accepts(&self, spec: &JobSpec) -> Result<()> {
        spec.check()?;
        let lacks = |text: String| Err(Error::new(ErrorKind::Unsupported, text).about(spec.name.as_str()));
        if spec.tasks > self.max_tasks {
            return lacks(format!("{} tasks; {} are possible here", spec.tasks, self.max_tasks));
        }
        match (&spec.image, self.images) {
            (Some(_), false) => {
                return lacks("tasks here run outside of containers: leave the image out".into());
            }
            (None, true) => return lacks("tasks here run in containers: name an image".into()),
            _ => {}
        }
        for (wanted, can, what) in [
            (!spec.mounts.is_empty(), self.mounts, "mounts"),
            (spec.resources.memory.is_some(), self.memory, "a limit of memory"),
            (spec.resources.cpu_millis.is_some(), self.cpu, "a limit of processors"),
        ] {
            if wanted && !can {
                return lacks(format!("tasks can't be given {what} here: leave it out"));
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::compute::{JobName, Resources};

    #[test]
    fn what_a_compute_lacks_is_refused_by_name() {
        let bare =
            ComputeCapabilities { max_tasks: 10, images: false, mounts: false, memory: false, cpu: false };
        let spec = JobSpec::new(JobName::new("job").unwrap(), ["true"]);
        assert!(bare.accepts(&spec).is_ok());
        let limited =
            |memory, cpu_millis| JobSpec { resources: Resources { memory, cpu_millis }, ..spec.clone() };
        for (spec, part) in [
            (JobSpec { tasks: 11, ..spec.clone() }, "11 tasks"),
            (JobSpec { image: Some("i".into()), ..spec.clone() }, "image"),
            (limited(Some(1), None), "memory"),
            (limited(None, Some(1)), "processors"),
        ] {
            let error = bare.accepts(&spec).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Unsupported);
            assert!(error.to_string().contains(part), "{error}");
        }
        assert!(ComputeCapabilities { images: true, ..bare }.accepts(&spec).is_err());
    }
}
