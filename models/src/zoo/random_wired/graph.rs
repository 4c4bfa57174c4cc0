//! Random graphs, whose edges lead from lower to higher nodes.

use serde::{Deserialize, Serialize};

/// A family of random graphs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum GraphKind {
    /// Every two nodes are joined with the same probability ([Erdős and Rényi
    /// 1959](https://www.renyi.hu/~p_erdos/1959-11.pdf), in Gilbert's variant).
    ErdosRenyi,
    /// Each new node is joined to the same number of others, preferably to those with many edges ([Barabási and Albert
    /// 1999](https://doi.org/10.1126/science.286.5439.509)).
    BarabasiAlbert,
    /// A ring of neighbours, some of whose edges lead elsewhere ([Watts and Strogatz
    /// 1998](https://doi.org/10.1038/30918)).
    WattsStrogatz,
}

impl GraphKind {
    /// The names of its authors.
    pub fn title(self) -> &'static str {
        match self {
            Self::ErdosRenyi => "Erdős–Rényi",
            Self::BarabasiAlbert => "Barabási–Albert",
            Self::WattsStrogatz => "Watts–Strogatz",
        }
    }
}

/// Random numbers by SplitMix64 ([Steele, Lea and Flood
/// 2014](https://doi.org/10.1145/2660193.2660195)), a few lines in any language: a graph is part of a
/// model and must be the same wherever the model is built.
#[derive(Debug, Clone)]
pub struct SplitMix64(u64);

impl SplitMix64 {
    /// Numbers that depend on `seed` alone.
    pub fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// The next number, uniform over all 2⁶⁴.
    pub fn number(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// A number from 0 to below 1: the upper 53 bits of [`Self::number`], divided by 2⁵³.
    pub fn fraction(&mut self) -> f64 {
        (self.number() >> 11) as f64 / (1u64 << 53) as f64
    }

    /// A number below `bound`: [`Self::number`] times `bound`, divided by 2⁶⁴.
    pub fn below(&mut self, bound: usize) -> usize {
        ((u128::from(self.number()) * bound as u128) >> 64) as usize
    }
}

/// A directed graph without cycles: every edge leads from a node to one of a higher index.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Graph {
    /// The nodes with an edge to each node, in order.
    inputs: Vec<Vec<usize>>,
}

impl Graph {
    /// Joins every two nodes with this probability: one [fraction](SplitMix64::fraction) below it for
    /// each pair, the lower node first.
    pub fn erdos_renyi(num_nodes: usize, probability: f64, random: &mut SplitMix64) -> Self {
        let mut edges = Undirected::new(num_nodes);
        for a in 0..num_nodes {
            for b in a + 1..num_nodes {
                if random.fraction() < probability {
                    edges.join(a, b);
                }
            }
        }
        edges.directed()
    }

    /// Begins with `edges_per_node` nodes without edges, and joins each node that follows to as many
    /// before it: the first to all of them, the others to the ends of random edges, where a node counts
    /// once for each edge it has, drawn again where they are joined already.
    ///
    /// # Panics
    /// If there are not more nodes than `edges_per_node`, or that is zero.
    pub fn barabasi_albert(
        num_nodes: usize,
        edges_per_node: usize,
        random: &mut SplitMix64,
    ) -> Self {
        assert!(
            (1..num_nodes).contains(&edges_per_node),
            "{num_nodes} nodes, {edges_per_node} edges for each new one"
        );
        let mut edges = Undirected::new(num_nodes);
        // Both ends of each edge, in the order the edges were made.
        let mut ends = Vec::with_capacity(2 * edges_per_node * num_nodes);
        for node in edges_per_node..num_nodes {
            let before = ends.len();
            for index in 0..edges_per_node {
                let other = if before == 0 {
                    index
                } else {
                    loop {
                        let other = ends[random.below(before)];
                        if !edges.are_joined(node, other) {
                            break other;
                        }
                    }
                };
                edges.join(node, other);
                ends.extend([other, node]);
            }
        }
        edges.directed()
    }

