//! Random graphs: every action runs at most once and never before what it needs, and what comes out is what a build one
//! after the other makes.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::Ordering;
use std::time::Duration;

use proptest::prelude::*;
use slipway_store::Digest;

use super::support::{World, made_of, options};
use crate::{Cancel, Graph, NodeId, NodeStates, Outputs, RunOptions};

#[derive(Clone, Debug)]
struct Spec {
    nodes: Vec<Node>,
    slots: usize,
    fetches: usize,
}

#[derive(Clone, Debug)]
struct Node {
    needs: BTreeSet<usize>,
    tenths: u32,
    fixed: bool,
    fetch: bool,
    salt: u8,
}

fn node(index: usize) -> impl Strategy<Value = Node> {
    let needs = prop::collection::btree_set(0..index.max(1), 0..=index.min(3));
    (needs, 0_u32..40, prop::bool::weighted(0.3), prop::bool::weighted(0.2), 0_u8..2).prop_map(
        move |(needs, tenths, fixed, fetch, salt)| {
            let needs = if index == 0 { BTreeSet::new() } else { needs };
            Node { needs, tenths, fixed, fetch, salt }
        },
    )
}

fn spec() -> impl Strategy<Value = Spec> {
    (1_usize..9)
        .prop_flat_map(|count| ((0..count).map(node).collect::<Vec<_>>(), 1_usize..5, 1_usize..3))
        .prop_map(|(nodes, slots, fetches)| Spec { nodes, slots, fetches })
}

impl Spec {
    fn script(&self) -> String {
        self.nodes.iter().enumerate().map(|(index, node)| node.line(index)).collect()
    }

    fn all(&self) -> String {
        (0..self.nodes.len()).map(|index| format!("n{index} ")).collect()
    }

    fn options(&self) -> RunOptions {
        RunOptions { slots: self.slots, fetches: self.fetches, ..options() }
    }

    /// The action and all that comes after it.
    fn downstream(&self, index: usize) -> BTreeSet<String> {
        let mut found = BTreeSet::from([index]);
        for (other, node) in self.nodes.iter().enumerate() {
            if node.needs.iter().any(|need| found.contains(need)) {
                found.insert(other);
            }
        }
        found.into_iter().map(|index| format!("n{index}")).collect()
    }
}

impl Node {
    fn line(&self, index: usize) -> String {
        let needs: String = self.needs.iter().map(|need| format!(" n{need}")).collect();
        let fixed = if self.fixed { format!(" =fixed{index}") } else { String::new() };
        let fetch = if self.fetch { " fetch" } else { "" };
        format!(
            "n{index}:{needs}; {}s arg:{}{fixed}{fetch}\n",
            f64::from(self.tenths) / 10.0,
            self.salt
        )
    }
}

/// What a build one after the other makes, without any of the machinery.
fn sequential(graph: &Graph, spec: &Spec) -> BTreeMap<NodeId, Outputs> {
    let mut made: BTreeMap<NodeId, Outputs> = BTreeMap::new();
    for action in graph.iter() {
        let inputs = crate::plan::resolve(action, &made).unwrap();
        let index: usize = action.id.as_str()[1..].parse().unwrap();
        let text = if spec.nodes[index].fixed {
            format!("fixed{index}")
        } else {
            made_of(action, &inputs)
        };
        made.insert(
            action.id.clone(),
            BTreeMap::from([("out".to_owned(), Digest::of_bytes(text.as_bytes()))]),
        );
    }
    made
}

async fn check(world: &World, spec: &Spec) -> Result<Vec<String>, TestCaseError> {
    world.journal.most.store(0, Ordering::SeqCst);
    let (result, _) = world.events(&spec.script(), &spec.all(), spec.options()).await;
    let outcome = result.map_err(|error| TestCaseError::fail(error.to_string()))?;
    prop_assert_eq!(&outcome.outputs, &sequential(&world.graph(&spec.script()), spec));
    let ran: Vec<String> = world.ran().split_whitespace().map(str::to_owned).collect();
    prop_assert_eq!(ran.iter().collect::<BTreeSet<_>>().len(), ran.len(), "an action ran twice");
    for (place, name) in ran.iter().enumerate() {
        let index: usize = name[1..].parse().unwrap();
        for need in &spec.nodes[index].needs {
            let need = format!("n{need}");
            prop_assert!(!ran[place..].contains(&need), "{} ran before {}", name, need);
        }
    }
    prop_assert!(world.journal.most.load(Ordering::SeqCst) <= spec.slots + spec.fetches);
    Ok(ran)
}

