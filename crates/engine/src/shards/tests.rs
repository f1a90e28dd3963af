use std::collections::BTreeMap;

use rand::rngs::StdRng;
use rand::{Rng as _, SeedableRng as _};

use super::sketch::{OBJECT, Sketch};
use super::*;

fn plan(objects: &BTreeMap<String, u64>, shards: u32) -> ShardPlan {
    let mut sketch = Sketch::for_shards(shards);
    objects.iter().for_each(|(name, bytes)| sketch.add(name, *bytes));
    ShardPlan::from_sketch("memory/x/".into(), &sketch, shards)
}

fn all(plan: &ShardPlan) -> Vec<Shard> {
    let of = u32::try_from(plan.shards().len()).unwrap();
    (1..=of).map(|number| plan.shard(ShardNumber { number, of }).unwrap()).collect()
}

/// A few folders hold nearly all, names are of any characters, sizes of any magnitude.
fn namespace(random: &mut StdRng, objects: usize) -> BTreeMap<String, u64> {
    const PIECES: &[&str] =
        &["", "a", "b/", "z", "/", "0", "\0", "é", "\u{e000}", "\u{1f600}", "deep/deep/deep/"];
    (0..objects)
        .map(|n| {
            let folder = if random.random_bool(0.9) { 7 } else { random.random_range(0..1_000) };
            let piece = PIECES[random.random_range(0..PIECES.len())];
            let bytes = 1 << random.random_range(0..if n % 50 == 0 { 26 } else { 16 });
            (format!("{piece}{folder:04}/{:08x}", random.random::<u32>()), bytes)
        })
        .collect()
}

#[test]
fn each_name_belongs_to_exactly_one_shard() {
    for seed in 0..60 {
        let mut random = StdRng::seed_from_u64(seed);
        let count = random.random_range(0..400);
        let objects = namespace(&mut random, count);
        let plan = plan(&objects, random.random_range(1..40));
        let shards = all(&plan);
        let later = namespace(&mut random, 300);
        let bounds = plan.shards().iter().filter_map(|shard| shard.through.clone());
        let hard = bounds.flat_map(|bound| [bound.clone(), format!("{bound}\0")]).chain([String::new()]);
        for name in objects.keys().chain(later.keys()).cloned().chain(hard) {
            assert_eq!(shards.iter().filter(|shard| shard.owns(&name)).count(), 1, "seed {seed} {name:?}");
        }
        let planned: (u64, u64) =
            plan.shards().iter().fold((0, 0), |sum, s| (sum.0 + s.objects, sum.1 + s.bytes));
        assert_eq!(planned, (objects.len() as u64, objects.values().sum()), "seed {seed}");
        assert_eq!(ShardPlan::parse(&serde_json::to_string(&plan).unwrap()).unwrap(), plan);
    }
}

/// Far more objects than there are cells, most of them in one folder.
#[test]
fn shards_are_balanced_within_a_fifth() {
    for (seed, shards) in [(1, 4), (2, 16), (3, 64)] {
        let objects = namespace(&mut StdRng::seed_from_u64(seed), 120_000);
        let plan = plan(&objects, shards);
        let weigh = |objects: u64, bytes: u64| (bytes + objects * OBJECT) as f64;
        let share = weigh(objects.len() as u64, objects.values().sum()) / f64::from(shards);
        for (number, shard) in all(&plan).iter().enumerate() {
            let owned: Vec<u64> =
                objects.iter().filter(|(name, _)| shard.owns(name)).map(|(_, bytes)| *bytes).collect();
            let told = &plan.shards()[number];
            assert_eq!((owned.len() as u64, owned.iter().sum::<u64>()), (told.objects, told.bytes));
            let off = weigh(told.objects, told.bytes) / share;
            assert!((0.8..=1.2).contains(&off), "shard {number} of {shards} has {off} of its share");
        }
    }
}

/// By bytes alone, where objects are so large that their number weighs little.
#[test]
fn bytes_are_balanced_within_a_fifth() {
    let mut random = StdRng::seed_from_u64(9);
    let sizes =
        namespace(&mut random, 50_000).into_keys().map(|name| (name, random.random_range(4 << 20..64 << 20)));
    let objects: BTreeMap<String, u64> = sizes.collect();
    let share = objects.values().sum::<u64>() as f64 / 8.0;
    for shard in plan(&objects, 8).shards() {
        assert!((0.8..=1.2).contains(&(shard.bytes as f64 / share)), "{shard:?}");
    }
}

#[test]
fn memory_is_bounded() {
    let mut sketch = Sketch::for_shards(4);
    (0..1_000_000).for_each(|n| sketch.add(&format!("{n:08}"), 1));
    assert!(sketch.cells().len() <= 4_096, "{}", sketch.cells().len());
    assert_eq!(sketch.cells().iter().map(|cell| cell.objects).sum::<u64>(), 1_000_000);
}

#[test]
fn a_plan_that_was_changed_is_refused() {
    let names = (0..100).map(|n| (format!("{n:03}"), 1)).collect();
    let good = serde_json::to_value(plan(&names, 3)).unwrap();
    let change = |change: &dyn Fn(&mut serde_json::Value)| {
        let mut plan = good.clone();
        change(&mut plan);
        ShardPlan::parse(&plan.to_string()).map_err(|error| error.to_string())
    };
    assert!(change(&|_| {}).is_ok());
    for (changed, said) in [
        (change(&|plan| plan["format"] = 2.into()), "format 2"),
        (change(&|plan| plan["shards"][0]["through"] = "x".into()), "digest"),
        (change(&|plan| plan["source"] = "x".into()), "digest"),
        (change(&|plan| plan["colour"] = 1.into()), "colour"),
        (change(&|plan| plan["shards"][1]["colour"] = 1.into()), "colour"),
        (change(&|plan| *plan = 7.into()), "no plan"),
    ] {
        let error = changed.unwrap_err();
        assert!(error.contains(said) && !error.contains('\n'), "{error}");
    }
    // A digest that fits doesn't make a gap good.
    let mut gap = plan(&names, 3);
    gap = gap.with_bounds(|shards| shards[1].after = Some("zz".into()));
    assert!(
        ShardPlan::parse(&serde_json::to_string(&gap).unwrap()).unwrap_err().to_string().contains("once")
    );
}

#[test]
fn numbers() {
    assert_eq!("2/4".parse::<ShardNumber>().unwrap(), ShardNumber { number: 2, of: 4 });
    for wrong in ["", "4", "0/4", "5/4", "1/0", "-1/4", "+1/4", "1/4/2", "a/b", "1/", "/4"] {
        let error = wrong.parse::<ShardNumber>().unwrap_err();
        assert!(error.to_string().contains("no shard"), "{wrong}");
    }
}

#[test]
fn identities_come_back() {
    let job = JobIdentity { source: "s3/a/".into(), destination: "s3/b/x (shard 1/2 of plan y)/".into() };
    let id = ShardId { number: ShardNumber { number: 1, of: 2 }, plan: "0123456789abcdef".into() };
    for tenure in
        [Tenure::Whole, Tenure::Divided(id.plan.clone()), Tenure::Shard(id.clone()), Tenure::Merged(id)]
    {
        let identity = tenure.of_job(&job);
        assert_eq!(Tenure::split(&identity), (job.clone(), tenure));
        assert_eq!(identity.whole(), job);
    }
}