    /// Puts the nodes in a ring and joins each to its `num_neighbors / 2` next ones and as many before
    /// it. Then goes around once for each distance, from 1 up: the edge from a node to the one that far
    /// ahead is, with this probability, replaced by one to a random node, drawn again where that is the
    /// node itself or joined to it. A node joined to all others keeps its edges.
    ///
    /// # Panics
    /// If `num_neighbors` is odd or not below the number of nodes.
    pub fn watts_strogatz(
        num_nodes: usize,
        num_neighbors: usize,
        probability: f64,
        random: &mut SplitMix64,
    ) -> Self {
        assert!(
            num_neighbors.is_multiple_of(2) && num_neighbors < num_nodes,
            "{num_nodes} nodes in a ring, {num_neighbors} neighbours of each"
        );
        let mut edges = Undirected::new(num_nodes);
        let ahead = |node: usize, distance: usize| (node + distance) % num_nodes;
        for distance in 1..=num_neighbors / 2 {
            for node in 0..num_nodes {
                edges.join(node, ahead(node, distance));
            }
        }
        for distance in 1..=num_neighbors / 2 {
            for node in 0..num_nodes {
                if random.fraction() >= probability || edges.degree(node) + 1 == num_nodes {
                    continue;
                }
                let other = loop {
                    let other = random.below(num_nodes);
                    if other != node && !edges.are_joined(node, other) {
                        break other;
                    }
                };
                edges.part(node, ahead(node, distance));
                edges.join(node, other);
            }
        }
        edges.directed()
    }

    /// The number of nodes.
    pub fn num_nodes(&self) -> usize {
        self.inputs.len()
    }

    /// The nodes with an edge to this one, in order.
    pub fn inputs(&self, node: usize) -> &[usize] {
        &self.inputs[node]
    }

    /// All edges (from, to), in the order of the nodes they lead to.
    pub fn edges(&self) -> impl Iterator<Item = (usize, usize)> {
        let nodes = self.inputs.iter().enumerate();
        nodes.flat_map(|(to, inputs)| inputs.iter().map(move |&from| (from, to)))
    }

    /// The nodes that no edge leads to, in order; the first node is one of them.
    pub fn sources(&self) -> Vec<usize> {
        let nodes = 0..self.num_nodes();
        nodes.filter(|&node| self.inputs[node].is_empty()).collect()
    }

    /// The nodes that no edge leads from, in order; the last node is one of them.
    pub fn sinks(&self) -> Vec<usize> {
        let mut is_sink = vec![true; self.num_nodes()];
        for (from, _) in self.edges() {
            is_sink[from] = false;
        }
        let nodes = 0..self.num_nodes();
        nodes.filter(|&node| is_sink[node]).collect()
    }

    /// The most edges on a way from a source to each node.
    pub fn depths(&self) -> Vec<usize> {
        let mut depths = Vec::with_capacity(self.num_nodes());
        for inputs in &self.inputs {
            let deepest = inputs.iter().map(|&from| depths[from] + 1).max();
            depths.push(deepest.unwrap_or(0));
        }
        depths
    }
}

/// Whether two nodes are joined.
struct Undirected {
    num_nodes: usize,
    joined: Vec<bool>,
}

impl Undirected {
    fn new(num_nodes: usize) -> Self {
        Self {
            num_nodes,
            joined: vec![false; num_nodes * num_nodes],
        }
    }

    fn are_joined(&self, a: usize, b: usize) -> bool {
        self.joined[a * self.num_nodes + b]
    }

    fn set(&mut self, a: usize, b: usize, joined: bool) {
        self.joined[a * self.num_nodes + b] = joined;
        self.joined[b * self.num_nodes + a] = joined;
    }

    fn join(&mut self, a: usize, b: usize) {
        self.set(a, b, true);
    }

    fn part(&mut self, a: usize, b: usize) {
        self.set(a, b, false);
    }

    fn degree(&self, node: usize) -> usize {
        let others = 0..self.num_nodes;
        others.filter(|&other| self.are_joined(node, other)).count()
    }