async fn scenario(spec: Spec, changed: usize) -> Result<(), TestCaseError> {
    let world = World::new();
    check(&world, &spec).await?;
    prop_assert_eq!(
        check(&world, &spec).await?,
        Vec::<String>::new(),
        "the second run has nothing to do"
    );
    let mut after = spec.clone();
    after.nodes[changed].salt += 2;
    let ran: BTreeSet<String> = check(&world, &after).await?.into_iter().collect();
    let name = format!("n{changed}");
    prop_assert!(ran.contains(&name), "what changed did not run");
    prop_assert!(ran.is_subset(&after.downstream(changed)), "more ran than what changed");
    prop_assert_eq!(
        check(&world, &spec).await?,
        Vec::<String>::new(),
        "the way back is all recorded"
    );
    Ok(())
}

/// A misfortune between two runs, or in the middle of one.
#[derive(Clone, Debug)]
enum Misfortune {
    /// The run is killed after so many tenths of a second.
    Kill(u64),
    /// The run is asked to end after so many tenths of a second, once or twice.
    Cancel(u64, bool),
    /// The bytes of an output vanish.
    Lose(prop::sample::Index),
    /// What is remembered of the last run of an action is cut in the middle.
    Cut(prop::sample::Index),
    /// An action fails, with or without going on with others.
    Fail(prop::sample::Index, bool),
}

fn misfortune() -> impl Strategy<Value = Misfortune> {
    let tenths = 0_u64..80;
    prop_oneof![
        tenths.clone().prop_map(Misfortune::Kill),
        (tenths, any::<bool>()).prop_map(|(at, twice)| Misfortune::Cancel(at, twice)),
        any::<prop::sample::Index>().prop_map(Misfortune::Lose),
        any::<prop::sample::Index>().prop_map(Misfortune::Cut),
        (any::<prop::sample::Index>(), any::<bool>())
            .prop_map(|(which, going)| Misfortune::Fail(which, going)),
    ]
}

async fn strike(world: &mut World, spec: &Spec, misfortune: &Misfortune) {
    let (script, all, options) = (spec.script(), spec.all(), spec.options());
    match misfortune {
        Misfortune::Kill(tenths) => {
            let run = world.events(&script, &all, options);
            tokio::time::timeout(Duration::from_millis(tenths * 100), run).await.ok();
        }
        Misfortune::Cancel(tenths, twice) => {
            let request = async {
                tokio::time::sleep(Duration::from_millis(tenths * 100)).await;
                world.cancel.request();
                if *twice {
                    world.cancel.request();
                }
            };
            tokio::join!(world.events(&script, &all, options), request).0.0.ok();
            world.cancel = Cancel::new();
        }
        Misfortune::Lose(which) => {
            let state = NodeStates::of(&world.store).load(&which_id(spec, which)).unwrap();
            let path = state.and_then(|state| world.store.blob(&state.outputs["out"]).unwrap());
            if let Some(path) = path {
                fs_err::remove_file(path).unwrap();
            }
        }
        Misfortune::Cut(which) => {
            let path = NodeStates::of(&world.store).path(&which_id(spec, which));
            if let Ok(bytes) = fs_err::read(&path) {
                fs_err::write(&path, &bytes[..bytes.len() / 2]).unwrap();
            }
        }
        Misfortune::Fail(which, keep_going) => {
            let line = which.index(spec.nodes.len());
            let lines = script.lines().enumerate();
            let broken: String = lines
                .map(|(index, text)| {
                    if index == line {
                        format!("{text} arg:broken fail\n")
                    } else {
                        format!("{text}\n")
                    }
                })
                .collect();
            let (result, _) = world
                .events(&broken, &all, RunOptions { keep_going: *keep_going, ..options })
                .await;
            result.unwrap_err();
        }
    }
}

fn which_id(spec: &Spec, which: &prop::sample::Index) -> NodeId {
    format!("n{}", which.index(spec.nodes.len())).parse().unwrap()
}

/// Whatever happened before, a run to the end has the same result, and another one after it has nothing to do.
async fn survival(spec: Spec, misfortunes: Vec<Misfortune>) -> Result<(), TestCaseError> {
    let mut world = World::new();
    for misfortune in &misfortunes {
        strike(&mut world, &spec, misfortune).await;
    }
    world.ran();
    check(&world, &spec).await?;
    prop_assert_eq!(
        check(&world, &spec).await?,
        Vec::<String>::new(),
        "the second run has nothing to do"
    );
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 32, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_graph(spec in spec(), pick: prop::sample::Index) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().start_paused(true).build().unwrap();
        let changed = pick.index(spec.nodes.len());
        runtime.block_on(scenario(spec, changed))?;
    }

    #[test]
    fn any_misfortune(spec in spec(), misfortunes in prop::collection::vec(misfortune(), 1..5)) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().start_paused(true).build().unwrap();
        runtime.block_on(survival(spec, misfortunes))?;
    }
}
