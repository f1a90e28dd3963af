//! What a task of a job makes of its variables: which shard it is, and its share of what the whole job may do.

use std::collections::BTreeMap;
use std::num::NonZeroU32;
use std::path::{Path, PathBuf};

use cabotage::Environment;
use cabotage_core::compute::{TASK_COUNT, TASK_INDEX};
use cabotage_core::{Error, ErrorKind, Result};
use cabotage_engine::{Options, ShardNumber, ShardPlan};

/// The plan, in pieces: `CABOTAGE_SHARD_PLAN_1` and so on.
const PLAN: &str = "CABOTAGE_SHARD_PLAN_";
/// Which submission of the job it is: attempts of one are one run.
pub(crate) const SUBMISSION: &str = "CABOTAGE_SUBMISSION";
/// Bytes of a piece. Linux takes no variable of more than 128 KiB.
const PIECE: usize = 96 << 10;
/// Bytes of all pieces: with the other variables and the command they have to fit into a quarter of the stack's limit.
const PIECES: usize = 1 << 20;

/// The variables that hold a plan. It holds names of objects, which have no place in a list of processes.
///
/// # Errors
/// `InvalidConfig` for a plan that is too large.
pub(crate) fn plan_variables(plan: &ShardPlan) -> Result<BTreeMap<String, String>> {
    let text = serde_json::to_string(plan)
        .map_err(|error| Error::new(ErrorKind::Internal, format!("the plan can't be written: {error}")))?;
    if text.len() > PIECES {
        let (size, most) = (text.len() >> 10, PIECES >> 10);
        let text = format!("the shard plan has {size} KiB of names, and a task can be given {most} KiB");
        return Err(Error::new(ErrorKind::InvalidConfig, text).help("give a smaller number of --tasks"));
    }
    let mut rest = text.as_str();
    let mut pieces = BTreeMap::new();
    for number in 1_u32.. {
        let end = (0..=PIECE.min(rest.len())).rev().find(|end| rest.is_char_boundary(*end));
        let (piece, after) = rest.split_at(end.unwrap_or_default());
        pieces.insert(format!("{PLAN}{number}"), piece.to_owned());
        rest = after;
        if rest.is_empty() {
            break;
        }
    }
    Ok(pieces)
}

/// The plan of the variables.
///
/// # Errors
/// `InvalidConfig` where there is none, or it is none.
pub(crate) fn plan(environment: &Environment) -> Result<ShardPlan> {
    let pieces = (1_u32..).map_while(|number| environment.get(&format!("{PLAN}{number}")));
    let text: String = pieces.collect();
    if text.is_empty() {
        let text = format!("--shard task needs a plan: --shard-plan FILE, or {PLAN}1 of the environment");
        return Err(Error::new(ErrorKind::InvalidConfig, text));
    }
    ShardPlan::parse(&text).map_err(|error| error.about(PLAN))
}

/// The shard of the task that this process is.
///
/// # Errors
/// `InvalidConfig` where it is none.
pub(crate) fn shard_number(environment: &Environment) -> Result<ShardNumber> {
    let value = |name: &str| environment.get(name).and_then(|value| value.parse::<u32>().ok());
    let number = value(TASK_INDEX).zip(value(TASK_COUNT)).filter(|(index, of)| index < of);
    number.map(|(index, of)| ShardNumber { number: index + 1, of }).ok_or_else(|| {
        let text = format!("--shard task is for tasks of a job: {TASK_INDEX} and {TASK_COUNT} tell no task");
        Error::new(ErrorKind::InvalidConfig, text)
            .help("name the shard as --shard K/N, or use --tasks N, which starts such tasks")
    })
}

/// How many tasks keep to the job's limits together.
///
/// # Errors
/// As [`shard_number`].
pub(crate) fn count(environment: &Environment) -> Result<NonZeroU32> {
    let number = shard_number(environment)?;
    Ok(NonZeroU32::new(number.of).unwrap_or(NonZeroU32::MIN))
}