    fn directed(&self) -> Graph {
        let lower = |node| (0..node).filter(move |&other| self.are_joined(other, node));
        Graph {
            inputs: (0..self.num_nodes)
                .map(|node| lower(node).collect())
                .collect(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn degrees(graph: &Graph) -> Vec<usize> {
        let mut degrees = vec![0; graph.num_nodes()];
        for (from, to) in graph.edges() {
            degrees[from] += 1;
            degrees[to] += 1;
        }
        degrees
    }

    /// Many graphs of each kind.
    fn graphs() -> impl Iterator<Item = Graph> {
        let mut random = SplitMix64::new(3);
        (0..600).map(move |index| {
            let n = 6 + index % 40;
            match index % 3 {
                0 => Graph::erdos_renyi(n, 0.2, &mut random),
                1 => Graph::barabasi_albert(n, 1 + index % 5, &mut random),
                _ => Graph::watts_strogatz(n, 2 + index % 2 * 2, 0.75, &mut random),
            }
        })
    }

    #[test]
    fn numbers_are_those_of_splitmix64() {
        let mut random = SplitMix64::new(1_234_567);
        let expected = [
            6_457_827_717_110_365_317,
            3_203_168_211_198_807_973,
            9_817_491_932_198_370_423,
            4_593_380_528_125_082_431,
            16_408_922_859_458_223_821,
        ];
        assert_eq!(expected.map(|_| random.number()), expected);
        for bound in 1..50 {
            assert!(random.below(bound) < bound);
            assert!((0.0..1.0).contains(&random.fraction()));
        }
    }

    #[test]
    fn edges_lead_upwards_and_every_node_lies_between_a_source_and_a_sink() {
        for graph in graphs() {
            let n = graph.num_nodes();
            let mut from_source = vec![false; n];
            let mut to_sink = vec![false; n];
            for node in graph.sources() {
                from_source[node] = true;
            }
            for node in graph.sinks() {
                to_sink[node] = true;
            }
            assert!(graph.edges().all(|(from, to)| from < to && to < n));
            for (from, to) in graph.edges() {
                from_source[to] |= from_source[from];
            }
            let edges: Vec<_> = graph.edges().collect();
            for &(from, to) in edges.iter().rev() {
                to_sink[from] |= to_sink[to];
            }
            assert!(from_source.iter().chain(&to_sink).all(|&reached| reached));
            let depths = graph.depths();
            assert!(edges.iter().all(|&(from, to)| depths[from] < depths[to]));
            assert!(graph.sources().iter().all(|&node| depths[node] == 0));
        }
    }

    #[test]
    fn erdos_renyi_joins_each_pair_with_the_probability_asked_for() {
        let (n, p, draws) = (12, 0.2, 4000);
        let mut random = SplitMix64::new(8);
        let mut counts = vec![0; n * n];
        for _ in 0..draws {
            for (from, to) in Graph::erdos_renyi(n, p, &mut random).edges() {
                counts[from * n + to] += 1;
            }
        }
        // Five deviations of a binomial.
        let bound = 5.0 * (p * (1.0 - p) / f64::from(draws)).sqrt();
        for (from, to) in (0..n).flat_map(|from| (from + 1..n).map(move |to| (from, to))) {
            let share = f64::from(counts[from * n + to]) / f64::from(draws);
            assert!((share - p).abs() < bound, "{from} to {to}: {share}");
        }
        let count = |p| {
            Graph::erdos_renyi(n, p, &mut SplitMix64::new(1))
                .edges()
                .count()
        };
        assert_eq!([count(0.0), count(1.0)], [0, n * (n - 1) / 2]);
    }

    #[test]
    fn barabasi_albert_adds_so_many_edges_for_each_node_and_makes_hubs() {
        let mut random = SplitMix64::new(5);
        for (n, m) in [(6, 5), (20, 1), (32, 5), (40, 7)] {
            let graph = Graph::barabasi_albert(n, m, &mut random);
            assert_eq!(graph.edges().count(), m * (n - m));
            assert_eq!(graph.sources(), (0..m).collect::<Vec<_>>());
            assert!((m..n).all(|node| graph.inputs(node).len() == m));
        }
        // A node that came early has had more chances: √(n / index) as many edges.
        let degrees = degrees(&Graph::barabasi_albert(900, 2, &mut random));
        let mean = |nodes: &[usize]| nodes.iter().sum::<usize>() as f64 / nodes.len() as f64;
        assert!(mean(&degrees[..30]) > 4.0 * mean(&degrees[600..]));
    }

    #[test]
    fn watts_strogatz_keeps_the_number_of_edges_and_without_rewiring_the_ring() {
        let mut random = SplitMix64::new(6);
        for (n, k, p) in [(5, 4, 0.5), (32, 4, 0.75), (32, 4, 1.0), (9, 6, 0.3)] {
            let graph = Graph::watts_strogatz(n, k, p, &mut random);
            assert_eq!(graph.edges().count(), n * k / 2);
            // No node loses the edges that lead from it.
            assert!(degrees(&graph).iter().all(|&degree| degree >= k / 2));
        }
        let ring = Graph::watts_strogatz(20, 6, 0.0, &mut random);
        assert_eq!(degrees(&ring), vec![6; 20]);
        let gap = |(from, to): (usize, usize)| (to - from).min(20 - (to - from));
        assert!(ring.edges().all(|edge| gap(edge) <= 3));
        let count = (0..200).map(|_| {
            let graph = Graph::watts_strogatz(32, 4, 0.75, &mut random);
            let far = |&(from, to): &(usize, usize)| (to - from).min(32 - (to - from)) > 2;
            graph.edges().filter(far).count() as f64 / 64.0
        });
        // A rewired edge is a far one unless it finds a place beside its node that another left.
        let share = count.sum::<f64>() / 200.0;
        assert!((0.6..0.75).contains(&share), "{share}");
    }

    #[test]
    fn the_same_seed_gives_the_same_graph_and_another_seed_another() {
        let draw = |seed| Graph::watts_strogatz(32, 4, 0.75, &mut SplitMix64::new(seed));
        assert_eq!(draw(1), draw(1));
        assert_ne!(draw(1), draw(2));
    }
}