/// Makes the options of the whole job those of its task.
pub(crate) fn adapt(options: &mut Options, number: ShardNumber, plan: &ShardPlan, environment: &Environment) {
    options.attempt_of = environment.get(SUBMISSION).map(str::to_owned);
    options.manifest = options.manifest.as_deref().map(|path| own_file(path, number.number));
    if let Some(list) = &mut options.archived_list {
        list.path = own_file(&list.path, number.number);
    }
    if let Some(policy) = &mut options.delete {
        let weights: Vec<u64> = plan.shards().iter().map(|shard| shard.objects).collect();
        policy.max = share(policy.max, &weights, number);
    }
}

/// Where a task writes what is put together to that file in the end.
pub(crate) fn own_file(path: &Path, number: u32) -> PathBuf {
    let mut own = path.as_os_str().to_owned();
    own.push(format!(".task-{number}"));
    own.into()
}

/// More objects than any shard has; beyond it, weights of a thousand of them couldn't be multiplied.
const COUNTED: u64 = 1 << 48;

/// A shard's share of a number, by the objects that were planned. All shares together are the number.
fn share(whole: u64, objects: &[u64], number: ShardNumber) -> u64 {
    let weight = |shards: u32| -> u128 {
        objects.iter().take(shards as usize).map(|objects| u128::from((*objects).min(COUNTED)) + 1).sum()
    };
    let all = weight(number.of).max(1);
    let up_to = |shards: u32| u128::from(whole) * weight(shards) / all;
    u64::try_from(up_to(number.number) - up_to(number.number - 1)).unwrap_or(whole)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shares_are_by_weight_and_sum_up() {
        let shares = |whole: u64, objects: &[u64]| -> Vec<u64> {
            let of = u32::try_from(objects.len()).unwrap();
            (1..=of).map(|number| share(whole, objects, ShardNumber { number, of })).collect()
        };
        assert_eq!(shares(1_000, &[99, 99, 99, 99]), [250, 250, 250, 250]);
        assert_eq!(shares(100, &[899, 99, 0]), [89, 10, 1]);
        assert_eq!(shares(0, &[5, 5]), [0, 0]);
        assert_eq!(shares(10, &[0, 0, 0]), [3, 3, 4]);
        assert_eq!(
            shares(u64::MAX, &[u64::MAX, 1]).iter().map(|s| u128::from(*s)).sum::<u128>(),
            u64::MAX.into()
        );
    }

    #[tokio::test]
    async fn a_large_plan_goes_in_pieces_and_comes_back() {
        let folder = tempfile::tempdir().unwrap();
        for n in 0..400 {
            std::fs::write(folder.path().join(format!("{n:03}{}", "é".repeat(100))), "").unwrap();
        }
        let location = cabotage::Location::parse(folder.path().to_str().unwrap()).unwrap();
        let stores = cabotage::Stores::without_file(Environment::default());
        let opened = stores.open(&location, &cabotage::OpenOptions::default()).await.unwrap();
        let source = crate::run_job::side(opened);
        let selection = cabotage_engine::Selection::default();
        let large = cabotage_engine::plan_shards(&source, &selection, 300, folder.path()).await.unwrap();
        let pieces = plan_variables(&large).unwrap();
        assert!(pieces.len() > 1 && pieces.values().all(|piece| piece.len() <= PIECE), "{}", pieces.len());
        assert_eq!(plan(&pieces.into_iter().collect()).unwrap(), large);
        assert_eq!(plan(&Environment::default()).unwrap_err().kind(), ErrorKind::InvalidConfig);
    }

    #[test]
    fn which_task_it_is() {
        let told = |index: &str, count: &str| {
            shard_number(&[(TASK_INDEX, index), (TASK_COUNT, count)].into_iter().collect())
        };
        assert_eq!(told("0", "4").unwrap(), ShardNumber { number: 1, of: 4 });
        assert_eq!(told("3", "4").unwrap(), ShardNumber { number: 4, of: 4 });
        for (index, count) in [("4", "4"), ("", "4"), ("0", ""), ("-1", "4"), ("x", "4")] {
            assert_eq!(told(index, count).unwrap_err().kind(), ErrorKind::InvalidConfig, "{index}/{count}");
        }
    }
}
